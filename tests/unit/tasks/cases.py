"""One case per step: the world in which it is due, and what it takes. The contract of all steps is tested on these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from blocks.ports import Workload
from configs.database import Writer
from configs.etcd import EtcdTls
from configs.http import HttpCheck
from tasks.database.writers import ensure_quiesced
from tasks.engine.record import BACKUPS, Record
from tasks.etcd.carried import carried_flags
from tasks.etcd.flags import Flags
from tasks.lake.bricks import slots
from tasks.lake.lake import read_lake
from tasks.workloads.bare_pods import keep_bare
from tasks.workloads.surge import ensure_surged
from tests.fakes import machines
from tests.fakes.certificates import tls_of
from tests.fakes.gluster import OTHER, FakeGluster
from tests.fakes.platform import CONFIG, platform
from tests.fakes.workload import FakeWorkload
from tests.fakes.world import World

POLICY = "/etc/k3s/audit.yaml"
BACKUP, WEB = "tidb-backup-20260102", "Deployment shop/web"
Arguments = Callable[[World], tuple[Any, ...]]


def as_found(_world: World) -> None:
    """A platform before its migration."""


@dataclass(frozen=True)
class Case:
    """`arguments` are all but the run. A step that only `asks` never changes anything."""

    arguments: Arguments
    given: Callable[[World], object] = as_found
    asks: bool = False


def uninstalled(world: World) -> None:
    for target in world.platform.targets:
        host = world.hosts[target.name]
        host.run(
            "/usr/local/bin/k3s-uninstall.sh || /usr/local/bin/k3s-agent-uninstall.sh; docker rm $(docker ps -qa)",
            what="given",
        )
    world.forget()


def staged(world: World) -> None:
    uninstalled(world)
    world.has_voters("phys-1", "phys-2", "phys-3")


def rogue(world: World) -> None:
    """An earlier release gave phys-1 the full token."""
    endpoint = f"K3S_DATASTORE_ENDPOINT='{world.platform.datastore_endpoint}'\n"
    given = machines.token(machines.LIVE_CA)
    machines.run_k3s(world.hosts["phys-1"], unit="k3s", ca=machines.ROGUE_CA, more=endpoint, given=given)
    world.hosts["phys-1"].run("touch /etc/rancher/k3s/started", what="k3s starts")
    world.forget()


def cordoned(world: World) -> None:
    world.has_nodes("phys-1", "phys-2", "phys-3")
    world.kube.bare("shop", "client", on="vm-1")
    for source in world.platform.sources:
        world.kube.set_unschedulable(source.name, True)
    world.forget()


def labelled(world: World) -> None:
    """phys-1 is to have a label of the config's, and those of vm-1."""
    first, *others = CONFIG["targets"]
    world.platform = platform(targets=[{**first, "labels": {"zone": "a"}, "labels_from": "vm-1"}, *others])
    world.kube.node_labels["vm-1"] = {"disk": "ssd"}
    cordoned(world)


def killed_amid_a_drain(world: World) -> None:
    """Its pods are evicted, and the bare one is not made anew yet."""
    cordoned(world)
    keep_bare(world.kube, world.record, [pod for pod in world.kube.pods("vm-1") if pod.owner is None])
    for pod in world.kube.pods("vm-1"):
        world.kube.evict(pod)
    world.forget()


def leading(world: World) -> None:
    world.has_moved()
    world.etcd.leader = world.etcd.called("vm-1").id


def standing_by(world: World) -> None:
    world.has_nodes("phys-1", "phys-2", "phys-3")
    machines.run_keepalived(world.hosts["phys-1"], priority=250)


def stopped(world: World) -> None:
    world.has_moved()
    machines.stop_k3s(world.hosts["vm-1"])
    world.kube.stops("vm-1")


def removed(world: World) -> None:
    world.has_moved()
    world.etcd.remove(world.etcd.called("vm-1"))
    world.forget()


def backed_up(world: World) -> None:
    world.backups.has_archive(BACKUP)


def tidy(world: World) -> None:
    world.platform = platform(backup={**CONFIG["backup"], "delete_expired": True})
    world.backups.has_archive("tidb-backup-20200101")


