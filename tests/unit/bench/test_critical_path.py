"""What a run could not have been faster than, by its journal."""

from __future__ import annotations

import pytest

from tasks.engine.journal import Entry, Report
from tests.bench.critical_path import ANY, BESIDE, OF_ETCD, OWN, awaited, by_step, critical_path
from tests.unit.tasks.engine.test_contract import STEPS

SETTING = {"targets": [{"name": "p1", "role": "server"}, {"name": "p2", "role": "agent"}]}


def at(second: float) -> str:
    return f"2026-11-28T10:{int(second) // 60:02}:{second % 60:06.3f}+00:00"


def run(text: str, ends: float) -> Report:
    """A report with an entry per line: phase, step with _ for blanks, target, begin, end; in the runbook's order."""
    entries = []
    for number, line in enumerate(filter(None, map(str.strip, text.splitlines())), start=1):
        phase, step, target, begun, ended = line.split()
        entries.append(Entry(step.replace("_", " "), target, at(float(begun)), at(float(ended)), phase=phase, number=number))
    return Report("lab", "1", "migrate", dry_run=False, begun=at(0), ended=at(ends), entries=entries, setting=SETTING)


def path_of(report: Report) -> list[str]:
    return [link.name for link in critical_path(report).links]


JOIN = """
    backup  backup                  lab   1   2
    canary  write_/etc/hosts        v1    2   9
    canary  open_firewall           p1    2   3
    canary  check_routes            v1    3   4
    canary  check_routes            p2    3   5
    canary  uninstall_old_k3s       p1    5   8
    canary  set_hostname            p1    8   9
    canary  write_/etc/hosts        p1    9  10
    canary  stage_k3s_files         p1    8   9
    canary  load_images             p1    9  12
    canary  join_etcd               p1   10  20
    join    open_firewall           p2   20  21
    join    check_routes            p1   21  22
    join    uninstall_old_k3s       p2   22  24
    join    set_hostname            p2   24  25
    join    write_/etc/hosts        p2   25  26
    join    stage_k3s_files         p2   24  25
    join    load_images             p2   25  40
    join    join_etcd               p2   26  33
    join    carry_k3s_files         p2   40  41
    join    join_k3s                p2   41  50
    join    label_node              p2   50  51
    join    carry_k3s_files         p1   51  52
    join    join_k3s                p1   52  70
    join    label_node              p1   70  71
    join    set_up_keepalived       p1   71  81
    join    check_pod_network       v1   71  73
    drain   cordon                  v1   82  83
"""


def test_a_step_waits_for_what_the_flow_submits_it_after() -> None:
    path = critical_path(run(JOIN, 83))

    assert [link.name for link in path.links] == [
        "backup on lab", "open firewall on p1", "check routes on p2", "uninstall old k3s on p1", "set hostname on p1",
        "write /etc/hosts on p1", "join etcd on p1", "open firewall on p2", "check routes on p1", "uninstall old k3s on p2",
        "stage k3s files on p2", "load images on p2", "carry k3s files on p2", "join k3s on p2", "label node on p2",
        "carry k3s files on p1", "join k3s on p1", "label node on p1", "set up keepalived on p1", "cordon on v1",
    ]  # fmt: skip
    assert {pair: gap for pair, gap in path.gaps.items() if gap} == {
        ("", "backup on lab"): 1,
        ("set up keepalived on p1", "cordon on v1"): 1,
    }


def test_the_path_and_what_is_beyond_it_are_the_whole_run() -> None:
    path = critical_path(run(JOIN, 85))

    assert (path.seconds, path.beyond, path.rest) == (81, 4, 2)
    assert by_step(path)["join k3s"] == 27
    assert sum(by_step(path, lambda link: link.gap).values()) == 2


def test_a_server_waits_for_the_last_voter_where_that_is_later_than_agents_and_images() -> None:
    late = JOIN.replace("p2   26  33", "p2   26  51").replace("p2   50  51", "p2   50  50.5")

    assert path_of(run(late, 83))[-6:-4] == ["join etcd on p2", "carry k3s files on p1"]


def test_without_a_firewall_to_open_targets_wait_for_what_came_before() -> None:
    closed = "\n".join(line for line in JOIN.splitlines() if "open_firewall" not in line and "check_routes" not in line)

    assert path_of(run(closed, 83))[:2] == ["backup on lab", "uninstall old k3s on p1"]
    assert "join etcd on p1" in path_of(run(closed, 83))


def test_steps_side_by_side_do_not_wait_for_each_other() -> None:
    retired = """
        preflight  check_machine        p1   0   1
        preflight  check_machine        p2   1   5
        retire     stop_k3s_on_source   v1   5   6
        retire     stop_k3s_on_source   v2   5   7
        retire     delete_node          v1   7   8
        retire     delete_node          v2   7  10
        retire     move_etcd_leader     v1   8   9
        retire     remove_etcd_member   v1   9  10
        retire     retire_etcd_data     v1  10  14
        verify     verify_etcd          lab 14  15
    """

    assert path_of(run(retired, 15)) == [
        "check machine on p2", "stop k3s on source on v2", "move etcd leader on v1", "remove etcd member on v1",
        "retire etcd data on v1", "verify etcd on lab",
    ]  # fmt: skip


def test_the_holder_gives_the_vip_away_after_the_standbys_which_go_side_by_side() -> None:
    handed = run(
        """
        keepalived  hand_over_VIP  v2  0  5
        keepalived  hand_over_VIP  v3  0  4
        keepalived  hand_over_VIP  v1  5  7
        """,
        7,
    )

    assert path_of(handed) == ["hand over VIP on v2", "hand over VIP on v1"]
    assert awaited(handed.entries[1], handed) == []


def test_a_run_without_steps_is_all_beyond_the_path_and_one_that_has_not_ended_has_none() -> None:
    path = critical_path(run("", 3))
    assert (path.seconds, path.beyond, path.gaps) == (0, 3, {})

    running = run(JOIN, 83)
    running.entries[-1].ended = None
    with pytest.raises(ValueError, match="run 1 has not ended"):
        critical_path(running)


def test_every_name_of_a_rule_is_that_of_a_step() -> None:
    known = {step.name for step in STEPS.values()}
    pairs = [*OWN.items(), *ANY.items()]

    assert {name for after, before in pairs for name in (after, *before)} <= known
    assert {name for group in (*BESIDE, OF_ETCD) for name in group} <= known
