"""What a machine must be like before it is worked on."""

from collections.abc import Callable

import pytest

from tasks.engine.finding import Finding, FindingsError, Level
from tasks.engine.outcome import Outcome
from tasks.machine.facts import TOOLS
from tasks.machine.fitness import check_machine
from tasks.shell.system import how_to_install
from tests.fakes import machines
from tests.fakes.host import FakeHost
from tests.fakes.platform import CONFIG, platform
from tests.fakes.world import World

Given = Callable[[FakeHost], object]
SERVER = "/etc/systemd/system/k3s.service"


def check(world: World, name: str = "phys-1") -> Outcome:
    machine = next(machine for machine in world.platform.machines if machine.name == name)
    return check_machine.fn(world.run(), world.hosts[name], world.platform, machine, world.live, world.running)


def refused(world: World, name: str = "phys-1") -> list[Finding]:
    with pytest.raises(FindingsError) as error:
        check(world, name)
    return [finding for finding in error.value.findings if finding.refuses]


def docker_on(host: FakeHost, free: int) -> None:
    """Docker has a disk of its own."""
    host.write("/data/docker/image/overlay2/repositories.json", "{}")
    host.tell("docker-root", "/data/docker")
    host.tell("disks", f"/data {free}")


UNFIT: dict[str, tuple[Given, str]] = {
    "no root": (
        lambda host: host.tell("uid", "1000"),
        "the login has uid 1000, expected root: set ssh.user to root, or ssh.become to sudo [host-not-root]",
    ),
    "a file less": (
        lambda host: host.path("/opt/k3s/vendor/k3s").unlink(),
        "/opt/k3s/vendor/k3s is missing or empty: copy the vendor's bundle there [bundle-file-missing]",
    ),
    "a command less": (
        lambda host: host.tell("lacks", "keepalived"),
        "no command keepalived: apt-get install keepalived [host-command-missing]",
    ),
    "a full disk": (
        lambda host: host.tell("free", str(2**30)),
        "1024 MB free below /var/lib/docker, 5120 MB are needed: make room there [host-disk-short]",
    ),
    "a full disk of docker's": (
        lambda host: docker_on(host, 2**30),
        "1024 MB free below /data/docker, 5120 MB are needed: make room there [host-disk-short]",
    ),
    "a full disk beside docker's": (
        lambda host: (docker_on(host, 2**40), host.tell("free", str(2**29))),
        "512 MB free below /var/lib/rancher/k3s, 1024 MB are needed: make room there [host-disk-short]",
    ),
    "another interface": (
        lambda host: host.tell("addresses", "ens3 10.0.0.21/24"),
        "no interface eth0 with an address, it has ens3: see keepalived.interface and targets[].interface [host-interface-missing]",
    ),
    "an older etcd": (
        lambda host: machines.bring(host, etcd="3.4.27", k3s="1.20.2"),
        "its etcd is 3.4.27, the platform runs 3.5.21; a member of a lower minor version can't join: "
        "install that version there [etcd-too-old]",
    ),
    "an older k3s": (
        lambda host: machines.bring(host, etcd="3.5.21", k3s="1.19.16"),
        "its bundle's k3s is 1.19.16, the platform runs 1.20.2; no node may be of a lower minor version: "
        "copy that version's bundle there [k3s-too-old]",
    ),
    "a newer etcd": (
        lambda host: machines.bring(host, etcd="3.7.0", k3s="1.20.2"),
        "its etcd is 3.7.0, the platform runs 3.5.21; etcd goes one minor version at a time: install that version there [etcd-too-new]",
    ),
    "a newer k3s": (
        lambda host: machines.bring(host, etcd="3.5.21", k3s="1.28.4"),
        "its bundle's k3s is 1.28.4, the platform runs 1.20.2; API servers may be one minor version apart: "
        "copy that version's bundle there [k3s-too-new]",
    ),
    "an etcd that does not run": (
        lambda host: host.write("/usr/local/bin/etcd", "#!/bin/sh\nexit 126\n"),
        "/usr/local/bin/etcd --version prints no version, expected 3.5.21: run /usr/local/bin/etcd there [etcd-version-unknown]",
    ),
    "a k3s that does not run": (
        lambda host: host.write("/opt/k3s/vendor/k3s", "for another processor"),
        "/opt/k3s/vendor/k3s --version prints no version, expected 1.20.2: file /opt/k3s/vendor/k3s there [k3s-version-unknown]",
    ),
    "no default route": (
        lambda host: host.tell("routes", ""),
        "it has no default route; k3s ends there (no default routes found), whatever its --node-ip is: ip route add default via "
        "GATEWAY, and into the network's configuration; a gateway that leads nowhere will do [host-no-default-route]",
    ),
    "a masked keepalived": (
        lambda host: host.mask("keepalived"),
        "its unit keepalived is masked: it links to /dev/null, so that nothing can start it: find out who has done that, then type "
        "there: systemctl unmask keepalived [unit-masked]",
    ),
    "a masked docker that runs": (
        lambda host: host.mask("docker"),
        "its unit docker is masked: it links to /dev/null, so that nothing can start it: find out who has done that, then type "
        "there: systemctl unmask docker [unit-masked]",
    ),
    "no docker": (
        lambda host: host.unit("docker", "inactive"),
        "docker does not run: systemctl start docker [docker-not-running]",
    ),
}


