"""Who comes through the drawn street and when: ordinary people, and the anomalies planted among them.

Everything is decided here when a scene is opened, from its seed alone; nothing here draws.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from stream.scene.layout import Colour, View

AnomalyKind = Literal["runner", "cyclist", "vehicle", "wrong-place", "fallen"]
KINDS: tuple[AnomalyKind, ...] = ("runner", "cyclist", "vehicle", "wrong-place", "fallen")

FALL_S = 0.9
RISE_S = 1.8
_CLEAN_S = 5.0
_MARGIN_M = 1.0
"""How far outside the picture people appear and vanish."""
_ABREAST_M = 0.65
"""Between two people side by side."""
_STOPPING_S = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A straight way across the picture, at one speed, with at most one stop."""

    start_s: float
    direction: Literal[-1, 1]
    speed_m_s: float
    reach_m: float
    """Starts and ends this far from the picture's middle."""
    near_z_m: float
    """Depth at the start."""
    far_z_m: float
    """Depth at the end."""
    stop_s: float = math.inf
    """When the stop begins."""
    stop_length_s: float = 0.0

    @property
    def end_s(self) -> float:
        """When the far side is reached."""
        return self.start_s + 2 * self.reach_m / self.speed_m_s + self.stop_length_s

    def travelled_m(self, time_s: float) -> float:
        """Metres covered since the start."""
        stopped_s = min(max(0.0, time_s - self.stop_s), self.stop_length_s)
        return (time_s - self.start_s - stopped_s) * self.speed_m_s

    def place(self, time_s: float) -> tuple[float, float]:
        """Ground point (x, z) in metres."""
        part = self.travelled_m(time_s) / (2 * self.reach_m)
        return self.direction * self.reach_m * (2 * part - 1), self.near_z_m + part * (self.far_z_m - self.near_z_m)

    def crossing_s(self, x_m: float) -> float:
        """When this x is passed by someone who makes no stop before it."""
        return self.start_s + (self.direction * x_m + self.reach_m) / self.speed_m_s

    def stride(self, time_s: float) -> float:
        """How fully somebody strides out: 1 = walking, 0 = standing."""
        before_s, after_s = self.stop_s - time_s, time_s - self.stop_s - self.stop_length_s
        return min(1.0, max(0.0, before_s / _STOPPING_S, after_s / _STOPPING_S))


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A person's body and clothes."""

    height_m: float
    build: float
    """Width against the average, about 1."""
    skin: Colour
    hair: Colour
    top: Colour
    trousers: Colour
    shoes: Colour
    coat: bool
    long_hair: bool
    backpack: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Something that moves through the street."""

    form: Literal["walker", "runner", "cyclist", "van"]
    path: Path
    look: Look
    phase: float
    """Where in its stride or turn of the wheel it starts, 0 to 1."""
    falls: bool = False
    """Lies on the ground while its path stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """An anomaly and its interval."""

    kind: AnomalyKind
    start_s: float
    end_s: float
    actor: Actor


def ordinary_people(view: View, seed: int, duration_s: float, people: float) -> list[Actor]:
    """Who walks by in normal life, in order of arrival; the street is already peopled at time 0."""
    if people == 0:
        return []
    rng = np.random.default_rng((seed, 1))
    walks = view.layout.walks_m
    near_m, far_m = walks[0][0], walks[-1][1]
    stay_s = 2 * (view.half_width_m(0.5 * (near_m + far_m)) + 0.5) / 1.17
    gap_s = 1.16 * stay_s / people  # 1.16 people in an average group
    actors: list[Actor] = []
    time_s = -1.5 * stay_s
    while time_s < duration_s:
        time_s += gap_s * rng.uniform(0.35, 1.65)
        present = sum(1 for actor in actors[-50:] if actor.path.end_s > time_s)
        walk = walks[int(rng.integers(len(walks)))]
        group = _group(view, rng, time_s, walk)
        if present + len(group) <= max(2.0, 2 * people):
            actors += group
    return actors


def planted(
    view: View, seed: int, duration_s: float, kinds: Sequence[AnomalyKind], first_s: float = 12.0
) -> list[Planted]:
    """Anomalies in order of time, all kinds once before any comes again; none outlasts the scene."""
    rng = np.random.default_rng((seed, 2))
    planted: list[Planted] = []
    due_s = first_s + rng.uniform(-1, 1)
    deck: list[AnomalyKind] = []
    while True:
        if not deck:
            deck = [kinds[number] for number in rng.permutation(len(kinds))]
        event = _anomaly(view, rng, deck.pop(), due_s)
        if event.end_s >= duration_s:
            return planted
        planted.append(event)
        gone_s = event.end_s if event.actor.falls else event.actor.path.end_s
        due_s = max(event.start_s + rng.uniform(10, 14), gone_s + _CLEAN_S + rng.uniform(0.5, 2) + 1)


