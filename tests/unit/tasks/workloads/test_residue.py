"""What still names a source, and what only looks as if it did."""

import json
from pathlib import Path

import pytest

from configs.hosts import Source
from tasks.workloads.residue import in_cluster, in_files, read_daemon_files
from tests.fakes.host import FakeHost

SOURCE = Source.model_validate({"name": "vm-1", "address": "10.0.0.1"})
ENV = "/etc/systemd/system/k3s.service.env"


def manifest(**parts: object) -> str:
    return json.dumps({"metadata": {"name": "x"}, **parts})


@pytest.mark.parametrize("line", ["http://10.0.0.1:2379", "10.0.0.1", "a,10.0.0.1,b", "10.0.0.1/24", "see 10.0.0.1."])
def test_an_address_is_found_in_a_line(line: str) -> None:
    (residue,) = in_files("phys-1", {ENV: f"\n{line}"}, SOURCE)

    assert (residue.where, residue.what) == (f"phys-1:{ENV}", "line 2 names 10.0.0.1")


@pytest.mark.parametrize("line", ["K3S_URL=https://10.0.0.1:10443", "export K3S_URL='10.0.0.1'", "  K3S_URL: 10.0.0.1"])
def test_a_setting_is_reported_by_its_name(line: str) -> None:
    (residue,) = in_files("phys-1", {ENV: line}, SOURCE)

    assert (residue.where, residue.what) == (f"phys-1:{ENV}", "line 1, K3S_URL names 10.0.0.1")


@pytest.mark.parametrize("line", ["10.0.0.11", "110.0.0.1", "10.0.0.1.5", "1.10.0.0.1", "10.0.0.10:80", "vm-1"])
def test_another_address_is_not_taken_for_it(line: str) -> None:
    assert in_files("phys-1", {ENV: line}, SOURCE) == []


@pytest.mark.parametrize(
    ("path", "hard"),
    [
        (ENV, True),
        ("/etc/systemd/system/k3s-agent.service", True),
        ("/etc/rancher/k3s/config.yaml", True),
        ("/etc/keepalived/keepalived.conf", True),
        ("/etc/fstab", False),
        ("/root/.kube/config", False),
    ],
)
def test_what_a_daemon_reads_is_hard(path: str, hard: bool) -> None:
    assert [residue.hard for residue in in_files("phys-1", {path: "10.0.0.1"}, SOURCE)] == [hard]


