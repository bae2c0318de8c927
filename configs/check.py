"""Checks a platform's YAML, without any machine: python -m configs.check PATH."""

from __future__ import annotations

import sys
from pathlib import Path

from configs.errors import ConfigError
from configs.load import load_platform


def main(path: str) -> int:
    """0 for a valid configuration; otherwise 2, and its mistakes on stderr, one a line. No machine is contacted."""
    try:
        platform = load_platform(Path(path))
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    machines = (
        f"{len(platform.sources)} sources, {len(platform.targets)} targets, {len(platform.servers)} of them servers"
    )
    sys.stdout.write(f"{path}: {platform.name}: {machines}; secrets: {', '.join(map(str, platform.secrets))}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "configs/prod.yaml"))
