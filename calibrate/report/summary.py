"""What a calibration tells its user in the terminal: what was learned, from what, and what can be promised."""

from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from calibrate.calibration import Calibration
from calibrate.threshold import DAY_S, NEEDED_ALERTS, Threshold
from detector.bundle import Bundle


def terminal_report(calibration: Calibration, path: Path, page: Path | None = None) -> RenderableType:
    """The report for a console of any width.

    Args:
        page: Where the report with pictures is, None where there is none.
    """
    made, threshold = calibration.bundle, calibration.threshold
    preparation = made.preparation
    asked = threshold.budget
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bright_black", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("model", str(path))
    table.add_row(
        "footage",
        f"{duration(threshold.footage_s)} in {calibration.pictures} pictures of {preparation.width}×"
        f"{preparation.height} at {preparation.rate_fps:g}/s, nothing going on in {calibration.quiet_share:.0%}"
        + (", more than is kept at once: evenly thinned" if calibration.thinned else ""),
    )
    table.add_row("learned", f"{', '.join(str(family['name']) for family in made.families)}{_reading(made)}")
    table.add_row(
        "threshold", f"{asked.threshold:.2f} ({asked.low:.2f} to {asked.high:.2f}) for {budget(asked.alerts_per_day)}"
    )
    if page is not None:
        table.add_row("report", f"{page} (open it in a browser)")
    return Group(table, Text(promise(threshold)))


def _reading(made: Bundle) -> str:
    """What reading energies at few noise scales costs, in standard deviations of a level, where they are read so."""
    error = max(float(made.arrays[f"{family['name']}.reading_error"][0]) for family in made.families)
    return f" (reading error {error:.0e})" if error else ""


def promise(threshold: Threshold) -> str:
    """What the footage supports, in some sentences."""
    said = [
        f"On {duration(threshold.footage_s)} of normal footage, scored by densities that had not seen it, this "
        f"threshold gives {_alerts(threshold.held_out_alerts)}."
    ]
    if threshold.extrapolated:
        asked = threshold.budget.alerts_per_day
        said.append(
            f"By itself so much footage can only show that there are fewer than "
            f"{_number(threshold.supported_per_day)} false alerts a day; for {budget(asked)} the threshold is "
            f"extrapolated, on the safe side. About {duration(NEEDED_ALERTS * DAY_S / asked)} would confirm it."
        )
    if threshold.doubtful:
        times = ", ".join(f"{clock(peak.time_s)} of {peak.segment + 1}" for peak in threshold.doubtful)
        said.append(
            f"Look at {times} (minutes and recording): it stands out more than is usual, and counts. If it is an "
            "anomaly, leave it out and calibrate again."
        )
    if threshold.suspicious:
        times = ", ".join(f"{clock(peak.time_s)} of {peak.segment + 1}" for peak in threshold.suspicious)
        said.append(
            f"Hardly normal, and left out of the threshold: at {times} (minutes and seconds, and which recording). "
            "Look there; if it is an anomaly, calibrate again without it."
        )
    return " ".join(said)


def budget(alerts_per_day: float) -> str:
    """The budget in words: "1 false alert a day", "20 false alerts an hour"."""
    if alerts_per_day >= 240:
        return f"{_number(alerts_per_day / 24)} false alerts an hour"
    if alerts_per_day >= 1:
        return f"{_number(alerts_per_day)} false alert{'' if alerts_per_day == 1 else 's'} a day"
    return f"1 false alert in {_number(1 / alerts_per_day)} days"


def clock(seconds: float) -> str:
    """A time as minutes and seconds, "2:05", from an hour on with hours."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def duration(seconds: float) -> str:
    """A length of time in its natural unit: "45 s", "12 min", "3.5 h", "2 days"."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{_number(seconds / 60)} min"
    if seconds < 2 * DAY_S:
        return f"{_number(seconds / 3600)} h"
    return f"{_number(seconds / DAY_S)} days"


def _alerts(count: int) -> str:
    return "no alert" if count == 0 else f"{count} alert{'' if count == 1 else 's'}"


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0") if value < 10 else f"{value:.0f}"
