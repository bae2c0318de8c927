"""etcd's JSON gateway: answers as recorded from etcd 3.5, errors in our words."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator

import httpx
import pytest

from blocks.errors import EtcdUnavailableError, HostError
from blocks.etcd import EtcdCluster, EtcdEndpoints
from blocks.ports import Member

A, B = "http://10.0.0.11:2379", "http://10.0.0.12:2379"
HEADER = {"cluster_id": "14841639068965178418", "member_id": "10276657743932975437", "raft_term": "2"}
STATUS = {
    "header": HEADER,
    "version": "3.5.21",
    "dbSize": "20480",
    "leader": "10276657743932975437",
    "raftIndex": "8",
    "raftTerm": "2",
}
LIST = {
    "header": HEADER,
    "members": [
        {"ID": "12", "name": "vm-2", "peerURLs": ["http://10.0.0.12:2380"], "clientURLs": [B]},
        {"ID": "11", "name": "vm-1", "peerURLs": ["http://10.0.0.11:2380"], "clientURLs": [A]},
        {"ID": "13", "peerURLs": ["http://10.0.0.21:2380"], "isLearner": True},
    ],
}
VM_1 = Member(11, "vm-1", ("http://10.0.0.11:2380",), (A,))
LEARNER = Member(13, "", ("http://10.0.0.21:2380",), (), is_learner=True)

Answer = Callable[[httpx.Request], httpx.Response]


class Gateway:
    """Answers by path, and remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, object]]] = []
        self.ids = {A: "11", B: "12"}
        self.down: set[str] = set()
        self.foreign: set[str] = set()
        self.lost: set[str] = set()
        """Paths whose answers get lost on their way."""
        self.kinds: dict[str, httpx.Response] = {}
        """By endpoint: what an etcd of another kind answers."""
        self.page = ""
        """What another service answers there instead."""
        self.page_status = 200
        self.version = httpx.Response(200, json={"etcdserver": "3.5.21", "etcdcluster": "3.5.0"})
        self.answers: dict[str, tuple[int, dict[str, object]]] = {
            "maintenance/status": (200, STATUS),
            "cluster/member/list": (200, LIST),
        }

    def __call__(self, request: httpx.Request) -> httpx.Response:
        where = f"http://{request.url.host}:{request.url.port}"
        path = request.url.path.removeprefix("/v3/")
        if where in self.down:
            raise httpx.ConnectError("refused")
        if request.method == "POST":
            self.asked.append((where, path, json.loads(request.content)))
        if request.method == "GET":
            return self.version
        if where in self.foreign and path == "maintenance/status":
            return httpx.Response(200, json={**STATUS, "header": {**HEADER, "cluster_id": "7"}})
        if where in self.kinds:
            return self.kinds[where]
        if self.page:
            return httpx.Response(self.page_status, text=self.page)
        if path in self.lost:
            raise httpx.ReadTimeout("no answer")
        status, body = self.answers[path]
        if "header" in body and where in self.ids:
            body = {**body, "header": {**HEADER, "member_id": self.ids[where]}}
        return httpx.Response(status, json=body)

    def paths(self) -> list[tuple[str, str]]:
        return [(where, path) for where, path, _ in self.asked]


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def etcd(gateway: Gateway) -> Iterator[EtcdCluster]:
    with httpx.Client(transport=httpx.MockTransport(gateway)) as http:
        yield EtcdCluster((A, B), http)


def test_members_come_by_id_with_learners_marked(etcd: EtcdCluster) -> None:
    assert etcd.members()[0] == VM_1
    assert etcd.members()[2] == LEARNER


def test_members_are_what_the_leader_knows_and_a_members_own_list_is_its_own(etcd: EtcdCluster, gateway: Gateway) -> None:
    etcd.members()
    etcd.members_seen_by(VM_1)

    assert [body for _, path, body in gateway.asked if path == "cluster/member/list"] == [
        {"linearizable": True},
        {"linearizable": False},
    ]


