"""The command line, as Helm has it."""

from __future__ import annotations

import argparse
import re
import sys
from typing import Any, NoReturn

from . import answers, releases

SECONDS = {"s": 1, "m": 60, "h": 3600}


class UsageError(Exception):
    """What Helm would say after `Error:`."""


class Parser(argparse.ArgumentParser):
    """argparse with Helm's way to refuse: one line, status 1."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def main(argv: list[str] | None = None) -> int:
    """Do what was asked; errors go to standard error, in Helm's own words where they are Helm's."""
    try:
        asked = parse(sys.argv[1:] if argv is None else argv)
        sys.stdout.write(asked.answer(asked))
    except (UsageError, answers.ReleaseError, releases.LibraryError) as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    return 0


def parse(argv: list[str]) -> argparse.Namespace:
    """The flags; `answer` is the function that knows what to say."""
    anywhere = Parser(add_help=False)
    anywhere.add_argument("--namespace", "-n", default="default")
    anywhere.add_argument("--kubeconfig")
    helm = Parser(prog="helm")
    commands = helm.add_subparsers(required=True, metavar="COMMAND")
    _chart(commands.add_parser("install", parents=[anywhere]), answers.install)
    upgrade = commands.add_parser("upgrade", parents=[anywhere])
    upgrade.add_argument("--install", "-i", action="store_true")
    _chart(upgrade, answers.upgrade)
    listing = _output(commands.add_parser("list", aliases=["ls"], parents=[anywhere]), answers.listing)
    listing.add_argument("--all", "-a", action="store_true")
    _release(_output(commands.add_parser("status", parents=[anywhere]), answers.status))
    get = commands.add_parser("get").add_subparsers(required=True, metavar="WHAT")
    _release(_output(get.add_parser("values", parents=[anywhere]), answers.values))
    _release(commands.add_parser("uninstall", parents=[anywhere])).set_defaults(answer=answers.uninstall)
    rollback = _release(commands.add_parser("rollback", parents=[anywhere]))
    rollback.add_argument("revision", type=int, nargs="?")
    rollback.set_defaults(answer=answers.rollback)
    version = commands.add_parser("version")
    version.add_argument("--short", action="store_true")
    version.set_defaults(answer=answers.version)
    return helm.parse_args(argv)


def _chart(parser: argparse.ArgumentParser, answer: object) -> None:
    _release(parser).add_argument("chart")
    parser.add_argument("--create-namespace", action="store_true")
    parser.add_argument("--values", "-f", action="append", default=[])
    parser.add_argument("--set-string", action="append", default=[])
    parser.add_argument("--wait", action="store_true")
    parser.add_argument("--timeout", type=seconds, default=300)
    parser.set_defaults(answer=answer)


def _release(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("release")
    return parser


def _output(parser: argparse.ArgumentParser, answer: object) -> argparse.ArgumentParser:
    # Tables are for eyes; whoever calls from a program asks for JSON, and the lab has no other callers.
    parser.add_argument("--output", "-o", choices=["json"], required=True)
    parser.set_defaults(answer=answer)
    return parser


def seconds(text: str) -> int:
    """The seconds of a duration as Go writes it: 90s, 5m, 1h30m."""
    if not re.fullmatch(r"(\d+[smh])+", text):
        raise argparse.ArgumentTypeError(f'invalid duration "{text}"')
    return sum(int(number) * SECONDS[unit] for number, unit in re.findall(r"(\d+)([smh])", text))
