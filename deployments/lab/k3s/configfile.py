"""/etc/rancher/k3s/config.yaml and config.yaml.d/*.yaml: flags that stand before those of the command line.

Read with what a bare Python has: `key: value`, `key: [list]` and `key:` with a list below it.
"""

import json
from pathlib import Path

FILE = Path("/etc/rancher/k3s/config.yaml")
FOLDER = Path("/etc/rancher/k3s/config.yaml.d")


def flags(file: Path = FILE, folder: Path = FOLDER) -> list[str]:
    """The flags of all files. A key of a later file replaces an earlier one's, as k3s has it from v1.20.7 on."""
    settings: dict[str, list[str]] = {}
    for path in (file, *sorted(folder.glob("*.yaml"))):
        if path.is_file():
            settings |= parse(path.read_text())
    return [flag for name, values in settings.items() for value in values for flag in _flag(name, value)]


def parse(text: str) -> dict[str, list[str]]:
    """Settings with their values, one or several."""
    settings: dict[str, list[str]] = {}
    last = ""
    for line in text.splitlines():
        content = line.split(" #")[0].rstrip()
        if not content.strip() or content.lstrip().startswith("#"):
            continue
        if content.lstrip().startswith("- "):
            settings[last].append(_plain(content.lstrip()[2:]))
            continue
        last, _, value = content.partition(":")
        last = last.strip()
        listed = value.strip().startswith("[")
        settings[last] = [_plain(one) for one in (value.strip().strip("[]").split(",") if listed else [value]) if one.strip()]
    return settings


def _plain(value: str) -> str:
    value = value.strip()
    return json.loads(value) if value.startswith('"') else value.strip("'")


def _flag(name: str, value: str) -> list[str]:
    if value == "true":
        return [f"--{name}"]
    return [] if value == "false" else [f"--{name}={value}"]
