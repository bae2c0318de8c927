"""The platform's workloads in either cluster: applied through a server machine's own kubectl."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from deployments.lab import cache, keys
from deployments.lab.machines import Machine
from deployments.lab.root_shell import asks
from deployments.lab.shell import run
from deployments.lab.steps import Step, wait

NAMESPACE = "iottepa"
MANIFESTS = cache.SOURCE / "platform"
OBJECTS = "k3s kubectl get nodes,deployments,daemonsets,statefulsets,pods -A -o json"
# A ready pod is reachable through its service only when every node has the new rule.
LOAD_ROWS = """
read -r MYSQL_PWD; export MYSQL_PWD
door='mysql -h mysql.iottepa -u wacos wacos'
for _ in $(seq 60); do $door -e 'SELECT 1' < /dev/null > /dev/null 2>&1 && break; sleep 0.5; done
exec $door
"""


def deploy_new(server: Machine, nodes: int, current: Step) -> None:
    """The new platform runs on all the nodes and its database has rows."""
    _await_nodes(server, nodes, current)
    secrets = keys.read_secrets()
    values = {"root": secrets["mysql_root"], "wacos": secrets["mysql_wacos"]}
    kubectl(server, "apply", "-f", "-", stdin=(MANIFESTS / "new.yaml").read_text() + _secret("mysql", values))
    _await_pods(server, nodes, current)
    rows = secrets["mysql_wacos"] + "\n" + (MANIFESTS / "rows.sql").read_text()
    kubectl(server, "exec", "-i", "-n", NAMESPACE, "debug-mysql-client", "--", "sh", "-ec", LOAD_ROWS, stdin=rows)


def deploy_old(server: Machine, nodes: int, current: Step) -> None:
    """The old platform runs on all the nodes."""
    _await_nodes(server, nodes, current)
    kubectl(server, "apply", "-f", "-", stdin=(MANIFESTS / "old.yaml").read_text())
    _await_pods(server, nodes, current)


def kubectl(server: Machine, *words: str, stdin: str | None = None) -> str:
    """kubectl's output, run on a server machine."""
    return run("podman", "exec", "-i", server.container, "k3s", "kubectl", *words, stdin=stdin, timeout=120)


def missing(server: Machine, since: float, nodes: int) -> str:
    """What the cluster still lacks: nodes, pods. Only what was seen after `since` counts, since a rebooted cluster's
    records tell of its life before."""
    items = _items(server)
    if not items:
        return f"API server on {server.name}"
    ready = [item for item in items if item["kind"] == "Node" and _node_is_ready(item, since)]
    if len(ready) != nodes:
        return f"{nodes - len(ready)} of {nodes} nodes of {server.name}'s cluster"
    lacking = [_lacks(item, since) for item in items if item["kind"] != "Node"]
    return ", ".join(filter(None, lacking))[:120]


def _items(server: Machine) -> list[dict[str, Any]]:
    told = asks(server, OBJECTS)
    return list(json.loads(told)["items"]) if told else []


def _await_nodes(server: Machine, nodes: int, current: Step) -> None:
    """All nodes are Ready; pods made earlier would crowd on the first ones."""

    def lacking() -> str:
        ready = sum(item["kind"] == "Node" and _node_is_ready(item, 0) for item in _items(server))
        return "" if ready == nodes else f"{nodes - ready} of {nodes} nodes of {server.name}'s cluster"

    wait("nodes", lacking, 120, current, pause=1)


def _await_pods(server: Machine, nodes: int, current: Step) -> None:
    wait("the platform's pods", lambda: missing(server, 0, nodes), 240, current, pause=1)


def _lacks(item: dict[str, Any], since: float) -> str:
    name, status, spec = item["metadata"]["name"], item.get("status", {}), item.get("spec", {})
    match item["kind"]:
        case "Pod":
            return "" if _pod_is_ready(item, since) else f"pod {name}"
        case "DaemonSet":
            wanted, got = status.get("desiredNumberScheduled", 0), status.get("numberReady", 0)
            fresh = status.get("observedGeneration") == item["metadata"]["generation"]
            return "" if fresh and wanted == got > 0 else f"daemonset {name}"
        case "Deployment" | "StatefulSet":
            return "" if status.get("readyReplicas", 0) == spec["replicas"] else f"{name}"
    return ""


def _node_is_ready(node: dict[str, Any], since: float) -> bool:
    ready = [c for c in node["status"].get("conditions", []) if c["type"] == "Ready"]
    return any(c["status"] == "True" and _stamp(c["lastHeartbeatTime"]) >= since for c in ready)


def _pod_is_ready(pod: dict[str, Any], since: float) -> bool:
    containers = pod["status"].get("containerStatuses", [])
    started = [_stamp(c["state"]["running"]["startedAt"]) for c in containers if "running" in c["state"]]
    return len(started) == len(pod["spec"]["containers"]) and min(started) >= since and all(
        container["ready"] for container in containers
    )  # fmt: skip


def _stamp(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _secret(name: str, values: dict[str, str]) -> str:
    meta = {"name": name, "namespace": NAMESPACE}
    return "---\n" + json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": values}) + "\n"
