"""An old platform is removed whole, and the live one is never touched."""

import pytest

from blocks.errors import RefusedError, VerificationError
from tasks.engine.outcome import Change, Outcome
from tasks.machine.uninstall import ensure_old_platform_gone
from tests.fakes import machines
from tests.fakes.world import World


def uninstall(world: World, name: str = "phys-1") -> Outcome:
    return ensure_old_platform_gone.fn(world.run(), world.hosts[name], world.platform, world.live)


@pytest.mark.parametrize("name", ["phys-1", "phys-3"], ids=["server", "agent"])
def test_k3s_and_all_containers_go_and_the_images_stay(world: World, name: str) -> None:
    host = world.hosts[name]

    assert uninstall(world, name).change is Change.CHANGED

    assert host.state("containers") == ""
    assert host.state("images") == "app/web:1.0 sha256:1\n"
    assert not host.path("/etc/rancher/k3s").exists()
    assert host.path("/opt/k3s/vendor/k3s").exists()


def test_what_was_removed_is_reported(world: World) -> None:
    assert uninstall(world).why == "gone: k3s; 1 pod containers, 1 other containers (old_tool)"


def test_containers_go_even_where_no_k3s_is_left(world: World) -> None:
    host = world.hosts["phys-1"]
    host.run("/usr/local/bin/k3s-uninstall.sh", what="given")

    assert uninstall(world).why == "gone: no k3s; 1 pod containers, 1 other containers (old_tool)"
    assert host.state("containers") == ""


def test_a_docker_that_is_off_is_started_for_its_containers_to_go(world: World) -> None:
    world.hosts["phys-1"].unit("docker", "inactive", "enabled")

    uninstall(world)

    assert world.hosts["phys-1"].state("containers") == ""


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (lambda world: world.etcd.joined("phys-1", "10.0.0.21"), "a member of its etcd"),
        (lambda world: world.kube.joins("phys-1", "10.0.0.21", server=True), "a node of its cluster"),
        (
            lambda world: machines.run_k3s(world.hosts["phys-1"], unit="k3s", ca=machines.LIVE_CA),
            "its k3s has the live cluster's CA",
        ),
    ],
    ids=["member", "node", "CA"],
)
def test_a_machine_of_the_live_platform_is_never_uninstalled(world: World, given: object, why: str) -> None:
    given(world)  # type: ignore[operator]

    assert uninstall(world) == Outcome(Change.UNCHANGED, f"part of the live platform: {why}")
    assert world.mutations == []


def test_an_etcd_of_the_old_platform_is_stopped_and_its_data_stays(world: World) -> None:
    host = world.hosts["phys-1"]
    machines.run_etcd(host)

    assert uninstall(world).why.endswith("; its own etcd")

    assert host.unit_state("etcd") == ("inactive", "disabled")
    assert host.read("/mnt/disks/etcd/member/snap/db") == "data\n"


def test_an_etcd_that_does_not_stop_is_an_error(world: World) -> None:
    machines.run_etcd(world.hosts["phys-1"])
    world.hosts["phys-1"].tell("units/etcd/stubborn", "yes")

    with pytest.raises(VerificationError, match=r"uninstalling the old k3s: still there: etcd: active"):
        uninstall(world)


@pytest.mark.parametrize("folder_of", ["kubelet/pods/1/volumes/nfs", "rancher/k3s/storage"])
def test_a_live_mount_is_not_deleted_through(world: World, folder_of: str) -> None:
    world.hosts["phys-1"].mount(f"/var/lib/{folder_of}", "ext4")

    with pytest.raises(RefusedError, match=f"delete through live mounts: /var/lib/{folder_of} ext4: umount") as refused:
        uninstall(world)
    assert refused.value.id == "host-data-mounted"
    assert world.mutations == []


@pytest.mark.parametrize("kind", ["tmpfs", "overlay"])
def test_a_mount_in_memory_is_no_reason_to_refuse(world: World, kind: str) -> None:
    world.hosts["phys-1"].mount("/var/lib/kubelet/pods/1/volumes/secret", kind)

    assert uninstall(world).change is Change.CHANGED


def test_what_the_uninstaller_leaves_behind_is_an_error(world: World) -> None:
    world.hosts["phys-1"].tell("uninstaller-fails", "yes")

    with pytest.raises(
        VerificationError, match=r"still there: units: /etc/systemd/system/k3s.service; running: 4711"
    ) as left:
        uninstall(world)
    assert left.value.id == "uninstall-incomplete"


def test_rules_that_stay_in_the_kernel_are_reported(world: World) -> None:
    world.hosts["phys-1"].tell("iptables", "-A KUBE-FORWARD -j ACCEPT\n-A KUBE-SVC -j ACCEPT\n-A INPUT -j ACCEPT")

    assert [str(finding) for finding in uninstall(world).findings] == [
        "phys-1: 2 KUBE- iptables rules stay; the new kube-proxy takes them over [iptables-rules-stay]"
    ]
