"""What can go wrong with machines, injected on purpose. `heal` undoes all faults, however often each was injected.

A fault is a pair of shell scripts for the machines, both idempotent. What needs more than the machine itself is a
function in `power` or `slow`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from deployments.lab import objects, power, slow
from deployments.lab.machines import MACHINES, SSH_PORT, TARGETS, VRID, Machine, find
from deployments.lab.root_shell import sh
from deployments.lab.shell import LabError
from deployments.lab.steps import each

ALL = tuple(machine.name for machine in MACHINES)
ANY_TARGET = TARGETS[1].name
TOKEN = "/var/lib/rancher/k3s/server/token"  # noqa: S105 - where it lies
DOCKER_TMP = "/var/lib/docker/tmp"


@dataclass(frozen=True)
class Fault:
    """One thing that breaks, and the machines it breaks on unless others are named."""

    says: str
    on: tuple[str, ...]
    inject: str
    heal: str = ""


def _blocked(what: str, *chains: str) -> tuple[str, str]:
    """Such packets are dropped, as by a misconfigured firewall."""
    rules = [f"{chain} -p {what} -j DROP" for chain in chains]
    inject = "\n".join(f"iptables -w -C {rule} 2>/dev/null || iptables -w -I {rule}" for rule in rules)
    heal = "\n".join(f"while iptables -w -D {rule} 2>/dev/null; do :; done" for rule in rules)
    return inject, heal


# What the container runtime writes to while it unpacks an archive: a full disk there is a full disk for `docker load`.
_FULL = f"""mountpoint -q {DOCKER_TMP} || mount -t tmpfs -o size=64k lab-fault {DOCKER_TMP}
head -c 128k /dev/zero > {DOCKER_TMP}/full 2>/dev/null || true"""

_KILL_LEADER = """. /etc/lab/etcdctl; said=$(etcdctl endpoint status -w json 2>/dev/null) || exit 0
own=$(echo "$said" | sed -E 's/.*"member_id":([0-9]+).*/\\1/'); leader=$(echo "$said" | sed -E 's/.*"leader":([0-9]+).*/\\1/')
test "$own" != "$leader" || systemctl kill -s KILL etcd"""

_PDB = "k3s kubectl -n iottepa patch poddisruptionbudget web --type=merge -p '{\"spec\": {\"minAvailable\": %d}}'"

# Its replica set creates new pods until it is gone itself, so pods are deleted until none is left.
_SOFT = """stubborn() { k3s kubectl -n iottepa "$@" -l app=stubborn 2>/dev/null; }
test -z "$(stubborn get deployments -o name)" || stubborn delete deployments
while test -n "$(stubborn get replicasets,pods -o name)"; do stubborn delete pods --force --grace-period=0; sleep 0.2; done"""

_STRANGER = f"""cat > /run/lab-stranger.conf <<'END'
vrrp_instance stranger {{
    state BACKUP
    interface eth0
    virtual_router_id {VRID}
    priority 10
    advert_int 1
    authentication {{
        auth_type PASS
        auth_pass strange
    }}
    virtual_ipaddress {{
        10.99.0.250/24
    }}
}}
END
systemctl is-active -q lab-stranger || systemd-run -q --unit=lab-stranger keepalived -n -l -f /run/lab-stranger.conf \\
    -p /run/lab-stranger.pid -r /run/lab-stranger-vrrp.pid"""

FAULTS = {
    "ssh-cut": Fault("every SSH connection is cut, new ones are taken", ALL, "pkill -KILL -f '^sshd: (root|ops)' || true"),
    "ssh-blocked": Fault("nothing reaches sshd", (ANY_TARGET,), *_blocked(f"tcp --dport {SSH_PORT}", "INPUT")),
    "ssh-key-changed": Fault(
        "sshd has another host key",
        (ANY_TARGET,),
        """test -e /etc/ssh/lab-kept || { mkdir /etc/ssh/lab-kept && mv /etc/ssh/ssh_host_* /etc/ssh/lab-kept/; }
