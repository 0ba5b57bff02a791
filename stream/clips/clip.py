"""The clip of one alert, from its start to some seconds after its end."""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from stream.clips import ClipError, ClipSpec
from stream.clips.footage import Footage, Sample
from stream.clips.mp4 import Mp4
from stream.clock import utc_text
from stream.messages import Alert

logger = logging.getLogger(__name__)

_STANDING_S = 30.0  # of an alert about the camera itself, which may last for days, shows what there is to see


@dataclass(slots=True, kw_only=True)
class Clip:
    """A clip as it is made. Call `advance` until it is over. For one thread."""

    alert: Alert
    """Its start."""
    path: Path
    footage: Footage
    """Of the connection that was there at its start; what another delivers is not in one file with it."""
    spec: ClipSpec
    over: bool = False
    failed: bool = False
    late_s: float = 0.0
    """How much of the pre-roll is missing."""
    _stopped: bool = field(init=False, default=False)
    _until_s: float = field(init=False)
    _file: Mp4 | None = field(init=False, default=None)
    _facts: dict[str, Any] = field(init=False, default_factory=dict)
    _first_s: float = field(init=False, default=0.0)
    _next: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        longest_s = self.spec.longest_s if self.alert.kind == "anomaly" else min(self.spec.longest_s, _STANDING_S)
        self._until_s = self.alert.stream_time_s + longest_s + self.spec.post_roll_s

    def end(self, stream_time_s: float) -> None:
        """The alert has ended at this time."""
        self._until_s = min(self._until_s, stream_time_s + self.spec.post_roll_s)

    def advance(self) -> None:
        """Take into the file what has come, and finish it where that was the last. Blocks while the disk does."""
        try:
            self._advance()
        except ClipError as error:
            self._fail(str(error))

    def stop(self) -> None:
        """Finish with what has come."""
        self._stopped = True
        self.advance()

    def _advance(self) -> None:
        over = self._stopped or self.footage.over  # asked first, so that what came before is not overlooked
        if self._file is None:
            self._begin()
        if self._file is not None:
            self._take(self._file)
        if over and not self.over:
            self._finish("nothing more came")

    def _begin(self) -> None:
        """Open the file, where there is a key frame to begin with."""
        base_s = self.footage.base_s
        assert base_s is not None, "footage is followed once that is known"
        wanted_s = self.alert.stream_time_s - self.spec.pre_roll_s
        first = self.footage.key_at(wanted_s - base_s)
        if first is None:
            return
        self._first_s = first.time_s
        self._next = first.number
        started_s = base_s + first.time_s
        utc = datetime.fromisoformat(self.alert.utc) - timedelta(seconds=self.alert.stream_time_s - started_s)
        self._facts = {"alert": self.alert.id, "stream_time_s": round(started_s, 6), "utc": utc_text(utc)}
        self.late_s = max(0.0, started_s - wanted_s)
        if self.late_s:
            self._facts["begins_late_s"] = round(self.late_s, 3)
        delay_s = _delay_s(self.footage.since(first.number))
        self._file = Mp4(self.path, self.footage.template, first, delay_s=delay_s, facts=self._facts)

    def _take(self, file: Mp4) -> None:
        assert self.footage.base_s is not None
        until_s = self._until_s - self.footage.base_s
        for sample in self.footage.since(self._next):
            if sample.number != self._next:
                self._finish("the stream has become another, or more came than the memory holds")
                return
            self._next += 1
            if sample.time_s > until_s:
                self._finish("")
                return
            if sample.time_s >= self._first_s:  # pictures shown before it need some that are not there
                file.write(sample)

    def _finish(self, cut: str) -> None:
        self.over = True
        if self._file is None:
            raise ClipError(f"clip: {self.path} cannot be written: no key frame came to begin with")
        self._file.finish({**self._facts, "cut": cut} if cut else self._facts)

    def _fail(self, reason: str) -> None:
        self.over = self.failed = True
        logger.warning("alert %s: %s", self.alert.id, reason)


def _delay_s(samples: list[Sample]) -> float:
    """How much earlier than one before it a picture is shown, at most; 0 where they come in order."""
    highest_s, delay_s = samples[0].time_s, 0.0
    for sample in samples:
        highest_s = max(highest_s, sample.time_s)
        if sample.time_s >= samples[0].time_s:
            delay_s = max(delay_s, highest_s - sample.time_s)
    return delay_s