def _group(view: View, rng: np.random.Generator, time_s: float, walk: tuple[float, float]) -> list[Actor]:
    """One person, or now and then two side by side."""
    near_m, far_m = walk
    start_m = rng.uniform(near_m, far_m)
    end_m = min(far_m, max(near_m, start_m + rng.normal(0, 0.7)))
    direction: Literal[-1, 1] = 1 if rng.random() < 0.5 else -1
    speed = float(np.clip(rng.normal(1.22, 0.17), 0.8, 1.6))
    reach_m = view.half_width_m(max(start_m, end_m) + _ABREAST_M) + _MARGIN_M
    stop_s, stop_length_s = math.inf, 0.0
    together = rng.random() < 0.16
    if not together and rng.random() < 0.06:
        stop_s = time_s + reach_m * rng.uniform(0.5, 1.5) / speed
        stop_length_s = rng.uniform(2.5, 6)
    offsets = (0.0, _ABREAST_M if max(start_m, end_m) + _ABREAST_M < far_m else -_ABREAST_M) if together else (0.0,)
    return [
        Actor(
            form="walker",
            path=Path(
                start_s=time_s + 0.1 * number,
                direction=direction,
                speed_m_s=speed,
                reach_m=reach_m,
                near_z_m=max(near_m, start_m + offset_m),
                far_z_m=max(near_m, end_m + offset_m),
                stop_s=stop_s,
                stop_length_s=stop_length_s,
            ),
            look=_look(rng),
            phase=float(rng.random()),
        )
        for number, offset_m in enumerate(offsets)
    ]


def _anomaly(view: View, rng: np.random.Generator, kind: AnomalyKind, due_s: float) -> Planted:
    """One anomaly whose interval starts at `due_s`."""
    near_m, far_m = view.layout.walks_m[int(rng.integers(len(view.layout.walks_m)))]
    if kind == "wrong-place":
        near_m, far_m = view.layout.closed_m
    elif kind == "vehicle":
        middle_m = 0.5 * (near_m + far_m)
        near_m, far_m = min(middle_m, near_m + 0.9), max(middle_m, far_m - 0.9)
    z_m = float(rng.uniform(near_m, far_m))
    direction: Literal[-1, 1] = 1 if rng.random() < 0.5 else -1
    slowest, fastest = {"runner": (3.5, 5.0), "cyclist": (4.0, 6.0), "vehicle": (3.0, 5.0)}.get(kind, (0.95, 1.4))
    speed = float(rng.uniform(slowest, fastest))
    half_m = view.half_width_m(z_m)
    margin_m = {"cyclist": 1.4, "vehicle": 3.6}.get(kind, _MARGIN_M)
    fall_x_m = float(rng.uniform(-0.4, 0.25)) * half_m  # how far along the way, where it falls
    stop_s, stop_length_s = math.inf, 0.0
    start_s = due_s - margin_m / speed
    if kind == "fallen":
        start_s = due_s - (half_m + margin_m + fall_x_m) / speed
        stop_s, stop_length_s = due_s, FALL_S + float(rng.uniform(8, 11)) + RISE_S
    path = Path(
        start_s=start_s,
        direction=direction,
        speed_m_s=speed,
        reach_m=half_m + margin_m,
        near_z_m=z_m,
        far_z_m=z_m,
        stop_s=stop_s,
        stop_length_s=stop_length_s,
    )
    forms: dict[AnomalyKind, Literal["runner", "cyclist", "van"]] = {
        "runner": "runner",
        "cyclist": "cyclist",
        "vehicle": "van",
    }
    actor = Actor(
        form=forms.get(kind, "walker"), path=path, look=_look(rng), phase=float(rng.random()), falls=kind == "fallen"
    )
    end_s = stop_s + stop_length_s if actor.falls else path.crossing_s(direction * half_m)
    return Planted(kind=kind, start_s=due_s, end_s=end_s, actor=actor)


_SKINS: tuple[Colour, ...] = ((150, 178, 224), (132, 164, 214), (96, 130, 184), (62, 88, 134), (46, 64, 98))
_HAIRS: tuple[Colour, ...] = (
    (28, 30, 34),
    (38, 52, 74),
    (60, 96, 134),
    (96, 150, 186),
    (150, 154, 158),
    (30, 44, 92),
)
_TOPS: tuple[Colour, ...] = (
    (60, 60, 170),
    (150, 90, 50),
    (70, 130, 70),
    (200, 204, 206),
    (58, 56, 54),
    (60, 160, 205),
    (140, 80, 120),
    (160, 150, 90),
    (90, 110, 190),
    (104, 116, 128),
)
_TROUSERS: tuple[Colour, ...] = (
    (96, 66, 46),
    (46, 44, 44),
    (70, 84, 98),
    (120, 142, 160),
    (128, 98, 74),
    (60, 50, 50),
)
_SHOES: tuple[Colour, ...] = ((36, 36, 38), (210, 212, 214), (44, 62, 92))


def _look(rng: np.random.Generator) -> Look:
    def pick(colours: tuple[Colour, ...]) -> Colour:
        tone = rng.uniform(0.88, 1.1)
        blue, green, red = colours[int(rng.integers(len(colours)))]
        return int(min(235, tone * blue)), int(min(235, tone * green)), int(min(235, tone * red))

    return Look(
        height_m=float(np.clip(rng.normal(1.71, 0.09), 1.5, 1.93)),
        build=float(rng.uniform(0.88, 1.18)),
        skin=pick(_SKINS),
        hair=pick(_HAIRS),
        top=pick(_TOPS),
        trousers=pick(_TROUSERS),
        shoes=pick(_SHOES),
        coat=bool(rng.random() < 0.3),
        long_hair=bool(rng.random() < 0.4),
        backpack=bool(rng.random() < 0.22),
    )
