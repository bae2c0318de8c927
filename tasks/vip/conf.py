"""keepalived.conf: ours rendered, a source's read and compared."""

from __future__ import annotations

import re

from pydantic import SecretStr

from configs.base import SecretRef
from configs.errors import ConfigError
from configs.hosts import Target
from configs.platform import Platform
from configs.rendering import rendered

AUTH_PASS_LENGTH = 8  # VRRP's simple password has eight bytes (RFC 2338)


def refuse_long_auth_pass(ref: SecretRef, secret: SecretStr) -> None:
    """Raise ConfigError for a VRRP password that is longer than keepalived reads: it would cut it silently."""
    length = len(secret.get_secret_value())
    if length > AUTH_PASS_LENGTH:
        raise ConfigError(
            f"keepalived.auth_pass: what {ref} holds has {length} characters, keepalived reads the first {AUTH_PASS_LENGTH}: "
            "write the first ones of what the sources have"
        )


CONF = "/etc/keepalived/keepalived.conf"
JOURNAL = "journalctl -u keepalived --since=-{seconds}s --no-pager -o cat 2>/dev/null || true"
# What keepalived 2.x writes of an advert that is no peer's: another password, other addresses, or a master beside ours.
STRANGER = re.compile(
    r"invalid passwd|auth, expecting|not present in MASTER advert|VIPs but received|unexpected ip number"
    r"|(lower|higher) priority \d+, ours|with same priority"
)
PASSWORD = re.compile(r"(auth_pass\s+)\S+")


def keepalived_conf(platform: Platform, target: Target, auth_pass: SecretStr) -> str:
    """The VRRP instance of one holder. It contains the password: for the daemon's own file only."""
    rank = platform.vip_holders.index(target)
    wish = platform.keepalived
    return rendered(
        "keepalived.conf.j2",
        interface=wish.interface,
        virtual_router_id=wish.virtual_router_id,
        priority=wish.first_priority - 10 * rank,
        advert_interval_s=wish.advert_interval_s,
        auth_pass=auth_pass.get_secret_value(),
        vip=platform.vip,
        prefix_length=wish.prefix_length,
    )


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


def masked(conf: str) -> str:
    """A keepalived.conf that can be shown: without its password."""
    return PASSWORD.sub(r"\1**********", conf)
