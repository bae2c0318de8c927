"""Objects of the cluster that name a source: what needs it, and what only mentions it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from configs.hosts import Machine
from tasks.residue.names import Residue, named_by

# Not a field of the object's own: a copy that kubectl keeps of it, and who leads at the moment.
COPIES = ("kubectl.kubernetes.io/last-applied-configuration", "control-plane.alpha.kubernetes.io/leader")
POD = r"(Deployment|StatefulSet|DaemonSet|CronJob) spec\.(jobTemplate\.spec\.)?template\.spec\."
# By "kind field": what breaks when the machine that it names is switched off.
NEEDED = re.compile(
    r"Endpoints "
    r"|PersistentVolume spec\.(?!claimRef)"  # nfs, iscsi, glusterfs, csi ... servers, and the node that it is on
    r"|Service spec\.(externalIPs|externalName|loadBalancerIP)"
    r"|Ingress spec\."
    r"|StorageClass parameters\."
    r"|(Validating|Mutating)WebhookConfiguration webhooks.*\.clientConfig\.url"
    rf"|{POD}(volumes\[|(initC|c)ontainers\[[^\]]*\]\.image$|nodeSelector\.|nodeName$|affinity\.(?!.*preferred))"
)
PLACEMENT = re.compile(r"\.(nodeAffinity|nodeSelector|nodeName|affinity)\b")
ONLY_BY_NAME = re.compile(rf"{POD}hostname$|[^ ]+ metadata\.")  # a pod's own name, an object's labels


def in_cluster(manifests: Mapping[str, str], source: Machine) -> list[Residue]:
    """Objects that name the source; given by the field, never by its value.

    Endpoints that controllers keep are left out: they follow the pods and the API servers by themselves.
    """
    names, found, objects = named_by(source), list[Residue](), {what: json.loads(text) for what, text in manifests.items()}
    for what, manifest in objects.items():
        kind, _, place = what.partition(" ")
        if kind == "Endpoints" and not _written_by_hand(place, manifest, objects.get(f"Service {place}")):
            continue
        manifest.pop("status", None)
        fields = [(path, name) for path, name in _fields(manifest, names) if _counts(f"{kind} {path}", name, source)]
        remedy = f"{_edit(what)}, then run the same command again"
        for hard in (False, True):
            these = [(path, name) for path, name in fields if bool(NEEDED.match(f"{kind} {path}")) is hard]
            if these:
                found.append(Residue(what, _written(path for path, _ in these), these[0][1], hard, remedy))
    return found


def _counts(field: str, name: str, source: Machine) -> bool:
    """A short name is a common word: it says something only where a machine is meant."""
    return name == str(source.address) or not ONLY_BY_NAME.match(field)


def _written(paths: Iterator[str]) -> str:
    return ", ".join(dict.fromkeys("its placement" if PLACEMENT.search(path) else path for path in paths))


def _written_by_hand(place: str, endpoints: dict[str, Any], service: dict[str, Any] | None) -> bool:
    """Whether no controller keeps these endpoints: it keeps those of each service with a selector, and the API servers' own.

    https://kubernetes.io/docs/concepts/services-networking/service/#services-without-selectors. The annotation with the time of
    the last change is no sign: it is taken off again when no pod's change was behind the last write.
    """
    selected = bool(((service or {}).get("spec") or {}).get("selector"))
    managed = (endpoints["metadata"].get("labels") or {}).get("endpoints.kubernetes.io/managed-by")
    return place != "default/kubernetes" and not selected and not managed


def _edit(what: str) -> str:
    """The command that opens the object "Kind namespace/name"; namespace "-" is none."""
    kind, _, place = what.partition(" ")
    namespace, _, name = place.partition("/")
    return f"kubectl edit {kind.lower()}{'' if namespace == '-' else f' -n {namespace}'} {name}"


def _fields(part: object, names: re.Pattern[str], path: str = "") -> Iterator[tuple[str, str]]:
    """Paths of the texts that name the source, and what each calls it."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name not in COPIES:
                yield from _fields(value, names, f"{path}.{name}" if path else name)
    elif isinstance(part, list):
        for number, value in enumerate(part):
            name = value.get("name", number) if isinstance(value, dict) else number
            yield from _fields(value, names, f"{path}[{name}]")
    elif isinstance(part, str) and (found := names.search(part)):
        yield path, found[0]
