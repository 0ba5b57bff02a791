"""Recordings without labels: learn from a clip's first half, watch its second, count what must be false alerts.

Everything in these clips is normal as far as anyone has said, so each alert counts against the budget.

    python -m benchmarks.live_vtest [--data FOLDER] [--alerts-per-day 480]
"""

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks._application import Watch, calibrate
from benchmarks._episodes import HOUR_S, Episode, episodes, scores
from benchmarks._footage import DATA, cut_in_halves, need
from benchmarks._table import print_table
from stream.messages import Message

_CLIPS = ("vtest_480x360.mp4", "intel_one-by-one-person-detection.mp4")
_LAYOUT = "clips/" + " and clips/".join(_CLIPS)
_START_S = 60.0
"""Time the application may take to start and stop, beside that of the clip."""
_HEADERS = ("clip", "learned from", "watched", "scores", "alerts", "per hour", "highest score", "threshold")


def main() -> None:
    """Measure both clips and print a table."""
    parser = argparse.ArgumentParser(description="False alerts on ordinary recordings.")
    parser.add_argument("--data", type=Path, default=DATA, help=f"folder with {_LAYOUT}")
    parser.add_argument("--alerts-per-day", type=float, default=480.0, help="false-alert budget; 480 is 20 an hour")
    arguments = parser.parse_args()
    clips = need(arguments.data, [f"clips/{name}" for name in _CLIPS], _LAYOUT)
    rows, found = [], []
    for clip in clips:
        row, alerts = _measure(clip, arguments.alerts_per_day)
        rows.append(row)
        found += [(clip.name, alert) for alert in alerts]
    print(f"\nbudget {arguments.alerts_per_day / 24:g} false alerts an hour")
    print_table(_HEADERS, rows)
    for name, alert in found:
        print(f"alert in {name}: {alert.started_s:.1f} to {alert.ended_s:.1f} s, peak {alert.peak:.2f}")


def _measure(clip: Path, alerts_per_day: float) -> tuple[list[str], list[Episode]]:
    """The clip's row and its alerts."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        (first, first_s), (second, second_s) = cut_in_halves(clip, Path(folder))
        model = Path(folder) / "clip.mulde"
        calibrate([str(first)], model, "--alerts-per-day", str(alerts_per_day))
        heard = _watch(second, second_s, model)
    alerts, seen = episodes(heard), scores(heard)
    if not seen:
        raise SystemExit(f"{clip.name}: nothing was scored")
    watched_s = seen[-1].stream_time_s
    row = [
        clip.name,
        f"{first_s:.1f} s",
        f"{watched_s:.1f} s",
        str(len(seen)),
        str(len(alerts)),
        f"{len(alerts) * HOUR_S / watched_s:.0f}",
        f"{max(score.score for score in seen):.2f}",
        f"{seen[0].threshold:.2f}",
    ]
    return row, alerts


def _watch(clip: Path, length_s: float, model: Path) -> list[Message]:
    """All that the application says of the clip, played in real time."""
    with Watch([str(clip)], model) as watch:
        heard = list(watch.messages(time.monotonic() + length_s + _START_S))
        if not watch.over:
            raise watch.failure(f"{clip.name}: not over after {length_s + _START_S:.0f} s")
        return heard + watch.finish()


if __name__ == "__main__":
    main()
