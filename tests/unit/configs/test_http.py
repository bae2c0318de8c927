"""A check of a service is a URL, or a URL with its certificate's authority."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.fakes.platform import platform


def test_a_url_may_be_written_by_itself() -> None:
    (check,) = platform(http_checks=["http://10.0.0.100:30080"]).http_checks

    assert (str(check), check.ca) == ("http://10.0.0.100:30080/", None)


def test_the_file_of_an_authority_stands_beside_it_and_may_be_in_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ops")

    (check,) = platform(http_checks=[{"url": "https://shop.example.com/", "ca": "~/pki/ca.crt"}]).http_checks

    assert (str(check), check.ca) == ("https://shop.example.com/", Path("/home/ops/pki/ca.crt"))


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ({"url": "http://shop.example.com/", "ca": "ca.crt"}, "http://shop.example.com/ has no certificate: leave ca out, or write https"),
        ({"ca": "ca.crt"}, "Field required"),
        ({"url": "https://shop.example.com/", "verify": False}, "Extra inputs are not permitted"),
    ],
)
def test_what_can_not_be_meant_is_refused(check: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        platform(http_checks=[check])
