"""Access to the live cluster is read from one of its own servers, and from no other machine."""

import pytest

from blocks.errors import HostError, RefusedError
from tasks.k3s.identity import ClusterAccess, find_cluster_access, key_of, parse_token, server_token
from tests.fakes import machines
from tests.fakes.world import World

LIVE, OLD = machines.sha256(machines.LIVE_CA), machines.sha256(machines.OLD_CA)


def look(world: World, ca: str | None = None, *, targets_first: bool = False) -> ClusterAccess:
    platform = world.platform
    candidates = (*platform.servers, *platform.sources) if targets_first else platform.sources
    return find_cluster_access(candidates, world.hosts, ca)


def test_the_first_source_says_which_cluster_is_live(world: World) -> None:
    found = look(world)

    assert found.credentials.ca_sha256 == LIVE
    assert found.agent_token.get_secret_value() == machines.token(machines.LIVE_CA)


def test_a_source_that_is_down_is_passed_over(world: World) -> None:
    world.hosts["vm-1"].down = True

    assert look(world).credentials.ca_sha256 == LIVE
    assert len(world.hosts["vm-2"].calls) == 1


def test_a_source_whose_k3s_has_been_stopped_is_passed_over(world: World) -> None:
    world.hosts["vm-1"].unit("k3s", "inactive", "disabled")

    look(world)

    assert len(world.hosts["vm-2"].calls) == 1


def test_an_old_platform_on_a_target_is_not_taken_for_the_live_one(world: World) -> None:
    assert look(world, LIVE, targets_first=True).credentials.ca_sha256 == LIVE


def test_a_target_that_has_joined_gives_access_without_any_source(world: World) -> None:
    world.has_nodes("phys-2")
    world.hosts["vm-1"].down = world.hosts["vm-2"].down = True

    assert look(world, LIVE, targets_first=True).credentials.ca_sha256 == LIVE


def test_a_login_that_is_not_root_is_refused_as_such(world: World) -> None:
    for host in ("vm-1", "vm-2"):
        world.hosts[host].tell("uid", "1000")

    with pytest.raises(RefusedError, match=r"vm-1: logged in as uid 1000: set ssh\.user to root; vm-2: "):
        look(world)


def test_without_access_every_machines_reason_is_reported(world: World) -> None:
    world.hosts["vm-1"].down = True
    world.hosts["vm-2"].unit("k3s", "failed")

    with pytest.raises(
        RefusedError, match=r"no server of the live cluster answers: vm-1: .*down; vm-2: k3s is failed"
    ) as no:
        look(world)
    assert str(no.value).endswith("k3s is failed [cluster-no-live-server]")
    assert str(no.value).count("[") == 1


def test_secrets_do_not_show_in_the_text_of_an_access(world: World) -> None:
    text = repr(look(world))

    assert "t0psecret" not in text
    assert "pr1vate" not in text


def test_a_token_of_another_cluster_is_refused_without_being_shown() -> None:
    with pytest.raises(HostError, match=r"vm-1: .* belong to different clusters: .*\[k3s-token-foreign\]") as refused:
        parse_token("vm-1", machines.token(machines.OLD_CA), LIVE)
    assert "t0psecret" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "t0psecret", f"K10{LIVE}::node:t0psecret", f"K10{LIVE[:-1]}::server:t0psecret"])
def test_a_malformed_token_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(HostError, match=r"does not hold a token of the form K10.*\[k3s-token-malformed\]") as refused:
        parse_token("vm-1", text, LIVE)
    assert "t0psecret" not in str(refused.value)


def offered(world: World) -> list[str]:
    return [token.get_secret_value() for token in look(world).tokens]


def chosen(world: World) -> str:
    return server_token(world.keys, look(world)).get_secret_value()


def begun_with(world: World, text: str) -> None:
    """The datastore's one identity is that of servers which were started with this text."""
    world.keys.delete("/bootstrap/")
    world.keys.put(key_of(text), "encrypted")


FULL = machines.token(machines.LIVE_CA)
ENV, UNIT = "/etc/systemd/system/k3s.service.env", "/etc/systemd/system/k3s.service"
CONFIG = "/etc/rancher/k3s/config.yaml"


def test_the_key_of_no_token_is_the_one_that_the_runbooks_servers_have() -> None:
    assert key_of("") == "/bootstrap/e3b0c44298fc"


