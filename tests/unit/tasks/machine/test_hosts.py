"""Machines' names, and the names that they know."""

import pytest

from blocks.errors import VerificationError
from tasks.engine.outcome import Change, Outcome
from tasks.machine.hosts import ensure_hostname, ensure_hosts_file
from tests.fakes.world import World


def name(world: World) -> Outcome:
    return ensure_hostname.fn(world.run(), world.hosts["phys-1"], world.platform)


def know(world: World, *, dry: bool = False) -> Outcome:
    return ensure_hosts_file.fn(world.run(dry=dry), world.hosts["phys-1"], world.platform)


def test_a_machine_gets_its_inventory_name_and_the_old_one_is_told(world: World) -> None:
    assert name(world).why == "old-phys-1 became phys-1"
    assert world.hosts["phys-1"].read("/etc/hostname") == "phys-1\n"


def test_a_name_that_would_not_survive_a_reboot_is_set_again(world: World) -> None:
    name(world)
    world.hosts["phys-1"].write("/etc/hostname", "old-phys-1\n")

    assert name(world).change is Change.CHANGED


def test_a_name_that_was_not_taken_is_an_error(world: World) -> None:
    world.hosts["phys-1"].tell("name-is-fixed", "yes")

    with pytest.raises(VerificationError, match="hostnamectl said yes, but the name is"):
        name(world)


def test_own_lines_of_the_operator_stay(world: World) -> None:
    know(world)

    assert world.hosts["phys-1"].read("/etc/hosts").endswith("# END evenkeel\n127.0.0.1 localhost\n")


def test_a_stale_line_is_shadowed_and_told(world: World) -> None:
    world.hosts["phys-1"].write("/etc/hosts", "127.0.0.1 localhost\n10.9.9.9 vm-1\n")

    outcome = know(world)

    assert outcome.notes == ("another address for a name of ours, now shadowed: 10.9.9.9 vm-1",)
    assert world.hosts["phys-1"].run("getent ahostsv4 vm-1", what="asking").stdout.startswith("10.0.0.11 ")


def test_a_stale_line_is_told_at_every_run(world: World) -> None:
    world.hosts["phys-1"].write("/etc/hosts", "10.9.9.9 vm-1\n")
    know(world)

    second = know(world)

    assert (second.change, len(second.notes)) == (Change.UNCHANGED, 1)


def test_a_name_that_still_resolves_otherwise_is_an_error(world: World) -> None:
    world.hosts["phys-1"].tell("resolver", "10.9.9.9 vm-1")

    with pytest.raises(VerificationError, match=r"/etc/hosts is written, yet vm-1 -> 10.9.9.9 resolves otherwise"):
        know(world)


def test_a_missing_hosts_file_is_written(world: World) -> None:
    world.hosts["phys-1"].path("/etc/hosts").unlink()

    know(world)

    assert "10.0.0.21       phys-1" in world.hosts["phys-1"].read("/etc/hosts")


def test_a_dry_run_shows_the_lines(world: World) -> None:
    assert "+10.0.0.21       phys-1" in know(world, dry=True).diffs[0]
