"""The proof that a target holds the VIP fails when anything is left half done."""

from collections.abc import Callable

import pytest

from tasks.engine.finding import FindingsError
from tasks.vip.checks import verify_vip
from tests.fakes.world import World
from tests.unit.tasks.cases import hosts_of

Given = Callable[[World], object]
BROKEN: dict[str, tuple[Given, tuple[str, ...]]] = {
    "the VIP is nowhere": (lambda world: world.hosts["phys-1"].tell("addresses", ""), ("10.0.0.100",)),
    "a source holds the VIP": (
        lambda world: world.hosts["vm-1"].tell("addresses", "eth0 10.0.0.100/24"),
        ("10.0.0.100", "vm-1", "phys-1"),
    ),
}


@pytest.mark.parametrize(("given", "words"), BROKEN.values(), ids=list(BROKEN))
def test_a_vip_that_no_target_holds_by_itself_is_refused(world: World, given: Given, words: tuple[str, ...]) -> None:
    world.has_left()
    given(world)

    with pytest.raises(FindingsError) as wrong:
        verify_vip.fn(world.run(), world.platform, hosts_of(world), world.kube)
    assert [word for word in words if word not in str(wrong.value)] == []
