"""The unit of a joining member, whole."""

from pathlib import Path

from blocks.ports import Member
from tasks.etcd.unit import etcd_unit
from tests.fakes.platform import CONFIG, platform

GOLDEN = Path(__file__).parent / "golden"
PLATFORM = platform()


TLS = platform(etcd={**CONFIG["etcd"], "tls": {"ca": "/p/ca", "cert": "/p/c", "key": "/p/k", "members": "/p/m"}})


def member(name: str, address: str, *, learner: bool = False, scheme: str = "http") -> Member:
    return Member(1, name, (f"{scheme}://{address}:2380",), (), learner)


def test_the_etcd_unit_names_every_member_and_the_new_one_by_its_own_name() -> None:
    members = [member("etcd-a", "10.0.0.11"), member("etcd-b", "10.0.0.12"), member("", "10.0.0.21", learner=True)]

    assert etcd_unit(PLATFORM, PLATFORM.targets[0], members, {}) == (GOLDEN / "etcd.service").read_text()


def test_with_tls_it_has_its_pair_for_clients_and_for_peers() -> None:
    names = {"etcd-a": "10.0.0.11", "etcd-b": "10.0.0.12", "": "10.0.0.21"}
    members = [member(name, address, learner=not name, scheme="https") for name, address in names.items()]

    unit = etcd_unit(TLS, TLS.targets[0], members, {"client-cert-auth": "true"})

    assert unit == (GOLDEN / "etcd-tls.service").read_text()
