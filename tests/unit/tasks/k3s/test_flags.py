"""The flags of running servers: read without their secrets, and compared with those that the new ones get."""

import pytest

from tasks.k3s.flags import SERVER_COMMAND_LINE, difference, parse_flags
from tasks.shell.k3s_units import UNITS
from tests.fakes.host import FakeHost
from tests.fakes.world import World

UNIT, FILE = "/etc/systemd/system/k3s.service", "/etc/rancher/k3s/config.yaml"
RUNNING = "ExecStart=/usr/local/bin/k3s server --node-name vm-1 --disable servicelb --disable traefik --docker --v=2"
CONFIG = ["--docker", "--disable=traefik", "--disable=servicelb", "--v=2"]
SECRETS = ("h0t", "t0psecret")


def read(host: FakeHost, *, unit: str = "", file: str = "") -> str:
    """What leaves the machine of a server that was started with these."""
    host.write(UNIT, unit)
    if file:
        host.write(FILE, file)
    return host.run(UNITS + SERVER_COMMAND_LINE, what="reading a server's command line").stdout.strip()


def installed(*words: str) -> str:
    """A unit as k3s's installer writes it: every word quoted, on a line of its own."""
    lines = "".join(f"\t'{word}' \\\n" for word in words)
    return f"[Service]\nExecStart=/usr/local/bin/k3s \\\n    server \\\n{lines}\nRestart=always\nExecStop=/bin/echo --v=9\n"


def compared(running: str, expected: list[str]) -> str:
    """How the flags of a running server's line differ from those that new ones get."""
    return difference(parse_flags(running.split()), parse_flags(expected))


@pytest.fixture
def host(world: World) -> FakeHost:
    return world.hosts["vm-1"]


def test_order_and_spelling_make_no_difference() -> None:
    assert compared(RUNNING, CONFIG) == ""


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        (CONFIG[1:], "it has --docker"),
        ([*CONFIG, "--cluster-cidr=10.7.0.0/16"], "it lacks --cluster-cidr=10.7.0.0/16"),
        ([*CONFIG[:3], "--v=3"], "it has --v=2, it lacks --v=3"),
    ],
)
def test_differences_are_said_from_the_running_servers_side(expected: list[str], said: str) -> None:
    assert compared(RUNNING, expected) == said


@pytest.mark.parametrize("own", ["--node-name=vm-2", "--token=s3cret", "--node-ip 10.0.0.1"])
def test_what_is_one_machines_own_is_not_compared(own: str) -> None:
    assert compared(f"{RUNNING} {own}", CONFIG) == ""


def test_a_server_without_any_flag_lacks_them_all() -> None:
    assert compared("ExecStart=/usr/local/bin/k3s server", ["--docker"]) == "it lacks --docker"


def test_a_flag_that_is_true_is_the_same_as_one_without_a_value() -> None:
    assert compared("k3s server --docker=true --rootless=false", ["--docker", "--rootless=false"]) == ""


def test_components_listed_with_commas_are_compared_one_by_one() -> None:
    assert compared("k3s server --disable=traefik,servicelb", ["--disable=servicelb", "--disable=traefik"]) == ""


@pytest.mark.parametrize("running", ["--vpn-auth=...", ""], ids=["it has one", "it has none"])
def test_a_value_that_may_be_secret_is_never_part_of_a_difference(running: str) -> None:
    said = compared(f"k3s server {running}", ["--vpn-auth=name=tailscale,joinKey=h0t"])

    assert said == ("" if running else "it lacks --vpn-auth=...")


def test_a_unit_of_the_installer_is_read_as_one_line(host: FakeHost) -> None:
    line = read(host, unit=installed("--cluster-cidr", "10.7.0.0/16", "--docker", "--disable", "traefik"))

    assert line == "ExecStart=/usr/local/bin/k3s server --cluster-cidr=10.7.0.0/16 --docker --disable=traefik"


def test_a_unit_on_one_line_ends_there(host: FakeHost) -> None:
    line = read(host, unit="[Service]\nExecStart=/usr/local/bin/k3s server --docker\nExecStop=/bin/echo --v=9\n")

    assert line == "ExecStart=/usr/local/bin/k3s server --docker"


