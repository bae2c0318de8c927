"""The way into the live cluster is found at a machine of it, and at no other."""

import pytest

from blocks.errors import HostError, RefusedError
from tasks.k3s.identity import ClusterAccess, find_cluster_access, parse_token
from tests.fakes import machines
from tests.fakes.world import World

LIVE, OLD = machines.sha256(machines.LIVE_CA), machines.sha256(machines.OLD_CA)


def look(world: World, ca: str | None = None, *, targets_first: bool = False) -> ClusterAccess:
    platform = world.platform
    candidates = (*platform.servers, *platform.sources) if targets_first else platform.sources
    return find_cluster_access(candidates, world.hosts, ca)


def test_the_first_source_tells_which_cluster_is_live(world: World) -> None:
    found = look(world)

    assert found.credentials.ca_sha256 == LIVE
    assert found.token.get_secret_value() == machines.token(machines.LIVE_CA)


def test_a_source_that_is_down_is_passed_over(world: World) -> None:
    world.hosts["vm-1"].down = True

    assert look(world).credentials.ca_sha256 == LIVE
    assert len(world.hosts["vm-2"].calls) == 1


def test_a_source_whose_k3s_has_been_stopped_is_passed_over(world: World) -> None:
    world.hosts["vm-1"].unit("k3s", "inactive", "disabled")

    look(world)

    assert len(world.hosts["vm-2"].calls) == 1


def test_an_old_platform_on_a_target_is_not_taken_for_the_live_one(world: World) -> None:
    assert look(world, LIVE, targets_first=True).credentials.ca_sha256 == LIVE


def test_a_target_that_has_joined_is_an_entrance_without_any_source(world: World) -> None:
    world.has_nodes("phys-2")
    world.hosts["vm-1"].down = world.hosts["vm-2"].down = True

    assert look(world, LIVE, targets_first=True).credentials.ca_sha256 == LIVE


def test_a_login_that_is_not_roots_is_told_as_that(world: World) -> None:
    for host in ("vm-1", "vm-2"):
        world.hosts[host].tell("uid", "1000")

    with pytest.raises(RefusedError, match=r"vm-1: logged in as uid 1000: set ssh\.user to root; vm-2: "):
        look(world)


def test_without_an_entrance_every_machines_reason_is_told(world: World) -> None:
    world.hosts["vm-1"].down = True
    world.hosts["vm-2"].unit("k3s", "failed")

    with pytest.raises(RefusedError, match=r"no server of the live cluster answers: vm-1: .*down; vm-2: k3s is failed"):
        look(world)


def test_secrets_do_not_show_in_an_entrances_text(world: World) -> None:
    text = repr(look(world))

    assert "t0psecret" not in text
    assert "pr1vate" not in text


def test_a_token_of_another_cluster_is_refused_without_being_told() -> None:
    with pytest.raises(HostError, match="vm-1: its server token belongs to another cluster") as refused:
        parse_token("vm-1", machines.token(machines.OLD_CA), LIVE)
    assert "t0psecret" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "t0psecret", f"K10{LIVE}::node:t0psecret", f"K10{LIVE[:-1]}::server:t0psecret"])
def test_what_is_no_server_token_is_refused_without_being_told(text: str) -> None:
    with pytest.raises(HostError, match="does not hold a token of the form K10") as refused:
        parse_token("vm-1", text, LIVE)
    assert "t0psecret" not in str(refused.value)
