"""Whether the targets will have the images of what has to run there, without pulling any."""

from __future__ import annotations

from collections.abc import Collection
from shlex import quote

from blocks.ports import Host
from configs.platform import Platform
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings
from tasks.images.load import needed_tars
from tasks.shell.script import facts, parse_facts

TAGS = r"""for t in $tars; do
    tar -xOf "$t" manifest.json ./manifest.json | tr -d ' \n' | grep -oE '"RepoTags":\[[^]]*\]' | grep -oE '"[^"]+:[^"]+"' | tr -d '"'
done"""


@check("check pod images")
def check_pod_images(host: Host, platform: Platform, images: Collection[str]) -> Checked:
    """Docker on the target, or its bundle, has the image of every pod that would move and of every DaemonSet."""
    found = Findings(host.name)
    needed = set(images)
    if not needed:
        return found.checked("no pod has to move")
    listed = " ".join(map(quote, sorted(needed)))
    questions = {
        "docker": "systemctl is-active docker",
        "lacking": f'for i in {listed}; do docker image inspect "$i" >/dev/null 2>&1 || echo "$i"; done',
        "tags": f"tars={quote(' '.join(needed_tars(platform)))}\n{TAGS}",
    }
    asked = host.run(facts(questions), what="asking for the pods' images", timeout_s=platform.timeouts.copy_s)
    said = parse_facts(asked.stdout)
    brought = set(map(full_name, said["tags"].split()))
    missing = sorted(image for image in said["lacking"].split() if full_name(image) not in brought)
    if said["docker"] == "active" and missing:  # otherwise it says nothing about images, and is refused elsewhere
        found.warn(
            "image-not-on-target",
            f"neither docker nor the bundle has {', '.join(missing)}: pods of it start there only if it can be pulled",
            "docker save it on a source, docker load it there; or list its tar in k3s.images",
        )
    return found.checked(f"has {len(needed) - len(missing)} of {len(needed)} images")


def full_name(image: str) -> str:
    """As docker understands a short name: with its registry, its folder and its tag."""
    name, _, digest = image.partition("@")
    first, slash, _ = name.partition("/")
    if not slash:
        name = f"docker.io/library/{name}"
    elif "." not in first and ":" not in first and first != "localhost":
        name = f"docker.io/{name}"
    if digest:
        return f"{name}@{digest}"
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"
