"""X.509 by the openssl command. Keys travel in files of mode 0600 and pipes, never in an argument list."""

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .errors import StartError

_NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
_DAYS = ["-days", "3650"]


@dataclass(frozen=True)
class Pair:
    """The files of a certificate and its key."""

    cert: Path
    key: Path


@dataclass(frozen=True)
class Subject:
    """Whom a certificate names. Kubernetes reads the user from `name` and the group from `group`."""

    name: str
    group: str = ""


def make_ca(name: str) -> tuple[str, str]:
    """A new certificate authority: (certificate, key), both PEM."""
    extensions = ["basicConstraints = critical,CA:TRUE", "keyUsage = critical,digitalSignature,keyCertSign"]
    with tempfile.TemporaryDirectory() as folder:
        pair = Pair(Path(folder, "ca.crt"), Path(folder, "ca.key"))
        out = ["-keyout", str(pair.key), "-out", str(pair.cert)]
        _openssl(
            ["req", "-x509", *_NEW_KEY, *_DAYS, *out, "-config", "/dev/stdin"],
            _config(Subject(name), extensions),
        )
        return pair.cert.read_text(), pair.key.read_text()


def make_signing_key() -> str:
    """A new key for service-account tokens, PEM."""
    return _openssl(["ecparam", "-name", "prime256v1", "-genkey", "-noout"])


def issue(pair: Pair, ca: Pair, subject: Subject, sans: list[str] | None = None) -> Pair:
    """Make `pair` a new key and a certificate for `subject` signed by `ca`; with `sans` it is for serving, too."""
    extensions = [
        "basicConstraints = critical,CA:FALSE",
        "keyUsage = critical,digitalSignature,keyEncipherment",
    ]
    extensions.append("extendedKeyUsage = clientAuth" + (",serverAuth" if sans else ""))
    if sans:
        extensions.append("subjectAltName = " + ",".join(sans))
    pair.cert.parent.mkdir(parents=True, exist_ok=True)
    signer = ["-CA", str(ca.cert), "-CAkey", str(ca.key)]
    out = ["-keyout", str(pair.key), "-out", str(pair.cert)]
    config = _config(subject, extensions)
    _openssl(["req", "-x509", *_NEW_KEY, *_DAYS, *signer, *out, "-config", "/dev/stdin"], config)
    return pair


def request(key: Path, subject: Subject) -> str:
    """A new key in `key`, and a signing request for it (PEM)."""
    key.parent.mkdir(parents=True, exist_ok=True)
    return _openssl(["req", "-new", *_NEW_KEY, "-keyout", str(key), "-config", "/dev/stdin"], _config(subject, []))


def is_issued_to(pair: Pair, ca_file: Path, name: str) -> bool:
    """Whether `pair` exists, `ca_file` vouches for it today, and it names `name`."""
    if not (pair.cert.exists() and pair.key.exists()):
        return False
    try:
        _openssl(["verify", "-CAfile", str(ca_file), str(pair.cert)])
    except StartError:
        return False
    lines = _openssl(["x509", "-in", str(pair.cert), "-noout", "-subject", "-nameopt", "multiline"]).splitlines()
    return any(line.split("=", 1)[-1].strip() == name for line in lines if "commonName" in line)


def served_ca(address: str) -> str:
    """The last certificate of the chain that the TLS server at `address` (host:port) shows, unverified."""
    shown = _openssl(["s_client", "-connect", address, "-showcerts"])
    begin = shown.rfind("-----BEGIN CERTIFICATE-----")
    mark = "-----END CERTIFICATE-----"
    end = shown.find(mark, begin)
    if begin < 0 or end < 0:
        raise StartError(f"{address}: no certificate was shown")
    return shown[begin : end + len(mark)] + "\n"


def encrypt(text: str, password: str) -> str:
    """`text` as base64 that only `password` opens."""
    return _cipher(["-e"], text, password)


def decrypt(text: str, password: str) -> str:
    """What `encrypt` was given; StartError under another password."""
    return _cipher(["-d"], text, password)


def _cipher(direction: list[str], text: str, password: str) -> str:
    reading, writing = os.pipe()
    try:
        os.write(writing, password.encode() + b"\n")
        os.close(writing)
        command = ["enc", *direction, "-aes-256-cbc", "-pbkdf2", "-base64", "-A", "-pass", f"fd:{reading}"]
        return _openssl(command, text, pass_fds=(reading,))
    finally:
        os.close(reading)


def _config(subject: Subject, extensions: list[str]) -> str:
    """An openssl configuration of our own: the machine's must not add a thing."""
    group = [f"O = {subject.group}"] if subject.group else []
    head = ["[req]", "prompt = no", "distinguished_name = dn", "x509_extensions = ext"]
    return "\n".join([*head, "[dn]", *group, f"CN = {subject.name}", "[ext]", *extensions, ""])


def _openssl(arguments: list[str], text: str = "", pass_fds: tuple[int, ...] = ()) -> str:
    done = subprocess.run(
        ["openssl", *arguments],
        input=text,
        capture_output=True,
        text=True,
        pass_fds=pass_fds,
        umask=0o077,
        timeout=20,
        check=False,
    )
    if done.returncode:
        raise StartError(f"openssl {arguments[0]}: {done.stderr.strip()[-300:]}")
    return done.stdout
