"""A street drawn in code, behind ``demo://street?...``: normal life, and anomalies with ground truth.

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
camera     1       which street: 1 = shops behind a lawn, 2 = a park path, 3 = a square
people     3       how many ordinary people are in the picture on average, 0 = an empty street
anomalies  0       1 = plant one about every 10 to 14 s, the first after about 12 s
kinds      all     which anomalies, with commas: runner, cyclist, vehicle, wrong-place, fallen
dark       0       1 = little light and more noise
========== ======= ==========================================================================================
"""

import difflib
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import TypeVar
from urllib.parse import parse_qsl, urlsplit

import cv2
import numpy as np
import numpy.typing as npt

from stream.scene.actors import KINDS, Actor, AnomalyKind, ordinary_people, planted
from stream.scene.background import scenery
from stream.scene.figures import box_px, draw, draw_shadow
from stream.scene.layout import LAYOUTS, View

__all__ = ["KINDS", "Event", "Scene", "open_scene"]

SCENES = ("street",)

_DARK_GAIN = 0.35
_NOISE_LEVELS = 2.5
_DARK_NOISE_LEVELS = 4.5
_NOISE_MIDDLE = 128
_DRIFTS = ((23.0, 0.045), (41.0, 0.045), (67.0, 0.045))
"""Clouds: period in seconds and share of the light."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a scene's URL may say."""

    seed: int = 1
    seconds: float = 600.0
    fps: float = 15.0
    width: int = 640
    height: int = 360
    camera: int = 1
    people: float = 3.0
    anomalies: bool = False
    kinds: tuple[AnomalyKind, ...] = KINDS
    dark: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A planted anomaly, seen from `start_s` to `end_s` in stream time.

    Moving ones count while at least half of them is in the picture, somebody who falls from the fall until upright.
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
    """A street through one fixed camera for a while."""

    def __init__(self, settings: Settings) -> None:
        self.width = settings.width
        self.height = settings.height
        self.fps = settings.fps
        self.duration_s = settings.seconds
        self._seed = settings.seed
        self._view, self._background, self._trees = scenery(settings.camera, settings.width, settings.height)
        actors = ordinary_people(self._view, settings.seed, settings.seconds, settings.people)
        anomalies = planted(self._view, settings.seed, settings.seconds, settings.kinds) if settings.anomalies else []
        self.events = tuple(
            Event(kind=one.kind, start_s=one.start_s, end_s=one.end_s, _actor=one.actor, _view=self._view)
            for one in anomalies
        )
        """Planted anomalies in order of time, never two at once."""
        self._actors = actors + [one.actor for one in anomalies]
        self._starts_s = np.array([actor.path.start_s for actor in self._actors])
        self._ends_s = np.array([actor.path.end_s for actor in self._actors])
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
        shows = [(tree.z_m, partial(tree.draw, image, time_s, wind_rad)) for tree in self._trees]
        shows += [(actor.path.place(time_s)[1], partial(draw, image, self._view, actor, time_s)) for actor in present]
        for _, show in sorted(shows, key=lambda pair: -pair[0]):  # the nearer covers the farther
            show()
        noise = self._fresh_noise(index)
        return np.asarray(cv2.addWeighted(image, self._gain * light, noise, 1, -_NOISE_MIDDLE), np.uint8)

    def _light(self, time_s: float) -> float:
        """How bright it is as clouds pass, about 1."""
        waves = zip(_DRIFTS, self._phases_rad.tolist(), strict=False)
        return 1 + sum(
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
    parts = urlsplit(url)
    name = (parts.netloc + parts.path).rstrip("/")
    if parts.scheme != "demo" or name not in SCENES:
        raise ValueError(f"there is no scene {name!r}: use demo://{SCENES[0]}")
    given: dict[str, str] = {}
    for key, text in parse_qsl(parts.query, keep_blank_values=True):
        if key not in _READERS:
            raise ValueError(f"{key}: unknown parameter{_did_you_mean(key, _READERS)}")
        if key in given:
            raise ValueError(f"{key}: given twice, give it once")
        given[key] = text
    settings = Settings(**{key: _READERS[key](key, text) for key, text in given.items()})  # type: ignore[arg-type]
    if "kinds" in given and not settings.anomalies:
        raise ValueError("kinds: only with anomalies=1")
    return Scene(settings)


def _number(least: float, most: float) -> Callable[[str, str], float]:
    def read(key: str, text: str) -> float:
        value = _converted(float, text)
        if value is None or not least <= value <= most:
            raise ValueError(f"{key}: must be a number from {least:g} to {most:g}, not {text!r}")
        return value

    return read


def _integer(least: int, most: int) -> Callable[[str, str], int]:
    def read(key: str, text: str) -> int:
        value = _converted(int, text)
        if value is None or not least <= value <= most:
            raise ValueError(f"{key}: must be a whole number from {least} to {most}, not {text!r}")
        return value

    return read


def _switch(key: str, text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError(f"{key}: must be 0 or 1, not {text!r}")
    return text == "1"


def _kinds(key: str, text: str) -> tuple[AnomalyKind, ...]:
    for name in text.split(","):
        if name not in KINDS:
            raise ValueError(f"{key}: unknown kind {name!r}{_did_you_mean(name, KINDS)}")
    return tuple(kind for kind in KINDS if kind in text.split(","))


def _converted(kind: Callable[[str], Value], text: str) -> Value | None:
    try:
        return kind(text)
    except ValueError:
        return None


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f", did you mean {close[0]}?" if close else f"; known here: {', '.join(known)}"


_READERS: dict[str, Callable[[str, str], object]] = {
    "seed": _integer(0, 2**63),
    "seconds": _number(1, 86400),
    "fps": _number(1, 120),
    "width": _integer(64, 3840),
    "height": _integer(48, 2160),
    "camera": _integer(min(LAYOUTS), max(LAYOUTS)),
    "people": _number(0, 12),
    "anomalies": _switch,
    "kinds": _kinds,
    "dark": _switch,
}
