"""What is derived from a configuration."""

from configs.hosts import Role
from tests.fakes.platform import platform


def members(count: int) -> list[dict[str, object]]:
    return [{"name": f"phys-{n}", "address": f"10.0.0.{20 + n}", "role": "server"} for n in range(1, count + 1)]


def test_servers_store_their_data_with_target_members_only() -> None:
    assert platform().datastore_endpoint == "http://10.0.0.21:2379,http://10.0.0.22:2379,http://10.0.0.23:2379"


def test_agents_follow_the_vip_and_not_a_single_server() -> None:
    assert platform().join_url == "https://10.0.0.100:10443"


def test_roles_part_the_targets() -> None:
    found = platform()

    assert [target.name for target in found.servers] == ["phys-1", "phys-2"]
    assert [target.role for target in found.agents] == [Role.AGENT]


def test_the_first_targets_hold_the_vip() -> None:
    assert [target.name for target in platform().vip_holders] == ["phys-1", "phys-2"]


def test_every_secret_is_known_before_the_start() -> None:
    assert [str(secret) for secret in platform().secrets] == [
        "environment variable VRRP_PASSWORD",
        "environment variable DB_PASSWORD",
        "environment variable DB_ROOT_PASSWORD",
    ]


def test_deadlines_can_be_changed_one_by_one() -> None:
    found = platform(timeouts={"drain_s": 5}).timeouts

    assert (found.drain_s, found.command_s) == (5, 60)