@pytest.mark.parametrize("text", [machines.PASSWORD, FULL, ""], ids=["short", "full", "none"])
def test_the_text_that_the_datastore_was_begun_with_is_chosen(world: World, text: str) -> None:
    world.hosts["vm-1"].write(ENV, f"K3S_TOKEN='{text}'\n")
    begun_with(world, text)

    assert chosen(world) == text


def test_newer_servers_without_a_token_are_joined_by_the_password_that_they_made(world: World) -> None:
    world.hosts["vm-1"].write(ENV, "K3S_TOKEN=\n")
    begun_with(world, machines.PASSWORD)

    assert chosen(world) == machines.PASSWORD


@pytest.mark.parametrize(
    ("file", "content"),
    [
        (UNIT, "[Service]\nExecStart=/usr/local/bin/k3s \\\n    server \\\n\t'--token=g1ven' \\\n\t'--docker' \\\n\n"),
        (UNIT, "[Service]\nExecStart=/usr/local/bin/k3s server -t g1ven --docker\n"),
        (UNIT, "[Service]\nExecStart=/usr/local/bin/k3s server --token-file /etc/k3s.token\n"),
        (CONFIG, "docker: true\ntoken: \"g1ven\"\n"),
        (f"{CONFIG}.d/10-token.yaml", "token: g1ven\n"),
        (CONFIG, "token-file: /etc/k3s.token\n"),
    ],
    ids=["flag", "short flag", "file", "config.yaml", "config.yaml.d", "file in config.yaml"],
)
def test_a_token_is_found_however_it_was_given(world: World, file: str, content: str) -> None:
    world.hosts["vm-1"].write(ENV, "")
    world.hosts["vm-1"].write("/etc/k3s.token", "g1ven\n")
    world.hosts["vm-1"].write(file, content.replace("/etc/k3s.token", str(world.hosts["vm-1"].path("/etc/k3s.token"))))
    begun_with(world, "g1ven")

    assert chosen(world) == "g1ven"


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("/etc/systemd/system/k3s.service.d/token.conf", '[Service]\nEnvironment=GOGC=50 "K3S_TOKEN=g1ven"\n'),
        ("/etc/systemd/system/k3s.service.d/token.conf", "[Service]\nEnvironmentFile=-/etc/k3s.env\n"),
        (ENV, "K3S_CLUSTER_SECRET=g1ven\n"),
        (ENV, "K3S_TOKEN_FILE=/etc/k3s.token\n"),
        ("/etc/k3s.yaml", "token: g1ven\n"),
    ],
    ids=["drop-in", "file of a drop-in", "its old name", "file", "another config.yaml"],
)
def test_a_token_is_found_in_whatever_variable_it_was_given(world: World, file: str, content: str) -> None:
    host = world.hosts["vm-1"]
    host.write(ENV, f"K3S_CONFIG_FILE={host.path('/etc/k3s.yaml')}\n")
    host.write("/etc/k3s.token", "g1ven\n")
    host.write("/etc/k3s.env", "K3S_TOKEN='g1ven'\n")
    host.write(file, content.replace("/etc/k3s.token", str(host.path("/etc/k3s.token"))))
    begun_with(world, "g1ven")

    assert chosen(world) == "g1ven"


def test_a_server_whose_unit_has_another_name_gives_access(world: World) -> None:
    machines.call_k3s(world.hosts["vm-1"], "k3s-prod")
    world.hosts["vm-1"].write("/etc/systemd/system/k3s-prod.service.env", "K3S_TOKEN=g1ven\nK3S_KUBECONFIG_MODE=644\n")
    begun_with(world, "g1ven")

    found = look(world)

    assert (found.server, found.unit, found.other_flags) == ("vm-1", "k3s-prod", ("--write-kubeconfig-mode=644",))
    assert chosen(world) == "g1ven"


def test_of_two_servers_units_the_one_that_runs_counts(world: World) -> None:
    world.hosts["vm-1"].unit("k3s", "failed", "disabled")
    machines.run_k3s(world.hosts["vm-1"], unit="k3s-prod", ca=machines.LIVE_CA)

    assert look(world).unit == "k3s-prod"


def test_an_agent_of_whatever_name_gives_none(world: World) -> None:
    machines.call_k3s(world.hosts["vm-1"], "k3s-prod", command="agent")

    assert look(world).server == "vm-2"


