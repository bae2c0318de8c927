"""The script that moves the lab's platform by hand, against an ssh that only answers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from configs.load import load_platform
from tests.bench.hand import SCRIPT, move_of, ssh_config
from tests.bench.moves import PHASES
from tests.shellcheck import BESIDE, problems

ROOT = Path(__file__).parent.parent.parent.parent
LAB = load_platform(ROOT / "configs/lab.yaml")
SECRETS = {"LAB_OPS_PASSWORD": "ops-secret", "LAB_MYSQL_WACOS_PASSWORD": "sql-secret"}
INJECTED = {"name": "default-token-x1", "mountPath": "/var/run/secrets"}
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "debug-mysql-client", "namespace": "iottepa", "labels": {"app": "c"}, "uid": "u", "resourceVersion": "7"},
    "spec": {
        "nodeName": "vm-1",
        "volumes": [{"name": "token"}, {"name": INJECTED["name"]}],
        "containers": [{"name": "client", "volumeMounts": [{"name": "token", "mountPath": "/t"}, INJECTED]}],
    },
    "status": {"phase": "Running"},
}


@dataclass(frozen=True)
class Ran:
    said: str
    sent: list[tuple[str, str]]
    """Machine and script, in their order."""
    arguments: str


pytestmark = pytest.mark.skipif(not (shutil.which("jq") and shutil.which("ssh")), reason="apt-get install jq openssh-client")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("by-hand")
    programs, seen, arguments = folder / "bin", folder / "seen", folder / "arguments"
    programs.mkdir()
    seen.mkdir()
    (programs / "ssh").symlink_to(Path(__file__).with_name("ssh.sh"))
    (programs / "curl").symlink_to("/bin/true")
    (folder / "pod").write_text(json.dumps(POD))
    env = {
        "PATH": f"{programs}:{os.environ['PATH']}", "SEEN": str(seen), "ARGUMENTS": str(arguments), "POD": str(folder / "pod"),
        **SECRETS,
    }  # fmt: skip
    config = folder / "ssh_config"
    config.write_text(ssh_config(LAB, folder))
    done = subprocess.run(["bash", SCRIPT, config], env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    sent = [(path.name.split()[1], path.read_text()) for path in sorted(seen.iterdir())]
    return Ran(done.stdout, sent, arguments.read_text())


def test_it_says_how_long_each_phase_of_the_migration_took(ran: Ran) -> None:
    move = move_of(ran.said, 99.0)

    assert list(move.phases) == [phase for phase in PHASES if phase != "canary"]
    assert list(move.more["parts"])[2:8] == [
        "join firewall", "join uninstall", "join names", "join images", "join etcd", "join k3s",
    ]  # fmt: skip


def test_every_machine_of_the_config_is_worked_on(ran: Ran) -> None:
    assert {host for host, _ in ran.sent} == {machine.name for machine in LAB.machines}


def test_shellcheck_finds_nothing_in_what_is_sent(ran: Ran) -> None:
    scripts = {script.removeprefix("ops-secret\n"): host for host, script in ran.sent}

    assert len(scripts) > 70
    assert problems(str(BESIDE), scripts, []) == []


def test_a_password_is_sent_to_who_asks_for_it_and_stands_in_no_command_line(ran: Ran) -> None:
    assert {host for host, script in ran.sent if script.startswith("ops-secret\n")} == {"phys-3"}
    assert [host for host, script in ran.sent if "sql-secret" in script] == ["phys-1"]
    assert not any(secret in ran.arguments for secret in (*SECRETS.values(), "K10abc"))


def test_a_bare_pod_is_made_anew_without_what_was_one_pods_own(ran: Ran) -> None:
    script = next(script for _, script in ran.sent if "apply -f -" in script)

    made = json.loads(script.partition("<<'POD'\n")[2].partition("\nPOD\n")[0])
    assert made["metadata"] == {"name": "debug-mysql-client", "namespace": "iottepa", "labels": {"app": "c"}}
    assert made["spec"] == {
        "volumes": [{"name": "token"}],
        "containers": [{"name": "client", "volumeMounts": [{"name": "token", "mountPath": "/t"}]}],
    }
    assert set(made) == {"apiVersion", "kind", "metadata", "spec"}


def test_each_member_of_etcd_starts_with_those_that_there_are_and_itself(ran: Ran) -> None:
    units = [script for _, script in ran.sent if "start --no-block etcd" in script]

    begun = [f"etcd-node-{number}=http://10.99.0.1{number}:2380" for number in (1, 2, 3)]
    for number, unit in enumerate(units, start=1):
        begun.append(f"phys-{number}=http://10.99.0.2{number}:2380")
        assert f"--initial-cluster {','.join(begun)} \\\n" in unit
    assert len(units) == 6


def test_etcd_shrinks_by_the_sources_members(ran: Ran) -> None:
    removed = [script.partition("member remove ")[2].split()[0] for _, script in ran.sent if "member remove" in script]

    assert removed == ["id-11", "id-12", "id-13"]


def test_servers_join_with_all_new_members_and_agents_with_the_token_by_the_vip(ran: Ran) -> None:
    joined = {host: script for host, script in ran.sent if "install-k3s.sh\n" in script}

    assert list(joined) == [target.name for target in LAB.targets]
    for target in LAB.targets:
        server = target.role.value == "server"
        assert (joined[target.name].count(":2379"), "K10abc" in joined[target.name]) == ((6, False) if server else (0, True))


def test_machines_are_reached_as_the_config_says(tmp_path: Path) -> None:
    path = tmp_path / "ssh_config"
    path.write_text(ssh_config(LAB, Path("/tmp/b")))

    said = {name: asked(path, name) for name in ("vm-3.lab.example", "phys-4", "phys-6", "10.99.0.26")}
    assert [said["vm-3.lab.example"][key] for key in ("hostname", "port", "user")] == ["10.99.0.13", "22", "root"]
    assert said["phys-4"]["proxyjump"] == "ops@[10.99.0.26]:2222"
    assert [said["phys-6"][key] for key in ("port", "user")] == ["2222", "ops"]
    assert {one["stricthostkeychecking"] for one in said.values()} == {"true"}
    assert {one["identityfile"] for one in said.values()} == {str(LAB.ssh.key)}


def asked(config: Path, name: str) -> dict[str, str]:
    done = subprocess.run(["ssh", "-G", "-F", config, name], capture_output=True, text=True, check=True)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)


def test_another_line_than_a_phases_is_no_measure() -> None:
    with pytest.raises(ValueError, match="the script said 'docker: loaded'"):
        move_of("preflight all 1.000\ndocker: loaded\n", 3.0)
