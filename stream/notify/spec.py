"""What the notifier process is given. Light: the parent has it, too."""

from dataclasses import dataclass, field
from pathlib import Path

from configs.notify import NotifySettings
from stream.bus import Endpoints

PROCESS = "notify"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySpec:
    """All the notifier needs."""

    endpoints: Endpoints
    folder: Path
    """Of the store."""
    cameras: tuple[str, ...]
    settings: NotifySettings = field(repr=False)
