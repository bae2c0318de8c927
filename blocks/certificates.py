"""Certificates in files on this machine, and what can be known of them without any connection."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from configs.errors import ConfigError

DER = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
USAGES = {x509.oid.ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth", x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH: "clientAuth"}


@dataclass(frozen=True)
class Chain:
    """A certificate, and those in its file that lead from it to its authority."""

    certificates: tuple[x509.Certificate, ...]

    @property
    def valid(self) -> tuple[datetime, datetime]:
        """From when until when, in UTC."""
        return self.certificates[0].not_valid_before_utc, self.certificates[0].not_valid_after_utc

    @property
    def names(self) -> frozenset[str]:
        """The subject alternative names: hosts and addresses."""
        try:
            found = self.certificates[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return frozenset()
        hosts, addresses = found.get_values_for_type(x509.DNSName), found.get_values_for_type(x509.IPAddress)
        return frozenset((*hosts, *map(str, addresses)))

    @property
    def usages(self) -> frozenset[str]:
        """serverAuth, clientAuth; both where the certificate does not limit its use."""
        try:
            found = self.certificates[0].extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        except x509.ExtensionNotFound:
            return frozenset(USAGES.values())
        return frozenset(USAGES[usage] for usage in found if usage in USAGES)

    def comes_from(self, authorities: Collection[x509.Certificate]) -> bool:
        """Whether one of the authorities has signed it, or has signed what in its file leads there."""
        current, others = self.certificates[0], list(self.certificates[1:])
        while not any(_signed(current, authority) for authority in authorities):
            above = next((other for other in others if _signed(current, other)), None)
            if above is None:
                return False
            others.remove(above)
            current = above
        return True

    def fits(self, key: Path) -> bool:
        """Whether this is its key. Raises ConfigError when that is none, or encrypted."""
        try:
            private = load_pem_private_key(key.read_bytes(), password=None)
        except OSError as error:
            raise _unreadable(key, str(error.strerror)) from error
        except (ValueError, TypeError) as error:  # never with its text: it may quote the file
            raise _unreadable(key, "it holds no PEM key that is not encrypted") from error
        ours, its = private.public_key(), self.certificates[0].public_key()
        return ours.public_bytes(*DER) == its.public_bytes(*DER)


def read_chain(path: Path) -> Chain:
    """The certificates in a file, the first being the one that it is about. Raises ConfigError when there is none."""
    try:
        return Chain(parse_certificates(path.read_bytes()))
    except OSError as error:
        raise _unreadable(path, str(error.strerror)) from error
    except ValueError as error:
        raise _unreadable(path, "it holds no PEM certificate") from error


def parse_certificates(pem: bytes) -> tuple[x509.Certificate, ...]:
    """All certificates in a text. Raises ValueError when there is none."""
    return tuple(x509.load_pem_x509_certificates(pem))


def _signed(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _unreadable(path: Path, why: str) -> ConfigError:
    return ConfigError(f"etcd.tls: {path}: {why}: write a readable PEM file there, or its right path", id="etcd-tls-unreadable")
