"""Whether the VIP can move, and whether it has."""

from __future__ import annotations

import re
from collections.abc import Collection

from pydantic import SecretStr

from blocks.ports import Host, KubeApi
from configs.platform import Platform
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings
from tasks.shell.files import read_file
from tasks.shell.script import facts, parse_facts
from tasks.vip.conf import CONF, Instance, instance_of
from tasks.vip.holder import holders

JOURNAL = "journalctl -u keepalived --since=-{seconds}s --no-pager -o cat 2>/dev/null || true"
# What keepalived 2.x logs of an advert that is no peer's: another password, other addresses, or a master beside ours.
FOREIGN_ADVERT = re.compile(
    r"invalid passwd|auth, expecting|not present in MASTER advert|VIPs but received|unexpected ip number"
    r"|(lower|higher) priority \d+, ours|with same priority"
)


@check("check VIP")
def check_vip(platform: Platform, hosts: dict[str, Host], auth_pass: SecretStr, kube: KubeApi) -> Checked:
    """Exactly one machine holds the VIP, the API answers there, and a source's keepalived agrees with the config."""
    found = Findings("vip")
    holding = holders(list(hosts.values()), platform)
    _judge_holders(found, platform, holding)
    if len(holding) != 1:
        return found.checked(f"{len(holding)} holders")
    if holding[0].name in {source.name for source in platform.sources}:
        _judge_source(found, platform, holding[0], auth_pass)
    _judge_api(found, platform, kube)
    return found.checked(f"held by {holding[0].name}, the API answers there")


@check("verify VIP", after_acts=True)
def verify_vip(platform: Platform, hosts: Collection[Host], kube: KubeApi) -> Checked:
    """Exactly one machine holds the VIP, a target, and the API answers there."""
    found = Findings("vip")
    expected = [target.name for target in platform.vip_holders]
    holding = holders(hosts, platform)
    _judge_holders(found, platform, holding)
    if len(holding) != 1:
        return found.checked(f"{len(holding)} holders")
    if holding[0].name not in expected:
        found.refuse(
            "vip-not-on-target",
            f"{platform.vip} is held by {holding[0].name}, expected one of {', '.join(expected)}",
            "systemctl status keepalived there and on the targets",
            final=True,
        )
    _judge_api(found, platform, kube)
    return found.checked(f"held by {holding[0].name}, the API answers there")


def _judge_holders(found: Findings, platform: Platform, holding: Collection[Host]) -> None:
    if not holding:
        found.refuse(
            "vip-no-holder",
            f"{platform.vip} is held by none of the machines, expected exactly one",
            "systemctl status keepalived on each",
            final=True,
        )
    elif len(holding) > 1:
        found.refuse(
            "vip-two-holders",
            f"{platform.vip} is held by {', '.join(host.name for host in holding)}, expected exactly one",
            "systemctl status keepalived on each, let VRRP (protocol 112) through between them",
            final=True,
        )


def _judge_api(found: Findings, platform: Platform, kube: KubeApi) -> None:
    if not kube.is_ready(str(platform.vip)):
        found.refuse(
            "vip-api-silent",
            f"the API does not answer at {platform.join_url} with a certificate for it",
            f"systemctl status k3s on the holder; if the certificate lacks the VIP, add --tls-san={platform.vip} to the servers",
            final=True,
        )


def _judge_source(found: Findings, platform: Platform, holder: Host, auth_pass: SecretStr) -> None:
    """What the targets' keepalived must have in common with the holder's, asked in one round trip."""
    journal = JOURNAL.format(seconds=10 * platform.keepalived.advert_interval_s)
    address = f"ip -4 -o addr show | grep -oE ' {platform.vip}/[0-9]+'"
    question = facts({"conf": read_file(CONF), "journal": journal, "address": address})
    said = parse_facts(holder.run(question, what="reading keepalived's configuration").stdout)
    _judge_instance(found, platform, holder.name, instance_of(said["conf"], platform), auth_pass)
    _judge_journal(found, platform, holder.name, said["journal"])
    has, expected = said["address"].rpartition("/")[2], str(platform.keepalived.prefix_length)
    if has != expected:
        found.note(
            "vip-prefix-differs",
            f"it has the VIP as /{has}, the targets will have it as /{expected}",
            "see keepalived.prefix_length",
            where=holder.name,
        )


def _judge_instance(found: Findings, platform: Platform, holder: str, instance: Instance, auth_pass: SecretStr) -> None:
    """Final, all of them: a target that does not hear the holder's adverts makes itself a second master."""
    config = platform.keepalived
    vrid, interval = str(config.virtual_router_id), str(config.advert_interval_s)
    if not instance.virtual_router_id:
        what = f"{CONF} has no virtual_router_id for {platform.vip}, expected {vrid}"
        found.refuse("vip-instance-missing", what, f"see {CONF} there", where=holder, final=True)
        return
    if instance.unicast:
        what = f"{CONF} sends adverts to its unicast_peer only, the targets would not hear them"
        remedy = "delete unicast_peer there, so that it multicasts, then systemctl restart keepalived"
        found.refuse("vip-unicast", what, remedy, where=holder, final=True)
    if instance.virtual_router_id != vrid:
        what = f"{CONF} has virtual_router_id {instance.virtual_router_id}, the config {vrid}"
        remedy = f"write keepalived.virtual_router_id: {instance.virtual_router_id}"
        found.refuse("vip-vrid-differs", what, remedy, where=holder, final=True)
    if instance.advert_int != interval:
        what = f"{CONF} has advert_int {instance.advert_int}, the config {interval}"
        remedy = f"write keepalived.advert_interval_s: {instance.advert_int}"
        found.refuse("vip-interval-differs", what, remedy, where=holder, final=True)
    if instance.auth_pass != auth_pass:
        what = f"keepalived.auth_pass: what {config.auth_pass} holds is not its password"
        found.refuse("vip-password-differs", what, f"put the auth_pass of {CONF} there", where=holder, final=True)


def _judge_journal(found: Findings, platform: Platform, holder: str, journal: str) -> None:
    complaint = next((line for line in journal.splitlines() if FOREIGN_ADVERT.search(line)), None)
    if complaint is not None:
        config = platform.keepalived
        found.refuse(
            "vip-vrid-foreign",
            f"another router on this network uses VRID {config.virtual_router_id}: keepalived logs: {complaint.strip()}",
            f"find it with tcpdump -ni {config.interface} vrrp, give it another VRID",
            where=holder,
        )
