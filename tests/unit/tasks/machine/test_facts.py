"""What machines answered, recorded, and what is read from it."""

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tasks.machine.facts import Room, parse_host_facts, read_host_facts
from tasks.machine.remains import Remains
from tasks.machine.versions import numbers
from tests.fakes import machines
from tests.fakes.platform import CONFIG, platform
from tests.fakes.world import World

LIVE_CA64 = base64.b64encode(machines.LIVE_CA.encode()).decode()
RECORDED = Path(__file__).parent / "recorded"


def recorded(name: str) -> str:
    """A machine's answer, kept in clear text: `[fact]`, then its lines."""
    lines = []
    for part in (RECORDED / name).read_text().split("[")[1:]:
        fact, _, text = part.partition("]\n")
        lines.append(f"--fact-00000000 {fact}\n{text}\n--fact-00000000\n")
    return "".join(lines)


def test_an_old_server() -> None:
    found = parse_host_facts(recorded("old-server"))

    assert (found.hostname, found.uid) == ("host-21", 0)
    assert found.clock == datetime(2026, 1, 2, 3, 4, 5, 250000, UTC)
    assert found.rooms == (Room(53687091200, "2049", "/data/docker"), Room(10737418240, "2050", "/var/lib/rancher/k3s"))
    assert (found.bundle_bytes, found.staged_bytes) == (2147483648, 1073741824)
    assert found.remains == Remains(
        units=("k3s.service",),
        uninstallers=("/usr/local/bin/k3s-uninstall.sh",),
        processes=("4711 k3s-server",),
        paths=("/etc/rancher/k3s", "/var/lib/rancher/k3s"),
        mounts=("/var/lib/kubelet/pods/1/volumes/nfs nfs4",),
        containers=("k8s_POD_web", "k8s_web_web"),
        etcd=("active", "enabled"),
    )
    assert (numbers(found.brings.etcd), numbers(found.brings.k3s)) == ((3, 4, 23), (1, 20, 2))
    assert (found.k3s_cas, found.etcd_cluster) == ({"ab" * 32}, "16684")
    assert found.k3s_server == "ExecStart=/usr/local/bin/k3s server --docker"
    assert (found.docker_active, found.masked) == (True, ("keepalived",))
    assert found.addresses == ("127.0.0.1", "10.0.0.21", "172.17.0.1")
    assert found.interfaces == ("lo", "eth0", "docker0")
    assert (found.has_default_route, found.has_br_netfilter) == (True, True)
    assert str(found.system) == (
        "CentOS Linux 7 (Core), kernel 3.10.0-1160.el7.x86_64, systemd 219, bash 4.2.46, coreutils 8.22, cgroup v1, SELinux enforcing"
    )
    assert (found.system.install("ip"), found.docker) == ("yum install iproute", "18.09.9")


UNIT = """[Service]
ExecStart=/usr/local/bin/k3s \\
    server \\
\t'--node-name' \\
\t'vm-1' \\
\t'--token' \\
\t't0psecret' \\
\t'--disable' \\
\t'traefik' \\

ExecReload=/bin/kill
"""


def test_a_servers_command_line_leaves_the_machine_without_its_token(world: World) -> None:
    world.hosts["vm-1"].write("/etc/systemd/system/k3s.service", UNIT)

    found = read_host_facts(world.hosts["vm-1"], world.platform)

    assert found.k3s_server == "ExecStart=/usr/local/bin/k3s server --node-name=vm-1 --token=... --disable=traefik"


def test_a_machine_that_never_had_anything() -> None:
    found = parse_host_facts(recorded("bare"))

    assert (found.rooms[0].free_bytes, found.bundle_bytes) == (53687091200, 0)
    assert found.missing_files == ("/opt/k3s/vendor/k3s", "/opt/k3s/vendor/install-k3s.sh")
    assert found.missing_commands == ("docker", "keepalived")
    assert not found.remains
    assert (found.has_default_route, found.has_br_netfilter, str(found.system), found.docker) == (False, False, "", "")
    assert (found.k3s_cas, found.etcd_cluster, found.docker_active) == (set(), "", False)


def test_an_etcd_that_speaks_tls_is_asked_for_its_cluster_too(world: World) -> None:
    tls = {"ca": "/p/ca", "cert": "/p/c", "key": "/p/k", "members": "/p/m"}
    world.platform = platform(etcd={**CONFIG["etcd"], "tls": tls})
    world.hosts["phys-1"].tell("etcd-status", 'HTTP/1.0 200 OK\n\n{"header":{"cluster_id":"59341","member_id":"7"}}')

    assert read_host_facts(world.hosts["phys-1"], world.platform).etcd_cluster == "59341"


@pytest.mark.parametrize(("state", "active"), [("active", True), ("activating", True), ("failed", False)])
def test_an_etcd_is_left_while_it_runs_or_tries_to(world: World, state: str, active: bool) -> None:
    world.hosts["phys-1"].unit("etcd", state, "disabled")

    assert bool(read_host_facts(world.hosts["phys-1"], world.platform).remains.etcd) is active


def test_facts_are_asked_in_one_round_trip(world: World) -> None:
    read_host_facts(world.hosts["phys-1"], world.platform)

    assert len(world.hosts["phys-1"].calls) == 1