ssh-keygen -q -A; systemctl restart ssh""",
        "test ! -d /etc/ssh/lab-kept || { mv -f /etc/ssh/lab-kept/* /etc/ssh/; rmdir /etc/ssh/lab-kept; systemctl restart ssh; }",
    ),
    "etcd-leader-killed": Fault("etcd's leader gets SIGKILL", ALL, _KILL_LEADER),
    "etcd-stopped": Fault(
        "an etcd member is stopped",
        ("vm-2",),
        "systemctl stop etcd",
        "if systemctl is-enabled -q etcd 2>/dev/null; then systemctl start --no-block etcd; fi",
    ),
    "etcd-peers-blocked": Fault(
        "etcd members can't reach each other there", (ANY_TARGET,), *_blocked("tcp --dport 2380", "INPUT", "OUTPUT")
    ),
    "docker-dead": Fault(
        "docker is stopped",
        (ANY_TARGET,),
        "systemctl stop docker.socket docker",
        "systemctl is-active -q docker || systemctl start docker",
    ),
    "disk-full": Fault(
        "docker has no space to unpack archives in",
        (ANY_TARGET,),
        _FULL,
        f"while mountpoint -q {DOCKER_TMP}; do umount {DOCKER_TMP}; done",
    ),
    "token-wrong": Fault(
        "the token file has a wrong password",
        ("vm-1", "vm-2", "vm-3"),
        f"test -e {TOKEN}.kept || cp -p {TOKEN} {TOKEN}.kept; sed -i 's/:[^:]*$/:wrong/' {TOKEN}",
        f"test ! -e {TOKEN}.kept || mv -f {TOKEN}.kept {TOKEN}",
    ),
    "vrrp-blocked": Fault("keepalived hears no adverts there", (ANY_TARGET,), *_blocked("vrrp", "INPUT")),
    "stranger": Fault(
        "a foreign keepalived uses our VRID",
        ("phys-6",),
        _STRANGER,
        "if systemctl is-active -q lab-stranger; then systemctl stop lab-stranger; fi; rm -f /run/lab-stranger*",
    ),
    "stale-hosts": Fault(
        "/etc/hosts has two wrong lines for one name",
        (ANY_TARGET,),
        "grep -q lab-fault /etc/hosts || printf '10.99.0.97 vm-2 # lab-fault\\n10.99.0.96 vm-2 # lab-fault\\n' >> /etc/hosts",
        "if grep -q lab-fault /etc/hosts; then sed '/lab-fault/d' /etc/hosts > /run/hosts && cat /run/hosts > /etc/hosts; fi",
    ),
    "budget-zero": Fault(
        "web's disruption budget allows no eviction",
        ("vm-1",),
        _PDB % 3,
        "case $(k3s kubectl -n iottepa get poddisruptionbudget web -o 'jsonpath={.spec.minAvailable}' 2>/dev/null) in\n"
        f"3) {_PDB % 2} ;;\nesac",
    ),
    "budget-never": Fault(
        "a disruption budget allows no eviction, ever",
        ("vm-1",),
        objects.applied("budget-never", awaited="-n strict rollout status deployment/gateway"),
        objects.deleted("budget-never"),
    ),
    "local-volume": Fault(
        "a workload has its data on a local volume of vm-1",
        ("vm-1",),
        objects.applied("local-volume", awaited="-n store rollout status statefulset/archive", before="mkdir -p /var/tmp/lab-archive"),
        objects.deleted("local-volume"),
    ),
    "pinned-cron": Fault(
        "a cron job may only run on vm-1",
        ("vm-1",),
        objects.applied("pinned-cron", awaited=""),
        objects.deleted("pinned-cron"),
    ),
    "stubborn-pod": Fault(
        "a pod does not end when it is asked to",
        ("vm-1",),
        objects.applied("stubborn-pod", awaited="-n iottepa rollout status deployment/stubborn"),
        _SOFT,
    ),
    "mere-user": Fault(
        "there is a user `mere` with our key, who is not root",
        ALL,
        """id mere >/dev/null 2>&1 || useradd --create-home --shell /bin/bash mere
install -d -o mere -g mere -m 700 /home/mere/.ssh
install -o mere -g mere -m 600 /root/.ssh/authorized_keys /home/mere/.ssh/authorized_keys""",
        "if id mere >/dev/null 2>&1; then userdel --remove mere 2>/dev/null; fi",
    ),
    "reboot": Fault("power is cut and comes back", (ANY_TARGET,), ""),
    "slow-links": Fault("what it sends takes 100 ms, one frame in a hundred is lost", ALL, ""),
}


def known(name: str) -> Fault:
    """The fault of that name; an unknown name is refused with the list of known ones."""
    if name not in FAULTS:
        raise LabError(f"no fault {name}; there are: {', '.join(FAULTS)}")
    return FAULTS[name]


def inject(name: str, hosts: Iterable[str]) -> list[Machine]:
    """Inject it on these machines, or on the fault's own; those that are off are skipped. Returns the machines."""
    fault = known(name)
    running = power.running()
    machines = [m for m in map(find, hosts or fault.on) if m.container in running]
    if name == "reboot":
        each(machines, power.on)
    elif name == "slow-links":
        slow.inject(machines)
    else:
        each(machines, lambda machine: sh(machine, fault.inject))
    return machines


def heal() -> None:
    """Undo every fault on every machine that is on."""
    slow.heal()
    script = "\n".join(fault.heal for fault in FAULTS.values() if fault.heal)
    running = power.running()
    each([m for m in MACHINES if m.container in running], lambda machine: sh(machine, script))