def test_a_unit_of_the_installer_agrees_with_the_config_that_says_the_same(host: FakeHost) -> None:
    words = ["--cluster-cidr", "113.122.0.0/16", "--docker", "--disable", "traefik", "--kube-proxy-arg=proxy-mode=ipvs"]
    line = read(host, unit=installed(*words, "--token", "t0psecret"))

    assert compared(line, ["--cluster-cidr=113.122.0.0/16", *words[2:3], "--disable=traefik", words[-1]]) == ""


def test_secrets_that_nobody_thought_of_stay_on_the_machine(host: FakeHost) -> None:
    words = ["--https-listen-port=10443", "--docker", "--cluster-secret", "h0tsecret"]
    words += ["--vpn-auth=name=tailscale,joinKey=tskey-h0t", "--etcd-s3-secret-key=s3h0t"]

    line = read(host, unit=installed(*words))

    assert not [secret for secret in SECRETS if secret in line]
    assert compared(line, words[:2]) == "it has --cluster-secret=... --etcd-s3-secret-key=... --vpn-auth=..."


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("--token h0t", "--token=..."),
        ("-t h0t --docker", "-t=... --docker"),
        ("--token -h0t --docker", "--token --docker"),
        ("--token 'h0t and h0t' --docker", "--token=... --docker"),
        ("--docker h0t", "--docker=..."),
        ("h0t", ""),
        ("--datastore-endpoint mysql://u:h0t@tcp(db)/k3s", "--datastore-endpoint=..."),
        ("--unheard-of=h0t", "--unheard-of=..."),
        ("--system-default-registry=https://u:h0t@registry", "--system-default-registry=..."),
        ("--kube-apiserver-arg=token-auth-file=/h0t", "--kube-apiserver-arg=..."),
        ("--kube-controller-manager-arg my-password=h0t", "--kube-controller-manager-arg=..."),
        ("--kube-apiserver-arg=etcd-servers=http://u:h0t@db:2379", "--kube-apiserver-arg=..."),
        ("--kubelet-arg eviction-hard=memory.available=5%", "--kubelet-arg=eviction-hard=memory.available=5%"),
        ("--etcd-s3-access-key=h0t --etcd-s3", "--etcd-s3-access-key=... --etcd-s3"),
        ("--secrets-encryption --node-label=a=b", "--secrets-encryption --node-label=a=b"),
        ("--tls-san platform.example.com --docker=true", "--tls-san=platform.example.com --docker=true"),
    ],
)
def test_only_harmless_values_leave_the_machine(host: FakeHost, words: str, shown: str) -> None:
    line = read(host, unit=f"ExecStart=/usr/local/bin/k3s server {words}\n")

    assert line == f"ExecStart=/usr/local/bin/k3s server {shown}".strip()
    assert "h0t" not in line


@pytest.mark.parametrize(
    "word",
    [
        "--disable=traefik",
        "--unheard-of=h0t",
        "--docker=true",
        "--docker",
        "--vpn-auth=",
        "--kubelet-arg=v=2",
        "--kubelet-arg=client-secret=h0t",
        "--server=https://u:h0t@vm",
    ],
)
def test_the_machine_and_the_comparison_mask_alike(host: FakeHost, word: str) -> None:
    _, _, shown = read(host, unit=f"ExecStart=/usr/local/bin/k3s server {word}\n").split()

    assert parse_flags([shown]) == parse_flags([word])


def test_flags_of_the_configuration_file_are_the_servers_flags(host: FakeHost) -> None:
    file = "cluster-cidr: 10.50.0.0/16\nservice-cidr: 10.51.0.0/16\nhttps-listen-port: 10443\ndocker: true\n"

    line = read(host, unit=installed(), file=file + "disable:\n  - traefik\n")

    has = "it has --cluster-cidr=10.50.0.0/16 --disable=traefik --service-cidr=10.51.0.0/16"
    assert compared(line, ["--docker", "--https-listen-port=10443"]) == has


def test_flags_may_be_half_in_the_unit_and_half_in_the_configuration_file(host: FakeHost) -> None:
    line = read(host, unit="ExecStart=/usr/local/bin/k3s server --docker\n", file="https-listen-port: 10443\n")

    assert compared(line, ["--docker", "--https-listen-port=10443"]) == ""


