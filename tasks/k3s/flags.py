"""The flags that the running servers have, beside those that the config gives to the new ones. Pure.

k3s wants all servers of a cluster to agree on most of them: https://docs.k3s.io/cli/server, "critical configuration values".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from configs.platform import OURS

Flag = tuple[str, str]


def parse_flags(words: Iterable[str]) -> set[Flag]:
    """Names and values, whether written `--name=value` or `--name value`; without those that are one machine's own."""
    return {flag for flag in _pairs(list(words)) if flag[0] not in OURS}


def differing(running: str, wished: Iterable[str]) -> str:
    """How the wish differs from a running server's command line, in words; empty when it does not, or nothing runs."""
    _, server, line = running.partition(" server ")
    if not server:
        return ""
    has, gets = parse_flags(line.split()), parse_flags(wished)
    told = [("it has", has - gets), ("it lacks", gets - has)]
    return ", ".join(f"{what} {' '.join(sorted(map(_word, flags)))}" for what, flags in told if flags)


def _pairs(words: list[str]) -> Iterator[Flag]:
    for word, follower in zip(words, [*words[1:], "-"], strict=True):
        if word.startswith("-"):
            name, equals, value = word.partition("=")
            yield name, value if equals or follower.startswith("-") else follower


def _word(flag: Flag) -> str:
    return "=".join(filter(None, flag))
