"""The lab's helm: Helm's own flags and parser, and nothing that Helm would refuse."""

from __future__ import annotations

import io

import pytest

from deployments.lab.helm import cli, releases

CHART = "/opt/charts/chart.tgz"


def test_an_escaped_comma_arrives_as_a_comma() -> None:
    given = [r"common.env.IPS=10.99.0.11\,10.99.0.12", "common.env.DAYS=7", "common.nodeSelectorValue=1"]
    assert releases.values([], given) == {
        "common": {"env": {"IPS": "10.99.0.11,10.99.0.12", "DAYS": "7"}, "nodeSelectorValue": "1"}
    }


def test_of_two_values_for_one_key_the_later_counts() -> None:
    assert releases.values([], ["a.b=1", "a.b=2"]) == {"a": {"b": "2"}}


@pytest.mark.parametrize(("given", "below"), [('{"a": {"b": "1", "c": 2}}', {"c": 2}), ("null", {})])
def test_values_on_standard_input_lie_below_those_of_the_command_line(
    given: str, below: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(given))

    assert releases.values(["-"], ["a.b=3"]) == {"a": {**below, "b": "3"}}


def test_the_runbooks_command_is_understood() -> None:
    line = f"upgrade --install backup-ctl {CHART} -n uap --create-namespace --values - --set-string a=b --wait --timeout 5m"
    asked = cli.parse(line.split())
    assert (asked.release, asked.chart, asked.namespace) == ("backup-ctl", CHART, "uap")
    assert (asked.install, asked.create_namespace, asked.wait, asked.timeout) == (True, True, True, 300)
    assert (asked.values, asked.set_string) == (["-"], ["a=b"])


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("5m", 300), ("1h30m", 5400)])
def test_durations_are_gos(text: str, seconds: int) -> None:
    assert cli.seconds(text) == seconds


@pytest.mark.parametrize(
    "line",
    [["--version"], ["upgrade", "r", CHART, "--timeout", "300"], ["list", "-o", "xml"], ["upgrade", "r", CHART, "--instal"], []],
    ids=" ".join,
)
def test_what_helm_refuses_is_refused(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(line) == 1
    assert capsys.readouterr().err.startswith("Error: ")
