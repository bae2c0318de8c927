"""What a controller keeps running."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class FakeWorkload:
    kind: str
    namespace: str
    name: str
    replicas: int
    images: dict[str, str] = field(default_factory=lambda: {"main": "app/web:2.0"})
    recreate: bool = False
