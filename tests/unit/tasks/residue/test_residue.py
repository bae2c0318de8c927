"""What still names a source, and what only looks as if it did."""

import json
from pathlib import Path

import pytest

from configs.hosts import Source
from tasks.residue.files import in_files, read_daemon_files
from tasks.residue.objects import in_cluster
from tests.fakes.host import FakeHost

SOURCE = Source.model_validate({"name": "vm-1", "address": "10.0.0.1"})
ENV = "/etc/systemd/system/k3s.service.env"


def manifest(**parts: object) -> str:
    return json.dumps({"metadata": {"name": "x"}, **parts})


def in_template(**spec: object) -> str:
    return manifest(spec={"template": {"spec": spec}})


def in_job(**spec: object) -> str:
    return manifest(spec={"jobTemplate": {"spec": {"template": {"spec": spec}}}})


def preferring(node: str) -> dict[str, object]:
    terms = [{"preference": {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}}]
    return {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": terms}}


def leader(name: str) -> str:
    annotations = {"control-plane.alpha.kubernetes.io/leader": json.dumps({"holderIdentity": name})}
    return json.dumps({"metadata": {"name": "k3s", "annotations": annotations}})


@pytest.mark.parametrize("line", ["http://10.0.0.1:2379", "10.0.0.1", "a,10.0.0.1,b", "10.0.0.1/24", "see 10.0.0.1."])
def test_an_address_is_found_in_a_line(line: str) -> None:
    (residue,) = in_files("phys-1", {ENV: f"\n{line}"}, SOURCE)

    assert (residue.where, residue.what) == (f"phys-1:{ENV}", "line 2 names 10.0.0.1")


@pytest.mark.parametrize("line", ["K3S_URL=https://10.0.0.1:10443", "export K3S_URL='10.0.0.1'", "  K3S_URL: 10.0.0.1"])
def test_a_setting_is_reported_by_its_name(line: str) -> None:
    (residue,) = in_files("phys-1", {ENV: line}, SOURCE)

    assert (residue.where, residue.what) == (f"phys-1:{ENV}", "line 1, K3S_URL names 10.0.0.1")


@pytest.mark.parametrize(
    "line",
    ["10.0.0.11", "110.0.0.1", "10.0.0.1.5", "1.10.0.0.1", "10.0.0.10:80", "vm-10", "old-vm-1", "vm-1.other.example"],
)
def test_another_address_is_not_taken_for_it(line: str) -> None:
    assert in_files("phys-1", {ENV: line}, SOURCE) == []


@pytest.mark.parametrize(
    ("path", "hard"),
    [
        (ENV, True),
        ("/etc/systemd/system/k3s-agent.service", True),
        ("/etc/rancher/k3s/config.yaml", True),
        ("/etc/keepalived/keepalived.conf", True),
        ("/etc/rancher/k3s/registries.yaml", True),
        ("/etc/systemd/system/docker.service.d/proxy.conf", True),
        ("/root/.kube/config", False),
    ],
)
@pytest.mark.parametrize("named", ["10.0.0.1", "https://vm-1:10443"])
def test_what_a_daemon_reads_is_hard(path: str, hard: bool, named: str) -> None:
    assert [residue.hard for residue in in_files("phys-1", {path: named}, SOURCE)] == [hard]


@pytest.mark.parametrize(
    ("path", "line", "hard"),
    [
        ("/etc/fstab", "10.0.0.1:/export /mnt nfs defaults 0 0", True),
        ("/etc/fstab", "vm-1:/uap-global /mnt/uap-global glusterfs defaults,_netdev 0 0", True),
        ("/etc/fstab", "10.0.0.1:/export /mnt nfs noauto,ro 0 0", False),
        ("/etc/resolv.conf", "nameserver 10.0.0.1", True),
        ("/etc/resolv.conf", "search vm-1", False),
        ("/etc/chrony.conf", "server 10.0.0.1 iburst", True),
        ("/etc/chrony/chrony.conf", "allow 10.0.0.1/24", False),
        ("/etc/systemd/timesyncd.conf", "NTP=10.0.0.1", True),
        (ENV, "NO_PROXY=localhost,10.0.0.1", False),
        (ENV, "HTTPS_PROXY=http://10.0.0.1:3128", True),
        ("/etc/docker/daemon.json", '{"registry-mirrors": ["http://10.0.0.1:5000"]}', True),
        ("/etc/docker/daemon.json", '{"insecure-registries": ["10.0.0.1:5000"]}', False),
        ("/etc/docker/daemon.json", '{"registry-mirrors": ["http://10.0.0.1:5000"', True),
    ],
)
def test_a_setting_by_which_the_machine_reaches_the_source_is_hard(path: str, line: str, hard: bool) -> None:
    assert [residue.hard for residue in in_files("phys-1", {path: line}, SOURCE)] == [hard]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/etc/rancher/k3s/config.yaml", "# server: https://10.0.0.1:6443   (until 2024)"),
        ("/etc/rancher/k3s/config.yaml", "server: https://10.0.0.100:6443 # was 10.0.0.1"),
        ("/etc/keepalived/keepalived.conf", "! was 10.0.0.1"),
        ("/etc/resolv.conf", "; nameserver 10.0.0.1"),
        ("/etc/fstab", "\t# 10.0.0.1:/export /mnt nfs defaults 0 0"),
        ("/etc/chrony.conf", "% server 10.0.0.1"),
    ],
)
def test_a_comment_says_nothing(path: str, line: str) -> None:
    assert in_files("phys-1", {path: line}, SOURCE) == []


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
        ("StorageClass -/lake", manifest(parameters={"resturl": "http://10.0.0.1:8080"}), [True]),
        ("PersistentVolume -/x", manifest(spec={"nfs": {"server": "10.0.0.1", "path": "/data"}}), [True]),
        ("PersistentVolume -/x", manifest(spec={"nfs": {"server": "vm-1", "path": "/data"}}), [True]),
        ("PersistentVolume -/x", manifest(spec={"iscsi": {"targetPortal": "10.0.0.1:3260"}}), [True]),
        ("PersistentVolume -/x", manifest(spec={"csi": {"volumeAttributes": {"server": "10.0.0.1"}}}), [True]),
        ("Deployment shop/x", in_template(volumes=[{"name": "v", "nfs": {"server": "10.0.0.1"}}]), [True]),
        ("CronJob shop/x", in_job(volumes=[{"name": "v", "glusterfs": {"endpoints": "vm-1"}}]), [True]),
        ("CronJob shop/x", in_job(nodeSelector={"kubernetes.io/hostname": "vm-1"}), [True]),
        ("Deployment shop/x", in_template(containers=[{"name": "a", "image": "10.0.0.1:5000/app/web:1.0"}]), [True]),
        ("Deployment shop/x", in_template(containers=[{"name": "a", "image": "app/web:1.0", "args": ["vm-1:80"]}]), [False]),
        ("Deployment shop/x", in_template(affinity=preferring("vm-1")), [False]),
        ("Service shop/x", manifest(spec={"externalIPs": ["10.0.0.1"]}), [True]),
        ("Service shop/x", manifest(spec={"type": "ExternalName", "externalName": "vm-1"}), [True]),
        ("Ingress shop/x", manifest(spec={"rules": [{"host": "vm-1"}]}), [True]),
        ("ValidatingWebhookConfiguration -/x", manifest(webhooks=[{"name": "a", "clientConfig": {"url": "https://10.0.0.1/"}}]), [True]),
        ("ConfigMap shop/x", manifest(data={"url": "jdbc:mysql://vm-1:3306/app"}), [False]),
        ("ConfigMap kube-system/k3s", leader("vm-1_6bd2"), []),
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
        ("Endpoints shop/a", {"labels": {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}}),
    ],
)
def test_endpoints_that_follow_by_themselves_are_left_out(what: str, meta: dict[str, object]) -> None:
    text = json.dumps({"metadata": {"name": "x", **meta}, "subsets": [{"addresses": [{"ip": "10.0.0.1"}]}]})

    assert in_cluster({what: text}, SOURCE) == []