@pytest.mark.parametrize(("given", "said"), UNFIT.values(), ids=list(UNFIT))
def test_a_machine_that_is_not_fit_is_refused(world: World, given: Given, said: str) -> None:
    given(world.hosts["phys-1"])

    assert [str(finding) for finding in refused(world)] == [f"phys-1: {said}"]


@pytest.mark.parametrize(
    ("given", "final"),
    [
        (UNFIT["no root"][0], True),
        (UNFIT["a file less"][0], True),
        (UNFIT["an older etcd"][0], True),
        (UNFIT["a masked keepalived"][0], True),
        (lambda host: host.tell("lacks", "docker\nbase64"), True),
        (lambda host: host.tell("lacks", "keepalived\nhostnamectl"), False),
        (UNFIT["a full disk"][0], False),
        (UNFIT["a newer etcd"][0], False),
    ],
)
def test_what_ends_a_step_for_certain_can_not_be_accepted(world: World, given: Given, final: bool) -> None:
    given(world.hosts["phys-1"])

    assert {finding.final for finding in refused(world)} == {final}


def test_images_do_not_need_room_beside_the_disk_that_docker_has_for_them(world: World) -> None:
    docker_on(world.hosts["phys-1"], 2**40)
    world.hosts["phys-1"].tell("free", str(3 * 2**30))

    assert check(world).findings == ()


@pytest.mark.parametrize("command", TOOLS)
@pytest.mark.parametrize("name", ["vm-1", "phys-1"])
def test_a_tool_of_the_scripts_that_is_missing_is_refused_on_every_machine(world: World, name: str, command: str) -> None:
    world.hosts[name].tell("lacks", command)

    said = f"{name}: no command {command}: {how_to_install(command, 'apt-get')} [host-command-missing]"
    assert [(str(finding), finding.final) for finding in refused(world, name) if finding.id == "host-command-missing"] == [(said, True)]


def test_a_target_that_becomes_no_member_needs_no_etcd(world: World) -> None:
    world.platform = platform(targets=[*CONFIG["targets"][:2], {**CONFIG["targets"][2], "etcd": False}])
    world.hosts["phys-3"].path("/usr/local/bin/etcd").unlink()

    assert check(world, "phys-3").findings == ()


def test_a_target_that_will_not_hold_the_vip_needs_neither_keepalived_nor_the_interface(world: World) -> None:
    world.platform = platform(keepalived={**CONFIG["keepalived"], "holders": 1, "interface": "LAN1"})
    target = world.platform.targets[1]
    host = world.hosts[target.name]
    host.tell("lacks", "keepalived")

    assert check_machine.fn(world.run(), host, world.platform, target, world.live, world.running).findings == ()


