"""Files of a target that name a source: those that its daemons read, without their secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping

from blocks.ports import Host
from configs.hosts import Machine
from tasks.residue.names import Residue, named_by
from tasks.shell.script import fact, parse_facts

# Where a target's daemons have their addresses from; a pattern stands for all that match.
FILES = (
    "/etc/systemd/system/k3s.service", "/etc/systemd/system/k3s.service.env", "/etc/systemd/system/k3s.service.d/*.conf",
    "/etc/systemd/system/k3s-agent.service", "/etc/systemd/system/k3s-agent.service.env",
    "/etc/systemd/system/k3s-agent.service.d/*.conf", "/etc/systemd/system/docker.service.d/*.conf",
    "/etc/systemd/system/keepalived.service.d/*.conf", "/etc/default/k3s", "/etc/sysconfig/k3s", "/etc/rancher/k3s/k3s.yaml",
    "/etc/rancher/k3s/config.yaml", "/etc/rancher/k3s/config.yaml.d/*.yaml", "/etc/rancher/k3s/registries.yaml",
    "/etc/keepalived/keepalived.conf", "/etc/docker/daemon.json", "/etc/resolv.conf", "/etc/chrony.conf",
    "/etc/chrony/chrony.conf", "/etc/ntp.conf", "/etc/systemd/timesyncd.conf", "/etc/fstab", "/root/.kube/config",
)  # fmt: skip
# The values of tokens, passwords and keys, and the logins in URLs, are cut out before they leave the machine.
CUT = (
    r"sed -E 's/K10[0-9a-f]{64}::.*/K10.../; s/([Tt][Oo][Kk][Ee][Nn][:= ]+|auth_pass +|-data: |[Pp]assword[:= ]+).*/\1.../; "
    r"s#://[^/@ ]*@#://...@#g'"
)
BEGINS = "--file "
SETTING = re.compile(r"\s*(?:export\s+)?([A-Za-z_]\w*)(?:=|:(?=\s))")
DAEMON_JSON = "/etc/docker/daemon.json"
ALLOWING = ("insecure-registries",)  # what docker may use, not what it uses


def _mounts(line: str) -> bool:
    """An fstab's line that is mounted at the start."""
    return "noauto" not in "".join(line.split()[3:4]).split(",")


def _asks(line: str) -> bool:
    return line.split()[0] in ("nameserver", "server", "pool", "peer")


def _always(_line: str) -> bool:
    return True


def _never(_line: str) -> bool:
    return False


def _reaches(line: str) -> bool:
    """NO_PROXY says what to reach without a proxy, not whom."""
    return "no_proxy" not in line.lower()


# By the beginning of a path: what begins a comment, and whether a line is one by which the machine reaches somebody.
RULES: tuple[tuple[str, str, Callable[[str], bool]], ...] = (
    ("/etc/fstab", "#", _mounts),
    ("/etc/resolv.conf", "#;", _asks),
    ("/etc/chrony", "#!;%", _asks),
    ("/etc/ntp.conf", "#", _asks),
    ("/etc/keepalived/", "#!", _always),
    ("/root/.kube/config", "#", _never),
    ("/", "#;", _reaches),
)


def read_daemon_files(host: Host, *, timeout_s: float) -> dict[str, str]:
    """The files that there are on a target, by path, without secrets."""
    one = f"printf '\\n%s%s\\n' '{BEGINS}' \"$f\"; {CUT} \"$f\""
    each = f'for f in {" ".join(FILES)}; do test ! -f "$f" || {{ {one}; }}; done'
    said = parse_facts(host.run(fact("files", each), what="looking for source addresses", timeout_s=timeout_s).stdout)["files"]
    parts = f"\n{said}".split(f"\n{BEGINS}")[1:]
    return {path: text.rstrip("\n") for path, _, text in (part.partition("\n") for part in parts)}


def in_files(host: str, files: Mapping[str, str], source: Machine) -> list[Residue]:
    """Settings of a target's files that name the source; given by line and name, as their values may hold a secret."""
    remedy = f"on {host} write a target's address or the VIP there, restart its daemon, then run the same command again"
    return [
        Residue(f"{host}:{path}", which, named, hard, remedy)
        for path, text in files.items()
        for which, named, hard in (_in_json if path == DAEMON_JSON else _in_lines)(path, text, named_by(source))
    ]


def _in_lines(path: str, text: str, names: re.Pattern[str]) -> Iterator[tuple[str, str, bool]]:
    comments, is_needed = next((begin, needed) for prefix, begin, needed in RULES if path.startswith(prefix))
    for number, line in enumerate(text.splitlines(), 1):
        said = re.sub(rf"(^|\s)[{re.escape(comments)}].*", "", line)
        found = names.search(said)
        if found:
            name = SETTING.match(said)
            yield f"line {number}{f', {name[1]}' if name else ''}", found[0], is_needed(said)


def _in_json(path: str, text: str, names: re.Pattern[str]) -> Iterator[tuple[str, str, bool]]:
    try:
        settings = json.loads(text).items()
    except (ValueError, AttributeError):  # docker would not start with it either
        yield from _in_lines(path, text, names)
        return
    for name, value in settings:
        found = names.search(json.dumps(value))
        if found:
            yield name, found[0], name not in ALLOWING
