"""Templates, rendered. A value that a template wants and does not get is an error."""

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
    """A template that has a file of its own to fill it, as pictures have."""
    return _templates.get_template(template).render(**values)


def _sql(value: str) -> str:
    """A string literal of MySQL's."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


_templates.filters["sql"] = _sql
