"""GlusterFS 10.3 as its command answers, on machines that share one world: pools, volumes, bricks, what is left to heal.

The command of a machine asks a server in this process (machine.sh), a line for each of MACHINE, ROOT and the number of words, then
the words; the world lies beside the root. What it answers has the elements that were recorded of a real one: see
tests/unit/tasks/lake/recorded.
"""

from __future__ import annotations

import json
import socketserver
import uuid
from functools import cache
from pathlib import Path
from threading import Lock, Thread
from typing import Any

State = dict[str, Any]
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<cliOutput>\n'
OTHER = "other"  # a machine of the pool that nobody asks
WORLD = "gluster.json"
DOWN = "Connection failed. Please check if gluster daemon is operational."


class FakeGluster:
    """The world, as tests set it up and look at it. Every machine of `hosts` has the command; glusterd runs on `running`."""

    def __init__(self, folder: Path, hosts: Any) -> None:
        self.file, self.hosts = folder / WORLD, hosts
        for host in hosts.values():
            host.disk.link(".state/gluster", self.file)
            host.write(".state/gluster-self", f"{host.name} {served()}\n")
            host.disk.mkdir("mnt/lake")
        uuids = {name: str(uuid.uuid5(uuid.NAMESPACE_DNS, name)) for name in (*hosts, OTHER)}
        addresses = {str(host.address): name for name, host in hosts.items()}
        self.save({"uuids": uuids, "addresses": addresses, "down": [], "pools": {}, "volumes": {}, "polls": 2})

    @property
    def state(self) -> State:
        said: State = json.loads(self.file.read_text())
        return said

    def save(self, state: State) -> None:
        self.file.write_text(json.dumps(state))

    def pool(self, name: str, *machines: str) -> None:
        self.change(pools={**self.state["pools"], **dict.fromkeys(machines, name)})

    def volume(self, name: str, *bricks: str, pool: str = "lake", **more: object) -> None:
        """A started volume whose bricks, MACHINE:/PATH, hold the same files, unless `more` says otherwise."""
        volume = {"pool": pool, "started": True, "kind": "Replicate", "replica": len(bricks), "arbiters": 0}
        self.change(volumes={**self.state["volumes"], name: {**volume, "bricks": bricks, "offline": [], **more}})
        for brick in bricks:
            machine, _, path = brick.partition(":")
            if machine in self.hosts:
                self.hosts[machine].write(f"{path}/.glusterfs/indices", "data\n")

    def change(self, **parts: object) -> None:
        self.save({**self.state, **parts})

    def alter(self, volume: str, **parts: object) -> None:
        volumes = self.state["volumes"]
        self.change(volumes={**volumes, volume: {**volumes[volume], **parts}})

    def bricks(self, volume: str) -> list[str]:
        return list(self.state["volumes"][volume]["bricks"])

    def peers(self, pool: str = "lake") -> set[str]:
        return {name for name, of in self.state["pools"].items() if of == pool}


class Asked(socketserver.StreamRequestHandler):
    """One command, answered by its exit code and what it prints; a shell can't close one direction only, so words are counted."""

    def handle(self) -> None:
        machine, root, count = (self.rfile.readline().decode().rstrip("\n") for _ in range(3))
        words = [self.rfile.readline().decode().rstrip("\n").replace(root, "") for _ in range(int(count))]
        with ONE_AT_A_TIME:
            code, said = command(Path(root).with_name(WORLD), machine, [word for word in words if not word.startswith("--")])
        self.wfile.write(f"{code}\n{said}\n".encode())


ONE_AT_A_TIME = Lock()


@cache
def served() -> int:
    """The port on which every machine's command is answered; a Python of its own for each takes 40 ms of a core."""
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Asked)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    return int(server.server_address[1])


def command(world: Path, machine: str, words: list[str]) -> tuple[int, str]:
    state: State = json.loads(world.read_text())
    if machine in state["down"]:
        return 1, DOWN
    match words:
        case ["pool", "list"]:
            return 0, pool_list(state, machine)
        case ["volume", "info"]:
            mine = {name: v for name, v in state["volumes"].items() if v["pool"] == pool_of(state, machine)}
            return 0, volume_info(state, mine)
        case ["volume", "status", name]:
            return 0, status(state, name) if state["volumes"][name]["started"] else refusal(f"Volume {name} is not started")
        case ["volume", "heal", name, "info"]:
            return 0, heal(state, name, world.with_suffix(".healing"))
        case ["peer", "probe", other]:
            return answer(world, state, *probe(state, machine, state["addresses"].get(other, other)))
        case ["peer", "detach", other]:
            return answer(world, state, *detach(state, machine, state["addresses"].get(other, other)))
        case ["volume", "replace-brick", name, old, new, "commit", "force"]:
            return answer(world, state, *replace(state, name, old, new, world.with_suffix(".healing")))
    return 1, f"unrecognized command {' '.join(words)}"


def answer(world: Path, state: State, why: str, said: str = "success") -> tuple[int, str]:
    if why:
        return 1, refusal(why)
    half = world.with_suffix(".half")
    half.write_text(json.dumps(state))
    half.replace(world.resolve())
    return 0, f"{HEAD}  <opRet>0</opRet>\n  <opErrno>0</opErrno>\n  <opErrstr/>\n  <output>{said}</output>\n</cliOutput>"


