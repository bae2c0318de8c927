"""The platform's workloads in either cluster: applied once, and looked at."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from deployments.lab import api, cache, keys, personality
from deployments.lab.machines import SOURCES, Machine
from deployments.lab.shell import run
from deployments.lab.steps import Step, wait

NAMESPACE = "iottepa"
MANIFESTS = cache.SOURCE / "platform"
POOL = ("cloneset", "pool", 2)
"""Label, value and number of the pods that the lab's own controller makes."""
# A ready pod is reachable through its service only when every node has the new rule.
LOAD_ROWS = """
read -r MYSQL_PWD; export MYSQL_PWD
client='mysql -h mysql.iottepa -u wacos wacos'
for _ in $(seq 60); do $client -e 'SELECT 1' < /dev/null > /dev/null 2>&1 && break; sleep 0.5; done
exec $client
"""


def deploy_new(server: Machine, nodes: int, current: Step) -> None:
    """The new platform runs on all the nodes and its database has rows."""
    secrets = keys.read_secrets()
    passwords = {"root": secrets["mysql_root"], "wacos": secrets["mysql_wacos"]}
    definitions = "---\n".join((MANIFESTS / name).read_text() for name in ("restores.yaml", "clonesets.yaml"))
    manifests = [(MANIFESTS / name).read_text() for name in ("new.yaml", "demanding.yaml")]
    manifests += [_secret(NAMESPACE, passwords), _secret("uap", {"root": secrets["mysql_root"]})]
    _await_nodes(server, nodes, current)
    kubectl(server, "apply", "-f", "-", stdin=definitions)
    kubectl(server, "wait", "--for=condition=established", "--timeout=60s", "crd", "--all")
    # Where the backup console must be, and where middleware must be: the configuration gives these labels to some targets.
    kubectl(server, "label", "nodes", "--all", "uap-backup=1")
    kubectl(server, "label", "nodes", *map(personality.hostname, SOURCES[:2]), "ecology/middleware=true")
    _deploy(server, nodes, "---\n".join(manifests), current)
    wait("the pool's pods", lambda: _missing_pool(server), 60, current)
    rows = secrets["mysql_wacos"] + "\n" + (MANIFESTS / "rows.sql").read_text()
    kubectl(server, "exec", "-i", "-n", NAMESPACE, "debug-mysql-client", "--", "sh", "-ec", LOAD_ROWS, stdin=rows)


def deploy_old(server: Machine, nodes: int, current: Step) -> None:
    """The old platform runs on all the nodes."""
    _await_nodes(server, nodes, current)
    _deploy(server, nodes, (MANIFESTS / "old.yaml").read_text(), current)


def kubectl(server: Machine, *words: str, stdin: str | None = None) -> str:
    """kubectl's output, run on a server machine."""
    return run("podman", "exec", "-i", server.container, "k3s", "kubectl", *words, stdin=stdin, timeout=120)


def missing(server: Machine, since: float, nodes: int) -> str:
    """What the cluster still lacks: nodes, pods. Only what was seen after `since` counts, since a rebooted cluster's
    records tell of its life before."""
    objects = api.objects(server)
    return _missing_nodes(server, objects, since, nodes) or _missing_pods(objects, since)


def _await_nodes(server: Machine, nodes: int, current: Step) -> None:
    """Pods made before all nodes are Ready would crowd on the first ones."""
    wait("nodes", lambda: _missing_nodes(server, api.objects(server), 0, nodes), 120, current)


def _deploy(server: Machine, nodes: int, manifests: str, current: Step) -> None:
    kubectl(server, "apply", "-f", "-", stdin=manifests)
    wait("the platform's pods", lambda: missing(server, 0, nodes), 240, current)


def _missing_pool(server: Machine) -> str:
    label, value, wanted = POOL
    pods = api.objects(server).get("Pod", [])
    ready = [pod for pod in pods if pod["metadata"].get("labels", {}).get(label) == value and _pod_is_ready(pod, 0)]
    return "" if len(ready) == wanted else f"{wanted - len(ready)} of {wanted} pods {label}={value}"


def _missing_nodes(server: Machine, objects: dict[str, list[dict[str, Any]]], since: float, nodes: int) -> str:
    if not objects:
        return f"the API on {server.name}"
    ready = sum(_node_is_ready(node, since) for node in objects["Node"])
    return "" if ready == nodes else f"{nodes - ready} of {nodes} nodes of {server.name}'s cluster"


def _missing_pods(objects: dict[str, list[dict[str, Any]]], since: float) -> str:
    pods = [f"pod {_name(pod)}" for pod in objects["Pod"] if not _pod_is_ready(pod, since)]
    sets = [f"daemonset {_name(item)}" for item in objects["DaemonSet"] if not _is_everywhere(item)]
    scaled = [_name(item) for item in objects["Deployment"] + objects["StatefulSet"] if not _is_full(item)]
    return ", ".join(pods + sets + scaled)[:100] if objects["Pod"] else "pods"


def _node_is_ready(node: dict[str, Any], since: float) -> bool:
    ready = [c for c in node["status"].get("conditions", []) if c["type"] == "Ready"]
    return any(c["status"] == "True" and _stamp(c["lastHeartbeatTime"]) >= since for c in ready)


def _pod_is_ready(pod: dict[str, Any], since: float) -> bool:
    containers = pod["status"].get("containerStatuses", [])
    started = [_stamp(c["state"]["running"]["startedAt"]) for c in containers if "running" in c["state"]]
    if len(started) != len(pod["spec"]["containers"]) or min(started) < since:
        return False
    return all(container["ready"] for container in containers)


def _is_everywhere(daemonset: dict[str, Any]) -> bool:
    status = daemonset["status"]
    if status.get("observedGeneration") != daemonset["metadata"]["generation"]:
        return False
    ready, wanted = int(status.get("numberReady", 0)), int(status.get("desiredNumberScheduled", 0))
    return 0 < ready == wanted


def _is_full(scaled: dict[str, Any]) -> bool:
    ready: int = scaled["status"].get("readyReplicas", 0)
    return ready == int(scaled["spec"]["replicas"])


def _name(item: dict[str, Any]) -> str:
    return str(item["metadata"]["name"])


def _stamp(text: str) -> float:
    """Kubernetes tells whole seconds, rounded down."""
    return datetime.fromisoformat(text).timestamp() + 1


def _secret(namespace: str, passwords: dict[str, str]) -> str:
    meta = {"name": "mysql", "namespace": namespace}
    return json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": passwords}) + "\n"
