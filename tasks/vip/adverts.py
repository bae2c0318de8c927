"""VRRP adverts: heard on a machine through its own firewall, judged as keepalived judges them; and gratuitous ARP.

tcpdump would see what netfilter drops afterwards; a raw socket gets what keepalived's own would get.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from shlex import quote

from blocks.ports import Host
from tasks.shell.script import facts, parse_facts
from tasks.vip.instance import AUTH_PASS_LENGTH, Instance

PROTOCOL = 112
AUTH_TYPES = {"": 0, "PASS": 1, "AH": 2}
# Both know Python 2.7: CentOS 7 has no other.
LISTEN_PYTHON = """\
import binascii, select, socket, struct, sys, time
index, device, group, vrid, seconds = int(sys.argv[1] or 0), sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5])
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
s.setsockopt(socket.SOL_SOCKET, 25, device.encode() + b"\\0")
s.setsockopt(0, 35, struct.pack("=4s4si", socket.inet_aton(group), b"\\0\\0\\0\\0", index))
end = time.time() + seconds
while True:
    left = end - time.time()
    if left <= 0 or not select.select([s], [], [], left)[0]: break
    packet, source = s.recvfrom(2048)
    advert = packet[(bytearray(packet)[0] & 15) * 4:]
    if len(advert) >= 8 and bytearray(advert)[1] == vrid:
        print(source[0] + " " + binascii.hexlify(advert).decode())
"""
LISTEN_PERL = """\
use Socket; use Time::HiRes qw(time);
my ($index, $device, $group, $vrid, $seconds) = @ARGV;
socket(S, PF_INET, SOCK_RAW, 112) or die "$!\\n";
setsockopt(S, SOL_SOCKET, 25, "$device\\0") or die "$!\\n";
setsockopt(S, 0, 35, pack("a4 a4 i", inet_aton($group), "\\0" x 4, $index)) or die "$!\\n";
my $end = time + $seconds;
while ((my $left = $end - time) > 0) {
    my $ready = ""; vec($ready, fileno(S), 1) = 1;
    last unless select($ready, undef, undef, $left);
    my $source = recv(S, my $packet, 2048, 0);
    my $advert = substr($packet, (ord($packet) & 15) * 4);
    next unless length($advert) >= 8 && ord(substr($advert, 1, 1)) == $vrid;
    print inet_ntoa((unpack_sockaddr_in($source))[1]), " ", unpack("H*", $advert), "\\n";
}
"""
# An entry that a Linux neighbour has just changed is locked for a second: the frames take longer.
ANNOUNCE_PYTHON = """\
import binascii, socket, struct, sys, time
device, mac = sys.argv[1], binascii.unhexlify(sys.argv[3].replace(":", ""))
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind((device, 0x0806))
for _ in range(5):
    for a in map(socket.inet_aton, sys.argv[4:]):
        s.send(b"\\xff" * 6 + mac + struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, 1) + mac + a + b"\\xff" * 6 + a)
    time.sleep(0.3)
"""
ANNOUNCE_PERL = """\
use Socket;
my ($device, $index, $mac, @addresses) = @ARGV;
$mac =~ tr/://d; $mac = pack("H12", $mac);
socket(S, 17, SOCK_RAW, unpack("S", pack("n", 0x0806))) or die "$!\\n";
my $to = pack("S n i S C C a8", 17, 0x0806, $index, 1, 0, 6, "\\xff" x 6);
for (1 .. 5) {
    for my $a (map { inet_aton($_) } @addresses) {
        my $arp = pack("n n n C C n", 0x0806, 1, 0x0800, 6, 4, 1) . $mac . $a . "\\xff" x 6 . $a;
        send(S, "\\xff" x 6 . $mac . $arp, 0, $to) or die "$!\\n";
    }
    select(undef, undef, undef, 0.3);
}
"""
# RHEL has a Python that is in no PATH.
INTERPRETED = r"""index() { ip -o link show dev "$1" | cut -d: -f1; }
mac() { ip -o link show dev "$1" | grep -oE 'link/ether [0-9a-f:]+' | cut -d' ' -f2; }
interpreted() {
    local python=$1 perl=$2 p; shift 2
    for p in python3 /usr/libexec/platform-python python python2 python2.7; do
        ! command -v "$p" >/dev/null || { "$p" -c "$python" "$@" 2>&1; return; }
    done
    if command -v perl >/dev/null; then perl -e "$perl" "$@" 2>&1; else echo neither; fi
}
"""
NEITHER = "neither"
# What keepalived logs of an advert that is no peer's: another password, other addresses, or a master beside ours; 1.2 to 2.4.
FOREIGN_ADVERT = re.compile(
    r"invalid passwd|auth(?: from \S+)?, expecting|[Ii]nvalid auth type|invalid ip number|unexpected ip number|VIPs but received"
    r"|not present in (?:MASTER |received )?(?:advert|packet)|VIP associated with VRID mismatch|advertiss?ement interval mismatch"
    r"|(?:invalid|wrong)(?: VRRP)? version|Received (?:lower|higher) prio advert|(?:lower|higher) priority \d+, ours"
    r"|with same priority|equal priority advert|configured as address owner|AH header but auth type"
)


@dataclass(frozen=True)
class Advert:
    """One advert, as it came. It holds the password, if there is one."""

    source: str
    payload: bytes = field(repr=False)

    @property
    def version(self) -> int:
        return self.payload[0] >> 4

    @property
    def addresses(self) -> frozenset[IPv4Address]:
        count, listed = self.payload[3], self.payload[8:]
        return frozenset(IPv4Address(listed[4 * n : 4 * n + 4]) for n in range(min(count, len(listed) // 4)))


def listening(device: str, instance: Instance) -> str:
    """The command for a fact: the adverts of the instance's VRID that arrive within three of its intervals."""
    index = f'"$(index {quote(device)})"'
    to = f"{index} {quote(device)} {quote(instance.group)} {quote(instance.virtual_router_id)} {listens_for(instance):g}"
    return f"{INTERPRETED}interpreted {quote(LISTEN_PYTHON)} {quote(LISTEN_PERL)} {to}"


