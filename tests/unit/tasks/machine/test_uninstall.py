"""An old platform is removed whole, and the live one is never touched."""

import pytest

from blocks.errors import RefusedError, VerificationError
from tasks.engine.outcome import Change, Outcome
from tasks.k3s.files import ensure_k3s_files
from tasks.machine.uninstall import ensure_old_platform_gone
from tests.fakes import machines
from tests.fakes.host import FakeHost
from tests.fakes.platform import platform
from tests.fakes.world import World

PATHS = "/etc/rancher/k3s, /usr/local/bin/k3s, /var/lib/rancher/k3s/server"
GONE = f"gone: k3s.service; 1 pod containers, 1 other containers (old_tool); {PATHS}"
NOTHING = Outcome(Change.UNCHANGED, "no k3s, no containers, no etcd")
UNINSTALLER = "/usr/local/bin/k3s-uninstall.sh"


def uninstall(world: World, name: str = "phys-1", *, dry: bool = False) -> Outcome:
    return ensure_old_platform_gone.fn(world.run(dry=dry), world.hosts[name], world.platform, world.live)


def called(host: FakeHost) -> list[str]:
    """What was done there, by the first words of each command."""
    return [" ".join(line.split()[:2]) for line in host.state("did").splitlines()]


@pytest.mark.parametrize("name", ["phys-1", "phys-3"], ids=["server", "agent"])
def test_k3s_and_all_containers_go_and_the_images_stay(world: World, name: str) -> None:
    host = world.hosts[name]

    assert uninstall(world, name).change is Change.CHANGED

    assert host.state("containers") == ""
    assert host.state("images") == "app/web:1.0 sha256:1\n"
    assert not host.path("/etc/rancher/k3s").exists()
    assert host.path("/opt/k3s/vendor/k3s").exists()


def test_what_was_removed_is_reported(world: World) -> None:
    assert uninstall(world).why == GONE
    assert uninstall(world) == NOTHING


def test_a_dry_run_lists_what_would_go(world: World) -> None:
    assert uninstall(world, dry=True).why == GONE.replace("gone", "uninstalled")
    assert world.mutations == []


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


def test_an_etcd_that_would_start_at_the_next_boot_is_disabled(world: World) -> None:
    uninstall(world)
    world.hosts["phys-1"].unit("etcd", "inactive", "enabled")

    assert uninstall(world).why == "gone: no k3s; 0 pod containers, 0 other containers; its own etcd"
    assert world.hosts["phys-1"].unit_state("etcd") == ("inactive", "disabled")


def test_containers_that_the_config_keeps_go_on_running(world: World) -> None:
    host = world.hosts["phys-1"]
    host.tell("containers", "k8s_web app/web:1.0 Up pod\nregistry registry:2 Up plain\nregistry-ui ui:1 Up plain")
    world.platform = platform(uninstall={"keep_containers": ["registry"]})

    outcome = uninstall(world)

    assert host.state("containers") == "registry registry:2 Up plain\n"
    assert "1 other containers (registry-ui)" in outcome.why
    assert [str(finding) for finding in outcome.findings] == [
        "phys-1: containers stay, as uninstall.keep_containers says: registry [containers-kept]"
    ]
    assert uninstall(world) == NOTHING


def test_containers_of_a_docker_that_is_off_are_no_less_there(world: World) -> None:
    uninstall(world)
    world.hosts["phys-1"].unit("docker", "inactive", "enabled")
    world.hosts["phys-1"].path("/var/lib/docker/containers/0123456789abcdef").mkdir(parents=True)

    assert "1 other containers (0123456789ab)" in uninstall(world, dry=True).why


@pytest.mark.parametrize("key", ["data-root", "graph"])
def test_they_are_looked_for_where_a_docker_that_is_off_keeps_them(world: World, key: str) -> None:
    uninstall(world)
    host = world.hosts["phys-1"]
    host.unit("docker", "inactive", "enabled")
    host.write("/etc/docker/daemon.json", f'{{"log-driver": "json-file", "{key}": "{host.path("/opt/docker")}"}}')
    host.write("/opt/docker/containers/0123456789abcdef/config.v2.json", "{}")

    assert "1 other containers (0123456789ab)" in uninstall(world, dry=True).why


# What a vendor's uninstaller leaves, and asks.


def test_what_an_uninstaller_that_was_cut_off_leaves_is_removed_by_the_next_run(world: World) -> None:
    host = world.hosts["phys-1"]
    uninstall(world)
    host.write("/var/lib/rancher/k3s/server/tls/server-ca.crt", machines.OLD_CA)
    host.write("/var/lib/kubelet/pods/1/x", "")
    host.write("/usr/local/bin/k3s", "the old one")

    assert uninstall(world).why.startswith("gone: remains of k3s; 0 pod containers")

    assert not any(host.path(path).exists() for path in ("/var/lib/rancher/k3s", "/var/lib/kubelet", "/usr/local/bin/k3s"))
    assert uninstall(world) == NOTHING