def test_a_clusters_ca_is_known_by_its_hash_and_tokens_and_keys_stay_on_their_machine(world: World) -> None:
    found = read_host_facts(world.hosts["vm-1"], world.platform)

    assert found.k3s_cas == {world.live.ca_sha256}
    assert "t0psecret" not in repr(found)
    assert "pr1vate" not in repr(found)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("agent/server-ca.crt", machines.LIVE_CA),
        ("server/tls/server-ca.crt", machines.LIVE_CA),
        ("agent/kubelet.kubeconfig", f"clusters:\n- cluster:\n    certificate-authority-data: {LIVE_CA64}\n    server: x\n"),
    ],
    ids=["agent", "server", "kubeconfig"],
)
@pytest.mark.parametrize(
    ("unit", "line"),
    [
        ("k3s-prod", "ExecStart=/usr/local/bin/k3s \\\n    agent \\\n\t'--data-dir' \\\n\t'/mnt/k3s'\n"),
        ("k3s", "ExecStart=/usr/local/bin/k3s server -d=/mnt/k3s --docker\n"),
    ],
    ids=["installer", "by hand"],
)
def test_a_ca_is_found_wherever_a_unit_keeps_its_data(world: World, unit: str, line: str, path: str, content: str) -> None:
    host = world.hosts["phys-1"]
    host.write(f"/etc/systemd/system/{unit}.service", f"[Service]\n{line}".replace("/mnt/k3s", str(host.path("/mnt/k3s"))))
    host.write(f"/mnt/k3s/{path}", content)

    assert read_host_facts(host, world.platform).k3s_cas == {machines.sha256(machines.OLD_CA), world.live.ca_sha256}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/etc/rancher/k3s/config.yaml", 'data-dir: "/mnt/k3s"\n'),
        ("/etc/systemd/system/k3s.service.env", "K3S_DATA_DIR='/mnt/k3s'\n"),
    ],
    ids=["config.yaml", "environment"],
)
def test_a_data_dir_of_a_config_file_or_the_environment_is_found(world: World, path: str, text: str) -> None:
    host = world.hosts["phys-1"]
    host.write(path, text.replace("/mnt/k3s", str(host.path("/mnt/k3s"))))
    host.write("/mnt/k3s/agent/server-ca.crt", machines.LIVE_CA)

    assert world.live.ca_sha256 in read_host_facts(host, world.platform).k3s_cas


def test_a_unit_without_a_line_end_hides_no_data_dir(world: World) -> None:
    host = world.hosts["phys-1"]
    host.write("/etc/systemd/system/k3s.service", "[Service]\nExecStart=/usr/local/bin/k3s server")
    host.write("/etc/rancher/k3s/config.yaml", f"data-dir: {host.path('/mnt/k3s')}\n")
    host.write("/mnt/k3s/agent/server-ca.crt", machines.LIVE_CA)

    assert world.live.ca_sha256 in read_host_facts(host, world.platform).k3s_cas


def test_a_folder_that_another_line_of_a_unit_names_is_no_data_dir(world: World) -> None:
    host = world.hosts["phys-1"]
    before = f"ExecStartPre=/usr/bin/test -d {host.path('/mnt/k3s')}\n"
    host.write("/etc/systemd/system/k3s.service", f"[Service]\n{before}ExecStart=/usr/local/bin/k3s server\n")
    host.write("/mnt/k3s/agent/server-ca.crt", machines.LIVE_CA)

    assert world.live.ca_sha256 not in read_host_facts(host, world.platform).k3s_cas


def test_the_etcd_on_a_machine_is_known_by_its_cluster_id(world: World) -> None:
    world.hosts["phys-1"].tell("etcd-status", 'HTTP/1.0 200 OK\n\n{"header":{"cluster_id":"59341","member_id":"7"}}')

    assert read_host_facts(world.hosts["phys-1"], world.platform).etcd_cluster == "59341"


def test_a_bundle_that_is_not_executable_says_its_version_and_nothing_of_its_copy_stays(world: World) -> None:
    host = world.hosts["phys-1"]
    host.path("/opt/k3s/vendor/k3s").chmod(0o644)

    assert numbers(read_host_facts(host, world.platform).brings.k3s) == (1, 20, 2)
    assert world.mutations == []
    assert list(host.path("/run").iterdir()) == list(host.path("/tmp").iterdir()) == []


def test_what_the_bundle_lacks_is_seen(world: World) -> None:
    host = world.hosts["phys-1"]
    host.path("/opt/k3s/image/app.tar").unlink()
    host.write("/opt/k3s/vendor/k3s", "")
    host.tell("lacks", "keepalived")

    found = read_host_facts(host, world.platform)

    assert found.missing_files == ("/opt/k3s/vendor/k3s", "/opt/k3s/image/app.tar")
    assert found.missing_commands == ("keepalived",)


@pytest.mark.parametrize(
    ("store", "place"),
    [("[[Backing Filesystem extfs]]", "/data/docker"), ("[[driver-type io.containerd.snapshotter.v1]]", "/data/containerd")],
)
def test_room_is_looked_for_where_docker_keeps_images(world: World, store: str, place: str) -> None:
    host = world.hosts["phys-1"]
    for name, text in {"docker-store": store, "docker-root": "/data/docker", "containerd-root": "/data/containerd"}.items():
        host.tell(name, text)
    host.write(f"{place}/images", "")
    host.tell("disks", f"{place} 5000")

    images, k3s = read_host_facts(host, world.platform).rooms

    assert (images.folder, images.free_bytes) == (place, 5000)
    assert (k3s.folder, k3s.free_bytes) == ("/var/lib/rancher/k3s", 107374182400)
    assert images.device != k3s.device


@pytest.mark.parametrize("lacks", ["docker", "containerd"])
def test_what_does_not_say_where_images_are_is_taken_to_keep_them_in_its_usual_folder(world: World, lacks: str) -> None:
    host = world.hosts["phys-1"]
    host.tell("docker-store", "[[driver-type io.containerd.snapshotter.v1]]")
    host.tell("lacks", lacks)

    assert read_host_facts(host, world.platform).rooms[0].folder in ("/var/lib", "/var/lib/docker", "/var/lib/containerd")
