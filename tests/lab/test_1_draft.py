"""A config drafted from one source agrees with the one that was written by hand, and nothing is changed for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from configs.load import load_platform
from configs.platform import Platform
from deployments.lab import etcd_tls, inventory, keys
from tests.lab import world

ANSWERED = ("targets", "gates")


def drafted(path: Path) -> str:
    """What the command writes about the platform of vm-1."""
    tls = etcd_tls.config() or {}
    files = [word for name in ("ca", "cert", "key") if name in tls for word in (f"--etcd-{name}", tls[name])]
    words = ["--source", "10.99.0.11", "--port", "22", "--key", str(keys.CLIENT_KEY), "--known-hosts", str(keys.KNOWN_HOSTS), *files]
    command = [sys.executable, "-m", "deployments.draft", *words, "--platform", "lab", "--output", str(path)]
    done = subprocess.run(command, cwd=world.ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return path.read_text(encoding="utf-8")


def answered(text: str, whole: dict[str, Any], path: Path) -> Platform:
    """The draft with what a person knows; its targets are reached as those of the other config, whose `ssh` has another port."""
    draft = yaml.safe_load(text)
    draft["ssh"] = whole["ssh"]
    draft["sources"] = [{**source, "ssh": {"port": 22}} for source in draft["sources"]]
    draft |= {name: whole[name] for name in ANSWERED if name in whole}
    draft["k3s"]["images"], draft["backup"]["chart"] = whole["k3s"]["images"], whole["backup"]["chart"]
    for name in ("user", "database", "password", "root_password"):
        draft["database"][name] = whole["database"][name]
    path.write_text(yaml.safe_dump(draft), encoding="utf-8")
    return load_platform(path)


def test_a_draft_agrees_with_the_config_that_was_written_by_hand(fresh_lab: None, secrets: dict[str, str], tmp_path: Path) -> None:
    before = [(world.files(source), world.starts(source)) for source in world.SOURCES]

    text = drafted(tmp_path / "draft.yaml")

    assert [(world.files(source), world.starts(source)) for source in world.SOURCES] == before
    assert [name for name, secret in secrets.items() if secret in text] == []
    by_hand = tmp_path / "lab.yaml"
    by_hand.write_text(inventory.config(), encoding="utf-8")
    expected = load_platform(by_hand)
    found = answered(text, yaml.safe_load(by_hand.read_text(encoding="utf-8")), tmp_path / "answered.yaml")
    same = ("sources", "keep_nodes", "vip", "database", "etcd")
    assert {name: getattr(found, name) for name in same} == {name: getattr(expected, name) for name in same}
    assert (found.keepalived.interface, found.keepalived.virtual_router_id) == ("eth0", expected.keepalived.virtual_router_id)
    assert (found.k3s.api_port, found.k3s.agent_args) == (expected.k3s.api_port, expected.k3s.agent_args)
    assert set(expected.http_checks) <= set(found.http_checks)
    assert found.backup.lake.move == expected.backup.lake.move
