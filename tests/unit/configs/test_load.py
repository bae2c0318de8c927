"""Every mistake in a platform's YAML is reported with its place, before any machine is contacted."""

from pathlib import Path

import pytest
import yaml
from prefect.client.schemas.schedules import CronSchedule

import configs
from configs.errors import ConfigError
from configs.load import load_platform
from tests.fakes.platform import config

EXAMPLES = sorted(Path(configs.__path__[0]).glob("*.yaml"))

MACHINE = {"name": "vm-1", "address": "10.0.0.11"}
TARGET = {"name": "phys-1", "address": "10.0.0.21", "role": "server"}
KEEPALIVED = config()["keepalived"]
K3S = config()["k3s"]
DATABASE = config()["database"]
BACKUP = config()["backup"]
ACCEPTED = {"id": "disk-full", "where": "vm-1", "reason": "the disk is grown on Monday"}

def schedule(cron: str) -> tuple[dict[str, object], str]:
    """A schedule in a time zone that exists, and how it is refused."""
    asked = {"backup": {**BACKUP, "schedule": {"cron": cron, "timezone": "Asia/Shanghai"}}}
    return asked, f"backup.schedule: {cron!r} in 'Asia/Shanghai': not a cron expression that Prefect accepts: "


BAD = {
    "an unknown key": ({"replicas": 3}, "replicas: "),
    "an unknown key deeper down": ({"sources": [{**MACHINE, "rank": 1}]}, "sources[0].rank: "),
    "a missing key": ({"vip": None}, "vip: Field required"),
    "no source": ({"sources": []}, "sources: "),
    "no target": ({"targets": []}, "targets: "),
    "no server": ({"targets": [{**TARGET, "role": "agent"}]}, "targets: none has 'role: server'"),
    "no member": ({"targets": [{**TARGET, "etcd": False}]}, "targets: none has 'etcd: true'"),
    "an unknown role": ({"targets": [{**TARGET, "role": "master"}]}, "targets[0].role: "),
    "a name twice": ({"sources": [MACHINE, {**MACHINE, "address": "10.0.0.12"}]}, "name vm-1 is used more than once"),
    "an address twice": (
        {"sources": [MACHINE, {**MACHINE, "name": "vm-2"}]},
        "address 10.0.0.11 is used more than once",
    ),
    "a source that is a target": ({"sources": [{**MACHINE, "name": "phys-1"}]}, "name phys-1 is used more than once"),
    "a name that is no label": (
        {"sources": [{**MACHINE, "name": "VM_1"}]},
        "sources[0].name: 'VM_1' is not an RFC 1123 subdomain, as nodes are named",
    ),
    "a name whose label is too long": ({"sources": [{**MACHINE, "name": f"{'a' * 64}.example.com"}]}, "sources[0].name: "),
    "a name that is too long": ({"sources": [{**MACHINE, "name": ".".join(["abcdefgh"] * 29)}]}, "sources[0].name: "),
    "a name with an empty label": ({"sources": [{**MACHINE, "name": "vm-1..com"}]}, "sources[0].name: 'vm-1..com' is not"),
    "a name that no new node can have": ({"targets": [{**TARGET, "name": "a." * 31 + "com"}]}, "targets[0].name: "),
    "an address that is none": ({"sources": [{**MACHINE, "address": "10.0.0.300"}]}, "sources[0].address: "),
    "a VIP that is a machine": ({"vip": "10.0.0.21"}, "vip: 10.0.0.21 is the address of phys-1"),
    "VRID 0": ({"keepalived": {**KEEPALIVED, "virtual_router_id": 0}}, "keepalived.virtual_router_id: "),
    "VRID 256": ({"keepalived": {**KEEPALIVED, "virtual_router_id": 256}}, "keepalived.virtual_router_id: "),
    "too many holders": (
        {"keepalived": {**KEEPALIVED, "holders": 4}},
        "keepalived.holders: 4 of 3 targets: write 3 at most",
    ),
    "a priority below 1": ({"keepalived": {**KEEPALIVED, "first_priority": 5}}, "keepalived.first_priority: "),
    "a secret in the YAML": ({"keepalived": {**KEEPALIVED, "auth_pass": "hunter2"}}, "keepalived.auth_pass: "),
    "a secret in two places": (
        {"database": {**DATABASE, "password": {"env": "A", "block": "b"}}},
        "database.password: write exactly one",
    ),
    "a secret in no place": ({"database": {**DATABASE, "password": {}}}, "database.password: write exactly one"),
    "a semicolon": ({"etcd": {"cluster_token": "a;reboot"}}, "etcd.cluster_token: 'a;reboot' holds ';'"),
    "a token among the flags": (
        {"k3s": {**K3S, "server_args": ["--token=s3cret"]}},
        "k3s: server_args: --token: leave it out: evenkeel sets it on each machine",
    ),
    "a node's name among the flags": ({"k3s": {**K3S, "agent_args": ["--node-name=a"]}}, "k3s: agent_args: --node-name: "),
    "a short flag with its value apart": ({"k3s": {**K3S, "server_args": ["-t", "s3cret"]}}, "k3s: server_args: -t: "),
    "two ports": (
        {"k3s": {**K3S, "server_args": ["--https-listen-port=6443"]}},
        "k3s: api_port: 10443, but server_args have --https-listen-port=6443: write the same",
    ),
    "a flag and its value as one word": (
        {"k3s": {**K3S, "server_args": ["--disable traefik"]}},
        "k3s.server_args[0]: '--disable' and its value are one word: write --disable=VALUE",
    ),
    "a flag with a line break": ({"k3s": {**K3S, "agent_args": ["--docker\n"]}}, "k3s.agent_args[0]: '--docker"),
    "an empty flag": ({"k3s": {**K3S, "server_args": [""]}}, "k3s.server_args[0]: '' is empty"),
    "k3s's data elsewhere": (
        {"k3s": {**K3S, "server_args": ["--data-dir=/data/k3s"]}},
        "k3s: server_args: --data-dir is not supported: k3s's files are below /var/lib/rancher/k3s on every machine: ",
    ),
    "an agent's data elsewhere": ({"k3s": {**K3S, "agent_args": ["-d", "/data"]}}, "k3s: agent_args: -d is not supported: "),
    "a flag of one target that makes it no node": (
        {"targets": [{**TARGET, "args": ["--disable-agent"]}]},
        "targets[0]: args: --disable-agent is not supported: every server is a node",
    ),
    "an embedded etcd": ({"k3s": {**K3S, "server_args": ["--cluster-init"]}}, "k3s: server_args: --cluster-init is not"),
    "a token among one target's flags": ({"targets": [{**TARGET, "args": ["--token=s3cret"]}]}, "targets[0]: args: --token: "),
    "a network of one target only": (
        {"targets": [{**TARGET, "args": ["--cluster-cidr=10.7.0.0/16"]}]},
        "targets[0]: args: --cluster-cidr: all servers must have it alike: write it in k3s.server_args",
    ),
    "a label that is none": ({"targets": [{**TARGET, "labels": {"a b": "c"}}]}, "targets[0].labels.a b.[key]: 'a b' is no"),
    "a label's value that is none": ({"targets": [{**TARGET, "labels": {"a": "b c"}}]}, "targets[0].labels.a: 'b c' is no"),
    "a taint without an effect": ({"targets": [{**TARGET, "taints": ["a=b"]}]}, "targets[0].taints[0]: 'a=b' is no taint"),
    "labels of no source": (
        {"targets": [{**TARGET, "labels_from": "vm-9"}]},
        "targets: labels_from of phys-1: vm-9 is no source: write a source's name",
    ),
    "a workload without its kind": (
        {"ignore_workloads": ["shop/web"]},
        "ignore_workloads[0]: 'shop/web' names no workload: write KIND NAMESPACE/NAME",
    ),
    "a kept node that is a source": ({"keep_nodes": ["vm-1"]}, "keep_nodes: vm-1 is a source or a target, too"),
    "a quote": ({"database": {**DATABASE, "user": "o'neill"}}, "database.user: "),
    "a newline": ({"etcd": {"cluster_token": "a\nb"}}, "etcd.cluster_token: "),
    "an empty value": ({"etcd": {"cluster_token": ""}}, "etcd.cluster_token: "),
    "a space in a path": ({"etcd": {"cluster_token": "t", "data_dir": "/mnt/my disk"}}, "etcd.data_dir: "),
    "a relative path": (
        {"etcd": {"cluster_token": "t", "data_dir": "mnt/etcd"}},
        "etcd.data_dir: 'mnt/etcd' is not an absolute path",
    ),
    "the root as a data folder": ({"etcd": {"cluster_token": "t", "data_dir": "/"}}, "etcd.data_dir: "),
    "a path that leads upwards": ({"k3s": {**K3S, "bundle": "/opt/../etc"}}, "k3s.bundle: "),
    "a port that is none": ({"ssh": {"key": "/k", "port": 0}}, "ssh.port: "),
    "a deadline of nothing": ({"timeouts": {"drain_s": 0}}, "timeouts.drain_s: "),
    "no way to take a backup": ({"backup": None}, "backup: Field required"),
    "a schedule of four fields": (
        {"backup": {**BACKUP, "schedule": {"cron": "0 2 * *", "timezone": "Asia/Shanghai"}}},
        "backup.schedule: '0 2 * *' in 'Asia/Shanghai': not a cron expression that Prefect accepts: write five fields",
    ),
    "a schedule at an hour that is none": schedule("0 25 * * *"),
    "a random schedule": schedule("R 2 * * *"),
    "a random schedule in a range": schedule("r(0-30) 2 * * *"),
    "a hashed schedule": schedule("H 2 * * *"),
    "a schedule on the nearest weekday": schedule("0 2 15W * *"),
    "a time zone that is none": (
        {"backup": {**BACKUP, "schedule": {"cron": "0 2 * * *", "timezone": "Asia/Atlantis"}}},
        "backup.schedule: '0 2 * * *' in 'Asia/Atlantis': no such time zone: ",
    ),
    "a schedule without a time zone": (
        {"backup": {**BACKUP, "schedule": {"cron": "0 2 * * *"}}},
        "backup.schedule.timezone: Field required",
    ),
    "a writer that has no replicas": (
        {"rollback": {"writers": [{"kind": "DaemonSet", "namespace": "shop", "name": "web"}]}},
        "rollback.writers[0].kind: ",
    ),
    "a URL that is none": ({"http_checks": ["10.0.0.100"]}, "http_checks[0].url: "),
    "an accepted finding without a reason": (
        {"accepted": [{"id": "disk-full", "where": "vm-1"}]},
        "accepted[0].reason: Field required",
    ),
    "an accepted finding with an empty reason": ({"accepted": [{**ACCEPTED, "reason": ""}]}, "accepted[0].reason: "),
    "an accepted finding everywhere": (
        {"accepted": [{"id": "disk-full", "reason": "nobody minds"}]},
        "accepted[0].where: Field required",
    ),
    "an accepted finding without an id": ({"accepted": [{**ACCEPTED, "id": ""}]}, "accepted[0].id: '' is empty"),
    "an unknown key of an accepted finding": ({"accepted": [{**ACCEPTED, "until": "May"}]}, "accepted[0].until: "),
}


