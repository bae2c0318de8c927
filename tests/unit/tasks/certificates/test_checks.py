"""What would fail only when a member joins is found before anything is changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tasks.certificates.checks import check_certificates
from tasks.engine.finding import FindingsError
from tasks.engine.outcome import Outcome
from tests.fakes.certificates import Authority
from tests.fakes.world import World
from tests.unit.tasks.certificates.conftest import serve


def ask(world: World) -> Outcome:
    tls = world.platform.etcd.tls
    assert tls is not None
    return check_certificates.fn(world.run(), world.platform, tls, world.hosts, world.etcd)


def refused(world: World) -> list[str]:
    with pytest.raises(FindingsError) as error:
        ask(world)
    return [f"{finding.where} {finding.id}" for finding in error.value.findings]


def test_certificates_of_one_authority_are_no_finding(world: World) -> None:
    outcome = ask(world)

    assert (outcome.why, outcome.findings) == ("3 new members have theirs", ())


def test_certificates_that_lead_to_the_authority_through_another_are_no_finding(world: World, authority: Authority) -> None:
    between = Authority(authority.folder / "between", "between", above=authority)
    cert, key = between.issue("phys-1", "10.0.0.21")
    (authority.folder / "members/phys-1.crt").write_bytes(cert.read_bytes() + between.cert.read_bytes())
    (authority.folder / "members/phys-1.key").write_bytes(key.read_bytes())

    assert ask(world).findings == ()


PHYS_1 = "members/phys-1"
Spoil = Callable[[Authority], object]


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda a: (a.folder / f"{PHYS_1}.key").unlink(), "phys-1 etcd-tls-unreadable"),
        (lambda a: (a.folder / f"{PHYS_1}.crt").write_text("no PEM"), "phys-1 etcd-tls-unreadable"),
        (lambda a: a.issue(PHYS_1, "10.0.0.21", passphrase=b"x"), "phys-1 etcd-tls-unreadable"),
        (lambda a: (a.folder / f"{PHYS_1}.key").write_bytes((a.folder / "client.key").read_bytes()), "phys-1 etcd-key-differs"),
        (lambda a: a.issue(PHYS_1, "10.0.0.22"), "phys-1 etcd-certificate-other-address"),
        (lambda a: a.issue(PHYS_1), "phys-1 etcd-certificate-other-address"),
        (lambda a: a.issue(PHYS_1, "10.0.0.21", usages=("serverAuth",)), "phys-1 etcd-certificate-usage"),
        (lambda a: a.issue("client", usages=("serverAuth",)), "etcd etcd-certificate-usage"),
        (lambda a: a.issue("client", days=0.5), "etcd etcd-certificate-expired"),
        (lambda a: a.issue(PHYS_1, "10.0.0.21", days=-1), "phys-1 etcd-certificate-expired"),
    ],
    ids=["no key", "no certificate", "encrypted", "another's key", "another's address", "no address", "for servers only",
         "no client's", "not for the night", "expired"],
)  # fmt: skip
def test_a_pair_that_will_not_do_is_refused(world: World, authority: Authority, spoil: Spoil, expected: str) -> None:
    spoil(authority)

    assert refused(world) == [expected]


def test_a_certificate_without_limits_may_be_used_for_all(world: World, authority: Authority) -> None:
    authority.issue(PHYS_1, "10.0.0.21", usages=())

    assert ask(world).findings == ()


def test_a_certificate_that_soon_ends_is_a_warning(world: World, authority: Authority) -> None:
    authority.issue(PHYS_1, "10.0.0.21", days=20)

    assert [finding.id for finding in ask(world).findings] == ["etcd-certificate-expires"]


def test_what_no_authority_has_signed_is_refused_and_old_members_would_refuse_it(world: World, authority: Authority) -> None:
    cert, key = Authority(authority.folder / "other").issue("phys-1", "10.0.0.21")
    (authority.folder / f"{PHYS_1}.crt").write_bytes(cert.read_bytes())
    (authority.folder / f"{PHYS_1}.key").write_bytes(key.read_bytes())

    assert refused(world) == ["phys-1 etcd-certificate-foreign", "vm-1 etcd-authority-differs", "vm-2 etcd-authority-differs"]


def test_members_of_another_authority_are_refused_on_both_sides(world: World, authority: Authority) -> None:
    other = Authority(authority.folder / "other")
    other.issue("members/vm-2", "10.0.0.12")
    serve(world, "vm-2", other)

    with pytest.raises(FindingsError) as error:
        ask(world)

    said = "\n".join(map(str, error.value.findings))
    assert "vm-2: it does not accept etcd.tls.cert: no authority in --trusted-ca-file=/etc/etcd/ca.crt has signed them" in said
    assert "vm-2: it does not accept new members' certificates: no authority in --peer-trusted-ca-file" in said
    assert "vm-2: --peer-cert-file=/etc/etcd/own.crt comes from no authority in etcd.tls.ca" in said
    assert {finding.where for finding in error.value.findings} == {"vm-2"}


def test_two_authorities_in_one_file_are_both_accepted(world: World, authority: Authority) -> None:
    other = Authority(authority.folder / "other")
    other.issue("members/vm-2", "10.0.0.12")
    serve(world, "vm-2", other)
    both = other.cert.read_bytes() + authority.cert.read_bytes()
    authority.cert.write_bytes(both)
    world.hosts["vm-2"].write("/etc/etcd/ca.crt", both.decode())

    assert ask(world).findings == ()


def test_members_that_make_their_own_certificates_are_refused(world: World, authority: Authority) -> None:
    serve(world, "vm-1", authority, "--peer-auto-tls")

    assert refused(world) == ["vm-1 etcd-auto-tls"]


def test_lists_of_revoked_certificates_are_a_warning(world: World, authority: Authority) -> None:
    serve(world, "vm-1", authority, "--peer-crl-file=/etc/etcd/crl.pem")

    assert [finding.id for finding in ask(world).findings] == ["etcd-crl-not-carried"]


def test_a_file_that_can_not_be_read_there_is_a_warning(world: World) -> None:
    world.hosts["vm-1"].path("/etc/etcd/own.crt").unlink()

    assert {finding.id for finding in ask(world).findings} == {"etcd-authority-unread"}


def test_a_key_in_the_same_file_never_leaves_the_machine(
    world: World, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = world.hosts["vm-1"]
    host.write("/etc/etcd/own.crt", (authority.folder / "members/vm-1.key").read_text() + host.read("/etc/etcd/own.crt"))
    answers: list[str] = []
    run = host.run
    monkeypatch.setattr(host, "run", lambda *words, **named: (answer := run(*words, **named), answers.append(answer.stdout))[0])

    assert ask(world).findings == ()
    assert "BEGIN CERT" in "".join(answers)
    assert "PRIVATE" not in "".join(answers)


def test_a_member_that_is_there_already_is_not_judged_again(world: World, authority: Authority) -> None:
    world.etcd.joined("phys-1", "10.0.0.21")
    serve(world, "phys-1", authority)
    authority.issue(PHYS_1, "10.0.0.21", days=-1)

    assert ask(world).why == "2 new members have theirs"
