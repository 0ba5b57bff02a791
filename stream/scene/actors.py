"""Who is seen in a drawn scene: people and what they do and look like, vehicles, bags, and anomalies among them.

Everything is decided when a scene is opened, from its seed alone; nothing here draws.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from stream.scene.layout import Colour
from stream.scene.route import Path, Route

AnomalyKind = Literal[
    "runner",
    "cyclist",
    "vehicle",
    "wrong-place",
    "fallen",
    "loitering",
    "left-object",
    "climbing",
    "wrong-way",
    "crossing",
    "creeping",
    "stopped-car",
    "speeding",
]
KINDS: tuple[AnomalyKind, ...] = get_args(AnomalyKind)

FALL_S = 0.9
RISE_S = 1.8
CHANGE_S = 0.75
"""To sit down, bend down or climb, and back."""
CLIMB_M = 0.75
BEND_S = 1.6
"""To bend down, put something on the ground or take it up halfway through, and rise."""
REACH_M = 0.45
"""How far ahead of somebody who bends a thing lies."""
BESIDE_M = 0.25
"""How much nearer to the camera it lies."""
LEAVE_M = 2.0
"""Farther away than this its owner has left it."""
CLEAN_S = 5.0
"""At least, from the end of an anomaly to the start of the next."""


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
class Spell:
    """Something a person does for a while instead of walking."""

    posture: Literal["lie", "sit", "bend", "climb"]
    start_s: float
    length_s: float

    @property
    def end_s(self) -> float:
        """When the person is back on their feet."""
        return self.start_s + self.length_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Something that moves through a scene, or stands in it for a while."""

    form: Literal["walker", "runner", "cyclist", "van", "car", "lorry", "bag"]
    path: Path | Route
    look: Look
    phase: float
    """Where in its stride or turn of the wheel it starts, 0 to 1; of things, which colour they have."""
    spells: tuple[Spell, ...] = ()
    phone: bool = False
    """Looks at it while standing."""
    carries: tuple[tuple[float, float], ...] = ()
    """From when to when a bag hangs from the near hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """An anomaly and its interval."""

    kind: AnomalyKind
    start_s: float
    end_s: float
    actor: Actor
    others: tuple[Actor, ...] = ()
    """Who comes with it and is no anomaly."""
    gone_s: float
    """When nothing is left of it."""


def bag(owner: Actor, place: tuple[float, float], put_s: float, taken_s: float) -> Actor:
    """Somebody's bag on the ground at (x, z) for as long as it lies there."""
    points = np.array([(time_s, *place) for time_s in (put_s, taken_s)])
    return replace(owner, form="bag", path=Route.through(1.0, points))


def plant(
    seed: int,
    duration_s: float,
    kinds: Sequence[AnomalyKind],
    make: Callable[[np.random.Generator, AnomalyKind, float], Planted],
    first_s: float = 12.0,
) -> tuple[Planted, ...]:
    """Anomalies in order of time, all kinds once before any comes again; none outlasts the scene.

    Args:
        make: One anomaly of a kind whose interval starts at this time, or later where that cannot be.
    """
    if not kinds:
        return ()
    rng = np.random.default_rng((seed, 2))
    planted: list[Planted] = []
    due_s = first_s + rng.uniform(-1, 1)
    deck: list[AnomalyKind] = []
    while True:
        if not deck:
            deck = [kinds[number] for number in rng.permutation(len(kinds))]
        event = make(rng, deck.pop(), due_s)
        if event.end_s >= duration_s:
            return tuple(planted)
        planted.append(event)
        due_s = max(event.start_s + rng.uniform(10, 14), event.gone_s + CLEAN_S + rng.uniform(0.5, 2) + 1)


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


def some_look(rng: np.random.Generator) -> Look:
    """Somebody's body and clothes."""

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
