"""The agent's memory of its servers."""

import json

import pytest

from deployments.lab.k3s.servers import ServerList, addresses_of

URL = "https://10.99.0.100:10443"
VIP, ONE, TWO = "10.99.0.100:10443", "10.99.0.11:10443", "10.99.0.12:10443"


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "etc/k3s-agent-load-balancer.json"


def test_a_restarted_agent_knows_the_servers_that_the_cluster_named(cache):
    ServerList(URL, cache).update([ONE, TWO])
    assert ServerList(URL, cache).candidates() == [ONE, TWO, VIP]
    assert json.loads(cache.read_text()) == {"ServerURL": URL, "ServerAddresses": [ONE, TWO]}


def test_another_k3s_url_drops_the_memory(cache):
    ServerList(URL, cache).update([ONE, TWO])
    assert ServerList("https://other", cache).candidates() == ["other:443"]


def test_the_server_that_answered_is_tried_first(cache):
    servers = ServerList(URL, cache)
    servers.update([ONE, TWO])
    servers.prefer(TWO)
    assert servers.candidates() == [TWO, ONE, VIP]


def test_a_server_that_left_is_named_and_no_longer_tried(cache):
    servers = ServerList(URL, cache)
    servers.update([ONE, TWO])
    servers.prefer(ONE)
    assert servers.update([TWO]) == {ONE}
    assert servers.candidates() == [TWO, VIP]


def test_a_cluster_that_names_nobody_is_not_believed(cache):
    servers = ServerList(URL, cache)
    servers.update([ONE])
    assert servers.update([]) == set()
    assert servers.candidates() == [ONE, VIP]


def test_a_damaged_cache_is_no_cache(cache):
    cache.parent.mkdir()
    cache.write_text("{half")
    assert ServerList(URL, cache).candidates() == [VIP]


def test_addresses_of_endpoints():
    subset = {"addresses": [{"ip": "10.99.0.12"}, {"ip": "10.99.0.11"}], "ports": [{"name": "https", "port": 10443}]}
    assert addresses_of({"subsets": [subset]}) == [ONE, TWO]
    assert addresses_of({"kind": "Status"}) == []