def written(folder: Path, text: str) -> Path:
    path = folder / "platform.yaml"
    path.write_text(text)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as refused:
        load_platform(path)
    return str(refused.value)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_load(example: Path) -> None:
    assert load_platform(example).sources


def test_there_is_an_example_for_the_lab() -> None:
    assert "lab.yaml" in [path.name for path in EXAMPLES]


@pytest.mark.parametrize(("changes", "said"), BAD.values(), ids=list(BAD))
def test_a_bad_configuration_is_refused_with_its_path(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    path = written(tmp_path, yaml.safe_dump(config(**changes)))

    assert f"{path}: {said}" in refusal(path).replace(": sources and targets:", ":")


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    lines = refusal(written(tmp_path, yaml.safe_dump(config(vip="nowhere", colour="blue", sources=[])))).splitlines()

    assert len(lines) == 3


def test_a_secret_that_is_written_where_a_reference_belongs_is_not_repeated(tmp_path: Path) -> None:
    said = refusal(written(tmp_path, yaml.safe_dump(config(keepalived={**KEEPALIVED, "auth_pass": "hunter2"}))))

    assert "hunter2" not in said


@pytest.mark.parametrize("cron", ["0 2 * * *", "*/15 1-5 * jan-mar mon,thu", "@daily", "0 2 L * *"])
def test_prefect_accepts_a_schedule_that_is_accepted(tmp_path: Path, cron: str) -> None:
    path = written(tmp_path, yaml.safe_dump(config(backup={**BACKUP, "schedule": {"cron": cron, "timezone": "Asia/Shanghai"}})))

    schedule = load_platform(path).backup.schedule
    assert schedule is not None
    assert CronSchedule(cron=schedule.cron, timezone=schedule.timezone).cron == cron


def test_an_accepted_finding_is_read_with_its_reason(tmp_path: Path) -> None:
    (accepted,) = load_platform(written(tmp_path, yaml.safe_dump(config(accepted=[ACCEPTED])))).accepted

    assert accepted.model_dump() == ACCEPTED


def test_a_key_that_is_written_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, "platform: one\nssh:\n  port: 22\n  port: 2222\n")

    assert refusal(path) == f"{path}: line 4: 'port' is written twice: keep one [config-invalid]"


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words"], ids=["empty", "a list", "words"])
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    assert "not a mapping" in refusal(written(tmp_path, text))


def test_what_is_no_yaml_is_refused_with_its_line(tmp_path: Path) -> None:
    assert "line 2" in refusal(written(tmp_path, "a: [1\nb: 2\n"))


def test_a_placeholder_that_nobody_filled_in_is_refused(tmp_path: Path) -> None:
    assert "line 2" in refusal(written(tmp_path, "platform: demo\nvip: {{ vip }}\n"))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "copy configs/prod.example.yaml" in refusal(tmp_path / "prod.yaml")


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "platform.yaml"
    path.write_bytes(b"\xff\xfe\x00platform")

    assert str(path) in refusal(path)
