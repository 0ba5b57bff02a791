"""What the worker keeps of a camera to learn from: features of its alerts, and of some of its normal time.

Runs the sink's policy on the same scores, so it knows the same episodes without asking. Files in the camera's own
folder, for this user only; what cannot be written is told once and given up.
"""

import contextlib
import logging
import random
from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from configs.settings import PolicySettings
from detector.bundle import USUAL
from detector.detector import Features, Sample
from detector.stretch import ALERT, NORMAL, About, Kind, Stretch, StretchError, about, file_of, files, write
from stream.clock import utc_text
from stream.policy import Episode, Policy
from stream.worker_spec import MemorySpec

logger = logging.getLogger(__name__)

STRETCH_S = 10.0
"""Length of a stretch of normal time."""
APART_S = 30.0
"""Normal time is at least this far from any alert, and from the start of the camera."""

_LEAD_S = 15.0  # kept before an alert opens: the scores that open it are some pictures old
_AFTER_S = 1.0
_MOST_VECTORS = 100_000  # cells of one alert, some 33 MB; of longer ones every other picture is given up
_REMEMBERED_S = 7 * 86400.0  # older normal time gives way, so that what is kept follows the season
_LONGEST_GAP_S = 5.0


@dataclass(frozen=True, slots=True)
class _Moment:
    time_s: float
    utc_s: float
    seen: Features


