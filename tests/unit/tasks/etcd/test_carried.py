"""New members get the running ones' flags, unless something is wrong with these."""

from __future__ import annotations

import pytest

from blocks.errors import RefusedError
from tasks.engine.finding import FindingsError
from tasks.engine.outcome import Outcome
from tasks.etcd.carried import carried_flags, check_etcd_flags
from tests.fakes import machines
from tests.fakes.platform import CONFIG, platform
from tests.fakes.world import World

GIB = 2**30


def ask(world: World) -> Outcome:
    return check_etcd_flags.fn(world.run(), world.platform, world.hosts, world.etcd)


def run_with(world: World, *flags: str, on: tuple[str, ...] = ("vm-1", "vm-2")) -> None:
    for name in on:
        machines.run_etcd(world.hosts[name], *flags)


def with_args(world: World, *args: str) -> None:
    world.platform = platform(etcd={**CONFIG["etcd"], "args": args})


def findings(world: World) -> list[str]:
    return [str(finding) for finding in ask(world).findings]


def test_members_that_agree_are_no_finding(world: World) -> None:
    run_with(world, "--heartbeat-interval", "200", "--snapshot-count=5000")

    outcome = ask(world)

    assert (outcome.why, outcome.findings) == ("new members get --heartbeat-interval=200 --snapshot-count=5000", ())


@pytest.mark.parametrize("flag", ["--heartbeat-interval=200", "--election-timeout=2000"])
def test_members_with_different_timing_are_refused(world: World, flag: str) -> None:
    run_with(world, flag, on=("vm-1",))

    with pytest.raises(FindingsError, match=rf"etcd: {flag.split('=')[0]} differs: vm-1 .*, vm-2 1?000?.*\[etcd-timing-differs\]"):
        ask(world)


def test_a_default_that_one_member_writes_down_is_no_difference(world: World) -> None:
    run_with(world, "--heartbeat-interval=100", on=("vm-1",))

    assert findings(world) == []


def test_timing_of_the_config_that_the_members_have_not_is_refused(world: World) -> None:
    with_args(world, "--heartbeat-interval=200")

    with pytest.raises(FindingsError, match=r"vm-1 100, vm-2 100, new members 200.*\[etcd-timing-differs\]"):
        ask(world)


def test_other_flags_that_differ_are_a_warning(world: World) -> None:
    run_with(world, "--max-request-bytes=3145728", on=("vm-2",))

    assert findings(world) == [
        "etcd: --max-request-bytes differs: vm-1 not set, vm-2 3145728, new members not set: "
        "write the right one as etcd.args in the config [etcd-flag-differs]"
    ]


def test_the_configs_flags_take_the_place_of_the_members(world: World) -> None:
    run_with(world, "--snapshot-count=5000", "--enable-v2=true")
    with_args(world, "--snapshot-count=7000", "--enable-v2=")

    assert carried_flags(world.hosts, world.platform, world.etcd.members()) == {"snapshot-count": "7000"}


@pytest.mark.parametrize(
    ("quota", "size"), [((), 2 * GIB), (("--quota-backend-bytes=0",), 3 * GIB), (("--quota-backend-bytes=30000",), 30000)]
)
def test_a_quota_that_the_database_fills_is_refused(world: World, quota: tuple[str, ...], size: int) -> None:
    run_with(world, *quota)
    world.etcd.sizes = {"vm-2": size}

    with pytest.raises(FindingsError, match=rf"the database has {size} bytes, new members' quota is .*\[etcd-quota-small\]"):
        ask(world)


@pytest.mark.parametrize("quota", ["--quota-backend-bytes=4294967296", "--quota-backend-bytes=-1"])
def test_a_quota_that_is_larger_or_none_is_fine(world: World, quota: str) -> None:
    run_with(world, quota)
    world.etcd.sizes = {"vm-1": 3 * GIB}

    assert findings(world) == []


