"""Whether etcd's certificates will do: the client's, the new members', and those that the running members accept."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from blocks.certificates import Chain, parse_certificates, read_chain
from blocks.ports import EtcdApi, Host
from configs.errors import ConfigError
from configs.etcd import EtcdTls
from configs.platform import Platform
from tasks.certificates.files import member_pair
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings
from tasks.etcd.flags import QUESTION, SETTINGS, VALUE, Flags, parse_flags
from tasks.etcd.members import member_of
from tasks.shell.script import facts, parse_facts

A_NIGHT, A_MONTH = timedelta(days=1), timedelta(days=30)
BOTH = ("serverAuth", "clientAuth")
# Certificates only, of every file that etcd's settings name as one: such a file may hold a key, too.
_PEMS = rf"""
    {SETTINGS} | grep -oiE '(ca|cert)[-_]file[= :]+[^ ]+' | {VALUE} | sort -u |
        while read -r f; do echo "= $f"; sed -n '/BEGIN CERT/,/END CERT/p' "$f"; done
"""
FILES = {"trusted-ca-file": "cert-file", "peer-trusted-ca-file": "peer-cert-file"}
"""By the flag with whom a member accepts: the flag with what it shows."""


@check("check etcd certificates")
def check_certificates(platform: Platform, tls: EtcdTls, hosts: Mapping[str, Host], etcd: EtcdApi) -> Checked:
    """The certificates of the config are valid for long enough, fit their keys and targets, and the running members accept them."""
    found = Findings("etcd")
    authorities = _read(found, tls.ca)
    client = _judge_pair(found, authorities, tls.cert, tls.key, ("clientAuth",))
    members = etcd.members()
    new: list[Chain] = []
    for target in platform.new_members:
        if member_of(members, target) is None:
            at = Findings(target.name)
            chain = _judge_pair(at, authorities, *member_pair(tls, target), BOTH)
            if chain is not None:
                _judge_address(at, chain, str(target.address))
                new.append(chain)
            found.found.extend(at.found)
    for machine in platform.machines:
        member = member_of(members, machine)
        if member is not None and not member.is_learner and machine.name in hosts:
            _judge_running(found, hosts[machine.name], platform, authorities, client, new)
    return found.checked(f"{len(new)} new members have theirs")


def _read(found: Findings, path: Path) -> Chain | None:
    try:
        return read_chain(path)
    except ConfigError as error:
        found.refuse("etcd-tls-unreadable", error.message, "", final=True)
        return None


def _judge_pair(found: Findings, authorities: Chain | None, cert: Path, key: Path, usages: Collection[str]) -> Chain | None:
    chain = _read(found, cert)
    if chain is None or authorities is None:
        return chain
    try:
        if not chain.fits(key):
            found.refuse("etcd-key-differs", f"{key} is not the key of {cert}", "put the pair there that was made together", final=True)
    except ConfigError as error:
        found.refuse("etcd-tls-unreadable", error.message, "", final=True)
    if not chain.comes_from(authorities.certificates):
        what = f"{cert} comes from no authority in etcd.tls.ca"
        found.refuse("etcd-certificate-foreign", what, "have it signed by the authority of the running members", final=True)
    lacking = [usage for usage in usages if usage not in chain.usages]
    if lacking:
        what = f"{cert} may not be used for {', '.join(lacking)}: members are clients of each other, and of themselves"
        found.refuse("etcd-certificate-usage", what, f"have it signed with the extended key usage {', '.join(usages)}", final=True)
    _judge_time(found, chain, cert)
    return chain


def _judge_time(found: Findings, chain: Chain, cert: Path) -> None:
    now, (begins, ends) = datetime.now(UTC), chain.valid
    span = f"{cert} is valid from {begins:%Y-%m-%d %H:%M} to {ends:%Y-%m-%d %H:%M} UTC"
    if not begins <= now < ends - A_NIGHT:
        found.refuse("etcd-certificate-expired", f"{span}, a move needs a day", "renew it", final=True)
    elif now > ends - A_MONTH:
        found.warn("etcd-certificate-expires", span, "renew it before the move, or soon after")


def _judge_address(found: Findings, chain: Chain, address: str) -> None:
    if address not in chain.names:
        what = f"its certificate is for {', '.join(sorted(chain.names)) or 'no name'}, not for its address {address}"
        remedy = f"have it signed with the subject alternative name IP:{address}, and IP:127.0.0.1 for etcdctl there"
        found.refuse("etcd-certificate-other-address", what, remedy, final=True)


def _judge_running(
    found: Findings, host: Host, platform: Platform, authorities: Chain | None, client: Chain | None, new: list[Chain]
) -> None:
    """Old and new members must accept each other, and the old ones our client."""
    question = QUESTION + facts({"pems": _PEMS})
    said = parse_facts(host.run(question, what="reading etcd's certificates", timeout_s=platform.timeouts.command_s).stdout)
    flags = parse_flags(said)
    if flags is None:
        return  # said by the check of the flags
    _judge_kinds(found, host, flags)
    pems = dict(part.partition("\n")[::2] for part in f"\n{said['pems']}\n".split("\n= ")[1:])
    for trusts, shows in FILES.items():
        accepted, shown = (_parsed(found, host, name, flags, pems) for name in (trusts, shows))
        comers, called = ([client], "etcd.tls.cert") if trusts == "trusted-ca-file" else (new, "new members' certificates")
        if accepted and not all(chain is None or chain.comes_from(accepted.certificates) for chain in comers):
            what = f"it does not accept {called}: no authority in --{trusts}={flags[trusts]} has signed them"
            found.refuse("etcd-authority-differs", what, "have them signed by it, or add theirs to that file", where=host.name, final=True)
        if shown and authorities and not shown.comes_from(authorities.certificates):
            what = f"--{shows}={flags[shows]} comes from no authority in etcd.tls.ca: new members would not accept it"
            found.refuse("etcd-authority-differs", what, "add its authority to that file", where=host.name, final=True)


def _judge_kinds(found: Findings, host: Host, flags: Flags) -> None:
    made_up = [name for name in ("auto-tls", "peer-auto-tls") if flags.get(name) == "true"]
    if made_up:
        what = f"--{' and --'.join(made_up)}: it makes its own certificates, which nobody has signed"
        found.refuse("etcd-auto-tls", what, "give the members certificates of one authority first", where=host.name, final=True)
    lists = [name for name in ("client-crl-file", "peer-crl-file") if flags.get(name)]
    if lists:
        what = f"--{' and --'.join(lists)} is not carried over to new members"
        found.warn("etcd-crl-not-carried", what, "set it there after the move", where=host.name)


def _parsed(found: Findings, host: Host, name: str, flags: Flags, pems: Mapping[str, str]) -> Chain | None:
    if not flags.get(name):
        return None
    try:
        return Chain(parse_certificates(pems.get(flags[name], "").encode()))
    except ValueError:
        what = f"no certificate was read from --{name}={flags[name]}, so it is unknown whether old and new members accept each other"
        found.warn("etcd-authority-unread", what, "openssl x509 -noout -issuer -in that file, compare with etcd.tls.ca", where=host.name)
        return None
