"""Workloads' images: which to go back to, whether machines have them, and the rollout."""

from __future__ import annotations

from collections.abc import Mapping
from shlex import quote

from blocks.errors import DeadlineExceededError, RefusedError, VerificationError
from blocks.ports import Host, KubeApi, Workload
from configs.platform import Platform
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.record import Record
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.engine.waiting import wait_until
from tasks.images.record import NEW, OLD
from tasks.shell.script import facts, parse_facts

Images = dict[str, dict[str, str]]
"""By workload ("Deployment ns/name"), by container: the image."""


def recorded_images(record: Record, source: str) -> Images:
    """The images that were recorded before the first uninstall: of the live platform ("new") or of the old one ("old").

    Raises RefusedError when there is no such record.
    """
    records = {"new": {"": record.read(NEW) or {}}, "old": record.below(OLD)}[source]
    found: Images = {}
    for recorded in records.values():
        found |= recorded.get("workloads", {})
    if not found:
        raise RefusedError(
            f"record {record.name}: holds no images of the {source} platform: give image_map, by workload and container",
            id="images-not-recorded",
        )
    return found


def images_to_set(expected: Images, present: list[Workload]) -> Images:
    """The expected images that differ from the present ones, for workloads and containers that exist."""
    differing: Images = {}
    for workload in present:
        images = expected.get(str(workload), {})
        changes = {name: image for name, image in images.items() if workload.images.get(name, image) != image}
        if changes:
            differing[str(workload)] = changes
    return differing


@check("check images")
def check_images(host: Host, platform: Platform, images: Mapping[str, Mapping[str, str]]) -> Checked:
    """Docker on the node has every image that may have to run there."""
    found = Findings(host.name)
    names = sorted({image for containers in images.values() for image in containers.values()})
    questions = {
        "docker": "systemctl is-active docker",
        "missing": f'for i in {" ".join(map(quote, names))}; do docker image inspect "$i" >/dev/null 2>&1 || echo "$i"; done',
    }
    asked = host.run(facts(questions), what="asking docker for images", timeout_s=platform.timeouts.command_s)
    answer = parse_facts(asked.stdout)
    missing = answer["missing"].split()
    if answer["docker"] != "active":  # then it answers nothing about images
        found.refuse("docker-not-running", "docker does not run", "systemctl start docker")
    elif missing:
        remedy = f"load them there first: {_loading(platform)}"
        found.refuse("image-missing", f"docker lacks {', '.join(missing)}", remedy)
    return found.checked(f"has {len(names)} images")


def _loading(platform: Platform) -> str:
    """The command that loads every tar of the bundles that the config knows."""
    folders = filter(None, (f"{platform.k3s.bundle}/image", platform.rollback.old_bundle))
    return f"for t in {' '.join(f'{folder}/*.tar' for folder in folders)}; do docker load -i $t; done"


@step("set images")
def ensure_images(
    run: Run, workload: Workload, platform: Platform, kube: KubeApi, images: Mapping[str, str]
) -> Outcome:
    """Make the workload's containers, by name, run these images, all of its pods Ready.

    Undo: set the images that the report names as those before.
    """
    # probe
    now_there = _find(kube, workload)
    changes = {name: image for name, image in images.items() if now_there.images.get(name) != image}
    if not changes and _rolled_out(now_there):
        return unchanged("runs " + ", ".join(images.values()))
    what = (
        ", ".join(f"{name}: {now_there.images.get(name)} becomes {image}" for name, image in changes.items())
        or "rollout awaited"
    )
    if run.dry_run:
        return planned(what)

    # act
    with run.acting(str(workload), f"setting images: {what}"):
        if changes:
            kube.set_images(workload, changes)

    # verify
    try:
        wait_until(
            f"{workload} is rolled out",
            lambda: _rolled_out(_find(kube, workload)),
            timeout_s=platform.timeouts.rollout_s,
        )
    except DeadlineExceededError as error:
        reasons = [f"{pod}: {pod.reason}" for pod in kube.pods_of(workload) if not pod.ready]
        if workload.on_delete:
            reasons.append(f"its strategy is OnDelete: kubectl delete pod -n {workload.namespace} each of its pods")
        raise DeadlineExceededError(
            f"{workload}: not rolled out within {platform.timeouts.rollout_s:g} s: {'; '.join(reasons) or error.message}: "
            f"kubectl describe pods -n {workload.namespace}",
            id="rollout-not-finished",
        ) from error
    return changed(what)


def _find(kube: KubeApi, workload: Workload) -> Workload:
    found = next((w for w in kube.workloads() if str(w) == str(workload)), None)
    if found is None:
        raise VerificationError(
            f"{workload}: is gone from the cluster: kubectl get all -n {workload.namespace}", id="workload-missing"
        )
    return found


def _rolled_out(workload: Workload) -> bool:
    return workload.updated and workload.ready >= workload.desired
