"""Whether a threshold keeps its false-alert budget, on simulated scores whose true rate of alerts is known.

    python -m benchmarks.budget [--repetitions 200] [--json FILE]

Each process makes dependent scores with a known kind of tail. Its true rate of alerts at any threshold is counted
by the policy on weeks of it. A repetition draws minutes of it, chooses the threshold for a budget, and looks up what
that gives. "inside" is how often the threshold that the budget truly needs lies within the stated 95 % interval;
"kept" how often the chosen threshold gives no more alerts than asked for.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter
from scipy.stats import genpareto, norm

from benchmarks._table import print_table
from calibrate.episodes import peaks, runs
from calibrate.threshold import DAY_S, choose
from calibrate.train import Scored
from configs.settings import PolicySettings

Array = npt.NDArray[np.float64]
Process = Callable[[np.random.Generator, int], Array]

_RATE_FPS = 5.0
_LONG_S = 14 * DAY_S
_POLICY = PolicySettings()
_BLOCK = 50  # pictures


def _crowd(margin: Callable[[Array], Array]) -> Process:
    """Something is always going on: a slowly wandering score with this tail, as a function of its probability."""

    def draw(generator: np.random.Generator, count: int) -> Array:
        keep = np.exp(-1.0 / (2.0 * _RATE_FPS))  # of what was, two seconds ago
        noise = generator.normal(size=count) * np.sqrt(1.0 - keep**2)
        wandering = lfilter([1.0], [1.0, -keep], noise)
        return margin(np.minimum(norm.cdf(wandering), 1.0 - 1e-16))

    return draw


def _visits(height: Callable[[np.random.Generator, int], Array]) -> Process:
    """Mostly nothing; one visit a minute for some seconds, each with a height of its own."""

    def draw(generator: np.random.Generator, count: int) -> Array:
        scores = 0.3 * np.abs(generator.normal(size=count))
        starts = np.flatnonzero(generator.random(count) < 1.0 / 60.0 / _RATE_FPS)
        heights = height(generator, len(starts))
        for start, top, length in zip(starts, heights, generator.integers(8, 60, len(starts)), strict=True):
            visit = scores[start : start + length]
            np.maximum(visit, top * generator.uniform(0.8, 1.0, len(visit)), out=visit)
        return scores

    return draw


PROCESSES: dict[str, Process] = {
    "crowd, exponential": _crowd(lambda u: -np.log1p(-u)),
    "crowd, Gaussian": _crowd(lambda u: np.maximum(norm.ppf(u) + 2.0, 0.0)),
    "crowd, heavy (ξ 0.2)": _crowd(lambda u: np.asarray(genpareto.ppf(u, 0.2))),
    "crowd, bounded (ξ -0.3)": _crowd(lambda u: np.asarray(genpareto.ppf(u, -0.3)) * 2.0),
    "visits, exponential": _visits(lambda generator, count: generator.exponential(1.0, count)),
    "visits, lognormal": _visits(lambda generator, count: np.exp(0.5 * generator.normal(size=count))),
}

CASES = ((10.0, 480.0), (30.0, 120.0), (120.0, 24.0), (30.0, 24.0), (30.0, 1.0))
"""Minutes of footage, and false alerts a day; in the last two the footage is shorter than one alert."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one process, length of footage and budget."""

    process: str
    minutes: float
    alerts_per_day: float
    supported: bool
    median_ratio: float
    """Of alerts achieved and asked for."""
    spread: tuple[float, float]
    """The ratios that 5 and 95 % of the repetitions are below."""
    inside: float
    kept: float


class Truth:
    """A process's true rate of alerts at any threshold."""

    def __init__(self, process: Process, long_s: float) -> None:
        count = int(long_s * _RATE_FPS)
        footage = runs([_scored(process(np.random.default_rng(10_000), count))], _POLICY)
        entry = footage[0].entry
        levels = np.unique(np.quantile(entry[np.isfinite(entry)], 1.0 - np.geomspace(0.05, 5.0 / count, 60)))
        counts = np.array([len(peaks(footage, level)) for level in levels.tolist()])
        most = int(np.argmax(counts))
        self._levels, self._per_day = levels[most:], counts[most:] * DAY_S / long_s

    def per_day(self, threshold: float) -> float:
        """Alerts a day at a threshold, 0 beyond what the weeks have seen."""
        return float(np.interp(threshold, self._levels, self._per_day, left=np.inf, right=0.0))

    def threshold(self, alerts_per_day: float) -> float:
        """The threshold that gives so many alerts a day."""
        return float(np.interp(-alerts_per_day, -self._per_day, self._levels))


def measure(name: str, truth: Truth, minutes: float, alerts_per_day: float, repetitions: int) -> Result:
    """One process, length of footage and budget."""
    count = int(minutes * 60.0 * _RATE_FPS)
    ratios, inside, kept = [], [], []
    needed = truth.threshold(alerts_per_day)
    for number in range(repetitions):
        scores = PROCESSES[name](np.random.default_rng(number), count)
        blocks = [_scored(scores[start : start + _BLOCK], start) for start in range(0, count, _BLOCK)]
        chosen = choose(blocks, _POLICY, alerts_per_day, count / _RATE_FPS, others=())
        ratios.append(truth.per_day(chosen.budget.threshold) / alerts_per_day)
        inside.append(chosen.budget.low <= needed <= chosen.budget.high)
        kept.append(ratios[-1] <= 1.0)
    low, median, high = np.quantile(ratios, (0.05, 0.5, 0.95)).tolist()
    return Result(
        process=name,
        minutes=minutes,
        alerts_per_day=alerts_per_day,
        supported=alerts_per_day * minutes * 60.0 >= DAY_S,
        median_ratio=median,
        spread=(low, high),
        inside=float(np.mean(inside)),
        kept=float(np.mean(kept)),
    )


def main() -> None:
    """Measure all and print a table."""
    parser = argparse.ArgumentParser(description="Do thresholds keep their budgets, on simulated scores?")
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--json", type=Path, help="write the results there as well")
    arguments = parser.parse_args()
    results = []
    for name, process in PROCESSES.items():
        truth = Truth(process, _LONG_S)
        results += [measure(name, truth, minutes, budget, arguments.repetitions) for minutes, budget in CASES]
        print(f"{name}: done", flush=True)
    headers = (
        "process",
        "footage min",
        "asked /day",
        "supported",
        "median achieved/asked",
        "5-95 %",
        "inside",
        "kept",
    )
    print_table(headers, list(map(_row, results)))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")


def _scored(scores: Array, start: int = 0) -> Scored:
    return Scored(segment=0, times_s=(start + np.arange(len(scores))) / _RATE_FPS, scores=scores)


def _row(result: Result) -> tuple[str, ...]:
    return (
        result.process,
        f"{result.minutes:g}",
        f"{result.alerts_per_day:g}",
        "yes" if result.supported else "no",
        f"{result.median_ratio:.2f}",
        f"{result.spread[0]:.2f}-{result.spread[1]:.2f}",
        f"{result.inside:.0%}",
        f"{result.kept:.0%}",
    )


if __name__ == "__main__":
    main()
