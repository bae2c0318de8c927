"""keepalived.conf: the targets' whole, a source's read."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from tasks.vip.conf import Instance, instance_of, keepalived_conf, masked
from tests.fakes.platform import platform

GOLDEN = Path(__file__).parent / "golden"
PLATFORM = platform()
SECRET = SecretStr("s3cret")
RIGHT = "virtual_router_id 51\n  advert_int 1\n  auth_pass s3cret\n"
OURS = f"vrrp_instance VI_1 {{\n{RIGHT}  virtual_ipaddress {{\n    10.0.0.100/24\n  }}\n}}\n"
OTHER = "vrrp_instance VI_2 {\n  virtual_router_id 52\n  virtual_ipaddress {\n    10.0.0.10\n  }\n}\n"
UNICAST = f"{RIGHT}  unicast_peer {{\n    10.0.0.12\n  }}\n"


@pytest.mark.parametrize("rank", [0, 1])
def test_keepalived_is_a_backup_that_does_not_preempt(rank: int) -> None:
    conf = keepalived_conf(PLATFORM, PLATFORM.targets[rank], SECRET)

    assert conf == (GOLDEN / f"keepalived-{rank + 1}.conf").read_text()


@pytest.mark.parametrize(
    ("conf", "found"),
    [
        (RIGHT, Instance("51", "1", SECRET, unicast=False)),
        (RIGHT.replace("  advert_int 1\n", ""), Instance("51", "1", SECRET, unicast=False)),
        (RIGHT.replace("51", "52"), Instance("52", "1", SECRET, unicast=False)),
        (RIGHT.replace("advert_int 1", "advert_int 3"), Instance("51", "3", SECRET, unicast=False)),
        (RIGHT.replace("s3cret", "0ther"), Instance("51", "1", SecretStr("0ther"), unicast=False)),
        (UNICAST, Instance("51", "1", SECRET, unicast=True)),
        (OURS + OTHER, Instance("51", "1", SECRET, unicast=False)),
        (OTHER + OURS, Instance("51", "1", SECRET, unicast=False)),
        ("", Instance("", "1", SecretStr(""), unicast=False)),
    ],
    ids=[
        "the same", "a default", "another router", "another interval", "another password", "unicast",
        "another instance after", "another instance before", "nothing",
    ],
)  # fmt: skip
def test_the_instance_that_has_the_vip_is_read(conf: str, found: Instance) -> None:
    assert instance_of(conf, PLATFORM) == found


def test_of_a_long_password_keepalived_reads_the_first_eight_bytes() -> None:
    assert instance_of(RIGHT.replace("s3cret", "s3cretword"), PLATFORM).auth_pass == SecretStr("s3cretwo")


def test_an_instance_does_not_show_its_password() -> None:
    assert "s3cret" not in repr(instance_of(OURS, PLATFORM))


def test_a_configuration_is_shown_without_its_password() -> None:
    assert masked(RIGHT) == RIGHT.replace("s3cret", "**********")
