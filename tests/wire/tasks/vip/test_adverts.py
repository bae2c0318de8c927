"""What listens for adverts, on the loopback interface: it hears its router only, and ends in time."""

import os
import socket
import struct
import subprocess
import threading

import pytest

from tasks.vip.adverts import LISTEN_PERL, LISTEN_PYTHON, PROTOCOL, parse_adverts
from tasks.vip.instance import GROUP
from tests.fakes.machines import advert

SILENT = "53"  # a router of which no other test sends adverts at the same time


class Sender(threading.Thread):
    """Sends adverts on the loopback interface, two routers' in turn, until it is stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = threading.Event()

    def run(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, PROTOCOL) as raw:
            raw.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("=4s4si", bytes(4), bytes(4), 1))
            while not self.ended.wait(0.05):
                for vrid in (52, 51):
                    raw.sendto(bytes.fromhex(advert("10.0.0.100", vrid=vrid)), (GROUP, 0))


@pytest.mark.skipif(os.geteuid() != 0, reason="raw sockets are root's")
@pytest.mark.parametrize(("interpreter", "program"), [(("python3", "-c"), LISTEN_PYTHON), (("perl", "-e"), LISTEN_PERL)])
def test_the_listener_hears_its_router_only(interpreter: tuple[str, str], program: str) -> None:
    sender = Sender()
    sender.start()
    try:
        heard = subprocess.run([*interpreter, program, "1", "lo", GROUP, "51", "0.5"], capture_output=True, text=True, check=True)
    finally:
        sender.ended.set()
        sender.join()

    assert {parsed.payload.hex() for parsed in parse_adverts(heard.stdout)} == {advert("10.0.0.100")}


@pytest.mark.skipif(os.geteuid() != 0, reason="raw sockets are root's")
@pytest.mark.parametrize(("interpreter", "program"), [(("python3", "-c"), LISTEN_PYTHON), (("perl", "-e"), LISTEN_PERL)])
def test_the_listener_that_hears_nothing_ends_in_time(interpreter: tuple[str, str], program: str) -> None:
    heard = subprocess.run([*interpreter, program, "1", "lo", GROUP, SILENT, "0.2"], capture_output=True, timeout=30, check=True)

    assert heard.stdout == b""
