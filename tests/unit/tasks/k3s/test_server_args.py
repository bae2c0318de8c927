"""New servers are started as the running ones were, or at least agree where all servers must."""

from dataclasses import replace

import pytest

from blocks.errors import RefusedError
from blocks.ports import Node
from tasks.engine.finding import FindingsError
from tasks.engine.outcome import Outcome
from tasks.k3s.identity import ClusterAccess, find_cluster_access
from tasks.k3s.rogue import check_datastore
from tasks.k3s.server_args import check_flags, server_args
from tests.fakes.platform import CONFIG, platform
from tests.fakes.world import World

PORT = "--https-listen-port=10443"
TAKEN_OVER = {"images": ["image/app.tar"]}


def ask(world: World) -> Outcome:
    return check_flags.fn(world.run(), world.platform, world.kube, world.hosts, access(world))


def access(world: World) -> ClusterAccess:
    return find_cluster_access(world.platform.machines, world.hosts, None)


def ids(world: World) -> list[str]:
    return [finding.id for finding in ask(world).findings]


def refused(world: World) -> list[str]:
    with pytest.raises(FindingsError) as error:
        ask(world)
    return str(error.value).splitlines()


def runs(world: World, *words: str, name: str = "vm-1") -> None:
    """This server was started with these words."""
    node = world.kube.node_map[name]
    world.kube.node_map[name] = replace(node, args=("server", *words))


def gives(*words: str) -> dict[str, object]:
    return {**CONFIG["k3s"], "server_args": list(words)}


def test_servers_that_agree_have_no_findings(world: World) -> None:
    assert (ask(world).why, ask(world).findings) == ("those of vm-1, vm-2", ())


@pytest.mark.parametrize(
    "flag",
    [
        "--cluster-cidr=10.50.0.0/16",
        "--cluster-domain=lan",
        "--disable=traefik",
        "--disable-network-policy",
        "--flannel-backend=host-gw",
        "--flannel-external-ip",
        "--no-flannel",
        "--secrets-encryption",
        "--service-cidr=10.51.0.0/16",
    ],
)
def test_a_running_server_with_another_network_or_other_components_is_refused(world: World, flag: str) -> None:
    runs(world, PORT, "--docker", flag)

    (line,) = refused(world)
    assert line.startswith("vm-1: all servers of a cluster must have these alike, and compared with what new ones get it has --")
    assert line.endswith("[k3s-critical-flag-differs]")


def test_new_servers_with_a_network_that_no_running_one_has_are_refused(world: World) -> None:
    world.platform = platform(k3s=gives(PORT, "--docker", "--cluster-cidr=10.50.0.0/16"))

    assert [line.partition(":")[0] for line in refused(world)] == ["vm-1", "vm-2"]


def test_servers_that_differ_among_themselves_are_refused(world: World) -> None:
    world.platform = platform(k3s=TAKEN_OVER)
    runs(world, PORT, "--docker", "--disable=traefik", name="vm-2")

    (line,) = refused(world)
    assert line.startswith("vm-2: ")


@pytest.mark.parametrize(
    "words",
    [
        ["--cluster-cidr=10.42.0.0/16", "--service-cidr", "10.43.0.0/16", "--cluster-dns=10.43.0.10"],
        ["--flannel-backend=vxlan", "--cluster-domain=cluster.local", "--secrets-encryption=false"],
    ],
)
def test_what_k3s_does_anyway_is_no_difference(world: World, words: list[str]) -> None:
    runs(world, PORT, "--docker", *words)

    assert ids(world) == []


def test_the_dns_that_belongs_to_the_services_is_no_difference(world: World) -> None:
    world.platform = platform(k3s=gives(PORT, "--docker", "--service-cidr=10.51.0.0/16"))
    for name in ("vm-1", "vm-2"):
        runs(world, PORT, "--docker", "--service-cidr=10.51.0.0/16", "--cluster-dns=10.51.0.10", name=name)

    assert ids(world) == []


