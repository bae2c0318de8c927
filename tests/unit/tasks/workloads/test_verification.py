"""The proof fails when anything is left half done."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from blocks.errors import DeadlineExceededError, HostError, TransientError, VerificationError
from blocks.ports import ExecResult
from tasks.engine.outcome import Outcome
from tasks.images.record import ensure_new_images_recorded
from tasks.k3s.nodes import verify_nodes
from tasks.workloads.readiness import verify_workloads
from tasks.workloads.services import verify_services
from tests.fakes.platform import platform
from tests.fakes.workload import FakeWorkload
from tests.fakes.world import World
from tests.unit.tasks.cases import CASES, get
from tests.unit.tasks.engine.test_contract import STEPS

Given = Callable[[World], object]


def verify(step: str, world: World) -> Outcome:
    return STEPS[step].fn(world.run(), *CASES[step].arguments(world))


def cordon(world: World) -> None:
    world.kube.node_map["phys-2"] = replace(world.kube.node_map["phys-2"], unschedulable=True)


def name_a_source(world: World) -> None:
    world.hosts["phys-3"].write("/etc/rancher/k3s/config.yaml", "server: https://10.0.0.12:10443\n")


BROKEN: dict[str, tuple[str, Given, str]] = {
    "a source is still a member": ("verify_etcd", lambda w: w.etcd.joined("vm-1", "10.0.0.11"), "voters are"),
    "a target is only a learner": ("verify_etcd", lambda w: learner(w), "not the targets"),
    "a member is silent": ("verify_etcd", lambda w: w.etcd.down.add("phys-2"), "phys-2 do not answer"),
    "members list others": ("verify_etcd", lambda w: w.etcd.stale.update({"phys-2": []}), "list different members"),
    "a source is still a node": (
        "verify_nodes",
        lambda w: w.kube.joins("vm-1", "10.0.0.11", server=False),
        "nodes are",
    ),
    "a node is not Ready": ("verify_nodes", lambda w: w.kube.stops("phys-3"), "not fit: ['phys-3']"),
    "a node is cordoned": ("verify_nodes", cordon, "not fit: ['phys-2']"),
    "an API server is mute": (
        "verify_nodes",
        lambda w: w.kube.api_servers.update({"10.0.0.22": False}),
        "['10.0.0.22'] do not",
    ),
    "an endpoint is a source": (
        "verify_nodes",
        lambda w: w.kube.api_servers.update({"10.0.0.11": True}),
        "API endpoints are",
    ),
    "the VIP is nowhere": ("verify_vip", lambda w: w.hosts["phys-1"].tell("addresses", ""), "held by nobody"),
    "a source holds the VIP": (
        "verify_vip",
        lambda w: w.hosts["vm-1"].tell("addresses", "eth0 10.0.0.100/24"),
        "'vm-1', 'phys-1'",
    ),
    "a daemon needs a source": (
        "verify_no_residue",
        name_a_source,
        "phys-3:/etc/rancher/k3s/config.yaml: line 1, server names 10.0.0.12",
    ),
}


def learner(world: World) -> None:
    world.etcd.remove(world.etcd.called("phys-3"))
    world.etcd.begun("10.0.0.23")


@pytest.mark.parametrize(("step", "given", "said"), BROKEN.values(), ids=list(BROKEN))
def test_a_move_that_is_not_whole_is_an_error(world: World, step: str, given: Given, said: str) -> None:
    world.has_left()
    given(world)

    with pytest.raises(VerificationError) as wrong:
        verify(step, world)
    assert said in str(wrong.value)


def test_the_verified_nodes_are_counted(world: World) -> None:
    world.has_left()

    outcome = verify_nodes.fn(world.run(), world.platform, world.kube)

    assert outcome.why == "3 nodes Ready, 2 API servers answer"


def test_a_mere_mention_of_a_source_is_a_note(world: World) -> None:
    world.has_left()
    world.kube.objects = {"ConfigMap shop/app": '{"metadata": {}, "data": {"url": "http://10.0.0.11/"}}'}

    notes = verify("verify_no_residue", world).notes

    assert len(notes) == 1
    assert notes[0].startswith("ConfigMap shop/app: ")


def workloads(world: World) -> Outcome:
    return verify_workloads.fn(world.run(), world.platform, world.kube, world.record)


def test_a_workload_that_is_gone_is_an_error(world: World) -> None:
    ensure_new_images_recorded.fn(world.run(), world.platform, world.kube, world.record)
    world.kube.workload_list.pop(0)

    with pytest.raises(VerificationError, match="workloads of before are missing: Deployment shop/web"):
        workloads(world)


def test_other_images_than_before_are_a_note(world: World) -> None:
    ensure_new_images_recorded.fn(world.run(), world.platform, world.kube, world.record)
    world.kube.workload_list[0].images = {"main": "app/web:3.0"}

    assert workloads(world).notes == ("Deployment shop/web has other images than before: {'main': 'app/web:3.0'}",)


def test_a_workload_that_lacks_replicas_is_an_error(world: World) -> None:
    world.platform = platform(timeouts={"pod_ready_s": 5})
    world.kube.polls = 1000
    world.kube.workload_list[0] = FakeWorkload("Deployment", "shop", "web", 3)

    with pytest.raises(VerificationError, match="Deployment shop/web: 2 of 3 ready"):
        workloads(world)


def services(world: World, http_get: Callable[[str], tuple[int, str]]) -> Outcome:
    return verify_services.fn(world.run(), world.platform, world.kube, http_get, world.database_password)


def test_a_url_that_needs_a_moment_is_asked_again(world: World) -> None:
    failures = [TransientError("refused"), TransientError("refused")]

    def flaky(url: str) -> tuple[int, str]:
        if failures:
            raise failures.pop()
        return 200, url

    assert services(world, flaky).why == "answer: http://10.0.0.100:30080/, SQL at mysql.iottepa"


def test_a_url_that_never_answers_is_an_error(world: World) -> None:
    def dead(_url: str) -> tuple[int, str]:
        raise TransientError("refused")

    with pytest.raises(DeadlineExceededError, match=r"http://10.0.0.100:30080/ answers: not within 30 s: refused"):
        services(world, dead)


def test_a_url_that_says_no_is_an_error_at_once(world: World) -> None:
    def wrong(url: str) -> tuple[int, str]:
        raise HostError(f"{url}: HTTP 500")

    with pytest.raises(HostError, match="HTTP 500"):
        services(world, wrong)


def test_a_database_that_does_not_answer_is_an_error(world: World) -> None:
    world.kube.answers["mysql"] = ExecResult(1, "", "ERROR 2003: Can't connect")

    with pytest.raises(HostError, match="ERROR 2003"):
        services(world, get)
