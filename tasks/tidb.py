"""The database: its backup before anything is changed, and whether it answers."""

from __future__ import annotations

from shlex import quote

from pydantic import SecretStr

from blocks.ports import KubeApi
from configs.errors import HostError, RefusedError
from configs.platform import Backup, Database, Platform
from tasks.journal import now
from tasks.outcome import Outcome, changed, planned, unchanged
from tasks.record import Record
from tasks.run import Run
from tasks.step import step

BACKUP = "backup"

# The password is a line of standard input, then a variable of the client's environment: never an argument.
QUERY = "read -r MYSQL_PWD; export MYSQL_PWD; mysql -h {host} -P {port} -u {user} -N -B -e {sql} {database}"


@step("backup")
def ensure_backup(run: Run, platform: Platform, kube: KubeApi, record: Record) -> Outcome:
    """Make a backup of the database exist that was taken for this migration.

    Undo: none needed; backups are never deleted by us.
    """
    # probe
    taken = record.read(BACKUP)
    if taken is not None:
        return unchanged(f"taken at {taken['taken']}: {taken['said']}")
    backup = platform.backup
    if run.dry_run:
        return planned(f"taken by {' '.join(backup.command)} in {backup.namespace}, pod {backup.workload_label}")
    pod = _pod(kube, backup)

    # act
    with run.acting(platform.name, f"taking a backup in {backup.namespace}/{pod}"):
        result = kube.exec(backup.namespace, pod, list(backup.command), timeout_s=platform.timeouts.backup_s)
        if result.exit_code != 0:
            raise HostError(
                f"{backup.namespace}/{pod}: {' '.join(backup.command)}: exit code {result.exit_code}: {result.stderr.strip()[-400:]}"
            )
        record.write(BACKUP, {"taken": now(), "said": (result.stdout.strip().splitlines() or [""])[-1]})

    # verify
    kept = record.read(BACKUP) or {}
    return changed(f"taken: {kept['said']}")


def query(kube: KubeApi, database: Database, password: SecretStr, sql: str, *, timeout_s: float = 60) -> str:
    """What the database answers to `sql`, asked from the client pod as its user. Raises HostError with the client's words."""
    command = QUERY.format(
        host=quote(database.host),
        port=database.port,
        user=quote(database.user),
        sql=quote(sql),
        database=quote(database.database),
    )
    result = kube.exec(
        database.namespace,
        database.client_pod,
        ["/bin/sh", "-c", command],
        stdin=password.get_secret_value() + "\n",
        timeout_s=timeout_s,
    )
    if result.exit_code != 0:
        raise HostError(f"{database.namespace}/{database.client_pod}: mysql: {result.stderr.strip()[-400:]}")
    return result.stdout.strip()


def _pod(kube: KubeApi, backup: Backup) -> str:
    pod = kube.pod_named(backup.namespace, backup.workload_label)
    if pod is None:
        raise RefusedError(
            f"backup: no Ready pod {backup.workload_label} in namespace {backup.namespace}: without a backup nothing is "
            f"changed: kubectl get pods -n {backup.namespace}"
        )
    return pod
