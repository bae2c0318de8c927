"""Models of who hears of runs: people by Prefect's notifications, Prometheus by metrics."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, HttpUrl, model_validator

from configs.base import StrictModel

BLOCK = re.compile(r"[a-z0-9-]+/[a-z0-9-]+")


class Occasion(StrEnum):
    """What of a run people hear."""

    FAILED = "failed"
    WAITING = "waiting"
    FINISHED = "finished"


def _is_block(value: str) -> str:
    if BLOCK.fullmatch(value) is None:
        raise ValueError(f"{value!r} names no block: write TYPE/NAME as `prefect block ls` lists it, for example slack-webhook/on-duty")
    return value


class Notify(StrictModel):
    """Prefect automations that notify people of the platform's runs."""

    block: Annotated[str, AfterValidator(_is_block)] = Field(description="TYPE/NAME of a block, as `prefect block ls` lists it")
    on: tuple[Occasion, ...] = Field(
        tuple(Occasion), min_length=1, description="failed (also crashed, cancelled), waiting (for approval at a gate), finished"
    )


class Metrics(StrictModel):
    """Where a run's figures go when it ends, for Prometheus."""

    textfile: Path | None = Field(None, description="folder that node_exporter's textfile collector reads, where the flow runs")
    pushgateway: HttpUrl | None = Field(None, description="http://HOST:9091")

    @model_validator(mode="after")
    def _goes_somewhere(self) -> Metrics:
        if self.textfile is None and self.pushgateway is None:
            raise ValueError("neither textfile nor pushgateway: write one of them, or leave metrics out")
        return self