def test_old_names_of_flags_are_no_difference(world: World) -> None:
    world.platform = platform(k3s=gives(PORT, "--docker", "--disable=traefik", "--disable=servicelb", "--flannel-backend=none"))
    for name in ("vm-1", "vm-2"):
        runs(world, PORT, "--docker", "--no-deploy", "traefik,servicelb", "--no-flannel", name=name)

    assert ids(world) == []


def test_other_flags_that_differ_are_a_warning(world: World) -> None:
    runs(world, PORT, "--docker", "--kube-apiserver-arg=service-node-port-range=1-65535")

    (finding,) = ask(world).findings
    assert (finding.id, finding.where) == ("k3s-flags-differ", "vm-1")
    assert "it has --kube-apiserver-arg=service-node-port-range=1-65535" in finding.what


def test_no_value_that_may_be_secret_is_in_a_finding(world: World) -> None:
    runs(world, PORT, "--docker", "--vpn-auth=name=tailscale,joinKey=h0t", "--cluster-secret", "h0t")

    assert "h0t" not in " ".join(map(str, ask(world).findings))


@pytest.mark.parametrize("flag", ["--flannel-iface=eth1", "--advertise-address=10.0.0.11", "--node-external-ip=1.2.3.4"])
def test_a_flag_of_one_machine_is_not_taken_over_and_reported(world: World, flag: str) -> None:
    world.platform = platform(k3s=TAKEN_OVER)
    runs(world, PORT, "--docker", flag)

    (finding,) = ask(world).findings
    assert (finding.id, finding.where) == ("k3s-flag-of-one-machine", "vm-1")
    assert server_args(world.platform, world.kube.nodes(), access(world)) == (PORT, "--docker")


def test_a_flag_of_one_machine_that_every_target_has_is_settled(world: World) -> None:
    targets = [{**target, "args": ["--flannel-iface=eno1"]} for target in CONFIG["targets"]]
    world.platform = platform(targets=targets)
    runs(world, PORT, "--docker", "--flannel-iface=eth1")

    assert ids(world) == []


def test_a_servers_flags_are_read_from_its_machine_where_the_api_does_not_show_them(world: World) -> None:
    world.kube.node_map["vm-1"] = replace(world.kube.node_map["vm-1"], args=())
    world.hosts["vm-1"].write("/etc/systemd/system/k3s.service", f"ExecStart=/usr/local/bin/k3s server {PORT} --docker\n")
    world.hosts["vm-1"].write("/etc/rancher/k3s/config.yaml", "cluster-cidr: 10.50.0.0/16\n")

    (line,) = refused(world)
    assert "it has --cluster-cidr=10.50.0.0/16" in line


CONFIG_YAML = "/etc/rancher/k3s/config.yaml"


def test_flags_of_config_yaml_which_the_api_does_not_show_are_taken_over(world: World) -> None:
    world.platform = platform(k3s=TAKEN_OVER)
    for name in ("vm-1", "vm-2"):
        world.hosts[name].write(CONFIG_YAML, "disable: [traefik, servicelb]\ntls-san: 10.0.0.100\ntoken: h0t\n")
        runs(world, PORT, "--docker", name=name)

    common = ("--disable=traefik", "--disable=servicelb", "--tls-san=10.0.0.100", PORT, "--docker")
    assert server_args(world.platform, world.kube.nodes(), access(world)) == common
    assert ids(world) == []


ENV, DROP_IN = "/etc/systemd/system/k3s.service.env", "/etc/systemd/system/k3s.service.d/own.conf"


@pytest.mark.parametrize(
    ("file", "content", "flag"),
    [
        (ENV, "K3S_KUBECONFIG_MODE=644\n", "--write-kubeconfig-mode=644"),
        (DROP_IN, '[Service]\nEnvironment=GOGC=50 "K3S_SELINUX=1" X=y\n', "--selinux=true"),
        (DROP_IN, "[Service]\nEnvironment=K3S_RESOLV_CONF=/etc/resolv.k3s\n", "--resolv-conf=/etc/resolv.k3s"),
    ],
    ids=["file", "drop-in", "a path"],
)
def test_flags_that_a_server_has_by_a_variable_are_taken_over(world: World, file: str, content: str, flag: str) -> None:
    world.platform = platform(k3s=TAKEN_OVER)
    for name in ("vm-1", "vm-2"):
        world.hosts[name].write(file, content)

    assert server_args(world.platform, world.kube.nodes(), access(world)) == (flag, PORT, "--docker")
    assert [one for one in ids(world) if one != "k3s-unit-not-carried"] == []


