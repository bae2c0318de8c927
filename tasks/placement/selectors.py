"""Kubernetes' selectors, for labels, nodes and taints, as the scheduler reads them. Pure.

https://kubernetes.io/docs/concepts/overview/working-with-objects/labels, .../scheduling-eviction/assign-pod-node
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from blocks.ports import Manifest

Labels = Mapping[str, str]
KEEPS_OFF = ("NoSchedule", "NoExecute")  # PreferNoSchedule only asks


def selects(selector: Manifest | None, labels: Labels) -> bool:
    """Whether a budget's selector selects these labels; an empty one selects nothing, as the eviction API has it."""
    return any((selector or {}).values()) and matches(selector, labels)


def matches(selector: Manifest | None, labels: Labels) -> bool:
    """Whether the selector of an affinity or a spread selects these labels: an empty one selects all, none selects nothing."""
    if selector is None:
        return False
    equal, expressions = selector.get("matchLabels") or {}, selector.get("matchExpressions") or ()
    return all(labels.get(key) == value for key, value in equal.items()) and all(_holds(one, labels) for one in expressions)


def unselected(pod: Manifest, labels: Labels, name: str) -> str:
    """The part of a pod's nodeSelector or required node affinity that a node fails; empty when it is selected."""
    for key, value in (pod.get("nodeSelector") or {}).items():
        if labels.get(key) != value:
            return f"nodeSelector {key}={value}"
    node = (pod.get("affinity") or {}).get("nodeAffinity") or {}
    required = node.get("requiredDuringSchedulingIgnoredDuringExecution")
    wrong = unmatched_term(required["nodeSelectorTerms"], labels, name) if required else ""
    return wrong and f"nodeAffinity {wrong}"


def unmatched_term(terms: Iterable[Manifest], labels: Labels, name: str) -> str:
    """Empty when a node with these labels and this name matches any of the terms; otherwise the first term that fails, in words."""
    wrong = [_unmatched(term, labels, name) for term in terms]
    return "" if "" in wrong else next(iter(wrong), "nothing is selected")


def _unmatched(term: Manifest, labels: Labels, name: str) -> str:
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return "an empty term, which selects nothing"
    failing = [one for one in expressions if not _holds(one, labels)]
    failing += [one for one in fields if not _holds(one, {"metadata.name": name})]
    return _written(failing[0]) if failing else ""


def _holds(expression: Manifest, labels: Labels) -> bool:
    key, values = expression["key"], list(expression.get("values") or ())
    has = labels.get(key)
    match expression["operator"]:
        case "In":
            return has in values
        case "NotIn":
            return has not in values  # also of a node without that label
        case "Exists":
            return has is not None
        case "DoesNotExist":
            return has is None
        case "Gt":
            return _is_number(has) and int(str(has)) > int(values[0])
        case _:
            return _is_number(has) and int(str(has)) < int(values[0])


def _is_number(text: str | None) -> bool:
    return text is not None and text.lstrip("-").isdigit()


def _written(expression: Manifest) -> str:
    return " ".join(filter(None, (expression["key"], expression["operator"], ", ".join(expression.get("values") or ()))))


def untolerated(taints: Iterable[Manifest], tolerations: Iterable[Manifest]) -> str:
    """The first taint that keeps a pod with these tolerations off, as KEY=VALUE:EFFECT; empty when none does."""
    tolerations = list(tolerations)
    for taint in taints:
        if taint["effect"] in KEEPS_OFF and not any(_tolerates(one, taint) for one in tolerations):
            return taint_text(taint)
    return ""


def taint_text(taint: Manifest) -> str:
    """As a config has it."""
    return f"{taint['key']}={taint.get('value', '')}:{taint['effect']}"


def taint_of(text: str) -> Manifest:
    """From a config's KEY=VALUE:EFFECT."""
    rest, _, effect = text.rpartition(":")
    key, _, value = rest.partition("=")
    return {"key": key, "value": value, "effect": effect}


def _tolerates(toleration: Manifest, taint: Manifest) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    key, exists = toleration.get("key") or "", toleration.get("operator") == "Exists"
    if not key:
        return exists
    return bool(key == taint["key"] and (exists or (toleration.get("value") or "") == (taint.get("value") or "")))
