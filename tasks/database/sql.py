"""SQL by a client in a pod, as the runbook does it."""

from __future__ import annotations

import re
from shlex import quote

from pydantic import SecretStr

from blocks.errors import HostError, NotFoundError
from blocks.ports import KubeApi
from configs.database import Database
from configs.platform import Platform
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings

# The password is a line of standard input, then a variable of the client's environment: never an argument.
# An exec's input has no end, so the client gets just the statements' bytes. MariaDB's images of 11 and later have no `mysql`.
LOGIN = (
    "IFS= read -r MYSQL_PWD; export MYSQL_PWD; head -c {size} | "
    "$(command -v mysql || command -v mariadb || echo mysql) -h {host} -P {port} -u {user} -N -B {schema}"
)
# The lines that hold no statement: the client's error, and a shell's that found no client.
REPORTABLE = re.compile(r"ERROR (?:(?P<code>\d+) |at line )|\S*sh: (?:(?:line )?\d+: )?mysql: ")


class SqlError(HostError):
    """The client or the database said no. `code` is the number of its error, 0 where it gave none."""

    id = "sql-failed"

    def __init__(self, message: str, *, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


def ask_sql(
    kube: KubeApi,
    database: Database,
    user: str,
    password: SecretStr,
    sql: str,
    *,
    schema: str = "mysql",
    timeout_s: float = 60,
) -> str:
    """What the database answers to `sql`, by the client pod. Statement and password travel on standard input only.

    Raises SqlError with the client's words, but nothing that can repeat a statement: it can hold a password.
    """
    command = LOGIN.format(
        size=len(sql.encode()), host=quote(database.host), port=database.port, user=quote(user), schema=quote(schema)
    )
    stdin = f"{password.get_secret_value()}\n{sql}"
    try:
        result = kube.exec(database.namespace, database.client_pod, ["/bin/sh", "-c", command], stdin=stdin, timeout_s=timeout_s)
    except NotFoundError as error:
        raise SqlError(
            f"{database.client}: the client pod does not exist: kubectl get pods -n {database.namespace}; create it, or write "
            f"another one in database.client_pod"
        ) from error
    if result.exit_code != 0:
        words, code = reportable(result.stderr)
        said = words or f"exit code {result.exit_code}, and no error that can be reported"
        raise SqlError(f"{database.client}: mysql as {user}: {said}", code=code)
    return result.stdout.strip()


def log_in(kube: KubeApi, database: Database, user: str, password: SecretStr, schema: str = "mysql") -> None:
    """Ask the smallest question as `user`. Raises SqlError when it is not answered."""
    said = ask_sql(kube, database, user, password, "SELECT 1;", schema=schema)
    if said != "1":
        raise SqlError(f"{database.client}: mysql as {user}: SELECT 1 was answered with {said[:80]!r}")


def reportable(stderr: str) -> tuple[str, int]:
    """The last line that is known to hold no statement, up to what a server quotes of one, and the error's number.

    MariaDB's client prints the whole statement that failed before its error, and servers quote it after "near".
    """
    found = [(line, match) for line in stderr.split("\n") if (match := REPORTABLE.match(line))]
    if not found:
        return "", 0
    line, match = found[-1]
    return line.partition(" near ")[0].strip()[-300:], int(match["code"] or 0)


def by_hand(database: Database, user: str, schema: str = "mysql") -> str:
    """What to type to log in as we do; the client asks for the password."""
    return (
        f"kubectl exec -it -n {database.namespace} {database.client_pod} -- "
        f"mysql -h {database.host} -P {database.port} -u {user} -p {schema}"
    )


@check("verify database", after_acts=True)
def verify_database(platform: Platform, kube: KubeApi, password: SecretStr | None) -> Checked:
    """The database answers SELECT 1 to the application's user."""
    found, database = Findings("database"), platform.database
    if database is None or password is None:
        return found.checked("no database is configured")
    try:
        log_in(kube, database, database.user, password, database.database)
    except SqlError as error:
        what = f"SELECT 1 as {database.user} at {database.host} was not answered: {error.message}"
        found.refuse("database-not-answering", what, f"try it: {by_hand(database, database.user, database.database)}")
        return found.checked(f"{database.host} did not answer {database.user}")
    return found.checked(f"{database.host} answers {database.user}")
