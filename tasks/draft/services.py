"""What of the platform clients reach: its database, and what answers on the nodes' ports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from blocks.ports import KubeApi, Manifest
from configs.database import Database

SQL_PORTS = (3306, 4000)  # MySQL's, and TiDB's own
HTTP_PORTS = (80, 8000, 8080)
HTTP_NAMES = ("http", "web")
CLIENT = "mysql-client"  # in the client pod's name
VISIBLE = {"MYSQL_USER": "user", "MYSQL_DATABASE": "database"}
"""Variables of containers that are no secret, and what they are here."""


@dataclass(frozen=True)
class Port:
    """A TCP port of a Service."""

    namespace: str
    service: str
    name: str
    port: int
    node_port: int | None
    headless: bool

    @property
    def is_sql(self) -> bool:
        return self.port in SQL_PORTS or "mysql" in self.name

    @property
    def is_http(self) -> bool:
        """Whether it is called so, or has a usual port. HTTPS is not asked: clients of the probe check certificates."""
        if self.name.startswith("https"):
            return False
        return self.port in HTTP_PORTS or self.name.startswith(HTTP_NAMES)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.service}, port {self.port}{f' ({self.name})' if self.name else ''}"


@dataclass(frozen=True)
class FoundDatabase:
    """Where SQL is served; what is not visible is None."""

    namespace: str
    client_pod: str
    has_client: bool
    host: str
    port: int
    vip_port: int | None
    user: str | None
    database: str | None


def ports(kube: KubeApi) -> list[Port]:
    """All TCP ports of all Services, but those of the cluster itself."""
    services = [service for service in kube.listed("Service") if service["metadata"]["namespace"] not in ("default", "kube-system")]
    return [port for service in services for port in _ports(service)]


def _ports(service: Manifest) -> Iterator[Port]:
    meta, spec = service["metadata"], service["spec"]
    for one in spec.get("ports") or ():
        if one.get("protocol", "TCP") == "TCP":
            headless = spec.get("clusterIP") == "None"
            yield Port(meta["namespace"], meta["name"], one.get("name", ""), one["port"], one.get("nodePort"), headless)


def find_database(kube: KubeApi, found: list[Port]) -> FoundDatabase | None:
    """The Service that serves SQL, beside a TidbCluster or a client pod before any other; None when none does."""
    pods = kube.listed("Pod")
    clients = [(pod["metadata"]["namespace"], pod["metadata"]["name"]) for pod in pods if CLIENT in pod["metadata"]["name"]]
    likely = {one["metadata"]["namespace"] for one in kube.listed("TidbCluster")} | {namespace for namespace, _ in clients}
    serving = [port for port in found if port.is_sql and not port.headless]
    serving.sort(key=lambda port: (port.namespace not in likely, port.port != SQL_PORTS[0], port.service))
    if not serving:
        return None
    best = serving[0]
    outside = [port.node_port for port in serving if port.namespace == best.namespace and port.node_port]
    client = next((name for namespace, name in clients if namespace == best.namespace), None)
    said = _visible(pod for pod in pods if pod["metadata"]["namespace"] == best.namespace)
    return FoundDatabase(
        namespace=best.namespace,
        client_pod=client or str(Database.model_fields["client_pod"].default),
        has_client=client is not None,
        host=f"{best.service}.{best.namespace}",
        port=best.port,
        vip_port=best.node_port or next(iter(outside), None),
        user=said.get("user"),
        database=said.get("database"),
    )


def _visible(pods: Iterator[Manifest]) -> dict[str, str]:
    containers = (container for pod in pods for container in pod["spec"].get("containers") or ())
    variables = (variable for container in containers for variable in container.get("env") or ())
    return {VISIBLE[one["name"]]: one["value"] for one in variables if one["name"] in VISIBLE and one.get("value")}
