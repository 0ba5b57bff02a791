"""What the sink notes of each camera for its history: minutes as they are over, states as they change."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from stream.messages import Camera as CameraState
from stream.messages import Score
from stream.store import Minute, StateChange, minute_of

UNWATCHED = "unwatched"
_MOST_WAITING = 10_000  # of each; a store that is out for long loses the oldest


@dataclass(slots=True)
class _Minute:
    minute: str
    scores: int = 0
    level: float = 0.0
    seconds: set[str] = field(default_factory=set)

    def of(self, camera: str) -> Minute:
        return Minute(
            camera=camera, minute=self.minute, scores=self.scores, level=self.level, live_s=float(len(self.seconds))
        )


class Notes:
    """What is to be kept of all cameras, until it is."""

    def __init__(self) -> None:
        self._present: dict[str, _Minute] = {}
        self._over: list[Minute] = []
        self._changes: list[StateChange] = []
        self._states: dict[str, tuple[str, str]] = {}

    def score(self, score: Score, utc: str) -> None:
        """Note a score of this time, written as the store has it."""
        present = self._present.get(score.camera)
        minute = minute_of(utc)
        if present is None or present.minute != minute:
            if present is not None:
                self._over.append(present.of(score.camera))
            present = self._present[score.camera] = _Minute(minute)
        present.scores += 1
        present.level = max(present.level, level(score.score, score.threshold))
        present.seconds.add(utc[:19])

    def state(self, state: CameraState) -> None:
        """Note a camera's state, which comes about once a second."""
        self._change(StateChange(camera=state.camera, state=state.state, reason=state.reason, utc=state.utc))

    def unwatched(self, cameras: Iterable[str], utc: str) -> None:
        """Note that these are not watched any more."""
        for camera in cameras:
            self._change(StateChange(camera=camera, state=UNWATCHED, reason="", utc=utc))
            if (present := self._present.pop(camera, None)) is not None:
                self._over.append(present.of(camera))

    def waiting(self) -> tuple[list[Minute], list[StateChange]]:
        """What is to be kept now."""
        del self._over[:-_MOST_WAITING], self._changes[:-_MOST_WAITING]
        return self._over, self._changes

    def kept(self) -> None:
        """All that was waiting is kept."""
        self._over, self._changes = [], []

    def _change(self, change: StateChange) -> None:
        if self._states.get(change.camera) != (change.state, change.reason):
            self._states[change.camera] = change.state, change.reason
            self._changes.append(change)


def level(score: float, threshold: float) -> float:
    """The score as a multiple of its threshold, from 0 on; for one of 0 or less, by its distance in the same way."""
    return max(0.0, 1.0 + (score - threshold) / (abs(threshold) or 1.0))
