"""The old platform on a target is removed, never on a machine that the live platform is on already."""

from __future__ import annotations

from blocks.errors import RefusedError, VerificationError
from blocks.ports import Host
from configs.platform import Platform
from tasks.engine.finding import note
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.machine.facts import HostFacts, read_host_facts
from tasks.machine.live import LivePlatform
from tasks.shell.script import facts, parse_facts

# The vendor's scripts fail on what is already gone; what counts is what is left afterwards.
SCRIPT = """
for script in /usr/local/bin/k3s-uninstall.sh /usr/local/bin/k3s-agent-uninstall.sh; do
    test ! -x "$script" || "$script" >/tmp/evenkeel-uninstall.log 2>&1 || true
done
systemctl disable --now etcd >/dev/null 2>&1 || true
systemctl start docker >/dev/null 2>&1 || true
all=$(docker ps -qa); test -z "$all" || docker stop $all >/dev/null
all=$(docker ps -qa); test -z "$all" || docker rm $all >/dev/null
"""
LEFT = {
    "units": "ls /etc/systemd/system/k3s.service /etc/systemd/system/k3s-agent.service",
    "running": "pgrep -xl 'k3s.*|kubelet|kube-.*'",
    "files": "ls -d /usr/local/bin/k3s /etc/rancher/k3s /var/lib/rancher/k3s /var/lib/kubelet",
    "containers": "docker ps -a --format '{{.Names}}'",
    "etcd": "systemctl is-active etcd | grep -E '^(active|activating|deactivating)'",
    "iptables": "iptables-save | grep -c KUBE-",
}
KUBELETS = "k8s_"  # how the kubelet names its containers in docker
MUST_BE_GONE = ("units", "running", "files", "containers", "etcd")


@step("uninstall old k3s")
def ensure_old_platform_gone(run: Run, host: Host, platform: Platform, live: LivePlatform) -> Outcome:
    """Make a target carry no k3s, no containers and no running etcd, unless they are the live platform's own.

    Undo: none; the old platform's images, bundle and etcd data stay on the machine, its image tags are in the record.
    """
    # probe
    before = read_host_facts(host, platform)
    why_live = live.why_live(host, before)
    if why_live is not None:
        return unchanged(f"part of the live platform: {why_live}")
    if not before.has_k3s and not before.containers and not before.etcd_active:
        return unchanged("no k3s, no containers, no etcd")
    _refuse_mounts(host, before)
    removed = _described(before)
    if run.dry_run:
        return planned(f"uninstalled: {removed}")

    # act
    with run.acting(host.name, f"uninstalling {removed}"):
        answer = host.run(
            SCRIPT + facts(LEFT), what="uninstalling the old k3s", timeout_s=platform.timeouts.uninstall_s
        )

    # verify
    left = {name: text.split() for name, text in parse_facts(answer.stdout).items()}
    stuck = [f"{name}: {' '.join(left[name])}" for name in MUST_BE_GONE if left[name]]
    if stuck:
        raise VerificationError(
            f"{host.name}: uninstalling the old k3s: still there: {'; '.join(stuck)}: see /tmp/evenkeel-uninstall.log there, "
            "remove the rest by hand, then run the same command again",
            id="uninstall-incomplete",
        )
    rules = int((left["iptables"] or ["0"])[0])
    kept = f"{rules} KUBE- iptables rules stay; the new kube-proxy takes them over"
    return changed(f"gone: {removed}", findings=(note("iptables-rules-stay", host.name, kept),) if rules else ())


def _refuse_mounts(host: Host, before: HostFacts) -> None:
    """The uninstall scripts delete through what is mounted below the kubelet's folder (k3s-io/k3s#3264)."""
    if before.mounts:
        raise RefusedError(
            f"{host.name}: uninstalling would delete through live mounts: {', '.join(before.mounts)}: "
            "umount them there, then run the same command again",
            id="host-data-mounted",
        )


def _described(before: HostFacts) -> str:
    others = sorted(name for name in before.containers if not name.startswith(KUBELETS))
    pods = len(before.containers) - len(others)
    units = ", ".join(before.k3s_units) or ("remains of k3s" if before.has_k3s else "no k3s")
    return (
        f"{units}; {pods} pod containers, {len(others)} other containers"
        + (f" ({', '.join(others)})" if others else "")
        + ("; its own etcd" if before.etcd_active else "")
    )
