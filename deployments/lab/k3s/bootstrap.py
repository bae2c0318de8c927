"""What all servers of one cluster share, and how they find it: encrypted with the token, in the datastore."""

import hashlib
import json
from dataclasses import asdict, dataclass

from . import certificates, journal, plays, tokens
from .datastore import Datastore
from .errors import StartError

PREFIX = "/bootstrap/"


@dataclass(frozen=True)
class Identity:
    """The secrets that make several servers one cluster."""

    password: str
    ca_cert: str
    ca_key: str
    service_key: str

    @property
    def token(self) -> str:
        return tokens.full(self.password, self.ca_cert)


def key_for(secret: str) -> str:
    """Where the data of that token or password lies: another one looks elsewhere."""
    return PREFIX + hashlib.sha256(secret.encode()).hexdigest()[:12]


def agree(datastore: Datastore, given: str, version: str = plays.VERSION) -> Identity:
    """Make this server hold an identity: the one that its token finds in the datastore, or a new one (see plays.py)."""
    if plays.takes_token_as_given(version):
        return _agree_as_given(datastore, given)
    return _agree_on_password(datastore, tokens.parse(given).password)


def _agree_as_given(datastore: Datastore, given: str) -> Identity:
    """No look at what else lies there: with another text a server becomes a second cluster in the same datastore."""
    key = key_for(given)
    found = datastore.read_prefix(key)
    if not found:
        identity = _new_identity(tokens.parse(given).password or tokens.random_password())
        if datastore.create_first(key, key, _locked(identity, given)):
            journal.info("Bootstrap data saved in the datastore")
            return identity
        journal.info("Another server was first with its bootstrap data")
        found = datastore.read_prefix(key)
    return _unlocked(found[key], given)


def _agree_on_password(datastore: Datastore, password: str) -> Identity:
    """An empty password is good for the first server only, which then makes one."""
    found = datastore.read_prefix(PREFIX)
    if not found:
        identity = _new_identity(password or tokens.random_password())
        key = key_for(identity.password)
        if datastore.create_first(PREFIX, key, _locked(identity, identity.password)):
            journal.info("Bootstrap data saved in the datastore: this is the first server")
            return identity
        journal.info("Another server was first with its bootstrap data")
        found = datastore.read_prefix(PREFIX)
    data = found.get(key_for(password)) if password else None
    if data is None:
        raise StartError("bootstrap data already found and encrypted with different token")
    return _unlocked(data, password)


def _locked(identity: Identity, secret: str) -> bytes:
    return certificates.encrypt(json.dumps(asdict(identity)), _passphrase(secret)).encode()


def _unlocked(data: bytes, secret: str) -> Identity:
    journal.info("Bootstrap data found in the datastore")
    return Identity(**json.loads(certificates.decrypt(data.decode(), _passphrase(secret))))


def _passphrase(secret: str) -> str:
    return f"k3s {secret}"  # openssl takes no empty one, k3s does


def _new_identity(password: str) -> Identity:
    ca_cert, ca_key = certificates.make_ca("k3s-server-ca")
    return Identity(password, ca_cert, ca_key, certificates.make_signing_key())
