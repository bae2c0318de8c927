"""backup-ctl in its pod: archives in the file lake, loaded backups, and restores that take a few polls to end."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from blocks.ports import ExecResult, RestoreObject
from tests.fakes.database import FakeDatabase
from tests.fakes.host import FakeHost
from tests.fakes.kube import FakeKube

LAKE = "/mnt/uap-global/backup"


class FakeBackupCtl:
    """Answers the control script's subcommands. `spoil` is done to every archive that a backup writes."""

    def __init__(self, kube: FakeKube, hosts: Iterable[FakeHost], database: FakeDatabase) -> None:
        self.kube, self.hosts, self.database = kube, list(hosts), database
        self.leaves_mark = True
        """Whether the patch is to be seen in TiDB Operator's object, as from its 1.1.8 on; otherwise only the script knows."""
        self.patched = False
        self.loaded: set[str] = set()
        self.spoil = ""
        """How backups go wrong that report success: "missing", "empty" or "truncated"."""
        self.restore_fails = ""
        """What the restore's object says when it fails."""
        self.behind_s = 0.0
        """How far the API server's clock is behind ours."""
        for host in self.hosts:
            host.disk.mkdir(LAKE.lstrip("/"))
        self.says: dict[str, ExecResult] = {}
        """By a subcommand: what it answers instead of doing anything."""
        self.running: dict[str, ExecResult | None] = {}
        """Detached commands by their names, and how each has ended."""
        self.goes_on: set[str] = set()
        """Subcommands that, once begun detached, do not end."""
        self.reuses = ""
        """The name that every new archive gets, instead of one of its own."""
        self.answers_with = ""
        """What backup-and-save says instead of naming its archive."""
        kube.programs["evenkeel"] = self.detached
        kube.programs["/tidb-ctl.sh"] = self.answer
        kube.restoring = self._ends

    def answer(self, argv: list[str], _stdin: str) -> ExecResult:
        verb, name = argv[1], next((word.partition("=")[2] for word in argv if word.startswith("--name=")), "")
        if verb in self.says:
            return self.says[verb]
        answer = getattr(self, "_" + verb.replace("-", "_"))(name)
        return ExecResult(0, f"{answer}\n", "") if isinstance(answer, str) else answer

    def detached(self, argv: list[str], stdin: str) -> ExecResult:
        """As the script does that is begun in the pod, but for the time that a command takes."""
        what, name, words = argv[4], argv[5], argv[6:]
        busy = next((other for other, ended in self.running.items() if ended is None), "")
        if what == "look":
            if name not in self.running:
                return ExecResult(0, "died\n", "")
            ended = self.running[name]
            return ExecResult(0, f"{ended.exit_code}\n{ended.stdout}", ended.stderr) if ended else ExecResult(0, "running\n", "")
        if what == "begin" and not busy and name not in self.running:
            self.running[name] = None
            self.running[name] = None if words[1] in self.goes_on else self.answer(words, stdin)
        return ExecResult(0, f"{busy}\n" if busy and busy != name else "", "")

    def ends(self, archive: str = "") -> None:
        """What went on has ended, a backup with this archive."""
        self.goes_on.clear()
        if archive:
            self.has_archive(archive)
        self.running = dict.fromkeys(self.running, ExecResult(0, "done\n", ""))

    def archives(self) -> list[str]:
        return sorted(path.name for path in self.hosts[0].path(LAKE).iterdir())

    def has_archive(self, name: str, *, spoil: str = "") -> None:
        whole = archive(name)
        content = {"empty": b"", "truncated": whole[:-9]}.get(spoil, whole)
        for host in self.hosts if spoil != "missing" else ():
            host.write(f"{LAKE}/{name}.tar.gz", content)

    def has_cluster(self, name: str, *, namespace: str = "iottepa", volume: str = "") -> None:
        """A TidbCluster; with `volume` its TiKV mounts one of this name."""
        mounts = [{"name": volume, "mountPath": f"/mnt/{volume}"}] if volume else []
        volumes = [{"name": volume, "glusterfs": {"endpoints": "glusterfs", "path": volume}}] if volume else []
        tikv = {"replicas": 3, "additionalVolumes": volumes, "additionalVolumeMounts": mounts}
        self.kube.put("TidbCluster", namespace, name, spec={"pd": {}, "tikv": tikv})

    # The subcommands.

    def _ls_tar(self, _name: str) -> str:
        return "\n".join(self.archives())

    def _patch_tidb_for_br(self, _name: str) -> str:
        if self.patched:
            return "already patched"
        self.kube.changes("patch TiDB")
        self.patched = True
        if self.leaves_mark:
            self.has_cluster("tidb", volume="uap-global")
        return "patched"

    def _backup_and_save(self, _name: str) -> str:
        self.kube.changes("take a backup")
        name = self.reuses or f"tidb-backup-20260102-{len(self.archives())}"
        self.has_archive(name, spoil=self.spoil)
        return self.answers_with or f"saved {name}.tar.gz"

    def _ls_backup(self, _name: str) -> str:
        return "\n".join(sorted(self.loaded))

    def _rm_backup(self, name: str) -> str:
        self.kube.changes(f"remove backup {name}")
        self.loaded.discard(name)
        self.kube.restores.pop(name, None)
        return "removed"

    def _load(self, name: str) -> str | ExecResult:
        if f"{name}.tar.gz" not in self.archives() or name in self.loaded:
            return ExecResult(1, "", f"{name}: no such archive, or loaded already\n")
        self.kube.changes(f"load {name}")
        self.loaded.add(name)
        return "loaded"

    def _restore(self, name: str) -> str | ExecResult:
        if name not in self.loaded or name in self.kube.restores:
            return ExecResult(1, "", f"{name}: not loaded, or restored already\n")
        self.kube.changes(f"restore {name}")
        created = (datetime.now(UTC) - timedelta(seconds=self.behind_s)).replace(microsecond=0).isoformat()
        self.kube.restores[name] = RestoreObject(f"uid-{name}-{created}", created, "Running", "")
        return "restore begun"

    def _ends(self, name: str) -> tuple[str, str]:
        if self.restore_fails:
            return "Failed", self.restore_fails
        self.database.restored(name)
        return "Complete", ""


def archive(name: str) -> bytes:
    """A small tar, gzipped."""
    whole, content = io.BytesIO(), f"rows of {name}\n".encode()
    with tarfile.open(fileobj=whole, mode="w:gz") as tar:
        entry = tarfile.TarInfo("dump.sql")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return whole.getvalue()
