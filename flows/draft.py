"""The first config, drafted: one running source is asked, and the etcd and the cluster that it belongs to. Nothing is changed.

It is no flow of Prefect's: it comes before there is a config, a server or a lock, and an operator waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from blocks.etcd_tls import ClientTls
from blocks.known_hosts import KnownHosts
from configs.errors import ConfigError
from configs.load import mistakes
from configs.ssh import Ssh
from flows.composition import open_source
from tasks.draft.text import draft_text


def draft(source: str, platform: str, ssh: Mapping[str, Any], tls: Mapping[str, str] | None = None) -> str:
    """The YAML of a platform of this name, from the running `source`, reached by `ssh` as a config has it. `tls` are the files of a client
    of etcd: ca, cert and key.

    Raises ConfigError, RefusedError and HostError, each with what to type.
    """
    try:
        how = Ssh.model_validate(ssh)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{source}: ssh: {line}" for line in mistakes(error))) from None
    with open_source(source, how, ClientTls(**tls) if tls else None) as (machine, kube, etcd):
        known = KnownHosts.read(how.known_hosts)
        return draft_text(platform, machine, kube, etcd, ssh=ssh, tls=tls, knows=known.has)


def refuse_existing(path: Path) -> None:
    """Raise ConfigError for a file that is there: what a person has written is never overwritten."""
    if path.exists():
        raise ConfigError(
            f"{path}: it exists, and a draft overwrites nothing: give another --output, or move it aside", id="draft-file-exists"
        )
