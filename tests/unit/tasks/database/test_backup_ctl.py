"""backup-ctl is as configured, also after somebody else's upgrade."""

import json

import pytest

from blocks.errors import (
    CommandFailedError,
    DeadlineExceededError,
    ExecBrokenError,
    HostError,
    RefusedError,
    TransientError,
    VerificationError,
)
from blocks.ports import ExecResult
from tasks.database.backup_ctl import ensure_backup_ctl, ensure_tidb_patched, helm_values
from tasks.database.control import control
from tasks.engine.outcome import Change, Outcome
from tests.fakes.platform import CONFIG, platform
from tests.fakes.world import World


def install(world: World, *, dry: bool = False) -> Outcome:
    return ensure_backup_ctl.fn(world.run(dry=dry), world.hosts["vm-1"], world.platform, world.kube)


def test_values_are_the_runbooks(world: World) -> None:
    assert helm_values(world.platform) == {
        "common.env.ENV_EXPIRED_DAYS": "7",
        "common.env.ENV_GLUSTERFS_NODE_VIP": "10.0.0.100",
        "common.env.ENV_GLUSTERFS_NODE_IPS": "10.0.0.11,10.0.0.12",
        "common.env.ENV_GLUSTERFS_NODE_HOSTNAMES": "vm-1,vm-2",
        "common.nodeSelectorValue": "1",
    }


def test_bricks_are_named_in_the_config_if_they_are_not_on_the_sources() -> None:
    found = helm_values(platform(backup={**CONFIG["backup"], "glusterfs_nodes": ["phys-1", "phys-2"]}))

    assert found["common.env.ENV_GLUSTERFS_NODE_IPS"] == "10.0.0.21,10.0.0.22"


def test_a_comma_inside_a_value_reaches_helm_escaped(world: World) -> None:
    install(world)

    assert r"ENV_GLUSTERFS_NODE_IPS=10.0.0.11\,10.0.0.12" in world.hosts["vm-1"].state("did")


def test_another_value_is_put_right(world: World) -> None:
    install(world)
    world.platform = platform(backup={**CONFIG["backup"], "expired_days": 30})

    assert install(world).change is Change.CHANGED
    assert '"common.env.ENV_EXPIRED_DAYS":"30"' in world.hosts["vm-1"].state("helm-values")


def test_another_chart_is_replaced_and_reported(world: World) -> None:
    install(world)
    world.platform = platform(backup={"chart": "/opt/charts/uap-backup-ctl-1.1.0.tgz"})

    assert install(world).why == "uap-backup-ctl-1.1.0 replaces uap-backup-ctl-1.0.0, deployed"


def test_a_plan_shows_every_value(world: World) -> None:
    assert "+common.nodeSelectorValue=1" in install(world, dry=True).diffs[0]


@pytest.fixture
def others(world: World) -> World:
    """A release whose operators have given it values of their own, one of them a secret."""
    install(world)
    helm = world.hosts["vm-1"]
    helm.tell("helm-values", helm.state("helm-values").strip()[:-1] + ',"image.registry":"10.0.0.5:5000","lake.password":"hush"}')
    return world


def test_values_of_others_are_no_reason_to_upgrade(others: World) -> None:
    assert install(others).change is Change.UNCHANGED


def test_an_upgrade_keeps_the_values_of_others(others: World) -> None:
    others.platform = platform(backup={**CONFIG["backup"], "expired_days": 30})

    assert install(others).change is Change.CHANGED
    kept = json.loads(others.hosts["vm-1"].state("helm-values"))
    assert kept == {**helm_values(others.platform), "image.registry": "10.0.0.5:5000", "lake.password": "hush"}


def test_a_plan_shows_what_changes_and_names_what_stays(others: World) -> None:
    others.platform = platform(backup={**CONFIG["backup"], "expired_days": 30})

    lines = install(others, dry=True).diffs[0].splitlines()

    assert lines[:2] == ["-common.env.ENV_EXPIRED_DAYS=7", "+common.env.ENV_EXPIRED_DAYS=30"]
    assert {line for line in lines if line.startswith("+")} == {lines[1]}
    assert " lake.password=********** (not ours, it stays)" in lines


def test_values_of_others_are_in_no_command_line(others: World) -> None:
    others.platform = platform(backup={**CONFIG["backup"], "expired_days": 30})
    install(others)

    assert "hush" not in others.hosts["vm-1"].state("did")


def test_a_release_whose_values_cannot_be_read_is_not_upgraded(others: World) -> None:
    others.hosts["vm-1"].tell("helm-values", "")
    others.forget()

    with pytest.raises(TransientError, match=r"\[helm-silent\]"):
        install(others)
    assert others.mutations == []


def test_without_helm_it_is_refused_with_what_to_write(world: World) -> None:
    world.hosts["vm-1"].tell("lacks", "helm")

    with pytest.raises(RefusedError, match=r"vm-1: no `helm` there: .* backup.helm_host"):
        install(world)


def test_a_helm_that_does_not_answer_is_asked_again(world: World) -> None:
    world.hosts["vm-1"].tell("helm-list", "")

    with pytest.raises(TransientError, match=r"vm-1: Helm does not answer there: .*\[helm-silent\]"):
        install(world)


