"""Certificates and keys reach the targets that need them, keys for root only."""

from __future__ import annotations

import pytest

from blocks.errors import VerificationError
from configs.errors import ConfigError
from tasks.certificates.files import ensure_certificates, files_of
from tasks.engine.outcome import Change, Outcome
from tests.fakes.certificates import Authority
from tests.fakes.platform import CONFIG, platform
from tests.fakes.world import World


def stage(world: World, name: str = "phys-1", *, dry: bool = False) -> Outcome:
    target = next(target for target in world.platform.targets if target.name == name)
    tls = world.platform.etcd.tls
    assert tls is not None
    return ensure_certificates.fn(world.run(dry=dry), world.hosts[name], world.platform, tls, target, world.etcd)


def needed(world: World, name: str, **own: object) -> list[str]:
    targets = [{**one, **own} if one["name"] == name else one for one in CONFIG["targets"]]
    target = next(target for target in platform(targets=targets).targets if target.name == name)
    assert world.platform.etcd.tls is not None
    return [path.rpartition("/")[2] for path in files_of(world.platform.etcd.tls, target)]


def test_each_target_gets_what_its_roles_need(world: World) -> None:
    assert needed(world, "phys-1") == ["ca.crt", "member.crt", "member.key", "client.crt", "client.key"]
    assert needed(world, "phys-1", etcd=False) == ["ca.crt", "client.crt", "client.key"]
    assert needed(world, "phys-3") == ["ca.crt", "member.crt", "member.key"]
    assert needed(world, "phys-3", etcd=False) == []


def test_files_are_whole_and_keys_for_root_only(world: World, authority: Authority) -> None:
    stage(world)

    host = world.hosts["phys-1"]
    assert host.read("/etc/ssl/etcd/member.key") == (authority.folder / "members/phys-1.key").read_text()
    assert host.read("/etc/ssl/etcd/ca.crt") == authority.cert.read_text()
    modes = {path.name: path.stat().st_mode & 0o777 for path in host.path("/etc/ssl/etcd").iterdir()}
    assert modes == {"ca.crt": 0o644, "member.crt": 0o644, "member.key": 0o600, "client.crt": 0o644, "client.key": 0o600}


def test_a_key_that_others_can_read_is_corrected(world: World) -> None:
    stage(world)
    world.hosts["phys-1"].path("/etc/ssl/etcd/member.key").chmod(0o644)

    assert stage(world).why == "copied: /etc/ssl/etcd/member.key"
    assert world.hosts["phys-1"].path("/etc/ssl/etcd/member.key").stat().st_mode & 0o777 == 0o600


def test_another_file_in_its_place_is_kept_beside_it_the_first_one(world: World, authority: Authority) -> None:
    host = world.hosts["phys-1"]
    host.write("/etc/ssl/etcd/ca.crt", "the old platform's\n")
    stage(world)
    authority.issue("members/phys-1", "10.0.0.21")

    stage(world)

    assert host.read("/etc/ssl/etcd/ca.crt.aside-before-join") == "the old platform's\n"


def test_a_voters_own_files_are_left_as_they_are(world: World) -> None:
    stage(world)
    world.hosts["phys-1"].write("/etc/ssl/etcd/member.crt", "renewed there\n")
    world.etcd.joined("phys-1", "10.0.0.21")

    assert stage(world).change is Change.UNCHANGED
    assert world.hosts["phys-1"].read("/etc/ssl/etcd/member.crt") == "renewed there\n"


def test_a_plan_names_the_files_and_holds_no_key(world: World, authority: Authority) -> None:
    outcome = stage(world, dry=True)

    assert "member.key" in outcome.why
    assert "PRIVATE" not in str(outcome)


def test_a_file_that_is_missing_is_named(world: World, authority: Authority) -> None:
    (authority.folder / "members/phys-1.key").unlink()

    with pytest.raises(ConfigError, match=r"members/phys-1.key: No such file.*\[etcd-tls-unreadable\]"):
        stage(world)


def test_a_key_whose_mode_the_file_system_does_not_keep_is_an_error(world: World) -> None:
    world.hosts["phys-1"].tell("stat-as", "s/^600 /755 /")

    with pytest.raises(
        VerificationError, match=r"^phys-1: \S*member.key, \S*client.key differ from .*: df -h .*\[etcd-certificates-differ\]$"
    ):
        stage(world)
