"""Makes the clips of one camera, in a thread of its own, as alerts about it come over the bus."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from stream.bus import Endpoints, Subscriber
from stream.clips import SUFFIX, ClipSpec
from stream.clips.clip import Clip
from stream.clips.footage import Footage
from stream.clips.mp4 import remove_unfinished
from stream.messages import Alert

logger = logging.getLogger(__name__)

_LOOK_S = 0.1  # how often what has come is written; the memory holds far more
_STOP_S = 0.7
_MOST_AT_ONCE = 4  # an alert, one about the camera, and those that are in their last seconds


class Recorder:
    """See the module. Works from the beginning to the end of a `with` block.

    Whatever goes wrong with a clip is logged and counted, and nothing waits for it.
    """

    def __init__(self, camera: str, spec: ClipSpec, endpoints: Endpoints) -> None:
        self._spec = spec
        self._subscriber = Subscriber(endpoints, (f"alert/{camera}/".encode(),))
        self._footage: Footage | None = None
        self._coming: Footage | None = None
        self._clips: dict[str, Clip] = {}
        self._folders: set[Path] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clips", daemon=True)
        self._told_of_memory = False
        self.written = 0
        self.failed = 0
        """Also those of which a part can be played."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish what is open, unless the disk takes too long; such a clip stays as it grew, which can be played."""
        self._stopping.set()
        self._thread.join(_STOP_S)

    def new_footage(self) -> Footage:
        """For a new connection. Clips are made of it once it delivers; until then, of the one before."""
        self._coming = Footage(self._spec.memory_bytes, self._spec.pre_roll_s)
        return self._coming

    @property
    def held_bytes(self) -> int:
        """Memory in use for what may become a clip."""
        held = {id(footage): footage for footage in (self._footage, self._coming) if footage is not None}
        return sum(footage.held_bytes for footage in held.values())

    def _run(self) -> None:
        with self._subscriber:
            while not self._stopping.is_set():
                self._latest_footage()  # so that the memory of what was before is free
                for message in self._subscriber.batch(_LOOK_S):
                    assert isinstance(message, Alert), "only alerts have this topic"
                    self._hear(message)
                self._each(Clip.advance)
        self._each(Clip.stop)

    def _latest_footage(self) -> Footage | None:
        """Of the latest connection that has delivered."""
        if self._coming is not None and self._coming.base_s is not None:
            self._footage = self._coming
        return self._footage

    def _hear(self, alert: Alert) -> None:
        path = next((Path(name) for name in alert.evidence if name.endswith(SUFFIX)), None)
        if alert.event == "end" and alert.id in self._clips:
            self._clips[alert.id].end(alert.stream_time_s)
        elif alert.event == "start" and path is not None and alert.id not in self._clips:
            self._open(alert, path)

    def _open(self, alert: Alert, path: Path) -> None:
        footage = self._latest_footage()
        if footage is None or len(self._clips) >= _MOST_AT_ONCE:
            self.failed += 1
            logger.warning("alert %s: no clip: %s", alert.id, "too many at once" if footage else "no pictures yet")
            return
        if path.parent not in self._folders:
            self._folders.add(path.parent)
            remove_unfinished(path.parent)
        self._clips[alert.id] = Clip(alert=alert, path=path, footage=footage, spec=self._spec)

    def _each(self, step: Callable[[Clip], None]) -> None:
        for name, clip in [*self._clips.items()]:
            try:
                step(clip)
            except Exception:
                # A mistake in here, or files as nobody expected them, must not cost the camera its watch.
                logger.exception("alert %s: no clip", name)
                clip.over = clip.failed = True
            if clip.late_s and clip.footage.short and not self._told_of_memory:
                self._tell_of_memory(clip)
            if clip.over:
                del self._clips[name]
                self.failed += clip.failed
                self.written += not clip.failed

    def _tell_of_memory(self, clip: Clip) -> None:
        self._told_of_memory = True
        logger.warning(
            "alert %s: its clip begins %.1f s late, and so may others: %g MB hold too little of this stream: "
            "raise evidence.clip_megabytes, or let the camera send a key frame each second or two",
            clip.alert.id,
            clip.late_s,
            self._spec.memory_bytes / 1e6,
        )
