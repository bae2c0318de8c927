"""k3s on targets: servers and agents join the live cluster by the vendor's own installer."""

from __future__ import annotations

import re
from collections.abc import Iterable
from shlex import quote

from pydantic import SecretStr

from blocks.errors import CommandFailedError, DeadlineExceededError, RefusedError
from blocks.ports import Host, KeyValues, KubeApi, Node
from configs.hosts import Role, Target, is_reserved
from configs.platform import Platform
from tasks.engine.finding import Finding, note
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.engine.waiting import wait_until
from tasks.k3s.flags import shown
from tasks.k3s.identity import BOOTSTRAP, PROXY, ClusterAccess, password_of, server_token
from tasks.k3s.nodes import find_node
from tasks.k3s.rogue import take_back
from tasks.k3s.server_args import server_args
from tasks.shell.files import begin_log, move_aside, step_log
from tasks.shell.script import STRICT, facts, parse_facts
from tasks.shell.units import drop_in_folders, is_on, unit_state

LOG = step_log("k3s")
DATASTORE = ("K3S_DATASTORE_ENDPOINT", "K3S_DATASTORE_CAFILE", "K3S_DATASTORE_CERTFILE", "K3S_DATASTORE_KEYFILE")


def command_line(target: Target, common: Iterable[str]) -> list[str]:
    """The words that k3s is started with: those of its role, then the target's own."""
    labels = [f"--node-label={name}={value}" for name, value in target.labels.items() if not is_reserved(name)]
    taints = [f"--node-taint={taint}" for taint in target.taints]
    identity = [f"--node-name={target.name}", f"--node-ip={target.address}"]
    return [target.role.value, *common, *target.args, *labels, *taints, *identity]


def environment(
    platform: Platform, target: Target, words: Iterable[str], token: SecretStr, access: ClusterAccess
) -> dict[str, SecretStr | str]:
    """The installer's environment. A server's datastore is the targets' etcd members only; agents join through the VIP."""
    agent_token = _plain(access.agent_token)
    server = target.role is Role.SERVER
    # Where agents have a token of their own (user "node"), every server has to accept it.
    apart = server and "::node:" in agent_token
    return {
        "INSTALL_K3S_SKIP_DOWNLOAD": "true",
        "INSTALL_K3S_EXEC": " ".join(map(_for_installer, words)),
        "K3S_TOKEN": token,
        "K3S_URL": "" if server else platform.join_url,
        **(_datastore(platform) if server else {"K3S_DATASTORE_ENDPOINT": ""}),
        **({"K3S_AGENT_TOKEN": SecretStr(password_of(agent_token))} if apart else {}),
        **_proxies(platform, access),
    }


def _proxies(platform: Platform, access: ClusterAccess) -> dict[str, SecretStr]:
    """Those of the server that gave access, if it has any; the installer writes them down for the unit. etcd's client and k3s's own
    obey them, so no machine and no VIP is called through one.
    """
    found = {name: value for name, value in access.variables.items() if PROXY.fullmatch(name)}
    exceptions = [name for name in found if name.upper() == "NO_PROXY"]
    if len(found) > len(exceptions):
        own = [str(address) for address in (platform.vip, *(machine.address for machine in platform.machines))]
        for name in exceptions or ["NO_PROXY"]:
            listed = _plain(found[name]).split(",") if name in found else []
            found[name] = SecretStr(",".join(dict.fromkeys([*listed, *own])))
    return found


def _datastore(platform: Platform) -> dict[str, SecretStr | str]:
    """https://docs.k3s.io/datastore: the client's certificate, as it was staged there."""
    tls = platform.etcd.tls
    files = [tls.on_host(name) for name in ("ca.crt", "client.crt", "client.key")] if tls else []
    return dict(zip(DATASTORE, [platform.datastore_endpoint, *files], strict=False))


def words_of(platform: Platform, target: Target, nodes: Iterable[Node], access: ClusterAccess) -> list[str]:
    """All words that a target's k3s is started with. Raises RefusedError when nobody says the flags of servers."""
    server = target.role is Role.SERVER
    return command_line(target, server_args(platform, nodes, access) if server else platform.k3s.agent_args)


