"""A database behind its client pod: users, their passwords, a time zone, and which data it holds."""

from __future__ import annotations

import re

from blocks.ports import ExecResult
from tests.fakes.kube import FakeKube

IDENTIFIED = re.compile(r"^ALTER USER '([^']+)'@'%' IDENTIFIED BY '((?:[^']|'')*)';$", re.MULTILINE)
DEFAULT_MODE = "SET SESSION sql_mode = '';\n"
ZONE = re.compile(r"^SET GLOBAL time_zone = '([^']+)';$", re.MULTILINE)
DENIED = ExecResult(1, "", "ERROR 1045 (28000): Access denied\n")


class FakeDatabase:
    """Answers the client's command line. Statements on anything but standard input are not understood."""

    def __init__(self, kube: FakeKube, *, root: str, user: str, password: str) -> None:
        self.kube = kube
        self.passwords = {"root": root, user: password}
        self.time_zone = "+08:00"
        self.data = "today's rows"
        self.backslashes_escape = True
        """False as with sql_mode NO_BACKSLASH_ESCAPES, until a session sets another mode."""
        kube.programs["mysql"] = self.ask

    def restored(self, data: str) -> None:
        """As BR leaves it: other rows, no users, no password of root's, the server's own time zone."""
        self.data, self.passwords, self.time_zone = data, {"root": ""}, "SYSTEM"

    def ask(self, argv: list[str], stdin: str) -> ExecResult:
        user = re.search(r"-u (\S+)", argv[-1])
        password, _, sql = stdin.partition("\n")
        if user is None or self.passwords.get(user[1]) != password:
            return DENIED
        if sql == "SELECT 1;":
            return ExecResult(0, "1\n", "")
        if sql == "SELECT @@global.time_zone;":
            return ExecResult(0, f"{self.time_zone}\n", "")
        self.kube.changes("statements to the database")
        escaped = self.backslashes_escape or sql.startswith(DEFAULT_MODE)
        self.passwords |= {name: _literal(word, escaped) for name, word in IDENTIFIED.findall(sql)}
        self.time_zone = "".join(ZONE.findall(sql)[-1:]) or self.time_zone
        return ExecResult(0, "", "")


def _literal(inside: str, escaped: bool) -> str:
    text = inside.replace("''", "'")
    return text.replace("\\\\", "\\") if escaped else text