@pytest.mark.parametrize(
    "script",
    [
        "exit 1",
        'rm "$R"/etc/systemd/system/k3s.service "$0"; kill -9 $$',
        'rm "$R"/etc/systemd/system/k3s.service "$0"; echo Additional k3s services installed, skipping uninstall of k3s; exit 0',
    ],
    ids=["fails", "is killed", "skips"],
)
def test_what_an_uninstaller_leaves_is_removed(world: World, script: str) -> None:
    host = world.hosts["phys-1"]
    host.write(UNINSTALLER, f"#!/bin/bash\n{script}\n", mode=0o755)
    host.write("/etc/systemd/system/k3s-prod.service", "[Service]\nExecStart=/usr/local/bin/k3s agent\n")
    host.write("/usr/local/bin/k3s-prod-uninstall.sh", "#!/bin/sh\nexit 1\n", mode=0o755)

    assert uninstall(world).why.startswith("gone: k3s-prod.service, k3s.service; ")
    assert uninstall(world) == NOTHING


@pytest.mark.parametrize("reads", ["read -r answer; test $answer = yes || exit 1", "cat >/dev/null"])
def test_an_uninstaller_that_reads_its_input_takes_nothing_from_the_rest(world: World, reads: str) -> None:
    host = world.hosts["phys-1"]
    host.write(UNINSTALLER, f"#!/bin/sh\n{reads}\n{host.read(UNINSTALLER).partition(chr(10))[2]}", mode=0o755)
    host.unit("etcd", "inactive", "enabled")

    assert uninstall(world).why.startswith("gone: k3s.service")
    assert host.unit_state("etcd") == ("inactive", "disabled")
    assert uninstall(world) == NOTHING


def test_a_k3s_of_another_name_is_found_and_its_data_wherever_that_lies(world: World) -> None:
    host = world.hosts["phys-1"]
    for path in ("/etc/systemd/system/k3s.service", "/etc/systemd/system/k3s.service.env", UNINSTALLER):
        host.path(path).rename(host.path(path.replace("/k3s", "/k3s-prod")))
    line = f"ExecStart=/usr/local/bin/k3s agent --data-dir {host.path('/mnt/k3s')}\n"
    host.write("/etc/systemd/system/k3s-prod.service", f"[Service]\n{line}")
    host.write("/mnt/k3s/agent/kubelet.kubeconfig", "")
    host.write("/mnt/k3s/reports/2026", "ours")
    host.tell("containers", "")

    assert uninstall(world, dry=True).why.endswith("; /etc/rancher/k3s, /usr/local/bin/k3s, /var/lib/rancher/k3s/server, /mnt/k3s/agent")
    assert uninstall(world).why.startswith("gone: k3s-prod.service; ")
    assert not host.path("/mnt/k3s/agent").exists()
    assert host.read("/mnt/k3s/reports/2026") == "ours"
    assert uninstall(world) == NOTHING


def test_processes_that_are_left_are_ended(world: World) -> None:
    uninstall(world)
    world.hosts["phys-1"].tell("processes", "4711 k3s-server")

    assert uninstall(world).why.startswith("gone: remains of k3s")
    assert "kill -TERM" in called(world.hosts["phys-1"])


def test_a_process_that_does_not_end_is_an_error(world: World) -> None:
    world.hosts["phys-1"].write(UNINSTALLER, "#!/bin/sh\n", mode=0o755)
    world.hosts["phys-1"].tell("unkillable", "yes")

    with pytest.raises(VerificationError, match=r"still there: processes: 4711 k3s-server: see /run/evenkeel-") as left:
        uninstall(world)
    assert left.value.id == "uninstall-incomplete"


def test_a_bridge_of_the_old_pod_network_goes(world: World) -> None:
    world.hosts["phys-1"].path("/sys/class/net/cni0").mkdir(parents=True)

    assert "/sys/class/net/cni0" in uninstall(world).why
    assert uninstall(world) == NOTHING


def test_a_bundle_that_is_staged_already_is_no_remains(world: World) -> None:
    uninstall(world)
    ensure_k3s_files.fn(world.run(), world.hosts["phys-1"], world.platform)

    assert uninstall(world) == NOTHING


# Mounts: nothing is deleted through one.


