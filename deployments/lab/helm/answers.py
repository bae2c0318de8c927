"""What is said to each command, as Helm says it: words for eyes, JSON for programs."""

from __future__ import annotations

import argparse
import json
from datetime import datetime
from typing import Any

from . import releases


class ReleaseError(Exception):
    """An error with Helm's words in front of the library's."""


def install(asked: argparse.Namespace) -> str:
    """Install, and say what there is now."""
    with releases.cluster(asked) as config:
        try:
            return _summary(releases.install(config, asked))
        except releases.LibraryError as error:
            raise ReleaseError(f"INSTALLATION FAILED: {error}") from error


def upgrade(asked: argparse.Namespace) -> str:
    """Upgrade, or with --install install what is not there, and say what there is now."""
    with releases.cluster(asked) as config:
        if asked.install and not releases.exists(config, asked.release):
            first = f'Release "{asked.release}" does not exist. Installing it now.\n'
            return first + _summary(releases.install(config, asked))
        try:
            done = releases.upgrade(config, asked)
        except releases.LibraryError as error:
            raise ReleaseError(f"UPGRADE FAILED: {error}") from error
        return f'Release "{asked.release}" has been upgraded. Happy Helming!\n' + _summary(done)


def rollback(asked: argparse.Namespace) -> str:
    """The way out of an upgrade that was killed: it stays pending, and every other one is refused."""
    with releases.cluster(asked) as config:
        config.rollback(asked.release, version=asked.revision)
    return "Rollback was a success! Happy Helming!\n"


def uninstall(asked: argparse.Namespace) -> str:
    """The release and its objects are gone."""
    with releases.cluster(asked) as config:
        config.uninstall(asked.release)
    return f'release "{asked.release}" uninstalled\n'


def listing(asked: argparse.Namespace) -> str:
    """The namespace's releases."""
    with releases.cluster(asked) as config:
        return _json([_row(release) for release in config.list(all_states=asked.all)])


def status(asked: argparse.Namespace) -> str:
    """The release's last revision, whatever its state."""
    with releases.cluster(asked) as config:
        everything = config.get_all(asked.release)
    summary = everything["summary"]
    known = {
        "name": summary["name"],
        "info": {"deleted": "", **everything["info"]},
        "config": everything["config"],
        "manifest": summary["manifest"],
        "version": summary["revision"],
        "namespace": summary["namespace"],
    }
    return _json(known)


def values(asked: argparse.Namespace) -> str:
    """The values that the operator gave; null if none."""
    with releases.cluster(asked) as config:
        return _json(config.get_values(asked.release) or None)


def version(asked: argparse.Namespace) -> str:
    """Helm's version, which is the library's."""
    number = releases.sdk_version()
    return f"{number}\n" if asked.short else f'version.BuildInfo{{Version:"{number}"}}\n'


def _row(release: releases.Release) -> dict[str, str]:
    return {
        "name": release["name"],
        "namespace": release["namespace"],
        "revision": str(release["revision"]),
        "updated": f"{datetime.fromisoformat(release['deployed_at']):%Y-%m-%d %H:%M:%S} +0000 UTC",
        "status": release["status"],
        "chart": f"{release['chart_name']}-{release['chart_version']}",
        "app_version": release["app_version"],
    }


def _summary(release: releases.Release) -> str:
    deployed = datetime.fromisoformat(release["deployed_at"])
    return (
        f"NAME: {release['name']}\nLAST DEPLOYED: {deployed:%a %b %e %H:%M:%S %Y}\nNAMESPACE: {release['namespace']}\n"
        f"STATUS: {release['status']}\nREVISION: {release['revision']}\nTEST SUITE: None\n"
    )


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":")) + "\n"