YAML = """---
# token: h0t
token: "h0t#h0t"  # a comment
agent-token: 'h0t h0t'
disable: [traefik, "servicelb"]
tls-san+:
- "vip.example.com"  # a comment
write-kubeconfig-mode: "0644"
kubelet-arg:
  - "system-reserved=cpu=1,memory=2Gi"
  - client-secret=h0t
unheard-of: |
  h0t
  - h0t
nested:
  data-dir: /h0t
"""


def test_every_form_of_the_configuration_file_is_read_and_its_secrets_stay_there(host: FakeHost) -> None:
    line = read(host, unit=installed(), file=YAML)

    assert line.split()[2:] == [
        "--token=...",
        "--agent-token=...",
        "--disable=traefik",
        "--disable=servicelb",
        "--tls-san=vip.example.com",
        "--write-kubeconfig-mode=0644",
        "--kubelet-arg=system-reserved=cpu=1,memory=2Gi",
        "--kubelet-arg=...",
        "--unheard-of=...",
        "--unheard-of=...",
    ]
    assert "h0t" not in line


def test_files_beside_the_configuration_file_are_read_too(host: FakeHost) -> None:
    host.write("/etc/rancher/k3s/config.yaml.d/10-net.yaml", "cluster-cidr: 10.50.0.0/16")
    host.write("/etc/rancher/k3s/config.yaml.d/20-more.yaml", "docker: true")

    line = read(host, unit=installed(), file="v: 2")
    assert line.endswith("k3s server --v=2 --cluster-cidr=10.50.0.0/16 --docker=true")


@pytest.mark.parametrize(
    "given",
    ["'--config=ROOT/etc/k3s/own.yaml' \\", "'-c' \\\n\t'ROOT/etc/k3s/own.yaml' \\", "\nEnvironment=K3S_CONFIG_FILE=/etc/k3s/own.yaml"],
)
def test_another_configuration_file_is_read_in_its_place(host: FakeHost, given: str) -> None:
    host.write("/etc/k3s/own.yaml", "v: 3")
    host.write("/etc/k3s/own.yaml.d/10-net.yaml", "cluster-cidr: 10.50.0.0/16")

    unit = f"[Service]\nExecStart=/usr/local/bin/k3s \\\n    server \\\n\t{given.replace('ROOT', str(host.root))}\n\nRestart=always\n"
    assert read(host, unit=unit, file="v: 2").endswith(" --v=3 --cluster-cidr=10.50.0.0/16")


def test_the_last_command_of_a_unit_and_its_drop_ins_counts(host: FakeHost) -> None:
    host.write("/etc/systemd/system/k3s.service.d/own.conf", "[Service]\nExecStart=\nExecStart=/usr/local/bin/k3s server --v=4\n")

    assert read(host, unit=installed("--v=2")) == "ExecStart=/usr/local/bin/k3s server --v=4"


def test_a_machine_without_a_server_says_nothing(host: FakeHost) -> None:
    host.path(UNIT).unlink()

    assert host.run(UNITS + SERVER_COMMAND_LINE, what="reading a server's command line").stdout.strip() == ""


def test_a_comma_between_quotes_separates_nothing(host: FakeHost) -> None:
    file = """kubelet-arg: ["max-pods=9", 'eviction-hard=imagefs.available<5%,nodefs.available<5%']\ndisable: [traefik,servicelb]"""
    line = read(host, unit=installed(), file=file)

    limit = "--kubelet-arg=eviction-hard=imagefs.available<5%,nodefs.available<5%"
    assert line.endswith(f"server --kubelet-arg=max-pods=9 {limit} --disable=traefik --disable=servicelb")


def test_a_command_that_is_commented_out_takes_nothing_from_what_follows(host: FakeHost) -> None:
    old = "#ExecStart=/usr/local/bin/k3s server \\\n#   --rootless \\\n"
    line = read(host, unit=f"[Service]\n{old}Environment=K3S_DEBUG=1\nExecStart=/usr/local/bin/k3s \\\n; why \\\n  server --docker\n")

    assert line == "--debug=true ExecStart=/usr/local/bin/k3s server --docker"