def with_records_of_old_backups(world: World) -> None:
    backed_up(world)
    world.record.write("backup", {"name": f"{BACKUP}.tar.gz"})
    for day in ("20200101", "20200102"):
        old = Record(world.keys, world.platform.name, f"{day}-020000", kind=BACKUPS)
        old.write("backup", {"name": f"tidb-backup-{day}.tar.gz"})
        old.write("images/new", {"workloads": {}})
    world.forget()


def quiesced(world: World) -> None:
    ensure_quiesced.fn(world.run(), writer(world), world.platform, world.kube, world.record)
    world.forget()


def writer(world: World) -> Writer:
    return world.platform.rollback.writers[0]


def with_single_replica(world: World) -> None:
    world.kube.has(FakeWorkload("Deployment", "shop", "orders", 1), on="vm-1")
    cordoned(world)


def surging(world: World) -> None:
    with_single_replica(world)
    ensure_surged.fn(world.run(), single(world), world.platform, world.kube, world.record)
    world.forget()


def single(world: World) -> Workload:
    return next(found for found in world.kube.workloads() if found.name == "orders")


def get(_check: HttpCheck) -> tuple[int, str]:
    return 200, "fine"


def with_a_policy(world: World) -> None:
    """The servers' flags name a file that only they have."""
    flags = ["--https-listen-port=10443", "--docker", f"--kube-apiserver-arg=audit-policy-file={POLICY}"]
    world.platform = platform(k3s={**CONFIG["k3s"], "server_args": flags})
    uninstalled(world)
    world.hosts["vm-1"].write(POLICY, "kind: Policy\n", mode=0o640)


def with_firewalld(world: World) -> None:
    """As a distribution leaves it: ssh only."""
    machines.run_firewalld(world.hosts["phys-1"])
    world.platform = platform(firewall="open")
    world.forget()


def with_lake(world: World, *, move: bool = True) -> FakeGluster:
    """Three copies: on both sources, and on a machine that the config has not; bricks move."""
    lake = FakeGluster(world.folder, {**world.hosts})
    lake.pool("lake", "vm-1", "vm-2", OTHER)
    lake.volume("uap", "vm-1:/mnt/lake/brick", "vm-2:/mnt/lake/brick", "other:/mnt/lake/brick")
    for host in world.hosts.values():
        host.write("/proc/mounts", f"{host.read('/proc/mounts')}localhost:uap /mnt/uap-global fuse.glusterfs rw 0 0\n")
    world.platform = platform(backup={**CONFIG["backup"], "lake": {"move": move}}, timeouts={"lake_heal_s": 100, "gluster_s": 20})
    world.forget()
    return lake


def with_probed(world: World) -> FakeGluster:
    lake = with_lake(world)
    lake.pool("lake", "phys-1", "phys-2")
    return lake


def with_moved(world: World) -> FakeGluster:
    """No brick is left on a source."""
    lake = with_probed(world)
    lake.alter("uap", bricks=["10.0.0.21:/mnt/lake/brick", "10.0.0.22:/mnt/lake/brick", "other:/mnt/lake/brick"])
    return lake


def lose(world: World, name: str, lake: FakeGluster) -> None:
    """A source has died for good, and the config says so."""
    sources = [{**source.model_dump(), "lost": source.lost or source.name == name} for source in world.platform.sources]
    world.platform = platform(sources=sources, **world.platform.model_dump(include={"backup", "timeouts"}))
    lake.change(down=[name])
    del world.hosts[name]


def slot_of(world: World) -> tuple[Any, ...]:
    return slots(read_lake(world.platform, world.hosts))[0], world.platform, world.hosts


def on_target(world: World) -> tuple[Any, ...]:
    return world.hosts["phys-1"], world.platform


def tls(world: World) -> EtcdTls:
    return tls_of(world.folder / "pki", world.platform)


def flags_of(world: World) -> Callable[[], Flags]:
    return lambda: carried_flags(world.hosts, world.platform, world.etcd.members())


def hosts_of(world: World) -> list[Any]:
    return list(world.hosts.values())


def targets_of(world: World) -> list[Any]:
    return [world.hosts[target.name] for target in world.platform.targets]