def test_an_etcd_of_a_target_that_does_not_know_a_flag_is_refused(world: World) -> None:
    run_with(world, "--enable-v2=true")
    refusing = "#!/bin/sh\ncase $* in *enable-v2*) echo 'flag provided but not defined: -enable-v2' >&2; exit 2 ;; esac\n"
    world.hosts["phys-2"].write("/usr/local/bin/etcd", refusing, mode=0o755)

    with pytest.raises(FindingsError, match=r"^phys-2: its etcd refuses.*not defined: -enable-v2: .*\[etcd-flag-unknown\]$"):
        ask(world)


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        (  # 3.5.16
            '{"level":"info","caller":"etcdmain/etcd.go:73","msg":"Running: ","args":["etcd","--logger=capnslog"]}\n'
            '{"level":"warn","caller":"etcdmain/etcd.go:75","msg":"failed to verify flags","error":"--logger=capnslog is removed in v3.5"}',
            "--logger=capnslog is removed in v3.5",
        ),
        (  # 3.4.23
            "2026-11-27 21:50:45.475918 E | etcdmain: error verifying flags, --election-timeout[100ms] should be at least as 5 "
            "times as --heartbeat-interval[100ms]. See 'etcd --help'.",
            "--election-timeout[100ms] should be at least as 5 times as --heartbeat-interval[100ms]",
        ),
    ],
)
def test_a_value_that_a_targets_etcd_no_longer_takes_is_refused(world: World, said: str, verdict: str) -> None:
    machines.run_etcd(world.hosts["vm-1"], "--log-outputs=/var/log/etcd")
    machines.run_etcd(world.hosts["vm-2"], "--log-outputs=/var/log/etcd")
    refusing = f"#!/bin/sh\ncase $* in *--version) ;; *log-outputs*) ;; *) cat >&2 <<'END'\n{said}\nEND\nexit 1 ;; esac\n"
    world.hosts["phys-2"].write("/usr/local/bin/etcd", refusing, mode=0o755)

    with pytest.raises(FindingsError) as refused:
        ask(world)

    assert [(finding.where, finding.what, finding.id, finding.final) for finding in refused.value.findings if finding.refuses] == [
        ("phys-2", f"its etcd refuses the flags of the running members: {verdict}", "etcd-flag-unknown", True)
    ]


@pytest.mark.parametrize(
    "said",
    [
        '{"level":"warn","msg":"failed to verify flags","error":"--advertise-client-urls is required when --listen-client-urls is set"}',
        "E | etcdmain: error verifying flags, --advertise-client-urls is required when --listen-client-urls is set explicitly.",
        "",
    ],
)
def test_an_etcd_that_only_misses_its_urls_takes_the_flags(world: World, said: str) -> None:
    taking = f"#!/bin/sh\ncase $* in *--version) ;; *) cat >&2 <<'END'\n{said}\nEND\nexit 1 ;; esac\n"
    world.hosts["phys-2"].write("/usr/local/bin/etcd", taking, mode=0o755)

    assert ask(world).findings == ()


def test_flags_that_cannot_be_read_are_refused(world: World) -> None:
    host = world.hosts["vm-2"]
    host.tell("units/etcd/pid", "0")
    host.write("/etc/systemd/system/etcd.service", "[Service]\nExecStart=/usr/bin/docker run etcd\n")

    with pytest.raises(FindingsError, match=r"^vm-2: the flags of its etcd can't be read.*\[etcd-flags-unread\]$"):
        ask(world)


def test_without_any_flags_nobody_gets_etcds_defaults(world: World) -> None:
    for host in world.hosts.values():
        host.tell("units/etcd/pid", "0")
        host.path("/etc/systemd/system/etcd.service").unlink(missing_ok=True)

    with pytest.raises(RefusedError, match=r"on no member's machine: write .*\[etcd-flags-unread\]"):
        carried_flags(world.hosts, world.platform, world.etcd.members())

    with_args(world, "--snapshot-count=7000")
    assert carried_flags(world.hosts, world.platform, world.etcd.members()) == {"snapshot-count": "7000"}


def test_after_the_sources_have_left_the_targets_are_asked(world: World) -> None:
    world.has_left()
    run_with(world, "--snapshot-count=5000", on=("phys-1", "phys-2", "phys-3"))

    assert ask(world).why == "new members get --snapshot-count=5000"


def test_a_target_that_is_no_voter_is_not_asked_for_its_old_platforms_flags(world: World) -> None:
    machines.run_etcd(world.hosts["phys-1"], "--heartbeat-interval=999")

    assert findings(world) == []


def test_metrics_of_a_machines_own_address_are_noted(world: World) -> None:
    run_with(world, "--listen-metrics-urls=http://10.0.0.11:2381", on=("vm-1",))

    (found,) = findings(world)
    assert found.startswith("vm-1: --listen-metrics-urls=http://10.0.0.11:2381 is not carried over")


DEMANDS = ("--client-cert-auth", "--peer-client-cert-auth=true", "--cipher-suites=A,B", "--trusted-ca-file=/etc/ca.crt")


def test_what_members_demand_of_certificates_is_carried_over_where_there_are_any(world: World) -> None:
    run_with(world, *DEMANDS)
    tls = {"ca": "/p/ca", "cert": "/p/c", "key": "/p/k", "members": "/p/m"}
    secure = platform(etcd={**CONFIG["etcd"], "tls": tls})

    expected = {"cipher-suites": "A,B", "client-cert-auth": "true", "peer-client-cert-auth": "true"}
    assert carried_flags(world.hosts, secure, world.etcd.members()) == expected
    assert carried_flags(world.hosts, world.platform, world.etcd.members()) == {}
