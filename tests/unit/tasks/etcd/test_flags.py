"""What a running etcd's flags are, wherever they were written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.etcd.flags import ARCH, SHELL, Flags, as_words, carried, own_file, parse_flags, read_flags
from tests.fakes import machines
from tests.fakes.host import FakeHost

UNIT = "/etc/systemd/system/etcd.service"


@pytest.fixture
def host(folder: Path) -> FakeHost:
    return FakeHost("vm-1", "10.0.0.11", folder / "vm-1")


def said(**facts: str) -> dict[str, str]:
    return {"words": "", "environ": "", "unit": "", "files": "", "config": "", **facts}


def read(host: FakeHost) -> Flags | None:
    return read_flags(host, timeout_s=60)


def test_flags_are_those_of_the_process_with_its_environment(host: FakeHost) -> None:
    machines.run_etcd(
        host,
        *("--heartbeat-interval", "200", "--max-request-bytes=3145728", "-election-timeout=2000"),
        environment="PATH=/bin\nETCD_QUOTA_BACKEND_BYTES=4294967296\nETCD_AUTO_COMPACTION_RETENTION=1\n",
    )

    assert carried(read(host) or {}) == {
        "auto-compaction-retention": "1",
        "election-timeout": "2000",
        "heartbeat-interval": "200",
        "max-request-bytes": "3145728",
        "quota-backend-bytes": "4294967296",
    }


def test_the_process_below_a_wrapper_is_found(host: FakeHost) -> None:
    machines.run_etcd(host, "--snapshot-count=5000")
    host.tell("units/etcd/pid", "700")
    host.write("/proc/700/cmdline", "/bin/sh\0-c\0/usr/local/bin/etcd-start\0")
    host.write("/proc/700/task/700/children", "815 ")

    assert carried(read(host) or {}) == {"snapshot-count": "5000"}


def test_flags_of_an_etcd_that_is_stopped_are_those_of_its_unit_and_its_files(host: FakeHost) -> None:
    host.write("/etc/etcd.env", "# quota\nETCD_QUOTA_BACKEND_BYTES=4294967296\nETCD_AUTO_COMPACTION_RETENTION=\"1\"\nOTHER=x\n")
    host.write(
        UNIT,
        "[Service]\nEnvironment=ETCD_METRICS=extensive \"ETCD_CORS=a b\"\nEnvironmentFile=-/etc/etcd.env\n"
        "ExecStart=/usr/local/bin/etcd \\\n    --name vm-1 \\\n    # a remark\n    --heartbeat-interval 200 --election-timeout 2000 \\\n"
        "    --pre-vote\nRestart=always\n",
    )

    assert read(host) == {
        "name": "vm-1",
        "heartbeat-interval": "200",
        "election-timeout": "2000",
        "pre-vote": "true",
        "metrics": "extensive",
        "cors": "a b",
        "quota-backend-bytes": "4294967296",
        "auto-compaction-retention": "1",
    }


def test_a_config_file_makes_etcd_ignore_all_other_flags(host: FakeHost) -> None:
    host.write(
        "/etc/etcd/etcd.yml",
        "name: vm-1\ndata-dir: /data/etcd\nquota-backend-bytes: 4294967296 # 4 GiB\nheartbeat-interval: 200\npre-vote: true\n"
        "grpc-keepalive-timeout: 20000000000\nlog-outputs: [stderr, /var/log/etcd.log]\n"
        "client-transport-security:\n  cert-file: /x\n  client-cert-auth: true\npeer-transport-security:\n  cert-file: /y\n",
    )
    machines.run_etcd(host, f"--config-file={host.root}/etc/etcd/etcd.yml", "--quota-backend-bytes=1")

    assert read(host) == {
        "name": "vm-1",
        "data-dir": "/data/etcd",
        "quota-backend-bytes": "4294967296",
        "heartbeat-interval": "200",
        "pre-vote": "true",
        "grpc-keepalive-timeout": "20000000000ns",
        "log-outputs": "stderr,/var/log/etcd.log",
        "cert-file": "/x",
        "client-cert-auth": "true",
        "peer-cert-file": "/y",
    }


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        ("--quota-backend-bytes\n-1\n--debug\n--cors=", {"quota-backend-bytes": "-1", "debug": "true", "cors": ""}),
        ("--enable-v2=false\n-snapshot-count\n5", {"enable-v2": "false", "snapshot-count": "5"}),
        ("--pre-vote", {"pre-vote": "true"}),
        ("", None),
    ],
    ids=["a negative number is a value", "one dash", "a switch at the end", "nothing"],
)
def test_flags_are_read_as_go_reads_them(words: str, flags: Flags | None) -> None:
    assert parse_flags(said(words=words and f"/usr/bin/etcd\n{words}")) == flags


@pytest.mark.parametrize(
    ("start", "flags"),
    [
        ('/bin/bash -c "GOMAXPROCS=$(nproc) /usr/bin/etcd --name=\\"${ETCD_NAME}\\" --debug"', {"name": "a", "debug": "true"}),
        ("/usr/bin/etcd $ETCD_OPTS", {"snapshot-count": "9", "name": "a"}),
        ("-/usr/bin/env GOGC=50 /usr/bin/etcd --cors=x", {"cors": "x", "name": "a"}),
        ("/usr/bin/docker run quay.io/coreos/etcd etcd --cors=x", None),
        ("/usr/local/bin/start-etcd.sh", None),
        ('/usr/bin/etcd --cors="open', None),
    ],
)  # fmt: skip
def test_a_units_command_is_read_in_the_forms_that_packages_have(start: str, flags: Flags | None) -> None:
    files = "ETCD_NAME=a\nETCD_OPTS='--snapshot-count 9'\nETCD_IMAGE_TAG=v3.5"

    assert parse_flags(said(unit=f"[Service]\nExecStart=/usr/bin/false\nExecStart={start}", files=files)) == flags


def test_what_a_machine_has_for_itself_is_not_carried() -> None:
    own = """name data-dir wal-dir config-file listen-peer-urls listen-client-urls listen-metrics-urls advertise-client-urls
    initial-cluster initial-cluster-state initial-cluster-token initial-advertise-peer-urls discovery-srv discovery
    force-new-cluster cert-file key-file trusted-ca-file peer-cert-file peer-trusted-ca-file client-cert-auth peer-auto-tls
    self-signed-cert-validity cipher-suites tls-min-version client-crl-file peer-skip-client-san-verification"""

    assert carried(dict.fromkeys(own.split(), "x")) == {}


def test_a_variable_that_is_no_flag_is_not_made_one_but_the_machines_kind_is_kept() -> None:
    flags = parse_flags(said(words="etcd\n--cors=x", environ="ETCD_ROOT_PASSWORD=s3cret\nETCD_UNSUPPORTED_ARCH=arm64\nETCD_VER=3")) or {}

    assert flags == {ARCH: "arm64", "cors": "x"}
    assert as_words(carried(flags)) == ("--cors=x",)


@pytest.mark.parametrize(
    ("words", "variables", "config"),
    [
        (["--cert-file=/own.crt", "--key-file", "/own.key"], "", ""),
        (["--peer-cert-file=/peer.crt"], "ETCD_CERT_FILE=/own.crt\nETCD_KEY_FILE=/own.key\n", ""),
        (["--config-file=ROOT/etc/etcd.yml"], "", 'client-transport-security:\n  cert-file: "/own.crt"\n  key-file: /own.key\n'),
    ],
    ids=["flags", "variables", "config file"],
)
def test_what_etcd_shows_to_clients_is_known_wherever_it_was_written(
    host: FakeHost, words: list[str], variables: str, config: str
) -> None:
    machines.run_etcd(host, *(word.replace("ROOT", str(host.root)) for word in words), environment=variables)
    host.write("/etc/etcd.yml", config)

    answer = host.run(f"{SHELL}{own_file('cert')}\n{own_file('key')}", what="asking").stdout

    assert answer.split() == ["/own.crt", "/own.key"]


def test_a_machine_without_an_etcd_has_no_flags(host: FakeHost) -> None:
    assert read(host) is None
