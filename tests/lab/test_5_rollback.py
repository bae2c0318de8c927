"""After a complete migration, the sources switched off: data and images are restored, or nothing is touched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.kills import Kill, run_to_the_end
from tests.lab import leaks, release, world
from tests.lab.conftest import Migrated, run_deployment
from tests.lab.leaks import Arguments
from tests.lab.release import Checked

LAKE = "/mnt/uap-global/backup"


@pytest.fixture(scope="module")
def root(secrets: dict[str, str]) -> str:
    return secrets["LAB_MYSQL_ROOT_PASSWORD"]


@pytest.fixture(scope="module")
def backed_up(migrated: Migrated, root: str) -> Checked:
    """What was recorded by the migration, and its backup: nothing has been written since."""
    world.lab("power-off", *world.SOURCES)
    world.on("phys-1", "k3s kubectl delete deployment newcomer --ignore-not-found")
    return Checked(release.checksums(root), world.images("phys-1"))


@pytest.fixture
def spoiled(backed_up: Checked, root: str) -> Checked:
    release.spoil_rows(root)
    release.roll_out_bad_release("phys-1", world.TARGETS)
    return backed_up


def assert_brought_back(wanted: Checked, secrets: dict[str, str]) -> None:
    root = secrets["LAB_MYSQL_ROOT_PASSWORD"]
    assert release.checksums(root) == wanted.checksums
    assert release.time_zone(root) == "+08:00"
    with release.connect("wacos", secrets["LAB_MYSQL_WACOS_PASSWORD"]):
        pass
    assert world.images("phys-1") == wanted.images
    assert release.all_ready("phys-1")
    assert release.writer_replicas("phys-1") == 2
    assert '"web"' in world.web()[0]


def test_a_no_leaves_everything_as_it_is(backed_up: Checked, secrets: dict[str, str]) -> None:
    ran = release.run_asked("rollback/lab", "abort")
    assert not ran.ok
    assert "night shift answered 'abort'" in ran.report["error"]
    assert "[approval-refused]" in ran.report["error"]
    assert_brought_back(backed_up, secrets)


def test_a_rollback_brings_data_and_images_back(spoiled: Checked, secrets: dict[str, str]) -> None:
    assert release.checksums(secrets["LAB_MYSQL_ROOT_PASSWORD"]) != spoiled.checksums
    with Arguments() as arguments:
        ran = release.run_asked("rollback/lab", "approve")
    assert ran.ok, ran.report["error"]
    assert_brought_back(spoiled, secrets)
    assert not [line for line in arguments.seen for value in secrets.values() if value in line]


def test_no_secret_is_left_behind(backed_up: Checked, secrets: dict[str, str]) -> None:
    token = world.on("phys-1", "cat /var/lib/rancher/k3s/server/token").strip().rpartition(":")[2]
    values = [*secrets.values(), token]
    assert leaks.left_behind(values) == []
    for target in world.TARGETS:
        assert leaks.on_disk(target, values) == []


@pytest.fixture
def lake_file(request: pytest.FixtureRequest) -> Iterator[None]:
    """A file in the file lake that makes backup-ctl fail, for the time of a test."""
    name, content = request.param
    world.on("phys-1", f"printf %s '{content}' > {LAKE}/{name}")
    yield
    world.on("phys-1", f"rm -f {LAKE}/{name}")


@pytest.mark.parametrize("lake_file", [(".fail-restore", "region not found")], indirect=True)
def test_a_failed_restore_is_reported_and_writers_keep_running(backed_up: Checked, lake_file: None, secrets: dict[str, str]) -> None:
    ran = run_deployment("rollback/lab")
    assert not ran.ok
    assert "region not found" in ran.report["error"]
    assert "kubectl describe restores.pingcap.com" in ran.report["error"]
    assert_brought_back(backed_up, secrets)


@pytest.mark.parametrize(
    ("damage", "message"),
    [("truncate -s -100", "is damaged"), ("mv -t /mnt/uap-global", "there is no")],
    ids=["truncated", "missing"],
)
def test_a_bad_archive_is_refused(backed_up: Checked, secrets: dict[str, str], damage: str, message: str) -> None:
    name = world.on("phys-1", f"ls -t {LAKE} | grep tar.gz | tail -n1").strip()
    world.on("phys-1", f"cp -p {LAKE}/{name} /root/kept.tar.gz && {damage} {LAKE}/{name}")
    ran = run_deployment("rollback/lab", backup=name)
    world.on("phys-1", f"cp -p /root/kept.tar.gz {LAKE}/{name}; rm -f /mnt/uap-global/{name}")
    assert not ran.ok
    assert message in ran.report["error"]
    assert_brought_back(backed_up, secrets)


def test_a_missing_image_is_refused_with_its_remedy(backed_up: Checked, secrets: dict[str, str]) -> None:
    image_map = {"Deployment iottepa/web": {"web": "ecology/web:9.9.9"}}
    ran = run_deployment("rollback/lab", what="images", image_map=image_map)
    assert not ran.ok
    assert "docker lacks ecology/web:9.9.9" in ran.report["error"]
    assert "docker load -i" in ran.report["error"]
    assert_brought_back(backed_up, secrets)


def test_backup_ctl_down_is_refused(backed_up: Checked, secrets: dict[str, str]) -> None:
    world.on("phys-1", "k3s kubectl -n uap scale deployment/backup-ctl --replicas=0")
    world.on("phys-1", "k3s kubectl -n uap wait --for=delete pod -l app=backup-ctl --timeout=90s")
    ran = run_deployment("rollback/lab")
    world.on("phys-1", "k3s kubectl -n uap scale deployment/backup-ctl --replicas=1")
    world.on("phys-1", "k3s kubectl -n uap rollout status deployment/backup-ctl --timeout=90s")
    assert not ran.ok
    assert "no Ready pod app=backup-ctl" in ran.report["error"]
    assert_brought_back(backed_up, secrets)


def test_a_wrong_root_password_is_refused(backed_up: Checked, root: str, secrets: dict[str, str]) -> None:
    with release.connect("root", root) as db:
        db.cursor().execute("ALTER USER 'root'@'%' IDENTIFIED BY 'another'")
    ran = run_deployment("rollback/lab")
    with release.connect("root", "another") as db:
        db.cursor().execute("ALTER USER 'root'@'%%' IDENTIFIED BY %s", (root,))
    assert not ran.ok
    assert "root can't log in" in ran.report["error"]
    assert_brought_back(backed_up, secrets)


def test_killed_at_every_act_it_ends_in_the_same_state(spoiled: Checked, secrets: dict[str, str], tmp_path: Path) -> None:
    kills = run_to_the_end(
        "rollback", tmp_path / "ledger", ("before act", "after act"), secrets, after_each=assert_writers_to_be_restored_are_recorded
    )
    print(*kills, sep="\n")  # noqa: T201 - with -s, where it was killed
    points = [point for kill in kills for point in kill.points]
    assert ("after act", "Deployment iottepa/writer") in {(moment, target) for moment, target, _ in points}
    assert len(points) >= 8
    assert_brought_back(spoiled, secrets)


def assert_writers_to_be_restored_are_recorded(_kill: Kill) -> None:
    """However a rollback dies: writers that were scaled down are in its record, so that the next run restores them."""
    if release.writer_replicas("phys-1") == 0:
        recorded = [text for key, text in world.keys("phys-1", "/evenkeel/lab/rollbacks/").items() if "/writers/" in key]
        assert any('"back": false' in text and '"replicas": 2' in text for text in recorded)
