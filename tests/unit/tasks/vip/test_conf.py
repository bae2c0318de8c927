"""keepalived.conf, whole."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from tasks.vip.conf import keepalived_conf
from tests.fakes.platform import platform

GOLDEN = Path(__file__).parent / "golden"
PLATFORM = platform()


@pytest.mark.parametrize("rank", [0, 1])
def test_keepalived_is_a_backup_that_does_not_preempt(rank: int) -> None:
    conf = keepalived_conf(PLATFORM, PLATFORM.targets[rank], SecretStr("s3cret"))

    assert conf == (GOLDEN / f"keepalived-{rank + 1}.conf").read_text()
