"""Access to the live cluster is read from one of its own servers, and from no other machine."""

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


def test_the_first_source_says_which_cluster_is_live(world: World) -> None:
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


def test_a_target_that_has_joined_gives_access_without_any_source(world: World) -> None:
    world.has_nodes("phys-2")
    world.hosts["vm-1"].down = world.hosts["vm-2"].down = True

    assert look(world, LIVE, targets_first=True).credentials.ca_sha256 == LIVE


def test_a_login_that_is_not_root_is_refused_as_such(world: World) -> None:
    for host in ("vm-1", "vm-2"):
        world.hosts[host].tell("uid", "1000")

    with pytest.raises(RefusedError, match=r"vm-1: logged in as uid 1000: set ssh\.user to root; vm-2: "):
        look(world)


def test_without_access_every_machines_reason_is_reported(world: World) -> None:
    world.hosts["vm-1"].down = True
    world.hosts["vm-2"].unit("k3s", "failed")

    with pytest.raises(
        RefusedError, match=r"no server of the live cluster answers: vm-1: .*down; vm-2: k3s is failed"
    ) as no:
        look(world)
    assert str(no.value).endswith("k3s is failed [cluster-no-live-server]")
    assert str(no.value).count("[") == 1


def test_secrets_do_not_show_in_the_text_of_an_access(world: World) -> None:
    text = repr(look(world))

    assert "t0psecret" not in text
    assert "pr1vate" not in text


def test_a_token_of_another_cluster_is_refused_without_being_shown() -> None:
    with pytest.raises(HostError, match=r"vm-1: .* belong to different clusters: .*\[k3s-token-foreign\]") as refused:
        parse_token("vm-1", machines.token(machines.OLD_CA), LIVE)
    assert "t0psecret" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "t0psecret", f"K10{LIVE}::node:t0psecret", f"K10{LIVE[:-1]}::server:t0psecret"])
def test_a_malformed_token_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(HostError, match=r"does not hold a token of the form K10.*\[k3s-token-malformed\]") as refused:
        parse_token("vm-1", text, LIVE)
    assert "t0psecret" not in str(refused.value)
