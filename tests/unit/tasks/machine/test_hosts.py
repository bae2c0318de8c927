"""A machine's own name, and the names that it resolves."""

from ipaddress import IPv4Address

import pytest

from blocks.errors import VerificationError
from configs.hosts import Source
from tasks.engine.outcome import Change, Outcome
from tasks.machine.hosts import ensure_hostname, ensure_hosts_file, resolution, resolved_wrongly
from tests.fakes.world import World


def name(world: World) -> Outcome:
    return ensure_hostname.fn(world.run(), world.hosts["phys-1"], world.platform)


def know(world: World, *, dry: bool = False) -> Outcome:
    return ensure_hosts_file.fn(world.run(dry=dry), world.hosts["phys-1"], world.platform)


def test_a_machine_gets_its_name_in_the_config_and_the_old_one_is_reported(world: World) -> None:
    assert name(world).why == "old-phys-1 became phys-1"
    assert world.hosts["phys-1"].read("/etc/hostname") == "phys-1\n"


def test_a_name_that_would_not_survive_a_reboot_is_set_again(world: World) -> None:
    name(world)
    world.hosts["phys-1"].write("/etc/hostname", "old-phys-1\n")

    assert name(world).change is Change.CHANGED


def test_a_minimal_system_has_no_command_hostname(world: World) -> None:
    world.hosts["phys-1"].tell("lacks", "hostname")

    assert name(world).why == "old-phys-1 became phys-1"


def test_a_name_that_was_not_taken_is_an_error(world: World) -> None:
    world.hosts["phys-1"].tell("name-is-fixed", "yes")

    with pytest.raises(VerificationError) as fixed:
        name(world)
    assert str(fixed.value) == (
        "phys-1: setting the hostname: hostnamectl succeeded, yet the hostname is old-phys-1 and /etc/hostname has old-phys-1, "
        "expected phys-1: see hostnamectl status there [hostname-not-set]"
    )


def test_own_lines_of_the_operator_stay(world: World) -> None:
    know(world)

    assert world.hosts["phys-1"].read("/etc/hosts").endswith("# END evenkeel\n127.0.0.1 localhost\n")


STOCK = "127.0.0.1\tlocalhost\n127.0.1.1\tphys-1.example.com\tphys-1\n::1 localhost ip6-localhost\n"


def test_an_installers_loopback_line_for_the_machines_own_name_is_no_error(world: World) -> None:
    world.hosts["phys-1"].write("/etc/hosts", STOCK)

    assert (know(world).change, know(world)) == (Change.CHANGED, Outcome(Change.UNCHANGED, "names all machines"))
    assert world.hosts["phys-1"].run("getent ahostsv4 phys-1", what="asking").stdout.startswith("127.0.1.1 ")


def test_a_loopback_line_for_another_machine_is_reported(world: World) -> None:
    world.hosts["phys-1"].write("/etc/hosts", STOCK.replace("phys-1", "vm-1"))

    assert [finding.id for finding in know(world).findings] == ["hosts-line-shadowed"]


def test_a_stale_line_is_shadowed_and_reported(world: World) -> None:
    world.hosts["phys-1"].write("/etc/hosts", "127.0.0.1 localhost\n10.9.9.9 vm-1\n")

    outcome = know(world)

    assert [str(finding) for finding in outcome.findings] == [
        "phys-1: /etc/hosts has another address for a machine of the config, below the managed block: 10.9.9.9 vm-1: "
        "delete the line: with `multi on`, programs get both [hosts-line-shadowed]"
    ]
    assert world.hosts["phys-1"].run("getent ahostsv4 vm-1", what="asking").stdout.startswith("10.0.0.11 ")


def test_a_stale_line_is_reported_at_every_run(world: World) -> None:
    world.hosts["phys-1"].write("/etc/hosts", "10.9.9.9 vm-1\n")
    know(world)

    second = know(world)

    assert (second.change, len(second.findings)) == (Change.UNCHANGED, 1)


def test_a_name_that_still_resolves_otherwise_is_an_error(world: World) -> None:
    world.hosts["phys-1"].tell("resolver", "10.9.9.9 vm-1")

    with pytest.raises(
        VerificationError, match=r"phys-1: /etc/hosts is written, yet it resolves vm-1 to 10.9.9.9: see"
    ) as wrong:
        know(world)
    assert wrong.value.id == "hosts-file-ignored"


@pytest.mark.parametrize(
    ("answer", "wrongly"),
    [
        ("vm-1 10.0.0.11", []),
        ("vm-1 10.9.9.9 10.0.0.11", []),
        ("vm-1 127.0.1.1", ["vm-1 to 127.0.1.1"]),
        ("vm-1", ["vm-1 to nothing"]),
        ("", ["vm-1 to nothing"]),
        ("phys-1 127.0.1.1\nvm-1 10.0.0.11", []),
        ("vm-1 10.0.0.21\nphys-1 10.0.0.11", ["vm-1 to 10.0.0.21", "phys-1 to 10.0.0.11"]),
    ],
)
def test_answers_are_compared_by_name(world: World, answer: str, wrongly: list[str]) -> None:
    machines = [m for m in world.platform.machines if m.name in ("vm-1", "phys-1") and m.name in f"vm-1 {answer}"]

    assert resolved_wrongly(answer, machines, own="phys-1") == wrongly


def test_a_missing_hosts_file_is_written(world: World) -> None:
    world.hosts["phys-1"].path("/etc/hosts").unlink()

    know(world)

    assert "10.0.0.21       phys-1" in world.hosts["phys-1"].read("/etc/hosts")


def test_a_dry_run_shows_the_lines(world: World) -> None:
    assert "+10.0.0.21       phys-1" in know(world, dry=True).diffs[0]


def test_one_process_resolves_all_names_and_one_that_is_not_known_shifts_no_other(world: World) -> None:
    host, machines = world.hosts["phys-1"], world.platform.machines
    ensure_hosts_file.fn(world.run(), host, world.platform)
    unknown = Source(name="nowhere", address=IPv4Address("10.0.0.99"))

    command = resolution((machines[0], unknown, *machines[1:]))
    said = host.run(command, what="asking").stdout

    assert command.count("getent") == 1
    assert said.splitlines() == [f"{machines[0].name} {machines[0].address}", "nowhere", *(f"{m.name} {m.address}" for m in machines[1:])]
    assert resolved_wrongly(said, (unknown, *machines), own="phys-1") == ["nowhere to nothing"]
