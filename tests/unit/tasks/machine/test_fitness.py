"""What a machine must be like before it is worked on."""

from collections.abc import Callable

import pytest

from blocks.errors import RefusedError
from tasks.engine.outcome import Outcome
from tasks.machine.fitness import check_machine
from tests.fakes import machines
from tests.fakes.host import FakeHost
from tests.fakes.platform import CONFIG, platform
from tests.fakes.world import World

Given = Callable[[FakeHost], object]


def check(world: World, name: str = "phys-1") -> Outcome:
    machine = next(machine for machine in world.platform.machines if machine.name == name)
    return check_machine.fn(world.run(), world.hosts[name], world.platform, machine, world.live, world.running)


UNFIT: dict[str, tuple[Given, str]] = {
    "no root": (lambda host: host.tell("uid", "1000"), "uid 1000: set ssh.user to root"),
    "another machine": (
        lambda host: host.tell("addresses", "eth0 10.0.0.99/24"),
        "does not have the address 10.0.0.21",
    ),
    "a file less": (lambda host: host.path("/opt/k3s/vendor/k3s").unlink(), "no /opt/k3s/vendor/k3s: copy"),
    "a command less": (lambda host: host.tell("lacks", "keepalived"), "no command keepalived: apt-get install"),
    "a full disk": (lambda host: host.tell("free", str(2**30)), "1024 MB free below /var/lib, 5120 MB are needed"),
    "another interface": (lambda host: host.tell("addresses", "ens3 10.0.0.21/24"), "no interface eth0"),
    "an older etcd": (
        lambda host: machines.bring(host, etcd="3.4.27", k3s="1.20.2"),
        "its etcd is 3.4.27, and the platform runs 3.5.21: put that version there",
    ),
    "an older k3s": (
        lambda host: machines.bring(host, etcd="3.5.21", k3s="1.19.16"),
        "its k3s is 1.19.16, and the platform runs 1.20.2: put that version there",
    ),
    "no docker": (lambda host: host.unit("docker", "inactive"), "docker does not run: systemctl start docker"),
    "a mount": (lambda host: host.mount("/var/lib/kubelet/x", "ext4"), "a live mount, /var/lib/kubelet/x ext4"),
}


@pytest.mark.parametrize(("given", "said"), UNFIT.values(), ids=list(UNFIT))
def test_a_machine_that_is_not_fit_is_refused(world: World, given: Given, said: str) -> None:
    given(world.hosts["phys-1"])

    with pytest.raises(RefusedError, match="phys-1: ") as refused:
        check(world)
    assert said in str(refused.value)


def test_everything_that_is_wrong_with_a_machine_is_told_at_once(world: World) -> None:
    world.hosts["phys-1"].tell("uid", "1000")
    world.hosts["phys-1"].tell("lacks", "keepalived")

    with pytest.raises(RefusedError) as refused:
        check(world)
    assert len(str(refused.value).splitlines()) == 2


def test_a_helm_that_later_backups_will_lack_is_noted(world: World) -> None:
    world.hosts["phys-1"].tell("lacks", "helm")

    assert check(world, "phys-1").notes == ("no `helm` there: backups need it once the sources have left: install it",)
    assert check(world, "phys-2").notes == ()


def test_flags_that_are_not_the_running_servers_are_noted(world: World) -> None:
    world.hosts["vm-1"].write("/etc/systemd/system/k3s.service", "ExecStart=/usr/local/bin/k3s server --flannel-backend=none\n")

    (note,) = check(world, "vm-1").notes

    assert "k3s.server_args are not its server's flags: it has --flannel-backend=none, it lacks --" in note


def test_a_clock_that_is_off_is_refused(world: World) -> None:
    world.hosts["phys-1"].tell("clock", "60")

    with pytest.raises(RefusedError, match=r"phys-1: its clock is (59|60|61) s off: chronyc makestep"):
        check(world)


def test_a_source_needs_no_bundle(world: World) -> None:
    assert check(world, "vm-1").why == "fit"


def test_a_target_that_has_joined_needs_no_room_any_more(world: World) -> None:
    world.has_nodes("phys-1")
    world.hosts["phys-1"].tell("free", "0")

    assert check(world).why == "fit"


def test_a_target_that_brings_another_version_is_noted(world: World) -> None:
    machines.bring(world.hosts["phys-1"], etcd="3.5.25", k3s="1.21.0")

    assert check(world).notes == (
        "its etcd is 3.5.25, the platform runs 3.5.21: rehearse with both",
        "its k3s is 1.21.0, the platform runs 1.20.2: rehearse with both",
    )


def test_a_bundle_that_does_not_tell_its_version_is_not_judged(world: World) -> None:
    world.hosts["phys-1"].path("/opt/k3s/vendor/k3s").chmod(0o644)

    assert check(world).notes == ()


def test_the_etcd_of_a_target_that_is_to_be_no_member_is_not_judged(world: World) -> None:
    phys_1, phys_2, phys_3 = CONFIG["targets"]
    world.platform = platform(targets=[phys_1, phys_2, {**phys_3, "etcd": False}])
    machines.bring(world.hosts["phys-3"], etcd="3.3.25", k3s="1.20.2")

    assert check(world, "phys-3").why == "fit"
