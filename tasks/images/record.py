"""Which images ran before the move: of the live platform, and of the old one on each target."""

from __future__ import annotations

import json
from typing import Any

from blocks.ports import Host, KubeApi
from configs.platform import Platform
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.record import Record
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.shell.script import facts, parse_facts

NEW, OLD = "images/new", "images/old"
OLD_KUBECTL = "/usr/local/bin/k3s kubectl"
OLD_QUESTION = {
    "workloads": f"timeout 20 {OLD_KUBECTL} get deployments,statefulsets,daemonsets -A -o json",
    "digests": "docker image ls --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}'",
    "running": "docker ps --format '{{.Image}}'",
}


@step("record new images")
def ensure_new_images_recorded(run: Run, platform: Platform, kube: KubeApi, record: Record) -> Outcome:
    """Make the record hold every workload's images, with digests, of the live platform as it was before the move.

    Undo: none needed.
    """
    # probe
    if record.read(NEW) is not None:
        return unchanged("recorded before")
    found = {str(workload): workload.images for workload in kube.workloads()}
    if run.dry_run:
        return planned(f"images of {len(found)} workloads are recorded")

    # act
    with run.acting(platform.name, f"recording the images of {len(found)} workloads"):
        record.write(NEW, {"workloads": found, "digests": kube.running_images()})

    # verify
    kept = record.read(NEW) or {}
    return changed(f"images of {len(kept['workloads'])} workloads recorded")


@step("record old images")
def ensure_old_images_recorded(run: Run, host: Host, platform: Platform, record: Record) -> Outcome:
    """Make the record hold what the old platform on this target runs: after its uninstall it can't be asked.

    Undo: none needed.
    """
    # probe
    name = f"{OLD}/{host.name}"
    if record.read(name) is not None:
        return unchanged("recorded before")
    asked = host.run(
        facts(OLD_QUESTION), what="asking the old platform for its images", timeout_s=platform.timeouts.command_s
    )
    found = parse_old_images(parse_facts(asked.stdout))
    what = f"{len(found['running'])} images run here, {len(found['workloads'])} workloads known"
    if run.dry_run:
        return planned(f"recorded: {what}")

    # act
    with run.acting(host.name, "recording the old platform's images"):
        record.write(name, found)

    # verify
    return changed(f"recorded: {what}") if record.read(name) == found else unchanged("another run recorded it first")


def parse_old_images(answer: dict[str, str]) -> dict[str, Any]:
    """Workloads (an old server answers, an agent does not), running images, and the digests of all images."""
    items = json.loads(answer["workloads"])["items"] if answer["workloads"] else []
    return {
        "workloads": {
            f"{item['kind']} {item['metadata']['namespace']}/{item['metadata']['name']}": _images(
                item["spec"]["template"]["spec"]
            )
            for item in items
        },
        "running": sorted(set(answer["running"].split())),
        "digests": dict(line.split(" ", 1) for line in answer["digests"].splitlines() if " " in line),
    }


def _images(pod: dict[str, Any]) -> dict[str, str]:
    containers = (*pod.get("initContainers", ()), *pod["containers"])
    return {container["name"]: container["image"] for container in containers}