def test_a_target_can_have_an_interface_of_its_own(world: World) -> None:
    world.platform = platform(targets=[{**CONFIG["targets"][0], "interface": "ens3"}, *CONFIG["targets"][1:]])
    world.hosts["phys-1"].tell("addresses", "ens3 10.0.0.21/24")

    assert check(world).findings == ()


def test_a_machine_at_another_address_is_refused_for_good(world: World) -> None:
    world.hosts["phys-1"].tell("addresses", "lo 127.0.0.1/8\neth0 10.0.0.99/24")

    (finding,) = refused(world)

    assert (finding.id, finding.final) == ("host-other-address", True)
    assert finding.what == "it does not have the address 10.0.0.21, it has 10.0.0.99"


@pytest.mark.parametrize("kind", ["ext4", "nfs4", "fuse.glusterfs", "tmpfs"])
def test_mounts_of_a_running_old_platform_are_a_note(world: World, kind: str) -> None:
    for path in ("kubelet/pods/1/volume-subpaths/config/app/0", "kubelet/pods/2/x", "kubelet/pods/3/x", "rancher/k3s/storage"):
        world.hosts["phys-1"].mount(f"/var/lib/{path}", kind)

    (finding,) = check(world).findings

    assert (finding.id, finding.level) == ("uninstall-unmounts", Level.NOTE)
    assert finding.what.startswith(f"4 mounts below the kubelet's and k3s's folders: /var/lib/rancher/k3s/storage {kind}, ")


def test_everything_that_is_wrong_with_a_machine_is_reported_at_once(world: World) -> None:
    world.hosts["phys-1"].tell("uid", "1000")
    world.hosts["phys-1"].tell("lacks", "keepalived")
    machines.bring(world.hosts["phys-1"], etcd="3.4.27", k3s="1.19.16")

    assert [finding.id for finding in refused(world)] == [
        "host-not-root", "host-command-missing", "etcd-too-old", "k3s-too-old"
    ]  # fmt: skip


def test_an_operator_can_accept_a_disk_that_is_short(world: World) -> None:
    world.platform = platform(
        accepted=[{"id": "host-disk-short", "where": "phys-1", "reason": "it is cleared by the uninstall"}]
    )
    world.hosts["phys-1"].tell("free", str(2**30))

    (finding,) = check(world).findings

    assert finding.accepted == "it is cleared by the uninstall"


def test_a_helm_that_later_backups_will_lack_is_a_warning(world: World) -> None:
    world.hosts["phys-1"].tell("lacks", "helm")
    world.hosts["phys-2"].tell("lacks", "helm")

    assert [str(finding) for finding in check(world, "phys-1").findings] == [
        "phys-1: no `helm` there, backups need it once the sources have left: install it there [helm-missing-on-target]"
    ]
    assert check(world, "phys-2").findings == ()


@pytest.mark.parametrize("hostname", ["vm-1", "vm-1.example.org", "VM-1"])
def test_a_source_that_is_called_as_in_the_config_is_fine(world: World, hostname: str) -> None:
    world.hosts["vm-1"].call_it(hostname)

    assert check(world, "vm-1").findings == ()


@pytest.mark.parametrize("hostname", ["node-a", "vm-11", "vm.example.org"])
def test_a_source_that_is_called_otherwise_is_a_warning(world: World, hostname: str) -> None:
    world.hosts["vm-1"].call_it(hostname)

    (finding,) = check(world, "vm-1").findings

    assert (finding.id, finding.level) == ("host-other-name", Level.WARN)
    assert finding.what == (f"it calls itself {hostname}, the config names it vm-1: node name and config must agree")


@pytest.mark.parametrize(
    ("file", "content"),
    [(SERVER, "ExecStart=/usr/local/bin/k3s server --node-name vm-1\n"), (f"{SERVER}.env", "K3S_NODE_NAME=vm-1\n")],
    ids=["flag", "variable"],
)
def test_a_source_whose_k3s_was_given_the_nodes_name_may_be_called_otherwise(world: World, file: str, content: str) -> None:
    world.hosts["vm-1"].call_it("node-a")
    world.hosts["vm-1"].write(file, content)

    assert "host-other-name" not in [finding.id for finding in check(world, "vm-1").findings]


