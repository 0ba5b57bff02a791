"""UCSD Ped2 by `backtest`: learn from the training clips, then watch all twelve test clips at several budgets.

Reports for budgets of 1, 5 and 20 false alerts an hour which labelled anomalies are caught, how soon, and what was
false. Each clip counts as a camera just opened.

    python -m benchmarks.backtest_ped2 [--data FOLDER] [--model F.mulde] [--device cpu]

Files are read as fast as they can be; learning takes most of the time.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks._application import REPOSITORY, calibrate
from benchmarks._footage import DATA, need
from benchmarks._table import print_table

_LAYOUT = "ped2/labels.json, ped2/train/NN.mp4 and ped2/test/NN.mp4"
_PER_HOUR = (1.0, 5.0, 20.0)


def main() -> None:
    """Learn, watch, and print what was caught."""
    arguments = _arguments()
    (labels_file,) = need(arguments.data, ["ped2/labels.json"], _LAYOUT)
    labels = json.loads(labels_file.read_text())
    train = need(arguments.data, [f"ped2/train/{name}" for name in sorted(labels["train"])], _LAYOUT)
    test = need(arguments.data, [f"ped2/test/{name}" for name in sorted(labels["test"])], _LAYOUT)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        model = arguments.model
        if model is None:
            model = Path(folder) / "ped2.mulde"
            device = ("--device", arguments.device)
            calibrate([str(file) for file in train], model, "--alerts-per-day", str(24.0 * _PER_HOUR[-1]), *device)
        made = [_backtest(model, test, labels_file, per_hour, arguments.device) for per_hour in _PER_HOUR]
    _report(made)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Anomalies caught on UCSD Ped2's test clips, by budget.")
    parser.add_argument("--data", type=Path, default=DATA, help=f"folder with {_LAYOUT}")
    parser.add_argument("--model", type=Path, help="one learned before, instead of learning")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    return parser.parse_args()


def _backtest(model: Path, test: list[Path], labels: Path, per_hour: float, device: str) -> dict[str, Any]:
    """What the command says with this budget.

    Raises:
        SystemExit: It failed; it has said why on standard error.
    """
    options = ("--labels", str(labels), "--alerts-per-day", str(24.0 * per_hour), "--device", device, "--json")
    command = [sys.executable, str(REPOSITORY / "run_stream.py"), "backtest", str(model), *map(str, test), *options]
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if finished.returncode:
        raise SystemExit(f"backtest failed with exit status {finished.returncode}")
    made: dict[str, Any] = json.loads(finished.stdout)
    return made


def _report(made: list[dict[str, Any]]) -> None:
    first = made[0]["labels"]
    print(f"\n{made[0]['length_s']:.0f} s, of which {first['normal_s']:.0f} s are without an anomaly\n")
    headers = ("budget /h", "threshold", "alerts", "caught", "median delay", "false", "false /h", "95 % interval")
    rows = []
    for one in made:
        found = one["labels"]
        low, high = (bound / 24.0 for bound in found["false_interval"])
        rows.append(
            (
                f"{one['budget_per_day'] / 24.0:g}",
                f"{one['thresholds']['usual']:.2f}",
                str(one["alerts"]),
                f"{found['caught']} of {found['ranges']}",
                _delay(found["median_delay_s"]),
                str(found["outside"]),
                f"{found['false_alerts_per_day'] / 24.0:.1f}",
                f"{low:.1f}-{high:.1f}",
            )
        )
    print_table(headers, rows)
    print("\ndelay of each anomaly by budget\n")
    delays = zip(*(one["labels"]["catches"] for one in made), strict=True)
    print_table(
        ("clip", "from", "to", *(f"{per_hour:g}/h" for per_hour in _PER_HOUR)),
        [
            (
                of_range[0]["video"],
                f"{of_range[0]['start_s']:.1f}",
                f"{of_range[0]['end_s']:.1f} s",
                *(_delay(catch["delay_s"]) for catch in of_range),
            )
            for of_range in delays
        ],
    )


def _delay(delay_s: float | None) -> str:
    return "-" if delay_s is None else f"{delay_s:.1f} s"


if __name__ == "__main__":
    main()
