"""The proof that the platform has moved, whole. Every question is asked of the world; nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

from pydantic import SecretStr

from blocks.ports import EtcdApi, Host, KubeApi
from configs.errors import DeadlineExceededError, VerificationError
from configs.platform import Platform
from tasks.etcd_members import answering, lists_agree
from tasks.keepalived import holders
from tasks.outcome import Outcome, planned, unchanged
from tasks.record import Record
from tasks.rendering import peer_url
from tasks.residue import read_residues
from tasks.run import Run
from tasks.step import step
from tasks.tidb import ask_sql
from tasks.waiting import wait_until
from tasks.workloads import NEW, unready

HttpGet = Callable[[str], tuple[int, str]]


@step("verify etcd")
def verify_etcd(run: Run, platform: Platform, etcd: EtcdApi) -> Outcome:
    """Make sure that etcd's members are the targets, all voting, all healthy, and listed alike by each.

    Changes nothing. Undo: none needed.
    """
    # probe
    wanted = {peer_url(platform, target) for target in platform.new_members}
    if run.dry_run:
        return planned(f"etcd has exactly {len(wanted)} members, the targets")

    # act
    # verify
    members = etcd.members()
    found = {url for member in members if not member.is_learner for url in member.peer_urls}
    if found != wanted:
        raise VerificationError(
            f"etcd: voters are {sorted(found)}, not the targets {sorted(wanted)}: run the same command again"
        )
    silent = [member.name for member in members if member.id not in answering(etcd, members)]
    if silent or not lists_agree(etcd, members):
        raise VerificationError(
            f"etcd: {', '.join(silent) + ' do not answer' if silent else 'members list different members'}: "
            "systemctl status etcd there"
        )
    return unchanged(f"{len(members)} members, the same {len(members)} on each, all healthy")


@step("verify nodes")
def verify_nodes(run: Run, platform: Platform, kube: KubeApi) -> Outcome:
    """Make sure that the nodes are the targets, Ready and schedulable, and the API's endpoints the target servers.

    Changes nothing. Undo: none needed.
    """
    # probe
    wanted = {target.name for target in platform.targets}
    if run.dry_run:
        return planned(f"the nodes are exactly {', '.join(sorted(wanted))}, and Ready")

    # act
    # verify
    nodes = kube.nodes()
    unfit = [node.name for node in nodes if not node.ready or node.unschedulable]
    if {node.name for node in nodes} != wanted or unfit:
        raise VerificationError(
            f"cluster: nodes are {sorted(n.name for n in nodes)}, not fit: {unfit}: kubectl get nodes"
        )
    servers = sorted(str(server.address) for server in platform.servers)
    mute = [address for address in servers if not kube.is_ready(address)]
    if kube.server_addresses() != servers or mute:
        raise VerificationError(
            f"cluster: API endpoints are {kube.server_addresses()}, of {servers} {mute} do not answer: systemctl status k3s there"
        )
    return unchanged(f"{len(nodes)} nodes Ready, {len(servers)} API servers answer")


@step("verify VIP")
def verify_vip(run: Run, platform: Platform, hosts: Collection[Host], kube: KubeApi) -> Outcome:
    """Make sure that exactly one machine holds the VIP, a target, and that the API answers there.

    Changes nothing. Undo: none needed.
    """
    # probe
    wanted = {target.name for target in platform.vip_holders}
    if run.dry_run:
        return planned(f"the VIP is on one of {', '.join(sorted(wanted))}")

    # act
    # verify
    found = [host.name for host in holders(hosts, platform)]
    if len(found) != 1 or found[0] not in wanted or not kube.is_ready(str(platform.vip)):
        raise VerificationError(
            f"vip: {platform.vip} is held by {found or 'nobody'}, or the API does not answer there: see keepalived on {sorted(wanted)}"
        )
    return unchanged(f"held by {found[0]}, the API answers there")


@step("verify workloads")
def verify_workloads(run: Run, platform: Platform, kube: KubeApi, record: Record) -> Outcome:
    """Make sure that every workload of before is there, complete, with the images of before.

    Changes nothing. Undo: none needed.
    """
    # probe
    if run.dry_run:
        return planned("all workloads are complete, with the images of before")

    # act
    # verify
    try:
        wait_until("all workloads are complete", lambda: not unready(kube), timeout_s=platform.timeouts.pod_ready_s)
    except DeadlineExceededError as error:
        raise VerificationError("; ".join(unready(kube)) or str(error)) from error
    before = (record.read(NEW) or {"workloads": {}})["workloads"]
    after = {str(workload): workload.images for workload in kube.workloads()}
    gone = sorted(before.keys() - after.keys())
    if gone:
        raise VerificationError(f"workloads of before are missing: {', '.join(gone)}: kubectl get all -A")
    notes = tuple(
        f"{what} has other images than before: {after[what]}" for what in before if after[what] != before[what]
    )
    return unchanged(f"{len(after)} workloads complete", notes=notes)


@step("verify services")
def verify_services(
    run: Run, platform: Platform, kube: KubeApi, http_get: HttpGet, password: SecretStr | None
) -> Outcome:
    """Make sure that what clients use answers: each HTTP check, and the database.

    Changes nothing. Undo: none needed.
    """
    # probe
    urls = list(map(str, platform.http_checks))
    asked = [*urls, *([f"SQL at {platform.database.host}"] if platform.database else [])]
    if run.dry_run:
        return planned(f"answer: {', '.join(asked) or 'nothing is configured'}")

    # act
    # verify
    for url in urls:
        wait_until(f"{url} answers", partial(http_get, url), timeout_s=platform.timeouts.vip_s)
    if platform.database is not None and password is not None:
        ask_sql(
            kube, platform.database, platform.database.user, password, "SELECT 1;", schema=platform.database.database
        )
    return unchanged(f"answer: {', '.join(asked) or 'nothing is configured'}")


@step("verify no residue")
def verify_no_residue(run: Run, platform: Platform, targets: Collection[Host], kube: KubeApi) -> Outcome:
    """Make sure that nothing needs a source's address any more; what merely mentions one is noted.

    Changes nothing. Undo: none needed.
    """
    # probe
    if run.dry_run:
        return planned("nothing in the cluster or on the targets needs a source")

    # act
    # verify
    found = read_residues(targets, kube, platform, *platform.sources)
    hard = [str(residue) for residue in found if residue.hard]
    if hard:
        raise VerificationError(f"sources are still needed: {'; '.join(hard)}")
    return unchanged("nothing needs a source", notes=tuple(map(str, found)))
