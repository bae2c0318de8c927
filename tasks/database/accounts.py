"""What a restore does not bring back: users, grants, root's password and the time zone."""

from __future__ import annotations

import re

from pydantic import SecretStr

from blocks.errors import HostError, RefusedError, VerificationError
from blocks.ports import KubeApi
from configs.database import Database
from configs.platform import Platform
from configs.rendering import rendered
from tasks.database.sql import ask_sql
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.run import Run
from tasks.engine.step import step

NONE = SecretStr("")


@step("check database")
def check_database(
    run: Run, platform: Platform, database: Database, kube: KubeApi, root: SecretStr, *, restored: bool = False
) -> Outcome:
    """Make sure that the database answers to its configured root; after a restore of ours also to one without a password.

    Changes nothing. Undo: none needed.
    """
    # probe
    if not logs_in(kube, database, "root", root) and not (restored and logs_in(kube, database, "root", NONE)):
        raise RefusedError(
            f"database: root can't log in at {database.host} with what {database.root_password} holds, so its password could not be "
            "set again after a restore: write the right one there, or see whether the database answers"
        )

    # act
    # verify
    return unchanged("root logs in")


@step("set users and time zone")
def ensure_accounts(
    run: Run, platform: Platform, database: Database, kube: KubeApi, root: SecretStr, password: SecretStr
) -> Outcome:
    """Make root and the application's user log in with their configured passwords, and the time zone be as configured.

    The statements exist in memory and on the client's standard input only. Undo: none needed.
    """
    # probe
    wrong = _wrong(kube, database, root, password)
    if not wrong:
        return unchanged("users and time zone are as configured")
    if run.dry_run:
        return planned(f"set: {', '.join(wrong)}")

    # act
    with run.acting(platform.name, f"setting {', '.join(wrong)}"):
        present = root if logs_in(kube, database, "root", root) else NONE
        ask_sql(kube, database, "root", present, init_sql(database, root, password))

    # verify
    left = _wrong(kube, database, root, password)
    if left:
        raise VerificationError(
            f"database: the statements were taken, yet wrong: {', '.join(left)}: see mysql.user there"
        )
    return changed(f"set: {', '.join(wrong)}")


def logs_in(kube: KubeApi, database: Database, user: str, password: SecretStr, schema: str = "mysql") -> bool:
    """Whether `user` gets an answer with this password."""
    try:
        return ask_sql(kube, database, user, password, "SELECT 1;", schema=schema) == "1"
    except HostError:
        return False


def _wrong(kube: KubeApi, database: Database, root: SecretStr, password: SecretStr) -> list[str]:
    root_right = logs_in(kube, database, "root", root)
    zone = ask_sql(kube, database, "root", root, "SELECT @@global.time_zone;") if root_right else ""
    return [
        *([] if root_right else ["root's password"]),
        *([] if logs_in(kube, database, database.user, password, database.database) else [f"user {database.user}"]),
        *([] if same_zone(zone, database.time_zone) else ["time zone"]),
    ]


def same_zone(found: str, wanted: str) -> bool:
    """Whether two zones are the same: servers say +08:00 for +8:00."""
    return _padded(found) == _padded(wanted)


def _padded(zone: str) -> str:
    return re.sub(r"^([+-])(\d):", r"\g<1>0\2:", zone)


def init_sql(database: Database, root: SecretStr, password: SecretStr) -> str:
    """The statements that a restore makes necessary. They contain passwords: for standard input only."""
    return rendered(
        "init-tidb.sql.j2",
        user=database.user,
        password=password.get_secret_value(),
        root_password=root.get_secret_value(),
        database=database.database,
        time_zone=database.time_zone,
    )
