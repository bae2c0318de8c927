"""A source leaves only when nothing needs it, and leaves its data behind."""

import pytest

from configs.errors import DeadlineExceededError, RefusedError, VerificationError
from tasks.engine.outcome import Change, Outcome
from tasks.etcd.leave import ensure_etcd_retired
from tasks.k3s.leave import ensure_k3s_stopped, ensure_node_deleted
from tasks.workloads.residue import check_unreferenced
from tests.fakes.world import World
from tests.unit.tasks.cases import hosts_of, removed, stopped, targets_of

DATA = "/mnt/disks/etcd"


def check(world: World) -> Outcome:
    source = world.platform.sources[0]
    return check_unreferenced.fn(world.run(), source, world.platform, targets_of(world), hosts_of(world), world.kube)


def stop(world: World) -> Outcome:
    return ensure_k3s_stopped.fn(world.run(), world.hosts["vm-1"], world.platform, world.kube)


def delete(world: World) -> Outcome:
    return ensure_node_deleted.fn(world.run(), world.platform.sources[0], world.platform, world.kube)


def retire(world: World) -> Outcome:
    source = world.platform.sources[0]
    return ensure_etcd_retired.fn(world.run(), world.hosts["vm-1"], world.platform, source, world.etcd, "m1")


def test_a_source_that_a_targets_daemon_names_is_still_needed(world: World) -> None:
    world.has_moved()
    world.hosts["phys-2"].write("/etc/systemd/system/k3s.service.env", "K3S_URL=https://10.0.0.11:10443\n")

    with pytest.raises(RefusedError, match=r"vm-1: still needed: phys-2:/etc/systemd/system/k3s.service.env: line 1, K3S_URL"):
        check(world)


def test_a_source_that_a_pod_runs_on_is_still_needed(world: World) -> None:
    world.has_moved()
    world.kube.bare("shop", "late", on="vm-1")

    with pytest.raises(RefusedError, match="pod shop/late runs there"):
        check(world)


def test_a_source_that_holds_the_vip_is_still_needed(world: World) -> None:
    with pytest.raises(RefusedError, match=r"it holds the VIP 10.0.0.100"):
        check(world)


def test_a_mere_mention_is_a_note(world: World) -> None:
    world.has_moved()
    world.hosts["phys-2"].write("/etc/fstab", "10.0.0.11:/export /mnt nfs defaults 0 0\n")

    assert check(world).notes == ("phys-2:/etc/fstab: line 1 names 10.0.0.11",)


def test_k3s_and_the_pods_containers_stop_and_others_go_on(world: World) -> None:
    world.has_moved()

    stop(world)

    host = world.hosts["vm-1"]
    assert host.calm("k3s") == ("inactive", "disabled")
    assert host.state("containers") == "k8s_web_shop app/web:2.0 Exited pod\nregistry registry:2 Up plain\n"


def test_k3s_is_not_stopped_before_a_targets_api_answers(world: World) -> None:
    with pytest.raises(RefusedError, match="no target's API server answers"):
        stop(world)
    assert world.mutations == []


def test_a_k3s_that_does_not_stop_is_an_error(world: World) -> None:
    world.has_moved()
    world.hosts["vm-1"].tell("units/k3s/stubborn", "yes")

    with pytest.raises(VerificationError, match="k3s was stopped, yet it is active disabled"):
        stop(world)


def test_a_node_that_registers_again_is_an_error(world: World) -> None:
    stopped(world)
    world.kube.returning = {"vm-1"}

    with pytest.raises(VerificationError, match="vm-1: the node came back: a k3s still runs there"):
        delete(world)


def test_an_api_server_that_stays_an_endpoint_is_an_error(world: World) -> None:
    stopped(world)
    world.kube.api_servers["10.0.0.11"] = True

    with pytest.raises(DeadlineExceededError, match="vm-1 is no API server any more: not within 90 s"):
        delete(world)


def test_a_deleted_node_has_stayed_away_for_a_while(world: World) -> None:
    stopped(world)

    delete(world)

    assert world.time.now() >= 1003


def test_etcds_data_is_kept_aside(world: World) -> None:
    removed(world)

    retire(world)

    host = world.hosts["vm-1"]
    assert host.calm("etcd") == ("inactive", "disabled")
    assert host.read(f"{DATA}.aside-m1/member/snap/db") == "data\n"


def test_etcds_data_on_its_own_disk_is_kept_aside_there(world: World) -> None:
    removed(world)
    world.hosts["vm-1"].mount(DATA, "ext4")

    retire(world)

    assert world.hosts["vm-1"].read(f"{DATA}/.aside-m1/member/snap/db") == "data\n"
    assert retire(world).change is Change.UNCHANGED


def test_an_older_copy_aside_is_not_overwritten(world: World) -> None:
    removed(world)
    world.hosts["vm-1"].write(f"{DATA}.aside-m1/older", "x\n")

    retire(world)

    assert world.hosts["vm-1"].read(f"{DATA}.aside-m1/older") == "x\n"
    assert not world.hosts["vm-1"].path(DATA).exists()


def test_a_members_data_is_not_touched(world: World) -> None:
    world.has_moved()

    with pytest.raises(RefusedError, match="it is still member 1001: remove the member first"):
        retire(world)
    assert world.mutations == []
