"""Faults that are objects of the platform's cluster: applied on a server, and deleted there by the same manifest."""

from __future__ import annotations

from deployments.lab import cache

FOLDER = cache.SOURCE / "objects"
KEPT = "/run"


def applied(name: str, *, awaited: str, before: str = "") -> str:
    """A script for a server: the objects of NAME.yaml are there, and this workload of theirs runs."""
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    wait = f"k3s kubectl {awaited} --timeout=90s" if awaited else ""
    return f"{before}\ncat > {_kept(name)} <<'END'\n{text}END\nk3s kubectl apply -f {_kept(name)}\n{wait}"


def deleted(name: str) -> str:
    """A script for every machine: where the objects were applied, they are deleted; elsewhere nothing is asked."""
    kept = _kept(name)
    return f"test ! -e {kept} || {{ k3s kubectl delete --ignore-not-found --timeout=90s -f {kept}; rm {kept}; }}"


def _kept(name: str) -> str:
    return f"{KEPT}/lab-{name}.yaml"
