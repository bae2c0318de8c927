"""A config drafted from a running platform is one once its places are answered, and holds no secret."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from blocks.errors import RefusedError
from configs.errors import ConfigError
from configs.load import load_platform
from configs.platform import Gate, Platform
from tasks.draft.machine import SourceMachine, read_machine, refuse_without_tls
from tasks.draft.text import DECIDE, draft_text
from tests.fakes import machines
from tests.fakes.workload import FakeWorkload
from tests.fakes.world import World
from tests.unit.tasks.cases import with_lake
from tests.unit.tasks.vip.confs import WHOLE

SSH = {"user": "root", "port": 2222, "known_hosts": "~/.ssh/known_hosts"}
ANSWERS = {
    "targets: []": "targets: [{name: phys-1, address: 10.0.0.21, role: server}, {name: phys-2, address: 10.0.0.22, role: server}, "
    "{name: phys-3, address: 10.0.0.23, role: agent}]",
    "images: null": "images: [image/app.tar]",
    "chart: null": "chart: /opt/charts/uap-backup-ctl-1.0.0.tgz",
    "user: null": "user: app",
    "database: null": "database: app",
    "vip: null": "vip: 10.0.0.101",
    "interface: null": "interface: eth0",
    "gates: []": "gates: [retire]",
}
DATABASE = {"type": "NodePort", "ports": [{"name": "mysql-client", "port": 4000, "nodePort": 30306}]}
SERVER = "--https-listen-port=10443 --docker --tls-san=10.0.0.100"


@pytest.fixture
def running(world: World) -> World:
    """As in the field: flags in the unit, the console installed, services outside."""
    for name in ("vm-1", "vm-2"):
        unit = "/etc/systemd/system/k3s.service"
        host = world.hosts[name]
        host.write(unit, host.read(unit).replace("server \\\n", f"server {SERVER} \\\n"))
    urls = ("--listen-client-urls", "http://0.0.0.0:2379", "--advertise-client-urls", "http://10.0.0.11:2379")
    machines.run_etcd(world.hosts["vm-1"], "--initial-cluster-token", "token-1", *urls)
    installed = '[{"name":"backup-ctl","namespace":"uap","status":"deployed","chart":"uap-backup-ctl-1.0.0"}]'
    world.hosts["vm-1"].tell("helm-list", installed)
    values = '{"common.env.ENV_EXPIRED_DAYS":"30","common.env.ENV_GLUSTERFS_NODE_HOSTNAMES":"vm-2,vm-1","console.password":"h3lmsecret"}'
    world.hosts["vm-1"].tell("helm-values", values)
    world.kube.put("Service", "iottepa", "tidb", spec=DATABASE)
    world.kube.put("Service", "shop", "web", spec={"ports": [{"name": "http", "port": 80, "nodePort": 30080}]})
    world.kube.put("Service", "shop", "queue", spec={"ports": [{"port": 5672, "nodePort": 30672}]})
    world.forget()
    return world


def machine(world: World, name: str = "vm-1") -> SourceMachine:
    return read_machine(world.hosts[name])


def drafted(world: World, name: str = "vm-1", *, tls: dict[str, str] | None = None, ports: tuple[int, ...] = (2222,)) -> str:
    said = machine(world, name)
    return draft_text("prod", said, world.kube, world.etcd, ssh=SSH, tls=tls, knows=lambda _address, port: port in ports)


def answered(text: str, folder: Path) -> Platform:
    """What the text is once each of its places is answered."""
    assert text.count(DECIDE) <= 6
    for place, answer in ANSWERS.items():
        text = re.sub(rf"(?m)^( *){re.escape(place)}", rf"\1{answer}", text)
    path = folder / "prod.yaml"
    path.write_text(text)
    return load_platform(path)


def test_the_whole_draft_is_a_platform_once_its_places_are_answered(running: World) -> None:
    text = drafted(running)
    found = answered(text, running.folder)

    assert text.count(DECIDE) == 5
    assert [(source.name, str(source.address)) for source in found.sources] == [("vm-1", "10.0.0.11"), ("vm-2", "10.0.0.12")]
    assert (str(found.vip), found.keepalived.virtual_router_id, found.keepalived.interface) == ("10.0.0.100", 51, "eth0")
    assert (found.k3s.api_port, found.k3s.server_args, found.k3s.agent_args) == (10443, None, ("--docker",))
    assert (found.etcd.cluster_token, found.etcd.data_dir, found.etcd.client_port) == ("token-1", "/mnt/disks/etcd", 2379)
    assert (found.backup.namespace, found.backup.helm_host, found.backup.expired_days) == ("uap", "vm-1", 30)
    assert found.backup.glusterfs_nodes == ("vm-2", "vm-1")
    assert found.database is not None
    assert (found.database.host, found.database.port, found.database.vip_port) == ("tidb.iottepa", 4000, 30306)
    assert [str(url) for url in found.http_checks] == ["http://10.0.0.100:30080/"]
    assert "30672, shop/queue, port 5672" in text
    assert found.gates == (Gate.RETIRE,)


def test_nothing_is_changed(running: World) -> None:
    drafted(running)

    assert running.mutations == []


def test_each_place_that_is_not_answered_is_refused_by_name(running: World) -> None:
    path = running.folder / "prod.yaml"
    path.write_text(drafted(running))

    with pytest.raises(ConfigError) as error:
        load_platform(path)
    places = [line.split(": ")[1] for line in str(error.value).splitlines()]
    assert places == ["targets", "k3s.images", "backup.chart", "database.user", "database.database"]


def test_no_secret_is_in_it(running: World) -> None:
    secrets = (machines.AUTH_PASS, machines.PASSWORD, "pr1vate", "h3lmsecret", "d4tastore", "p0dsecret", "n0de", "et0cd")
    host = running.hosts["vm-1"]
    env = "/etc/systemd/system/k3s.service.env"
    host.write(env, host.read(env) + "K3S_DATASTORE_ENDPOINT='http://root:d4tastore@10.0.0.11:2379'\n")
    machines.run_etcd(host, "--auth-token=jwt,priv-key=et0cd", environment="ETCD_ROOT_PASSWORD=et0cd\n")
    env_of_pod = [{"name": "MYSQL_PASSWORD", "value": "p0dsecret"}, {"name": "MYSQL_USER", "value": "shopper"}]
    spec = {"containers": [{"name": "main", "image": "app/db:1.0", "env": env_of_pod}]}
    running.kube.has(FakeWorkload("Deployment", "iottepa", "app", 1, spec=spec), on="vm-1")
    node = running.kube.node_map["vm-1"]
    running.kube.node_map["vm-1"] = replace(node, args=(*node.args, "--agent-token", "n0de"))

    text = drafted(running)

    assert [secret for secret in secrets if secret in text] == []
    assert "user: shopper" in text


def test_of_two_addresses_that_one_is_taken_that_the_api_answers_for(running: World) -> None:
    running.hosts["vm-1"].write("/etc/keepalived/keepalived.conf", WHOLE)

    text = drafted(running)

    assert str(answered(text, running.folder).vip) == "10.0.0.100"
    assert "# of keepalived: 10.0.0.101: vrrp_instance VI_1, virtual_router_id 51, interface eth0" in text


def test_of_two_instances_that_nothing_tells_apart_a_person_chooses(running: World) -> None:
    other = "vrrp_instance VI_2 {\ninterface eth1\nvirtual_router_id 52\nvirtual_ipaddress {\n10.0.0.101\n}\n}\n"
    host = running.hosts["vm-1"]
    host.write("/etc/keepalived/keepalived.conf", host.read("/etc/keepalived/keepalived.conf") + other)
    unit = "/etc/systemd/system/k3s.service"
    host.write(unit, host.read(unit).replace(" --tls-san=10.0.0.100", ""))

    text = drafted(running)

    assert text.count(DECIDE) == 6
    assert "#   10.0.0.101: vrrp_instance VI_2, virtual_router_id 52, interface eth1" in text
    assert "#  - http://VIP:30080/" in text
    found = answered(text, running.folder)
    assert (str(found.vip), found.keepalived.virtual_router_id) == ("10.0.0.101", None)


def test_a_source_without_keepalived_leaves_the_address_to_a_person(running: World) -> None:
    running.hosts["vm-1"].unit("keepalived", "inactive", "disabled")
    running.hosts["vm-1"].path("/etc/keepalived/keepalived.conf").unlink()

    text = drafted(running)

    assert "#   vm-1: its keepalived has no vrrp_instance with an address, or it has no keepalived" in text
    assert str(answered(text, running.folder).vip) == "10.0.0.101"


def test_a_keepalived_that_is_not_read_says_why(running: World) -> None:
    running.hosts["vm-1"].write("/etc/keepalived/keepalived.conf", "@main vrrp_instance VI_1 {\n}\n")

    assert "begins with @main, which is not evaluated" in drafted(running)


def test_an_etcd_by_tls_is_asked_with_files_that_the_config_names_then(running: World) -> None:
    host = running.hosts["vm-1"]
    own = ("--cert-file=/etc/etcd/server.crt", "--key-file=/etc/etcd/server.key", "--trusted-ca-file=/etc/etcd/ca.crt")
    machines.run_etcd(host, "--listen-client-urls=https://10.0.0.11:3379,http://127.0.0.1:2379", *own)
    env = "/etc/systemd/system/k3s.service.env"
    host.write(env, host.read(env) + "K3S_DATASTORE_CAFILE='/etc/etcd/ca.crt'\nK3S_DATASTORE_KEYFILE='/etc/etcd/client.key'\n")

    assert machine(running).etcd_by_tls
    with pytest.raises(RefusedError, match=r"^vm-1: .*https://10.0.0.11:3379.*\(/etc/etcd/ca.crt, /etc/etcd/client.key\).*--etcd-ca"):
        refuse_without_tls(machine(running), running.access)
    text = drafted(running, tls={"ca": "~/etcd/ca.crt", "cert": "~/etcd/client.crt", "key": "~/etcd/client.key"})
    found = answered(text, running.folder).etcd
    assert found.tls is not None
    assert (found.client_port, str(found.tls.members)) == (3379, str(Path("~/etcd/members").expanduser()))
    assert "on vm-1: --cert-file=/etc/etcd/server.crt" in text


def test_an_agent_in_no_member_list_stays_and_a_server_in_none_leaves(running: World) -> None:
    running.kube.joins("gpu-1", "10.0.0.31", server=False)
    running.kube.joins("vm-3", "10.0.0.13", server=True)

    text = drafted(running)
    found = answered(text, running.folder)

    assert found.keep_nodes == ("gpu-1",)
    assert [source.name for source in found.sources] == ["vm-1", "vm-2", "vm-3"]
    assert "# node vm-3 is a source, and its name and address are in no member's peer URL" in text


def test_an_agent_with_a_member_leaves(running: World) -> None:
    running.kube.joins("vm-4", "10.0.0.14", server=False)
    running.etcd.joined("vm-4", "10.0.0.14")

    assert [source.name for source in answered(drafted(running), running.folder).sources] == ["vm-1", "vm-2", "vm-4"]


def test_a_member_on_no_node_is_named(running: World) -> None:
    running.etcd.joined("etcd-9", "10.0.0.99")

    assert "# etcd member etcd-9 at http://10.0.0.99:2380 is on no source" in drafted(running)


def test_what_another_has_named_ends_no_comment(running: World) -> None:
    running.etcd.joined("x\nkeep_nodes: [evil]\u2028#", "10.0.0.99")

    assert answered(drafted(running), running.folder).keep_nodes == ()


def test_full_names_are_names_of_nodes_and_of_members(running: World) -> None:
    node = running.kube.node_map.pop("vm-2")
    running.kube.node_map["vm-2.lab.example"] = replace(node, name="vm-2.lab.example")
    running.etcd.called_by_name("vm-2", "vm-2.lab.example")

    text = drafted(running)
    found = answered(text, running.folder)

    assert [source.name for source in found.sources] == ["vm-1", "vm-2.lab.example"]
    assert found.backup.glusterfs_nodes == ("vm-2.lab.example", "vm-1")
    assert "peer URL" not in text


def test_a_port_of_ssh_by_which_a_host_key_is_known_is_the_machines_own(running: World) -> None:
    found = answered(drafted(running, ports=(22,)), running.folder)

    assert [found.access(source).port for source in found.sources] == [22, 22]
    assert "host key of vm-2 unknown: ssh-keyscan -p 2222 10.0.0.12" in drafted(running, ports=())


def test_bricks_on_sources_are_to_move(running: World) -> None:
    with_lake(running)

    text = drafted(running)
    found = answered(text, running.folder).backup.lake

    assert (found.folder, found.move) == ("/mnt/uap-global/backup", True)
    assert "vm-1:/mnt/lake/brick vm-2:/mnt/lake/brick\n" in text


def test_the_archives_say_where_they_are(running: World) -> None:
    host = running.hosts["vm-1"]
    host.mount("/mnt/lake", "fuse.glusterfs")
    host.write("/mnt/lake/dumps/tidb-backup-20260102-0.tar.gz", "whole")

    assert answered(drafted(running), running.folder).backup.lake.folder == "/mnt/lake/dumps"


def test_without_console_and_database_there_is_less_to_know(running: World) -> None:
    running.hosts["vm-1"].tell("helm-list", "[]")
    del running.kube.objects["Service iottepa/tidb"]

    text = drafted(running)

    assert answered(text, running.folder).database is None
    assert "vm-1 shows no release of it" in text


def test_a_node_that_is_not_ready_or_has_no_address_is_named(running: World) -> None:
    running.kube.joins("v6", "fd00::1", server=False)
    running.kube.stops("vm-2")

    text = drafted(running)

    assert "# node v6 has the InternalIP fd00::1, expected IPv4" in text
    assert "# node vm-2 is not Ready" in text


def test_a_machine_without_etcd_is_refused_with_what_to_give(running: World) -> None:
    with pytest.raises(RefusedError, match=r"^phys-1: unit etcd there .*--source.*\[draft-no-etcd\]"):
        machine(running, "phys-1")
