"""What the real v1.20.8 does besides, as it was measured: config files, node-args, the leader's lock, a default route."""

import json

import pytest

from deployments.lab.k3s import addresses, configfile, node_args
from deployments.lab.k3s.api import ApiError
from deployments.lab.k3s.errors import StartError
from deployments.lab.k3s.leader import ANNOTATION, FINALIZER, LEASE_S, Leader


def test_the_config_file_becomes_flags(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(
        "# ours\ndisable: [traefik, servicelb]\ntls-san: \"10.0.0.1\"\ndocker: true\nkubelet-arg:\n  - max-pods=200\n  - v=2\n"
    )

    assert configfile.flags(file) == [
        "--disable=traefik", "--disable=servicelb", "--tls-san=10.0.0.1", "--docker", "--kubelet-arg=max-pods=200", "--kubelet-arg=v=2",
    ]


def test_without_a_config_file_there_are_no_flags(tmp_path):
    assert configfile.flags(tmp_path / "config.yaml") == []


def test_node_args_leave_secrets_out():
    found = node_args.annotations(
        ["server", "--token=abc", "-t", "def", "--docker", "--tls-san", "x"], {"K3S_TOKEN": "ghi", "K3S_URL": "u", "HOME": "/"}
    )

    assert json.loads(found["k3s.io/node-args"]) == ["server", "--token", "********", "-t", "********", "--docker", "--tls-san", "x"]
    assert json.loads(found["k3s.io/node-env"]) == {"K3S_TOKEN": "********", "K3S_URL": "u"}


ROUTES = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"


def test_a_machine_without_a_default_route_is_refused(tmp_path):
    table = tmp_path / "route"
    table.write_text(ROUTES + "eth0 0000630A 00000000 0001 0 0 0 00FFFFFF 0 0 0\n")
    with pytest.raises(StartError, match="no default routes found"):
        addresses.require_default_route(table)

    table.write_text(ROUTES + "eth0 00000000 FE00630A 0003 0 0 0 00000000 0 0 0\n")
    addresses.require_default_route(table)


class FakeApi:
    def __init__(self):
        self.lock, self.nodes, self.patches = None, [], []

    def get(self, path):
        if path == "/api/v1/nodes":
            return {"items": self.nodes}
        if self.lock is None:
            raise ApiError(404, "not found")
        return self.lock

    def post(self, _path, body):
        self.lock = {"metadata": {**body["metadata"], "resourceVersion": "1"}}

    def patch(self, path, body):
        self.patches.append((path, body))
        if path.endswith("configmaps/k3s"):
            self.lock["metadata"]["annotations"] = body["metadata"]["annotations"]


def held_by(api):
    return json.loads(api.lock["metadata"]["annotations"][ANNOTATION])["holderIdentity"]


def test_the_first_server_leads_and_a_second_waits_until_the_lock_was_not_renewed_for_its_time():
    api = FakeApi()
    first, second = Leader(api, "vm-1"), Leader(api, "vm-2")

    assert first.leads(0)
    assert not second.leads(1)
    assert not second.leads(1 + LEASE_S - 1)
    assert second.leads(1 + LEASE_S)
    assert held_by(api) == "vm-2"


def test_the_leader_puts_the_finalizer_on_nodes_and_takes_it_off_deleted_ones():
    api = FakeApi()
    api.nodes = [
        {"metadata": {"name": "new"}},
        {"metadata": {"name": "fine", "finalizers": [FINALIZER]}},
        {"metadata": {"name": "going", "deletionTimestamp": "now", "finalizers": ["other", FINALIZER]}},
    ]

    Leader(api, "vm-1").tend_nodes()

    assert api.patches == [
        ("/api/v1/nodes/new", {"metadata": {"finalizers": [FINALIZER]}}),
        ("/api/v1/nodes/going", {"metadata": {"finalizers": ["other"]}}),
    ]