def test_a_members_status_is_in_numbers(etcd: EtcdCluster) -> None:
    status = etcd.status(VM_1)

    assert (status.version, status.leader, status.raft_index) == ("3.5.21", 10276657743932975437, 8)
    assert status.errors == ()


def test_a_member_that_is_down_is_passed_over_and_the_answering_one_asked_first(
    etcd: EtcdCluster, gateway: Gateway
) -> None:
    gateway.down = {A}
    etcd.members()
    gateway.down = set()
    gateway.asked.clear()

    etcd.members()

    assert gateway.paths() == [(B, "cluster/member/list")]


def test_an_etcd_of_another_cluster_is_never_taken_for_ours(etcd: EtcdCluster, gateway: Gateway) -> None:
    etcd.cluster_id()
    gateway.foreign = {B}
    gateway.down = {A}

    with pytest.raises(EtcdUnavailableError, match=r"10.0.0.12:2379: an etcd of another cluster \(7\)"):
        etcd.members()


def test_without_any_member_every_reason_is_quoted(etcd: EtcdCluster, gateway: Gateway) -> None:
    gateway.down = {A, B}

    with pytest.raises(
        EtcdUnavailableError, match=r"no member answered: http://10.0.0.11:2379: ConnectError.*10.0.0.12"
    ):
        etcd.members()


def test_a_member_is_added_as_a_learner(etcd: EtcdCluster, gateway: Gateway) -> None:
    gateway.answers["cluster/member/add"] = (200, {"member": LIST["members"][2]})  # type: ignore[index]

    assert etcd.add_learner("http://10.0.0.21:2380") == LEARNER
    assert gateway.asked[-1][2] == {"peerURLs": ["http://10.0.0.21:2380"], "isLearner": True}


@pytest.mark.parametrize("call", ["promote", "remove"])
def test_ids_are_sent_as_text_for_they_do_not_fit_into_a_json_number(
    etcd: EtcdCluster, gateway: Gateway, call: str
) -> None:
    gateway.answers[f"cluster/member/{call}"] = (200, {"members": []})

    getattr(etcd, call)(Member(2**63 + 1, "x", (), ()))

    assert gateway.asked[-1][2] == {"ID": "9223372036854775809"}


def test_leadership_is_moved_at_the_leader_itself(etcd: EtcdCluster, gateway: Gateway) -> None:
    gateway.answers["maintenance/status"] = (200, {**STATUS, "leader": "11"})
    gateway.answers["maintenance/transfer-leadership"] = (200, {})

    etcd.move_leader(Member(12, "vm-2", ("http://10.0.0.12:2380",), (B,)))

    assert gateway.asked[-1] == (A, "maintenance/transfer-leadership", {"targetID": "12"})


def test_leadership_is_not_moved_while_nobody_leads(etcd: EtcdCluster, gateway: Gateway) -> None:
    gateway.answers["maintenance/status"] = (200, {**STATUS, "leader": "0"})

    with pytest.raises(EtcdUnavailableError, match=r"^etcd: vm-1 knows no leader: wait until one is elected \[etcd-no-leader\]$"):
        etcd.move_leader(VM_1)
    assert "maintenance/transfer-leadership" not in [path for _, path, _ in gateway.asked]


def test_a_learner_that_has_not_started_is_not_asked(etcd: EtcdCluster) -> None:
    with pytest.raises(EtcdUnavailableError, match=r"member d at http://10.0.0.21:2380 has not started yet") as error:
        etcd.status(LEARNER)
    assert error.value.id == "etcd-member-not-started"


