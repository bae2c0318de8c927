"""The VIP: who may hold it, who holds it, and how it is handed over."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from pydantic import SecretStr

from blocks.ports import Host, KubeApi
from blocks.secrets import AUTH_PASS_LENGTH
from configs.errors import RefusedError, VerificationError
from configs.hosts import Target
from configs.platform import Platform
from tasks.outcome import Outcome, changed, planned, unchanged
from tasks.rendering import diff_of_ours, keepalived_conf
from tasks.run import Run
from tasks.scripts import STRICT, facts, keep_foreign, parse_facts, read_file, write_file
from tasks.step import step
from tasks.units import calm, is_off, is_on
from tasks.waiting import stays, wait_until

CONF = "/etc/keepalived/keepalived.conf"
JOURNAL = "journalctl -u keepalived --since=-{seconds}s --no-pager -o cat 2>/dev/null || true"
# What keepalived 2.x writes of an advert that is no peer's: another password, other addresses, or a master beside ours.
STRANGER = re.compile(
    r"invalid passwd|auth, expecting|not present in MASTER advert|VIPs but received|unexpected ip number"
    r"|(lower|higher) priority \d+, ours|with same priority"
)
PASSWORD = re.compile(r"(auth_pass\s+)\S+")


def holds(host: Host, platform: Platform) -> bool:
    """Whether the VIP is an address of this machine."""
    script = f"ip -4 -o addr show | grep -qF ' {platform.vip}/'"
    return (
        host.run(script, what="looking for the VIP", timeout_s=platform.timeouts.command_s, check=False).exit_code == 0
    )


def holders(hosts: Collection[Host], platform: Platform) -> list[Host]:
    """All hosts that have the VIP; more than one is a split brain."""
    return [host for host in hosts if holds(host, platform)]


@step("set up keepalived")
def ensure_standby(run: Run, host: Host, platform: Platform, target: Target, auth_pass: SecretStr) -> Outcome:
    """Make `target` a keepalived BACKUP that hears the holder's adverts and, not preempting, leaves the VIP where it is.

    Undo: systemctl disable --now keepalived.
    """
    # probe
    question = facts({"conf": read_file(CONF), "calm": calm("keepalived"), "mode": f"stat -c '%a %u' {CONF}"})
    said = parse_facts(
        host.run(question, what="reading keepalived's configuration", timeout_s=platform.timeouts.command_s).stdout
    )
    before = said["conf"] + "\n" if said["conf"] else ""
    wanted = keepalived_conf(platform, target, auth_pass)
    if before == wanted and said["mode"] == "600 0" and is_on(said["calm"]):
        return unchanged("keepalived runs as configured")
    diffs = (diff_of_ours(CONF, _masked(before), _masked(wanted)),)
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
    # A router that hears no advert for three intervals plus its skew makes itself master (RFC 3768).
    deaf_after_s = 3 * platform.keepalived.advert_interval_s + 2
    if not had_it and not stays(f"{host.name} is BACKUP", lambda: not holds(host, platform), for_s=deaf_after_s):
        host.run("systemctl disable --now keepalived", what="stopping keepalived again")
        raise VerificationError(
            f"{host.name}: keepalived took the VIP though another host holds it: it hears no adverts: compare VRID, "
            "auth_pass and interface with the sources', and let VRRP (protocol 112) through; keepalived is stopped there again"
        )
    return changed("keepalived is a BACKUP and hears the holder", diffs=diffs)


@step("hand over VIP")
def ensure_vip_on_targets(
    run: Run, source: Host, platform: Platform, everyone: Mapping[str, Host], kube: KubeApi
) -> Outcome:
    """Make `source` give the VIP away and never take it again: its keepalived says goodbye (priority 0) and stays off.

    Exactly one host holds the VIP before and after. Undo: systemctl enable --now keepalived there.
    """
    # probe
    had_it = holds(source, platform)
    if is_off(_calm(source, platform)) and not had_it:
        return unchanged("keepalived is off and disabled")
    if run.dry_run:
        return planned("keepalived is stopped" + (", a target takes the VIP" if had_it else ""))
    _refuse_without_heir(source, platform, everyone)

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
        lambda: only_holder(everyone, platform),
        timeout_s=platform.timeouts.vip_s,
    )
    wait_until(
        f"the API answers at {platform.vip}",
        lambda: kube.is_ready(str(platform.vip)),
        timeout_s=platform.timeouts.vip_s,
    )
    return changed(f"the VIP is on {holder}" if had_it else "keepalived is off and disabled")


def only_holder(everyone: Mapping[str, Host], platform: Platform) -> str | None:
    """The one host that holds the VIP; None while none or several do."""
    found = holders(list(everyone.values()), platform)
    return found[0].name if len(found) == 1 else None


def _calm(host: Host, platform: Platform) -> str:
    question = facts({"calm": calm("keepalived")})
    return parse_facts(host.run(question, what="asking systemd", timeout_s=platform.timeouts.command_s).stdout)["calm"]


def vrrp_mismatch(conf: str, platform: Platform, auth_pass: SecretStr) -> str | None:
    """What in a source's keepalived.conf contradicts the wish, without the password; None when they agree."""
    own = _instance(conf, platform)
    found = dict(re.findall(r"^\s*(virtual_router_id|advert_int|auth_pass)\s+(\S+)", own, re.MULTILINE))
    wish = platform.keepalived
    if re.search(r"^\s*unicast_peer\b", own, re.MULTILINE):
        return "its adverts go to its unicast_peer only, no target would hear them: let it multicast, restart keepalived there"
    if found.get("virtual_router_id") != str(wish.virtual_router_id):
        return f"keepalived.virtual_router_id: {wish.virtual_router_id}, but it has {found.get('virtual_router_id')}: write that"
    if found.get("advert_int", "1") != str(wish.advert_interval_s):
        return f"keepalived.advert_interval_s: {wish.advert_interval_s}, but it has {found.get('advert_int', '1')}: write that"
    # keepalived reads the first eight bytes of a longer one (RFC 2338).
    if found.get("auth_pass", "")[:AUTH_PASS_LENGTH] != auth_pass.get_secret_value():
        return f"keepalived.auth_pass: what {wish.auth_pass} holds is not its password: put that there"
    return None


def _instance(conf: str, platform: Platform) -> str:
    """The vrrp_instance that has the VIP; all of the file when none names it."""
    vip = re.compile(rf"(?<![\d.]){re.escape(str(platform.vip))}(?![\d.])")
    parts = re.split(r"^(?=\s*vrrp_instance\b)", conf, flags=re.MULTILINE)
    return next((part for part in parts if vip.search(part)), conf)


def stranger_heard(journal: str, platform: Platform) -> str | None:
    """What keepalived wrote of another router that speaks with our VRID; None when it heard none."""
    complaint = next((line for line in journal.splitlines() if STRANGER.search(line)), None)
    if complaint is None:
        return None
    return (
        f"another router on this network uses VRID {platform.keepalived.virtual_router_id}: keepalived says: "
        f"{complaint.strip()}: find it (tcpdump -ni {platform.keepalived.interface} vrrp), give it another VRID"
    )


def _refuse_without_heir(source: Host, platform: Platform, everyone: Mapping[str, Host]) -> None:
    ready = [t.name for t in platform.vip_holders if is_on(_calm(everyone[t.name], platform))]
    if not ready:
        raise RefusedError(f"{source.name}: handing the VIP over: keepalived runs on no target: set it up first")


def _masked(conf: str) -> str:
    return PASSWORD.sub(r"\1**********", conf)
