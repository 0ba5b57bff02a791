"""Places drawn in code, behind ``demo://NAME?...``: normal life, and anomalies with ground truth.

``street`` is for people on foot, ``road`` has two lanes with a light and a pavement, ``room`` is indoors.
For the demo, tests and benchmarks. A frame is a pure function of the URL and its index, whatever order frames
are asked for in. Knows nothing of sources, detectors or processes.

========== ======= ==========================================================================================
parameter  default meaning
========== ======= ==========================================================================================
seed       1       whose day it is: people, weather, noise and anomalies; never the place
seconds    600     how long it lasts
fps        15      frames per second
width      640     pixels
height     360     pixels
camera     1       which street: 1 = shops behind a lawn, 2 = a park path, 3 = a square; one road, one room
people     3       how many ordinary people (on the road also vehicles) are in the picture on average, 0 = none
anomalies  0       1 = plant some, one after the other: the first after about 12 s, on the road only at green
kinds      usual   which anomalies, with commas
dark       0       1 = little light and more noise
========== ======= ==========================================================================================

========== ===================================================================================================
scene      kinds of anomaly
========== ===================================================================================================
street     runner, cyclist, vehicle, wrong-place, fallen are the usual ones; loitering (from 6 s of standing still,
           longer than anybody pauses), left-object (a bag, from when its owner is 2 m away until it is taken)
road       wrong-way, crossing (somebody on the roadway away from the crossing), creeping (3 m/s), stopped-car (where
           no car waits), speeding (18 to 21 m/s; others drive 8 to 13)
room       runner, fallen, left-object, climbing (on the table)
========== ===================================================================================================
"""

import math
from dataclasses import dataclass, field
from functools import lru_cache, partial

import cv2
import numpy as np
import numpy.typing as npt

from stream.scene.actors import KINDS, Actor, AnomalyKind
from stream.scene.figures import box_px, draw, draw_shadow
from stream.scene.layout import View
from stream.scene.url import Settings, settings_of

__all__ = ["KINDS", "Event", "Scene", "open_scene"]

_DARK_GAIN = 0.35
_NOISE_LEVELS = 2.5
_DARK_NOISE_LEVELS = 4.5
_NOISE_MIDDLE = 128
_DRIFTS = ((23.0, 0.045), (41.0, 0.045), (67.0, 0.045))
"""Clouds: period in seconds and share of the light."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A planted anomaly, seen from `start_s` to `end_s` in stream time.

    Moving ones count while at least half of them is in the picture, all others as long as they do what is not normal.
    """

    kind: AnomalyKind
    start_s: float
    end_s: float
    _actor: Actor = field(repr=False)
    _view: View = field(repr=False, compare=False)

    def box(self, time_s: float) -> tuple[float, float, float, float]:
        """Where it is, as (left, top, right, bottom) in fractions of the frame, its shadow left out.

        Raises:
            ValueError: The time is outside the event.
        """
        if not self.start_s <= time_s <= self.end_s:
            raise ValueError(
                f"{self.kind} at {self.start_s:.2f} to {self.end_s:.2f} s: nothing to see at {time_s:.2f} s"
            )
        left, top, right, bottom = box_px(self._view, self._actor, time_s)
        width, height = self._view.width, self._view.height
        return max(0.0, left / width), max(0.0, top / height), min(1.0, right / width), min(1.0, bottom / height)


class Scene:
    """A place through one fixed camera for a while."""

    def __init__(self, settings: Settings) -> None:
        self.width = settings.width
        self.height = settings.height
        self.fps = settings.fps
        self.duration_s = settings.seconds
        self._seed = settings.seed
        world, camera = settings.world, settings.camera
        self._view, self._background, self._standing = world.scenery(camera, settings.width, settings.height)
        kinds = settings.kinds if settings.anomalies else ()
        actors, anomalies = world.live(camera, self._view, settings.seed, settings.seconds, settings.people, kinds)
        self.events = tuple(
            Event(kind=one.kind, start_s=one.start_s, end_s=one.end_s, _actor=one.actor, _view=self._view)
            for one in anomalies
        )
        """Planted anomalies in order of time, never two at once."""
        self._actors = actors + [actor for one in anomalies for actor in (one.actor, *one.others)]
        self._starts_s = np.array([actor.path.start_s for actor in self._actors])
        self._ends_s = np.array([actor.path.end_s for actor in self._actors])
        self._clouds = world.clouds
        self._gain = _DARK_GAIN if settings.dark else 1.0
        self._noise = _noise_table(_DARK_NOISE_LEVELS if settings.dark else _NOISE_LEVELS)
        self._phases_rad = np.random.default_rng((settings.seed, 3)).uniform(0, 2 * math.pi, len(_DRIFTS) + 1)

    def frame(self, index: int) -> npt.NDArray[np.uint8]:
        """The picture at index / fps seconds, (height, width, 3) BGR, the caller's own.

        Raises:
            IndexError: There is no frame of this index.
        """
        time_s = index / self.fps
        if not 0 <= time_s < self.duration_s:
            raise IndexError(f"frame {index}: this scene lasts {self.duration_s:g} s at {self.fps:g} frames/s")
        light = self._light(time_s)
        image = self._background.copy()
        present = [
            self._actors[number] for number in np.flatnonzero((self._starts_s <= time_s) & (time_s < self._ends_s))
        ]
        for actor in present:
            draw_shadow(image, self._view, actor, time_s, light**3)
        wind_rad = float(self._phases_rad[-1])
        shows = [(thing.z_m, partial(thing.draw, image, time_s, wind_rad)) for thing in self._standing]
        shows += [(actor.path.place(time_s)[1], partial(draw, image, self._view, actor, time_s)) for actor in present]
        for _, show in sorted(shows, key=lambda pair: -pair[0]):  # the nearer covers the farther
            show()
        noise = self._fresh_noise(index)
        return np.asarray(cv2.addWeighted(image, self._gain * light, noise, 1, -_NOISE_MIDDLE), np.uint8)

    def _light(self, time_s: float) -> float:
        """How bright it is as clouds pass, about 1."""
        waves = zip(_DRIFTS, self._phases_rad.tolist(), strict=False)
        return 1 + self._clouds * sum(
            share * math.sin(2 * math.pi * time_s / period_s + phase) for (period_s, share), phase in waves
        )

    def _fresh_noise(self, index: int) -> npt.NDArray[np.uint8]:
        """Gaussian grey levels about 128, independent from frame to frame."""
        rng = np.random.Generator(np.random.SFC64((self._seed, index, 4)))
        count = self.height * self.width * 3
        random = rng.integers(0, 2**64, -(-count // 8), dtype=np.uint64).view(np.uint8)[:count]
        return np.asarray(cv2.LUT(random.reshape(self.height, self.width, 3), self._noise), np.uint8)


@lru_cache(maxsize=2)
def _noise_table(deviation: float) -> npt.NDArray[np.uint8]:
    """Turns evenly distributed bytes into Gaussian ones about 128."""
    steps = np.linspace(-4, 4, 8001)
    share = np.cumsum(np.exp(-0.5 * steps**2))
    quantiles = np.interp((np.arange(256) + 0.5) / 256, share / share[-1], steps)
    return np.rint(_NOISE_MIDDLE + deviation * quantiles).astype(np.uint8)


def open_scene(url: str) -> Scene:
    """The scene of a URL such as ``demo://street?seed=3&anomalies=1``; parameters as in the module's table.

    Raises:
        ValueError: There is no scene of this name, or a parameter is unknown or wrong.
    """
    return Scene(settings_of(url))
