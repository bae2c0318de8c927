"""Flags and variables as an operator gives them."""

import pytest

from deployments.lab.k3s import flags, options
from deployments.lab.k3s.control_plane import subject_alternative_names
from deployments.lab.k3s.errors import StartError

RUNBOOK = [
    *("--node-name", "phys-1", "--docker", "--https-listen-port", "10443", "--tls-san", "10.99.0.100"),
    *("--disable", "servicelb", "--disable", "traefik", "--disable", "local-storage"),
    *("--kube-apiserver-arg", "service-node-port-range=1-65535"),
]


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch):
    for name in ("K3S_URL", "K3S_TOKEN", "K3S_DATASTORE_ENDPOINT", "K3S_NODE_NAME", "K3S_KUBECONFIG_MODE"):
        monkeypatch.delenv(name, raising=False)


def test_the_runbooks_server(monkeypatch):
    monkeypatch.setenv("K3S_DATASTORE_ENDPOINT", "http://10.99.0.21:2379,http://10.99.0.22:2379")
    monkeypatch.setenv("K3S_URL", "")
    asked = options.parse_server(RUNBOOK)
    assert asked.node.node_name == "phys-1"
    assert asked.port == 10443
    assert asked.datastore_endpoints == ["http://10.99.0.21:2379", "http://10.99.0.22:2379"]
    assert asked.tls_sans == ["10.99.0.100"]
    assert asked.kubeconfig_mode == 0o600


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([*RUNBOOK, "--no-such-flag"], "--no-such-flag"),
        (["--node-name", "phys-1"], "add --docker"),
        ([*RUNBOOK, "--datastore-endpoint", "etcd"], "no etcd URL"),
        ([*RUNBOOK, "--server", "https://10.99.0.11:10443"], "--datastore-endpoint"),
    ],
)
def test_a_server_that_can_not_be(arguments, complaint):
    with pytest.raises(StartError, match=complaint):
        options.parse_server(arguments)


@pytest.mark.parametrize(
    ("url", "token", "complaint"),
    [
        ("", "x", "K3S_URL"),
        ("http://10.99.0.100:10443", "x", "https://"),
        ("https://10.99.0.100:10443", "", "K3S_TOKEN"),
    ],
)
def test_an_agent_needs_a_server_and_a_token(monkeypatch, url, token, complaint):
    monkeypatch.setenv("K3S_URL", url)
    monkeypatch.setenv("K3S_TOKEN", token)
    with pytest.raises(StartError, match=complaint):
        options.parse_agent(["--docker"])


def test_the_operators_argument_wins_over_a_default():
    command = flags.command("kubelet", {"v": "0", "port": "1"}, ["v=2", "--new=a=b", "switch"])
    assert command[1:] == ["--new=a=b", "--port=1", "--switch=true", "--v=2"]


def test_the_certificate_names_every_way_to_call_the_server():
    names = subject_alternative_names("phys-1", "10.99.0.21", "10.43.0.0/16", ["10.99.0.100", "api.lab"])
    assert {"DNS:phys-1", "IP:10.99.0.21", "IP:127.0.0.1", "IP:10.43.0.1", "IP:10.99.0.100", "DNS:api.lab"} <= set(
        names
    )
    assert "DNS:kubernetes.default" in names
