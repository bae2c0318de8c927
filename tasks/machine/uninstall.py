"""The old platform on a target is removed, never on a machine that the live platform is on already."""

from __future__ import annotations

from collections.abc import Mapping

from blocks.errors import RefusedError, VerificationError
from blocks.ports import Host
from configs.platform import Platform
from tasks.engine.finding import Finding, note
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.machine.facts import read_host_facts
from tasks.machine.live import LivePlatform
from tasks.machine.remains import QUESTIONS, parse_remains, prelude
from tasks.shell.files import begin_log, step_log
from tasks.shell.script import facts, parse_facts

LOG = step_log("uninstall")
# Commands fail on what is already gone; what counts is what is left afterwards. The vendor's scripts delete through mounts
# (k3s-io/k3s#3264), so everything is stopped and unmounted first. They also remove the unit that names the data's folder, so
# that goes before them, and themselves, so what they leave when they are cut off is removed here.
_STOP = r"""
for unit in $(units) etcd; do systemctl disable --now "$unit"; done
systemctl start docker
for verb in stop rm; do
    mapfile -t all < <(others); test ${#all[@]} = 0 || docker $verb "${all[@]}"
done
# shellcheck disable=SC2046,SC2086  # numbers of processes
tree() { local p; for p; do tree $(pgrep -P "$p"); echo "$p"; done; }
# shellcheck disable=SC2046,SC2086
for signal in TERM KILL; do
    left=$(processes | cut -d' ' -f1); test -n "$left" || break
    kill -$signal $(tree $left)
    for _ in 1 2 3 4 5; do test -n "$(processes)" || break; sleep 1; done
done
mounts | sort -r | while read -r path kind; do
    path=$(printf %b "$path")
    timeout 20 umount "$path" || timeout 20 umount -f "$path"
done
"""
_DELETE = r"""
for d in "${dirs[@]}"; do
    rm -rf --one-file-system "$d/agent" "$d/data" "$d/server" "$d/storage"
    rmdir "$d"
done
for script in $(uninstallers); do test ! -x "$script" || "$script"; done
find /var/lib/kubelet/ -mindepth 1 -maxdepth 1 ! -name lost+found -exec rm -rf --one-file-system {} +
rmdir /var/lib/kubelet
rm -rf --one-file-system /etc/rancher/k3s /run/k3s /run/flannel
for link in cni0 flannel.1; do test ! -e /sys/class/net/$link || ip link delete $link; done
for unit in $(units); do rm -f "/etc/systemd/system/$unit" "/etc/systemd/system/$unit.env"; done
rm -f /usr/local/bin/k3s /usr/local/bin/k3s-killall.sh /usr/local/bin/k3s*-uninstall.sh
systemctl daemon-reload
"""
SCRIPT = f"""{{
{begin_log(LOG)}{{ {_STOP}
if test -z "$(mounts)"; then {_DELETE}
fi; }} >{LOG} 2>&1
}} </dev/null
"""


@step("uninstall old k3s")
def ensure_old_platform_gone(run: Run, host: Host, platform: Platform, live: LivePlatform) -> Outcome:
    """Make a target carry no k3s, no containers and no etcd that starts, unless they are the live platform's own.

    Containers that the config keeps stay. Undo: none; the old platform's images, bundle and etcd data stay on the machine,
    its image tags are in the record.
    """
    # probe
    before = read_host_facts(host, platform)
    why_live = live.why_live(host, before)
    if why_live is not None:
        return unchanged(f"part of the live platform: {why_live}")
    if not before.remains:
        return unchanged("no k3s, no containers, no etcd")
    if run.dry_run:
        return planned(f"uninstalled: {before.remains}")

    # act
    with run.acting(host.name, f"uninstalling {before.remains}"):
        asked = facts({**QUESTIONS, "iptables": "iptables-save | grep -c KUBE-"})
        script = prelude(platform) + SCRIPT + asked
        answer = host.run(script, what="uninstalling the old k3s", timeout_s=platform.timeouts.uninstall_s)

    # verify
    said = parse_facts(answer.stdout)
    left = parse_remains(said)
    if left.mounts:
        raise RefusedError(
            f"{host.name}: uninstalling the old k3s: it is stopped, nothing is deleted: still mounted: {', '.join(left.mounts)}: "
            "umount it there (fuser -vm PATH shows who uses it), then run the same command again",
            id="host-data-mounted",
        )
    if left:
        raise VerificationError(
            f"{host.name}: uninstalling the old k3s: still there: {left.listed}: see {LOG} there, "
            "remove the rest by hand, then run the same command again",
            id="uninstall-incomplete",
        )
    return changed(f"gone: {before.remains}", findings=tuple(_stays(host, said)))


def _stays(host: Host, said: Mapping[str, str]) -> list[Finding]:
    found = []
    if said["kept"]:
        kept = f"containers stay, as uninstall.keep_containers says: {', '.join(said['kept'].split())}"
        found.append(note("containers-kept", host.name, kept))
    if rules := int(said["iptables"] or 0):
        kept = f"{rules} KUBE- iptables rules stay; the new kube-proxy takes them over"
        found.append(note("iptables-rules-stay", host.name, kept))
    return found