CASES: dict[str, Case] = {
    "check_lake": Case(lambda w: (w.platform, w.hosts), with_lake, asks=True),
    "verify_lake": Case(lambda w: (w.platform, w.hosts), with_moved, asks=True),
    "ensure_peer": Case(lambda w: (w.platform.targets[0], w.platform, w.hosts), with_lake),
    "ensure_brick_moved": Case(slot_of, with_probed),
    "ensure_detached": Case(lambda w: (w.platform.sources[0], w.platform, w.hosts), with_moved),
    "check_machine": Case(lambda w: (*on_target(w), w.platform.targets[0], w.live, w.running), asks=True),
    "check_routes": Case(lambda w: (*on_target(w), w.platform.targets[0], w.platform.machines), asks=True),
    "check_firewall": Case(lambda w: (*on_target(w), w.platform.targets[0], w.kube, w.access), asks=True),
    "ensure_firewall_open": Case(lambda w: (*on_target(w), w.platform.targets[0], w.kube, w.access, w.record), with_firewalld),
    "check_pod_network": Case(lambda w: (*on_target(w), w.kube, {"phys-1"}), asks=True),
    "check_tars": Case(on_target, asks=True),
    "check_etcd_flags": Case(lambda w: (w.platform, w.hosts, w.etcd), asks=True),
    "check_certificates": Case(lambda w: (w.platform, tls(w), w.hosts, w.etcd), asks=True),
    "ensure_certificates": Case(lambda w: (*on_target(w), tls(w), w.platform.targets[0], w.etcd)),
    "check_etcd": Case(lambda w: (w.platform, w.etcd), asks=True),
    "check_datastore": Case(lambda w: (w.platform, w.kube, w.keys), asks=True),
    "check_flags": Case(lambda w: (w.platform, w.kube, w.hosts, w.access), asks=True),
    "check_nodes": Case(lambda w: (w.platform, w.kube, w.record), asks=True),
    "check_workloads": Case(lambda w: (w.platform, w.kube, w.record), asks=True),
    "check_surge": Case(lambda w: (w.platform, w.kube), asks=True),
    "check_budgets": Case(lambda w: (w.platform, w.kube), asks=True),
    "check_placement": Case(lambda w: (w.platform, w.kube, w.hosts), asks=True),
    "ensure_labelled": Case(lambda w: (w.platform.targets[0], w.kube), labelled),
    "check_pod_images": Case(lambda w: (*on_target(w), {"app/web:2.0"}), asks=True),
    "check_residue": Case(lambda w: (w.platform, w.kube), asks=True),
    "check_vip": Case(lambda w: (w.platform, w.hosts, w.auth_pass, w.kube), asks=True),
    "ensure_backup_ctl": Case(lambda w: (w.hosts["vm-1"], w.platform, w.kube)),
    "ensure_tidb_patched": Case(lambda w: (w.platform, w.kube)),
    "ensure_backup": Case(lambda w: (w.platform, w.hosts["vm-1"], w.kube, w.record)),
    "expire_backups": Case(lambda w: (w.hosts["vm-1"], w.platform, w.kube), tidy),
    "expire_records": Case(lambda w: (w.platform, w.kube, w.keys, w.record), with_records_of_old_backups),
    "ensure_new_images_recorded": Case(lambda w: (w.platform, w.kube, w.record)),
    "ensure_ready_recorded": Case(lambda w: (w.platform, w.kube, w.record)),
    "ensure_old_images_recorded": Case(lambda w: (*on_target(w), w.record)),
    "ensure_old_platform_gone": Case(lambda w: (*on_target(w), w.live)),
    "ensure_hostname": Case(on_target),
    "ensure_hosts_file": Case(on_target),
    "ensure_k3s_files": Case(on_target, uninstalled),
    "check_named_files": Case(lambda w: (w.platform, w.kube, w.hosts, w.access), asks=True),
    "ensure_named_files": Case(lambda w: (*on_target(w), w.platform.targets[0], w.kube, w.hosts["vm-1"], w.access), with_a_policy),
    "ensure_images_loaded": Case(on_target),
    "ensure_voter": Case(lambda w: (*on_target(w), w.platform.targets[0], w.etcd, flags_of(w))),
    "check_identity": Case(lambda w: (w.platform, w.keys, w.access, targets_of(w)), asks=True),
    "ensure_rogue_removed": Case(lambda w: (*on_target(w), w.platform.targets[0], w.kube, w.keys, w.access), rogue),
    "ensure_node": Case(lambda w: (*on_target(w), w.platform.targets[0], w.kube, w.keys, w.access), staged),
    "check_standby": Case(lambda w: (*on_target(w), w.platform.targets[0], w.hosts), asks=True),
    "ensure_standby": Case(lambda w: (*on_target(w), w.platform.targets[0], w.hosts)),
    "ensure_cordoned": Case(lambda w: (w.platform.sources[0], w.kube, w.record)),
    "ensure_surged": Case(lambda w: (single(w), w.platform, w.kube, w.record), with_single_replica),
    "ensure_surge_ended": Case(lambda w: (single(w), w.platform, w.kube, w.record), surging),
    "ensure_drained": Case(lambda w: (w.platform.sources[0], w.platform, w.kube, w.record), cordoned),
    "ensure_bare_restored": Case(lambda w: (w.platform, w.kube, w.record), killed_amid_a_drain),
    "ensure_uncordoned": Case(lambda w: (w.platform.sources[0], w.kube, w.record), cordoned),
    "ensure_keepalived_stopped": Case(lambda w: (w.hosts["vm-1"], w.platform, w.hosts, w.kube), standing_by),
    "check_unreferenced": Case(
        lambda w: (w.platform.sources[0], w.platform, targets_of(w), hosts_of(w), w.kube, w.record), World.has_moved, asks=True
    ),
    "ensure_k3s_stopped": Case(lambda w: (w.hosts["vm-1"], w.platform, w.kube), World.has_moved),
    "ensure_node_deleted": Case(lambda w: (w.platform.sources[0], w.platform, w.kube, w.record), stopped),
    "ensure_not_leader": Case(lambda w: (w.platform.sources[0], w.platform, w.etcd), leading),
    "ensure_not_member": Case(lambda w: (w.platform.sources[0], w.platform, w.etcd), World.has_moved),
    "ensure_etcd_retired": Case(
        lambda w: (w.hosts["vm-1"], w.platform, w.platform.sources[0], w.etcd, "20260102-030405"), removed
    ),
    "check_accepted": Case(lambda w: (w.platform, []), World.has_left, asks=True),
    "verify_etcd": Case(lambda w: (w.platform, w.etcd), World.has_left, asks=True),
    "verify_nodes": Case(lambda w: (w.platform, w.kube), World.has_left, asks=True),
    "verify_vip": Case(lambda w: (w.platform, hosts_of(w), w.kube), World.has_left, asks=True),
    "verify_workloads": Case(lambda w: (w.platform, w.kube, w.record), World.has_left, asks=True),
    "verify_services": Case(lambda w: (w.platform, get), World.has_left, asks=True),
    "verify_database": Case(lambda w: (w.platform, w.kube, w.database_password), World.has_left, asks=True),
    "verify_no_residue": Case(lambda w: (w.platform, targets_of(w), w.kube), World.has_left, asks=True),
    "check_control": Case(lambda w: (w.platform, w.kube), asks=True),
    "check_restores": Case(lambda w: (w.platform, w.kube, BACKUP), asks=True),
    "check_writers": Case(lambda w: (w.platform, w.kube), asks=True),
    "check_archive": Case(lambda w: (w.hosts["vm-1"], w.platform, BACKUP, None), backed_up, asks=True),
    "check_database": Case(lambda w: (w.platform, w.platform.database, w.kube, w.root_password), asks=True),
    "check_images": Case(lambda w: (w.hosts["vm-1"], w.platform, {WEB: {"main": "app/web:2.0"}}), asks=True),
    "ensure_quiesced": Case(lambda w: (writer(w), w.platform, w.kube, w.record)),
    "ensure_restored": Case(lambda w: (w.platform, w.kube, w.record, BACKUP), backed_up),
    "ensure_accounts": Case(
        lambda w: (w.platform, w.platform.database, w.kube, w.root_password, w.database_password),
        lambda w: w.database.restored(BACKUP),
    ),
    "ensure_images": Case(lambda w: (w.kube.workloads()[0], w.platform, w.kube, {"main": "app/web:1.9"})),
    "ensure_writer_restored": Case(lambda w: (writer(w), w.platform, w.kube, w.record), quiesced),
}