def test_a_variable_of_one_server_only_is_a_difference_and_variables_of_the_join_are_none(world: World) -> None:
    world.platform = platform(k3s=TAKEN_OVER)
    world.hosts["vm-2"].write(ENV, "K3S_SELINUX=true\nK3S_TOKEN=h0t\nK3S_NODE_NAME=vm-2\nK3S_URL=\nMY_K3S_DEBUG=true\n")

    (finding,) = ask(world).findings
    assert (finding.id, finding.where) == ("k3s-flags-differ", "vm-2")
    assert finding.what.endswith("it has --selinux")


def test_what_a_servers_unit_sets_besides_is_named_without_a_value(world: World) -> None:
    world.hosts["vm-1"].write(ENV, "K3S_TOKEN='t0psecret'\nHTTP_PROXY=http://p:1\nCONTAINERD_LOG_LEVEL=h0t\n")
    world.hosts["vm-1"].write(DROP_IN, "[Unit]\nAfter=x\n[Service]\nEnvironment=K3S_DEBUG=1 GOGC=50\nLimitNOFILE=h0t\n")

    (finding,) = [one for one in ask(world).findings if one.id == "k3s-unit-not-carried"]
    assert (finding.where, finding.what) == (
        "vm-1", "its unit k3s sets GOGC, CONTAINERD_LOG_LEVEL, After, LimitNOFILE, which new nodes don't get"
    )  # fmt: skip


def test_flags_that_the_api_shows_besides_are_not_given_twice(world: World) -> None:
    world.platform = platform(k3s=TAKEN_OVER)
    world.hosts["vm-1"].write(CONFIG_YAML, "disable: traefik\n")
    runs(world, "--disable", "traefik", PORT, "--docker")

    assert server_args(world.platform, world.kube.nodes(), access(world)) == ("--disable=traefik", PORT, "--docker")


def test_what_only_one_servers_config_yaml_disables_is_refused(world: World) -> None:
    world.platform = platform(k3s=TAKEN_OVER)
    world.hosts["vm-2"].write(CONFIG_YAML, "disable: traefik\n")

    (line,) = refused(world)
    assert line.startswith("vm-2: ")
    assert "it has --disable=traefik" in line


def test_a_value_of_config_yaml_that_is_several_words_cannot_be_taken_over(world: World) -> None:
    world.platform = platform(k3s=TAKEN_OVER)
    world.hosts["vm-1"].write(CONFIG_YAML, 'kube-apiserver-arg: "audit-log-format=a b"\n')

    (line,) = refused(world)
    assert "vm-1 does not show the value of its --kube-apiserver-arg: write k3s.server_args" in line


def test_a_server_whose_machine_does_not_answer_is_judged_by_what_the_api_shows(world: World) -> None:
    world.hosts["vm-1"].down = True

    assert ids(world) == []


def test_after_the_sources_have_left_the_targets_flags_are_taken_over_without_their_own(world: World) -> None:
    world.has_left()
    targets = [{**target, "args": ["--flannel-iface=eno1"]} for target in CONFIG["targets"]]
    world.platform = platform(k3s=TAKEN_OVER, targets=targets)
    runs(world, PORT, "--docker", "--flannel-iface=eno1", "--node-name=phys-1", "--node-ip=10.0.0.21", name="phys-1")

    assert server_args(world.platform, world.kube.nodes(), access(world)) == (PORT, "--docker")


