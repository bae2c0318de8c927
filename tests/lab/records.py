"""Records of many nightly backups on a real etcd, of a platform that nobody has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from blocks.etcd import EtcdEndpoints
from blocks.etcd_keys import EtcdKeys
from blocks.ports import KeyValues
from flows.rollback_plan import plan_of
from tasks.engine.record import BACKUPS, ROLLBACKS, Facts, Record, prefix
from tests.fakes.world import World
from tests.flows.sessions import session_on

SERVICES = 100  # whose images and digests make a record of 40 kB
DIGEST = "docker-pullable://registry.example.com/platform/service@sha256:" + "0" * 64


@contextmanager
def nightly_backups(endpoint: str, platform: str, nights: int) -> Iterator[EtcdKeys]:
    """Keys with as many records, below the platform's prefix, of which nothing is left afterwards."""
    with EtcdEndpoints(endpoints=(endpoint,)).cluster() as etcd:
        keys = EtcdKeys(etcd)
        try:
            for night in range(nights):
                write_record(keys, platform, night)
            yield keys
        finally:
            keys.delete(prefix(platform))
            assert keys.names(prefix(platform)) == []
            keys.close()


def write_record(keys: KeyValues, platform: str, night: int) -> None:
    record = Record(keys, platform, f"2025{night:04}-020000", kind=BACKUPS)
    record.write("state", {"state": "finished", "identity": {}})
    record.write("backup", {"name": f"tidb-backup-2025{night:04}.tar.gz", "size": 1, "sha256": "0" * 64})
    names = [f"registry.example.com/platform/service-{number}:2.0.{night}" for number in range(SERVICES)]
    workloads = {f"Deployment shop/service-{number}": {"main": name} for number, name in enumerate(names)}
    images = {"workloads": workloads, "digests": {name: DIGEST + "." * 140 for name in names}}
    assert len(json.dumps(images)) >= 40_000
    record.write("images/new", images)


def plan_of_a_rollback(world: World, keys: KeyValues, *, backup: str | None = None) -> Facts:
    """What a rollback on these records would do; all but the keys is fake."""
    session = session_on(world)
    session.keys = keys
    session.record = Record(keys, world.platform.name, "20260101-000000", kind=ROLLBACKS)
    return plan_of(session, {"what": "both", "backup": backup, "images": "new", "image_map": None})
