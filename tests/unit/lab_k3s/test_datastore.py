"""What the datastore's answers mean."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from deployments.lab.k3s.datastore import Datastore, after_prefix
from deployments.lab.k3s.errors import StartError, UnreachableError


@pytest.fixture
def etcd():
    """An endpoint that answers `etcd.answer` (status, body) and keeps what it was asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.server.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            status, body = self.server.answer
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.answer = [], (200, {})
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_peer_port_is_named_as_such_and_not_asked_again(etcd):
    etcd.answer = (404, {})
    with pytest.raises(StartError, match="2380 is etcd's peer port") as caught:
        Datastore([etcd.url]).read_prefix("/bootstrap/")
    assert not isinstance(caught.value, UnreachableError)


def test_no_quorum_and_no_answer_may_pass(etcd):
    etcd.answer = (503, {"error": "etcdserver: no leader"})
    with pytest.raises(UnreachableError, match=r"no leader.*refused"):
        Datastore([etcd.url, "http://127.0.0.1:1"]).read_prefix("/bootstrap/")


def test_the_first_endpoint_that_answers_is_enough(etcd):
    etcd.answer = (200, {"kvs": [{"key": "L2Ivaw==", "value": "dg=="}]})
    assert Datastore(["http://127.0.0.1:1", etcd.url]).read_prefix("/b/") == {"/b/k": b"v"}


def test_the_first_write_is_bound_to_an_empty_prefix(etcd):
    assert not Datastore([etcd.url]).create_first("/b/", "/b/k", b"v")
    condition = etcd.asked[0]["compare"][0]
    assert (condition["target"], condition["create_revision"]) == ("CREATE", "0")
    assert condition["range_end"]


def test_the_end_of_a_prefix():
    assert after_prefix("/bootstrap/") == "/bootstrap0"
