"""A second cluster in the live datastore is refused, recognised and taken back."""

import pytest

from blocks.errors import RefusedError, VerificationError
from tasks.engine.finding import FindingsError
from tasks.engine.outcome import Change, Outcome
from tasks.k3s.identity import BOOTSTRAP, key_of
from tasks.k3s.join import ensure_node
from tasks.k3s.rogue import check_identity, ensure_rogue_removed
from tests.fakes import machines
from tests.fakes.world import World
from tests.unit.tasks.cases import rogue, staged, targets_of

FULL = machines.token(machines.LIVE_CA)


def check(world: World) -> Outcome:
    return check_identity.fn(world.run(), world.platform, world.keys, world.access, targets_of(world))


def heal(world: World, *, dry: bool = False) -> Outcome:
    host, target = world.hosts["phys-1"], world.platform.targets[0]
    return ensure_rogue_removed.fn(world.run(dry=dry), host, world.platform, target, world.kube, world.keys, world.access)


def join(world: World) -> Outcome:
    host, target = world.hosts["phys-1"], world.platform.targets[0]
    return ensure_node.fn(world.run(), host, world.platform, target, world.kube, world.keys, world.access)


def test_one_identity_whose_token_is_known_is_right(world: World) -> None:
    assert check(world).why == f"servers join by {world.bootstrap_key}"


def test_a_second_identity_of_nobodys_is_refused(world: World) -> None:
    world.keys.put("/bootstrap/0123456789ab", "encrypted")

    with pytest.raises(FindingsError, match=r"etcdctl del /bootstrap/0123456789ab \[k3s-two-identities\]"):
        check(world)


def test_an_unknown_token_is_refused_before_anything_is_touched(world: World) -> None:
    world.keys.delete(BOOTSTRAP)
    world.keys.put(key_of("forgotten"), "encrypted")

    with pytest.raises(RefusedError, match=r"\[k3s-token-unknown\]"):
        check(world)


def test_a_target_on_which_an_earlier_run_did_the_harm_is_recognised(world: World) -> None:
    rogue(world)

    (finding,) = check(world).findings
    assert (finding.id, finding.where) == ("k3s-rogue-server", "phys-1")


def test_it_is_healed_and_the_live_identity_stays(world: World) -> None:
    rogue(world)

    assert heal(world).change is Change.CHANGED
    assert world.keys.names(BOOTSTRAP) == [world.bootstrap_key]
    assert world.hosts["phys-1"].unit_state("k3s") == ("failed", "disabled")
    assert "phys-1" not in world.kube.node_map
    assert not world.hosts["phys-1"].path("/var/lib/rancher/k3s/server").exists()
    assert heal(world).change is Change.UNCHANGED


def test_a_rogue_whose_key_is_written_again_is_an_error(world: World) -> None:
    rogue(world)
    world.keys.whenever("delete", lambda: world.keys.put(key_of(FULL), "encrypted"))

    with pytest.raises(VerificationError, match=r"^phys-1: its rogue k3s was stopped .*: systemctl status k3s there \[k3s-rogue-stays\]$"):
        heal(world)


def test_a_dry_run_says_what_would_be_healed(world: World) -> None:
    rogue(world)

    assert heal(world, dry=True).why == f"its k3s is stopped, its node and {key_of(FULL)} are removed"


def test_the_old_platform_on_a_target_is_no_rogue(world: World) -> None:
    assert heal(world).why == "no rogue server"


def test_a_join_that_founds_a_second_cluster_is_taken_back(world: World) -> None:
    """As when the bundle's k3s looks for the identity in another way than the platform's does."""
    staged(world)
    world.founds_anew = {"phys-1"}

    with pytest.raises(RefusedError, match=r"phys-1: its k3s did not find .* it is taken back: .*\[k3s-second-cluster\]"):
        join(world)

    assert world.keys.names(BOOTSTRAP) == [world.bootstrap_key]
    assert world.hosts["phys-1"].unit_state("k3s") == ("failed", "disabled")
    assert "phys-1" not in world.kube.node_map
