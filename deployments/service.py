"""Install Prefect's server and worker as services of systemd. They run as the owner of the project's folder.

As root, from the project's root: make install-service (DESTDIR=FOLDER writes below a folder and calls nothing)
"""

from __future__ import annotations

import os
import pwd
import re
import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path

import typer
from cryptography.fernet import Fernet
from jinja2 import Environment, FileSystemLoader, StrictUndefined

ROOT = Path(__file__).resolve().parent.parent
UNITS = ("evenkeel-server.service", "evenkeel-worker.service")
SYSTEMD = Path("/etc/systemd/system")
SECRETS = Path("/etc/evenkeel/evenkeel.env")
WORKER_SECRETS = Path("/etc/evenkeel/worker.env")
STATE = Path("/var/lib/evenkeel")
PLAIN = re.compile(r"[\w./+-]+")  # systemd reads blanks, quotes, $ and % in its own way
EMPTY = """\
# NAME=value, a line each: the environment variables that the config names as secrets. Then: systemctl restart evenkeel-worker
# SSH_AUTH_SOCK here must name a socket outside of /tmp, of which the services have their own.
"""

app = typer.Typer(add_completion=False, help=__doc__)


@dataclass(frozen=True)
class Owner:
    """Whom the services run as, who has the keys of the platform's hosts."""

    name: str
    uid: int
    gid: int

    @classmethod
    def of(cls, path: Path) -> Owner:
        """The owner of a file."""
        found = pwd.getpwuid(path.stat().st_uid)
        return cls(found.pw_name, found.pw_uid, found.pw_gid)


class Installation:
    """What is written below `destdir`, and what of it was changed. Again and again: what is right stays as it is."""

    def __init__(self, destdir: Path, root: Path = ROOT) -> None:
        if not PLAIN.fullmatch(str(root)):
            raise SystemExit(f"{root}: a unit of systemd can't name this folder: move the project to a path of letters, digits and ./+-")
        self._destdir, self._root, self._owner = destdir, root, Owner.of(root)

    def install(self) -> list[str]:
        """Everything; a line for each file. A password that is there stays."""
        for folder in (SYSTEMD, SECRETS.parent):
            self._below(folder).mkdir(parents=True, exist_ok=True)
        return [
            self._folder(STATE),
            self._private(SECRETS, credentials()),
            self._private(WORKER_SECRETS, EMPTY),
            *(self._unit(name) for name in UNITS),
        ]

    def _folder(self, path: Path) -> str:
        place = self._below(path)
        if place.is_dir():
            return f"{path}: {self._mended(place, 0o700) or 'unchanged'}"
        place.mkdir(mode=0o700, parents=True)
        self._mended(place, 0o700)
        return f"{path}: made, only {self._owner.name} can enter it"

    def _private(self, path: Path, content: str) -> str:
        place = self._below(path)
        if place.exists():
            return f"{path}: {self._mended(place, 0o600) or 'kept'}"
        with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(content)
        self._mended(place, 0o600)
        return f"{path}: written, only {self._owner.name} can read it"

    def _unit(self, name: str) -> str:
        place = self._below(SYSTEMD / name)
        wanted = self._rendered(name)
        before = place.read_text(encoding="utf-8") if place.exists() else None
        if before == wanted:
            return f"{SYSTEMD / name}: unchanged"
        half = place.with_suffix(".half")
        half.write_text(wanted, encoding="utf-8")
        half.chmod(0o644)
        half.replace(place)
        return f"{SYSTEMD / name}: {'written' if before is None else f'changed: systemctl restart {place.stem} when no run is active'}"

    def _rendered(self, name: str) -> str:
        templates = Environment(
            loader=FileSystemLoader(ROOT / "deployments" / "systemd"),
            undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False,  # noqa: S701 - a unit, no HTML
        )  # fmt: skip
        return templates.get_template(f"{name}.j2").render(
            root=self._root, user=self._owner.name, state=STATE, secrets=SECRETS, worker_secrets=WORKER_SECRETS
        )

    def _mended(self, place: Path, mode: int) -> str:
        """Give it to the owner only; what was wrong before."""
        now, wrong = place.stat(), []
        if now.st_uid != self._owner.uid:
            os.chown(place, self._owner.uid, self._owner.gid)
            wrong.append(f"its owner is {self._owner.name} now")
        if now.st_mode & 0o777 != mode:
            place.chmod(mode)
            wrong.append(f"its mode was {now.st_mode & 0o777:04o} and is {mode:04o} now")
        return ", ".join(wrong)

    def _below(self, path: Path) -> Path:
        return self._destdir / path.relative_to("/")


def credentials() -> str:
    """A new password of the server, as both sides read it, and a key for the secrets in its database."""
    auth = f"admin:{secrets.token_hex(16)}"
    return (
        f"PREFECT_API_URL=http://127.0.0.1:4200/api\nPREFECT_API_AUTH_STRING={auth}\nPREFECT_SERVER_API_AUTH_STRING={auth}\n"
        f"PREFECT_SERVER_ENCRYPTION_KEY={Fernet.generate_key().decode()}\n"
    )


@app.command()
def main(destdir: Path = Path("/")) -> None:
    """Write what is missing, say what was done, and what to type next. Starts and stops nothing."""
    real = destdir == Path("/")
    if real and os.geteuid() != 0:
        raise SystemExit("services are installed by root: sudo make install-service")
    for line in Installation(destdir).install():
        typer.echo(line)
    if real:
        subprocess.run(["systemctl", "daemon-reload"], check=True)  # noqa: S607
        typer.echo("next: systemctl enable --now evenkeel-server; the worker after `prefect deploy` (README.md, steps 4 to 6)")


if __name__ == "__main__":
    app()
