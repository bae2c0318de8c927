"""A source leaves: k3s first, then its node, its etcd member, its data. Nothing is deleted that can be moved aside."""

from __future__ import annotations

from collections.abc import Collection

from blocks.ports import EtcdApi, Host, KubeApi
from configs.errors import RefusedError, VerificationError
from configs.hosts import Machine
from configs.platform import Platform
from tasks.drain import why_stays
from tasks.etcd_members import find_member, move_aside
from tasks.k3s import find_node
from tasks.keepalived import holds
from tasks.outcome import Outcome, changed, planned, unchanged
from tasks.rendering import peer_url
from tasks.residue import read_residues
from tasks.run import Run
from tasks.scripts import STRICT, facts, parse_facts
from tasks.step import step
from tasks.units import calm, is_off
from tasks.waiting import stays, wait_until

# The kubelet's containers outlive k3s, as they should at an upgrade; on a source that leaves they are orphans.
PODS = "docker ps -q --filter label=io.kubernetes.pod.name"


@step("check nothing names source")
def check_unreferenced(
    run: Run, source: Machine, platform: Platform, targets: Collection[Host], everyone: Collection[Host], kube: KubeApi
) -> Outcome:
    """Make sure that nobody would miss the machine: no target's daemon and no object of the cluster needs its address.

    Changes nothing. What merely mentions the address is noted. Undo: none needed.
    """
    # probe
    if run.dry_run:
        return planned("checked: targets' daemons, endpoints, volumes, placements, VIP, pods")
    found = read_residues(targets, kube, platform, source)
    hard = [str(residue) for residue in found if residue.hard]
    holding = [host.name for host in everyone if host.name == source.name and holds(host, platform)]
    pods = [str(pod) for pod in kube.pods(source.name) if why_stays(pod) is None]
    needed = [*hard, *(f"it holds the VIP {platform.vip}" for _ in holding), *(f"pod {pod} runs there" for pod in pods)]
    if needed:
        raise RefusedError(f"{source.name}: still needed: {'; '.join(needed)}: change what names it, then run again")

    # act
    # verify
    notes = tuple(map(str, found))
    return unchanged("nothing needs it", notes=notes)


@step("stop k3s on source")
def ensure_k3s_stopped(run: Run, host: Host, platform: Platform, kube: KubeApi) -> Outcome:
    """Make k3s not run on the machine, now or after a reboot, nor the containers that it left.

    Undo: systemctl enable --now k3s, before the node is deleted.
    """
    # probe
    question = facts({"calm": calm("k3s"), "pods": PODS})
    said = parse_facts(host.run(question, what="reading k3s's unit", timeout_s=platform.timeouts.command_s).stdout)
    if is_off(said["calm"]) and not said["pods"]:
        return unchanged("k3s is off and disabled")
    if run.dry_run:
        return planned("k3s is stopped and disabled")
    if not any(kube.is_ready(str(server.address)) for server in platform.servers):
        raise RefusedError(
            f"{host.name}: stopping k3s: no target's API server answers: systemctl status k3s on the targets"
        )

    # act
    with run.acting(host.name, "stopping k3s"):
        stop = f'systemctl disable --now k3s 2>/dev/null\nleft=$({PODS}); test -z "$left" || docker stop $left >/dev/null\n'
        answer = host.run(stop + question, what="stopping k3s", timeout_s=platform.timeouts.uninstall_s)

    # verify
    left = parse_facts(answer.stdout)
    if not is_off(left["calm"]) or left["pods"]:
        raise VerificationError(
            f"{host.name}: k3s was stopped, yet it is {' '.join(left['calm'].split())}: see systemctl status k3s there"
        )
    return changed("k3s is off and disabled")


@step("delete node")
def ensure_node_deleted(run: Run, source: Machine, platform: Platform, kube: KubeApi) -> Outcome:
    """Make the cluster have no such node, and keep it so; its API server has left the cluster's endpoints.

    A node whose k3s still runs registers again (k3s-io/k3s#945), so k3s is stopped first.
    Undo: start k3s there again, it registers.
    """
    # probe
    address = str(source.address)
    if find_node(kube, source.name) is None and address not in kube.server_addresses():
        return unchanged("not a node")
    if run.dry_run:
        return planned("the node is deleted")

    # act
    with run.acting(source.name, "deleting the node"):
        kube.delete_node(source.name)

    # verify
    wait_until(
        f"{source.name} is no API server any more",
        lambda: address not in kube.server_addresses(),
        timeout_s=platform.timeouts.api_settle_s,
    )
    if not stays(f"{source.name} is gone", lambda: find_node(kube, source.name) is None, for_s=3):
        raise VerificationError(
            f"{source.name}: the node came back: a k3s still runs there: systemctl disable --now k3s"
        )
    return changed("the node is deleted")


@step("retire etcd data")
def ensure_etcd_retired(
    run: Run, host: Host, platform: Platform, source: Machine, etcd: EtcdApi, migration: str
) -> Outcome:
    """Make etcd not run on the machine, now or after a reboot, and its data lie aside, kept.

    Undo: none; the data is a copy of what the cluster has.
    """
    # probe
    data = platform.etcd.data_dir
    question = facts(
        {"calm": calm("etcd"), "data": f"find {data} -mindepth 1 -maxdepth 1 ! -name '.aside-*' -print -quit"}
    )
    said = parse_facts(host.run(question, what="reading etcd's unit", timeout_s=platform.timeouts.command_s).stdout)
    if is_off(said["calm"]) and not said["data"]:
        return unchanged("etcd is off and disabled, its data lies aside")
    if run.dry_run:
        return planned(f"etcd is stopped and disabled, {data} moved aside")
    member = find_member(etcd.members(), peer_url(platform, source))
    if member is not None:
        raise RefusedError(
            f"{host.name}: retiring etcd's data: it is still member {member.id:x}: remove the member first"
        )

    # act
    with run.acting(host.name, "stopping etcd, moving its data aside"):
        script = f"{STRICT}systemctl disable --now etcd 2>/dev/null\n{move_aside(data, migration)}set +e\n{question}"
        answer = host.run(script, what="retiring etcd's data", timeout_s=platform.timeouts.command_s)

    # verify
    left = parse_facts(answer.stdout)
    if not is_off(left["calm"]) or left["data"]:
        raise VerificationError(
            f"{host.name}: etcd was stopped, yet it is {left['calm'].split()}: see systemctl status etcd there"
        )
    return changed(f"etcd is off and disabled, its data lies in {data}.aside-{migration}")
