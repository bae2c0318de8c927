"""Labels and taints of a target's node: from the config and from the source whose place it takes, set through the API.

k3s gives a node --node-label and --node-taint only when it registers for the first time, and no label of a reserved domain.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from blocks.errors import RefusedError
from blocks.ports import KubeApi, Manifest
from configs.hosts import Target
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.engine.waiting import wait_until
from tasks.placement.selectors import taint_of, taint_text

# What kubelet and k3s give each node themselves: these are the machine's own.
AUTOMATIC = re.compile(
    r"(beta\.)?kubernetes\.io/(os|arch|hostname)|(beta|node)\.kubernetes\.io/instance-type"
    r"|node-role\.kubernetes\.io/(master|control-plane|etcd)|([a-z0-9.]+\.)?k3s\.io/.*"
)
OF_CONTROLLERS = "node.kubernetes.io/"  # taints by which controllers say that a node is not Ready, cordoned, short of memory ...


@step("label node")
def ensure_labelled(run: Run, target: Target, kube: KubeApi) -> Outcome:
    """Make the target's node have the labels and taints of the config and, by `labels_from`, of its source.

    Undo: kubectl label node NAME KEY-, kubectl taint node NAME KEY-.
    """
    # probe
    nodes = kube.listed("Node")
    labels, taints = expected_labels(target, nodes)
    if not labels and not taints:
        return unchanged("none are configured")
    node = _called(nodes, target.name)
    missing = _missing(node, labels, taints)
    if node is not None and not missing:
        return unchanged(f"has {_written(labels, taints)}")
    if run.dry_run:
        return planned(f"set: {', '.join(missing)}")
    if node is None:
        raise RefusedError(
            f"{target.name}: labelling it: it is no node: run the same command again, it joins first", id="node-not-labelled"
        )

    # act
    with run.acting(target.name, f"setting {', '.join(missing)}"):
        whole = {(taint["key"], taint["effect"]): taint for taint in (*(node["spec"].get("taints") or ()), *taints)}
        kube.label_node(target.name, labels, list(whole.values()), version=node["metadata"].get("resourceVersion", ""))

    # verify
    wait_until(
        f"{target.name} has its labels and taints",
        lambda: not _missing(_called(kube.listed("Node"), target.name), labels, taints),
        timeout_s=30,
        id="node-not-labelled",
    )
    return changed(f"set: {', '.join(missing)}")


def expected_labels(target: Target, nodes: Iterable[Manifest]) -> tuple[dict[str, str], list[Manifest]]:
    """The labels and taints that the target's node shall have beside those that every node gets; the config's win."""
    taints = [taint_of(text) for text in target.taints]
    source = _called(nodes, target.labels_from or "")
    if source is None:  # it has left, after its labels were set
        return dict(target.labels), taints
    carried = {key: value for key, value in _labels(source).items() if not AUTOMATIC.fullmatch(key)}
    its = [taint for taint in source["spec"].get("taints") or () if not taint["key"].startswith(OF_CONTROLLERS)]
    keys = {taint["key"] for taint in taints}
    return {**carried, **target.labels}, [*taints, *(taint for taint in its if taint["key"] not in keys)]


def _labels(node: Manifest) -> dict[str, str]:
    return node["metadata"].get("labels") or {}


def _called(nodes: Iterable[Manifest], name: str) -> Manifest | None:
    return next((node for node in nodes if node["metadata"]["name"] == name), None)


def _missing(node: Manifest | None, labels: dict[str, str], taints: list[Manifest]) -> list[str]:
    has = _labels(node) if node else {}
    kept_off = {taint_text(taint) for taint in (node["spec"].get("taints") or () if node else ())}
    wanted = [f"{key}={value}" for key, value in labels.items() if has.get(key) != value]
    return [*wanted, *(text for text in map(taint_text, taints) if text not in kept_off)]


def _written(labels: dict[str, str], taints: list[Manifest]) -> str:
    return ", ".join([*(f"{key}={value}" for key, value in labels.items()), *map(taint_text, taints)])
