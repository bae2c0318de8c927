"""k3s leaves a source: no new pods, stopped for good, its node deleted."""

from __future__ import annotations

from blocks.errors import RefusedError, VerificationError
from blocks.ports import Host, KubeApi
from configs.hosts import Machine
from configs.platform import Platform
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.record import Record
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.engine.waiting import stays, wait_until
from tasks.k3s.nodes import LEFT, find_node, find_source
from tasks.shell.k3s_units import UNITS
from tasks.shell.script import facts, parse_facts
from tasks.shell.units import is_off

# Pods' containers go on when k3s stops, as they must at an upgrade; on a source that leaves they are orphans.
PODS = "docker ps -q --filter label=io.kubernetes.pod.name"
# Without --docker each pod's containers hang below a shim of k3s's own containerd, which nothing can be asked once k3s is off;
# k3s-killall.sh ends them so, too. https://github.com/k3s-io/k3s/blob/v1.20.8+k3s1/install.sh
SHIMS = "pgrep -f '/data/[0-9a-f]{64}/bin/containerd-shim'"
FACTS = facts(
    {
        "units": 'for u in "${k3s_units[@]}"; do echo "$u" "$(systemctl is-active "$u")" "$(systemctl is-enabled "$u")"; done',
        "running": "pgrep -lx 'k3s(-server|-agent)?'",
        "pods": PODS,
        "shims": SHIMS,
        "hostname": "uname -n",
    }
)
LOCK = ("kube-system", "k3s")
"""The lock of k3s's servers. Only its holder, named by its host name, takes the finalizer off a node that is deleted."""
STOP = (
    'for u in "${k3s_units[@]}"; do systemctl disable --now "$u" 2>/dev/null; done\n'
    f'mapfile -t pods < <({PODS}); test ${{#pods[@]}} = 0 || docker stop "${{pods[@]}}" >/dev/null\n'
    "# shellcheck disable=SC2046,SC2086  # numbers of processes\n"
    'tree() { local p; for p; do tree $(pgrep -P "$p"); echo "$p"; done; }\n'
    "# shellcheck disable=SC2046,SC2086\n"
    "for signal in TERM KILL; do\n"
    f'    left=$({SHIMS}); test -n "$left" || break\n'
    "    kill -$signal $(tree $left)\n"
    f'    for _ in 1 2 3 4 5 6 7 8 9 10; do test -n "$({SHIMS})" || break; sleep 1; done\n'
    "done 2>/dev/null\n"
)


@step("cordon")
def ensure_cordoned(run: Run, source: Machine, kube: KubeApi, record: Record) -> Outcome:
    """Make the scheduler put no new pods on the node. All sources come first, so that every pod moves only once.

    Undo: kubectl uncordon; done when a drain fails.
    """
    # probe
    node = find_source(kube, record, source)
    if node is None:
        return unchanged("no longer a node")
    if node.unschedulable:
        return unchanged("cordoned")
    if run.dry_run:
        return planned("cordoned")

    # act
    with run.acting(source.name, "cordoning"):
        kube.set_unschedulable(source.name, True)

    # verify
    wait_until(
        f"{source.name} is cordoned",
        lambda: (n := find_node(kube, source.name)) and n.unschedulable,
        timeout_s=30,
        still=lambda: f"it is schedulable: kubectl cordon {source.name}",
        id="node-not-cordoned",
    )
    return changed("cordoned")


@step("uncordon")
def ensure_uncordoned(run: Run, source: Machine, kube: KubeApi, record: Record) -> Outcome:
    """Make the scheduler use the node again.

    Undo: kubectl cordon.
    """
    # probe
    node = find_source(kube, record, source)
    if node is None or not node.unschedulable:
        return unchanged("schedulable" if node else "no longer a node")
    if run.dry_run:
        return planned("uncordoned")

    # act
    with run.acting(source.name, "uncordoning", undoing=True):
        kube.set_unschedulable(source.name, False)

    # verify
    wait_until(
        f"{source.name} is schedulable",
        lambda: (n := find_node(kube, source.name)) and not n.unschedulable,
        timeout_s=30,
        still=lambda: f"it is cordoned: kubectl uncordon {source.name}",
        id="node-stays-cordoned",
    )
    return changed("uncordoned")


