"""The whole move on fakes: planned, broken in the middle, continued, and run once more."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from blocks.errors import HostError
from configs.platform import Platform
from flows.evidence import setting_of
from flows.migrate import move
from tasks.engine import waiting
from tasks.engine.finding import FindingsError
from tasks.engine.journal import Entry, Report
from tests.bench.critical_path import awaited, critical_path
from tests.conftest import MEMORY
from tests.fakes import machines
from tests.fakes.clock import FakeTime
from tests.fakes.platform import CONFIG, platform
from tests.fakes.workload import FakeWorkload
from tests.fakes.world import World
from tests.flows.sessions import perform

PATIENT = dict.fromkeys(("http_s", "api_s", "etcd_s", "sql_s"), 600)
"""The fake clients are asked once per act, in real time."""


@dataclass
class Story:
    """What the four runs have done, one after the other."""

    world: World
    planned: Report
    changed_by_plan: list[str]
    asked_by_plan: list[str]
    """What the first source was asked."""
    broken: str
    done: list[Entry]
    """Steps that changed something, in their order, of the broken run and of the one that went on."""
    again: Report
    changed_again: list[str]

    def begun(self, step: str) -> list[str]:
        return [entry.begun for entry in self.done if entry.step == step]

    def ended(self, step: str) -> list[str]:
        return [str(entry.ended) for entry in self.done if entry.step == step]


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    time = FakeTime()
    token = waiting.clock.set(waiting.Clock(time.now, time.sleep))
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield run_all(World(Path(folder), time, small()))
    waiting.clock.reset(token)


def small() -> Platform:
    """Two sources and two targets, a server and an agent; without URLs to ask, for nobody answers there."""
    return platform(http_checks=[], targets=CONFIG["targets"][1:], interruption=PATIENT)


def run_all(world: World) -> Story:
    machines.call_k3s(world.hosts["vm-1"], "k3s-prod")
    world.forget()
    planned = perform(move, world, dry=True)
    by_plan, asked = list(world.mutations), list(world.hosts["vm-1"].calls)
    world.hosts["vm-2"].fail("stopping k3s", HostError("vm-2: k3s hangs"))
    reports: list[Report] = []
    with pytest.raises(HostError) as broken:
        perform(move, world, reports=reports)
    perform(move, world, reports=reports)
    world.forget()
    again = perform(move, world)
    done = [entry for report in reports for entry in report.entries if entry.outcome == "changed"]
    return Story(world, planned, by_plan, asked, str(broken.value), done, again, list(world.mutations))


def test_a_plan_changes_nothing(story: Story) -> None:
    assert story.changed_by_plan == []


def test_a_plan_lists_for_every_machine_what_would_be_done(story: Story) -> None:
    machines = {machine.name for machine in story.world.platform.machines}

    assert machines <= {entry.target for entry in story.planned.entries if entry.outcome == "planned"}


def test_plan_and_report_name_the_unit_that_runs_k3s(story: Story) -> None:
    stopping = ("stop k3s on source", "vm-1")
    planned, done = ([e.why for e in entries if (e.step, e.target) == stopping] for entries in (story.planned.entries, story.done))

    assert planned == ["k3s is stopped and disabled: now the unit k3s-prod is active enabled, 1 containers of its pods run"]
    assert done == ["k3s-prod is off and disabled"]


def test_the_flags_of_running_members_are_read_once_for_the_check_and_once_for_all_that_join(story: Story) -> None:
    assert story.asked_by_plan.count("reading etcd's flags") == 2


def test_an_error_ends_the_run_in_its_own_words(story: Story) -> None:
    assert story.broken == "vm-2: k3s hangs [host-error]"


def test_everything_is_on_the_targets_at_the_end(story: Story) -> None:
    world, targets = story.world, [target.name for target in story.world.platform.targets]

    assert sorted(member.name for member in world.etcd.members()) == targets
    assert sorted(node.name for node in world.kube.nodes()) == targets
    assert world.vip_on == ["phys-2"]
    assert world.record.finished


def test_sources_are_off_and_their_data_is_kept(story: Story) -> None:
    for name, k3s in (("vm-1", "k3s-prod"), ("vm-2", "k3s")):
        host = story.world.hosts[name]
        assert {host.unit_state(unit) for unit in ("etcd", "keepalived")} == {("inactive", "disabled")}
        assert host.unit_state(k3s) == ("failed", "disabled")
        assert host.read(f"/mnt/disks/etcd.aside-{story.world.record.name}/member/snap/db") == "data\n"


def test_nothing_was_done_twice(story: Story) -> None:
    done = [(entry.step, entry.target) for entry in story.done]

    assert len(done) == len(set(done))


def test_the_whole_platform_is_verified_at_the_end(story: Story) -> None:
    *verified, last = [entry.step for entry in story.again.entries][-9:]

    what = ("etcd", "nodes", "VIP", "workloads", "services", "database", "no residue", "lake")
    assert sorted(verified) == sorted(f"verify {one}" for one in what)
    assert last == "check accepted findings"


def test_a_second_run_changes_nothing(story: Story) -> None:
    assert story.changed_again == []
    assert {entry.outcome for entry in story.again.entries} == {"unchanged"}


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("backup", "uninstall old k3s"),
        ("record old images", "uninstall old k3s"),
        ("record new images", "uninstall old k3s"),
        ("join k3s", "cordon"),
        ("cordon", "drain"),
        ("set up keepalived", "cordon"),
        ("drain", "hand over VIP"),
        ("hand over VIP", "stop k3s on source"),
        ("stop k3s on source", "delete node"),
        ("stop k3s on source", "remove etcd member"),
    ],
)
def test_one_step_is_done_on_all_before_another_begins(story: Story, first: str, then: str) -> None:
    assert story.ended(first) != []
    assert max(story.ended(first)) <= min(story.begun(then))


@pytest.mark.parametrize("step", ["join etcd", "set up keepalived", "drain", "remove etcd member"])
def test_a_step_is_done_on_one_machine_at_a_time(story: Story, step: str) -> None:
    ends, begins = story.ended(step)[:-1], story.begun(step)[1:]

    assert len(ends) > 0
    assert all(end <= begin for end, begin in zip(ends, begins, strict=True))


def test_the_first_target_votes_before_the_next_one_is_touched(story: Story) -> None:
    joined = [entry for entry in story.done if (entry.step, entry.target) == ("join etcd", "phys-2")]
    others = [entry.begun for entry in story.done if entry.target == "phys-3" and entry.step != "record old images"]

    assert str(joined[0].ended) <= min(others)


def test_a_server_joins_once_all_members_vote(story: Story) -> None:
    joins = [entry.begun for entry in story.done if (entry.step, entry.target) == ("join k3s", "phys-2")]

    assert len(story.ended("join etcd")) == 2
    assert max(story.ended("join etcd")) <= joins[0]


@pytest.mark.parametrize(
    ("needed", "nodes"),
    [("join etcd", {"phys-2"}), ("load images", {"phys-2", "phys-3"}), ("write /etc/hosts", {"phys-2", "phys-3"})],
)
def test_a_node_joins_after_all_that_it_needs(story: Story, needed: str, nodes: set[str]) -> None:
    """An agent waits for no member."""
    joins = {entry.target: entry.begun for entry in story.done if entry.step == "join k3s" and entry.target in nodes}
    ends = {entry.target: str(entry.ended) for entry in story.done if entry.step == needed and entry.target in joins}

    assert ends.keys() == joins.keys()
    assert all(ended <= joins[target] for target, ended in ends.items())


def test_the_holder_of_the_vip_leaves_last(story: Story) -> None:
    assert [entry.target for entry in story.done if entry.step == "hand over VIP"] == ["vm-2", "vm-1"]


def test_nothing_begins_before_what_the_benchmark_says_it_waits_for(story: Story) -> None:
    report = replace(story.again, ended=max(str(entry.ended) for entry in story.again.entries), setting=setting_of(small()))

    early = [(one.step, entry.step) for entry in report.entries for one in awaited(entry, report) if str(one.ended) > entry.begun]

    assert early == []
    assert {link.entry.phase for link in critical_path(report).links} == {entry.phase for entry in report.entries}


def test_no_secret_is_in_any_report(story: Story) -> None:
    texts = [path.read_text() for path in (story.world.folder / "reports").rglob("*.json")]

    assert len(texts) == 4
    for secret in ("s3cret", "t0psecret", "pr1vate"):
        assert not any(secret in text for text in texts)


def test_a_second_cluster_of_an_earlier_release_is_taken_back_before_workloads_are_judged(folder: Path, time: FakeTime) -> None:
    world = World(folder, time, platform(http_checks=[], targets=CONFIG["targets"][1:], interruption=PATIENT))
    endpoint = f"K3S_DATASTORE_ENDPOINT='{world.platform.datastore_endpoint}'\n"
    given = machines.token(machines.LIVE_CA)
    machines.run_k3s(world.hosts["phys-2"], unit="k3s", ca=machines.ROGUE_CA, more=endpoint, given=given)
    world.hosts["phys-2"].run("touch /etc/rancher/k3s/started", what="k3s starts")

    report = perform(move, world)

    steps = [entry.step for entry in report.entries]
    assert steps.index("remove rogue server") < steps.index("check workloads") < steps.index("backup")
    assert world.keys.names("/bootstrap/") == [world.bootstrap_key]
    assert sorted(world.kube.node_map) == ["phys-2", "phys-3"]


def has_budget_that_never_allows(world: World) -> None:
    selector = {"matchLabels": {"app": "backup-ctl"}}
    world.kube.put("PodDisruptionBudget", "uap", "backup-ctl", spec={"selector": selector, "minAvailable": 1})


def has_pod_of_a_labelled_node(world: World) -> None:
    world.kube.has(FakeWorkload("StatefulSet", "shop", "db", 1, spec={"nodeSelector": {"disk": "ssd"}}), on="vm-1")


def has_local_volume(world: World) -> None:
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}}
    world.kube.has(FakeWorkload("StatefulSet", "shop", "db", 1, spec={"volumes": [volume]}), on="vm-1")
    terms = [{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["vm-1"]}]}]
    claim = {"namespace": "shop", "name": "data-db-0"}
    world.kube.put("PersistentVolume", "-", "pv", spec={"claimRef": claim, "nodeAffinity": {"required": {"nodeSelectorTerms": terms}}})


@pytest.mark.parametrize(
    ("given", "id"),
    [
        (has_budget_that_never_allows, "budget-never-allows"),
        (has_pod_of_a_labelled_node, "pod-runs-nowhere"),
        (has_local_volume, "volume-stays"),
    ],
)
def test_what_would_fail_at_the_drains_is_refused_before_anything_is_changed(
    folder: Path, time: FakeTime, given: Callable[[World], None], id: str
) -> None:
    world = World(folder, time, small())
    given(world)
    world.forget()

    with pytest.raises(FindingsError, match=rf"\[{id}\]"):
        perform(move, world)
    assert world.mutations == []


def test_a_platform_moves_on_without_a_source_that_died_for_good(folder: Path, time: FakeTime) -> None:
    sources = [*CONFIG["sources"], {"name": "vm-3", "address": "10.0.0.13", "lost": True}]
    moving = platform(http_checks=[], targets=CONFIG["targets"][1:], sources=sources, interruption=PATIENT)
    world = World(folder, time, moving)
    world.dies("vm-3")

    report = perform(move, world)

    assert sorted(world.kube.node_map) == ["phys-2", "phys-3"]
    assert [entry.step for entry in report.entries if entry.target == "vm-3"] == ["delete node", "remove etcd member"]
    assert world.record.finished
