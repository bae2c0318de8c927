"""A file lake that is a GlusterFS volume with its bricks on the sources: refused, moved, killed while it moves, and the sources off."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deployments.lab.lake import MOUNTED, VOLUME
from tests.faults.kills import kill_in_act
from tests.faults.runs import migrate
from tests.faults.story import Story
from tests.lab import world

pytestmark = pytest.mark.timeout(3600)
LAB = ("LAB_LAKE", "gluster")
PLAIN = world.ROOT / "configs/lab.yaml"
ARCHIVES = f"cd {MOUNTED}/backup && sha256sum *.tar.gz"
NEW_BRICKS = [f"10.99.0.2{number}:/data/brick/uap" for number in (1, 2, 3)]


def bricks(host: str) -> list[str]:
    """In the volume's order, as the glusterd on `host` has it."""
    return re.findall(r"^Brick\d+: (\S+)", world.on(host, f"gluster volume info {VOLUME}"), re.MULTILINE)


def to_heal(host: str) -> set[str]:
    return set(re.findall(r"^Number of entries: (\S+)", world.on(host, f"gluster volume heal {VOLUME} info"), re.MULTILINE))


def peers(host: str) -> set[str]:
    return {line.split()[1] for line in world.on(host, "gluster pool list").splitlines()[1:]}


def test_bricks_on_sources_are_refused_before_anything_is_changed(special_lab: None, secrets: dict[str, str]) -> None:
    ended = migrate(secrets, PLAIN)

    assert not ended.ok
    assert ended.error.count("[lake-bricks-on-sources]") == len(world.SOURCES)
    assert not any(entry["outcome"] == "changed" for entry in ended.report["entries"])
    assert bricks("vm-1") == [f"10.99.0.1{number}:/data/brick/uap" for number in (1, 2, 3)]


def test_names_that_lead_elsewhere_on_a_target_are_refused(secrets: dict[str, str], config: Path) -> None:
    ended = migrate(secrets, config)

    assert not ended.ok
    assert ended.error.count("[lake-name-ambiguous]") == len(NEW_BRICKS)
    for target in world.TARGETS:  # as the error says
        world.on(target, "sed -i '/^127.0.1.1 vm-/d; /^10.99.0.9[89] /d' /etc/hosts")


def test_a_run_that_was_killed_while_a_brick_moved_is_finished_by_the_next_and_no_write_is_lost(
    secrets: dict[str, str], config: Path
) -> None:
    with Story("a file lake on GlusterFS", secrets) as story:
        kill_in_act("gluster volume replace-brick", 2, secrets, config)
        story.saw("killed in act: the second brick", "the old brick or the new one, and its copies")
        ended = migrate(secrets, config)
        assert ended.ok, ended.error
        story.saw("none", "the rest of the migration")
        story.ends_verified(ended.report)
    assert bricks("phys-1") == NEW_BRICKS
    assert to_heal("phys-2") == {"0"}
    assert peers("phys-3") == {"localhost", "10.99.0.21", "10.99.0.22"}


def test_with_the_sources_off_the_lake_still_serves(config: Path, secrets: dict[str, str]) -> None:
    before = world.on("phys-1", ARCHIVES)
    world.lab("power-off", *world.SOURCES)

    for target in world.TARGETS:
        assert world.on(target, ARCHIVES) == before
        world.on(target, f"echo {target} > {MOUNTED}/written-by-{target}")
    assert world.on("phys-6", f"cat {MOUNTED}/written-by-*").split() == list(world.TARGETS)
    assert to_heal("phys-1") == {"0"}
    assert world.rows(secrets["LAB_MYSQL_WACOS_PASSWORD"])


def test_a_target_that_was_switched_off_mounts_the_lake_again(special_lab: None) -> None:
    world.lab("power-off", "phys-6")
    world.lab("power-on", "phys-6")

    world.eventually("the lake on phys-6", lambda: "written-by-phys-1" in world.on("phys-6", f"ls {MOUNTED}", check=False), within_s=90)


def test_the_same_command_again_confirms_it(secrets: dict[str, str], config: Path) -> None:
    ended = migrate(secrets, config)

    assert ended.ok, ended.error
    assert {entry["outcome"] for entry in ended.report["entries"]} == {"unchanged"}