@pytest.mark.parametrize(
    "message",
    [
        "etcdserver: unhealthy cluster",
        "etcdserver: re-configuration failed due to not enough started members",
        "etcdserver: can only promote a learner member which is in sync with leader",
        "etcdserver: too many learner members in cluster",
        "etcdserver: request timed out",
        "etcdserver: leader changed",
    ],
)
def test_what_a_settling_cluster_says_is_worth_a_retry(etcd: EtcdCluster, gateway: Gateway, message: str) -> None:
    gateway.answers["cluster/member/promote"] = (503, {"error": message, "code": 14})

    with pytest.raises(EtcdUnavailableError, match=message):
        etcd.promote(VM_1)


def test_a_plain_no_is_not_worth_a_retry(etcd: EtcdCluster, gateway: Gateway) -> None:
    gateway.answers["cluster/member/remove"] = (404, {"error": "etcdserver: member not found", "code": 5})

    with pytest.raises(HostError, match="cluster/member/remove: etcdserver: member not found") as error:
        etcd.remove(VM_1)
    assert error.value.id == "etcd-request-refused"


def test_an_answer_of_another_service_is_an_error_of_ours(etcd: EtcdCluster, gateway: Gateway) -> None:
    gateway.page = "<html>welcome</html>"

    with pytest.raises(HostError, match=r"10.0.0.11:2379: maintenance/status: the answer is no JSON"):
        etcd.members()


def test_a_change_whose_answer_got_lost_is_not_asked_of_another_member(etcd: EtcdCluster, gateway: Gateway) -> None:
    gateway.lost = {"cluster/member/add"}

    with pytest.raises(EtcdUnavailableError, match=r"10.0.0.11:2379: ReadTimeout"):
        etcd.add_learner("http://10.0.0.21:2380")

    assert [path for _, path in gateway.paths()].count("cluster/member/add") == 1


def test_a_change_is_asked_of_a_member_that_is_up(etcd: EtcdCluster, gateway: Gateway) -> None:
    gateway.answers["cluster/member/promote"] = (200, {})
    gateway.down = {A}

    etcd.promote(LEARNER)

    assert gateway.paths()[-1] == (B, "cluster/member/promote")


def test_a_member_is_not_asked_to_remove_itself(etcd: EtcdCluster, gateway: Gateway) -> None:
    gateway.answers["cluster/member/remove"] = (200, {"members": []})

    etcd.remove(VM_1)

    assert gateway.paths()[-1] == (B, "cluster/member/remove")


def advertising(*client_urls: str, peer: str = "http://10.0.0.12:2380") -> Member:
    return Member(12, "vm-2", (peer,), client_urls)


@pytest.mark.parametrize(
    "member",
    [
        advertising("http://localhost:2379"),
        advertising("http://0.0.0.0:2379"),
        advertising("http://127.0.0.1:2379", "http://[::1]:2379"),
        advertising("http://127.0.0.1:2379", B),
        advertising("http://vm-2.nowhere:2379", B),
        advertising("http://vm-2.nowhere:2379"),
        advertising("http://vm-2.nowhere:2379", peer="http://vm-2.nowhere:2380"),
        advertising("http://localhost:2379", peer="http://vm-2.nowhere:2380"),
        advertising(A, B),
    ],
    ids=["localhost", "any address", "two of its own", "its own first", "an unknown name first", "an unknown name",
         "peers by an unknown name, too", "localhost, peers by an unknown name", "another member's"],
)  # fmt: skip
def test_a_member_is_asked_where_it_is_whatever_it_advertises(etcd: EtcdCluster, gateway: Gateway, member: Member) -> None:
    gateway.down = {"http://vm-2.nowhere:2379"}
    etcd.members()
    gateway.asked.clear()

    assert etcd.status(member).version == "3.5.21"

    assert gateway.paths()[-1] == (B, "maintenance/status")
    assert not [where for where, _ in gateway.paths() if "127.0" in where or "localhost" in where or "0.0.0.0" in where]


def test_a_member_is_not_looked_for_again_at_every_question(etcd: EtcdCluster, gateway: Gateway) -> None:
    etcd.status(advertising("http://localhost:2379"))
    gateway.asked.clear()

    etcd.status(advertising("http://localhost:2379"))

    assert gateway.paths() == [(B, "maintenance/status")]


