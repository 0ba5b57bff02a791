"""How something moves over the ground: straight across the picture, or through one point after the other."""

import itertools
import math
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

Series = npt.NDArray[np.float64]

_STOPPING_S = 0.4
_TURN_S = 0.2
"""Half of how long it takes to turn round."""
_SIDEWAYS = 0.55
"""How much of its length is seen of somebody who walks away from the camera: all figures are side views."""


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

    def facing(self, _time_s: float) -> float:
        """Where it heads: 1 = to the right, -1 = to the left."""
        return self.direction


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Route:
    """A way from point to point, straight and steady between them."""

    speed_m_s: float
    """Of somebody who strides out."""
    times_s: Series
    xs_m: Series
    zs_m: Series
    lengths_m: Series
    """Metres covered up to each point."""
    turn_times_s: Series
    facings: Series

    @classmethod
    def through(cls, speed_m_s: float, points: Series) -> Self:
        """The route through points (time, x, z), one a row, times rising; it looks right until it first moves."""
        times_s, xs_m, zs_m = points.T
        across_m, steps_m = np.diff(xs_m), np.hypot(np.diff(xs_m), np.diff(zs_m))
        facings: list[float] = []
        side = next((math.copysign(1.0, step) for step in across_m.tolist() if step), 1.0)
        for across, step in zip(across_m.tolist(), steps_m.tolist(), strict=True):
            side = math.copysign(1.0, across) if abs(across) > 1e-9 else side
            facings.append(side * max(_SIDEWAYS, abs(across) / step) if step > 1e-9 else side)
        edges_s = [(start - _TURN_S, start + _TURN_S) for start in times_s[1:-1].tolist()]
        turns = [(facings[0], facings[0]), *itertools.pairwise(facings)][1:]
        return cls(
            speed_m_s=speed_m_s,
            times_s=times_s,
            xs_m=xs_m,
            zs_m=zs_m,
            lengths_m=np.concatenate(([0.0], np.cumsum(steps_m))),
            turn_times_s=np.maximum.accumulate(np.array([times_s[0], *itertools.chain(*edges_s)])),
            facings=np.array([facings[0], *itertools.chain(*turns)]),
        )

    def later(self, later_s: float) -> "Route":
        """The same way, this much later."""
        return replace(self, times_s=self.times_s + later_s, turn_times_s=self.turn_times_s + later_s)

    @property
    def start_s(self) -> float:
        """When it begins."""
        return float(self.times_s[0])

    @property
    def end_s(self) -> float:
        """When its last point is reached."""
        return float(self.times_s[-1])

    def travelled_m(self, time_s: float) -> float:
        """Metres covered since the start."""
        return float(np.interp(time_s, self.times_s, self.lengths_m))

    def place(self, time_s: float) -> tuple[float, float]:
        """Ground point (x, z) in metres."""
        return float(np.interp(time_s, self.times_s, self.xs_m)), float(np.interp(time_s, self.times_s, self.zs_m))

    def stride(self, time_s: float) -> float:
        """How fully somebody strides out: 1 = walking, 0 = standing."""
        around_s = (time_s - _STOPPING_S / 2, time_s + _STOPPING_S / 2)
        before_m, after_m = (self.travelled_m(moment_s) for moment_s in around_s)
        return min(1.0, (after_m - before_m) / _STOPPING_S / self.speed_m_s)

    def facing(self, time_s: float) -> float:
        """Where it heads: 1 = to the right, -1 = to the left, between them = also away from or to the camera."""
        facing = float(np.interp(time_s, self.turn_times_s, self.facings))
        return math.copysign(max(0.3, abs(facing)), facing)


class Steps:
    """Writes down somebody's way as they go it: walks and stays, one after the other."""

    def __init__(self, start_s: float, x_m: float, z_m: float, speed_m_s: float) -> None:
        self._points = [(start_s, x_m, z_m)]
        self._speed_m_s = speed_m_s

    @property
    def time_s(self) -> float:
        """When the last step ends."""
        return self._points[-1][0]

    def to(self, x_m: float, z_m: float) -> None:
        """Walk straight to this point."""
        time_s, from_x_m, from_z_m = self._points[-1]
        self._points.append((time_s + math.hypot(x_m - from_x_m, z_m - from_z_m) / self._speed_m_s, x_m, z_m))

    def stay(self, length_s: float) -> float:
        """Stand for a while; returns when that began."""
        time_s, x_m, z_m = self._points[-1]
        self._points.append((time_s + length_s, x_m, z_m))
        return time_s

    def route(self) -> Route:
        """The whole way."""
        return Route.through(self._speed_m_s, np.array(self._points))
