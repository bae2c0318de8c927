"""A target becomes a standby for the VIP: it could take it, and leaves it where it is."""

from __future__ import annotations

from pydantic import SecretStr

from blocks.errors import VerificationError
from blocks.ports import Host
from configs.hosts import Target
from configs.platform import Platform
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.engine.waiting import stays
from tasks.shell.files import diff_of_ours, keep_foreign, read_file, write_file
from tasks.shell.script import STRICT, facts, parse_facts
from tasks.shell.units import is_on, unit_state
from tasks.vip.conf import CONF, keepalived_conf, masked
from tasks.vip.holder import holds


@step("set up keepalived")
def ensure_standby(run: Run, host: Host, platform: Platform, target: Target, auth_pass: SecretStr) -> Outcome:
    """Make `target` a keepalived BACKUP that hears the holder's adverts and, not preempting, leaves the VIP where it is.

    Undo: systemctl disable --now keepalived.
    """
    # probe
    question = facts({"conf": read_file(CONF), "state": unit_state("keepalived"), "mode": f"stat -c '%a %u' {CONF}"})
    said = parse_facts(
        host.run(question, what="reading keepalived's configuration", timeout_s=platform.timeouts.command_s).stdout
    )
    before = said["conf"] + "\n" if said["conf"] else ""
    wanted = keepalived_conf(platform, target, auth_pass)
    if before == wanted and said["mode"] == "600 0" and is_on(said["state"]):
        return unchanged("keepalived runs as configured")
    diffs = (diff_of_ours(CONF, masked(before), masked(wanted)),)
    if run.dry_run:
        return planned("keepalived becomes a BACKUP", diffs=diffs)
    had_it = holds(host, platform)

    # act
    with run.acting(host.name, "starting keepalived as BACKUP"):
        start = "systemctl enable keepalived >/dev/null 2>&1\nsystemctl restart keepalived\n"
        host.run(
            STRICT + keep_foreign(CONF, run.id) + write_file(CONF, wanted, "0600") + start,
            what="starting keepalived",
            timeout_s=platform.timeouts.command_s,
        )

    # verify
    # A backup that hears no advert for three intervals plus its skew makes itself master (RFC 3768).
    master_down_s = 3 * platform.keepalived.advert_interval_s + 2
    if not had_it and not stays(f"{host.name} is BACKUP", lambda: not holds(host, platform), for_s=master_down_s):
        host.run("systemctl disable --now keepalived", what="stopping keepalived again")
        raise VerificationError(
            f"{host.name}: keepalived took the VIP though another host holds it: it hears no adverts and is stopped again: "
            "compare VRID, auth_pass and interface with the sources', and let VRRP (protocol 112) through",
            id="vip-adverts-unheard",
        )
    return changed("keepalived is a BACKUP and hears the holder", diffs=diffs)
