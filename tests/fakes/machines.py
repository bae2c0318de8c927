"""What is on the machines before a migration: on sources the live platform, on targets an old one and the bundle."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import tarfile
from functools import cache
from ipaddress import IPv4Address
from pathlib import Path

from tests.fakes.host import FakeHost

VENDOR = {path.name: path.read_text() for path in Path(__file__).with_name("vendor").iterdir()}
AUTH_PASS = "s3cret"
LIVE_CA, OLD_CA, ROGUE_CA = "the live platform's CA", "the old platform's CA", "a second cluster's CA"
OLD_WORKLOADS = {
    "items": [
        {
            "kind": "Deployment",
            "metadata": {"namespace": "shop", "name": "web"},
            "spec": {"template": {"spec": {"containers": [{"name": "main", "image": "app/web:1.0"}]}}},
        }
    ]
}


def sha256(ca: str) -> str:
    return hashlib.sha256(ca.encode()).hexdigest()


PASSWORD = "t0psecret"


def token(ca: str) -> str:
    """What servers of this CA hand out; they themselves were started with the password only."""
    return f"K10{sha256(ca)}::server:{PASSWORD}"


@cache
def kubeconfig(ca: str) -> str:
    ca64, certificate, key = (base64.b64encode(text.encode()).decode() for text in (ca, "a certificate", "pr1vate key"))
    user = {"client-certificate-data": certificate, "client-key-data": key}
    return json.dumps({"clusters": [{"cluster": {"certificate-authority-data": ca64}}], "users": [{"user": user}]})


@cache
def image_tar(*tags: str, manifest_name: str = "manifest.json") -> bytes:
    """As `docker save` writes it, on one line."""
    return tar_of(manifest_name, [{"Config": "abc.json", "RepoTags": list(tags), "Layers": []}])


def oci_tar(*names: str) -> bytes:
    """An OCI layout, as `docker buildx build --output type=oci` writes it."""
    images = [{"digest": "sha256:0", "annotations": {"io.containerd.image.name": name}} for name in names]
    return tar_of("index.json", {"schemaVersion": 2, "manifests": images or [{"digest": "sha256:0"}]})


def tar_of(name: str, content: object) -> bytes:
    text = json.dumps(content, separators=(",", ":")).encode()
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text))
    return whole.getvalue()


def run_k3s(host: FakeHost, *, unit: str, ca: str, more: str = "", given: str | None = None) -> None:
    """k3s as its installer leaves it, with the token that it was `given`."""
    given = given if given is not None else token(ca) if unit == "k3s-agent" else PASSWORD
    host.unit(unit)
    file, command = f"/etc/systemd/system/{unit}.service", "agent" if unit == "k3s-agent" else "server"
    host.write(file, f"[Service]\nEnvironmentFile={file}.env\nExecStart=/usr/local/bin/k3s \\\n    {command} \\\n\n")
    host.write(f"{file}.env", f"K3S_TOKEN='{given}'\n{more}", mode=0o600)
    host.write("/usr/local/bin/k3s", f"#!/bin/sh\necho '{json.dumps(OLD_WORKLOADS)}'\n", mode=0o755)
    host.write(f"/usr/local/bin/{unit}-uninstall.sh", VENDOR["k3s-uninstall.sh"], mode=0o755)
    hand_out(host, ca=ca)
    host.tell("processes", "4711 k3s-server")


def call_k3s(host: FakeHost, unit: str, *, command: str = "server") -> None:
    """Its server's unit has this name, as INSTALL_K3S_NAME makes it, and runs `command`."""
    for name in (old := "/etc/systemd/system/k3s.service", f"{old}.env", "/usr/local/bin/k3s-uninstall.sh"):
        text = host.read(name).replace("k3s.service", f"{unit}.service").replace("    server ", f"    {command} ")
        new = name.replace("k3s.service", f"{unit}.service").replace("k3s-uninstall", f"{unit}-uninstall")
        host.write(new, text, mode=host.path(name).stat().st_mode & 0o777)
        host.path(name).unlink()
    host.unit("k3s", "inactive", "disabled")
    host.unit(unit)


def server_unit(host: FakeHost) -> str:
    """The unit that runs a server there, the usual one if none does."""
    units = sorted(host.disk.folders_in(".state/units"))
    return next((unit for unit in units if unit.startswith("k3s") and unit != "k3s-agent" and host.runs(unit)), "k3s")


def stop_k3s(host: FakeHost) -> None:
    host.unit("k3s", "inactive", "disabled")
    host.tell("processes", "")


def environment(host: FakeHost, unit: str) -> dict[str, str]:
    """What a k3s unit is started with."""
    env = host.disk.read(f"etc/systemd/system/{unit}.service.env") or b""
    return dict(re.findall(r"^(K3S_\w+)='?([^'\n]*)'?$", env.decode(), re.MULTILINE))


