"""What makes one drawn scene differ from another: its place, who lives there, and which anomalies it can show."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from stream.scene.actors import Actor, AnomalyKind, Planted
from stream.scene.layout import View
from stream.scene.pen import Image


class Standing(Protocol):
    """Something of the place that covers who is behind it: a swaying tree, a table, a traffic light."""

    z_m: float

    def draw(self, image: Image, time_s: float, wind_rad: float) -> None:
        """Draw it into the picture; `wind_rad` tells one scene's wind from another's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A scene behind ``demo://NAME``."""

    name: str
    cameras: int
    """How many places there are, numbered from 1."""
    kinds: tuple[AnomalyKind, ...]
    usual_kinds: tuple[AnomalyKind, ...]
    """Which are planted unless others are asked for."""
    scenery: Callable[[int, int, int], tuple[View, Image, tuple[Standing, ...]]]
    """Camera, width, height to the view, the empty place, (height, width, 3) BGR and read-only, and what covers."""
    live: Callable[[int, View, int, float, float, Sequence[AnomalyKind]], tuple[list[Actor], tuple[Planted, ...]]]
    """Camera, view, seed, seconds, people and kinds to plant to ordinary actors and anomalies in order of time."""
    clouds: float = 1.0
    """How much the light drifts against the open sky."""
