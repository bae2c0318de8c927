"""After the migration: everything is on the targets, and everything that was there before is still there."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from deployments import orchestrator
from deployments.lab import firewall
from tests.lab import predictions, world
from tests.lab.conftest import Migrated

LABELLED = ["phys-1", "phys-5"]
"""The targets that the config gives the labels of a source."""
USUAL_S = 0.3  # from one answer to the next: a sample begins every 0.2 s


def test_the_run_is_verified(migrated: Migrated) -> None:
    assert migrated.report["outcome"] == "verified"
    assert {entry["outcome"] for entry in migrated.report["entries"]} <= {"changed", "unchanged"}


def test_every_target_lists_the_same_six_healthy_members(migrated: Migrated) -> None:
    lists = [world.members(target) for target in world.TARGETS]
    assert all(found == lists[0] for found in lists)
    assert [(name, learner) for name, _, learner in lists[0]] == [(target, False) for target in world.TARGETS]
    assert all(world.etcd_healthy(target) for target in world.TARGETS)


def test_the_nodes_are_the_six_targets_and_ready(migrated: Migrated) -> None:
    assert [(name, ready, cordoned) for name, _, ready, cordoned in world.nodes("phys-1")] == [
        (target, True, False) for target in world.TARGETS
    ]


def test_exactly_one_target_holds_the_vip(migrated: Migrated) -> None:
    holders = world.vip_holders((*world.SOURCES, *world.TARGETS))
    assert len(holders) == 1
    assert holders[0] in world.SERVERS


def test_all_of_the_holders_instance_moved_with_the_vip(migrated: Migrated) -> None:
    (holder,) = world.vip_holders(world.SERVERS)
    assert " 10.99.0.101/24 " in world.on(holder, "ip -4 -o addr show dev eth0 label eth0:2")
    for target in world.SERVERS:
        assert world.on(target, "/etc/keepalived/not-in-maintenance.sh /etc/keepalived/maintenance && echo fit").strip() == "fit"
        assert world.on(target, "stat -c %a /etc/keepalived/not-in-maintenance.sh").strip() == "755"


def test_services_answer_through_the_vip_as_before(migrated: Migrated) -> None:
    assert world.api_answers()
    assert world.web() == migrated.before.web


def test_every_row_and_key_is_still_there(migrated: Migrated, secrets: dict[str, str]) -> None:
    assert len(migrated.before.rows) > 100
    assert world.rows(secrets["LAB_MYSQL_WACOS_PASSWORD"]) == migrated.before.rows
    assert world.keys("phys-1", "/bystander/") == migrated.before.keys


def test_workloads_have_the_images_of_before(migrated: Migrated) -> None:
    after = world.images("phys-1")
    del after["Deployment backup-ctl"]  # installed by the run itself, which begins with a backup
    assert after == migrated.before.images


def test_the_bare_client_pod_runs_again(migrated: Migrated) -> None:
    pods = {pod["metadata"]["name"]: pod for pod in world.kubectl("phys-1", "pods -n iottepa")}
    assert pods["debug-mysql-client"]["status"]["phase"] == "Running"
    assert pods["debug-mysql-client"]["spec"]["nodeName"] in world.TARGETS


def test_the_drains_went_as_preflight_had_foreseen(migrated: Migrated) -> None:
    assert migrated.pods.looks > 60  # every two seconds, for minutes
    assert {"Deployment iottepa/session", "CloneSet.apps.kruise.io iottepa/pool"} <= migrated.pods.before.keys()
    assert predictions.surprises(migrated.report, migrated.pods) == []


def test_pods_that_require_a_label_run_on_the_targets_that_got_it(migrated: Migrated) -> None:
    for label in ("ecology/middleware=true", "uap-backup=1"):
        assert [node["metadata"]["name"] for node in world.kubectl("phys-1", f"nodes -l {label}")] == LABELLED
    assert world.nodes_of(world.pods("phys-1", "app=session")) == LABELLED
    (console,) = world.nodes_of(world.kubectl("phys-1", "pods -n uap -l app=backup-ctl"))
    assert console in LABELLED


def test_a_pod_that_requires_company_has_it_and_its_autoscaler(migrated: Migrated) -> None:
    (cache,) = world.nodes_of(world.pods("phys-1", "app=cache"))
    assert cache in world.nodes_of(world.pods("phys-1", "app=session"))
    (scaler,) = world.kubectl("phys-1", "horizontalpodautoscalers -n iottepa")
    assert (scaler["spec"]["scaleTargetRef"]["name"], scaler["spec"]["maxReplicas"]) == ("cache", 2)


def test_pods_of_a_custom_resource_were_made_anew_by_its_controller(migrated: Migrated) -> None:
    pods = [pod for pod in world.pods("phys-1", "cloneset=pool") if "deletionTimestamp" not in pod["metadata"]]
    assert len(set(world.nodes_of(pods))) == 2
    assert set(world.nodes_of(pods)) <= set(world.TARGETS)
    assert [[owner["kind"] for owner in pod["metadata"]["ownerReferences"]] for pod in pods] == [["CloneSet"]] * 2


def test_a_deployment_with_a_claim_was_never_run_twice(migrated: Migrated) -> None:
    """Two controllers at a time would each have made the pods that were missing."""
    (controller,) = world.nodes_of(world.pods("phys-1", "app=clonesets"))
    assert controller in world.TARGETS
    made = [line for line in world.on("phys-1", "cat /mnt/uap-global/clonesets/controller.log").splitlines() if "created" in line]
    assert len(made) == len(set(made)) == 4
    assert not [e for e in migrated.report["entries"] if e["step"] == "surge" and e["target"].endswith(("/clonesets", "/cache"))]


def test_sources_run_nothing_of_the_platform_any_more(migrated: Migrated) -> None:
    for source in world.SOURCES:
        active = world.on(source, "systemctl is-active k3s etcd keepalived", check=False).split()
        enabled = world.on(source, "systemctl is-enabled k3s etcd keepalived", check=False).split()
        assert "active" not in active
        assert "enabled" not in enabled
        assert "member" in world.on(source, "ls /mnt/disks/etcd.aside-*")


def test_every_machine_has_its_name_and_knows_the_others(migrated: Migrated) -> None:
    for host in (*world.SOURCES, *world.TARGETS):
        assert world.on(host, "hostname").strip() == host
        resolved = world.on(host, f"for name in {' '.join(world.TARGETS)}; do getent ahostsv4 $name | head -n1; done")
        assert [line.split()[0] for line in resolved.splitlines()] == [f"10.99.0.{n}" for n in range(21, 27)]


def test_the_record_has_old_and_new_images_and_the_backup(migrated: Migrated) -> None:
    names = {key.partition("/migrations/")[2].partition("/")[2] for key in world.keys("phys-1", "/evenkeel/lab/migrations/")}
    assert {"state", "backup", "images/new", *(f"images/old/{target}" for target in world.TARGETS)} <= names


def test_the_report_says_where_the_platform_was_and_where_it_is(migrated: Migrated) -> None:
    before, after = migrated.report["before"], migrated.report["after"]
    assert (set(before["voters"]), set(after["voters"])) == (set(world.SOURCES), set(world.TARGETS))
    assert (set(before["nodes"]), set(after["nodes"])) == (set(world.SOURCES), set(world.TARGETS))
    assert before["images"].keys() <= after["images"].keys()
    assert migrated.report["backup"]["name"].startswith("tidb-backup-")


def test_the_runs_page_is_well_formed_and_has_no_secret(migrated: Migrated, secrets: dict[str, str]) -> None:
    folder = orchestrator.ROOT / "reports" / "lab" / migrated.report["run"]
    text = (folder / "report.html").read_text(encoding="utf-8")
    ET.fromstring(text.partition("\n")[2])
    assert [name for name, secret in secrets.items() if secret in text] == []
    assert f"lab/{migrated.report['run']}/report.html" in (folder.parent.parent / "index.html").read_text(encoding="utf-8")


def test_no_secret_is_in_the_record_or_in_the_report(migrated: Migrated, secrets: dict[str, str]) -> None:
    written = str(migrated.report) + str(world.keys("phys-1", "/evenkeel/"))
    for name, value in secrets.items():
        assert value not in written, name


def test_no_secret_was_an_argument_of_any_process(migrated: Migrated, secrets: dict[str, str]) -> None:
    token = world.on("phys-1", "cat /var/lib/rancher/k3s/server/token").strip().rpartition(":")[2]
    assert any("k3s server" in line for line in migrated.arguments)
    assert not [line for line in migrated.arguments for value in (*secrets.values(), token) if value in line]


def test_an_etcd_of_the_old_platform_was_stopped_first(migrated: Migrated) -> None:
    (why,) = [e["why"] for e in migrated.report["entries"] if (e["step"], e["target"]) == ("uninstall old k3s", "phys-4")]
    assert why.endswith("its own etcd")


def test_no_request_failed_while_the_sources_were_drained(migrated: Migrated) -> None:
    begun, ended = span(migrated, "drain")
    assert len([r for r in migrated.client.requests if begun <= r.at <= ended]) > 10 * (ended - begun)
    assert migrated.client.failed(begun, ended) == []


def test_what_clients_noticed_is_reported_by_step_and_drawn(migrated: Migrated) -> None:
    reported = {one["series"]: one for one in migrated.report["interruptions"]}
    assert {name.split()[0] for name in reported} == {"http", "api", "etcd", "sql", "probe"}
    assert all(gap["during"] for gap in reported["sql"]["gaps"] if gap["seconds"] > 5)
    assert "<svg" in (world.ROOT / "reports/lab" / migrated.report["run"] / "clients.svg").read_text()


def test_the_vip_was_handed_over_in_less_than_a_second(migrated: Migrated) -> None:
    """The cost of the VIP itself: etcd is probed without the VIP; when etcd is silent, too, the box is busy elsewhere."""
    begun, ended = span(migrated, "hand over VIP")
    rows = [row for row in samples(migrated) if begun - 1 <= row["at"] <= ended + 1]
    busy = silences(rows, "etcd")
    for series in {row["series"] for row in rows if row["series"].startswith("http")}:
        for before, after in silences(rows, series):
            elsewhere = sum(max(0.0, min(after, until) - max(before, since)) for since, until in busy if until - since > USUAL_S)
            assert after - before - elsewhere < 1


def test_the_probe_left_nothing_behind(migrated: Migrated, secrets: dict[str, str]) -> None:
    assert not [row for row in world.rows(secrets["LAB_MYSQL_WACOS_PASSWORD"]) if "probe" in row[0]]
    assert world.keys("phys-1", "/evenkeel/lab/probe") == {}


def span(migrated: Migrated, step: str) -> tuple[float, float]:
    """When the first such step began, and the last one ended, in seconds since the epoch."""
    entries = [entry for entry in migrated.report["entries"] if entry["step"] == step]
    begun, ended = min(e["begun"] for e in entries), max(e["ended"] for e in entries)
    return datetime.fromisoformat(begun).timestamp(), datetime.fromisoformat(ended).timestamp()


def silences(rows: list[dict[str, Any]], series: str) -> list[tuple[float, float]]:
    """From each answer to the next."""
    answered = sorted(row["at"] + row["ms"] / 1000 for row in rows if row["series"] == series and not row["error"])
    return list(pairwise(answered))


def samples(migrated: Migrated) -> list[dict[str, Any]]:
    lines = (world.ROOT / "reports/lab" / migrated.report["run"] / "samples.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_what_is_a_targets_own_stays_its_own() -> None:
    """Docker's folder on one, and a keepalived that somebody has masked on another, which never holds the VIP."""
    assert world.on("phys-3", "docker info -f '{{.DockerRootDir}}'").strip() == "/data/docker"
    assert world.on("phys-3", "ls /var/lib/docker 2>/dev/null", check=False) == ""
    assert world.on("phys-4", "systemctl is-enabled keepalived", check=False).strip() == "masked"


@pytest.mark.parametrize("target", firewall.MACHINES)
def test_a_targets_firewalld_lets_the_platform_through_now_and_after_its_next_start(target: str) -> None:
    for option in ("", "--permanent"):
        listed = world.on(target, f"firewall-cmd {option} --zone=public --list-all; firewall-cmd {option} --zone=trusted --list-sources")
        assert "2379-2380/tcp" in listed and "8472/udp" in listed and "10.43.0.0/16" in listed
        assert ("vrrp" in listed and "10443/tcp" in listed) == (target == "phys-2")


def test_no_other_targets_firewall_was_opened(migrated: Migrated) -> None:
    entries = [entry for entry in migrated.report["entries"] if entry["step"] == "open firewall"]
    assert {entry["target"] for entry in entries if entry["outcome"] == "changed"} == set(firewall.MACHINES)
