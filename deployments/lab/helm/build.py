"""Lay out `helm` as it lies on a machine: the command, and the library of the installed helm-python-sdk."""

from __future__ import annotations

import shutil
from importlib import metadata
from pathlib import Path

from deployments.lab.shell import LabError

HERE = Path(__file__).parent
PACKAGE = "helm-python-sdk"
HOME = "usr/local/lib/helm"
# Isolated, without site, and without leaving compiled files on a machine's disk.
COMMAND = f"""\
#!/usr/bin/python3 -BIS
import sys

sys.path.insert(0, "/{HOME}")
from helm.cli import main

sys.exit(main())
"""


def library() -> metadata.Distribution:
    """The installed library; the project's lock file says which, and by which hash."""
    try:
        return metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError as absent:
        raise LabError(f"the Python package {PACKAGE} is not installed, and the lab's helm is made of it; type: make setup") from absent


def build(out: Path) -> None:
    """`out` holds usr/local/bin/helm and what it runs."""
    shutil.rmtree(out, ignore_errors=True)
    command = out / "usr/local/bin/helm"
    command.parent.mkdir(parents=True)
    command.write_text(COMMAND)
    command.chmod(0o755)
    for source in sorted(HERE.glob("*.py")):
        if source.name != Path(__file__).name:
            _copy(source, out / HOME / "helm" / source.name)
    for file in _needed(library()):
        _copy(Path(str(file.locate())), out / HOME / file)


def _needed(distribution: metadata.Distribution) -> list[metadata.PackagePath]:
    """The package's modules and its shared library: once, though the wheel has it under three names."""
    files = [file for file in distribution.files or [] if file.parts[0] == "helm_python"]
    libraries = [file for file in files if ".so" in file.suffixes]
    if not libraries:
        raise LabError(f"{PACKAGE} {distribution.version} has no shared library for this box in it; type: make setup")
    return [*(file for file in files if file.suffix == ".py"), max(libraries, key=lambda file: len(file.name))]


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)
