"""The VRRP instance that has the VIP, as its holder's keepalived has it: everything that its peers must have, too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, ip_interface

from pydantic import SecretStr

from blocks.ports import Host
from configs.base import SecretRef
from configs.errors import ConfigError
from configs.platform import Platform
from tasks.engine.finding import Findings, FindingsError
from tasks.shell.script import facts, parse_facts
from tasks.vip.grammar import GrammarError, Statement, parse

CONF = "/etc/keepalived/keepalived.conf"
AUTH_PASS_LENGTH = 8  # VRRP's simple password has eight bytes (RFC 2338)
GROUP = "224.0.0.18"
SCRIPTS_MOST_BYTES = 262144

# Includes in their places, relative to the file that has them; one that finds no file is none. What bash does not expand
# as glob(3) does stays, for the parser to refuse. A script begins with "#!"; programs and what packages bring are no scripts.
PRELUDE = rf"""conf_file() {{
    local p; p=$(systemctl show -p MainPID keepalived)
    p=$(tr '\0' '\n' <"/proc/${{p#*=}}/cmdline" | sed -nE '/^(-f|--use-file)$/{{n;p}}; s/^(-f|--use-file=)(.+)/\2/p')
    echo "${{p:-{CONF}}}"
}}
inlined() (
    cd "${{1%/*}}" || exit
    pattern='^[[:blank:]]*include[rmwba]?[[:blank:]]+([^!#]*[^!#[:blank:]])'
    while IFS= read -r line || test -n "$line"; do
        line=${{line%$'\r'}}
        if ! [[ $line =~ $pattern ]] || test ${{#FUNCNAME[@]}} -gt 20; then printf '%s\n' "$line"; continue; fi
        case ${{BASH_REMATCH[1]}} in *[\{{\"]*) printf '%s\n' "$line"; continue ;; esac
        IFS=
        for f in ${{BASH_REMATCH[1]}}; do
            case $f in /*) ;; *) f=$PWD/$f ;; esac
            test ! -f "$f" || inlined "$f"
        done
    done <"$1"
)
scripts() {{
    inlined "$1" | grep -oE "/[^[:space:]\"'{{}}]+" | sort -u | while IFS= read -r f; do
        case $f in /bin/* | /sbin/* | /usr/bin/* | /usr/sbin/*) continue ;; esac
        [[ -f $f && -x $f && $(head -c 2 "$f") == '#!' ]] || continue
        test "$(stat -c %s "$f")" -gt {SCRIPTS_MOST_BYTES} || printf '%s %s %s\n' "$(stat -c %a "$f")" "$(base64 -w0 <"$f")" "$f"
    done
}}
"""
QUESTIONS = {
    "conf": 'inlined "$(conf_file)"',
    "scripts": 'scripts "$(conf_file)"',
    "addresses": "ip -o addr show | awk '{print $4, $2}'",
    "journal": "journalctl -u keepalived --since=-10s --no-pager -o cat",  # a router sends an advert a second, as a rule
}


@dataclass(frozen=True)
class Script:
    """A script that keepalived runs, as it is on the holder. Its text can hold a secret."""

    path: str
    mode: str
    encoded: str = field(repr=False)


@dataclass(frozen=True)
class Instance:
    """A vrrp_instance, and the file around it. Settings of the file's global_defs count where the instance has none."""

    own: Statement = field(repr=False)
    whole: tuple[Statement, ...] = field(repr=False)
    scripts: tuple[Script, ...] = ()
    present: Mapping[str, str] = field(default_factory=dict)
    """The addresses that its machine has, each with its interface."""
    journal: tuple[str, ...] = ()
    """What keepalived has logged in the last seconds."""

    @property
    def globals(self) -> tuple[Statement, ...]:
        return tuple(one for top in self.whole if top.keyword == "global_defs" for one in top.block or ())

    @property
    def virtual_router_id(self) -> str:
        return self.own.said("virtual_router_id")

    @property
    def interface(self) -> str:
        return self.own.said("interface")

    @property
    def version(self) -> int:
        return 3 if (self.own.said("version") or self._global("vrrp_version")) == "3" else 2

    @property
    def advert_int(self) -> float:
        """Seconds; in version 2 whole ones, as keepalived rounds them (vrrp_complete_instance)."""
        try:
            seconds = float(self.own.said("advert_int") or 1)
        except ValueError:
            seconds = 1
        return max(0.01, round(seconds, 2)) if self.version == 3 else max(1, int(seconds + 0.5))

    @property
    def auth_type(self) -> str:
        """PASS, AH, or nothing; version 3 and strict mode know no authentication, and an empty password is none."""
        strict = self.own.last("strict_mode") or next((one for one in self.globals if one.keyword == "vrrp_strict"), None)
        if self.version == 3 or (strict is not None and strict.value not in ("off", "false", "no")):
            return ""
        authentication = self.own.last("authentication")
        return authentication.said("auth_type") if authentication and self.auth_pass.get_secret_value() else ""

    @property
    def auth_pass(self) -> SecretStr:
        """What keepalived reads of it."""
        authentication = self.own.last("authentication")
        return SecretStr(_cut(authentication.said("auth_pass") if authentication else ""))

    @property
    def addresses(self) -> tuple[IPv4Interface, ...]:
        """What its adverts list. IPv6 addresses of an IPv4 instance are in none."""
        return tuple(address for address in self._addresses("virtual_ipaddress") if isinstance(address, IPv4Interface))

    @property
    def all_addresses(self) -> tuple[str, ...]:
        both = ("virtual_ipaddress", "virtual_ipaddress_excluded")
        return tuple(str(address.ip) for keyword in both for address in self._addresses(keyword))

    @property
    def missing(self) -> tuple[str, ...]:
        """Its addresses that its machine, the holder, does not have."""
        return tuple(address for address in self.all_addresses if address not in self.present)

    @property
    def group(self) -> str:
        """Where its adverts are sent to."""
        return self.own.said("mcast_dst_ip") or self._global("vrrp_mcast_group4") or GROUP

    def prefix_of(self, vip: IPv4Address) -> int | None:
        """As keepalived has it: 32 where none is written."""
        every = (*self._addresses("virtual_ipaddress"), *self._addresses("virtual_ipaddress_excluded"))
        return next((address.network.prefixlen for address in every if address.ip == vip), None)

    def _global(self, keyword: str) -> str:
        return next((one.value for one in reversed(self.globals) if one.keyword == keyword), "")

    def _addresses(self, keyword: str) -> Iterator[IPv4Interface]:
        for block in self.own.each(keyword):
            for line in block.block or ():
                try:
                    yield ip_interface(line.keyword)  # type: ignore[misc]  # IPv6 ones, too
                except ValueError:
                    continue


def read_instance(host: Host, platform: Platform) -> Instance:
    """The instance that has the VIP on `host`, with its scripts, asked in one round trip.

    Raises FindingsError when the file has none, or can't be read.
    """
    instances = read_instances(host, timeout_s=platform.timeouts.command_s)
    own = next((one for one in instances if str(platform.vip) in one.all_addresses), None)
    if own is None or not own.virtual_router_id:
        found = Findings(host.name)
        what = f"{CONF} has no vrrp_instance with {platform.vip} and a virtual_router_id"
        found.refuse("vip-instance-missing", what, f"see {CONF} there", final=True)
        raise FindingsError(found.found)
    return own


def read_instances(host: Host, *, timeout_s: float) -> tuple[Instance, ...]:
    """All instances of the machine's file, none where it has no file. Raises FindingsError for one that can't be read."""
    question = PRELUDE + facts(QUESTIONS)
    said = parse_facts(host.run(question, what="reading keepalived's configuration", timeout_s=timeout_s).stdout)
    try:
        whole = parse(said["conf"])
    except GrammarError as error:
        found = Findings(host.name)
        found.refuse("vip-conf-unsupported", f"{CONF} is not read: {error}", "write it without", final=True)
        raise FindingsError(found.found) from error
    scripts = tuple(Script(path, mode, text) for mode, text, path in (s.split(" ", 2) for s in said["scripts"].splitlines()))
    present = {address.partition("/")[0]: device for address, device in map(str.split, said["addresses"].splitlines())}
    journal = tuple(said["journal"].splitlines())
    return tuple(Instance(top, whole, scripts, present, journal) for top in whole if top.keyword == "vrrp_instance")


def refuse_long_auth_pass(ref: SecretRef, secret: SecretStr) -> None:
    """Raise ConfigError for a VRRP password that is longer than keepalived reads: it would be cut silently."""
    if _cut(secret.get_secret_value()) != secret.get_secret_value():
        raise ConfigError(
            f"keepalived.auth_pass: what {ref} holds has {len(secret.get_secret_value())} characters, keepalived reads the first "
            f"{AUTH_PASS_LENGTH}: put the first {AUTH_PASS_LENGTH} of the sources' password there",
            id="vip-password-long",
        )


def _cut(password: str) -> str:
    return password.encode()[:AUTH_PASS_LENGTH].decode(errors="replace")
