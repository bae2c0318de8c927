"""Whether a volume has all its copies: bricks that are offline, and files that wait to be healed.

These questions take the cluster's lock: only one machine is asked at a time, and a busy cluster is asked again.
"""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote
from xml.etree import ElementTree  # nosec: what our own machines' gluster prints

from blocks.errors import TransientError
from blocks.ports import Host
from configs.platform import Platform
from tasks.engine.waiting import wait_until
from tasks.lake.daemon import GLUSTER, Volume, parse_xml
from tasks.shell.script import facts, parse_facts

HEAL_POLL_S = 5.0  # asking makes every brick list what it has to heal
BUSY = "another transaction is in progress, or glusterd does not answer"


@dataclass(frozen=True)
class Health:
    """`offline` are bricks that don't run, or could not say what they have to heal; `pending` the entries by brick, if any."""

    offline: tuple[str, ...]
    pending: dict[str, int]

    @property
    def lacking(self) -> str:
        """What keeps the volume from having all its copies; empty when it has them."""
        offline = [f"{brick} is offline" for brick in self.offline]
        return ", ".join([*offline, *(f"{brick} has {entries} entries to heal" for brick, entries in self.pending.items())])


def read_health(host: Host, platform: Platform, volume: Volume) -> Health:
    """The started volume as this member of its pool has it now. Raises TransientError while the cluster is busy.

    A brick that was replaced a moment ago has not connected yet and counts as offline, although no other has entries to heal.
    """
    ask, name = GLUSTER.format(timeout_s=platform.timeouts.gluster_s), quote(volume.name)
    script = {"status": f"{ask}volume status {name} --xml"}
    if volume.replica > 1:
        script["heal"] = f"{ask}volume heal {name} info --xml"
    answer = host.run(facts(script), what=f"asking for the health of {volume.name}", timeout_s=2 * platform.timeouts.gluster_s)
    said = parse_facts(answer.stdout)
    return parse_health(host.name, volume, said["status"], said.get("heal"))


def parse_health(host: str, volume: Volume, status: str, heal: str | None) -> Health:
    """What gluster printed. Status leaves out the bricks of a machine that is away."""
    online = {
        f"{node.findtext('hostname')}:{node.findtext('path')}"
        for node in _answer(host, volume, status).findall("volStatus/volumes/volume/node")
        if node.findtext("status") == "1"
    }
    bricks = [str(brick) for brick in volume.bricks]
    counts = {brick: "0" for brick in bricks}
    if heal is not None:
        listed = _answer(host, volume, heal).findall("healInfo/bricks/brick")
        counts = {one.findtext("name", ""): one.findtext("numberOfEntries", "") for one in listed}
    silent = [brick for brick in bricks if brick not in online or not counts.get(brick, "").isdigit()]
    return Health(tuple(silent), {brick: int(count) for brick, count in counts.items() if count.isdigit() and int(count)})


def wait_until_whole(host: Host, platform: Platform, volume: Volume) -> None:
    """Return once all bricks are online, which takes seconds, and nothing is left to heal, which can take hours."""
    wait_until_online(host, platform, volume)
    lacking = ""

    def whole() -> bool:
        nonlocal lacking
        lacking = read_health(host, platform, volume).lacking
        return not lacking

    wait_until(
        f"{volume.name} has all its copies",
        whole,
        timeout_s=platform.timeouts.lake_heal_s,
        poll_s=HEAL_POLL_S,
        still=lambda: f"{lacking}: gluster volume heal {volume.name} info on {host.name}",
        id="lake-not-healed",
    )


def wait_until_online(host: Host, platform: Platform, volume: Volume, *, but: str = "") -> None:
    """Return once all bricks are online; `but` one that is to be replaced may be offline."""
    offline: set[str] = set()

    def online() -> bool:
        offline.clear()
        offline.update(set(read_health(host, platform, volume).offline) - {but})
        return not offline

    wait_until(
        f"{volume.name} has all its bricks online",
        online,
        timeout_s=platform.timeouts.gluster_s,
        poll_s=HEAL_POLL_S,
        still=lambda: f"{', '.join(sorted(offline))} offline: gluster volume start {volume.name} force on {host.name}",
        id="lake-brick-not-online",
    )


def _answer(host: str, volume: Volume, text: str) -> ElementTree.Element:
    said = parse_xml(text)
    if said is None or said.findtext("opRet") != "0":
        why = (said.findtext("opErrstr") if said is not None else "") or BUSY
        raise TransientError(f"{host}: asking for the health of {volume.name}: {why}: gluster volume status there", id="lake-gluster-busy")
    return said