class Keeper:
    """One camera's recorder. Feed it every scored picture.

    Args:
        about: Of the camera; the times are set for each file.
        generator: What decides which normal time is kept.
    """

    def __init__(
        self, about: About, policy: PolicySettings, spec: MemorySpec, generator: random.Random | None = None
    ) -> None:
        self._about = about
        self._policy = Policy(policy)
        self._folder = spec.folder / about.camera
        self._episodes = spec.episodes
        self._most_normal = int(spec.normal_s // STRETCH_S)
        self._most_bytes = spec.most_bytes // 2
        self._generator = generator or random.Random()  # noqa: S311 - a draw, no secret
        self._lead: deque[_Moment] = deque()
        self._episode: list[_Moment] = []
        self._vectors = 0  # in it
        self._keep_every, self._met = 1, 0
        self._normal: list[list[_Moment]] = []
        """Stretches that were drawn and wait to be far enough from any alert."""
        self._drawn = False  # whether the stretch that goes on now was
        self._next_s: float | None = None  # where the next one begins
        self._turn = _latest_turn(self._folder)
        self._faulty = False
        self.errors = 0
        """Files that could not be written."""

    def step(
        self,
        time_s: float,
        utc_s: float,
        score: float,
        threshold: float,
        seen: Features,
        *,
        regime: str = USUAL,
        usual: bool = True,
    ) -> None:
        """Take a picture's features.

        Args:
            time_s: Stream time.
            utc_s: When it was taken.
            score: As the sink gets it, and so the threshold.
            regime: That the camera is in; what was seen in one is kept apart from what was seen in another.
            usual: False while the camera itself is in trouble, which is no normal time whatever the score.
        """
        last_s = self._policy.last_s
        broken = last_s is not None and not 0.0 <= time_s - last_s <= max(_LONGEST_GAP_S, 3.0 / self._about.rate_fps)
        if regime != self._about.regime:
            self._about = replace(self._about, regime=regime)
            self._episode.clear()
            broken = True
        events = self._policy.step(time_s, score, threshold)
        for event in events:
            if event.event == "end":
                self._end(event.episode)
        if broken:
            self._lead.clear()
            self._start_over(time_s)
        for event in events:
            if event.event == "start":
                self._begin(event.episode)
        moment = _Moment(time_s, utc_s, _halved(seen))
        self._lead.append(moment)
        while time_s - self._lead[0].time_s > _LEAD_S:
            self._lead.popleft()
        if self._policy.open:
            self._follow(moment)
        elif score > threshold or not usual or self._next_s is None:
            self._start_over(time_s)
        else:
            self._pass_normal(moment, self._next_s)

    def change(self, policy: PolicySettings) -> None:
        """Go on by another policy, as the sink does."""
        self._policy.change(policy)

    def close(self) -> None:
        """Keep what is open, because nothing more will come."""
        if self._policy.last_s is not None:
            for event in self._policy.close(self._policy.last_s):
                self._end(event.episode)

    def _begin(self, episode: Episode) -> None:
        self._episode = [one for one in self._lead if one.time_s >= episode.started_s - _LEAD_S]
        self._vectors = sum(len(one.seen.cells) for one in self._episode)
        self._keep_every, self._met = 1, 0
        self._normal.clear()

    def _follow(self, moment: _Moment) -> None:
        self._met += 1
        if self._met % self._keep_every == 0:
            self._episode.append(moment)
            self._vectors += len(moment.seen.cells)
            if self._vectors > _MOST_VECTORS:
                del self._episode[1::2]
                self._vectors = sum(len(one.seen.cells) for one in self._episode)
                self._keep_every *= 2

    def _end(self, episode: Episode) -> None:
        assert episode.ended_s is not None, "an end has its time"
        moments = [one for one in self._episode if one.time_s <= episode.ended_s + _AFTER_S]
        self._episode = []
        self._start_over(episode.ended_s)
        if moments and self._episodes:
            self._write(ALERT, moments, turn=0)
            there = files(self._folder, ALERT)
            self._remove(there[: max(0, len(there) - self._episodes)])
            self._free(ALERT)

    def _start_over(self, time_s: float) -> None:
        """Nothing until this time was normal for certain."""
        self._normal.clear()
        self._drawn, self._next_s = False, time_s + APART_S

    def _pass_normal(self, moment: _Moment, next_s: float) -> None:
        if moment.time_s >= next_s:
            self._next_s = moment.time_s + STRETCH_S
            self._turn += 1
            self._drawn = self._draws()
            if self._drawn:
                self._normal.append([])
        if self._drawn:
            self._normal[-1].append(moment)
        if self._normal and moment.time_s - self._normal[0][-1].time_s >= APART_S:
            there = files(self._folder, NORMAL)
            self._remove(self._generator.sample(there, max(0, len(there) + 1 - self._most_normal)))
            self._write(NORMAL, self._normal.pop(0), turn=self._turn)
            self._free(NORMAL)

    def _draws(self) -> bool:
        """Whether this stretch takes the place of one that is kept: all of the last days have the same chance."""
        if self._most_normal == 0:
            return False
        if len(files(self._folder, NORMAL)) + len(self._normal) < self._most_normal:
            return True
        return self._generator.random() < self._most_normal / min(self._turn, _REMEMBERED_S / STRETCH_S)

    def _write(self, kind: Kind, moments: list[_Moment], turn: int) -> None:
        started, ended = (datetime.fromtimestamp(one.utc_s, UTC) for one in (moments[0], moments[-1]))
        made = replace(self._about, started_utc=utc_text(started), ended_utc=utc_text(ended), turn=turn)
        stretch = Stretch(
            about=made, times_s=tuple(one.time_s for one in moments), seen=tuple(one.seen for one in moments)
        )
        try:
            write(stretch, file_of(self._folder, kind, f"{started:%Y%m%dT%H%M%S%f}"))
        except StretchError as error:
            self.errors += 1
            if not self._faulty:
                logger.warning("camera %s: its features are not kept: %s", self._about.camera, error)
            self._faulty = True
        else:
            self._faulty = False

    def _free(self, kind: Kind) -> None:
        """Remove files until those of a kind take no more space than they may: the oldest alerts, any normal time."""
        sizes = {}
        for path in files(self._folder, kind):
            with contextlib.suppress(OSError):  # marked at this moment, or removed by hand
                sizes[path] = path.stat().st_size
        while sum(sizes.values()) > self._most_bytes:
            path = min(sizes) if kind == ALERT else self._generator.choice(list(sizes))
            self._remove([path])
            del sizes[path]

    @staticmethod
    def _remove(paths: list[Path]) -> None:
        for path in paths:
            with contextlib.suppress(OSError):  # as above; what cannot be removed is told by the next write
                path.unlink()


def _halved(seen: Features) -> Features:
    """The features in half precision: there are many."""
    samples = {name: Sample(one.cells, one.vectors.astype(np.float16)) for name, one in seen.samples.items()}
    return replace(seen, samples=samples)


def _latest_turn(folder: Path) -> int:
    """How many stretches of normal time a camera has shown, as far as those that are kept tell."""
    turns = [0]
    for path in files(folder, NORMAL):
        with contextlib.suppress(StretchError):  # of another version, or cut off
            turns.append(about(path).turn)
    return max(turns)
