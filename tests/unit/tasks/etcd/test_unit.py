"""The unit of a joining member, whole."""

from pathlib import Path

from blocks.ports import Member
from tasks.etcd.unit import etcd_unit
from tests.fakes.platform import platform

GOLDEN = Path(__file__).parent / "golden"
PLATFORM = platform()


def member(name: str, address: str, *, learner: bool = False) -> Member:
    return Member(1, name, (f"http://{address}:2380",), (), learner)


def test_the_etcd_unit_names_every_member_and_the_new_one_by_its_own_name() -> None:
    members = [member("etcd-a", "10.0.0.11"), member("etcd-b", "10.0.0.12"), member("", "10.0.0.21", learner=True)]

    assert etcd_unit(PLATFORM, PLATFORM.targets[0], members, {}) == (GOLDEN / "etcd.service").read_text()
