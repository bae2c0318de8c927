"""What the fan-out benchmark makes of its turns."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.bench.endpoints import Endpoints
from tests.bench.fan_out import HEAD, as_json, ratio, table
from tests.bench.measure import Cost, FailedError, Tree, cost_of
from tests.bench.ours import platform_of
from tests.bench.tools import tools

TURNS = {
    "raw": [Cost(1.0, 0.5, 50.0)],
    "flow": [Cost(2.0, 1.0, 60.0), Cost(6.0, 3.0, 80.0), Cost(4.0, 2.0, 70.0)],
    "ansible": [Cost(4.0, 8.0, 900.0), Cost(6.0, 9.0, 800.0), Cost(16.0, 7.0, 700.0)],
}


def test_a_table_has_medians_and_says_what_was_not_measured() -> None:
    head, rule, line = table({10: TURNS}).splitlines()

    assert head == HEAD
    assert rule.count("|") == head.count("|") == line.count("|")
    assert line == "| 10 | 1.0 / 0.5 / 50 | 4.0 / 2.0 / 70 | 6.0 / 8.0 / 800 | - | 0.50 | - |"


def test_a_ratio_is_of_turns_of_the_same_round() -> None:
    assert ratio(TURNS, "ansible") == 0.5
    assert ratio(TURNS, "pyinfra") is None
    assert as_json({10: TURNS})["10"]["flow_to"] == {"ansible": 0.5, "pyinfra": None}


def test_a_trees_memory_is_that_of_all_below_the_root_each_page_once(tmp_path: Path) -> None:
    for pid, parent, kb in ((1, 0, 7), (20, 1, 1000), (21, 20, 300), (22, 21, 30), (30, 1, 5)):
        folder = tmp_path / str(pid)
        folder.mkdir()
        (folder / "stat").write_text(f"{pid} (a name) with) S {parent} 1 1")
        (folder / "smaps_rollup").write_text(f"Rss: 9999 kB\nPss:   {kb} kB\nPss_Anon: 1 kB\n")
    tree = Tree(20, tmp_path)

    tree.weigh()
    assert tree.peak_kb == 1330
    (tmp_path / "22" / "stat").unlink()
    (tmp_path / "22" / "smaps_rollup").unlink()
    (tmp_path / "22").rmdir()
    assert sorted(tree.look()) == [20, 21]


def test_what_a_process_costs_is_said_with_its_childrens_time() -> None:
    burn = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'sum(range(10**7))'])"

    assert cost_of([sys.executable, "-c", burn], {}).cpu_s > 0.1


@pytest.mark.parametrize(("code", "shows"), [("print('on'); raise SystemExit(3)", ("on", 1)), ("print('on')", ("on", 2))])
def test_what_did_not_do_its_work_is_no_measure(code: str, shows: tuple[str, int]) -> None:
    with pytest.raises(FailedError, match="on"):
        cost_of([sys.executable, "-c", code], {}, shows=shows)


def test_every_tool_gets_the_same_machines(tmp_path: Path) -> None:
    addresses = tuple(f"127.77.0.{number}" for number in range(1, 31))
    raw, flow, ansible, pyinfra = tools(Endpoints(tmp_path, 2222, addresses), 20, Path("/opt/bin"), "http://127.0.0.1:4200/api")

    assert [machine.name for machine in platform_of(addresses[:20]).machines] == [f"m-{number}" for number in range(20)]
    assert (tmp_path / "20/hosts.ini").read_text().count("ansible_port=2222") == 20
    assert (tmp_path / "20/inventory.py").read_text().count("'ssh_port': 2222") == 20
    assert ansible.shows == pyinfra.shows == ("--fact-", 20)
    assert flow.env["PREFECT_API_URL"].startswith("http://127.0.0.1:")
    assert raw.words[-1] == flow.words[-1] == tmp_path / "20/fleet.json"
