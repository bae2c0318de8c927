"""How servers become one cluster, or two: every row was measured on the real versions."""

import pytest

from deployments.lab.k3s import bootstrap
from deployments.lab.k3s.errors import StartError

OLD, NEW = "1.20.8", "1.20.9"


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
            bootstrap.agree(self, rival, NEW)
        if self.read_prefix(prefix):
            return False
        self.keys[key] = value
        return True


@pytest.fixture
def datastore():
    return FakeDatastore()


@pytest.mark.parametrize("version", [OLD, NEW])
def test_a_second_server_with_the_first_ones_short_token_gets_the_same_identity(datastore, version):
    first = bootstrap.agree(datastore, "short", version)

    assert bootstrap.agree(datastore, "short", version) == first
    assert len(datastore.keys) == 1


def test_the_full_token_finds_the_short_ones_identity_from_1_20_9_on(datastore):
    first = bootstrap.agree(datastore, "short", NEW)

    assert bootstrap.agree(datastore, first.token, NEW) == first


@pytest.mark.parametrize(("first", "joining"), [("short", "full"), ("", "full"), ("short", "")])
def test_before_another_text_of_the_token_makes_a_second_cluster_in_the_same_datastore(datastore, first, joining):
    live = bootstrap.agree(datastore, first, OLD)

    rogue = bootstrap.agree(datastore, live.token if joining == "full" else joining, OLD)

    assert rogue.ca_cert != live.ca_cert
    assert len(datastore.keys) == 2


def test_before_no_token_is_a_token_too(datastore):
    first = bootstrap.agree(datastore, "", OLD)

    assert bootstrap.agree(datastore, "", OLD) == first
    assert list(datastore.keys) == ["/bootstrap/e3b0c44298fc"]


def test_without_a_token_the_first_server_of_1_20_9_makes_one_that_joins(datastore):
    first = bootstrap.agree(datastore, "", NEW)

    assert bootstrap.agree(datastore, first.token, NEW) == first


@pytest.mark.parametrize("password", ["", "wrong"])
def test_another_token_is_refused_from_1_20_9_on(datastore, password):
    bootstrap.agree(datastore, "right", NEW)
    with pytest.raises(StartError, match="encrypted with different token"):
        bootstrap.agree(datastore, password, NEW)


def test_a_password_may_hold_colons(datastore):
    first = bootstrap.agree(datastore, "a:b::c", NEW)

    assert bootstrap.agree(datastore, first.token, NEW) == first


def test_of_two_first_servers_the_slower_takes_the_faster_ones_identity(datastore):
    datastore.rival = "shared"
    late = bootstrap.agree(datastore, "shared", NEW)
    assert len(datastore.keys) == 1
    assert bootstrap.agree(datastore, "shared", NEW) == late


def test_of_two_first_servers_without_a_token_one_is_refused(datastore):
    datastore.rival = "somebody's"
    with pytest.raises(StartError, match="different token"):
        bootstrap.agree(datastore, "", NEW)


@pytest.mark.parametrize("version", [OLD, NEW])
def test_nothing_secret_lies_in_the_datastore(datastore, version):
    identity = bootstrap.agree(datastore, "a-password", version)
    stored = repr(datastore.keys)
    assert identity.password not in stored
    assert "PRIVATE KEY" not in stored
