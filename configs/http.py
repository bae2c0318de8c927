"""What must answer HTTP before, during and after the move."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, HttpUrl, field_validator, model_validator

from configs.base import StrictModel


class HttpCheck(StrictModel):
    """A URL, and whom its certificate must come from."""

    url: HttpUrl
    ca: Path | None = Field(None, description="PEM file of the authority of an https URL's certificate, on the machine where the flow runs")

    @field_validator("ca")
    @classmethod
    def _expanded(cls, value: Path | None) -> Path | None:
        return value.expanduser() if value else None

    @model_validator(mode="after")
    def _has_a_certificate(self) -> HttpCheck:
        if self.ca and self.url.scheme != "https":
            raise ValueError(f"{self.url} has no certificate: leave ca out, or write https")
        return self

    def __str__(self) -> str:
        return str(self.url)


def _written_short(value: Any) -> Any:
    """A URL by itself is one whose certificate comes from a public authority, or has none."""
    return {"url": value} if isinstance(value, str) else value


UrlOrHttpCheck = Annotated[HttpCheck, BeforeValidator(_written_short, json_schema_input_type=HttpUrl | HttpCheck)]
