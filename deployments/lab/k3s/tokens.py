"""Join tokens: `K10<sha256 of the CA>::<user>:<password>`, or the bare password."""

import hashlib
import re
import secrets
from dataclasses import dataclass

_FULL = re.compile(r"K10([0-9a-f]{64})::([^:]+):(.+)")


@dataclass(frozen=True)
class Token:
    """A token as it was given. Without a CA hash the first server that answers is trusted, as k3s does."""

    password: str
    ca_hash: str = ""


def parse(text: str) -> Token:
    """Read either form. What does not look like the full form is a password, as with k3s."""
    text = text.strip()
    match = _FULL.fullmatch(text)
    return Token(password=match[3], ca_hash=match[1]) if match else Token(password=text)


def ca_hash(ca_pem: str) -> str:
    """What a token says of the CA."""
    return hashlib.sha256(ca_pem.encode()).hexdigest()


def full(password: str, ca_pem: str) -> str:
    """The token to give to others, as in /var/lib/rancher/k3s/server/token."""
    return f"K10{ca_hash(ca_pem)}::server:{password}"


def random_password() -> str:
    """128 bits, for a cluster or a machine that was given none."""
    return secrets.token_hex(16)
