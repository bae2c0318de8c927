"""Whether etcd can grow, and whether the targets have become its members."""

from collections.abc import Callable

import pytest

from blocks.errors import EtcdUnavailableError
from tasks.engine.finding import FindingsError
from tasks.engine.outcome import Outcome
from tasks.etcd.checks import check_etcd, verify_etcd
from tests.fakes.platform import CONFIG, platform
from tests.fakes.world import World


def ask_etcd(world: World) -> Outcome:
    return check_etcd.fn(world.run(), world.platform, world.etcd)


def findings(world: World) -> list[str]:
    return [str(finding) for finding in ask_etcd(world).findings]


def sized(world: World, targets: int, sources: int) -> None:
    """A move from `sources`, all of them members already, to `targets`, all of them to be members."""
    world.platform = platform(
        sources=[{"name": f"vm-{n}", "address": f"10.0.0.{10 + n}"} for n in range(1, sources + 1)],
        targets=[{"name": f"phys-{n}", "address": f"10.0.0.{20 + n}", "role": "server"} for n in range(1, targets + 1)],
    )


def test_a_healthy_etcd_has_no_findings_and_its_versions_are_reported(world: World) -> None:
    outcome = ask_etcd(world)

    assert (outcome.why, outcome.findings) == ("2 voters, etcd 3.5.21", ())


def test_a_member_whose_machine_died_for_good_is_not_judged(world: World) -> None:
    sized(world, targets=3, sources=3)
    world.platform = platform(sources=[*world.platform.model_dump()["sources"][:2], {"name": "vm-3", "address": "10.0.0.13", "lost": True}])
    world.etcd.joined("vm-3", "10.0.0.13")
    world.etcd.down = {"vm-3"}

    assert ask_etcd(world).why == "2 voters, etcd 3.5.21"


def test_a_silent_voter_is_refused_and_no_configuration_can_accept_it(world: World) -> None:
    world.etcd.down = {"vm-2"}
    world.platform = platform(accepted=[{"id": "etcd-voters-silent", "where": "etcd", "reason": "it is only one"}])

    with pytest.raises(FindingsError, match=r"voters vm-2 do not answer: 1 of 2 are up.*\[etcd-voters-silent\]"):
        ask_etcd(world)


def test_members_that_disagree_are_asked_again_later(world: World) -> None:
    world.etcd.stale["vm-2"] = []

    with pytest.raises(EtcdUnavailableError, match=r"members disagree.*\[etcd-disagrees\]"):
        ask_etcd(world)


def test_a_member_that_nobody_knows_is_refused_and_not_to_be_removed(world: World) -> None:
    world.etcd.joined("stranger", "10.0.0.77")

    with pytest.raises(FindingsError, match=r"member stranger at http://10.0.0.77:2380 is on neither.*\[etcd-member-unknown\]") as no:
        ask_etcd(world)
    assert "remove" not in str(no.value)


def test_members_whose_peers_call_them_by_name_are_known(world: World) -> None:
    world.etcd.called_by_name("vm-1")
    world.etcd.called_by_name("vm-2")

    assert findings(world) == []


@pytest.mark.parametrize(
    ("name", "peer", "client"),
    [("vm-1", "etcd-a", ""), ("default", "vm-1.example.com", ""), ("default", "localhost", "http://10.0.0.11:2379")],
    ids=["by its own name", "by a longer name", "by its client URL"],
)
def test_a_member_at_another_peer_url_gets_the_expected_one(world: World, name: str, peer: str, client: str) -> None:
    member = world.etcd.called("vm-1")
    world.etcd.called_by_name("vm-1", peer, client)
    world.etcd.renamed("vm-1", name)

    with pytest.raises(FindingsError) as refused:
        ask_etcd(world)
    assert str(refused.value) == (
        f"etcd: member {name} has the peer URL http://{peer}:2380, expected http://10.0.0.11:2380 if it is vm-1's: "
        f"etcdctl member update {member.id:x} --peer-urls=http://10.0.0.11:2380, or correct the config [etcd-peer-url-differs]"
    )


def test_members_that_meet_by_tls_are_refused(world: World) -> None:
    world.etcd.peers_by_tls("vm-1")

    with pytest.raises(FindingsError, match=r"member vm-1 has the peer URL https://10.0.0.11:2380.*\[etcd-peer-tls\]"):
        ask_etcd(world)


def test_members_that_meet_by_plain_http_are_refused_when_the_config_has_tls(world: World) -> None:
    tls = {"ca": "/p/ca", "cert": "/p/c", "key": "/p/k", "members": "/p/m"}
    world.platform = platform(etcd={**CONFIG["etcd"], "tls": tls})

    with pytest.raises(FindingsError, match=r"member vm-1 has the peer URL http://10.0.0.11:2380.*\[etcd-peer-plain\]"):
        ask_etcd(world)


