"""The lab as an independent observer sees it: read by other means than the product's own, so that both would have to be wrong."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pymysql

from deployments.lab import etcd_tls
from deployments.lab.machines import MACHINES, find

ROOT = Path(__file__).resolve().parent.parent.parent
BIN = Path(sys.executable).parent
VIP = "10.99.0.100"
SOURCES = ("vm-1", "vm-2", "vm-3.lab.example")
TARGETS = tuple(f"phys-{number}" for number in range(1, 7))
SERVERS = TARGETS[:3]
ETCDCTL = ". /etc/lab/etcdctl; etcdctl"
UNITS = ("etcd", "k3s", "k3s-agent", "keepalived", "docker", "ssh")


def lab(*words: str, timeout_s: float = 900) -> None:
    """Run the lab's own command; its words go to the test's output."""
    subprocess.run([BIN / "lab", *words], cwd=ROOT, check=True, timeout=timeout_s)


def secrets() -> dict[str, str]:
    said = subprocess.run([BIN / "lab", "secrets"], capture_output=True, text=True, check=True).stdout
    pairs = (line.removeprefix("export ").partition("=") for line in said.splitlines())
    return {name: shlex.split(value)[0] for name, _, value in pairs}


def on(host: str, command: str, *, check: bool = True) -> str:
    """What `command` prints on a machine. As `lab exec` does it, without half a second for a Python of its own."""
    done = subprocess.run(
        ["podman", "exec", "--env", "HOME=/root", find(host).container, "bash", "-c", command],
        capture_output=True, text=True, check=False, timeout=120,
    )
    assert done.returncode == 0 or not check, f"{host}: {command}: {done.stderr}"
    return done.stdout


def kubectl(server: str, command: str) -> Any:
    return json.loads(on(server, f"k3s kubectl get {command} -o json"))["items"]


def pods(server: str, selector: str) -> list[Any]:
    """The platform's pods with these labels."""
    return list(kubectl(server, f"pods -n iottepa -l {selector}"))


def nodes_of(pods: list[Any]) -> list[str]:
    """Where the pods are that are not ending, sorted; all of them must be Ready."""
    pods = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    assert all(any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"]["conditions"]) for pod in pods), pods
    return sorted(pod["spec"]["nodeName"] for pod in pods)


def images(server: str) -> dict[str, list[str]]:
    return {
        f"{item['kind']} {item['metadata']['name']}": [c["image"] for c in item["spec"]["template"]["spec"]["containers"]]
        for item in kubectl(server, "deployments,statefulsets,daemonsets -A")
    }


def members(host: str) -> list[tuple[str, str, bool]]:
    """The member list as the etcd on `host` has it: name, peer URL, learner."""
    listed = json.loads(on(host, f"{ETCDCTL} member list -w json"))["members"]
    return sorted((m.get("name", ""), m["peerURLs"][0], m.get("isLearner", False)) for m in listed)


def etcd_healthy(host: str) -> bool:
    said = on(host, f"{ETCDCTL} endpoint health 2>&1", check=False)
    return "is healthy" in said


def put(host: str, key: str, value: str) -> None:
    on(host, f"{ETCDCTL} put {key} {value}")


def delete(host: str, key: str) -> None:
    on(host, f"{ETCDCTL} del {key}")


def identities(host: str) -> list[str]:
    """The keys of all clusters' identities in the platform's datastore; more than one is harm."""
    said = on(host, f"{ETCDCTL} get --prefix /bootstrap/ --keys-only")
    return said.split()


def keys(host: str, prefix: str) -> dict[str, str]:
    said = on(host, f"{ETCDCTL} get --prefix {prefix}").splitlines()
    return dict(zip(said[::2], said[1::2], strict=True))


def etcd_endpoints() -> list[str]:
    """Where etcd may answer, sources first."""
    return [f"{etcd_tls.scheme()}://{machine.address}:2379" for machine in MACHINES]


def etcd_client(**options: Any) -> httpx.Client:
    """A client of etcd, with the lab's certificate if it wants one."""
    return httpx.Client(trust_env=False, verify=etcd_tls.context() or True, **options)


def vip_holders(hosts: tuple[str, ...]) -> list[str]:
    return [host for host in hosts if f" {VIP}/" in on(host, "ip -4 -o addr show", check=False)]


def api_answers() -> bool:
    try:
        return httpx.get(f"https://{VIP}:10443/readyz", verify=False, timeout=3, trust_env=False).status_code in (200, 401, 403)
    except httpx.TransportError:
        return False


def web() -> tuple[str, str]:
    """What the two services answer through the VIP."""
    first, second = (httpx.get(f"http://{VIP}:{port}/", timeout=5, trust_env=False).raise_for_status() for port in (30080, 30081))
    return first.text, second.text


def rows(password: str) -> list[tuple[Any, ...]]:
    """Every row of every table of the platform's database, through the VIP."""
    with pymysql.connect(host=VIP, port=30306, user="wacos", password=password, database="wacos", connect_timeout=5) as db:
        cursor = db.cursor()
        cursor.execute("SHOW TABLES")
        tables = [name for (name,) in cursor.fetchall()]
        found: list[tuple[Any, ...]] = []
        for table in sorted(tables):
            cursor.execute(f"SELECT * FROM `{table}`")
            found.extend((table, *row) for row in cursor.fetchall())
    return sorted(found, key=repr)


def files(host: str) -> str:
    """Everything on a machine's disk that the product could change: hashes, and for big files sizes and times.

    Not what the observer's own kubectl writes: its discovery cache, rewritten every ten minutes.
    """
    folders = "/etc /usr/local /root /var/lib/rancher/k3s/agent/images /lib/systemd/system"
    ours = f"find {folders} -type f -not -name ld.so.cache -not -path '/root/.kube/cache/*'"
    hashes = f"{ours} -size -4096k -print0 2>/dev/null | sort -z | xargs -0 sha256sum"
    listed = "-printf '%p %s %T@\n'"
    return on(host, f"{hashes}; {{ {ours} -size +4095k {listed} 2>/dev/null; find /opt -type f {listed}; }} | sort")


def starts(host: str) -> str:
    """When every unit was started, and its process."""
    return on(host, f"systemctl show {' '.join(UNITS)} -p Id,ActiveState,ActiveEnterTimestampMonotonic,MainPID,UnitFileState")


def containers(host: str) -> str:
    return on(host, "docker ps -a --no-trunc --format '{{.ID}} {{.State}}' | sort", check=False)


def nodes(server: str) -> list[tuple[str, str, bool, bool]]:
    """Name, uid, Ready, unschedulable."""
    return sorted(
        (
            node["metadata"]["name"], node["metadata"]["uid"],
            any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"]["conditions"]),
            bool(node["spec"].get("unschedulable")),
        )
        for node in kubectl(server, "nodes")
    )


def eventually(what: str, question: Callable[[], bool], *, within_s: float) -> float:
    """Seconds until `question` was true; fails with `what` when it took longer than `within_s`."""
    begun = time.monotonic()
    while not question():
        assert time.monotonic() - begun < within_s, f"{what}: not within {within_s} s"
        time.sleep(0.5)
    return time.monotonic() - begun
