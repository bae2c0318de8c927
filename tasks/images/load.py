"""The bundle's images in docker on a target."""

from __future__ import annotations

from shlex import quote

from blocks.errors import RefusedError, VerificationError
from blocks.ports import Host
from configs.platform import Platform
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.shell.script import STRICT, facts, parse_facts
from tasks.shell.units import refuse_masked

NO_TAGS = "names no tags (it was saved by image ids)"
SAVE_BY_NAMES = "save it by names, docker save -o TAR NAME:TAG ..., and copy it there"
# One line for each tar that docker can't load or whose manifest names no tags, and for each image that docker lacks. A tar that
# was packed by hand holds ./manifest.json. An OCI layout without it is read by a docker that keeps its images in containerd, and
# by no other: moby's daemon/containerd/image_exporter.go and image/tarexport/load.go.
LACKING = r"""entry() { grep -xE "(\./)?$1" <<<"$listed" | head -n 1; }
content() { tar -xOf "$t" --occurrence=1 "$1" | tr -d ' \t\n'; }
store=$(docker info -f '{{.DriverStatus}}')
for t in $tars; do
    test -s "$t" || { echo "absent $t"; continue; }
    listed=$(tar -tf "$t") || { echo "unread $t"; continue; }
    saved=$(entry 'manifest\.json') layout=$(entry 'index\.json')
    if test -n "$saved"; then tags=$(content "$saved" | grep -oE '"RepoTags":\[[^]]*\]' | grep -oE '"[^"]+:[^"]+"')
    elif test -z "$layout"; then echo "unread $t"; continue
    elif ! grep -qF io.containerd.snapshotter <<<"$store"; then echo "layout $t"; continue
    else tags=$(content "$layout" | grep -oE '"io\.containerd\.image\.name":"[^"]+"' | cut -d: -f2-); fi
    test -n "$tags" || echo "untagged $t"
    for i in $(tr -d '"' <<<"$tags"); do docker image inspect "$i" >/dev/null || echo "lacks $i"; done
done"""


@check("check image tars")
def check_tars(host: Host, platform: Platform) -> Checked:
    """Every tar of the bundle is whole, of a kind that docker there loads, and names its images."""
    found = Findings(host.name)
    tars = needed_tars(platform)
    for line in _asked(host, platform, tars)["lacking"].splitlines():
        kind, _, tar = line.partition(" ")
        if kind == "unread":
            what = f"{tar} is cut off, or no tar with a manifest.json: docker can't load it"
            found.refuse("image-tar-unread", what, f"tar -tf {tar} there; copy it again", final=True)
        elif kind == "layout":
            what = f"{tar} is an OCI layout without manifest.json, which docker there can't load"
            found.refuse("image-tar-oci", what, f"skopeo copy oci-archive:{tar} docker-archive:NEW.tar:NAME:TAG", final=True)
        elif kind == "untagged":
            found.refuse("image-tar-untagged", f"the manifest of {tar} {NO_TAGS}", SAVE_BY_NAMES, final=True)
    return found.checked(f"{len(tars)} tars of images")


@step("load images")
def ensure_images_loaded(run: Run, host: Host, platform: Platform) -> Outcome:
    """Make docker on the machine have every image of the bundle's tars.

    Undo: docker rmi; images that no pod uses do no harm.
    """
    # probe
    tars = needed_tars(platform)
    before = _asked(host, platform, tars)
    _refuse_untagged(host, before["lacking"])
    if not before["lacking"] and before["docker"].split() == ["active", "enabled"]:
        return unchanged("docker has all images of the bundle")
    refuse_masked(host.name, "docker", before["docker"])
    what = ", ".join(_names(before["lacking"])) or "nothing, docker is started"
    if run.dry_run:
        return planned(f"loaded: {what}")

    # act
    with run.acting(host.name, f"loading {what}"):
        loading = "".join(f"docker load --quiet -i {quote(tar)} >/dev/null\n" for tar in tars)
        script = STRICT + "systemctl enable --now docker >/dev/null 2>&1\n" + loading + "set +e\n" + _question(tars)
        what_for, timeout_s = f"docker load of {len(tars)} tars", platform.timeouts.image_load_s
        answer = parse_facts(host.run(script, what=what_for, timeout_s=timeout_s).stdout)

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
    return [f"{k3s.bundle}/{name}" for name in dict.fromkeys([k3s.airgap_images, *k3s.images])]


def _question(tars: list[str]) -> str:
    docker = "systemctl is-active docker; systemctl is-enabled docker"
    return f"tars={quote(' '.join(tars))}\n" + facts({"lacking": LACKING, "docker": docker})


def _asked(host: Host, platform: Platform, tars: list[str]) -> dict[str, str]:
    timeout_s = platform.timeouts.image_load_s
    return parse_facts(host.run(_question(tars), what="asking docker for images", timeout_s=timeout_s).stdout)


def _names(lacking: str) -> list[str]:
    return sorted({line.partition(" ")[2] for line in lacking.splitlines()})


def _refuse_untagged(host: Host, lacking: str) -> None:
    """What docker loads from such a tar has no name, so no pod could be started from it."""
    untagged = [line.partition(" ")[2] for line in lacking.splitlines() if line.startswith("untagged ")]
    if untagged:
        raise RefusedError(
            f"{host.name}: the manifest of {', '.join(untagged)} {NO_TAGS}: {SAVE_BY_NAMES}", id="image-tar-untagged"
        )
