"""What a restore does not bring back: users, grants, root's password and the time zone."""

from __future__ import annotations

import re

from pydantic import SecretStr

from blocks.ports import KubeApi
from configs.database import Database
from configs.platform import Platform
from configs.rendering import rendered
from tasks.database.sql import SqlError, ask_sql, by_hand, log_in
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.engine.waiting import wait_until

NONE = SecretStr("")
DENIED = (1044, 1045, 1698)  # ER_DBACCESS_DENIED, ER_ACCESS_DENIED, and the latter for no password at all


@check("check database")
def check_database(
    platform: Platform, database: Database, kube: KubeApi, root: SecretStr, *, restored: bool = False
) -> Checked:
    """The database answers its configured root; after a restore of ours also a root without a password."""
    found = Findings("database")
    try:
        denied = denial(kube, database, "root", root)
        if denied and restored and not denial(kube, database, "root", NONE):
            denied = ""
    except SqlError as error:
        found.refuse(
            "database-client-failed",
            f"root could not log in at {database.host}, and not because of its password: {error.message}",
            f"put that right, then try it: {by_hand(database, 'root')}",
            final=True,
        )
    else:
        if denied:
            found.refuse(
                "database-root-denied",
                f"root can't log in at {database.host} with what {database.root_password} holds, so its password could not be set "
                f"again after a restore: {denied}",
                f"write the right password there, then try it: {by_hand(database, 'root')}",
                final=True,
            )
    return found.checked(f"root logs in at {database.host}")


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
        present = NONE if denial(kube, database, "root", root) else root
        ask_sql(kube, database, "root", present, init_sql(database, root, password))

    # verify
    left = list[str]()

    def as_configured() -> bool:
        left[:] = _wrong(kube, database, root, password)
        return not left

    wait_until(  # by any of several TiDB servers
        f"{database.host}: users and time zone are as configured",
        as_configured,
        timeout_s=platform.timeouts.accounts_s,
        still=lambda: f"the statements were accepted, but not: {', '.join(left)}: look at mysql.user: {by_hand(database, 'root')}",
        id="database-accounts-wrong",
    )
    return changed(f"set: {', '.join(wrong)}")


def denial(kube: KubeApi, database: Database, user: str, password: SecretStr, schema: str = "mysql") -> str:
    """The server's words when it does not let `user` in with this password, empty when it does.

    Raises SqlError when something else is wrong: no password would help.
    """
    try:
        log_in(kube, database, user, password, schema)
    except SqlError as error:
        if error.code in DENIED:
            return error.message
        raise
    return ""


def _wrong(kube: KubeApi, database: Database, root: SecretStr, password: SecretStr) -> list[str]:
    """What is not as configured, in words."""
    wrong, zone = [], ""
    if denial(kube, database, "root", root):
        wrong.append("root's password")
    else:
        zone = ask_sql(kube, database, "root", root, "SELECT @@global.time_zone;")
    if denial(kube, database, database.user, password, database.database):
        wrong.append(f"user {database.user}")
    if not same_zone(zone, database.time_zone):
        wrong.append("time zone")
    return wrong


def same_zone(found: str, expected: str) -> bool:
    """Whether two zones are the same: servers say +08:00 for +8:00."""
    return _padded(found) == _padded(expected)


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
