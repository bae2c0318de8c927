"""What a client of etcd shows and trusts, where etcd speaks TLS."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass

from configs.errors import ConfigError
from configs.etcd import EtcdTls


@dataclass(frozen=True)
class ClientTls:
    """Paths on this machine: the authorities' certificates, and the client's own with its key."""

    ca: str
    cert: str
    key: str

    @classmethod
    def of(cls, config: EtcdTls | None) -> ClientTls | None:
        """As the config has it; None for plain HTTP."""
        return None if config is None else cls(str(config.ca), str(config.cert), str(config.key))

    @property
    def channel(self) -> dict[str, str]:
        """As python-etcd3 takes it."""
        return {"ca_cert": self.ca, "cert_cert": self.cert, "cert_key": self.key}


def trust(tls: ClientTls | None) -> ssl.SSLContext | bool:
    """As httpx takes it. Raises ConfigError that names the file which can't be read, or does not fit."""
    if tls is None:
        return True
    try:
        context = ssl.create_default_context(cafile=tls.ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"etcd.tls.ca: {tls.ca}: {why(error)}: write a readable PEM file", id="etcd-tls-unreadable") from error
    try:
        context.load_cert_chain(tls.cert, tls.key, password="")
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"etcd.tls: {tls.cert} and {tls.key}: {why(error)}: write a certificate and its own key, not encrypted, as PEM",
            id="etcd-tls-unreadable",
        ) from error
    return context


def why(error: OSError) -> str:
    """OpenSSL's reason, without its place in a source file, or the system's."""
    if not isinstance(error, ssl.SSLError):
        return str(error.strerror or error)
    return re.sub(r"\[[^]]*\] | \(_ssl.*", "", str(error.args[-1]))
