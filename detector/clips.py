"""A camera's whole picture, seen in clips: when the clip network is due, and what it saw until it is due again.

Optional, and knows no particular network: `features.clip` has the one that is used.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from detector.bundle import ClipPreparation
from detector.family import Vectors
from detector.features.clip_memory import Clip, ClipMemory
from detector.features.grid import Polygons

_MOST_AT_ONCE = 4  # clips; more are no faster and take memory


class ClipCall(Protocol):
    """What turns clips into vectors."""

    @property
    def name(self) -> str:
        """Which network."""
        ...

    @property
    def width(self) -> int:
        """Length D of its vectors."""
        ...

    @property
    def weights_sha256(self) -> str:
        """Of the file its weights are from, hexadecimal."""
        ...

    def __call__(self, clips: npt.NDArray[np.uint8], /) -> npt.NDArray[np.float32]:
        """One vector per clip: (B, 16, 224, 224, 3) BGR to (B, D)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipView:
    """That a camera's whole picture is looked at, and how."""

    network: ClipCall
    stride_s: float
    """From one clip to the next."""

    def preparation(self) -> ClipPreparation:
        """What a bundle keeps of it."""
        network = self.network
        return ClipPreparation(network=network.name, weights_sha256=network.weights_sha256, stride_s=self.stride_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """What the clip network saw last. The same for every picture until its next clip."""

    vectors: Vectors
    """(1, D)"""
    end_s: float
    """Stream time of the clip's last picture, which tells it from the clips before and after."""


@dataclass(slots=True, kw_only=True)
class Glance:
    """A clip that the network has yet to see, or what it saw there."""

    network: ClipCall
    end_s: float
    clip: Clip | None
    """None once it was seen."""
    whole: Whole | None = None


class ClipWatch:
    """Follows one camera. Feed it every analysed picture.

    Args:
        rate_fps: Pictures per second that are meant to come.
        ignored: Areas to leave out, polygons in fractions of the frame.
    """

    def __init__(self, view: ClipView, rate_fps: float, ignored: Polygons) -> None:
        self._network = view.network
        self._memory = ClipMemory(rate_fps, stride_s=view.stride_s, ignored=ignored)
        self._glance: Glance | None = None

    def step(self, image: npt.NDArray[np.uint8], time_s: float) -> Glance | None:
        """The latest glance, a new one where it is due; None for two seconds after a start or a gap.

        Args:
            image: (H, W, 3) BGR.
            time_s: Stream time, s.
        """
        clip = self._memory.step(image, time_s)
        if clip is not None:
            self._glance = Glance(network=self._network, end_s=time_s, clip=clip)
        elif self._glance is not None and self._glance.end_s != self._memory.latest_s:
            self._glance = None
        return self._glance


def look_at(glances: Iterable[Glance | None]) -> None:
    """Let the networks see what they have not seen yet, together where they are the same."""
    waiting: dict[int, list[Glance]] = {}
    for glance in {id(one): one for one in glances if one is not None and one.clip is not None}.values():
        waiting.setdefault(id(glance.network), []).append(glance)
    for group in waiting.values():
        for at in range(0, len(group), _MOST_AT_ONCE):
            _look(group[at : at + _MOST_AT_ONCE])


def _look(glances: list[Glance]) -> None:
    clips = [glance.clip for glance in glances if glance.clip is not None]
    for glance, vector in zip(glances, glances[0].network(np.stack(clips)), strict=True):
        glance.whole, glance.clip = Whole(vectors=vector[None], end_s=glance.end_s), None
