"""The files that k3s needs on a target: the vendor's, and those that its flags name, which are a running server's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from shlex import quote

from blocks.errors import RefusedError, VerificationError
from blocks.ports import Host, KubeApi, Node
from configs.hosts import Target
from configs.k3s import K3s
from configs.platform import Platform
from configs.rendering import rendered
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.k3s.flags import REGISTRIES, named_files, pairs
from tasks.k3s.identity import ClusterAccess
from tasks.k3s.join import words_of
from tasks.shell.files import (
    Fingerprint,
    diff_of_ours,
    fingerprints,
    keep_foreign,
    parse_fingerprints,
    read_file,
    write_encoded,
    write_file,
)
from tasks.shell.fleet import side_by_side
from tasks.shell.script import STRICT, facts, parse_facts

BINARY = "/usr/local/bin/k3s"
AIRGAP_DIR = "/var/lib/rancher/k3s/agent/images"
PROFILE = "/etc/profile.d/k3s.sh"


def _copies(k3s: K3s) -> dict[str, str]:
    """Where each staged file comes from."""
    airgap = PurePosixPath(k3s.airgap_images).name
    return {BINARY: f"{k3s.bundle}/vendor/k3s", f"{AIRGAP_DIR}/{airgap}": f"{k3s.bundle}/{k3s.airgap_images}"}


def _staging_question(copies: dict[str, str]) -> str:
    same = "".join(
        f"cmp -s {quote(source)} {quote(target)} && echo {quote(target)};" for target, source in copies.items()
    )
    return facts({"same": same, "profile": read_file(PROFILE), "executable": f"test -x {BINARY} && echo yes"})


@step("stage k3s files")
def ensure_k3s_files(run: Run, host: Host, platform: Platform) -> Outcome:
    """Make the k3s binary, its airgap images and the shell profile be where the runbook puts them.

    Undo: k3s-uninstall.sh removes them.
    """
    # probe
    copies, profile = _copies(platform.k3s), k3s_profile()
    question = _staging_question(copies)
    said = parse_facts(host.run(question, what="reading staged files", timeout_s=platform.timeouts.copy_s).stdout)
    missing = {target: source for target, source in copies.items() if target not in said["same"].splitlines()}
    before = said["profile"] + "\n" if said["profile"] else ""
    if not missing and before == profile and said["executable"] == "yes":
        return unchanged("files are in place")
    diffs = (diff_of_ours(PROFILE, before, profile),) if before != profile else ()
    what = ", ".join([*missing, *([PROFILE] if diffs else [])]) or BINARY
    if run.dry_run:
        return planned(f"copied from {platform.k3s.bundle}: {what}", diffs=diffs)

    # act
    with run.acting(host.name, f"staging {what}"):
        # A running binary can't be written over ("text file busy"), it can be replaced.
        copying = "".join(
            f'mkdir -p "$(dirname {quote(target)})"; cp {quote(source)} {quote(target)}.half; '
            f"chmod {'0755' if target == BINARY else '0644'} {quote(target)}.half; mv -f {quote(target)}.half {quote(target)}\n"
            for target, source in missing.items()
        )
        writing = keep_foreign(PROFILE, "before-join") + write_file(PROFILE, profile)
        script = STRICT + copying + f"chmod +x {BINARY}\n" + writing + "set +e\n" + question
        answer = parse_facts(host.run(script, what=f"staging {what}", timeout_s=platform.timeouts.copy_s).stdout)

    # verify
    if set(answer["same"].splitlines()) != set(copies) or answer["profile"] + "\n" != profile:
        raise VerificationError(
            f"{host.name}: staged files differ from those in {platform.k3s.bundle}: df -h /usr/local/bin /var/lib",
            id="k3s-files-differ",
        )
    return changed(f"copied from {platform.k3s.bundle}: {what}", diffs=diffs)


def k3s_profile() -> str:
    """The shell profile that points kubectl at the kubeconfig."""
    return rendered("k3s-profile.sh.j2")


@check("check k3s files")
def check_named_files(platform: Platform, kube: KubeApi, hosts: Mapping[str, Host], access: ClusterAccess) -> Checked:
    """Every file that a new node's flags name is on the server that gave access, from where it is carried, or on the target already."""
    found, nodes, server = Findings("cluster"), kube.nodes(), hosts[access.server]
    joining = [target for target in platform.targets if target.name in hosts and not _is_node(nodes, target)]
    try:
        named = {target.name: named_files(words_of(platform, target, nodes, access)) for target in joining}
    except RefusedError:  # said by the check of the flags
        return found.checked("unknown")
    asked = [server, *(hosts[name] for name in named)]
    paths = list(dict.fromkeys(path for files in named.values() for path in files))
    has, *there = side_by_side(lambda host: _fingerprints(host, platform, paths), asked)
    words = [*access.other_flags, *(word for node in nodes if node.name == server.name for word in node.args)]
    own = {value.rpartition("=")[2] for _, value in pairs(words)}
    for (name, files), gets in zip(named.items(), there, strict=True):
        for path, flag in files.items():
            at = Findings(name)
            _judge_file(at, f"{flag} names {path}", server.name, has.get(path), gets.get(path), required=path not in own)
            found.found.extend(at.found if path != REGISTRIES or has.get(path) else [])
    return found.checked(f"{sum(one.is_known for one in has.values())} files of {server.name}'s")