@pytest.mark.parametrize(("selector", "hard"), [({"app": "a"}, []), (None, [True])])
def test_endpoints_of_a_service_follow_its_pods_if_it_selects_any(selector: dict[str, str] | None, hard: list[bool]) -> None:
    address = {"ip": "10.0.0.1", "nodeName": "vm-1"}
    objects = {"Endpoints shop/a": manifest(subsets=[{"addresses": [address]}]), "Service shop/a": manifest(spec={"selector": selector})}

    assert [residue.hard for residue in in_cluster(objects, SOURCE)] == hard


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
    text = manifest(subsets="10.0.0.1", spec={"nodeAffinity": {"required": "vm-1"}})

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
    assert "/etc/fstab" not in said


def test_files_of_a_pattern_are_read_by_their_names(folder: Path) -> None:
    host = FakeHost("phys-1", "10.0.0.21", folder / "phys-1")
    for name in ("a", "b"):
        host.write(f"/etc/systemd/system/k3s.service.d/{name}.conf", f"[Service]\nEnvironment={name}=http://u:s3cret@10.0.0.1\n")

    said = read_daemon_files(host, timeout_s=5)

    assert {path: text for path, text in said.items() if "k3s.service.d" in path} == {
        f"/etc/systemd/system/k3s.service.d/{name}.conf": f"[Service]\nEnvironment={name}=http://...@10.0.0.1" for name in ("a", "b")
    }


def test_a_token_in_k3s_own_configuration_does_not_leave_a_machine(folder: Path) -> None:
    host = FakeHost("phys-1", "10.0.0.21", folder / "phys-1")
    host.write("/etc/rancher/k3s/config.yaml", "token: K10::server:t0psecret\nserver: https://10.0.0.1:10443\n")

    assert "t0psecret" not in str(read_daemon_files(host, timeout_s=5))
