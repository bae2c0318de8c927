"""Whether etcd, the cluster and the VIP can bear the move. Nothing is changed, and all answers are told together."""

from __future__ import annotations

from pydantic import SecretStr

from blocks.ports import EtcdApi, Host, KubeApi
from configs.errors import DeadlineExceededError, EtcdUnavailableError, RefusedError
from configs.hosts import Source
from configs.platform import Platform
from tasks import quorum
from tasks.etcd_members import answering, lists_agree
from tasks.keepalived import CONF, JOURNAL, holders, stranger_heard, vrrp_mismatch
from tasks.outcome import Outcome, unchanged
from tasks.rendering import peer_url
from tasks.run import Run
from tasks.scripts import facts, parse_facts, read_file
from tasks.step import step
from tasks.waiting import wait_until
from tasks.workloads import unready

# etcd 3.5.1 to 3.5.19 does not persist a learner's promotion, so that a later upgrade fails (etcd#19557).
UNPERSISTED_PROMOTION = (range(1, 20), "3.5.")


@step("check etcd")
def check_etcd(run: Run, platform: Platform, etcd: EtcdApi) -> Outcome:
    """Make sure that etcd can grow: every voter answers, all agree on the leader and on the list, no alarm, one version.

    Changes nothing. Undo: none needed.
    """
    # probe
    members = etcd.members()
    why_not = quorum.why_not_add(members, answering(etcd, members))
    if why_not is not None:
        raise RefusedError(f"etcd: {why_not}")
    voters = quorum.voters_of(members)
    statuses = [etcd.status(member) for member in voters]
    if len({status.leader for status in statuses}) != 1 or not lists_agree(etcd, members):
        raise EtcdUnavailableError(
            "etcd: members disagree on the leader or on the member list: wait until it has settled"
        )
    known = {peer_url(platform, machine) for machine in platform.machines}
    strangers = [member.name for member in voters if not known.intersection(member.peer_urls)]
    if strangers:
        raise RefusedError(
            f"etcd: members {', '.join(strangers)} are neither sources nor targets: add their machines to the config, or remove them"
        )

    # act
    # verify
    versions = sorted({status.version for status in statuses})
    notes = tuple(
        f"etcd {version} does not persist a learner's promotion (etcd#19557): upgrade before 3.6"
        for version in versions
        if _forgets(version)
    ) + ((f"mixed versions: {', '.join(versions)}",) if len(versions) > 1 else ())
    return unchanged(f"{len(voters)} voters, etcd {', '.join(versions)}", notes=notes)


def _forgets(version: str) -> bool:
    patches, minor = UNPERSISTED_PROMOTION
    patch = version.removeprefix(minor)
    return version.startswith(minor) and patch.isdigit() and int(patch) in patches


@step("check cluster")
def check_cluster(run: Run, platform: Platform, kube: KubeApi) -> Outcome:
    """Make sure that the cluster can bear the move: sources are Ready nodes, names do not clash, workloads are complete.

    Changes nothing. Undo: none needed.
    """
    # probe
    nodes = {node.name: node for node in kube.nodes()}
    ours = {machine.name: str(machine.address) for machine in platform.machines}
    clashes = [
        f"{name} at {node.address}" for name, node in nodes.items() if ours.get(name, node.address) != node.address
    ]
    if clashes:
        raise RefusedError(
            f"cluster: nodes {', '.join(clashes)} have names that the config gives to other addresses: rename in the config"
        )
    # A cordoned one may be on its way out already: an earlier run stopped its k3s.
    dead = [
        s.name
        for s in platform.sources
        if s.name in nodes and not nodes[s.name].ready and not nodes[s.name].unschedulable
    ]
    if dead:
        raise RefusedError(f"cluster: nodes {', '.join(dead)} are not Ready: kubectl describe node {dead[0]}")
    try:
        wait_until("all workloads are complete", lambda: not unready(kube), timeout_s=platform.timeouts.pod_ready_s)
    except DeadlineExceededError as error:
        lacking = "; ".join(unready(kube))
        raise RefusedError(
            f"cluster: not complete before the move, so nobody could tell afterwards: {lacking}"
        ) from error

    # act
    # verify
    return unchanged(f"{len(nodes)} nodes, all workloads complete")


@step("check VIP")
def check_vip(run: Run, platform: Platform, hosts: dict[str, Host], auth_pass: SecretStr, kube: KubeApi) -> Outcome:
    """Make sure that exactly one machine holds the VIP, the API answers there, and the wish speaks its VRRP.

    Changes nothing. Undo: none needed.
    """
    # probe
    found = holders(list(hosts.values()), platform)
    if len(found) != 1:
        names = ", ".join(host.name for host in found) or "none of the machines"
        raise RefusedError(
            f"vip: {platform.vip} is held by {names}, it must be exactly one: see keepalived on the sources"
        )
    holder, notes = found[0], tuple[str, ...]()
    if isinstance(next(m for m in platform.machines if m.name == holder.name), Source):
        journal = JOURNAL.format(seconds=10 * platform.keepalived.advert_interval_s)
        address = f"ip -4 -o addr show | grep -oE ' {platform.vip}/[0-9]+'"
        question = facts({"conf": read_file(CONF), "journal": journal, "address": address})
        said = parse_facts(holder.run(question, what="reading keepalived's configuration").stdout)
        mismatch = vrrp_mismatch(said["conf"], platform, auth_pass)
        if mismatch is not None:
            raise RefusedError(f"{holder.name}: {mismatch}")
        stranger = stranger_heard(said["journal"], platform)
        if stranger is not None:
            raise RefusedError(f"{holder.name}: {stranger}")
        notes = _other_prefix(said["address"], platform)
    if not kube.is_ready(str(platform.vip)):
        raise RefusedError(
            f"vip: the API does not answer at {platform.join_url} with a certificate for it: add --tls-san={platform.vip} to the servers"
        )

    # act
    # verify
    return unchanged(f"held by {holder.name}, the API answers there", notes=notes)


def _other_prefix(address: str, platform: Platform) -> tuple[str, ...]:
    has, wish = address.rpartition("/")[2], platform.keepalived.prefix_length
    return (f"the holder has the VIP as /{has}, targets will as /{wish}: see keepalived.prefix_length",) if has != str(wish) else ()
