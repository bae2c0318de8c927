"""Versions of etcd and k3s: what the live platform runs, and whether another one may join it. Judging is pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from blocks.ports import EtcdApi, KubeApi
from configs.platform import Platform
from tasks.engine.finding import Findings
from tasks.etcd.checks import forgets_promotion
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

def judge_etcd(found: Findings, platform: Platform, brings: str, runs: str) -> None:
    """Whether a target's etcd may join the platform's."""
    both = f"its etcd is {short(brings)}, the platform runs {short(runs)}"
    if not short(brings):
        binary = platform.etcd.binary
        found.refuse("etcd-version-unknown", f"{binary} --version prints no version, expected {short(runs)}", f"run {binary} there")
    elif too_old(brings, runs):
        what = f"{both}; a member of a lower minor version can't join"
        found.refuse("etcd-too-old", what, "install that version there", final=True)
    elif too_new(brings, runs):
        found.refuse("etcd-too-new", f"{both}; etcd goes one minor version at a time", "install that version there")
    elif differs(brings, runs):
        found.warn("etcd-version-differs", f"{both}: the move is an upgrade, too", "rehearse with both versions")
    if forgets_promotion(short(brings)) and not forgets_promotion(short(runs)):
        what = f"its etcd {short(brings)} does not persist a learner's promotion (etcd#19557), and it joins as a learner"
        found.warn("etcd-promotion-not-persisted", what, "install 3.5.20 or newer there")


def judge_k3s(found: Findings, platform: Platform, brings: str, runs: str) -> None:
    """Whether the bundle's k3s may join the platform's."""
    both = f"its bundle's k3s is {short(brings)}, the platform runs {short(runs)}"
    if not short(brings):
        binary = f"{platform.k3s.bundle}/vendor/k3s"
        found.refuse(
            "k3s-version-unknown", f"{binary} --version prints no version, expected {short(runs)}", f"file {binary} there"
        )
    elif too_old(brings, runs):
        found.refuse(
            "k3s-too-old", f"{both}; no node may be of a lower minor version", "copy that version's bundle there"
        )
    elif too_new(brings, runs):
        found.refuse(
            "k3s-too-new", f"{both}; API servers may be one minor version apart", "copy that version's bundle there"
        )
    elif differs(brings, runs):
        found.warn("k3s-version-differs", f"{both}: the move is an upgrade, too", "rehearse with both versions")
