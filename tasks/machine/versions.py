"""Versions: what the live platform runs, what targets bring, and what cannot be together. Judging is pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from blocks.ports import EtcdApi, KubeApi
from tasks.etcd.members import statuses

NUMBERS = re.compile(r"(\d+)\.(\d+)\.(\d+)")
Version = tuple[int, ...]


@dataclass(frozen=True)
class Versions:
    """Of etcd and of k3s, as their programs tell them; empty where nobody could be asked."""

    etcd: str
    k3s: str


def read_versions(etcd: EtcdApi, kube: KubeApi) -> Versions:
    """What the live platform has: the lowest of etcd's members, which is the cluster's, and the highest of the nodes."""
    members = [status.version for status in statuses(etcd, etcd.members()).values()]
    nodes = [node.version for node in kube.nodes()]
    return Versions(min(members, key=numbers, default=""), max(nodes, key=numbers, default=""))


def numbers(text: str) -> Version:
    """The three numbers of the first version in `text`; nothing when there is none."""
    found = NUMBERS.search(text)
    return tuple(map(int, found.groups())) if found else ()


def why_not_beside(brought: Versions, running: Versions) -> list[str]:
    """What of a target's may not join: what is of a lower minor version than the platform's.

    etcd ends itself then ("cluster cannot be downgraded"); Kubernetes wants no API server older than a kubelet:
    https://kubernetes.io/releases/version-skew-policy
    """
    return [
        f"its {name} is {has}, and the platform runs {runs}: put that version there"
        for name, has, runs in _pairs(brought, running)
        if numbers(has)[:2] < numbers(runs)[:2]
    ]


def worth_a_thought(brought: Versions, running: Versions) -> list[str]:
    """What a target brings and may join, but is another version: the move would be an upgrade, too."""
    return [
        f"its {name} is {has}, the platform runs {runs}: rehearse with both"
        for name, has, runs in _pairs(brought, running)
        if numbers(has) != numbers(runs)
    ]


def _pairs(brought: Versions, running: Versions) -> list[tuple[str, str, str]]:
    """Both versions of each, where both are known."""
    pairs = (("etcd", brought.etcd, running.etcd), ("k3s", brought.k3s, running.k3s))
    return [
        (name, ".".join(map(str, numbers(has))), ".".join(map(str, numbers(runs))))
        for name, has, runs in pairs
        if numbers(has) and numbers(runs)
    ]
