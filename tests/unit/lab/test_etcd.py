"""Which etcd the machines run, and how it says that it is healthy."""

from __future__ import annotations

import pytest

from deployments.lab import packages, parts
from deployments.lab.initial import is_healthy
from deployments.lab.shell import LabError


def test_by_default_it_is_that_of_the_root_file_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_ETCD", raising=False)

    assert (packages.etcd_version(), parts.etcd()) == ("3.4", [])


def test_another_one_is_a_part_of_the_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_ETCD", "3.5")

    assert [part.name for part in parts.etcd()] == ["etcd"]
    assert packages.other_etcd() == "trixie"


def test_one_that_no_debian_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_ETCD", "3.6")

    with pytest.raises(LabError, match=r"LAB_ETCD: '3.6' is none of 3.4, 3.5"):
        parts.etcd()


@pytest.mark.parametrize(
    ("said", "healthy"),
    [
        ({"health": "true"}, True),  # 3.4.23
        ({"health": "true", "reason": ""}, True),  # 3.5.16
        ({"health": "false"}, False),
        ({"health": "false", "reason": "RAFT NO LEADER"}, False),
        (None, False),
    ],
)
def test_health_is_read_as_3_4_and_3_5_say_it(said: object, healthy: bool) -> None:
    assert is_healthy(said) is healthy