@pytest.mark.parametrize(
    ("what", "text", "hard"),
    [
        ("ConfigMap shop/app", manifest(data={"url": "http://10.0.0.1/"}), [False]),
        ("Endpoints shop/nfs", manifest(subsets=[{"addresses": [{"ip": "10.0.0.1"}]}]), [True]),
        ("PersistentVolume -/pv", manifest(spec={"nodeAffinity": {"values": ["vm-1"]}}), [True]),
        (
            "Deployment shop/a",
            manifest(spec={"template": {"spec": {"nodeSelector": {"kubernetes.io/hostname": "vm-1"}}}}),
            [True],
        ),
        ("Deployment shop/a", manifest(spec={"template": {"spec": {"nodeName": "vm-1"}}}), [True]),
        ("Deployment shop/a", manifest(spec={"template": {"spec": {"nodeName": "vm-10"}}}), []),
        (
            "Deployment shop/a",
            manifest(spec={"at": "10.0.0.1", "template": {"spec": {"nodeName": "vm-1"}}}),
            [False, True],
        ),
        ("StorageClass -/lake", manifest(parameters={"resturl": "http://10.0.0.1:8080"}), [False]),
        ("Deployment shop/vm-1", manifest(spec={"template": {"spec": {"hostname": "vm-1"}}}), []),
        ("Service shop/a", manifest(status={"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}), []),
        ("ConfigMap shop/b", manifest(data={"hosts": "10.0.0.11 10.0.0.12"}), []),
    ],
)
def test_an_object_that_names_the_source_is_found(what: str, text: str, hard: list[bool]) -> None:
    assert [residue.hard for residue in in_cluster({what: text}, SOURCE)] == hard


@pytest.mark.parametrize(
    ("what", "meta"),
    [
        ("Endpoints default/kubernetes", {}),
        (
            "Endpoints shop/a",
            {"annotations": {"endpoints.kubernetes.io/last-change-trigger-time": "2026-01-01T00:00:00Z"}},
        ),
        ("Endpoints shop/a", {"labels": {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}}),
    ],
)
def test_endpoints_that_follow_by_themselves_are_left_out(what: str, meta: dict[str, object]) -> None:
    text = json.dumps({"metadata": {"name": "x", **meta}, "subsets": [{"addresses": [{"ip": "10.0.0.1"}]}]})

    assert in_cluster({what: text}, SOURCE) == []


def test_an_object_is_reported_by_its_fields_never_by_their_values() -> None:
    env = [{"name": "MODE", "value": "fast"}, {"name": "DSN", "value": "mysql://root:pa55word@10.0.0.1:3306"}]
    spec = {"template": {"spec": {"containers": [{"name": "app", "env": env, "args": ["-v", "--at=10.0.0.1"]}]}}}
    applied = {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "10.0.0.1"}}
    text = json.dumps({"metadata": {"name": "x", **applied}, "spec": spec})

    (residue,) = in_cluster({"Deployment shop/app": text}, SOURCE)

    container = "spec.template.spec.containers[app]"
    assert residue.where == "Deployment shop/app"
    assert residue.what == f"{container}.env[DSN].value, {container}.args[1] names 10.0.0.1"


@pytest.mark.parametrize(
    ("what", "command"),
    [
        ("Endpoints shop/nfs", "kubectl edit endpoints -n shop nfs"),
        ("PersistentVolume -/pv", "kubectl edit persistentvolume pv"),
    ],
)
def test_an_object_comes_with_the_command_that_edits_it(what: str, command: str) -> None:
    text = manifest(subsets="10.0.0.1", spec={"nodeAffinity": "vm-1"})

    assert {residue.remedy for residue in in_cluster({what: text}, SOURCE)} == {
        f"{command}, then run the same command again"
    }


def test_a_line_is_reported_without_what_it_says() -> None:
    line = "//10.0.0.1/share /mnt cifs username=u,password=pa55word 0 0"

    (residue,) = in_files("phys-1", {"/etc/fstab": line}, SOURCE)

    assert "pa55word" not in str(residue)


def test_no_secret_leaves_a_machine(folder: Path) -> None:
    host = FakeHost("phys-1", "10.0.0.21", folder / "phys-1")
    host.write(ENV, "K3S_TOKEN='K10::server:t0psecret'\nK3S_URL=https://10.0.0.1:10443\n")
    host.write("/etc/keepalived/keepalived.conf", "  auth_pass s3cret\n")
    host.write("/etc/rancher/k3s/k3s.yaml", "    client-key-data: c2VjcmV0\n    server: https://127.0.0.1:6443\n")

    said = read_daemon_files(host, timeout_s=5)

    assert said[ENV] == "K3S_TOKEN=...\nK3S_URL=https://10.0.0.1:10443"
    assert said["/etc/keepalived/keepalived.conf"] == "  auth_pass ..."
    assert "c2VjcmV0" not in said["/etc/rancher/k3s/k3s.yaml"]
    assert said["/etc/fstab"] == ""


def test_a_token_in_k3s_own_configuration_does_not_leave_a_machine(folder: Path) -> None:
    host = FakeHost("phys-1", "10.0.0.21", folder / "phys-1")
    host.write("/etc/rancher/k3s/config.yaml", "token: K10::server:t0psecret\nserver: https://10.0.0.1:10443\n")

    assert "t0psecret" not in str(read_daemon_files(host, timeout_s=5))
