"""Renders the templates. A value that a template uses and does not get is an error."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

import configs

_templates = Environment(
    loader=FileSystemLoader(Path(configs.__path__[0]) / "templates"),
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    autoescape=False,  # noqa: S701 - units and INI, no HTML
)


def rendered(template: str, **values: object) -> str:
    """A template, filled in with `values`."""
    return _templates.get_template(template).render(**values)


def _sql(value: str) -> str:
    """A MySQL string literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


_templates.filters["sql"] = _sql
