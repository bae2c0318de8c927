"""A target whose firewall begins to drop VRRP amid the run never speaks: the VIP stays where everybody knows it to be."""

from __future__ import annotations

import re

import pytest

from tests.faults.conftest import Uninterrupted
from tests.faults.runs import at, heal, migrate
from tests.faults.story import Story
from tests.lab import world

pytestmark = pytest.mark.timeout(1800)
CONFIG = world.ROOT / "configs/lab.yaml"
ASKING = f"timeout 2 bash -c '</dev/tcp/{world.VIP}/10443'; ip neigh show {world.VIP} | grep -oE '([0-9a-f]{{2}}:){{5}}[0-9a-f]{{2}}'"


def neighbours() -> dict[str, str]:
    """By machine, which hardware address it sends to for the VIP; its holder sends to none."""
    return {machine: world.on(machine, ASKING, check=False).strip() for machine in (*world.SOURCES, *world.TARGETS)}


def test_a_target_that_no_longer_hears_the_holder_gets_no_keepalived(uninterrupted: Uninterrupted, secrets: dict[str, str]) -> None:
    world.lab("up", "--fresh", timeout_s=3000)
    before, holder = neighbours(), world.vip_holders(world.SOURCES)
    with Story("a firewall that drops VRRP", secrets) as story:
        ended = migrate(secrets, CONFIG, at("before act", "joining k3s", "vrrp-blocked", "phys-2"))
        refused = re.search(r"phys-2: no VRRP adverts of VRID 51 heard on eth0 within .*\[vip-adverts-unheard\]", ended.error)
        assert refused, ended.error
        story.saw("vrrp-blocked, once preflight was over", refused[0])
        assert world.on("phys-2", "systemctl is-active keepalived", check=False).strip() != "active"
        assert world.vip_holders((*world.SOURCES, *world.TARGETS)) == holder
        assert neighbours() == before
        assert len({address for address in before.values() if address}) == 1

        heal()
        ended = migrate(secrets, CONFIG)
        assert ended.ok, ended.error
        story.saw("none", "the rest of the migration")
        story.ends_as(uninterrupted.state)
