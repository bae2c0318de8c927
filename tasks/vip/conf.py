"""keepalived.conf: the targets' rendered, a source's read."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic import SecretStr

from configs.base import SecretRef
from configs.errors import ConfigError
from configs.hosts import Target
from configs.platform import Platform
from configs.rendering import rendered

CONF = "/etc/keepalived/keepalived.conf"
AUTH_PASS_LENGTH = 8  # VRRP's simple password has eight bytes (RFC 2338)
DEFAULT_ADVERT_INT = "1"
PASSWORD = re.compile(r"(auth_pass\s+)\S+")


@dataclass(frozen=True)
class Instance:
    """What a VRRP instance must have in common with its peers, as the file has it; empty where the file says nothing."""

    virtual_router_id: str
    advert_int: str
    auth_pass: SecretStr
    unicast: bool
    """Whether its adverts go to its unicast_peer only."""


def refuse_long_auth_pass(ref: SecretRef, secret: SecretStr) -> None:
    """Raise ConfigError for a VRRP password that is longer than keepalived reads: it would be cut silently."""
    length = len(secret.get_secret_value())
    if length > AUTH_PASS_LENGTH:
        raise ConfigError(
            f"keepalived.auth_pass: what {ref} holds has {length} characters, keepalived reads the first {AUTH_PASS_LENGTH}: "
            f"put the first {AUTH_PASS_LENGTH} of the sources' password there",
            id="vip-password-long",
        )


def keepalived_conf(platform: Platform, target: Target, auth_pass: SecretStr) -> str:
    """The VRRP instance of one target. It contains the password: for the daemon's own file only."""
    rank, config = platform.vip_holders.index(target), platform.keepalived
    return rendered(
        "keepalived.conf.j2",
        interface=config.interface,
        virtual_router_id=config.virtual_router_id,
        priority=config.first_priority - 10 * rank,
        advert_interval_s=config.advert_interval_s,
        auth_pass=auth_pass.get_secret_value(),
        vip=platform.vip,
        prefix_length=config.prefix_length,
    )


def instance_of(conf: str, platform: Platform) -> Instance:
    """The instance that has the VIP in a source's keepalived.conf."""
    own = _part_with_vip(conf, platform)
    found = dict(re.findall(r"^\s*(virtual_router_id|advert_int|auth_pass)\s+(\S+)", own, re.MULTILINE))
    return Instance(
        virtual_router_id=found.get("virtual_router_id", ""),
        advert_int=found.get("advert_int", DEFAULT_ADVERT_INT),
        auth_pass=SecretStr(found.get("auth_pass", "")[:AUTH_PASS_LENGTH]),  # keepalived ignores the rest, too
        unicast=bool(re.search(r"^\s*unicast_peer\b", own, re.MULTILINE)),
    )


def _part_with_vip(conf: str, platform: Platform) -> str:
    """The vrrp_instance that has the VIP; all of the file when none names it."""
    vip = re.compile(rf"(?<![\d.]){re.escape(str(platform.vip))}(?![\d.])")
    parts = re.split(r"^(?=\s*vrrp_instance\b)", conf, flags=re.MULTILINE)
    return next((part for part in parts if vip.search(part)), conf)


def masked(conf: str) -> str:
    """A keepalived.conf that can be shown: without its password."""
    return PASSWORD.sub(r"\1**********", conf)
