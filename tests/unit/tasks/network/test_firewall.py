"""What a target's firewalld closes is found in one line to type, or opened and recorded; nothing else is opened or closed."""

from ipaddress import IPv4Address

import pytest

from blocks.errors import RefusedError, VerificationError
from configs.platform import Platform
from tasks.engine.finding import FindingsError
from tasks.engine.outcome import Change, Outcome
from tasks.network.firewall import check_firewall, ensure_firewall_open, opening
from tasks.network.firewalld import Opening, Peer, both, closed_to, closed_to_pods, commands, parse_sections, without
from tasks.network.needs import needs_of
from tests.fakes import machines
from tests.fakes.platform import CONFIG, platform
from tests.fakes.world import World

# As firewall-cmd 0.6.3 (CentOS 7) and 1.3.3 (Debian 12) list a zone: the latter has `forward`, and says which zone is the default one.
LISTED = """\
public (default, active)
  target: default
  icmp-block-inversion: no
  interfaces: eth0
  sources: 10.0.0.0/24
  services: kubelet ssh
  ports: 2379/tcp 30000-32767/tcp
  protocols: igmp
  forward: yes
  masquerade: no
  forward-ports: 
\tport=80:proto=tcp:toport=8080:toaddr=
  source-ports: 
  icmp-blocks: 
  rich rules: 
\trule protocol value="vrrp" accept
\trule family="ipv4" source address="10.0.0.0/28" port port="10443" protocol="tcp" accept
\trule family="ipv4" source NOT address="10.0.0.0/8" port port="8472" protocol="udp" accept
\trule family="ipv4" source address="10.0.0.9" drop

trusted
  target: ACCEPT
  interfaces: 
  sources: 10.42.0.0/15
  services: 
  ports: 
  protocols: 
  rich rules: 
"""  # noqa: W291
KUBELET = parse_sections("kubelet\n  ports: 10250/tcp\n  protocols: \n")
PORTS = ((2379, 2380, "tcp"), (8472, 8472, "udp"), (10250, 10250, "tcp"), (10443, 10443, "tcp"))


def check(world: World, name: str = "phys-1") -> Outcome:
    target = next(target for target in world.platform.targets if target.name == name)
    return check_firewall.fn(world.run(), world.hosts[name], world.platform, target, world.kube, world.access)


def open_it(world: World, **how: bool) -> Outcome:
    host, target = world.hosts["phys-1"], world.platform.targets[0]
    return ensure_firewall_open.fn(world.run(**how), host, world.platform, target, world.kube, world.access, world.record)


def refused(world: World, name: str = "phys-1") -> str:
    with pytest.raises(FindingsError) as error:
        check(world, name)
    return str(error.value)


def closed(address: str, zone: str = "public") -> list[str]:
    peer = Peer(zone, IPv4Address(address), PORTS, ("vrrp",))
    return [one.value for one in closed_to(peer, parse_sections(LISTED), KUBELET)]


def test_a_zone_lets_through_its_ports_its_services_and_what_rich_rules_accept() -> None:
    assert closed("10.0.0.11") == ["2380/tcp", "8472/udp"]


def test_a_rich_rule_of_another_source_is_none_for_the_peer() -> None:
    assert closed("10.0.0.21") == ["2380/tcp", "8472/udp", "10443/tcp"]


def test_a_zone_whose_target_is_accept_closes_nothing() -> None:
    assert closed("10.0.0.21", "trusted") == []


def test_a_rule_that_accepts_a_source_accepts_all_that_comes_from_it() -> None:
    zones = parse_sections('public\n  target: default\n  rich rules: \n\trule family="ipv4" source address="10.0.0.0/24" accept\n')

    assert list(closed_to(Peer("public", IPv4Address("10.0.0.11"), PORTS), zones, {})) == []
    assert len(list(closed_to(Peer("public", IPv4Address("10.1.0.11"), PORTS), zones, {}))) == len(PORTS)


def test_pods_networks_are_let_through_by_a_larger_one_of_a_trusted_zone() -> None:
    zones = parse_sections(LISTED)

    assert list(closed_to_pods(["10.42.0.0/16", "10.43.0.0/16"], zones)) == []
    assert list(closed_to_pods(["10.44.0.0/16"], zones)) == [Opening("trusted", "source", "10.44.0.0/16")]