def hand_out(host: FakeHost, *, ca: str) -> None:
    """What k3s writes once it is a server of the cluster."""
    host.write("/etc/rancher/k3s/k3s.yaml", kubeconfig(ca))
    host.write("/var/lib/rancher/k3s/server/token", token(ca) + "\n", mode=0o600)
    host.write("/var/lib/rancher/k3s/server/node-token", token(ca) + "\n", mode=0o600)
    host.write("/var/lib/rancher/k3s/server/tls/server-ca.crt", ca)


def run_docker(host: FakeHost, containers: str, images: str) -> None:
    host.unit("docker")
    host.tell("containers", containers)
    host.tell("images", images)


KEEPALIVED = """\
vrrp_instance VI_1 {{
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority {priority}
    advert_int 1
    authentication {{
        auth_type PASS
        auth_pass {auth_pass}
    }}
    virtual_ipaddress {{
        10.0.0.100/24
    }}
}}
"""


def run_keepalived(host: FakeHost, *, priority: int = 100, auth_pass: str = AUTH_PASS) -> None:
    host.unit("keepalived")
    host.write("/etc/keepalived/keepalived.conf", KEEPALIVED.format(priority=priority, auth_pass=auth_pass), mode=0o600)


def advert(*addresses: str, vrid: int = 51, version: int = 2, auth_pass: str = AUTH_PASS, interval: int = 1) -> str:
    """The payload of an advert as keepalived 2.2.7 sends it, in hexadecimal; an empty password is no authentication."""
    kind = (1 if auth_pass else 0, interval) if version == 2 else divmod(100 * interval, 256)
    listed = b"".join(IPv4Address(address).packed for address in addresses)
    password = auth_pass.encode()[:8].ljust(8, b"\0") if version == 2 else b""
    return (bytes((version << 4 | 1, vrid, 100, len(addresses), *kind, 0, 0)) + listed + password).hex()


def run_etcd(host: FakeHost, *flags: str, environment: str = "") -> None:
    """An etcd that was started with these flags, one word each, and variables of a file, one line each. Paths are below its root."""
    words = ("--name", host.name, "--data-dir", f"{host.root}/mnt/disks/etcd", *flags)
    host.unit("etcd")
    start = f"EnvironmentFile=/etc/etcd.env\nExecStart=/usr/local/bin/etcd \\\n    {' '.join(words)}\n"
    host.write("/etc/systemd/system/etcd.service", start)
    host.write("/etc/etcd.env", environment)
    host.write("/mnt/disks/etcd/member/snap/db", "data\n")
    host.tell("units/etcd/pid", "815")
    host.write("/proc/815/cmdline", "".join(f"{word}\0" for word in ("/usr/local/bin/etcd", *words)))
    host.write("/proc/815/environ", environment.replace("\n", "\0"))


def run_firewalld(host: FakeHost, *settings: str, permanent: tuple[str, ...] | None = None) -> None:
    """With these settings of zones, "ZONE SETTING VALUE", in both configurations where no others are given."""
    host.unit("firewalld")
    usual = ("public interfaces eth0", "public services ssh")
    host.tell("firewall-runtime", "\n".join((*usual, *settings)))
    host.tell("firewall-permanent", "\n".join((*usual, *(settings if permanent is None else permanent))))


def make_source(host: FakeHost) -> None:
    run_k3s(host, unit="k3s", ca=LIVE_CA, more="K3S_DATASTORE_ENDPOINT='http://10.0.0.11:2379'\n")
    run_docker(host, "k8s_web_shop app/web:2.0 Up pod\nregistry registry:2 Up plain", "app/web:2.0 sha256:2")
    run_keepalived(host)
    run_etcd(host)


def bring(host: FakeHost, *, etcd: str, k3s: str) -> None:
    """The versions that a target would join with."""
    host.write("/usr/local/bin/etcd", f"#!/bin/sh\necho 'etcd Version: {etcd}'\n", mode=0o755)
    host.write("/opt/k3s/vendor/k3s", f"#!/bin/sh\necho 'k3s version v{k3s}+k3s1 (abc)'\n", mode=0o755)


def make_target(host: FakeHost, *, server: bool) -> None:
    host.call_it(f"old-{host.name}")
    run_k3s(host, unit="k3s" if server else "k3s-agent", ca=OLD_CA)
    run_docker(host, "k8s_web_shop app/web:1.0 Up pod\nold_tool app/tool:0.9 Exited plain", "app/web:1.0 sha256:1")
    host.unit("keepalived", "inactive", "disabled")
    host.unit("etcd", "inactive", "disabled")
    bring(host, etcd="3.5.21", k3s="1.20.2")
    for name, script in VENDOR.items():
        host.write(f"/opt/k3s/vendor/{name}", script, mode=0o755)
    host.write("/opt/k3s/image/app.tar", image_tar("app/web:2.0", "app/db:1.0"))
    host.write("/opt/k3s/vendor/k3s-airgap-images-amd64.tar", image_tar("rancher/pause:3.1"))
