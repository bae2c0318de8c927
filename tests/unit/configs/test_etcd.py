"""etcd's flags in the config."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tests.fakes.platform import CONFIG, platform


@pytest.mark.parametrize("flag", ["--quota-backend-bytes=8589934592", "--enable-v2=", "--listen-metrics-urls=http://0.0.0.0:2381"])
def test_a_flag_with_its_value_is_taken(flag: str) -> None:
    assert platform(etcd={**CONFIG["etcd"], "args": [flag]}).etcd.args == (flag,)


@pytest.mark.parametrize(
    "flag",
    ["--debug", "-cors=x", "--a=b c", "--name=x", "--initial-cluster-state=new", "--listen-peer-urls=x", "--peer-key-file=/x"],
)
def test_what_is_no_flag_or_a_machines_own_is_refused(flag: str) -> None:
    with pytest.raises(ValidationError, match=r"etcd\.args"):
        platform(etcd={**CONFIG["etcd"], "args": [flag]})
