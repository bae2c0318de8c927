"""The flags of running servers, and those that the new ones get."""

import pytest

from tasks.k3s.flags import differing

RUNNING = "ExecStart=/usr/local/bin/k3s server --node-name vm-1 --disable servicelb --disable traefik --docker --v=2"
CONFIG = ["--docker", "--disable=traefik", "--disable=servicelb", "--v=2"]


def test_order_and_spelling_make_no_difference() -> None:
    assert differing(RUNNING, CONFIG) == ""


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        (CONFIG[1:], "it has --docker"),
        ([*CONFIG, "--cluster-cidr=10.7.0.0/16"], "it lacks --cluster-cidr=10.7.0.0/16"),
        ([*CONFIG[:3], "--v=3"], "it has --v=2, it lacks --v=3"),
    ],
)
def test_what_differs_is_told_from_the_running_servers_side(wish: list[str], told: str) -> None:
    assert differing(RUNNING, wish) == told


@pytest.mark.parametrize("own", ["--node-name=vm-2", "--token=s3cret", "--node-ip 10.0.0.1"])
def test_what_is_one_machines_own_is_not_compared(own: str) -> None:
    assert differing(f"{RUNNING} {own}", CONFIG) == ""


@pytest.mark.parametrize("nobody", ["", "ExecStart=/usr/local/bin/k3s agent --docker"])
def test_where_no_server_is_nothing_differs(nobody: str) -> None:
    assert differing(nobody, CONFIG) == ""