def pool_of(state: State, machine: str) -> str:
    return str(state["pools"].get(machine, machine))


def machine_of(state: State, brick: str) -> str:
    host = brick.rpartition(":")[0]
    return str(state["addresses"].get(host, host))


def probe(state: State, machine: str, other: str) -> tuple[str, str]:
    mine, theirs = pool_of(state, machine), pool_of(state, other)
    if other not in state["uuids"] or other in state["down"]:
        return "Probe returned with Transport endpoint is not connected", ""
    if mine == theirs:
        return "", f"Host {other} port 24007 already in peer list"
    has = [v for v in state["volumes"].values() if v["pool"] == theirs]
    if has or other in state["pools"]:
        return f"{other} is either already part of another cluster or having volumes configured", ""
    state["pools"][other] = mine
    return "", "success"


def detach(state: State, machine: str, other: str) -> tuple[str, str]:
    if state["pools"].get(other) != pool_of(state, machine):
        return f"{other} is not part of cluster", ""
    if any(machine_of(state, brick) == other for v in state["volumes"].values() for brick in v["bricks"]):
        return f"Peer {other} hosts one or more bricks.", ""
    del state["pools"][other]
    return "", "success"


def replace(state: State, name: str, old: str, new: str, healing: Path) -> tuple[str, str]:
    volume, target = state["volumes"][name], machine_of(state, new)
    if old not in volume["bricks"]:
        return f"brick: {old} does not exist in volume: {name}", ""
    if pool_of(state, target) != volume["pool"]:
        return f"Host {target} is not in 'Peer in Cluster' state", ""
    volume["bricks"] = [new if brick == old else brick for brick in volume["bricks"]]
    volume["offline"] = [brick for brick in volume["offline"] if brick != old]
    healing.write_text(json.dumps({name: state["polls"]}))
    return "", "replace-brick commit force operation successful"


def refusal(why: str) -> str:
    return f"{HEAD}  <opRet>-1</opRet>\n  <opErrno>0</opErrno>\n  <opErrstr>{why}</opErrstr>\n</cliOutput>"


def done(body: str) -> str:
    return f"{HEAD}  <opRet>0</opRet>\n  <opErrno>0</opErrno>\n  <opErrstr/>\n{body}\n</cliOutput>"


def pool_list(state: State, machine: str) -> str:
    peers = []
    for name in [n for n in state["uuids"] if n != machine and state["pools"].get(n) == pool_of(state, machine)] + [machine]:
        own = name == machine
        more = "" if own else "<state>3</state><stateStr>Peer in Cluster</stateStr>"
        up = int(name not in state["down"])
        called = f"<uuid>{state['uuids'][name]}</uuid><hostname>{'localhost' if own else name}</hostname>"
        peers.append(f"<peer>{called}<connected>{up}</connected>{more}</peer>")
    return done(f"<peerStatus>{''.join(peers)}</peerStatus>")


def volume_info(state: State, volumes: dict[str, State]) -> str:
    said = []
    for name, v in volumes.items():
        bricks = "".join(
            f"<brick>{brick}<name>{brick}</name><hostUuid>{state['uuids'][machine_of(state, brick)]}</hostUuid></brick>"
            for brick in v["bricks"]
        )
        said.append(
            f"<volume><name>{name}</name><id>id-of-{v['pool']}-{name}</id><status>{1 if v['started'] else 2}</status>"
            f"<replicaCount>{v['replica']}</replicaCount><arbiterCount>{v['arbiters']}</arbiterCount>"
            f"<typeStr>{v['kind']}</typeStr><bricks>{bricks}</bricks></volume>"
        )
    return done(f"<volInfo><volumes>{''.join(said)}<count>{len(said)}</count></volumes></volInfo>")


def status(state: State, name: str) -> str:
    """Bricks on machines whose glusterd is away are not listed."""
    v, nodes = state["volumes"][name], []
    for brick in v["bricks"]:
        host, _, path = brick.rpartition(":")
        if machine_of(state, brick) not in state["down"]:
            nodes.append(f"<node><hostname>{host}</hostname><path>{path}</path><status>{int(brick not in v['offline'])}</status></node>")
    return done(f"<volStatus><volumes><volume><volName>{name}</volName>{''.join(nodes)}</volume></volumes></volStatus>")


def heal(state: State, name: str, healing: Path) -> str:
    """Each time that it is asked, less is left; how much, is no part of the machines' own state."""
    left: dict[str, int] = json.loads(healing.read_text()) if healing.exists() else {}
    healing.write_text(json.dumps({**left, name: max(0, left.get(name, 0) - 1)}))
    v, bricks = state["volumes"][name], []
    for brick in v["bricks"]:
        away = brick in v["offline"] or machine_of(state, brick) in state["down"]
        entries = "-" if away else str(left.get(name, 0))
        said = "Transport endpoint is not connected" if away else "Connected"
        bricks.append(f"<brick><name>{brick}</name><status>{said}</status><numberOfEntries>{entries}</numberOfEntries></brick>")
    whole = f"<healInfo><bricks>{''.join(bricks)}</bricks></healInfo>\n  <opRet>0</opRet>\n  <opErrno>0</opErrno>\n  <opErrstr/>"
    return f"{HEAD}{whole}\n</cliOutput>"
