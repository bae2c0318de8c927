"""The whole move of a platform whose etcd speaks TLS, on fakes."""

from __future__ import annotations

from pathlib import Path

from flows.migrate import move
from tests.fakes import machines
from tests.fakes.certificates import tls_of
from tests.fakes.clock import FakeTime
from tests.fakes.platform import CONFIG, platform
from tests.fakes.world import World
from tests.flows.sessions import perform


def test_members_and_servers_have_their_certificates_before_they_join(folder: Path, time: FakeTime) -> None:
    patient = dict.fromkeys(("http_s", "api_s", "etcd_s", "sql_s"), 600)
    small = {"http_checks": [], "targets": CONFIG["targets"][1:], "interruption": patient}
    files = tls_of(folder / "pki", platform(**small)).model_dump(exclude={"folder"})
    world = World(folder, time, platform(**small, etcd={**CONFIG["etcd"], "tls": files}))

    report = perform(move, world)

    steps = [(entry.step, entry.target) for entry in report.entries]
    for target in ("phys-2", "phys-3"):
        assert steps.index(("stage etcd certificates", target)) < steps.index(("join etcd", target))
        assert "--cert-file /etc/ssl/etcd/member.crt" in world.hosts[target].read("/etc/systemd/system/etcd.service")
    server = machines.environment(world.hosts["phys-2"], "k3s")
    assert server["K3S_DATASTORE_KEYFILE"].endswith("/etc/ssl/etcd/client.key")
    assert {url for member in world.etcd.members() for url in member.peer_urls} == {"https://10.0.0.22:2380", "https://10.0.0.23:2380"}
    assert "PRIVATE KEY" not in str(report)
    assert {entry.outcome for entry in perform(move, world).entries} == {"unchanged"}
