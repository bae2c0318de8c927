"""The certificates that etcd and the API servers need on a target."""

from __future__ import annotations

import hashlib
from pathlib import Path
from shlex import quote

from blocks.errors import VerificationError
from blocks.ports import EtcdApi, Host
from configs.errors import ConfigError
from configs.etcd import EtcdTls
from configs.hosts import Role, Target
from configs.platform import Platform
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.etcd.members import member_of
from tasks.shell.files import keep_foreign, write_file
from tasks.shell.script import STRICT, facts, parse_facts

MODES = {".crt": "644", ".key": "600"}


def member_pair(tls: EtcdTls, target: Target) -> tuple[Path, Path]:
    """Certificate and key of a target's member, on the orchestrator's machine."""
    return tls.members / f"{target.name}.crt", tls.members / f"{target.name}.key"


def files_of(tls: EtcdTls, target: Target) -> dict[str, Path]:
    """What a target needs, by its path there: a member its own pair, an API server the client's, both the authorities."""
    member, server = target.etcd, target.role is Role.SERVER
    cert, key = member_pair(tls, target)
    files = {
        **({"ca.crt": tls.ca} if member or server else {}),
        **({"member.crt": cert, "member.key": key} if member else {}),
        **({"client.crt": tls.cert, "client.key": tls.key} if server else {}),
    }
    return {tls.on_host(name): path for name, path in files.items()}


@step("stage etcd certificates")
def ensure_certificates(run: Run, host: Host, platform: Platform, tls: EtcdTls, target: Target, etcd: EtcdApi) -> Outcome:
    """Make the target have the certificates and keys that its etcd and its API server are started with, keys for root only.

    A voter's are its own: whoever renews them there does so. Undo: none needed; nothing else reads them, and another file that
    was in the place of one is kept beside it.
    """
    # probe
    member = member_of(etcd.members(), target)
    if member is not None and not member.is_learner:
        return unchanged("a voter has its own")
    wanted = {path: _read(source) for path, source in files_of(tls, target).items()}
    question = facts({"files": _listed(wanted)})
    said = parse_facts(host.run(question, what="reading certificates", timeout_s=platform.timeouts.command_s).stdout)
    missing = [path for path in wanted if _line(path, wanted[path]) not in said["files"].splitlines()]
    if not missing:
        return unchanged("certificates and keys are in place")
    if run.dry_run:
        return planned(f"copied: {', '.join(missing)}")

    # act
    with run.acting(host.name, f"copying {', '.join(missing)}"):
        writing = "".join(
            keep_foreign(path, "before-join") + write_file(path, wanted[path], f"0{MODES[Path(path).suffix]}") for path in missing
        )
        script = STRICT + writing + "set +e\n" + question
        answer = host.run(script, what="copying certificates", timeout_s=platform.timeouts.command_s)

    # verify
    there = parse_facts(answer.stdout)["files"].splitlines()
    differ = [path for path in wanted if _line(path, wanted[path]) not in there]
    if differ:
        raise VerificationError(
            f"{host.name}: {', '.join(differ)} differ from what was copied: df -h {tls.folder}; ls -l {tls.folder} there",
            id="etcd-certificates-differ",
        )
    return changed(f"copied: {', '.join(missing)}")


def _listed(paths: dict[str, str]) -> str:
    """The command for a fact: each file with its mode, owner and hash."""
    names = " ".join(map(quote, paths))
    return f'for f in {names}; do echo "$(stat -c "%a %u" "$f") $(sha256sum <"$f" | cut -c1-64) $f"; done'


def _line(path: str, content: str) -> str:
    return f"{MODES[Path(path).suffix]} 0 {hashlib.sha256(content.encode()).hexdigest()} {path}"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise ConfigError(f"etcd.tls: {path}: {why}: write a readable PEM file", id="etcd-tls-unreadable") from error
