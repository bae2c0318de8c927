"""A source gives the VIP to a target, or stops waiting for it."""

from __future__ import annotations

from collections.abc import Mapping

from blocks.errors import RefusedError, VerificationError
from blocks.ports import Host, KubeApi
from configs.platform import Platform
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.engine.waiting import wait_until
from tasks.shell.script import facts, parse_facts
from tasks.shell.units import is_off, unit_state
from tasks.vip.holder import holds, only_holder, why_not_ready
from tasks.vip.instance import read_instance


@step("hand over VIP")
def ensure_keepalived_stopped(
    run: Run, source: Host, platform: Platform, hosts: Mapping[str, Host], kube: KubeApi
) -> Outcome:
    """Make keepalived on `source` stopped and disabled, and a VIP that it held a target's.

    Its last advert has priority 0, so that a standby takes over at once; exactly one host holds the VIP before and after,
    and with it all addresses of the VRRP instance.
    Undo: systemctl enable --now keepalived there.
    """
    # probe
    had_it = holds(source, platform)
    if is_off(_keepalived_state(source, platform)) and not had_it:
        return unchanged("keepalived is off and disabled")
    if run.dry_run:
        return planned("keepalived is stopped" + (", a target takes the VIP" if had_it else ""))
    _refuse_without_successor(source, platform, hosts)

    # act
    with run.acting(source.name, "stopping keepalived" + (", which holds the VIP" if had_it else "")):
        source.run(
            "systemctl stop keepalived && systemctl disable keepalived 2>/dev/null",
            what="stopping keepalived",
            timeout_s=platform.timeouts.command_s,
        )

    # verify
    holder = wait_until(
        f"exactly one host holds {platform.vip}",
        lambda: only_holder(hosts, platform),
        timeout_s=platform.timeouts.vip_s,
        id="vip-not-moved",
    )
    wait_until(
        f"the API answers at {platform.vip}",
        lambda: kube.is_ready(str(platform.vip)),
        timeout_s=platform.timeouts.vip_s,
        id="vip-api-silent",
    )
    if had_it and (missing := read_instance(hosts[holder], platform).missing):
        raise VerificationError(
            f"{holder}: {', '.join(missing)} did not come with the VIP: systemctl reload keepalived there, journalctl -u keepalived",
            id="vip-address-missing",
        )
    return changed(f"the VIP is on {holder}" if had_it else "keepalived is off and disabled")


def _keepalived_state(host: Host, platform: Platform) -> str:
    question = facts({"state": unit_state("keepalived")})
    return parse_facts(host.run(question, what="asking systemd", timeout_s=platform.timeouts.command_s).stdout)["state"]


def _refuse_without_successor(source: Host, platform: Platform, hosts: Mapping[str, Host]) -> None:
    lacking = {target.name: why_not_ready(hosts[target.name], platform) for target in platform.vip_holders}
    if all(lacking.values()):
        raise RefusedError(
            f"{source.name}: handing over the VIP: no target could take it: "
            + "".join(f"{name}: {why}; " for name, why in lacking.items())
            + "journalctl -u keepalived there, then run the same command again",
            id="vip-no-successor",
        )