@step("join k3s")
def ensure_node(
    run: Run, host: Host, platform: Platform, target: Target, kube: KubeApi, keys: KeyValues, access: ClusterAccess
) -> Outcome:
    """Make `target` a Ready node of the live cluster; a server's API answers and is one of the cluster's endpoints.

    A server that founds a second cluster in the live datastore is taken back at once.
    Undo: k3s-uninstall.sh or k3s-agent-uninstall.sh there, then kubectl delete node.
    """
    # probe
    unit = "k3s" if target.role is Role.SERVER else "k3s-agent"
    token = server_token(keys, access) if target.role is Role.SERVER else access.agent_token
    words = words_of(platform, target, kube.nodes(), access)
    wanted = environment(platform, target, words, token, access)
    said = parse_facts(
        host.run(_question(unit), what="reading k3s's unit", timeout_s=platform.timeouts.command_s).stdout
    )
    right_env = all(said[name] == _plain(wanted.get(name, "")) for name in ("K3S_URL", *DATASTORE))
    if is_on(said["state"]) and right_env and _is_joined(kube, target):
        return unchanged(f"a Ready {target.role}")
    noted = () if right_env else _drop_ins_noted(host, said)
    if run.dry_run:
        proxies = ", ".join(name for name in wanted if PROXY.fullmatch(name))
        carried = f", with {access.server}'s {proxies}" if proxies else ""
        return planned(f"joins as {target.role}: {' '.join(shown(words))}{carried}", findings=noted)

    # act
    with run.acting(host.name, f"joining k3s as {target.role}"):
        known = set(keys.names(BOOTSTRAP))
        try:
            _install(host, platform, unit, wanted, "" if right_env else _without_drop_ins(unit))
        finally:
            if target.role is Role.SERVER:
                _refuse_second_cluster(host, platform, target, kube, keys, known)

    # verify
    try:
        wait_until(
            f"{target.name} is a Ready node" + (" and its API server an endpoint" if target.role is Role.SERVER else ""),
            lambda: _is_joined(kube, target),
            timeout_s=platform.timeouts.k3s_join_s,
            id="k3s-not-joined",
        )
    except DeadlineExceededError as error:
        error.join([f"{error.message}: {unit} says: {_journal(host, unit, wanted)}"])
        raise
    return changed(f"a Ready {target.role}", findings=noted)


def _install(
    host: Host, platform: Platform, unit: str, wanted: dict[str, SecretStr | str], before: str
) -> None:
    exports = "".join(f"export {name}={quote(_plain(value))}\n" for name, value in wanted.items())
    installer = (
        f"{STRICT}{begin_log(LOG)}{before}{exports}"
        f"sh {quote(platform.k3s.bundle)}/vendor/install-k3s.sh </dev/null >{LOG} 2>&1\n"
        # An installer that changed nothing starts nothing, even when the unit is stopped.
        f"systemctl start {unit} >>{LOG} 2>&1\n"
    )
    try:
        host.run(installer, what="install-k3s.sh", timeout_s=platform.timeouts.k3s_join_s)
    except CommandFailedError as error:
        why = ": ".join(filter(None, (error.stderr_tail, _journal(host, unit, wanted))))
        raise CommandFailedError(
            host.name, f"{unit} did not start", error.exit_code, why, id="k3s-not-started"
        ) from error


def _refuse_second_cluster(
    host: Host, platform: Platform, target: Target, kube: KubeApi, keys: KeyValues, known: set[str]
) -> None:
    """Take a server back that did not find the live identity: every minute that it stays an endpoint, calls fail."""
    founded = sorted(set(keys.names(BOOTSTRAP)) - known)
    if founded:
        for key in founded:
            take_back(host, platform, target, kube, keys, key)
        raise RefusedError(
            f"{host.name}: its k3s did not find the live cluster's identity and founded a second cluster ({', '.join(founded)}): it "
            "is taken back: k3s is off there, its node and key are removed: compare k3s --version there and on the sources",
            id="k3s-second-cluster",
        )


def _is_joined(kube: KubeApi, target: Target) -> bool:
    node, address = find_node(kube, target.name), str(target.address)
    if node is None or not node.ready or node.address != address:
        return False
    return target.role is Role.AGENT or (kube.is_ready(address) and address in kube.server_addresses())


def _question(unit: str) -> str:
    env = f"/etc/systemd/system/{unit}.service.env"
    names = ("K3S_URL", *DATASTORE)
    read = {name: f'sed -nE "s/^{name}=[\'\\"]?([^\'\\"]*)[\'\\"]?$/\\1/p" {env}' for name in names}
    drop_ins = f"find {' '.join(drop_in_folders(unit))} -name '*.conf'"
    return facts({"state": unit_state(unit), "drop_ins": drop_ins, **read})


def _without_drop_ins(unit: str) -> str:
    """Shell: move an old unit's drop-ins aside, which the vendor's uninstaller leaves: they would apply to the new one."""
    return "".join(move_aside(folder, "before-join") for folder in drop_in_folders(unit))


def _drop_ins_noted(host: Host, said: dict[str, str]) -> tuple[Finding, ...]:
    files = ", ".join(said["drop_ins"].split())
    what = f"{files}: drop-ins of an old unit are moved aside, to FOLDER.aside-before-join"
    return (note("k3s-drop-ins-aside", host.name, what, "copy there what the new k3s needs of them after the move"),) if files else ()


def _journal(host: Host, unit: str, wanted: dict[str, SecretStr | str]) -> str:
    """Why k3s did not start, from the installer's log and the unit's journal, with the tokens masked."""
    script = f"tail -n 3 {LOG}; journalctl -u {unit} -n 6 --no-pager -o cat"
    said = host.run(script, what="reading k3s's journal", check=False).stdout.strip()[-600:]
    secrets = [value.get_secret_value() for value in wanted.values() if isinstance(value, SecretStr)]
    for part in filter(None, [*secrets, *map(password_of, secrets)]):
        said = said.replace(part, "**********")
    return f"{said}: journalctl -u {unit} there"


def _for_installer(word: str) -> str:
    """It escapes all that a shell would read in INSTALL_K3S_EXEC, except blanks and quotes, and lets the shell read it."""
    return re.sub(r"""[ '"]""", lambda found: f'"{found[0]}"' if found[0] == "'" else f"'{found[0]}'", word)


def _plain(value: SecretStr | str) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
