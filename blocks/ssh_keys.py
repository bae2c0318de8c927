"""A private key from its file, in any of the formats that ssh reads. It is decrypted in memory only."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from pydantic import SecretStr

from configs.errors import ConfigError

KINDS = {RSAPrivateKey: paramiko.RSAKey, EllipticCurvePrivateKey: paramiko.ECDSAKey, Ed25519PrivateKey: paramiko.Ed25519Key}


class PassphraseMissingError(ConfigError):
    """The key is encrypted, and nothing says by what; an ssh-agent may hold it."""

    id = "ssh-passphrase-missing"


def private_key(path: Path, passphrase: SecretStr | None) -> paramiko.PKey:
    """The key, with the certificate that lies beside it as NAME-cert.pub.

    Raises PassphraseMissingError, or ConfigError for a wrong passphrase and for a file that is no key.
    """
    key = _loaded(path, passphrase)
    made: Any = next((kind for loaded, kind in KINDS.items() if isinstance(key, loaded)), None)
    if made is None:
        raise _unusable(path, f"a key of the kind {type(key).__name__.removesuffix('PrivateKey').strip('_')}")
    plain = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    usable: paramiko.PKey = made.from_private_key(io.StringIO(plain.decode()))
    certificate = path.with_name(f"{path.name}-cert.pub")
    if certificate.is_file():
        usable.load_certificate(str(certificate))
    return usable


def _loaded(path: Path, passphrase: SecretStr | None) -> RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey:
    try:
        data = path.read_bytes()
        load = serialization.load_ssh_private_key if b"BEGIN OPENSSH" in data else serialization.load_pem_private_key
        return load(data, password=None)  # type: ignore[return-value]  # what else it can be is refused by the caller
    except OSError as error:
        raise ConfigError(f"ssh.key: {path}: {error.strerror}: run the flow as a user that can read it", id="ssh-file-missing") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _unusable(path, "no private key that is known here") from error
    except TypeError:  # by which the library says that it is encrypted
        if passphrase is None:
            raise PassphraseMissingError(
                f"ssh.key: {path}: the key has a passphrase: ssh-add {path} where the flow runs, or write ssh.passphrase"
            ) from None
    try:
        return load(data, password=passphrase.get_secret_value().encode())  # type: ignore[return-value]  # as above
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError(
            f"ssh.key: {path}: the passphrase is not the key's: correct what ssh.passphrase names, try: ssh-keygen -y -f {path}",
            id="ssh-passphrase-wrong",
        ) from None


def _unusable(path: Path, what: str) -> ConfigError:
    return ConfigError(
        f"ssh.key: {path}: {what}: an RSA, ECDSA or Ed25519 key is needed, of PuTTY's format: puttygen FILE -O private-openssh -o KEY; "
        "one on a token or of another kind can be used through an ssh-agent, without ssh.key",
        id="ssh-not-usable",
    )
