"""/etc/rancher/k3s/config.yaml: flags that stand before those of the command line. config.yaml.d is read from v1.21.0 on only.

Read with what a bare Python has: `key: value`, `key: [list]` and `key:` with a list below it.
"""

import json
from pathlib import Path

FILE = Path("/etc/rancher/k3s/config.yaml")


def flags(file: Path = FILE) -> list[str]:
    """The file's flags."""
    settings = parse(file.read_text()) if file.is_file() else {}
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
