"""Targets join by the vendor's installer, with a token that appears nowhere else."""

import pytest
from pydantic import SecretStr

from blocks.errors import CommandFailedError, DeadlineExceededError, HostUnreachableError
from blocks.kube_credentials import KubeCredentials
from configs.hosts import Role
from configs.platform import Platform
from tasks.engine.outcome import Change, Outcome
from tasks.k3s.identity import ClusterAccess
from tasks.k3s.join import command_line, ensure_node, environment
from tests.fakes import machines
from tests.fakes.platform import CONFIG, platform
from tests.fakes.world import World
from tests.unit.tasks.cases import staged

ENV = "/etc/systemd/system/k3s.service.env"
CREDENTIALS = KubeCredentials("a CA", "a certificate", SecretStr("a key"))


def join(world: World, name: str = "phys-1", *, dry: bool = False) -> Outcome:
    target = next(target for target in world.platform.targets if target.name == name)
    access = world.access
    return ensure_node.fn(world.run(dry=dry), world.hosts[name], world.platform, target, world.kube, world.keys, access)


def given(of: Platform, name: str, *, agent_token: str = "K10ca::server:t", **variables: str) -> dict[str, SecretStr | str]:
    """What the installer gets, with the config's flags, where a server has these variables."""
    target = next(target for target in of.targets if target.name == name)
    common = of.k3s.server_args or () if target.role is Role.SERVER else of.k3s.agent_args
    has = {name: SecretStr(value) for name, value in variables.items()}
    access = ClusterAccess("vm-1", CREDENTIALS, (), SecretStr(agent_token), variables=has)
    return environment(of, target, command_line(target, common), SecretStr("t"), access)


def with_target(**own: object) -> Platform:
    """The small platform, whose phys-1 has something of its own."""
    first, *others = CONFIG["targets"]
    return platform(targets=[{**first, **own}, *others])


def test_a_server_gets_the_flags_and_the_target_members() -> None:
    found = given(platform(), "phys-1")

    flags = "server --https-listen-port=10443 --docker --node-name=phys-1 --node-ip=10.0.0.21"
    assert found["INSTALL_K3S_EXEC"] == flags
    assert found["K3S_DATASTORE_ENDPOINT"] == "http://10.0.0.21:2379,http://10.0.0.22:2379,http://10.0.0.23:2379"
    assert found["K3S_URL"] == ""


def test_a_server_gets_the_certificates_that_were_staged_there_and_an_agent_none() -> None:
    tls = {"ca": "/p/ca", "cert": "/p/c", "key": "/p/k", "members": "/p/m"}
    secure = platform(etcd={**CONFIG["etcd"], "tls": tls})

    found = {name: value for name, value in given(secure, "phys-1").items() if name.startswith("K3S_DATASTORE")}
    assert found == {
        "K3S_DATASTORE_ENDPOINT": "https://10.0.0.21:2379,https://10.0.0.22:2379,https://10.0.0.23:2379",
        "K3S_DATASTORE_CAFILE": "/etc/ssl/etcd/ca.crt",
        "K3S_DATASTORE_CERTFILE": "/etc/ssl/etcd/client.crt",
        "K3S_DATASTORE_KEYFILE": "/etc/ssl/etcd/client.key",
    }
    assert not [name for name, value in given(secure, "phys-3").items() if "DATASTORE" in name and value]


def test_a_target_gets_its_own_flags_labels_and_taints_after_those_of_its_role() -> None:
    own = with_target(args=["--flannel-iface=eno1"], labels={"zone": "a"}, taints=["dedicated=db:NoSchedule"])

    flags = "--docker --flannel-iface=eno1 --node-label=zone=a --node-taint=dedicated=db:NoSchedule --node-name=phys-1"
    assert flags in str(given(own, "phys-1")["INSTALL_K3S_EXEC"])
    assert "--flannel-iface" not in str(given(own, "phys-2")["INSTALL_K3S_EXEC"])


@pytest.mark.parametrize(
    "flag",
    [
        "--kubelet-arg=eviction-hard=imagefs.available<5%,nodefs.available<5%",
        "--kube-apiserver-arg=audit-log-format=a  b",
        "--kubelet-arg=x='a' \"b\" [c] {d} ~ \\ `id` $(id) $HOME * ? # ! ; & | > é",
    ],
)
def test_every_flag_reaches_k3s_as_it_is_written(world: World, flag: str) -> None:
    world.platform = with_target(args=[flag])
    staged(world)

    join(world)

    assert flag in world.hosts["phys-1"].state("k3s-words").splitlines()


