"""A fake disk as a value: what a machine is like after a script can be given to another machine."""

from pathlib import Path

import pytest

from tests.fakes.disk import Disk
from tests.fakes.host import FakeHost

SCRIPT = """
mkdir -m 0700 /etc/new; rm -r /opt/old; echo /opt/x >/etc/new/file; chmod 600 /etc/hosts; chmod 644 /etc/open
echo more >>/etc/kept; date +%s.%N
"""


def machine(folder: Path, name: str = "vm-1") -> FakeHost:
    host = FakeHost(name, "10.0.0.11", folder)
    host.write("/opt/old/file", "x")
    host.write("/etc/open", "x", mode=0o666)
    host.write("/etc/kept", "one\n")
    return host


def looks(host: FakeHost) -> list[tuple[str, int, str]]:
    """Everything below its root, as the file system has it."""
    root = host.path("/")
    texts = ((path, path.read_text().replace(str(root), "") if path.is_file() else "") for path in sorted(root.rglob("*")))
    return [(str(path.relative_to(root)), path.stat().st_mode, text) for path, text in texts]


@pytest.mark.parametrize("is_made", [False, True])
def test_a_script_has_the_same_effect_on_an_equal_machine_without_being_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, is_made: bool
) -> None:
    script = SCRIPT + f": {is_made}"
    first, second = machine(folder / "a"), machine(folder / "b")
    said = first.run(script, what="acting")
    if is_made:
        second.path("/etc/hosts")
    monkeypatch.setattr(FakeHost, "_bash", None)

    answer = second.run(script, what="acting")

    assert float(answer.stdout) >= float(said.stdout)
    assert looks(second) == looks(first)
    assert second.mutations == first.mutations == ["vm-1: acting"]


@pytest.mark.parametrize(
    "change",
    [
        lambda host: host.write("/etc/hosts", "10.0.0.9 printer\n"),
        lambda host: host.path("/etc/hosts").write_text("10.0.0.9 printer\n"),
        lambda host: host.path("/etc/hosts").chmod(0o600),
        lambda host: host.path("/etc/hosts").unlink(),
        lambda host: host.path("/etc/new").mkdir(),
        lambda host: host.path("/etc/new").symlink_to("hosts"),
        lambda host: host.tell("hostname", "other"),
    ],
    ids=["written", "written there", "mode", "gone", "folder", "link", "state"],
)
def test_a_machine_that_differs_at_all_is_asked_itself(folder: Path, change: object) -> None:
    script = "cat /etc/hosts; stat -c %a /etc/hosts; ls /etc; uname -n"
    first, second = FakeHost("vm-1", "10.0.0.11", folder / "a"), FakeHost("vm-1", "10.0.0.11", folder / "b")
    before = first.run(script, what="asking")
    assert second.run(script, what="asking").stdout == before.stdout

    change(second)  # type: ignore[operator]

    assert second.run(script, what="asking", check=False).stdout != before.stdout


def test_who_was_shown_a_path_may_change_it_at_any_time(folder: Path) -> None:
    host = FakeHost("vm-1", "10.0.0.11", folder / "a")
    path = host.path("/etc/hosts")
    host.run("cat /etc/hosts", what="asking")

    path.write_text("10.0.0.9 printer\n")

    assert host.read("/etc/hosts") == "10.0.0.9 printer\n"
    assert host.run("cat /etc/hosts", what="asking").stdout == "10.0.0.9 printer\n"


@pytest.mark.parametrize("by_script", [True, False])
def test_as_many_bytes_written_in_the_same_moment_are_others(folder: Path, by_script: bool) -> None:
    host = FakeHost("vm-1", "10.0.0.11", folder / "a")
    path = host.path("/etc/hosts")
    for content in ("one", "two", "six"):
        if by_script:
            host.run(f"printf {content} >/etc/hosts", what="acting")
        else:
            path.write_text(content)
            host.disk.state()
        assert host.run("cat /etc/hosts", what="asking").stdout == content


def test_folders_are_listed_whether_there_is_a_root_or_not(folder: Path) -> None:
    host = FakeHost("vm-1", "10.0.0.11", folder / "a")
    host.unit("etcd")
    host.write("/etc/none", "x")
    assert host.disk.folders_in(".state/units") == ["etcd"]

    host.run("mkdir /etc/one; : >/etc/two", what="acting")
    assert {"one", "systemd"} == set(host.disk.folders_in("etc"))
    host.path("/etc/three").mkdir()
    assert {"one", "three", "systemd"} == set(host.disk.folders_in("etc"))


def test_a_file_that_stays_keeps_its_time(folder: Path) -> None:
    machine(folder / "a").run("echo x >/etc/one", what="acting")
    host = machine(folder / "b")
    kept = host.path("/etc/hosts").stat().st_mtime_ns

    host.run("echo x >/etc/one", what="acting")

    assert host.path("/etc/hosts").stat().st_mtime_ns == kept
    assert host.read("/etc/one") == "x\n"


def test_what_a_link_leads_to_is_part_of_the_machine(folder: Path) -> None:
    disk = Disk(folder / "a")
    disk.link(".state/shared", folder / "shared")
    before = disk.state()
    (folder / "shared").write_text("more")

    assert disk.state() != before
    assert disk.read(".state/shared") == b"more"
