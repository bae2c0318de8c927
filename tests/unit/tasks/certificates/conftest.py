"""A platform whose etcd speaks TLS, on both sides."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import machines
from tests.fakes.certificates import Authority
from tests.fakes.clock import FakeTime
from tests.fakes.platform import CONFIG, platform
from tests.fakes.world import World


@pytest.fixture
def authority(folder: Path) -> Authority:
    """Has signed the client's pair, the sources' and the targets'."""
    made = Authority(folder / "pki")
    made.issue("client", usages=("clientAuth",))
    for machine in platform().machines:
        made.issue(f"members/{machine.name}", str(machine.address))
    return made


@pytest.fixture
def world(folder: Path, time: FakeTime, authority: Authority) -> World:
    pki = authority.folder
    tls = {"ca": pki / "ca.crt", "cert": pki / "client.crt", "key": pki / "client.key", "members": pki / "members"}
    made = World(folder, time, platform(etcd={**CONFIG["etcd"], "tls": tls}))
    for source in made.platform.sources:
        serve(made, source.name, authority)
    made.forget()
    return made


def serve(world: World, name: str, authority: Authority, *more: str) -> None:
    """Let a source's etcd run with certificates of this authority: what it shows is in its unit, whom it accepts in a file of
    variables that the unit names.
    """
    host = world.hosts[name]
    host.write("/etc/etcd/ca.crt", authority.cert.read_text())
    host.write("/etc/etcd/own.crt", (authority.folder / f"members/{name}.crt").read_text())
    accepts = "".join(f"ETCD_{of}TRUSTED_CA_FILE={host.path('/etc/etcd/ca.crt')}\nETCD_{of}CLIENT_CERT_AUTH=true\n" for of in ("", "PEER_"))
    pairs = [word for of in ("", "peer-") for word in (f"--{of}cert-file", str(host.path("/etc/etcd/own.crt")))]
    machines.run_etcd(host, *pairs, *more, environment=accepts)
