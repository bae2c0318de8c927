"""Whether disruption budgets will ever let the pods go. Computed, not tried: an eviction, even as a dry run, is no question.

The API declines an eviction while the budget's controller counts no more healthy pods than the budget wants, and answers 500
to a pod of two budgets, every time (Kubernetes 1.20: pkg/registry/core/pod/storage/eviction.go, pkg/controller/disruption).
"""

from __future__ import annotations

from collections.abc import Collection
from math import ceil

from blocks.ports import KubeApi, Manifest
from configs.platform import Platform
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings
from tasks.placement.evicted import Evicted, evicted_pods, one_per_owner
from tasks.placement.selectors import selects
from tasks.workloads.surge import to_surge


@check("check budgets")
def check_budgets(platform: Platform, kube: KubeApi) -> Checked:
    """Every pod that would be evicted is let go by its disruption budget at some time, with the surge's second replica."""
    found = Findings("cluster")
    pods = evicted_pods(platform, kube)
    budgets = kube.listed("PodDisruptionBudget") if pods else []
    surged = {str(workload) for workload in to_surge(platform, kube, [source.name for source in platform.sources])} if budgets else set()
    covered = {_name(budget): [pod for pod in pods if _covers(budget, pod)] for budget in budgets}
    for pod in one_per_owner(pods):
        _judge_number(found, pod, [name for name, its in covered.items() if pod in its])
    for budget in budgets:
        if its := covered[_name(budget)]:
            _judge_budget(found, budget, its, surged)
    return found.checked(f"{len(pods)} pods would be evicted, {sum(map(bool, covered.values()))} budgets cover some of them")


def allowed(spec: Manifest, pods: int) -> int:
    """How many of `pods` healthy ones the budget lets go; one that says neither limit lets none go."""
    if (most := spec.get("maxUnavailable")) is not None:
        return _scaled(most, pods)
    if (least := spec.get("minAvailable")) is not None:
        return max(0, pods - _scaled(least, pods))
    return 0


def _scaled(limit: int | str, pods: int) -> int:
    """A number, or a percentage, rounded up as the budget's controller does."""
    return ceil(int(limit.removesuffix("%")) * pods / 100) if isinstance(limit, str) else limit


def _covers(budget: Manifest, pod: Evicted) -> bool:
    return bool(budget["metadata"]["namespace"] == pod.pod.namespace and selects(budget["spec"].get("selector"), pod.labels))


def _name(budget: Manifest) -> str:
    return f"{budget['metadata']['namespace']}/{budget['metadata']['name']}"


def _judge_number(found: Findings, pod: Evicted, budgets: list[str]) -> None:
    if len(budgets) > 1:
        found.refuse(
            "budgets-of-one-pod",
            f"{len(budgets)} disruption budgets cover its pods: {', '.join(budgets)}; the API evicts none of them",
            f"kubectl delete poddisruptionbudget -n {pod.pod.namespace} one of them, or narrow its selector",
            where=pod.owner,
        )


def _judge_budget(found: Findings, budget: Manifest, pods: list[Evicted], surged: Collection[str]) -> None:
    """Judged by how many pods there will be when they are evicted, all of them healthy."""
    status, spec = budget.get("status") or {}, budget["spec"]
    owners = {pod.owner for pod in pods}
    expected = max(status.get("expectedPods", 0), len(pods)) + len(owners & set(surged))
    room = allowed(spec, expected)
    where = f"PodDisruptionBudget {_name(budget)}"
    edit = f"kubectl edit poddisruptionbudget -n {budget['metadata']['namespace']} {budget['metadata']['name']}"
    if room <= 0:
        found.refuse(
            "budget-never-allows",
            f"{_limit(spec)} with {expected} pods of {', '.join(sorted(owners))} allows no eviction, ever",
            f"give the workload one more replica, or {edit}",
            where=where,
        )
    elif status.get("disruptionsAllowed", 1) <= 0 and not owners & set(surged):
        found.warn(
            "budget-used-up",
            f"allows no eviction now: {status.get('currentHealthy', 0)} healthy pods, {status.get('desiredHealthy', 0)} wanted; the drain "
            "waits for more",
            f"kubectl get pods -n {budget['metadata']['namespace']}: make them Ready",
            where=where,
        )
    elif room < len(pods):
        found.note("budget-in-turns", f"lets {room} of {len(pods)} pods go at a time; the drain waits for each", where=where)


def _limit(spec: Manifest) -> str:
    said = [f"{name} {spec[name]}" for name in ("minAvailable", "maxUnavailable") if spec.get(name) is not None]
    return said[0] if said else "neither minAvailable nor maxUnavailable"
