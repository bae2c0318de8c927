"""Renders the templates. A value that a template uses and does not get is an error."""

from __future__ import annotations

from pathlib import Path

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

import configs

_templates = Environment(
    loader=FileSystemLoader(Path(configs.__path__[0]) / "templates"),
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    autoescape=select_autoescape(["html.j2"], default=False),  # the others are units, INI and Markdown
)


def rendered(template: str, **values: object) -> str:
    """A template, filled in with `values`."""
    return _templates.get_template(template).render(**values)


def _sql(value: str) -> str:
    """A MySQL string literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _yaml(value: object) -> str:
    """A value as YAML has it, on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=float("inf"))
    return text.removesuffix("\n").removesuffix("\n...")


def _line(value: object) -> str:
    """For a comment: whatever the text has, it does not end the line."""
    return " ".join(str(value).split())


def _cell(value: object) -> str:
    """For a cell of a Markdown table: one line, and no bar that would end the cell."""
    return _line(value).replace("|", "\\|")


_templates.filters.update(sql=_sql, yaml=_yaml, line=_line, cell=_cell)
