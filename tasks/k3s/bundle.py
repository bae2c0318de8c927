"""The vendor's bundle on a target: its files where k3s looks for them."""

from __future__ import annotations

from pathlib import PurePosixPath
from shlex import quote

from blocks.errors import VerificationError
from blocks.ports import Host
from configs.k3s import K3s
from configs.platform import Platform
from configs.rendering import rendered
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.shell.files import diff_of_ours, keep_foreign, read_file, write_file
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
