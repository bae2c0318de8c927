"""Whether the VIP can move, and whether it has."""

from __future__ import annotations

from collections.abc import Collection

from pydantic import SecretStr

from blocks.errors import RefusedError, VerificationError
from blocks.ports import Host, KubeApi
from configs.hosts import Source
from configs.platform import Platform
from tasks.engine.outcome import Outcome, planned, unchanged
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.shell.files import read_file
from tasks.shell.script import facts, parse_facts
from tasks.vip.conf import CONF, JOURNAL, stranger_heard, vrrp_mismatch
from tasks.vip.holder import holders


@step("check VIP")
def check_vip(run: Run, platform: Platform, hosts: dict[str, Host], auth_pass: SecretStr, kube: KubeApi) -> Outcome:
    """Make sure that exactly one machine holds the VIP, the API answers there, and the wish speaks its VRRP.

    Changes nothing. Undo: none needed.
    """
    # probe
    found = holders(list(hosts.values()), platform)
    if len(found) != 1:
        names = ", ".join(host.name for host in found) or "none of the machines"
        raise RefusedError(
            f"vip: {platform.vip} is held by {names}, it must be exactly one: see keepalived on the sources"
        )
    holder, notes = found[0], tuple[str, ...]()
    if isinstance(next(m for m in platform.machines if m.name == holder.name), Source):
        journal = JOURNAL.format(seconds=10 * platform.keepalived.advert_interval_s)
        address = f"ip -4 -o addr show | grep -oE ' {platform.vip}/[0-9]+'"
        question = facts({"conf": read_file(CONF), "journal": journal, "address": address})
        said = parse_facts(holder.run(question, what="reading keepalived's configuration").stdout)
        mismatch = vrrp_mismatch(said["conf"], platform, auth_pass)
        if mismatch is not None:
            raise RefusedError(f"{holder.name}: {mismatch}")
        stranger = stranger_heard(said["journal"], platform)
        if stranger is not None:
            raise RefusedError(f"{holder.name}: {stranger}")
        notes = _other_prefix(said["address"], platform)
    if not kube.is_ready(str(platform.vip)):
        raise RefusedError(
            f"vip: the API does not answer at {platform.join_url} with a certificate for it: add --tls-san={platform.vip} to the servers"
        )

    # act
    # verify
    return unchanged(f"held by {holder.name}, the API answers there", notes=notes)


def _other_prefix(address: str, platform: Platform) -> tuple[str, ...]:
    has, wish = address.rpartition("/")[2], platform.keepalived.prefix_length
    return (f"the holder has the VIP as /{has}, targets will as /{wish}: see keepalived.prefix_length",) if has != str(wish) else ()


@step("verify VIP")
def verify_vip(run: Run, platform: Platform, hosts: Collection[Host], kube: KubeApi) -> Outcome:
    """Make sure that exactly one machine holds the VIP, a target, and that the API answers there.

    Changes nothing. Undo: none needed.
    """
    # probe
    wanted = {target.name for target in platform.vip_holders}
    if run.dry_run:
        return planned(f"the VIP is on one of {', '.join(sorted(wanted))}")

    # act
    # verify
    found = [host.name for host in holders(hosts, platform)]
    if len(found) != 1 or found[0] not in wanted or not kube.is_ready(str(platform.vip)):
        raise VerificationError(
            f"vip: {platform.vip} is held by {found or 'nobody'}, or the API does not answer there: see keepalived on {sorted(wanted)}"
        )
    return unchanged(f"held by {found[0]}, the API answers there")
