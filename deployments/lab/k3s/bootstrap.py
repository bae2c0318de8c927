"""What all servers of one cluster share, and how they find it: encrypted with the token, in the datastore."""

import hashlib
import json
from dataclasses import asdict, dataclass

from . import certificates, journal, tokens
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


def key_for(password: str) -> str:
    """Where the data of that password lies: another password looks elsewhere, and sees that something is there."""
    return PREFIX + hashlib.sha256(password.encode()).hexdigest()[:12]


def agree(datastore: Datastore, password: str) -> Identity:
    """Make this server hold the cluster's identity: the one that is there, or, in an empty datastore, a new one.

    An empty password is good for the first server only, which then makes one.
    """
    found = datastore.read_prefix(PREFIX)
    if found:
        return _unlock(found, password)
    identity = _new_identity(password or tokens.random_password())
    data = certificates.encrypt(json.dumps(asdict(identity)), identity.password)
    if datastore.create_first(PREFIX, key_for(identity.password), data.encode()):
        journal.info("Bootstrap data saved in the datastore: this is the first server")
        return identity
    journal.info("Another server was first with its bootstrap data")
    return _unlock(datastore.read_prefix(PREFIX), password)


def _unlock(found: dict[str, bytes], password: str) -> Identity:
    data = found.get(key_for(password)) if password else None
    if data is None:
        raise StartError("bootstrap data already found and encrypted with different token")
    journal.info("Bootstrap data found in the datastore")
    return Identity(**json.loads(certificates.decrypt(data.decode(), password)))


def _new_identity(password: str) -> Identity:
    ca_cert, ca_key = certificates.make_ca("k3s-server-ca")
    return Identity(password, ca_cert, ca_key, certificates.make_signing_key())
