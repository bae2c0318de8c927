"""Keys and leases in the platform's etcd, by python-etcd3."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

import etcd3
import grpc

from blocks.errors import EtcdUnavailableError
from blocks.etcd import CALL_TIMEOUT_S, EtcdCluster
from blocks.etcd_tls import ClientTls

T = TypeVar("T")

MESSAGE_BYTES = 64 * 2**20
CHANNEL = (
    # gRPC takes 4 MiB by default: with 110 nightly backups in one answer every rollback ended there. A record is read by
    # itself now; this is for the one of a platform with thousands of workloads.
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    # The members are asked directly: gRPC would obey http_proxy and https_proxy of the operator's shell.
    ("grpc.enable_http_proxy", 0),
)


class EtcdKeys:
    """See ports.KeyValues, and leases besides. Calls fail over between the members, as `EtcdCluster`'s do."""

    def __init__(self, cluster: EtcdCluster, tls: ClientTls | None = None) -> None:
        self._cluster, self._tls = cluster, tls
        self._clients: dict[str, etcd3.Etcd3Client] = {}
        self._making = threading.Lock()

    def get(self, key: str) -> str | None:
        return self._call(lambda client: _text(client.get(key)[0]))

    def put(self, key: str, value: str) -> None:
        self._call(lambda client: client.put(key, value))

    def put_if_absent(self, key: str, value: str, lease_id: int = 0) -> bool:
        def transact(client: etcd3.Etcd3Client) -> bool:
            absent = client.transactions.version(key) == 0
            put = client.transactions.put(key, value, lease_id or None)
            return bool(client.transaction(compare=[absent], success=[put], failure=[])[0])

        return self._call(transact)

    def items(self, prefix: str) -> dict[str, str]:
        return self._call(
            lambda client: {meta.key.decode(): value.decode() for value, meta in client.get_prefix(prefix)}
        )

    def names(self, prefix: str) -> list[str]:
        return self._call(
            lambda client: sorted(meta.key.decode() for _, meta in client.get_prefix(prefix, keys_only=True))
        )

    def delete(self, prefix: str) -> None:
        self._call(lambda client: client.delete_prefix(prefix))

    def grant(self, ttl_s: int) -> int:
        """A new lease's id; it ends `ttl_s` after its last `keep_alive`."""
        return self._call(lambda client: int(client.lease(ttl_s).id))

    def keep_alive(self, lease_id: int) -> int:
        """Seconds that the lease now has again; 0 when it is over."""
        return self._call(lambda client: max(0, *(int(answer.TTL) for answer in client.refresh_lease(lease_id))))

    def remaining(self, lease_id: int) -> int:
        """Seconds that the lease has left, -1 when it is over."""
        return self._call(lambda client: int(client.get_lease_info(lease_id).TTL))

    def holder(self, key: str) -> tuple[str, int] | None:
        """The key's value, and the id of the lease that it hangs on."""

        def read(client: etcd3.Etcd3Client) -> tuple[str, int] | None:
            value, meta = client.get(key)
            return None if value is None else (value.decode(), int(meta.lease_id))

        return self._call(read)

    def revoke(self, lease_id: int) -> None:
        self._call(lambda client: client.revoke_lease(lease_id))

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def _call(self, act: Callable[[etcd3.Etcd3Client], T]) -> T:
        return self._cluster.on_any(lambda endpoint: self._at(endpoint, act))

    def _at(self, endpoint: str, act: Callable[[etcd3.Etcd3Client], T]) -> T:
        try:
            return act(self._client(endpoint))
        except (etcd3.exceptions.Etcd3Exception, grpc.RpcError) as error:
            raise EtcdUnavailableError(f"{endpoint}: {type(error).__name__}: {error}") from error

    def _client(self, endpoint: str) -> etcd3.Etcd3Client:
        with self._making:
            if endpoint not in self._clients:
                where = urlsplit(endpoint)
                tls = self._tls.channel if self._tls else {}
                self._clients[endpoint] = etcd3.client(
                    host=where.hostname, port=where.port, timeout=CALL_TIMEOUT_S, grpc_options=CHANNEL, **tls
                )
            return self._clients[endpoint]


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()