def test_an_upgrade_that_fails_is_reported_with_helms_words_and_where_to_look(world: World) -> None:
    world.hosts["vm-1"].tell("helm-fails", "Error: timed out waiting for the condition")

    with pytest.raises(CommandFailedError, match=r"helm history backup-ctl -n uap on vm-1: .*timed out"):
        install(world)


def patch(world: World, *, dry: bool = False) -> Outcome:
    return ensure_tidb_patched.fn(world.run(dry=dry), world.platform, world.kube)


def test_a_patched_tidb_is_not_patched_again(world: World) -> None:
    world.backups.has_cluster("tidb")
    assert patch(world).change is Change.CHANGED
    world.forget()
    world.kube.answers["patch-tidb-for-br"] = ExecResult(1, "", "it ran again")

    done = patch(world)

    assert (done.change, done.why) == (Change.UNCHANGED, "TiKV of iottepa/tidb mounts the file lake")
    assert world.mutations == []


def test_a_plan_says_that_a_patched_tidb_stays_as_it_is(world: World) -> None:
    assert patch(world, dry=True).change is Change.PLANNED
    world.backups.has_cluster("tidb", volume="uap-global")

    assert patch(world, dry=True).change is Change.UNCHANGED


@pytest.mark.parametrize(
    ("name", "namespace", "volume"),
    [("second", "iottepa", ""), ("second", "iottepa", "logs")],
    ids=["a cluster without a volume", "a cluster with another volume"],
)
def test_every_cluster_of_the_database_has_to_mount_the_lake(world: World, name: str, namespace: str, volume: str) -> None:
    world.backups.has_cluster("tidb", volume="uap-global")
    world.backups.has_cluster(name, namespace=namespace, volume=volume)

    assert patch(world).why == "patched"


def test_a_cluster_of_another_database_counts_for_nothing(world: World) -> None:
    world.backups.has_cluster("tidb", namespace="other", volume="uap-global")

    assert patch(world).why == "patched"


def test_a_patch_that_is_not_to_be_seen_is_left_to_the_script_and_noted(world: World) -> None:
    world.backups.leaves_mark = False

    first, second = patch(world), patch(world)

    assert (first.change, second.change) == (Change.CHANGED, Change.UNCHANGED)
    assert [finding.id for finding in (*first.findings, *second.findings)] == ["tidb-patch-not-visible"] * 2


def test_a_question_whose_answer_is_lost_is_asked_again(world: World) -> None:
    world.kube.fail("exec", ExecBrokenError("uap/b: broke"))

    with pytest.raises(ExecBrokenError) as raised:
        control(world.kube, world.platform, "ls-tar", timeout_s=5)
    assert raised.value.retryable


@pytest.mark.parametrize(
    ("status", "advice"),
    [("pending-upgrade", "helm rollback backup-ctl -n uap"), ("pending-install", "helm uninstall backup-ctl -n uap")],
)
def test_a_release_that_a_killed_helm_has_left_is_refused_with_the_way_out(world: World, status: str, advice: str) -> None:
    world.hosts["vm-1"].tell("helm-list", f'[{{"name":"backup-ctl","status":"{status}","chart":"c"}}]')
    world.hosts["vm-1"].tell("helm-values", "null")

    with pytest.raises(RefusedError, match=rf"vm-1: release backup-ctl is {status}: .*{advice}"):
        install(world)


def test_a_subcommand_that_fails_is_reported_with_its_words(world: World) -> None:
    world.kube.answers["ls-tar"] = ExecResult(2, "", "lake is not mounted\n")

    with pytest.raises(HostError, match=r"uap/backup-ctl-\d: /tidb-ctl.sh ls-tar: exit code 2: lake is not mounted"):
        control(world.kube, world.platform, "ls-tar", timeout_s=5)


@pytest.mark.parametrize(
    "said",
    [
        "The connection to the server 10.43.0.1:443 was refused - did you specify the right host or port?",
        "Unable to connect to the server: dial tcp 10.43.0.1:443: i/o timeout",
    ],
)
def test_a_server_that_has_just_gone_is_tried_again(world: World, said: str) -> None:
    world.kube.answers["ls-tar"] = ExecResult(1, "", said)

    with pytest.raises(TransientError, match=r"uap/backup-ctl-\d: /tidb-ctl.sh ls-tar: exit code 1: .*10.43.0.1"):
        control(world.kube, world.platform, "ls-tar", timeout_s=5)


def test_an_upgrade_whose_pod_does_not_become_ready_says_where_to_look(world: World) -> None:
    world.kube.never_ready.add("uap/backup-ctl")
    for pod in [pod for pod in world.kube.pods() if pod.namespace == "uap"]:
        world.kube.evict(pod)

    with pytest.raises(
        DeadlineExceededError,
        match=r"^demo: a pod app=backup-ctl in uap is Ready: not within .* kubectl describe pods -n uap .*\[backup-ctl-not-ready\]$",
    ):
        install(world)


def test_values_that_somebody_else_sets_at_the_same_time_are_an_error(world: World) -> None:
    helm = world.hosts["vm-1"]
    helm.whenever("helm upgrade", lambda: helm.tell("helm-values", "null"))

    with pytest.raises(VerificationError, match=r"^vm-1: Helm upgraded .*: helm get values backup-ctl -n uap \[helm-values-differ\]$"):
        install(world)