@pytest.mark.parametrize(
    ("opened", "left"),
    [
        ([], [(2379, 2380)]),
        (["2379/tcp"], [(2380, 2380)]),
        (["2379-2380/udp", "2370-2378/tcp"], [(2379, 2380)]),
        (["1-65535/tcp"], []),
        (["2379/tcp", "2380-2381/tcp"], []),
    ],
)
def test_only_what_is_closed_of_a_range_is_left_of_it(opened: list[str], left: list[tuple[int, int]]) -> None:
    assert [(first, last) for first, last, _ in without((2379, 2380, "tcp"), opened)] == left


def test_one_kind_of_change_is_made_at_a_time() -> None:
    openings = [Opening("public", "protocol", "vrrp"), Opening("public", "port", "2380/tcp"), Opening("public", "port", "10250/tcp")]

    assert commands(openings, "add", "--permanent") == [
        "firewall-cmd --permanent --zone=public --add-port=10250/tcp --add-port=2380/tcp",
        "firewall-cmd --permanent --zone=public --add-protocol=vrrp",
    ]


def test_a_machine_without_firewalld_is_left_as_it_is(world: World) -> None:
    assert check(world).why == "no firewalld runs"
    assert open_it(world).change is Change.UNCHANGED


@pytest.mark.parametrize(
    ("state", "said"),
    [("input-policy", "-P INPUT DROP"), ("nft", "\t\ttype filter hook input priority filter; policy drop;")],
)
def test_rules_that_drop_what_they_do_not_name_are_a_warning(world: World, state: str, said: str) -> None:
    world.hosts["phys-1"].tell(state, said)

    (finding,) = check(world).findings
    assert finding.id == "firewall-drops-input"
    assert "the platform needs 2379-2380/tcp, 8472/udp, 10250/tcp, 10443/tcp, protocol vrrp, 10.42.0.0/16" in finding.what


def test_what_is_closed_is_refused_with_one_line_that_opens_it(world: World) -> None:
    machines.run_firewalld(world.hosts["phys-1"], "public ports 2379-2380/tcp", "public services kubelet", "trusted sources 10.42.0.0/15")

    line = 'for p in "" --permanent; do firewall-cmd $p --zone=public --add-port=10443/tcp --add-port=8472/udp; '
    text = refused(world)
    assert text.startswith("phys-1: its firewalld closes what the platform needs: zone public: 10443/tcp, 8472/udp, protocol vrrp: ")
    assert f"{line}firewall-cmd $p --zone=public --add-protocol=vrrp; done [firewall-closed]" in text

    world.hosts["phys-1"].run(text[text.index(line) : text.index(" [")], what="the operator types it")
    assert check(world).findings == ()


def test_what_the_next_start_closes_is_refused_too(world: World) -> None:
    machines.run_firewalld(world.hosts["phys-1"])
    open_it(world)
    now = world.hosts["phys-1"].state("firewall-runtime")
    machines.run_firewalld(world.hosts["phys-1"])
    world.hosts["phys-1"].tell("firewall-runtime", now)

    assert "closes what the platform needs, from its next start on: zone public: 10250/tcp" in refused(world)


def test_an_agent_needs_no_api_and_a_target_without_the_vip_no_adverts(world: World) -> None:
    world.platform = platform(targets=[*CONFIG["targets"][:2], {**CONFIG["targets"][2], "etcd": False}])
    machines.run_firewalld(world.hosts["phys-3"])

    assert "needs: zone public: 10250/tcp, 8472/udp; zone trusted: " in refused(world, "phys-3")


def test_a_peer_belongs_to_the_zone_that_has_its_source(world: World) -> None:
    machines.run_firewalld(world.hosts["phys-1"], "internal sources 10.0.0.11", "internal ports 1-65535/tcp", "internal ports 8472/udp")

    text = refused(world)
    assert "zone internal: protocol vrrp; zone public: 10250/tcp" in text


def test_an_interface_in_no_zone_belongs_to_the_default_one(world: World) -> None:
    host = world.hosts["phys-1"]
    machines.run_firewalld(host)
    host.tell("firewall-runtime", "public services ssh")
    host.tell("firewall-default", "work")

    assert "zone work: 10250/tcp" in refused(world)


def test_a_firewalld_that_does_not_answer_is_refused(world: World) -> None:
    host = world.hosts["phys-1"]
    host.unit("firewalld")
    host.tell("lacks", "firewall-cmd")

    assert "[firewall-unread]" in refused(world)
    with pytest.raises(RefusedError, match="firewall-unread"):
        open_it(world)


