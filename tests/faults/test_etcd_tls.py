"""A platform whose etcd accepts nobody without a certificate: a config without any is refused, and the whole move."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.runs import migrate
from tests.faults.story import Story
from tests.lab import world

pytestmark = pytest.mark.timeout(2400)
LAB = ("LAB_ETCD_TLS", "1")
PLAIN = world.ROOT / "configs/lab.yaml"
URLS = [(target, f"https://10.99.0.{number}:2380", False) for number, target in enumerate(world.TARGETS, start=21)]
ENV = "/etc/systemd/system/k3s.service.env"


def test_a_config_without_certificates_is_refused_before_anything_is_changed(special_lab: None, secrets: dict[str, str]) -> None:
    ended = migrate(secrets, PLAIN)

    assert not ended.ok
    assert "[etcd-speaks-tls]" in ended.error
    assert not any(entry["outcome"] == "changed" for entry in ended.report["entries"])


def test_the_whole_platform_moves_and_every_acknowledged_write_is_kept(secrets: dict[str, str], config: Path) -> None:
    with Story("etcd with TLS", secrets) as story:
        ended = migrate(secrets, config)
        assert ended.ok, ended.error
        story.saw("none", "the whole migration")
        story.ends_verified(ended.report)
    assert world.members("phys-1") == URLS
    assert all(world.etcd_healthy(target) for target in world.TARGETS)
    for target in world.TARGETS:
        assert "client-cert-auth" in world.on(target, "tr '\\0' ' ' < /proc/$(pidof etcd)/cmdline")
        assert world.on(target, "find /etc/ssl/etcd -name '*.key' ! -perm 600") == ""
    for target in world.SERVERS:
        assert "http:" not in world.on(target, f"grep DATASTORE {ENV}")


def test_the_same_command_again_confirms_it(secrets: dict[str, str], config: Path) -> None:
    ended = migrate(secrets, config)

    assert ended.ok, ended.error
    assert {entry["outcome"] for entry in ended.report["entries"]} == {"unchanged"}
