"""People who walk by on a pavement, alone or in pairs; now and then one stops to look at a phone."""

import math
from typing import Literal

import numpy as np

from stream.scene.actors import Actor, some_look
from stream.scene.layout import View
from stream.scene.route import Path

MARGIN_M = 1.0
"""How far outside the picture people appear and vanish."""
LONGEST_STOP_S = 6.0
_ABREAST_M = 0.65
"""Between two people side by side."""


def passers_by(view: View, seed: int, duration_s: float, people: float) -> list[Actor]:
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


def _group(view: View, rng: np.random.Generator, time_s: float, walk: tuple[float, float]) -> list[Actor]:
    """One person, or now and then two side by side."""
    near_m, far_m = walk
    start_m = rng.uniform(near_m, far_m)
    end_m = min(far_m, max(near_m, start_m + rng.normal(0, 0.7)))
    direction: Literal[-1, 1] = 1 if rng.random() < 0.5 else -1
    speed = float(np.clip(rng.normal(1.22, 0.17), 0.8, 1.6))
    reach_m = view.half_width_m(max(start_m, end_m) + _ABREAST_M) + MARGIN_M
    stop_s, stop_length_s = math.inf, 0.0
    together = rng.random() < 0.16
    if not together and rng.random() < 0.06:
        stop_s = time_s + reach_m * rng.uniform(0.5, 1.5) / speed
        stop_length_s = rng.uniform(2.5, LONGEST_STOP_S)
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
            look=some_look(rng),
            phase=float(rng.random()),
            phone=True,
        )
        for number, offset_m in enumerate(offsets)
    ]