def test_servers_get_the_running_ones_flags_when_the_config_has_none(world: World) -> None:
    world.platform = platform(k3s={"images": ["image/app.tar"]})
    words = ("server", "--node-ip", "10.0.0.11", "--disable", "traefik,servicelb", "--https-listen-port=10443", "--docker")
    world.kube.joins("vm-1", "10.0.0.11", server=True, args=(*words, "--token", "********", "--node-label", "zone=a"))
    staged(world)

    join(world)

    expected = ["server", "--disable=traefik", "--disable=servicelb", "--https-listen-port=10443", "--docker"]
    assert world.hosts["phys-1"].state("k3s-words").splitlines() == [*expected, "--node-name=phys-1", "--node-ip=10.0.0.21"]


def test_where_agents_have_a_token_of_their_own_new_servers_accept_it() -> None:
    found = given(platform(), "phys-1", agent_token="K10" + "0" * 64 + "::node:s3cret")

    assert SecretStr("s3cret") == found["K3S_AGENT_TOKEN"]
    assert "K3S_AGENT_TOKEN" not in given(platform(), "phys-1")
    assert "K3S_AGENT_TOKEN" not in given(platform(), "phys-3", agent_token="K10" + "0" * 64 + "::node:s3cret")


MACHINES = "10.0.0.100,10.0.0.11,10.0.0.12,10.0.0.21,10.0.0.22,10.0.0.23"


@pytest.mark.parametrize("name", ["phys-1", "phys-3"])
@pytest.mark.parametrize(
    ("has", "gets"),
    [
        ({"HTTP_PROXY": "http://u:s3cret@p:1"}, {"HTTP_PROXY": "http://u:s3cret@p:1", "NO_PROXY": MACHINES}),
        (
            {"https_proxy": "http://p:1", "no_proxy": "localhost,10.0.0.11"},
            {"https_proxy": "http://p:1", "no_proxy": f"localhost,10.0.0.11,{MACHINES.replace(',10.0.0.11,', ',')}"},
        ),
        ({"NO_PROXY": "localhost"}, {"NO_PROXY": "localhost"}),
        ({"K3S_KUBECONFIG_MODE": "644", "CONTAINERD_LOG_LEVEL": "debug"}, {}),
    ],
    ids=["a proxy", "small letters", "no proxy", "others"],
)
def test_a_new_node_has_the_proxies_of_the_running_ones_and_calls_no_machine_through_them(
    name: str, has: dict[str, str], gets: dict[str, str]
) -> None:
    more = {key: value for key, value in given(platform(), name, **has).items() if key not in given(platform(), name)}

    assert {key: value.get_secret_value() for key, value in more.items() if isinstance(value, SecretStr)} == gets
    assert len(more) == len(gets)


def test_proxies_reach_the_new_unit_and_the_plan_shows_none(world: World) -> None:
    world.hosts["vm-1"].write("/etc/systemd/system/k3s.service.d/proxy.conf", '[Service]\nEnvironment="HTTPS_PROXY=http://u:h0t@p:1"\n')
    staged(world)

    plan = join(world, dry=True)
    join(world)

    assert plan.why.endswith(" --node-ip=10.0.0.21, with vm-1's HTTPS_PROXY, NO_PROXY")
    lines = world.hosts["phys-1"].read(ENV).splitlines()
    assert [line for line in lines if "PROXY" in line] == ["HTTPS_PROXY=http://u:h0t@p:1", f"NO_PROXY={MACHINES}"]


def test_a_flag_that_may_be_secret_is_not_part_of_a_plan(world: World) -> None:
    world.platform = with_target(args=["--vpn-auth=name=tailscale,joinKey=h0t"])
    staged(world)

    outcome = join(world, dry=True)

    assert outcome.why == (
        "joins as server: --https-listen-port=10443 --docker --vpn-auth=... --node-name=phys-1 --node-ip=10.0.0.21"
    )


def test_an_agent_gets_the_vip_and_no_datastore() -> None:
    found = given(platform(), "phys-3")

    assert found["INSTALL_K3S_EXEC"] == "agent --docker --node-name=phys-3 --node-ip=10.0.0.23"
    assert (found["K3S_URL"], found["K3S_DATASTORE_ENDPOINT"]) == ("https://10.0.0.100:10443", "")