def test_another_clusters_etcd_is_not_asked_in_a_members_place(etcd: EtcdCluster, gateway: Gateway) -> None:
    etcd.cluster_id()
    gateway.foreign = {B}

    with pytest.raises(EtcdUnavailableError, match=r"member vm-2 does not answer: http://10.0.0.12:2379: .* of cluster 7"):
        etcd.members_seen_by(advertising(B))


def test_a_member_that_has_moved_away_is_noticed(etcd: EtcdCluster, gateway: Gateway) -> None:
    etcd.status(advertising(B))
    gateway.ids[B] = "99"

    with pytest.raises(EtcdUnavailableError, match="no longer member c answers there"):
        etcd.status(advertising(B))


def test_a_member_that_advertises_a_loopback_address_is_not_asked_to_remove_itself(
    etcd: EtcdCluster, gateway: Gateway
) -> None:
    gateway.answers["cluster/member/remove"] = (200, {"members": []})

    etcd.remove(Member(11, "vm-1", ("http://10.0.0.11:2380",), ("http://localhost:2379",)))

    assert gateway.paths()[-1] == (B, "cluster/member/remove")


@pytest.mark.parametrize(
    ("status", "page", "version", "found"),
    [
        (404, "404 page not found\n", {"etcdserver": "3.3.11"}, r"its etcd is 3.3.11.*\[etcd-older-than-learners\]"),
        (404, "404 page not found\n", {"etcdserver": "3.5.9"}, r"3.5.9 has no JSON gateway.*\[etcd-gateway-off\]"),
        (404, "<h1>Not here</h1>", {"hello": "world"}, r"another service.*\[etcd-answer-unreadable\]"),
        (400, "Client sent an HTTP request to an HTTPS server.\n", {}, r"serves TLS only.*\[etcd-speaks-tls\]"),
    ],
    ids=["3.3", "without its gateway", "no etcd", "TLS"],
)
def test_an_etcd_of_another_kind_is_called_what_it_is(
    etcd: EtcdCluster, gateway: Gateway, status: int, page: str, version: dict[str, str], found: str
) -> None:
    gateway.page, gateway.page_status, gateway.version = page, status, httpx.Response(200, json=version)

    with pytest.raises(HostError, match=found):
        etcd.cluster_id()


def test_an_old_platforms_etcd_of_another_kind_does_not_stand_in_the_way(etcd: EtcdCluster, gateway: Gateway) -> None:
    gateway.ids = {B: "12"}
    gateway.kinds = {A: httpx.Response(404, text="404 page not found")}
    gateway.version = httpx.Response(200, json={"etcdserver": "3.3.11"})

    assert [member.name for member in etcd.members()][:2] == ["vm-1", "vm-2"]


def test_once_ours_has_answered_an_etcd_of_another_kind_is_no_reason_to_give_up(etcd: EtcdCluster, gateway: Gateway) -> None:
    etcd.cluster_id()
    gateway.kinds = {A: httpx.Response(404, text="404 page not found")}
    gateway.down = {B}

    with pytest.raises(EtcdUnavailableError, match="no member answered"):
        etcd.members()


@pytest.fixture
def closed_to_http() -> Iterator[str]:
    """Something that answers a TLS handshake with an alert, and anything else by hanging up, as an etcd with certificates."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listening.accept()
                with client:
                    if client.recv(1) == b"\x16":
                        client.sendall(b"\x15\x03\x03\x00\x02\x02\x28")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)


def test_an_etcd_that_hangs_up_on_plain_http_and_answers_tls_is_called_that(closed_to_http: str) -> None:
    with EtcdEndpoints(endpoints=(closed_to_http,)).cluster() as etcd, pytest.raises(HostError) as refused:
        etcd.cluster_id()

    assert refused.value.id == "etcd-speaks-tls"
