"""SQL by a client in a pod, as the runbook does it."""

from __future__ import annotations

from shlex import quote

from pydantic import SecretStr

from blocks.errors import HostError
from blocks.ports import KubeApi
from configs.database import Database

# The password is a line of standard input, then a variable of the client's environment: never an argument.
# An exec's input has no end, so the client gets just the statements' bytes.
LOGIN = "IFS= read -r MYSQL_PWD; export MYSQL_PWD; head -c {size} | mysql -h {host} -P {port} -u {user} -N -B {schema}"


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

    Raises HostError with the client's words, but not what they repeat of a statement: it can hold a password.
    """
    command = LOGIN.format(
        size=len(sql.encode()), host=quote(database.host), port=database.port, user=quote(user), schema=quote(schema)
    )
    result = kube.exec(
        database.namespace,
        database.client_pod,
        ["/bin/sh", "-c", command],
        stdin=f"{password.get_secret_value()}\n{sql}",
        timeout_s=timeout_s,
    )
    if result.exit_code != 0:
        said = result.stderr.partition(" near ")[0].strip()[-300:]
        raise HostError(f"{database.namespace}/{database.client_pod}: mysql as {user}: {said}")
    return result.stdout.strip()
