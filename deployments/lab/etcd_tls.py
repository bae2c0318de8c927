"""LAB_ETCD_TLS=1: the platform's etcd has certificates, for clients and between members, and accepts nobody without one.

They come from an authority of the lab's own, made once and kept over resets, as an operator's would: files on this box, for
the sources, for the client, and for each target that is to become a member.
"""

from __future__ import annotations

import os
import ssl

from deployments.lab import cache
from deployments.lab.machines import MACHINES, Machine
from deployments.lab.shell import LabError, run

CA, CA_KEY = cache.PKI / "ca.crt", cache.PKI / "ca.key"
CLIENT, CLIENT_KEY = cache.PKI / "client.crt", cache.PKI / "client.key"
MEMBERS = cache.PKI / "members"
ON_SOURCES = "/etc/etcd/ssl"
ON_MACHINES = "/etc/lab/etcd"
NEW = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650")


def is_on() -> bool:
    """Whether the lab's etcd speaks TLS."""
    asked = os.environ.get("LAB_ETCD_TLS", "0")
    if asked not in ("0", "1"):
        raise LabError(f"LAB_ETCD_TLS: {asked!r} is neither 0 nor 1")
    return asked == "1"


def scheme() -> str:
    """Of etcd's URLs, for clients and between members."""
    return "https" if is_on() else "http"


def form() -> str:
    """Names the authority; nothing where there is none."""
    return CA.read_text() if is_on() else ""


def ensure() -> None:
    """The authority and all certificates exist, if they are wanted."""
    if not is_on():
        return
    MEMBERS.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not CA.exists():
        run(*NEW, "-keyout", CA_KEY, "-out", CA, "-subj", "/CN=lab etcd", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    _issue("client", "extendedKeyUsage=clientAuth")
    for machine in MACHINES:
        names = f"subjectAltName=IP:{machine.address},IP:127.0.0.1,DNS:{machine.name}"
        _issue(f"members/{machine.name}", names, "extendedKeyUsage=serverAuth,clientAuth")


def context() -> ssl.SSLContext | None:
    """What an observer on this box asks etcd with."""
    if not is_on():
        return None
    made = ssl.create_default_context(cafile=CA)
    made.load_cert_chain(CLIENT, CLIENT_KEY)
    return made


def config() -> dict[str, str] | None:
    """What a platform's configuration needs, as `etcd.tls`."""
    return {"ca": str(CA), "cert": str(CLIENT), "key": str(CLIENT_KEY), "members": str(MEMBERS)} if is_on() else None


def of_observers() -> dict[str, str]:
    """Files on every machine with which etcdctl there reaches the etcd beside it: `. /etc/lab/etcdctl`."""
    said = {"API": "3", "ENDPOINTS": f"{scheme()}://127.0.0.1:2379"}
    files = {}
    if is_on():
        files = {f"{ON_MACHINES}/{path.name}": path.read_text() for path in (CA, CLIENT, CLIENT_KEY)}
        said |= dict(zip(("CACERT", "CERT", "KEY"), files, strict=True))
    return files | {"/etc/lab/etcdctl": "".join(f"export ETCDCTL_{name}={value}\n" for name, value in said.items())}


def of_source(machine: Machine) -> dict[str, str]:
    """Files on a source: its member's pair, the API server's as a client, and the authority."""
    own = {"member.crt": MEMBERS / f"{machine.name}.crt", "member.key": MEMBERS / f"{machine.name}.key"}
    files = own | {path.name: path for path in (CA, CLIENT, CLIENT_KEY)}
    return {f"{ON_SOURCES}/{name}": path.read_text() for name, path in files.items()} if is_on() else {}


def _issue(name: str, *extensions: str) -> None:
    cert, key = cache.PKI / f"{name}.crt", cache.PKI / f"{name}.key"
    if not cert.exists():
        added = [word for extension in ("basicConstraints=CA:FALSE", *extensions) for word in ("-addext", extension)]
        run(*NEW, "-keyout", key, "-out", cert, "-CA", CA, "-CAkey", CA_KEY, "-subj", f"/CN={cert.stem}", *added)
