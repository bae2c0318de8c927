"""Versions of etcd and k3s: what the live platform runs, and whether another one may join it. Judging is pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from blocks.ports import EtcdApi, KubeApi
from tasks.etcd.members import statuses

NUMBERS = re.compile(r"(\d+)\.(\d+)\.(\d+)")
Version = tuple[int, ...]


@dataclass(frozen=True)
class Versions:
    """Of etcd and of k3s, as their programs print them; empty where a version is unknown."""

    etcd: str
    k3s: str


def read_versions(etcd: EtcdApi, kube: KubeApi) -> Versions:
    """What the live platform runs: the lowest of etcd's members, which is the cluster's, and the highest of the nodes."""
    members = [status.version for status in statuses(etcd, etcd.members()).values()]
    nodes = [node.version for node in kube.nodes()]
    return Versions(min(members, key=numbers, default=""), max(nodes, key=numbers, default=""))


def numbers(text: str) -> Version:
    """The three numbers of the first version in `text`; nothing when there is none."""
    found = NUMBERS.search(text)
    return tuple(map(int, found.groups())) if found else ()


def short(text: str) -> str:
    """The first version in `text`, as MAJOR.MINOR.PATCH."""
    return ".".join(map(str, numbers(text)))


def too_old(joining: str, running: str) -> bool:
    """Whether `joining` is of a lower minor version than the platform; an unknown version is not.

    etcd ends itself then ("incompatible with current running cluster"); Kubernetes supports no API server older than a kubelet:
    https://kubernetes.io/releases/version-skew-policy
    """
    return differs(joining, running) and numbers(joining)[:2] < numbers(running)[:2]


def too_new(joining: str, running: str) -> bool:
    """Whether `joining` is more than one minor version newer: neither etcd nor Kubernetes supports that in one cluster.

    https://etcd.io/docs/v3.5/upgrades/upgrading-etcd, https://kubernetes.io/releases/version-skew-policy
    """
    (major, minor), (its_major, its_minor) = ((*numbers(text), 0, 0)[:2] for text in (running, joining))
    return differs(joining, running) and (its_major, its_minor) > (major, minor + 1)


def differs(joining: str, running: str) -> bool:
    """Whether both versions are known and not the same."""
    return bool(numbers(joining) and numbers(running)) and numbers(joining) != numbers(running)
