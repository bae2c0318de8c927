"""Which versions may join which."""

import pytest

from tasks.machine.versions import Versions, differs, numbers, read_versions, short, too_new, too_old
from tests.fakes.world import World


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("etcd Version: 3.4.23\nGit SHA: Not provided\nGo Version: go1.19.8\n", (3, 4, 23)),
        ("k3s version v1.20.4+k3s1 (838a906a)\ngo version go1.15.8", (1, 20, 4)),
        ("v1.20.2", (1, 20, 2)),
        ("", ()),
    ],
)
def test_the_first_version_counts(text: str, found: tuple[int, ...]) -> None:
    assert numbers(text) == found


def test_a_cluster_is_as_old_as_its_oldest_member_and_as_new_as_its_newest_node(world: World) -> None:
    world.etcd.versions = {"vm-1": "3.10.0", "vm-2": "3.9.1"}

    assert read_versions(world.etcd, world.kube) == Versions("3.9.1", "v1.20.2+k3s1")


def test_a_silent_member_has_no_version(world: World) -> None:
    world.etcd.down = {"vm-1", "vm-2"}

    assert read_versions(world.etcd, world.kube).etcd == ""


@pytest.mark.parametrize("joining", ["3.5.0", "3.5.30", "3.6.1", "4.0.0", ""])
def test_the_same_minor_version_or_a_newer_one_may_join(joining: str) -> None:
    assert not too_old(joining, "3.5.21")


@pytest.mark.parametrize("joining", ["3.4.30", "2.9.9"])
def test_an_older_minor_version_may_not(joining: str) -> None:
    assert too_old(joining, "3.5.21")


@pytest.mark.parametrize(
    ("joining", "newer"), [("3.5.99", False), ("3.6.0", False), ("3.7.0", True), ("4.0.0", True), ("3.4.0", False), ("", False)]
)
def test_more_than_one_minor_version_newer_is_too_new(joining: str, newer: bool) -> None:
    assert too_new(joining, "3.5.21") is newer
    assert not too_new(joining, "")


@pytest.mark.parametrize(
    ("joining", "differing"), [("v3.5.21+k3s1", False), ("3.5.20", True), ("3.6.21", True), ("", False)]
)
def test_versions_differ_by_their_numbers_and_only_when_both_are_known(joining: str, differing: bool) -> None:
    assert differs(joining, "3.5.21") is differing
    assert not differs(joining, "")


def test_a_version_is_shown_as_its_numbers() -> None:
    assert short("k3s version v1.20.4+k3s1 (838a906a)") == "1.20.4"
