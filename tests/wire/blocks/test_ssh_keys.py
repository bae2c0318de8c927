"""Private keys in the formats that people have."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from pydantic import SecretStr

from blocks.ssh_keys import PassphraseMissingError, private_key
from configs.errors import ConfigError

FORMATS = {
    "OpenSSH": ("-t", "ed25519"), "OpenSSH RSA": ("-t", "rsa", "-b", "2048"), "PEM RSA": ("-t", "rsa", "-b", "2048", "-m", "PEM"),
    "PKCS#8 RSA": ("-t", "rsa", "-b", "2048", "-m", "PKCS8"), "PEM ECDSA": ("-t", "ecdsa", "-m", "PEM"),
    "PKCS#8 ECDSA": ("-t", "ecdsa", "-m", "PKCS8"),
}  # fmt: skip


def generated(path: Path, *options: str, passphrase: str = "") -> Path:
    subprocess.run(["ssh-keygen", "-q", *options, "-N", passphrase, "-f", path], check=True)
    return path


@pytest.mark.parametrize("options", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("passphrase", ["", "pass phrase é"], ids=["plain", "encrypted"])
def test_a_key_is_read(tmp_path: Path, options: tuple[str, ...], passphrase: str) -> None:
    path = generated(tmp_path / "key", *options, passphrase=passphrase)

    key = private_key(path, SecretStr(passphrase))

    assert key.get_base64() == (tmp_path / "key.pub").read_text().split()[1]
    assert key.can_sign()
    if passphrase:
        with pytest.raises(PassphraseMissingError):
            private_key(path, None)
        with pytest.raises(ConfigError, match="the passphrase is not the key's"):
            private_key(path, SecretStr("another"))


def test_a_certificate_that_lies_beside_it_is_presented(tmp_path: Path) -> None:
    path, authority = generated(tmp_path / "key", "-t", "ed25519"), generated(tmp_path / "ca", "-t", "ed25519")
    subprocess.run(["ssh-keygen", "-q", "-s", authority, "-I", "ops", "-n", "root", f"{path}.pub"], check=True)

    certificate = private_key(path, None).public_blob

    assert certificate is not None
    assert certificate.key_type == "ssh-ed25519-cert-v01@openssh.com"


@pytest.mark.parametrize("content", ["", "ssh-ed25519 AAAA a public key", "PuTTY-User-Key-File-3: ssh-ed25519\n", "\0\1\2"])
def test_what_is_no_key_is_refused_with_what_to_do(tmp_path: Path, content: str) -> None:
    (tmp_path / "key").write_text(content)

    with pytest.raises(ConfigError, match=r"no private key that is known here: .*puttygen .*\[ssh-not-usable\]"):
        private_key(tmp_path / "key", None)
