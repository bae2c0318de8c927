"""Build the archive: the project as it is committed, wheels for every supported Python, checksums, and install.sh.

From the project's root: make offline
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path

import typer

from deployments.offline.locked import Locked, needed, parse, roots

ROOT = Path(__file__).resolve().parents[2]
PYTHONS = ("3.11", "3.12", "3.13")
PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_28_x86_64")
"""What wheels may be for, the oldest glibc first. The newest is what install.sh asks for: asyncpg has none for an older one."""
PROJECT = (
    *("flows", "tasks", "blocks", "configs", "deployments", "docs", "Makefile", "pyproject.toml", "requirements.lock"),
    *("README.md", "README.zh-CN.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"),
)
INSTALLER = Path("deployments/offline/install.sh")

app = typer.Typer(add_completion=False, help=__doc__)


@app.command()
def main(out: Path = ROOT / "dist") -> None:
    """Write the archive to this folder and print its checksum, its path and what to do with it."""
    archive = build(out)
    size = archive.stat().st_size >> 20
    typer.echo(f"{digest(archive)}  {archive}\n{size} MiB; on the machine: tar -xzf {archive.name}, then ./install.sh in its folder")


def build(out: Path) -> Path:
    """The archive's path. Raises SystemExit with the name of a package that has no wheel for one of the Pythons."""
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    name = f"evenkeel-{tomllib.loads(pyproject)['project']['version']}-linux-x86_64"
    packages = needed(parse((ROOT / "requirements.lock").read_text(encoding="utf-8")), roots(pyproject))
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder) / name
        export(top)
        collect(top / "wheels", packages)
        shutil.copy(top / INSTALLER, top)
        (top / "SHA256SUMS").write_text(checksums(top), encoding="utf-8")
        out.mkdir(parents=True, exist_ok=True)
        return Path(shutil.make_archive(str(out / name), "gztar", root_dir=folder, base_dir=name, owner="root", group="root"))


def export(top: Path) -> None:
    """The project's files as the last commit has them; what lies about in the working tree stays there."""
    packed = subprocess.run(["git", "archive", "HEAD", *PROJECT], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout  # noqa: S607
    top.mkdir()
    subprocess.run(["tar", "-x", "-C", top], input=packed, check=True)  # noqa: S607


def collect(wheels: Path, packages: list[Locked]) -> None:
    """Wheels of these packages for every Python, their files checked by the lock's hashes, and what pip is to install of them."""
    wheels.mkdir()
    for python in PYTHONS:
        typer.echo(f"wheels for CPython {python}")
        _download(wheels, python, [one.hashed for one in packages if one.is_for(python)])
    for source in [path for path in sorted(wheels.iterdir()) if path.suffix != ".whl"]:
        _build_wheel(wheels, source)
    (wheels / "requirements.txt").write_text("".join(f"{one.requirement}\n" for one in packages), encoding="utf-8")


def checksums(top: Path) -> str:
    """The lines of `sha256sum` for every file below."""
    return "".join(f"{digest(path)}  {path.relative_to(top)}\n" for path in sorted(top.rglob("*")) if path.is_file())


def digest(path: Path) -> str:
    """The file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _download(wheels: Path, python: str, lines: Iterable[str]) -> None:
    abis = (f"cp{python.replace('.', '')}", "abi3", "none")
    target = (f"--python-version={python}", "--implementation=cp", *(f"--abi={one}" for one in abis))
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write("\n".join(lines))
        file.flush()
        _pip(
            *("download", "--no-deps", "--require-hashes", "--no-build-isolation", "--dest", wheels, "--requirement", file.name),
            *(*target, *(f"--platform={one}" for one in PLATFORMS)),
        )


def _build_wheel(wheels: Path, source: Path) -> None:
    """A package that is published as source only; one that would be compiled here fits no other Python, and is refused."""
    with tempfile.TemporaryDirectory() as folder:
        _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, source)
        built = next(Path(folder).glob("*.whl"))
        if not built.name.endswith("-none-any.whl"):
            raise SystemExit(f"{source.name}: no wheel for every CPython of {', '.join(PYTHONS)}: pin a release that has them")
        shutil.move(built, wheels)
    source.unlink()


def _pip(*words: str | Path) -> None:
    subprocess.run([sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", *words], check=True)


if __name__ == "__main__":
    app()