def test_flags_that_neither_config_nor_servers_say_are_refused(world: World) -> None:
    world.platform = platform(k3s=TAKEN_OVER)
    for name, node in world.kube.node_map.items():
        world.kube.node_map[name] = replace(node, args=())

    (line,) = refused(world)
    assert line == (
        "cluster: no running server says what it was started with (annotation k3s.io/node-args): write k3s.server_args "
        "[k3s-flags-unknown]"
    )


def test_a_secret_flag_cannot_be_taken_over(world: World) -> None:
    world.platform = platform(k3s=TAKEN_OVER)
    runs(world, PORT, "--vpn-auth", "********")

    with pytest.raises(RefusedError, match=r"vm-1 does not show the value of its --vpn-auth: write k3s.server_args"):
        server_args(world.platform, world.kube.nodes(), access(world))


def test_a_port_that_is_not_the_configs_is_refused(world: World) -> None:
    world.platform = platform(k3s={**TAKEN_OVER, "api_port": 6443})

    (line,) = refused(world)
    assert line.startswith("cluster: k3s.api_port is 6443, new servers would listen on 10443")


def test_an_etcd_that_does_not_hold_the_clusters_nodes_is_another_ones(world: World) -> None:
    world.keys.registry = lambda: ["vm-1"]

    with pytest.raises(FindingsError, match=r"the etcd of the config does not hold its nodes vm-2: .*\[k3s-datastore-foreign\]"):
        check_datastore.fn(world.run(), world.platform, world.kube, world.keys)


def test_a_node_that_joins_meanwhile_is_no_other_clusters(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    names = world.keys.names

    def and_a_node_joins(prefix: str) -> list[str]:
        found = names(prefix)
        world.kube.joins("phys-3", "10.0.0.23", server=False)
        return found

    monkeypatch.setattr(world.keys, "names", and_a_node_joins)

    assert check_datastore.fn(world.run(), world.platform, world.kube, world.keys).findings == ()


def test_a_node_that_goes_meanwhile_is_no_other_clusters(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = world.kube.nodes

    def and_a_node_goes() -> list[Node]:
        found = nodes()
        world.kube.node_map.pop("vm-2", None)
        return found

    monkeypatch.setattr(world.kube, "nodes", and_a_node_goes)

    assert check_datastore.fn(world.run(), world.platform, world.kube, world.keys).findings == ()


@pytest.mark.parametrize("words", [[PORT], [PORT, "--docker=false"], [PORT, "--container-runtime-endpoint=/run/containerd.sock"]])
def test_new_servers_that_would_run_pods_in_containerd_are_refused(world: World, words: list[str]) -> None:
    world.platform = platform(k3s=gives(*words))
    for name in ("vm-1", "vm-2"):
        runs(world, *words, name=name)

    assert refused(world) == [
        f"{name}: k3s would run its pods in its own containerd, and the bundle's images are loaded into docker: write --docker in "
        "k3s.server_args [k3s-without-docker]"
        for name in ("phys-1", "phys-2")
    ]


def test_it_is_seen_by_the_running_servers_flags_where_the_config_gives_none(world: World) -> None:
    world.platform = platform(k3s=TAKEN_OVER)
    for name in ("vm-1", "vm-2"):
        runs(world, PORT, name=name)

    assert [line.partition(":")[0] for line in refused(world)] == ["phys-1", "phys-2"]


def test_new_agents_that_would_run_pods_in_containerd_are_refused(world: World) -> None:
    world.platform = platform(k3s={**CONFIG["k3s"], "agent_args": ["--node-label=a=b"]})

    (line,) = refused(world)
    assert line.startswith("phys-3: k3s would run its pods in its own containerd")
    assert "write --docker in k3s.agent_args" in line


@pytest.mark.parametrize("flag", ["--docker", "--docker=true", "--container-runtime-endpoint=unix:///run/cri-dockerd.sock"])
def test_a_target_may_have_docker_by_a_flag_of_its_own(world: World, flag: str) -> None:
    targets = [*CONFIG["targets"][:2], {**CONFIG["targets"][2], "args": [flag]}]
    world.platform = platform(k3s={**CONFIG["k3s"], "agent_args": []}, targets=targets)

    assert ids(world) == []