def test_a_target_may_be_called_otherwise_it_is_renamed(world: World) -> None:
    world.hosts["phys-1"].call_it("old-name")

    assert check(world).findings == ()


def test_a_clock_that_is_off_is_refused(world: World) -> None:
    world.hosts["phys-1"].tell("clock", "60")

    (finding,) = refused(world)

    assert str(finding).startswith("phys-1: its clock is 6") or str(finding).startswith("phys-1: its clock is 59")
    assert str(finding).endswith(" s off, at most 5 s are allowed: chronyc makestep [host-clock-off]")


def test_a_source_needs_no_bundle(world: World) -> None:
    assert check(world, "vm-1").why.startswith("fit: Debian GNU/Linux 12 (bookworm), systemd 252, bash ")


def test_a_target_that_has_joined_needs_no_room_any_more(world: World) -> None:
    world.has_nodes("phys-1")
    world.hosts["phys-1"].tell("free", "0")

    assert check(world).why.startswith("fit: Debian GNU/Linux 12 (bookworm), systemd 252, bash ")


def test_a_target_that_brings_another_version_is_a_warning(world: World) -> None:
    machines.bring(world.hosts["phys-1"], etcd="3.5.25", k3s="1.21.0")

    assert [(finding.level, str(finding)) for finding in check(world).findings] == [
        (
            Level.WARN,
            "phys-1: its etcd is 3.5.25, the platform runs 3.5.21: the move is an upgrade, too: rehearse with both versions "
            "[etcd-version-differs]",
        ),
        (
            Level.WARN,
            "phys-1: its bundle's k3s is 1.21.0, the platform runs 1.20.2: the move is an upgrade, too: rehearse with both versions "
            "[k3s-version-differs]",
        ),
    ]


def test_a_target_whose_etcd_persists_no_promotion_is_a_warning_where_the_platforms_does(world: World) -> None:
    machines.bring(world.hosts["phys-1"], etcd="3.5.16", k3s="1.20.2")
    world.etcd.versions = {"vm-1": "3.4.23", "vm-2": "3.4.23"}

    assert [finding.id for finding in check(world).findings] == ["etcd-version-differs", "etcd-promotion-not-persisted"]
    world.etcd.versions = {"vm-1": "3.5.16", "vm-2": "3.5.16"}
    assert check(world).findings == ()


def test_a_kernel_without_the_bridges_filter_is_a_warning(world: World) -> None:
    world.hosts["phys-1"].tell("lacks-modules", "br_netfilter")

    (finding,) = check(world).findings

    assert (finding.id, finding.level) == ("host-no-br-netfilter", Level.WARN)
    world.hosts["phys-1"].path("/proc/sys/net/bridge").mkdir(parents=True)
    assert check(world).findings == ()


@pytest.mark.parametrize(("etcd", "k3s"), [("3.6.0", "1.21.14"), ("3.5.0", "1.20.15")])
def test_one_minor_version_newer_may_join(world: World, etcd: str, k3s: str) -> None:
    machines.bring(world.hosts["phys-1"], etcd=etcd, k3s=k3s)

    assert [finding.level for finding in check(world).findings] == [Level.WARN, Level.WARN]


def test_the_etcd_of_a_target_that_is_to_be_no_member_is_not_judged(world: World) -> None:
    phys_1, phys_2, phys_3 = CONFIG["targets"]
    world.platform = platform(targets=[phys_1, phys_2, {**phys_3, "etcd": False}])
    machines.bring(world.hosts["phys-3"], etcd="3.3.25", k3s="1.20.2")

    assert check(world, "phys-3").why.startswith("fit: Debian GNU/Linux 12 (bookworm), systemd 252, bash ")


def test_a_masked_keepalived_is_no_matter_where_the_vip_never_is(world: World) -> None:
    world.hosts["phys-3"].mask("keepalived")

    assert check(world, "phys-3").findings == ()
