"""Model of the file lake: the GlusterFS volume that the archives and the platform's shared data lie on."""

from __future__ import annotations

from pydantic import Field, model_validator

from configs.base import HostPath, StrictModel


class Lake(StrictModel):
    """Where it is mounted, and whether its bricks move. Written as a path only, it is `folder`."""

    folder: HostPath = Field("/mnt/uap-global/backup", description="folder of the archives, on the mounted file lake")
    move: bool = Field(False, description="bricks that lie on sources are moved to targets, one at a time, before the drains")
    brick: HostPath | None = Field(
        None, description="folder of a brick on its target, empty or absent; left out: the path that it has on its source"
    )

    @model_validator(mode="before")
    @classmethod
    def _may_be_its_folder(cls, written: object) -> object:
        return {"folder": written} if isinstance(written, str) else written
