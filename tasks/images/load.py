"""The bundle's images in docker on a target."""

from __future__ import annotations

from shlex import quote

from blocks.errors import VerificationError
from blocks.ports import Host
from configs.platform import Platform
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.shell.script import STRICT, facts, parse_facts

TAGS = (
    r"""tags=$(tar -xOf "$t" manifest.json | tr -d ' \n' | grep -oE '"RepoTags":\[[^]]*\]' | grep -oE '"[^"]+:[^"]+"' """
    """| tr -d '"'); test -n "$tags" || echo "$t";"""
)
LACKING = 'for i in $tags; do docker image inspect "$i" >/dev/null 2>&1 || echo "$i"; done;'


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
    before = parse_facts(host.run(question, what="asking docker for images", timeout_s=timeout_s).stdout)
    if not before["missing"] and before["docker"].split() == ["active", "enabled"]:
        return unchanged("docker has all images of the bundle")
    what = ", ".join(sorted(set(before["missing"].split()))) or "nothing, docker is started"
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
            f"{host.name}: docker load succeeded, but docker lacks {' '.join(answer['missing'].split())}: docker info there",
            id="image-not-loaded",
        )
    return changed(f"loaded: {what}")


def _missing_images(tars: list[str]) -> str:
    """Tags that the tars' manifests name and docker does not have; all of them when docker is down.

    A tar that names no tags is absent or cut off; it answers with itself, and docker load will say why.
    """
    return f"for t in {' '.join(map(quote, tars))}; do {TAGS} {LACKING} done"
