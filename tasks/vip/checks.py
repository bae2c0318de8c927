"""Whether the VIP can move, and whether it has."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from pydantic import SecretStr

from blocks.ports import Host, KubeApi
from configs.platform import Platform
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings, FindingsError
from tasks.vip.adverts import foreign_complaint
from tasks.vip.conf import globals_left_out, not_carried
from tasks.vip.holder import holders, judge_holders
from tasks.vip.instance import CONF, Instance, read_instance


@check("check VIP")
def check_vip(platform: Platform, hosts: dict[str, Host], auth_pass: SecretStr | None, kube: KubeApi) -> Checked:
    """Exactly one machine holds the VIP, the API answers there, its VRRP instance can be carried over, and the config agrees."""
    found = Findings("vip")
    holding = holders(list(hosts.values()), platform)
    judge_holders(found, platform, holding)
    if len(holding) != 1:
        return found.checked(f"{len(holding)} holders")
    if holding[0].name in {source.name for source in platform.sources}:
        _judge_source(found, platform, holding[0], auth_pass)
    _judge_api(found, platform, kube)
    return found.checked(f"held by {holding[0].name}, the API answers there")


@check("verify VIP", after_acts=True)
def verify_vip(platform: Platform, hosts: Collection[Host], kube: KubeApi) -> Checked:
    """Exactly one machine holds the VIP and all addresses of its VRRP instance, a target, and the API answers there."""
    found = Findings("vip")
    expected = [target.name for target in platform.vip_holders]
    holding = holders(hosts, platform)
    judge_holders(found, platform, holding)
    if len(holding) != 1:
        return found.checked(f"{len(holding)} holders")
    if holding[0].name not in expected:
        found.refuse(
            "vip-not-on-target",
            f"{platform.vip} is held by {holding[0].name}, expected one of {', '.join(expected)}",
            "systemctl status keepalived there and on the targets",
            final=True,
        )
    with _collected(found):
        _judge_addresses(found, holding[0].name, read_instance(holding[0], platform))
    _judge_api(found, platform, kube)
    return found.checked(f"held by {holding[0].name}, the API answers there")


@contextmanager
def _collected(found: Findings) -> Iterator[None]:
    """A refusal by what is asked inside is one of several findings."""
    try:
        yield
    except FindingsError as error:
        found.found.extend(error.findings)


def _judge_api(found: Findings, platform: Platform, kube: KubeApi) -> None:
    if not kube.is_ready(str(platform.vip)):
        found.refuse(
            "vip-api-silent",
            f"the API does not answer at {platform.join_url} with a certificate for it",
            f"systemctl status k3s on the holder; if the certificate lacks the VIP, add --tls-san={platform.vip} to the servers",
            final=True,
        )


def _judge_addresses(found: Findings, holder: str, instance: Instance) -> None:
    if instance.missing:
        found.refuse(
            "vip-address-missing",
            f"{CONF} has {', '.join(instance.missing)} beside the VIP, the machine has not",
            "systemctl reload keepalived there, journalctl -u keepalived",
            where=holder,
        )


def _judge_source(found: Findings, platform: Platform, holder: Host, auth_pass: SecretStr | None) -> None:
    """The instance is one that targets can hear and continue, and the config says nothing else."""
    with _collected(found):
        instance = read_instance(holder, platform)
        _judge_addresses(found, holder.name, instance)
        _judge_instance(found, holder.name, instance)
        _judge_config(found, platform, holder.name, instance, auth_pass)
        _judge_journal(found, platform, holder.name, instance)


def _judge_instance(found: Findings, holder: str, instance: Instance) -> None:
    if instance.own.last("unicast_peer"):
        what = f"{CONF} sends adverts to its unicast_peer only, the targets would not hear them"
        remedy = "delete unicast_peer there, so that it multicasts, then systemctl restart keepalived"
        found.refuse("vip-unicast", what, remedy, where=holder, final=True)
    if instance.auth_type not in ("", "PASS") or instance.own.last("auth_hmac"):
        what = f"{CONF} has {'auth_hmac' if instance.own.last('auth_hmac') else f'auth_type {instance.auth_type}'}, expected PASS or none"
        remedy = "write auth_type PASS on all sources, then systemctl restart keepalived on the holder last"
        found.refuse("vip-auth-unsupported", what, remedy, where=holder, final=True)
    if left_out := tuple(not_carried(instance)):
        what = f"{CONF} has {', '.join(left_out)}: not carried over to the targets"
        remedy = "delete it there, or set it up on the targets by hand once they have the VIP, and accept this in the config"
        found.refuse("vip-not-carried", what, remedy, where=holder)
    if settings := globals_left_out(instance):
        what = f"{CONF} has {', '.join(settings)} in global_defs: not carried over to the targets"
        found.note("vip-globals-left-out", what, "set it there after the move", where=holder)


def _judge_config(
    found: Findings, platform: Platform, holder: str, instance: Instance, auth_pass: SecretStr | None
) -> None:
    """What the config says of the instance, it says as the holder has it. What it leaves out is the holder's."""
    config, has = platform.keepalived, instance.virtual_router_id
    if config.virtual_router_id is not None and str(config.virtual_router_id) != has:
        what = f"{CONF} has virtual_router_id {has}, the config {config.virtual_router_id}"
        found.refuse("vip-vrid-differs", what, f"write keepalived.virtual_router_id: {has}", where=holder, final=True)
    interval, seconds = config.advert_interval_s, instance.advert_int
    if interval is not None and interval != seconds:
        what = f"{CONF} has advert_int {seconds:g}, the config {interval:g}"
        remedy = f"write keepalived.advert_interval_s: {seconds:g}"
        found.refuse("vip-interval-differs", what, remedy, where=holder, final=True)
    prefix = instance.prefix_of(platform.vip)
    if config.prefix_length not in (None, prefix):
        what = f"{CONF} has the VIP as /{prefix}, the config as /{config.prefix_length}"
        found.refuse("vip-prefix-differs", what, f"write keepalived.prefix_length: {prefix}", where=holder)
    if auth_pass is not None and not instance.auth_type:
        what = f"{CONF} has no authentication in force, the config has keepalived.auth_pass"
        found.refuse("vip-password-differs", what, "leave keepalived.auth_pass out", where=holder, final=True)
    elif auth_pass not in (None, instance.auth_pass):
        what = f"keepalived.auth_pass: what {config.auth_pass} holds is not its password"
        remedy = f"put the auth_pass of {CONF} there, or leave keepalived.auth_pass out"
        found.refuse("vip-password-differs", what, remedy, where=holder, final=True)


def _judge_journal(found: Findings, platform: Platform, holder: str, instance: Instance) -> None:
    complaint = foreign_complaint(instance.journal)
    if complaint is not None:
        found.refuse(
            "vip-vrid-foreign",
            f"another router on this network uses VRID {instance.virtual_router_id}: keepalived logs: {complaint.strip()}",
            f"find it with tcpdump -ni {instance.interface} vrrp, give it another VRID",
            where=holder,
        )