def test_exactly_what_was_closed_is_opened_and_the_undo_closes_only_that(world: World) -> None:
    host = world.hosts["phys-1"]
    machines.run_firewalld(host, "public ports 2379/tcp", permanent=("public protocols vrrp",))
    before = [sorted(host.state(f"firewall-{kind}").splitlines()) for kind in ("runtime", "permanent")]

    outcome = open_it(world)

    (finding,) = outcome.findings
    assert outcome.change is Change.CHANGED
    assert check(world).findings == ()
    assert "public ports 2380/tcp" in host.state("firewall-runtime")
    assert "reload" not in host.state("did")
    undo = world.record.read("firewall/phys-1")
    assert undo is not None
    assert finding.remedy.endswith("; ".join(undo["undo"]))
    host.run("\n".join(undo["undo"]), what="the operator undoes it")
    assert [sorted(host.state(f"firewall-{kind}").splitlines()) for kind in ("runtime", "permanent")] == before


def test_what_a_killed_run_has_opened_is_still_undone(world: World) -> None:
    host = world.hosts["phys-1"]
    machines.run_firewalld(host)
    open_it(world)
    host.run("firewall-cmd --zone=public --remove-port=8472/udp", what="somebody closes one again")

    (finding,) = open_it(world).findings

    assert "firewall-cmd --zone=public --remove-port=10250/tcp --remove-port=10443/tcp" in finding.remedy
    assert finding.remedy.endswith("firewall-cmd --zone=public --remove-port=8472/udp")


def test_what_firewalld_does_not_take_is_an_error(world: World) -> None:
    machines.run_firewalld(world.hosts["phys-1"])
    world.hosts["phys-1"].tell("firewall-fixed", "")

    with pytest.raises(VerificationError, match=r"yet closed is still zone public: 10250/tcp.*firewall-not-opened"):
        open_it(world)


def test_with_open_the_preflight_only_notes_it_and_says_whose_ports_are_tried_later(world: World) -> None:
    world.platform = platform(firewall="open")
    machines.run_firewalld(world.hosts["phys-1"])

    assert [finding.id for finding in check(world).findings] == ["firewall-opens"]
    assert opening(world.platform, world.hosts, world.kube, world.access) == {"phys-1"}
    assert opening(platform(), world.hosts, world.kube, world.access) == frozenset()


def needed(world: World, at: int = 0, *args: str, **changes: object) -> str:
    of = platform(**changes) if changes else world.platform
    return str(needs_of(of, of.targets[at], args, world.kube))


def of_lake() -> Platform:
    return platform(backup={**CONFIG["backup"], "lake": {"move": True}})


def test_networks_and_flannels_port_are_those_of_the_flags(world: World) -> None:
    flags = ("--cluster-cidr=113.122.0.0/16", "--flannel-backend=host-gw")

    assert needed(world, 0, *flags) == "2379-2380/tcp, 10250/tcp, 10443/tcp, protocol vrrp, 113.122.0.0/16, 10.43.0.0/16"


def test_bricks_need_their_ports(world: World) -> None:
    assert "24007/tcp, 49152-60999/tcp" in str(needs_of(of_lake(), of_lake().targets[0], (), world.kube))


def test_node_ports_are_needed_where_ipvs_serves_them(world: World) -> None:
    ports = [{"port": 80, "nodePort": 30080}, {"port": 53, "nodePort": 30053, "protocol": "UDP"}]
    world.kube.put("Service", "shop", "web", spec={"ports": ports})

    assert "30080" not in needed(world)
    assert "30053/udp, 30080/tcp" in needed(world, 0, "--kube-proxy-arg=proxy-mode=ipvs")
    assert "30080" not in needed(world, 2, "--kube-proxy-arg=proxy-mode=ipvs")
    agents = {**CONFIG["k3s"], "agent_args": ["--docker", "--kube-proxy-arg=proxy-mode=ipvs"]}
    assert "30080/tcp" in needed(world, 2, k3s=agents)


def test_the_line_for_a_person_changes_both_configurations() -> None:
    assert both([Opening("public", "port", "2380/tcp")], "add") == (
        'for p in "" --permanent; do firewall-cmd $p --zone=public --add-port=2380/tcp; done'
    )
