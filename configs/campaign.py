"""The model of a campaign: several platforms that move, each by its own config."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from configs.base import Label, StrictModel


class Campaign(StrictModel):
    """Which platforms move, in which order, and how many at a time."""

    campaign: Label = Field(description="names its report")
    canary: Path = Field(description="config of the platform that moves first, by itself; the others follow if it ended well")
    others: tuple[Path, ...] = Field(min_length=1, description="configs of the others, begun in this order")
    at_once: int = Field(1, ge=1, description="how many of them move at a time; a worker runs each in a process of its own")
    deployment: str = Field("migrate/prod", description="the deployment that moves one; it is given each config")

    @property
    def configs(self) -> tuple[Path, ...]:
        """All of them, the canary first."""
        return (self.canary, *self.others)

    @model_validator(mode="after")
    def _each_moves_once(self) -> Campaign:
        if twice := sorted({str(path) for path in self.configs if self.configs.count(path) > 1}):
            raise ValueError(f"{', '.join(twice)} is written twice: each platform moves once")
        return self
