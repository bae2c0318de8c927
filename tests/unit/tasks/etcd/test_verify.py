"""The proof that etcd is the targets' fails when anything is left half done."""

from collections.abc import Callable

import pytest

from tasks.engine.finding import FindingsError
from tasks.etcd.checks import verify_etcd
from tests.fakes.world import World

Given = Callable[[World], object]


def learner(world: World) -> None:
    world.etcd.remove(world.etcd.called("phys-3"))
    world.etcd.begun("10.0.0.23")


BROKEN: dict[str, tuple[Given, str, str]] = {
    "a source is still a member": (
        lambda world: world.etcd.joined("vm-1", "10.0.0.11"),
        "etcd-not-the-targets",
        "voters are http://10.0.0.11:2380, ",
    ),
    "a target is only a learner": (learner, "etcd-not-the-targets", "expected http://10.0.0.21:2380, "),
    "a member is silent": (lambda world: world.etcd.down.add("phys-2"), "etcd-member-silent", "phys-2 do not answer"),
    "members list others": (
        lambda world: world.etcd.stale.update({"phys-2": []}),
        "etcd-lists-differ",
        "list different members",
    ),
}


@pytest.mark.parametrize(("given", "finding", "words"), BROKEN.values(), ids=list(BROKEN))
def test_an_etcd_that_is_not_whole_is_refused(world: World, given: Given, finding: str, words: str) -> None:
    world.has_left()
    given(world)

    with pytest.raises(FindingsError) as wrong:
        verify_etcd.fn(world.run(), world.platform, world.etcd)
    assert [found.id for found in wrong.value.findings] == [finding]
    assert words in str(wrong.value)