@step("stop k3s on source")
def ensure_k3s_stopped(run: Run, host: Host, platform: Platform, kube: KubeApi) -> Outcome:
    """Make neither server nor agent run on the machine, now or after a reboot, nor its pods' containers, nor k3s's lock wait for it.

    A server that stops means to give the lock back (ReleaseOnCancel in wrangler's leader.go), but its own API server, which
    it would tell, has ended first; nobody else leads then for 45 s, and no node that is deleted goes.
    Undo: systemctl enable --now its unit, which the outcome names, before the node is deleted.
    """
    # probe
    said = parse_facts(host.run(UNITS + FACTS, what="reading k3s's units", timeout_s=platform.timeouts.command_s).stdout)
    left = _still_there(said) or _still_leads(said, kube)
    if not left:
        return unchanged("k3s is off and disabled")
    if run.dry_run:
        return planned(f"k3s is stopped and disabled: now {left}")
    if not any(kube.is_ready(str(server.address)) for server in platform.servers):
        raise RefusedError(
            f"{host.name}: stopping k3s: no target's API server answers: systemctl status k3s on the targets",
            id="api-targets-silent",
        )

    # act
    with run.acting(host.name, "stopping k3s"):
        answer = host.run(UNITS + STOP + FACTS, what="stopping k3s", timeout_s=platform.timeouts.uninstall_s)
        left = _still_there(parse_facts(answer.stdout))
        if not left:  # not before: a server that still runs takes the lock again, or ends when another has it
            kube.release_lock(*LOCK, said["hostname"])

    # verify
    left = left or _still_leads(said, kube)
    units = " and ".join(_on(said)) or "k3s"
    if left:
        raise VerificationError(
            f"{host.name}: k3s was stopped, but {left}: systemctl status {units}; docker ps; ps -ef", id="k3s-not-stopped"
        )
    return changed(f"{units} is off and disabled")


def _on(said: dict[str, str]) -> dict[str, str]:
    """By unit of k3s, whatever it is called: its state, of those that are not off. One that has failed is off: k3s ends with an
    error when it is stopped.
    """
    states = (line.partition(" ") for line in said["units"].splitlines())
    return {unit: state for unit, _, state in states if not is_off(state)}


def _still_there(said: dict[str, str]) -> str:
    """What of k3s is not off, in words."""
    on = [f"the unit {unit} is {state}" for unit, state in _on(said).items()]
    processes = said["running"].splitlines()
    if processes and not on:
        on.append(f"a process of no unit called k3s* runs: {', '.join(processes)}")
    if said["pods"]:
        on.append(f"{len(said['pods'].split())} containers of its pods run")
    if said["shims"]:
        on.append(f"{len(said['shims'].split())} pods of its containerd run")
    return ", ".join(on)


def _still_leads(said: dict[str, str], kube: KubeApi) -> str:
    """That k3s's lock is this machine's, in words; or nothing."""
    return "it holds k3s's lock" if said["hostname"] and kube.lock_holder(*LOCK) == said["hostname"] else ""


@step("delete node")
def ensure_node_deleted(run: Run, source: Machine, platform: Platform, kube: KubeApi, record: Record) -> Outcome:
    """Make the cluster have no such node, for good; its API server is no longer one of the cluster's endpoints.

    A node whose k3s still runs registers again (k3s-io/k3s#945), so k3s is stopped first. One that is deleted stays until
    k3s's leader takes its finalizer off. The record says that the source has left: from now on its absence is no surprise.
    Undo: start k3s there again, it registers.
    """
    # probe
    address = str(source.address)
    node = find_source(kube, record, source)
    if node is None and address not in kube.server_addresses():
        return unchanged("not a node")
    if run.dry_run:
        return planned("the node is deleted")

    # act
    with run.acting(source.name, "deleting the node"):
        record.write(f"{LEFT}/{source.name}", {"address": address})
        kube.delete_node(source.name)

    # verify
    wait_until(
        f"{source.name} has left the API's endpoints",
        lambda: address not in kube.server_addresses(),
        timeout_s=platform.timeouts.api_settle_s,
        id="api-endpoint-stays",
    )
    uid = node.uid if node else ""
    wait_until(
        f"{source.name} is no node any more",
        lambda: _is_gone(kube, source.name, uid),
        timeout_s=platform.timeouts.node_delete_s,
        still=lambda: f"it is deleted, but k3s's leader has not taken its finalizer off: kubectl get node {source.name} -o yaml",
        id="node-not-deleted",
    )
    stays(f"{source.name} is gone", lambda: _is_gone(kube, source.name, uid), for_s=3)
    return changed("the node is deleted")


def _is_gone(kube: KubeApi, name: str, uid: str) -> bool:
    """Whether no node is called so. Raises VerificationError when another one is: it has registered again."""
    node = find_node(kube, name)
    if node is not None and node.uid != uid:
        raise VerificationError(
            f"{name}: the node was deleted and registered again: a k3s still runs there: systemctl disable --now k3s k3s-agent",
            id="node-came-back",
        )
    return node is None
