"""Alerts as lines: when, which camera, kind, peak, how long, where and what."""

from stream.dashboard.cells import QUIET, Line, fit, printable, width_of
from stream.dashboard.numbers import duration
from stream.overview import AlertView, Moment, level, place


def row(alert: AlertView, width: int, now: Moment, *, name_width: int = 0) -> Line:
    """One alert; with its camera's name where that is given a width."""
    latest = alert.latest
    style = QUIET if alert.ended else "bold red" if latest.kind == "anomaly" else "bold yellow"
    peak = f"{level(latest.score, latest.threshold):.1f}×" if latest.kind == "anomaly" else ""
    line: Line = [
        *_when(alert, now),
        (" ● " if not alert.ended else " ○ ", style),
        (fit("ended" if alert.ended else "open", 6), style),
    ]
    if name_width:
        line += [(fit(latest.camera, name_width), "bold"), (" ", "")]
    line += [
        (fit(latest.kind, 8), ""),
        (fit(peak, 6, right=True), "" if alert.ended else style),
        (fit(duration(alert.duration_s(now)), 12, right=True), ""),
        ("  ", ""),
    ]
    line.append((fit(words(alert), max(0, width - width_of(line))), QUIET if alert.ended else ""))
    return line


def words(alert: AlertView) -> str:
    """Where in the picture, and what was unusual there or is the matter."""
    latest = alert.latest
    return printable(", ".join(text for text in (place(latest.region), latest.words, latest.reason) if text))


def none(since: Moment) -> Line:
    """What stands there as long as there is no alert."""
    return [(f"none since {since.local:%H:%M:%S}", QUIET)]


def _when(alert: AlertView, now: Moment) -> Line:
    if alert.began.local.date() == now.local.date():
        return [(f"{alert.began.local:%H:%M:%S}", "")]
    return [(f"{alert.began.local:%d.%m. %H:%M}", QUIET)]
