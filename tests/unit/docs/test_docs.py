"""The documentation: both languages say the same, links lead somewhere, and the words are the field's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.docs.test_words import banned_in

ROOT = Path(__file__).resolve().parents[3]
READMES = ("README.md", "README.zh-CN.md")
PAGES = ("campaigns", "clients", "corrections", "monitoring", "rollback", "steps", "systems")
PAIRS = [READMES, *((f"docs/{name}.md", f"docs/{name}.zh-CN.md") for name in PAGES)]
LINKED = [*READMES, *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").glob("*.md")))]
WORDED = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").rglob("*.md"))),
]
MOST_README_LINES = 170

COMMENT = re.compile(r"(?:^|\s+)#.*$")
HEADING = re.compile(r"(#{1,6}) \S")
LINK = re.compile(r"\]\(([^)\s]+)\)")
EXTERNAL = re.compile(r"[a-z]+:")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def parts(text: str) -> tuple[list[str], list[list[str]]]:
    """The text's lines outside of fenced blocks, and those blocks, each without its indentation."""
    prose: list[str] = []
    blocks: list[list[str]] = []
    indent: int | None = None
    for line in text.splitlines():
        bare = line.lstrip()
        if bare.startswith("```"):
            if indent is None:
                indent = len(line) - len(bare)
                blocks.append([bare])
            else:
                indent = None
        elif indent is None:
            prose.append(line)
        else:
            blocks[-1].append(line[indent:])
    assert indent is None, "a fenced block has no end"
    return prose, blocks


def heading_levels(text: str) -> list[int]:
    return [len(found[1]) for line in parts(text)[0] if (found := HEADING.match(line))]


def commands(text: str) -> list[list[str]]:
    """The fenced blocks without comments, which may be translated."""
    return [[bare for line in block if (bare := COMMENT.sub("", line).rstrip())] for block in parts(text)[1]]


def relative_links(text: str) -> list[str]:
    found = LINK.findall("\n".join(parts(text)[0]))
    return [link.partition("#")[0] for link in found if not EXTERNAL.match(link) and not link.startswith("#")]


def test_headings_and_commands_of_the_readme_are_found() -> None:
    assert len(heading_levels(read("README.md"))) > 5
    assert ["```sh", "make rehearse", "make test"] in commands(read("README.md"))


@pytest.mark.parametrize(("english", "chinese"), PAIRS)
def test_both_languages_have_the_same_headings_in_the_same_order(english: str, chinese: str) -> None:
    assert heading_levels(read(chinese)) == heading_levels(read(english))


@pytest.mark.parametrize(("english", "chinese"), PAIRS)
def test_both_languages_have_the_same_commands(english: str, chinese: str) -> None:
    assert commands(read(chinese)) == commands(read(english))


@pytest.mark.parametrize("name", LINKED)
def test_every_relative_link_leads_to_an_existing_file(name: str) -> None:
    folder = (ROOT / name).parent
    assert [link for link in relative_links(read(name)) if not (folder / link).exists()] == []


def test_the_readme_is_short() -> None:
    assert len(read("README.md").splitlines()) <= MOST_README_LINES


@pytest.mark.parametrize("name", WORDED)
def test_only_the_words_of_the_field_are_used(name: str) -> None:
    lines = enumerate(read(name).splitlines(), 1)
    assert [f"{name}:{number}: {sorted(found)}" for number, line in lines if (found := banned_in(line))] == []


def test_a_comment_may_be_translated_and_a_command_may_not() -> None:
    assert commands("```sh\nmake   # all\n# more\n```") == commands("   ```sh\n   make   # 全部\n   ```")
    assert commands("```sh\nmake a\n```") != commands("```sh\nmake b\n```")
