"""Vehicles that follow each other along the lanes of the drawn road and wait at its light.

A follower drives where the one ahead was a moment before, some metres behind it (Newell's car-following model), or
at its own speed where that is slower. All speeds are then smoothed over a few seconds, which makes stopping and
starting even accelerations; places keep their order under that.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from stream.scene.actors import Actor, some_look
from stream.scene.layout import View
from stream.scene.route import Route, Series
from stream.scene.trafficlight import CROSSING_M, CYCLE_S, RED_S

Form = Literal["car", "van", "lorry"]

_STEP_S = 0.25
_SMOOTH_STEPS = 13
_SMOOTH_S = (_SMOOTH_STEPS - 1) * _STEP_S
_REACTION_S = 1.0
_GAP_M = 1.8
"""Between two that wait."""
_LINE_M = CROSSING_M + 1.1
"""Where the first one waits, before the crossing's middle."""
_LENGTHS_M: dict[Form, float] = {"car": 4.3, "van": 4.8, "lorry": 6.7}
_SHARES = (0.74, 0.16, 0.1)
_BRAKING_S = 1.0
"""Nobody passes the light so shortly before it is red."""
_LEAST_GAP_S = 4.2
"""Between two that come, on average."""
_WAIT_S = 2.0
"""Of an average vehicle at the light."""
_APPROACH_M = 1.0
"""How far outside the picture vehicles appear and vanish."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One lane with its direction and its usual speeds."""

    z_m: float
    direction: Literal[-1, 1]
    speeds_m_s: tuple[float, float]


LANES = (
    Lane(z_m=15.75, direction=1, speeds_m_s=(8.0, 9.5)),
    Lane(z_m=19.45, direction=-1, speeds_m_s=(10.5, 13.0)),
)


def most_vehicles(view: View, lane: Lane) -> float:
    """How many can be in the picture on average before the light lets through fewer than come."""
    return _seen_s(view, lane) / _LEAST_GAP_S


def _seen_s(view: View, lane: Lane) -> float:
    """For how long an average vehicle is in the picture."""
    return 4 * view.half_width_m(lane.z_m) / sum(lane.speeds_m_s) + _WAIT_S


def traffic(view: View, lane: Lane, rng: np.random.Generator, duration_s: float, present: float) -> list[Actor]:
    """Who drives along a lane, so many in the picture on average, in order of arrival."""
    if present == 0:
        return []
    half_m = view.half_width_m(lane.z_m)
    gap_s = _seen_s(view, lane) / present
    actors: list[Actor] = []
    ahead: tuple[Series, Series, float] | None = None  # times, places and length of the one ahead
    time_s = -2 * CYCLE_S
    while time_s < duration_s:
        time_s += max(1.6, gap_s * rng.uniform(0.2, 1.8))
        form = _form(rng)
        length_m, speed = _LENGTHS_M[form], float(rng.uniform(*lane.speeds_m_s))
        times_s = _clock(time_s, 2.5 * CYCLE_S)
        start_m = -half_m - _APPROACH_M - length_m / 2 - speed * _SMOOTH_S / 2
        limit_m = np.full(len(times_s), np.inf)
        if ahead is not None:
            ahead_times_s, ahead_m, ahead_length_m = ahead
            limit_m = np.interp(times_s - _REACTION_S, ahead_times_s, ahead_m, right=np.inf)
            limit_m -= (length_m + ahead_length_m) / 2 + _GAP_M
        free_m = start_m + speed * (times_s - times_s[0])
        places_m = _before_the_light(times_s, free_m, limit_m, -_LINE_M - length_m / 2, speed)
        ahead = times_s, places_m, length_m
        reach_m = half_m + _APPROACH_M + length_m / 2
        route = _route(times_s, places_m, reach_m, lane.z_m, lane.direction)
        actors.append(Actor(form=form, path=route, look=some_look(rng), phase=float(rng.random())))
    return actors


def drive(view: View, z_m: float, side: int, speed: float, stop: tuple[float, float] | None = None) -> Route:
    """Of a car that minds no light, from time 0; `stop` is how far past the middle it stands and how long."""
    reach_m = view.half_width_m(z_m) + _APPROACH_M + _LENGTHS_M["car"] / 2
    stop_m, stop_length_s = stop or (np.inf, 0.0)
    start_m = -reach_m - speed * _SMOOTH_S / 2
    length_s = 2 * abs(start_m) / speed + stop_length_s + 2 * _SMOOTH_S
    times_s = _clock(0.0, length_s)
    driven_m = start_m + speed * times_s
    places_m = np.where(driven_m < stop_m, driven_m, np.maximum(stop_m, driven_m - speed * stop_length_s))
    return _route(times_s, places_m, reach_m, z_m, side)


def _clock(start_s: float, length_s: float) -> Series:
    steps = np.arange(round(start_s / _STEP_S), round((start_s + length_s) / _STEP_S))
    return np.asarray(_STEP_S * steps, np.float64)


def _before_the_light(times_s: Series, free_m: Series, limit_m: Series, line_m: float, speed: float) -> Series:
    """Places of one who stops at the line if they would reach it while the light is red."""
    places_m = np.minimum(free_m, limit_m)
    step = int(np.searchsorted(places_m, line_m))
    if step == len(times_s):
        return places_m
    # Smoothing starts to slow half its length before a stop and to move as long before its end.
    since_s = (times_s[step] + _BRAKING_S) % CYCLE_S
    if since_s > RED_S + _BRAKING_S + _SMOOTH_S / 2:
        return places_m
    green_s = times_s[step] + _BRAKING_S - since_s + RED_S + _SMOOTH_S / 2
    started_m = line_m + speed * (times_s - green_s)
    held_m = np.where(times_s < green_s, np.minimum(free_m, line_m), started_m)
    return np.minimum(held_m, limit_m)


def _route(times_s: Series, places_m: Series, reach_m: float, z_m: float, side: int) -> Route:
    """The way of a vehicle by its places along its direction, smoothed and cut to what the camera may see."""
    smooth_m = np.convolve(places_m, np.full(_SMOOTH_STEPS, 1 / _SMOOTH_STEPS), "valid")
    times_s = times_s[_SMOOTH_STEPS // 2 : -(_SMOOTH_STEPS // 2)]
    seen = np.abs(smooth_m) < reach_m
    points = np.stack([times_s[seen], side * smooth_m[seen], np.full(int(seen.sum()), z_m)], axis=1)
    return Route.through(8.0, points)


def _form(rng: np.random.Generator) -> Form:
    forms: tuple[Form, ...] = ("car", "van", "lorry")
    return forms[int(rng.choice(len(forms), p=_SHARES))]
