"""How often drift is raised where nothing drifts, and how soon where something does: simulated blocks.

    python -m benchmarks.drift_rate [--repetitions 60]

Blocks are autoregressive, with a correlation of each with the one before, and standard normal. A drift is a shift by
so many of their standard deviations. One family of four, and 30 days between false alarms of all of them.
"""

import argparse
import math
import sys

import numpy as np
import numpy.typing as npt

from benchmarks._table import print_table
from detector.drift import BLOCK_S, Family

_DAYS, _FAMILIES = 30.0, 4
_WATCHED_DAYS = 3.0
_DRIFT_H = 6.0
_LIKENESSES = (0.0, 0.3, 0.6, 0.8, 0.9)
_MINUTES = (10, 30, 60)
_SHIFTS = (1.0, 2.0, 4.0)


def blocks(generator: np.random.Generator, count: int, likeness: float) -> npt.NDArray[np.float64]:
    """Means of blocks in the order of time."""
    made = np.empty(count)
    made[0] = generator.normal()
    steps = generator.normal(size=count) * math.sqrt(1.0 - likeness**2)
    for number in range(1, count):
        made[number] = likeness * made[number - 1] + steps[number]
    return made


def first(family: Family, means: npt.NDArray[np.float64]) -> int | None:
    """After how many blocks drift is raised, None where it never is."""
    for number, mean in enumerate(means, 1):
        family.step(float(mean))
        if family.changed:
            return number
    return None


def alarms(family: Family, means: npt.NDArray[np.float64]) -> int:
    """How often drift is raised."""
    count, before = 0, False
    for mean in means:
        family.step(float(mean))
        count += family.changed and not before
        before = family.changed
    return count


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description="False alarms of drift, and how soon a real one is found.")
    parser.add_argument("--repetitions", type=int, default=60)
    repetitions = parser.parse_args().repetitions
    level = Family.level(_DAYS, _FAMILIES)
    rows = []
    for likeness in _LIKENESSES:
        for minutes in _MINUTES:
            count = round(60 * minutes / BLOCK_S)
            false = 0
            found: dict[float, list[float]] = {shift: [] for shift in _SHIFTS}
            for repetition in range(repetitions):
                generator = np.random.default_rng(repetition)
                made = blocks(generator, count + round(_WATCHED_DAYS * 86_400 / BLOCK_S), likeness)
                calibrated = made[:count]
                false += alarms(Family(calibrated, level), made[count:])
                for shift in _SHIFTS:
                    drifted = shift + blocks(generator, round(_DRIFT_H * 3600 / BLOCK_S), likeness)
                    after = first(Family(calibrated, level), drifted)
                    found[shift].append(math.inf if after is None else after * BLOCK_S / 60)
            allowed = repetitions * _WATCHED_DAYS / _DAYS / _FAMILIES
            after_min = [_median(found[shift]) for shift in _SHIFTS]
            rows.append([f"{likeness:g}", f"{minutes} min", f"{false} ({allowed:.1f} allowed)", *after_min])
            print(*rows[-1], file=sys.stderr, flush=True)
    shifts = [f"shift of {shift:g}" for shift in _SHIFTS]
    print_table(("correlation", "calibrated", f"false in {repetitions * _WATCHED_DAYS:g} days", *shifts), rows)


def _median(minutes: list[float]) -> str:
    middle = float(np.median(minutes))
    return "later than 6 h" if math.isinf(middle) else f"{middle:.0f} min"


if __name__ == "__main__":
    main()
