"""What the worker process is told. Apart from the worker itself, so that its parent does not load torch."""

from dataclasses import dataclass, field
from pathlib import Path

from configs.settings import PolicySettings, Polygon, WorkerSettings
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
    policy: PolicySettings = field(default_factory=PolicySettings)
    """As the sink has it: what is an alert there is one here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySpec:
    """What features are kept, and where."""

    folder: Path
    """Each camera has one of its own in it."""
    episodes: int
    """Latest alerts of each camera."""
    normal_s: float
    """Normal time of each camera, seconds."""
    most_bytes: int
    """Of each camera: half for alerts, half for normal time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSpec:
    """All the worker process needs."""

    endpoints: Endpoints
    settings: WorkerSettings
    cameras: tuple[WorkerCamera, ...]
    memory: MemorySpec | None = None
    """None keeps nothing."""
