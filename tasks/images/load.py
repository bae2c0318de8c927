"""The bundle's images in docker on a target."""

from __future__ import annotations

from shlex import quote

from blocks.errors import RefusedError, VerificationError
from blocks.ports import Host
from configs.platform import Platform
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.shell.script import STRICT, facts, parse_facts

# One line for each tar without a manifest, for each whose manifest names no tags, and for each image that docker lacks. A tar
# that was packed by hand holds ./manifest.json.
LACKING = r"""for t in $tars; do
    manifest=$(tar -xOf "$t" manifest.json ./manifest.json | tr -d ' \n')
    test -n "$manifest" || { echo "unread $t"; continue; }
    tags=$(grep -oE '"RepoTags":\[[^]]*\]' <<<"$manifest" | grep -oE '"[^"]+:[^"]+"' | tr -d '"')
    test -n "$tags" || echo "untagged $t"
    for i in $tags; do docker image inspect "$i" >/dev/null || echo "lacks $i"; done
done"""


@step("load images")
def ensure_images_loaded(run: Run, host: Host, platform: Platform) -> Outcome:
    """Make docker on the machine have every image of the bundle's tars.

    Undo: docker rmi; images that no pod uses do no harm.
    """
    # probe
    tars = needed_tars(platform)
    docker = "systemctl is-active docker; systemctl is-enabled docker"
    question = f"tars={quote(' '.join(tars))}\n" + facts({"lacking": LACKING, "docker": docker})
    timeout_s = platform.timeouts.image_load_s
    before = parse_facts(host.run(question, what="asking docker for images", timeout_s=timeout_s).stdout)
    _refuse_untagged(host, before["lacking"])
    if not before["lacking"] and before["docker"].split() == ["active", "enabled"]:
        return unchanged("docker has all images of the bundle")
    what = ", ".join(_names(before["lacking"])) or "nothing, docker is started"
    if run.dry_run:
        return planned(f"loaded: {what}")

    # act
    with run.acting(host.name, f"loading {what}"):
        loading = "".join(f"docker load --quiet -i {quote(tar)} >/dev/null\n" for tar in tars)
        script = STRICT + "systemctl enable --now docker >/dev/null 2>&1\n" + loading + "set +e\n" + question
        answer = parse_facts(host.run(script, what=f"docker load of {len(tars)} tars", timeout_s=timeout_s).stdout)

    # verify
    if answer["lacking"]:
        raise VerificationError(
            f"{host.name}: docker load succeeded, but docker lacks {' '.join(_names(answer['lacking']))}: docker info there",
            id="image-not-loaded",
        )
    return changed(f"loaded: {what}")


def needed_tars(platform: Platform) -> list[str]:
    """The bundle's tars. With --docker, k3s does not load its own images (pause, coredns ...), so docker has to."""
    k3s = platform.k3s
    unknown = k3s.server_args is None  # those of the running servers: docker may be among them
    own = [k3s.airgap_images] if unknown or "--docker" in (*(k3s.server_args or ()), *k3s.agent_args) else []
    return [f"{k3s.bundle}/{name}" for name in dict.fromkeys([*own, *k3s.images])]


def _names(lacking: str) -> list[str]:
    return sorted({line.partition(" ")[2] for line in lacking.splitlines()})


def _refuse_untagged(host: Host, lacking: str) -> None:
    """What docker loads from such a tar has no name, so no pod could be started from it."""
    untagged = [line.partition(" ")[2] for line in lacking.splitlines() if line.startswith("untagged ")]
    if untagged:
        raise RefusedError(
            f"{host.name}: the manifest of {', '.join(untagged)} names no tags (it was saved by image ids): save it by names, "
            "docker save -o TAR NAME:TAG ..., and copy it there",
            id="image-tar-untagged",
        )
