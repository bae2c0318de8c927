"""A source leaves only when nothing needs it, and afterwards nothing does."""

import pytest

from tasks.engine.finding import FindingsError
from tasks.engine.outcome import Change, Outcome
from tasks.residue.checks import check_residue, check_unreferenced, verify_no_residue
from tests.fakes.platform import platform
from tests.fakes.world import World
from tests.unit.tasks.cases import hosts_of, targets_of

ENV = "/etc/systemd/system/k3s.service.env"


def check(world: World) -> Outcome:
    source = world.platform.sources[0]
    everyone = hosts_of(world)
    return check_unreferenced.fn(world.run(), source, world.platform, targets_of(world), everyone, world.kube, world.record)


def verify(world: World) -> Outcome:
    return verify_no_residue.fn(world.run(), world.platform, targets_of(world), world.kube)


def refused(world: World) -> list[str]:
    with pytest.raises(FindingsError) as error:
        check(world)
    return str(error.value).splitlines()


def test_a_source_that_a_targets_daemon_names_is_still_needed(world: World) -> None:
    world.has_moved()
    world.hosts["phys-2"].write(ENV, "K3S_URL=https://10.0.0.11:10443\n")

    (line,) = refused(world)

    assert line.startswith(
        f"phys-2:{ENV}: line 1, K3S_URL names 10.0.0.11: on phys-2 write a target's address or the VIP"
    )
    assert line.endswith("[source-still-needed]")


def test_a_source_that_an_object_names_is_still_needed_and_the_object_is_named_with_its_command(world: World) -> None:
    world.has_moved()
    world.kube.objects = {"Endpoints shop/nfs": '{"metadata": {}, "subsets": [{"addresses": [{"ip": "10.0.0.11"}]}]}'}

    assert refused(world) == [
        "Endpoints shop/nfs: subsets[0].addresses[0].ip names 10.0.0.11: "
        "kubectl edit endpoints -n shop nfs, then run the same command again [source-still-needed]"
    ]


def test_a_source_that_was_never_a_node_is_not_taken_for_empty(world: World) -> None:
    world.has_moved()
    del world.kube.node_map["vm-1"]
    world.kube.joins("vm-1.example.com", "10.0.0.11", server=True)

    (line,) = refused(world)

    assert line.startswith("vm-1: no node is called vm-1; the node at 10.0.0.11 is called vm-1.example.com")


def test_a_source_that_a_pod_runs_on_is_still_needed(world: World) -> None:
    world.has_moved()
    world.kube.bare("shop", "late", on="vm-1")

    (line,) = refused(world)

    assert line.startswith("Pod shop/late: runs on vm-1, which is to be stopped: kubectl describe pod -n shop late")
    assert line.endswith("[source-runs-pod]")


def test_a_source_that_holds_the_vip_is_still_needed_whatever_is_accepted(world: World) -> None:
    world.platform = platform(accepted=[{"id": "source-holds-vip", "where": "vm-1", "reason": "so what"}])

    (holding,) = (line for line in refused(world) if line.startswith("vm-1: "))

    assert holding.startswith("vm-1: holds the VIP 10.0.0.100, expected on a target: run the same command again")
    assert holding.endswith("but it can't be accepted [source-holds-vip]")


def test_everything_that_needs_a_source_is_reported_at_once(world: World) -> None:
    world.has_moved()
    world.hosts["phys-2"].write(ENV, "K3S_URL=https://10.0.0.11:10443\n")
    world.kube.bare("shop", "late", on="vm-1")
    world.kube.bare("shop", "later", on="vm-1")

    assert [line.rpartition(" ")[2] for line in refused(world)] == [
        "[source-runs-pod]",
        "[source-runs-pod]",
        "[source-still-needed]",
    ]


def test_what_is_still_needed_can_be_accepted_place_by_place(world: World) -> None:
    world.platform = platform(
        accepted=[{"id": "source-still-needed", "where": f"phys-2:{ENV}", "reason": "the other two answer"}]
    )
    world.has_moved()
    world.hosts["phys-2"].write(ENV, "K3S_URL=https://10.0.0.11:10443\n")

    assert [finding.accepted for finding in check(world).findings] == ["the other two answer"]


def test_a_mere_mention_is_a_note(world: World) -> None:
    world.has_moved()
    world.hosts["phys-2"].write("/etc/fstab", "10.0.0.11:/export /mnt nfs noauto 0 0\n# 10.0.0.11:/export /mnt nfs defaults 0 0\n")

    assert [str(finding) for finding in check(world).findings] == [
        "phys-2:/etc/fstab: line 1 names 10.0.0.11 [source-mentioned]"
    ]


def test_what_will_need_a_source_is_a_warning_before_the_move(world: World) -> None:
    world.kube.put("Service", "shop", "lake", spec={"externalIPs": ["10.0.0.12"]})
    world.kube.put("ConfigMap", "shop", "app", data={"url": "http://10.0.0.11/"})

    outcome = check_residue.fn(world.run(), world.platform, world.kube)

    assert [str(finding) for finding in outcome.findings] == [
        "Service shop/lake: spec.externalIPs[0] names 10.0.0.12, which leaves; it is refused when the source is to be stopped: "
        "kubectl edit service -n shop lake, then run the same command again [source-needed-later]"
    ]


def test_a_daemon_that_names_a_source_after_the_move_is_refused(world: World) -> None:
    world.has_left()
    world.hosts["phys-3"].write("/etc/rancher/k3s/config.yaml", "server: https://10.0.0.12:10443\n")

    with pytest.raises(
        FindingsError, match=r"phys-3:/etc/rancher/k3s/config.yaml: line 1, server names 10.0.0.12: .*still-needed"
    ):
        verify(world)


def test_a_mere_mention_after_the_move_is_a_note(world: World) -> None:
    world.has_left()
    world.kube.objects = {"ConfigMap shop/app": '{"metadata": {}, "data": {"url": "http://10.0.0.11/"}}'}

    assert [str(finding) for finding in verify(world).findings] == [
        "ConfigMap shop/app: data.url names 10.0.0.11 [source-mentioned]"
    ]


def test_a_dry_run_says_what_will_be_checked(world: World) -> None:
    outcome = verify_no_residue.fn(world.run(dry=True), world.platform, targets_of(world), world.kube)

    assert outcome.change is Change.PLANNED
    assert outcome.why.startswith("checked: No target's daemon and no object of the cluster needs a source")
