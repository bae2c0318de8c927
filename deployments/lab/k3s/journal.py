"""One line per event on standard error, in the form k3s writes it, so that journal greps read alike."""

import sys
import time


def _write(level: str, message: str) -> None:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    quoted = message.replace("\\", "\\\\").replace('"', '\\"')
    print(f'time="{stamp}" level={level} msg="{quoted}"', file=sys.stderr, flush=True)


def info(message: str) -> None:
    """What went as it should."""
    _write("info", message)


def warning(message: str) -> None:
    """What k3s will try again by itself."""
    _write("warning", message)


def fatal(message: str) -> None:
    """Why k3s ends."""
    _write("fatal", message)