def test_a_member_that_advertises_a_loopback_address_is_noted(world: World) -> None:
    world.etcd.called_by_name("vm-1", "10.0.0.11", "http://localhost:2379")

    (found,) = findings(world)
    assert found.startswith("etcd: member vm-1 advertises http://localhost:2379, which leads clients to their own machine")


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (lambda w: w.etcd.has_alarm("NOSPACE"), r"alarm NOSPACE on vm-1.*etcdctl alarm disarm \[etcd-alarm\]"),
        (lambda w: w.etcd.has_alarm("CORRUPT"), r"alarm CORRUPT on vm-1.*replace that member.*\[etcd-alarm\]"),
        (lambda w: w.etcd.leaderless.add("vm-2"), r"vm-2 answer, but know no leader.*\[etcd-voters-leaderless\]"),
        (lambda w: w.etcd.unstarted("10.0.0.12"), r"voter and has never started.*member remove.*\[etcd-voter-unstarted\]"),
    ],
    ids=["no space", "corrupt", "no leader", "never started"],
)
def test_what_is_wrong_with_a_member_is_called_what_it_is(world: World, given: Callable[[World], object], found: str) -> None:
    given(world)

    with pytest.raises(FindingsError, match=found) as refused:
        ask_etcd(world)
    assert "do not answer" not in str(refused.value)


def test_all_that_is_wrong_with_the_members_is_found_together(world: World) -> None:
    world.etcd.joined("stranger", "10.0.0.77")
    world.etcd.has_alarm("NOSPACE")

    with pytest.raises(FindingsError) as refused:
        ask_etcd(world)
    assert [finding.id for finding in refused.value.findings] == ["etcd-alarm", "etcd-member-unknown"]


@pytest.mark.parametrize(
    ("version", "warned"),
    [("3.5.0", 0), ("3.5.1", 1), ("3.5.19", 1), ("3.5.20", 0), ("3.5.21", 0), ("3.6.1", 0), ("3.5.4-rc.0", 0)],
)
def test_versions_that_do_not_persist_a_promotion_are_a_warning(world: World, version: str, warned: int) -> None:
    world.etcd.versions = {"vm-1": version, "vm-2": version}

    ids = [finding.id for finding in ask_etcd(world).findings]
    assert ids == ["etcd-promotion-not-persisted"] * warned


def test_mixed_versions_are_a_warning(world: World) -> None:
    world.etcd.versions = {"vm-1": "3.5.30"}

    assert findings(world) == [
        "etcd: members run different versions: 3.5.21, 3.5.30: finish the upgrade first [etcd-mixed-versions]"
    ]


@pytest.mark.parametrize(
    ("targets", "sources", "found"), [(6, 1, ["etcd-even-members"]), (5, 1, []), (2, 1, ["etcd-even-members"])]
)
def test_an_even_number_of_members_is_a_warning(world: World, targets: int, sources: int, found: list[str]) -> None:
    sized(world, targets, sources)
    world.etcd.remove(world.etcd.called("vm-2"))

    assert [finding.id for finding in ask_etcd(world).findings] == found


def test_the_warning_about_an_even_number_says_what_it_tolerates(world: World) -> None:
    sized(world, 6, 1)
    world.etcd.remove(world.etcd.called("vm-2"))

    assert findings(world) == [
        "etcd: 6 members tolerate the loss of 2, no more than 5 do: "
        "set 'etcd: false' on one target, or true on one more [etcd-even-members]"
    ]


def test_a_large_etcd_on_the_way_is_noted(world: World) -> None:
    sized(world, 7, 2)

    assert findings(world) == [
        "etcd: grows to 9 members during the move; every write then waits for 5 of them [etcd-many-members]"
    ]


def learner(world: World) -> None:
    world.etcd.remove(world.etcd.called("phys-3"))
    world.etcd.begun("10.0.0.23")


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (
            lambda w: w.etcd.joined("vm-1", "10.0.0.11"),
            r"voters are .*10.0.0.11.*, expected .*\[etcd-not-the-targets\]",
        ),
        (learner, r"voters are .*, expected .*10.0.0.23.*\[etcd-not-the-targets\]"),
        (lambda w: w.etcd.down.add("phys-2"), r"phys-2 do not answer.*\[etcd-voters-silent\]"),
        (lambda w: w.etcd.stale.update({"phys-2": []}), r"list different members.*\[etcd-lists-differ\]"),
    ],
    ids=["a source is still a member", "a target is only a learner", "a member is silent", "members list others"],
)
def test_an_etcd_that_has_not_become_the_targets_is_refused(
    world: World, given: Callable[[World], object], found: str
) -> None:
    world.has_left()
    given(world)

    with pytest.raises(FindingsError, match=found):
        verify_etcd.fn(world.run(), world.platform, world.etcd)


def test_an_etcd_of_the_targets_is_verified(world: World) -> None:
    world.has_left()

    outcome = verify_etcd.fn(world.run(), world.platform, world.etcd)

    assert outcome.why == "3 members, the same 3 on each, all healthy"