@pytest.mark.parametrize("path", ["kubelet/pods/1/volumes/nfs", "rancher/k3s/storage"])
def test_what_is_mounted_below_is_unmounted_once_k3s_is_off_and_before_anything_is_deleted(world: World, path: str) -> None:
    host = world.hosts["phys-1"]
    host.mount(f"/var/lib/{path}", "nfs4")

    assert "; 1 mounts; " in uninstall(world).why

    assert [call for call in called(host) if call.split()[0] in ("systemctl", "docker", "umount")] == [
        "systemctl disable", "systemctl disable", "systemctl start", "docker stop", "docker rm", f"umount {host.path('/var/lib')}/{path}",
        "systemctl daemon-reload",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("/etc/systemd/system/k3s.service", "[Service]\nExecStart=/usr/local/bin/k3s server --kubelet-arg=root-dir=ROOT/kubelet\n"),
        ("/etc/rancher/k3s/config.yaml", 'kubelet-arg:\n  - "root-dir=ROOT/kubelet"\n'),
    ],
    ids=["flag", "config.yaml"],
)
def test_what_is_mounted_below_a_kubelets_folder_of_its_own_is_unmounted_and_the_folder_stays(
    world: World, file: str, text: str
) -> None:
    host = world.hosts["phys-1"]
    host.write(file, text.replace("ROOT", str(host.path("/mnt"))))
    host.mount("/mnt/kubelet/pods/a/volumes/data", "nfs4")
    host.write("/mnt/kubelet/keep", "")

    assert "; 1 mounts; " in uninstall(world).why

    assert "umount" in [call.split()[0] for call in called(host)]
    assert host.path("/mnt/kubelet/keep").exists()


@pytest.mark.parametrize("place", ["/var/lib/kubelet", "/var/lib/rancher/k3s", "/run/k3s", "/mnt/k3s"])
def test_nothing_is_deleted_while_something_stays_mounted(world: World, place: str) -> None:
    host = world.hosts["phys-1"]
    line = f"ExecStart=/usr/local/bin/k3s server --data-dir={host.path('/mnt/k3s')}\n"
    host.write("/etc/systemd/system/k3s.service", f"[Service]\n{line}")
    host.mount(f"{place}/x", "ext4")
    host.tell("busy", str(host.path(f"{place}/x")))

    with pytest.raises(RefusedError) as refused:
        uninstall(world)

    assert str(refused.value) == (
        f"phys-1: uninstalling the old k3s: it is stopped, nothing is deleted: still mounted: {place}/x ext4: umount it there "
        "(fuser -vm PATH shows who uses it), then run the same command again [host-data-mounted]"
    )
    assert host.path(UNINSTALLER).exists()
    assert host.path("/var/lib/rancher/k3s/server/token").exists()
    host.path(".state/busy").unlink()
    assert uninstall(world).change is Change.CHANGED


def test_a_mount_whose_name_only_begins_alike_is_left(world: World) -> None:
    host = world.hosts["phys-1"]
    host.mount("/var/lib/kubelet-backup/x", "ext4")

    uninstall(world)

    assert "/var/lib/kubelet-backup/x" in host.read("/proc/mounts")


@pytest.mark.parametrize("place", ["/var/lib/kubelet", "/var/lib/rancher/k3s"])
def test_a_folder_that_is_a_mount_itself_is_emptied_and_stays(world: World, place: str) -> None:
    host = world.hosts["phys-1"]
    host.path(f"{place}/lost+found").mkdir(parents=True)
    host.write(f"{place}/server/x", "")
    host.mount(place, "xfs")
    host.write(UNINSTALLER, "#!/bin/sh\nexit 1\n", mode=0o755)

    assert uninstall(world).change is Change.CHANGED

    assert not host.path(f"{place}/server").exists()
    assert host.path(f"{place}/lost+found").exists()
    assert str(host.path(place)) in host.read("/proc/mounts")
    assert uninstall(world) == NOTHING


def test_rules_that_stay_in_the_kernel_are_reported(world: World) -> None:
    world.hosts["phys-1"].tell("iptables", "-A KUBE-FORWARD -j ACCEPT\n-A KUBE-SVC -j ACCEPT\n-A INPUT -j ACCEPT")

    assert [str(finding) for finding in uninstall(world).findings] == [
        "phys-1: 2 KUBE- iptables rules stay; the new kube-proxy takes them over [iptables-rules-stay]"
    ]


def test_an_old_unit_that_is_masked_goes_too(world: World) -> None:
    """The installer would write through the link, and k3s would never start."""
    host = world.hosts["phys-1"]
    host.path("/etc/systemd/system/k3s.service").unlink()
    host.mask("k3s")

    assert uninstall(world).change is Change.CHANGED
    assert not host.path("/etc/systemd/system/k3s.service").is_symlink()
    assert uninstall(world) == NOTHING
