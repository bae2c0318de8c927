"""The vendor's bundle on a target: its files where k3s looks for them, its images in docker."""

from __future__ import annotations

from pathlib import PurePosixPath
from shlex import quote

from blocks.ports import Host
from configs.errors import VerificationError
from configs.platform import K3s, Platform
from tasks.outcome import Outcome, changed, planned, unchanged
from tasks.rendering import diff_of_ours, k3s_profile
from tasks.run import Run
from tasks.scripts import STRICT, facts, keep_foreign, parse_facts, read_file, write_file
from tasks.step import step

BINARY = "/usr/local/bin/k3s"
AIRGAP_DIR = "/var/lib/rancher/k3s/agent/images"
PROFILE = "/etc/profile.d/k3s.sh"

TAGS = (
    r"""tags=$(tar -xOf "$t" manifest.json | tr -d ' \n' | grep -oE '"RepoTags":\[[^]]*\]' | grep -oE '"[^"]+:[^"]+"' """
    """| tr -d '"'); test -n "$tags" || echo "$t";"""
)
LACKING = 'for i in $tags; do docker image inspect "$i" >/dev/null 2>&1 || echo "$i"; done;'


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
    """Make the k3s binary, its airgap images and the shell profile lie where the runbook puts them.

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
        raise VerificationError(f"{host.name}: staged files differ from {platform.k3s.bundle}: is the disk full?")
    return changed(f"copied from {platform.k3s.bundle}: {what}", diffs=diffs)


@step("load images")
def ensure_images_loaded(run: Run, host: Host, platform: Platform) -> Outcome:
    """Make docker on the machine have every image of the bundle's tars.

    Undo: docker rmi; images that no pod uses do no harm.
    """
    # probe
    tars = [f"{platform.k3s.bundle}/{name}" for name in platform.k3s.images]
    question = facts(
        {"missing": _missing_images(tars), "docker": "systemctl is-active docker; systemctl is-enabled docker"}
    )
    timeout_s = platform.timeouts.image_load_s
    said = parse_facts(host.run(question, what="asking docker for images", timeout_s=timeout_s).stdout)
    if not said["missing"] and said["docker"].split() == ["active", "enabled"]:
        return unchanged("docker has all images of the bundle")
    what = ", ".join(sorted(set(said["missing"].split()))) or "nothing, docker is started"
    if run.dry_run:
        return planned(f"loaded: {what}")

    # act
    with run.acting(host.name, f"loading {what}"):
        loading = "".join(f"docker load --quiet -i {quote(tar)} >/dev/null\n" for tar in tars)
        script = STRICT + "systemctl enable --now docker >/dev/null 2>&1\n" + loading + "set +e\n" + question
        answer = parse_facts(host.run(script, what=f"docker load of {len(tars)} tars", timeout_s=timeout_s).stdout)

    # verify
    if answer["missing"]:
        raise VerificationError(
            f"{host.name}: docker load succeeded, yet docker lacks {answer['missing']}: see docker info there"
        )
    return changed(f"loaded: {what}")


def _missing_images(tars: list[str]) -> str:
    """Tags that the tars' manifests name and docker does not have; all of them when docker is down.

    A tar that names no tags is absent or cut off; it answers with itself, and docker load will say why.
    """
    return f"for t in {' '.join(map(quote, tars))}; do {TAGS} {LACKING} done"
