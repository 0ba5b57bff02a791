"""What the worker process is told. Apart from the worker itself, so that its parent does not load torch."""

from dataclasses import dataclass
from pathlib import Path

from configs.schema import Polygon, WorkerSettings
from stream.bus import Endpoints
from stream.ring import RingSpec

PROCESS = "worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerCamera:
    """What the worker needs of one camera."""

    name: str
    ring: RingSpec
    model: Path
    threshold: float | None
    """Instead of the model's."""
    mask: tuple[Polygon, ...] | None
    """Areas to ignore, instead of the model's."""
    clip_weights: Path | None = None
    """Of the clip network, where the model needs one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSpec:
    """All the worker process needs."""

    endpoints: Endpoints
    settings: WorkerSettings
    cameras: tuple[WorkerCamera, ...]
