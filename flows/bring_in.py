"""Targets become machines of the live platform: prepared, members of its etcd, nodes of its cluster."""

from __future__ import annotations

import logging

from prefect.futures import PrefectFuture

from configs.hosts import Role, Target
from configs.platform import FirewallPolicy, Platform
from flows.etcd_join import growing
from flows.session import Session
from tasks.certificates.files import ensure_certificates, files_of
from tasks.engine.outcome import Outcome
from tasks.etcd.members import voting
from tasks.images.load import ensure_images_loaded
from tasks.k3s.files import ensure_k3s_files, ensure_named_files
from tasks.k3s.join import ensure_node
from tasks.machine.hosts import ensure_hostname, ensure_hosts_file
from tasks.machine.uninstall import ensure_old_platform_gone
from tasks.network.firewall import ensure_firewall_open
from tasks.network.pods import check_pod_network, taking_pods
from tasks.network.routes import check_routes
from tasks.placement.labels import ensure_labelled
from tasks.vip.standby import ensure_standby

Futures = list[PrefectFuture[Outcome]]

log = logging.getLogger(__name__)


def canary_and_others(platform: Platform, targets: tuple[Target, ...]) -> tuple[tuple[Target, ...], tuple[Target, ...]]:
    """The canary is uninstalled, prepared and votes before any other machine is touched; without one `targets` go together."""
    canary = platform.targets[:1] if platform.canary else targets
    return tuple(t for t in targets if t in canary), tuple(t for t in targets if t not in canary)


def bring_in(session: Session, targets: tuple[Target, ...]) -> None:
    """Make `targets` machines of the live platform: prepared, their etcd members voting, their agents Ready nodes.

    etcd grows by one member at a time; agents join beside it, each as soon as it is prepared.
    """
    prepare_machines(session, targets)
    with growing(session, [target.name for target in targets if target.etcd]):
        session.all_done([begin_node(session, target) for target in targets if target.role is Role.AGENT])
    session.all_done(session.loaded[target.name] for target in targets)


def join_servers(session: Session, targets: tuple[Target, ...]) -> None:
    """Make the servers among `targets` Ready nodes, one after another, because each reads all of etcd when it starts.

    Only once all members vote: a server has all of them for its datastore, a learner answers it with errors, and on a
    target that is still to come an etcd of the old platform may answer. A run on some targets leaves k3s out until then.
    """
    platform = session.platform
    missing = {target.name for target in platform.new_members if target not in targets} - voting(platform, session.etcd)
    servers = [target for target in targets if target.role is Role.SERVER]
    if missing and servers:
        later = f"k3s joins later on {', '.join(server.name for server in servers)}: {', '.join(sorted(missing))} must be etcd voters first"
        session.run.journal.report.part += f"; {later}"
        log.warning("%s", later)
        return
    for server in servers:
        session.all_done([begin_node(session, server)])


def prepare_machines(session: Session, targets: tuple[Target, ...]) -> None:
    """Begin all steps that prepare machines, side by side."""
    platform, live = session.platform, session.live()
    for target in targets:
        host = session.hosts[target.name]
        gone = session.submit(ensure_old_platform_gone, host, platform, live, after=open_firewall(session, target))
        named = session.submit(ensure_hostname, host, platform, after=[gone])
        certified = certify(session, target, after=[gone])
        session.prepared[host.name] = session.submit(ensure_hosts_file, host, platform, after=[named, *certified])
        staged = session.submit(ensure_k3s_files, host, platform, after=[gone])
        session.loaded[host.name] = session.submit(ensure_images_loaded, host, platform, after=[staged])


def open_firewall(session: Session, target: Target) -> Futures:
    """Begin to open a target's firewall, where the config says so, and to try from all other machines whether they get through."""
    platform, hosts = session.platform, session.hosts
    if platform.firewall is not FirewallPolicy.OPEN:
        return []
    opened = session.submit(
        ensure_firewall_open, hosts[target.name], platform, target, session.kube, session.access, session.record
    )
    others = [] if session.run.dry_run else [m for m in platform.reachable if m != target and m.name in hosts]
    return [opened, *(session.submit(check_routes, hosts[m.name], platform, m, [target], after=[opened]) for m in others)]


def certify(session: Session, target: Target, after: Futures) -> Futures:
    """Begin to bring a target the certificates that etcd and its clients need there; nothing where etcd speaks plain HTTP."""
    platform, tls = session.platform, session.platform.etcd.tls
    if tls is None or not files_of(tls, target):
        return []
    return [session.submit(ensure_certificates, session.hosts[target.name], platform, tls, target, session.etcd, after=after)]


def begin_node(session: Session, target: Target) -> PrefectFuture[Outcome]:
    """Begin to make a target a node with its labels, after it has its name, its hosts file and its images.

    Those that may hold the VIP become its standbys then, one after another: should one take it after all, it is the only one.
    """
    host, platform, kube, keys, access = session.hosts[target.name], session.platform, session.kube, session.keys, session.access
    ready = [session.prepared[target.name], session.loaded[target.name]]
    # Just before the node joins: a run that is killed in between would take these files for an old platform's.
    server = session.hosts[access.server]
    carried = session.submit(ensure_named_files, host, platform, target, kube, server, access, after=ready)
    node = session.submit(ensure_node, host, platform, target, kube, keys, access, after=[carried])
    labelled = session.submit(ensure_labelled, target, kube, after=[node])
    if target in platform.vip_holders:
        hosts, last = dict(session.hosts), session.standbys[-1:]
        session.standbys.append(session.submit(ensure_standby, host, platform, target, hosts, after=[labelled, *last]))
    return labelled


def check_pods_reached(session: Session) -> None:
    """Pods of the new nodes and of all others reach each other; afterwards drains rely on it."""
    new, nodes = {target.name for target in session.platform.targets}, taking_pods(session.kube)
    session.all_checked(
        session.submit(check_pod_network, host, session.platform, session.kube, new)
        for host in session.hosts.values()
        if host.name in nodes
    )
