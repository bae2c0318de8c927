"""How servers become one cluster: the first founds it, the others need its token."""

import pytest

from deployments.lab.k3s import bootstrap, tokens
from deployments.lab.k3s.errors import StartError


class FakeDatastore:
    """Remembers keys; `rival` puts its own just before the first write, as another first server would."""

    def __init__(self):
        self.keys = {}
        self.rival = None

    def read_prefix(self, prefix):
        return {key: value for key, value in self.keys.items() if key.startswith(prefix)}

    def create_first(self, prefix, key, value):
        if self.rival:
            rival, self.rival = self.rival, None
            bootstrap.agree(self, rival)
        if self.read_prefix(prefix):
            return False
        self.keys[key] = value
        return True


@pytest.fixture
def datastore():
    return FakeDatastore()


def test_a_second_server_with_the_first_ones_token_gets_the_same_identity(datastore):
    first = bootstrap.agree(datastore, "")
    assert bootstrap.agree(datastore, tokens.parse(first.token).password) == first


@pytest.mark.parametrize("password", ["", "wrong"])
def test_another_token_is_refused(datastore, password):
    bootstrap.agree(datastore, "right")
    with pytest.raises(StartError, match="encrypted with different token"):
        bootstrap.agree(datastore, password)


def test_of_two_first_servers_the_slower_takes_the_faster_ones_identity(datastore):
    datastore.rival = "shared"
    late = bootstrap.agree(datastore, "shared")
    assert len(datastore.keys) == 1
    assert bootstrap.agree(datastore, "shared") == late


def test_of_two_first_servers_without_a_token_one_is_refused(datastore):
    datastore.rival = "somebody's"
    with pytest.raises(StartError, match="different token"):
        bootstrap.agree(datastore, "")


def test_nothing_secret_lies_in_the_datastore(datastore):
    identity = bootstrap.agree(datastore, "a-password")
    stored = repr(datastore.keys)
    assert identity.password not in stored
    assert "PRIVATE KEY" not in stored
