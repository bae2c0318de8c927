"""What GlusterFS 10.3 printed, recorded: three replicas, one of them replaced, one of them down."""

import pytest

from blocks.errors import TransientError
from tasks.lake.daemon import Brick, Daemon, Volume, parse_daemon
from tasks.lake.health import Health, parse_health
from tests.unit.tasks.lake.answers import answered, recorded

POOL, VOLUMES = recorded("pool-list.xml"), recorded("volume-info.xml")
FILLING = "phys-1:/data/brick/uap"
MOUNTS = "localhost:uap-global /mnt/uap-global fuse.glusterfs rw,relatime 0 0\nvm-1:/lake/sub /srv fuse.glusterfs rw 0 0"


def daemon() -> Daemon:
    return parse_daemon(answered(gluster="/usr/sbin/gluster", pool=POOL, volumes=VOLUMES, kept="uap-global", mounts=MOUNTS))


def volume() -> Volume:
    return daemon().volumes[0]


def test_a_pool_is_this_machine_and_its_peers() -> None:
    said = daemon()

    assert said.uuid == "df15d8a0-74d1-4454-bbc2-6032c25808b5"
    assert [(peer.name, peer.connected, peer.in_pool) for peer in said.peers] == [("vm-2", True, True), ("vm-3", True, True)]


def test_a_volume_has_its_bricks_in_their_order_with_the_glusterd_of_each() -> None:
    said = volume()

    assert (said.name, said.kind, said.started, said.replica, said.arbiters) == ("uap-global", "Replicate", True, 3, 0)
    assert said.bricks[0] == Brick("vm-1", "/data/brick/uap", "df15d8a0-74d1-4454-bbc2-6032c25808b5")
    assert [str(brick) for brick in said.set_of(1)] == [f"vm-{n}:/data/brick/uap" for n in (1, 2, 3)]


def test_mounts_name_their_server_and_volume_also_of_a_folder_of_it() -> None:
    assert daemon().mounts == (("localhost", "uap-global", "/mnt/uap-global"), ("vm-1", "lake", "/srv"))


def test_a_machine_without_a_pool_is_by_itself() -> None:
    said = parse_daemon(
        answered(gluster="/usr/sbin/gluster", pool=recorded("pool-list-none.xml"), volumes=recorded("volume-info-none.xml"))
    )

    assert (bool(said.uuid), said.peers, said.volumes) == (True, (), ())


def test_a_glusterd_that_does_not_answer_has_no_uuid_and_what_it_has_on_its_disk() -> None:
    assert parse_daemon(answered(gluster="/usr/sbin/gluster", kept="uap-global")) == Daemon(installed=True, kept=("uap-global",))


def test_a_volume_that_has_all_its_copies_lacks_nothing() -> None:
    assert parse_health("vm-1", volume(), recorded("volume-status.xml"), recorded("heal-info.xml")) == Health((), {})


def test_a_brick_that_is_down_is_offline_by_both_answers() -> None:
    health = parse_health("vm-1", after_two(), recorded("volume-status-brick-down.xml"), recorded("heal-info-brick-down.xml"))

    assert health.lacking == "vm-3:/data/brick/uap is offline"


def test_the_others_have_to_heal_what_a_new_brick_lacks() -> None:
    health = parse_health("vm-1", replaced(FILLING), status_of(replaced(FILLING)), recorded("heal-info-filling.xml"))

    assert health.pending == {"vm-2:/data/brick/uap": 2, "vm-3:/data/brick/uap": 2}


def test_a_new_brick_that_is_not_connected_yet_is_not_filled() -> None:
    """Right after the commit no other brick has anything to heal."""
    heal = recorded("heal-info-brick-down.xml").replace("vm-3:", "phys-1:").replace("phys-2:/data/ov", "vm-2:/data/brick")
    health = parse_health("vm-1", replaced(FILLING), status_of(replaced(FILLING)), heal)

    assert health.lacking.startswith(f"{FILLING} is offline")


@pytest.mark.parametrize("text", ["", recorded("volume-status-stopped.xml")])
def test_no_answer_is_no_health(text: str) -> None:
    with pytest.raises(TransientError, match=r"vm-1: asking for the health of uap-global: .* \[lake-gluster-busy\]"):
        parse_health("vm-1", volume(), text, recorded("heal-info.xml"))


def replaced(*bricks: str) -> Volume:
    new = [Brick(*brick.split(":"), "") for brick in bricks]
    old = volume()
    return Volume(old.id, old.name, old.kind, True, 3, 0, (*new, *old.bricks[len(new) :]))


def after_two() -> Volume:
    return replaced(FILLING, "phys-2:/data/ov/uap")


def status_of(now: Volume) -> str:
    text = recorded("volume-status.xml")
    for old, new in zip(volume().bricks, now.bricks, strict=True):
        text = text.replace(f"<hostname>{old.host}</hostname>", f"<hostname>{new.host}</hostname>")
    return text