def listens_for(instance: Instance) -> float:
    """Three intervals, after which a backup takes over (RFC 3768), and a second for what is quicker than a network."""
    return max(1.0, 3 * instance.advert_int)


def parse_adverts(answer: str) -> tuple[Advert, ...]:
    """What was heard, out of what `listening` answered."""
    found = re.findall(r"^(\d+\.\d+\.\d+\.\d+) ([0-9a-f]{16,})$", answer, re.MULTILINE)
    return tuple(Advert(source, bytes.fromhex(payload)) for source, payload in found if len(payload) % 2 == 0)


def why_discarded(advert: Advert, instance: Instance) -> Iterator[str]:
    """Why a keepalived that is configured as `instance` discards the advert (vrrp_check_packet); never with a password."""
    if advert.version != instance.version:
        yield f"VRRP version {advert.version}, its configuration says {instance.version}"
        return
    if advert.version == 2:
        kind, expected = advert.payload[4], AUTH_TYPES.get(instance.auth_type, 0)
        if kind != expected:
            yield f"authentication of type {kind}, its configuration says {expected}"
        elif kind == 1 and advert.payload[-AUTH_PASS_LENGTH:] != _padded(instance):
            yield "another password than in its configuration"
        if advert.payload[5] != instance.advert_int:
            yield f"an interval of {advert.payload[5]} s, its configuration says {instance.advert_int:g} s"
    configured = frozenset(address.ip for address in instance.addresses)
    if advert.addresses != configured:
        yield f"the addresses {_listed(advert.addresses)}, its configuration says {_listed(configured)}"


def announce(host: Host, instance: Instance, *, timeout_s: float) -> bool:
    """Let the holder `host` send gratuitous ARP for all addresses of its instance that it has; whether it could.

    arping is not installed everywhere and has two dialects, and a keepalived that gets SIGHUP reads its file again.
    """
    devices: dict[str, list[str]] = {}
    for address in instance.all_addresses:
        if ":" not in address and address in instance.present:
            devices.setdefault(instance.present[address], []).append(address)
    programs = f"{quote(ANNOUNCE_PYTHON)} {quote(ANNOUNCE_PERL)}"
    sent = [
        f'interpreted {programs} {quote(device)} "$(index {quote(device)})" "$(mac {quote(device)})" {" ".join(addresses)} && echo sent'
        for device, addresses in devices.items()
    ]
    question = facts({"said": INTERPRETED + "\n".join(sent)})
    said = parse_facts(host.run(question, what="announcing the VIP", timeout_s=timeout_s).stdout)["said"]
    return said.split() == ["sent"] * len(devices)


def foreign_complaint(journal: Collection[str]) -> str | None:
    """The first line of keepalived's journal that speaks of an advert that is no peer's."""
    return next((line for line in journal if FOREIGN_ADVERT.search(line)), None)


def _padded(instance: Instance) -> bytes:
    return instance.auth_pass.get_secret_value().encode().ljust(AUTH_PASS_LENGTH, b"\0")


def _listed(addresses: Collection[IPv4Address]) -> str:
    return ", ".join(map(str, sorted(addresses))) or "none"
