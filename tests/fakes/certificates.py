"""An authority that signs whatever a test needs, with files as an operator has them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from configs.etcd import EtcdTls
from configs.platform import Platform

USAGES = {"serverAuth": x509.oid.ExtendedKeyUsageOID.SERVER_AUTH, "clientAuth": x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH}
BOTH = ("serverAuth", "clientAuth")


class Authority:
    """Signs into its folder. `above` makes it one in between."""

    def __init__(self, folder: Path, name: str = "ca", above: Authority | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.cert = folder, folder / f"{name}.crt"
        self.key = ec.generate_private_key(ec.SECP256R1())
        signing, issuer = (above.key, above.subject) if above else (self.key, _named(name))
        self.subject = _named(name)
        made = _begun(name, issuer, self.key, 365).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.cert.write_bytes(made.sign(signing, hashes.SHA256()).public_bytes(Encoding.PEM))

    def issue(
        self, name: str, *addresses: str, usages: tuple[str, ...] = BOTH, days: float = 365, passphrase: bytes = b""
    ) -> tuple[Path, Path]:
        """NAME.crt and NAME.key, for these addresses, valid for that many days."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = _begun(name, self.subject, key, days)
        if addresses:
            named = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address)) for address in addresses])
            made = made.add_extension(named, critical=False)
        if usages:
            made = made.add_extension(x509.ExtendedKeyUsage([USAGES[usage] for usage in usages]), critical=False)
        cert, file = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        cert.parent.mkdir(exist_ok=True)
        cert.write_bytes(made.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM))
        sealed = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealed))
        return cert, file


def tls_of(folder: Path, platform: Platform) -> EtcdTls:
    """Everything that etcd's TLS needs, of one authority; made once."""
    if not (folder / "ca.crt").exists():
        authority = Authority(folder)
        authority.issue("client", usages=("clientAuth",))
        for target in platform.targets:
            authority.issue(f"members/{target.name}", str(target.address))
    return EtcdTls(ca=folder / "ca.crt", cert=folder / "client.crt", key=folder / "client.key", members=folder / "members")


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _begun(name: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: float) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + timedelta(days=days))
    )