def test_a_server_that_does_not_run_is_named_by_its_unit(world: World) -> None:
    machines.call_k3s(world.hosts["vm-1"], "k3s-prod")
    world.hosts["vm-1"].unit("k3s-prod", "failed")
    world.hosts["vm-2"].down = True

    with pytest.raises(RefusedError, match=r"vm-1: k3s-prod is failed; "):
        look(world)


def test_a_password_may_hold_colons(world: World) -> None:
    world.hosts["vm-1"].write(ENV, f"K3S_TOKEN='K10{LIVE}::server:a:b::c'\n")
    begun_with(world, "a:b::c")

    assert chosen(world) == "a:b::c"


def test_agents_get_the_agents_token_where_there_is_one(world: World) -> None:
    world.hosts["vm-1"].write("/var/lib/rancher/k3s/server/node-token", f"K10{LIVE}::node:4gent\n")

    assert look(world).agent_token.get_secret_value() == f"K10{LIVE}::node:4gent"


@pytest.mark.parametrize(
    ("file", "content"),
    [
        (UNIT, "[Service]\nExecStart=/usr/local/bin/k3s \\\n    server \\\n\t'--data-dir=/mnt/k3s' \\\n\n"),
        (UNIT, "[Service]\nExecStart=/usr/local/bin/k3s server -d /mnt/k3s\n"),
        (CONFIG, "data-dir: /mnt/k3s\n"),
    ],
    ids=["flag", "short flag", "config.yaml"],
)
def test_the_tokens_of_a_server_are_found_wherever_it_keeps_its_data(world: World, file: str, content: str) -> None:
    host = world.hosts["vm-1"]
    for name, text in (("token", machines.token(machines.LIVE_CA)), ("node-token", f"K10{LIVE}::node:4gent")):
        host.write(f"/var/lib/rancher/k3s/server/{name}", machines.token(machines.OLD_CA) + "\n")
        host.write(f"/mnt/k3s/server/{name}", text + "\n")
    host.write(file, content.replace("/mnt/k3s", str(host.path("/mnt/k3s"))))

    assert look(world).agent_token.get_secret_value() == f"K10{LIVE}::node:4gent"


@pytest.mark.parametrize(
    ("row", "password"), [("4gent,node,node,k3s:agent", "4gent"), ('"4,""gent",node,node,k3s:agent', '4,"gent')], ids=["plain", "quoted"]
)
def test_a_servers_users_say_what_agents_join_with(world: World, row: str, password: str) -> None:
    """As k3s 1.20.8 with --agent-token: server/node-token is the servers' token all the same."""
    world.hosts["vm-1"].write("/var/lib/rancher/k3s/server/cred/passwd", f"{machines.PASSWORD},server,server,k3s:server\n{row}\n")

    assert look(world).agent_token.get_secret_value() == f"K10{LIVE}::node:{password}"


def test_where_agents_have_no_token_of_their_own_they_join_with_the_servers(world: World) -> None:
    rows = "".join(f"{machines.PASSWORD},{user},{user},k3s:{user}\n" for user in ("server", "node"))
    world.hosts["vm-1"].write("/var/lib/rancher/k3s/server/cred/passwd", rows)

    assert look(world).agent_token.get_secret_value() == machines.token(machines.LIVE_CA)


def test_a_datastore_without_an_identity_is_another_ones(world: World) -> None:
    world.keys.delete("/bootstrap/")

    with pytest.raises(RefusedError, match=r"not the servers' datastore: .*\[k3s-other-datastore\]"):
        chosen(world)


def test_a_token_that_nobody_knows_any_more_is_refused_and_none_is_shown(world: World) -> None:
    begun_with(world, "forgotten")

    with pytest.raises(RefusedError, match=r"none of the tokens on vm-1 .*\[k3s-token-unknown\]") as refused:
        chosen(world)
    assert machines.PASSWORD not in str(refused.value)


def test_two_identities_are_refused(world: World) -> None:
    world.keys.put(key_of(FULL), "encrypted")

    with pytest.raises(RefusedError, match=r"a second identity, /bootstrap/[0-9a-f]{12}: .*\[k3s-two-identities\]"):
        chosen(world)


def test_no_text_is_tried_twice(world: World) -> None:
    assert len(offered(world)) == len(set(offered(world)))
