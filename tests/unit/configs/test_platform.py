"""What is derived from a configuration."""

import pytest

from configs.hosts import Role
from tests.fakes.platform import CONFIG, platform


def members(count: int) -> list[dict[str, object]]:
    return [{"name": f"phys-{n}", "address": f"10.0.0.{20 + n}", "role": "server"} for n in range(1, count + 1)]


def test_servers_store_their_data_with_target_members_only() -> None:
    assert platform().datastore_endpoint == "http://10.0.0.21:2379,http://10.0.0.22:2379,http://10.0.0.23:2379"


def test_with_tls_they_store_it_by_https() -> None:
    tls = {"ca": "/p/ca", "cert": "/p/c", "key": "/p/k", "members": "~/m"}
    secure = platform(etcd={**CONFIG["etcd"], "tls": tls})

    assert secure.datastore_endpoint == "https://10.0.0.21:2379,https://10.0.0.22:2379,https://10.0.0.23:2379"
    assert secure.etcd.tls is not None
    assert secure.etcd.tls.members.is_absolute()


def test_agents_follow_the_vip_and_not_a_single_server() -> None:
    assert platform().join_url == "https://10.0.0.100:10443"


def test_roles_part_the_targets() -> None:
    found = platform()

    assert [target.name for target in found.servers] == ["phys-1", "phys-2"]
    assert [target.role for target in found.agents] == [Role.AGENT]


def test_the_first_targets_hold_the_vip() -> None:
    assert [target.name for target in platform().vip_holders] == ["phys-1", "phys-2"]


def test_every_secret_is_known_before_the_start() -> None:
    assert [str(secret) for secret in platform().secrets] == [
        "environment variable VRRP_PASSWORD",
        "environment variable DB_PASSWORD",
        "environment variable DB_ROOT_PASSWORD",
    ]


def test_deadlines_can_be_changed_one_by_one() -> None:
    found = platform(timeouts={"drain_s": 5}).timeouts

    assert (found.drain_s, found.command_s) == (5, 60)


def test_machines_are_named_as_their_nodes_are() -> None:
    named = {"name": "vm-1.example.com", "address": "10.0.0.11"}
    found = platform(sources=[named], backup={"chart": "/opt/c.tgz", "helm_host": "vm-1.example.com"}, keep_nodes=["gpu-1.lan"])

    assert (found.sources[0].name, found.keep_nodes) == ("vm-1.example.com", ("gpu-1.lan",))


@pytest.mark.parametrize(
    "flag",
    [
        "--kubelet-arg=eviction-hard=imagefs.available<5%,nodefs.available<5%",
        "--kube-apiserver-arg=service-node-port-range=1-65535",
        "--kubelet-arg=system-reserved=cpu=500m,memory=1Gi",
        "--kube-apiserver-arg=audit-log-format=a b",
        "--node-label=zone=a",
        "--x='$(id)' `id`; \\",
        "--tls-san=中文",
    ],
)
def test_every_flag_that_a_running_server_has_can_be_written(flag: str) -> None:
    found = platform(k3s={"images": ["a.tar"], "server_args": [flag], "agent_args": [flag]})

    assert (found.k3s.server_args, found.k3s.agent_args) == ((flag,), (flag,))


def test_the_flags_of_servers_may_be_left_to_the_running_ones() -> None:
    assert platform(k3s={"images": ["a.tar"]}).k3s.server_args is None


def test_a_target_has_flags_labels_and_taints_of_its_own() -> None:
    own = {
        "args": ["--flannel-iface=eno1"],
        "labels": {"zone": "a", "example.com/disk": "", "topology.kubernetes.io/zone": "b", "node.kubernetes.io/x": "y"},
        "taints": ["dedicated=db:NoSchedule", "example.com/gpu=:NoExecute"],
    }
    (target,) = platform(targets=[{**members(1)[0], **own}], keepalived={**CONFIG["keepalived"], "holders": 1}).targets

    assert (list(target.args), target.labels, list(target.taints)) == tuple(own.values())


def test_a_source_that_died_for_good_is_not_contacted() -> None:
    found = platform(sources=[CONFIG["sources"][0], {**CONFIG["sources"][1], "lost": True}])

    assert [source.name for source in found.lost] == ["vm-2"]
    assert [machine.name for machine in found.reachable] == ["vm-1", "phys-1", "phys-2", "phys-3"]
