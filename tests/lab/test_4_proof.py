"""The proof: the sources are switched off, and everything keeps working."""

from __future__ import annotations

import pytest

from tests.lab import release, world
from tests.lab.conftest import Migrated, run_flow

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: newcomer, namespace: default}
spec:
  replicas: 3
  selector: {matchLabels: {app: newcomer}}
  template:
    metadata: {labels: {app: newcomer}}
    spec: {containers: [{name: web, image: "ecology/web:2.3.0", imagePullPolicy: IfNotPresent}]}
"""


@pytest.fixture(scope="module", autouse=True)
def sources_are_off(migrated: Migrated) -> None:
    world.lab("power-off", *world.SOURCES)


def ready(name: str) -> bool:
    return any(node == name and is_ready for node, _, is_ready, _ in world.nodes("phys-1"))


def is_back(server: str) -> bool:
    """Whether a machine that was booted works as before. Its node is called Ready all the while: it was not missed for long enough."""
    answers = world.on(server, "docker version >/dev/null && k3s kubectl get --raw=/readyz", check=False)
    return answers == "ok" and world.etcd_healthy(server) and release.all_ready(server)


def test_etcd_takes_writes() -> None:
    world.put("phys-6", "/bystander/after", "sources-off")
    assert world.keys("phys-1", "/bystander/after") == {"/bystander/after": "sources-off"}


def test_services_answer_through_the_vip(migrated: Migrated, secrets: dict[str, str]) -> None:
    assert world.api_answers()
    assert world.web() == migrated.before.web
    assert world.rows(secrets["LAB_MYSQL_WACOS_PASSWORD"]) == migrated.before.rows


def test_a_new_deployment_gets_running_pods() -> None:
    world.on("phys-2", f"k3s kubectl apply -f - <<'END'\n{DEPLOYMENT}\nEND")
    world.on("phys-2", "k3s kubectl rollout status deployment/newcomer --timeout=90s")


@pytest.mark.parametrize("target", world.TARGETS)
def test_k3s_comes_back_after_a_restart(target: str) -> None:
    unit = "k3s" if target in world.SERVERS else "k3s-agent"
    world.on(target, f"systemctl restart {unit}")
    world.eventually(f"{target} is Ready", lambda: ready(target), within_s=90)
    assert world.on(target, f"systemctl is-active {unit}").strip() == "active"


def test_the_same_command_again_confirms_it_without_the_sources() -> None:
    report = run_flow()
    assert report["outcome"] == "verified"
    assert {entry["outcome"] for entry in report["entries"]} == {"unchanged"}


def test_the_vip_moves_when_its_holder_is_switched_off() -> None:
    (holder,) = world.vip_holders(world.SERVERS)
    world.lab("power-off", holder)
    others = tuple(server for server in world.SERVERS if server != holder)
    world.eventually("the VIP is on another target", lambda: len(world.vip_holders(others)) == 1, within_s=15)
    world.eventually("the API answers at the VIP", world.api_answers, within_s=15)
    world.lab("power-on", holder)
    world.eventually(f"{holder} is back", lambda: is_back(holder), within_s=120)