@pytest.mark.parametrize(("name", "unit"), [("phys-1", "k3s"), ("phys-3", "k3s-agent")])
def test_a_target_becomes_a_ready_node(world: World, name: str, unit: str) -> None:
    staged(world)

    assert join(world, name).change is Change.CHANGED
    assert world.hosts[name].unit_state(unit) == ("active", "enabled")
    assert world.kube.node_map[name].ready


def test_an_old_units_drop_ins_do_not_apply_to_the_new_one(world: World) -> None:
    staged(world)
    host = world.hosts["phys-1"]
    old = "/etc/systemd/system/k3s.service.d/10-old.conf"
    host.write(old, "[Service]\nExecStart=\nExecStart=/usr/local/bin/k3s server --docker\n")

    (planned,), (found,) = join(world, dry=True).findings, join(world).findings

    assert (found.id, found) == ("k3s-drop-ins-aside", planned)
    assert not host.path(old).exists()
    assert host.path("/etc/systemd/system/k3s.service.d.aside-before-join/10-old.conf").exists()


def test_a_nodes_own_drop_ins_stay(world: World) -> None:
    staged(world)
    join(world)
    host = world.hosts["phys-1"]
    host.write("/etc/systemd/system/k3s.service.d/10-own.conf", "[Service]\nLimitNOFILE=infinity\n")
    host.unit("k3s", "failed", "enabled")

    assert join(world).findings == ()
    assert host.path("/etc/systemd/system/k3s.service.d/10-own.conf").exists()


def test_a_k3s_that_somebody_has_stopped_is_started(world: World) -> None:
    staged(world)
    join(world)
    world.hosts["phys-1"].unit("k3s", "inactive")

    assert join(world).change is Change.CHANGED
    assert world.hosts["phys-1"].unit_state("k3s") == ("active", "enabled")


def test_a_server_of_the_old_cluster_is_not_taken_for_joined(world: World) -> None:
    world.kube.joins("phys-1", "10.0.0.21", server=True)

    assert join(world, dry=True).change is Change.PLANNED


def test_a_server_whose_datastore_is_elsewhere_joins_again(world: World) -> None:
    world.has_nodes("phys-1")
    host = world.hosts["phys-1"]
    host.write(ENV, f"K3S_TOKEN='{machines.PASSWORD}'\nK3S_DATASTORE_ENDPOINT=http://10.0.0.11:2379\n")

    join(world)

    assert f"K3S_DATASTORE_ENDPOINT='{world.platform.datastore_endpoint}'" in host.read(ENV)


def test_a_node_at_another_address_is_not_the_targets(world: World) -> None:
    world.has_nodes("phys-1")
    world.kube.joins("phys-1", "10.0.0.99", server=False)

    assert join(world, dry=True).change is Change.PLANNED


def test_an_installers_failure_is_reported_in_its_words_without_the_token(world: World) -> None:
    staged(world)
    secret = machines.token(machines.LIVE_CA)
    host = world.hosts["phys-1"]
    host.tell("installer-fails", f"level=fatal: token {secret}, or {secret.rpartition(':')[2]}: encrypted with another")

    with pytest.raises(
        CommandFailedError, match=r"phys-1: k3s did not start: exit code 1: level=fatal: token .*"
    ) as failed:
        join(world)

    assert "t0psecret" not in str(failed.value)
    assert str(failed.value).endswith("encrypted with another: journalctl -u k3s there [k3s-not-started]")


def test_an_installer_whose_answer_got_lost_is_found_done_by_the_next_attempt(world: World) -> None:
    staged(world)
    world.hosts["phys-1"].fail("install-k3s.sh", HostUnreachableError("phys-1: SSH broke"), after=True)
    with pytest.raises(HostUnreachableError):
        join(world)

    assert join(world).change is Change.UNCHANGED


def test_a_server_that_does_not_answer_is_an_error(world: World) -> None:
    staged(world)
    world.hosts["phys-1"].changed = None

    with pytest.raises(
        DeadlineExceededError, match=r"phys-1 is a Ready node and its API server an endpoint.*\[k3s-not-joined\]"
    ):
        join(world)


def test_the_token_is_in_no_plan(world: World) -> None:
    assert "t0psecret" not in repr(join(world, dry=True))