def _judge_file(
    found: Findings, named: str, server: str, has: Fingerprint | None, gets: Fingerprint | None, *, required: bool
) -> None:
    """`required` is a file that no running server starts without."""
    if has is not None and has.is_file and not has.is_known and gets != has:
        what = f"{named}, which can't be carried from {server}: its content is {has.content}"
        found.refuse("k3s-file-not-carried", what, "copy it there, with its mode and owner")
    elif has is not None and not has.is_file and gets is None:
        what = f"{named}, which on {server} is a folder or a socket, and is not carried"
        found.warn("k3s-folder-not-carried", what, "copy what is needed of it there")
    elif has is None and gets is None and required:
        what = f"{named}, which is neither there nor on {server}: k3s would not start"
        found.refuse("k3s-file-missing", what, "copy it there, or to all sources; accept this if it is written, not read")


@step("carry k3s files")
def ensure_named_files(
    run: Run, host: Host, platform: Platform, target: Target, kube: KubeApi, server: Host, access: ClusterAccess
) -> Outcome:
    """Make the files that the target's flags name be those of `server`, a running one, with their modes and owners.

    Their content, which may be secret, is only ever in memory on its way. A node's files are its own.
    Undo: none needed; another file that was in the place of one is kept beside it.
    """
    # probe
    nodes = kube.nodes()
    if _is_node(nodes, target):
        return unchanged("a node has its own")
    paths = list(named_files(words_of(platform, target, nodes, access)))
    has = {path: one for path, one in _fingerprints(server, platform, paths).items() if one.is_known}
    gets = _fingerprints(host, platform, paths)
    differing = [path for path in has if gets.get(path) != has[path]]
    if not differing:
        return unchanged(f"{len(has)} files are as on {server.name}")
    what = f"copied from {server.name}: " + ", ".join(f"{path} (mode {has[path].mode})" for path in differing)
    if run.dry_run:
        return planned(what)

    # act
    with run.acting(host.name, f"copying {', '.join(differing)}"):
        contents = _contents(server, platform, differing)
        writing = "".join(
            keep_foreign(path, "before-join") + write_encoded(path, contents[path], f"0{has[path].mode}", has[path].owner)
            for path in differing
        )
        host.run(STRICT + writing, what="copying k3s's files", timeout_s=platform.timeouts.copy_s)

    # verify
    gets = _fingerprints(host, platform, paths)
    wrong = [path for path in has if gets.get(path) != has[path]]
    if wrong:
        raise VerificationError(
            f"{host.name}: {', '.join(wrong)} differ from those of {server.name} after they were copied: df -h; ls -l there",
            id="k3s-file-differs",
        )
    return changed(what)


def _is_node(nodes: Iterable[Node], target: Target) -> bool:
    return any((node.name, node.address) == (target.name, str(target.address)) for node in nodes)


def _fingerprints(host: Host, platform: Platform, paths: list[str]) -> dict[str, Fingerprint]:
    question = facts({"files": fingerprints(paths)})
    said = host.run(question, what="looking at k3s's files", timeout_s=platform.timeouts.command_s).stdout
    return parse_fingerprints(parse_facts(said)["files"])


def _contents(host: Host, platform: Platform, paths: list[str]) -> dict[str, str]:
    """By path: the file's content, encoded."""
    question = facts({str(number): f"base64 -w0 {quote(path)}" for number, path in enumerate(paths)})
    said = parse_facts(host.run(question, what="reading k3s's files", timeout_s=platform.timeouts.copy_s).stdout)
    return {path: said[str(number)] for number, path in enumerate(paths)}
