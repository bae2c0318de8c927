"""A bad release, made and checked: rows changed since the backup, an image that crashes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pymysql

from tests.lab import prefect_api, world
from tests.lab.conftest import Ran, run_deployment

BAD = "ecology/web:2.4.0"
GOOD = "ecology/web:2.3.0"


@dataclass(frozen=True)
class Checked:
    """What a rollback must bring back."""

    checksums: dict[str, int]
    images: dict[str, list[str]]


def connect(user: str, password: str) -> Any:
    return pymysql.connect(host=world.VIP, port=30306, user=user, password=password, connect_timeout=5, autocommit=True)


def answers(password: str) -> bool:
    try:
        connect("root", password).close()
    except pymysql.MySQLError:
        return False
    return True


def checksums(password: str) -> dict[str, int]:
    """Every table of the platform's database, by the database's own checksum."""
    with connect("root", password) as db:
        cursor = db.cursor()
        cursor.execute("SHOW TABLES FROM wacos")
        tables = [f"wacos.{name}" for (name,) in cursor.fetchall()]
        cursor.execute(f"CHECKSUM TABLE {', '.join(tables)}")
        return dict(cursor.fetchall())


def time_zone(password: str) -> str:
    with connect("root", password) as db:
        cursor = db.cursor()
        cursor.execute("SELECT @@global.time_zone")
        (zone,) = cursor.fetchone()
        return str(zone)


def spoil_rows(password: str) -> None:
    """Rows added, changed and deleted."""
    with connect("root", password) as db:
        cursor = db.cursor()
        cursor.execute("SHOW TABLES FROM wacos")
        for (table,) in cursor.fetchall():
            cursor.execute(f"DELETE FROM wacos.{table} LIMIT 7")
        cursor.execute("CREATE TABLE IF NOT EXISTS wacos.spoiled (id INT PRIMARY KEY)")
        cursor.execute("REPLACE INTO wacos.spoiled VALUES (1), (2), (3)")


def roll_out_bad_release(server: str, nodes: tuple[str, ...]) -> None:
    for node in nodes:
        world.on(node, "docker load -qi /opt/k3s/image/bad-release.tar")
    world.on(server, f"k3s kubectl -n iottepa set image deployment/web web={BAD}")


def writer_replicas(server: str) -> int:
    return int(world.on(server, "k3s kubectl -n iottepa get deployment writer -o jsonpath='{.spec.replicas}'"))


def all_ready(server: str) -> bool:
    workloads = world.kubectl(server, "deployments,statefulsets -A")
    return all(w["status"].get("readyReplicas", 0) == w["spec"]["replicas"] for w in workloads)


def run_asked(name: str, decision: str) -> Ran:
    """Run a deployment that asks for approval, and answer it with the request that Prefect's UI sends.

    What ends without asking is returned as it ended.
    """
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_deployment, name, approved=False)
        paused = {"flow_runs": {"state": {"type": {"any_": ["PAUSED"]}}}}
        asking: list[dict[str, Any]] = []

        def asks() -> bool:
            asking.extend(prefect_api.post("flow_runs/filter", paused))
            return bool(asking) or running.done()

        world.eventually(f"{name} asks", asks, within_s=120)
        if not asking:
            return running.result()
        answer = {"decision": decision, "operator": "night shift", "platform": "lab"}
        prefect_api.post(f"flow_runs/{asking[0]['id']}/resume", {"run_input": answer})
        return running.result()
