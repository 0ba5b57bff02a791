"""Stored alerts as people and programs read them: a table, a page about one, JSON lines, CSV.

Pure: takes records and returns text or something rich can draw. Knows neither store nor command line.
"""

import csv
import io
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from datetime import datetime

from rich.table import Table
from rich.text import Text

from stream.overview import place
from stream.store import AlertRecord, Feedback, Verdict, role_of

_NONE: Mapping[str, Verdict] = {}
_STYLE = {"open": "bold red", "ended": ""}
_CSV_COLUMNS = (
    "id",
    "camera",
    "kind",
    "state",
    "started_utc",
    "ended_utc",
    "started_s",
    "peaked_s",
    "ended_s",
    "score",
    "threshold",
    "x0",
    "y0",
    "x1",
    "y1",
    "evidence",
    "reason",
    "words",
    "verdict",
)


def as_table(records: Iterable[AlertRecord], verdicts: Mapping[str, Verdict] = _NONE) -> Table:
    """One line for each, in the order given; times are UTC, as in the ids."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("id", no_wrap=True, overflow="fold")  # whole on any terminal: it is what one copies
    for name in ("camera", "kind", "began (UTC)", "lasted", "score", "where, what, why"):
        table.add_column(
            name,
            overflow="fold",
            justify="right" if name in ("lasted", "score") else "left",
            min_width=10 if name == "began (UTC)" else None,  # a day in one piece
        )
    for record in records:
        cells = (
            record.id,
            record.camera,
            f"{record.kind}, {verdicts[record.id]}" if record.id in verdicts else record.kind,
            _clock(record.started_utc),
            _lasted(record),
            f"{record.score:.3g}/{record.threshold:.3g}" if record.kind == "anomaly" else "",
            ", ".join(filter(None, (place(record.region), record.words, record.reason))),
        )
        table.add_row(*(Text(cell, _STYLE[record.state]) for cell in cells))
    return table


def as_details(record: AlertRecord, feedback: Iterable[Feedback] = (), missing: Collection[str] = ()) -> Table:
    """All that is known about one alert, a line for each thing.

    Args:
        missing: Paths of its evidence at which there is no file.
    """
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    ended = "still open" if record.state == "open" else _clock(record.ended_utc) or "not known"
    peak = f"{record.score:.4g}, threshold {record.threshold:.4g}, stream time {record.peaked_s:.1f} s"
    lines = {
        "id": record.id,
        "camera": record.camera,
        "kind": record.kind,
        "began": f"{_clock(record.started_utc)} UTC, stream time {record.started_s:.1f} s",
        "peak": peak if record.kind == "anomaly" else "",
        "ended": ended if record.ended_s is None else f"{ended} UTC, stream time {record.ended_s:.1f} s",
        "lasted": _lasted(record),
        "where": _where(record),
        "what": record.words,
        "evidence": "\n".join(_file(record, path, path in missing) for path in record.evidence) or "none",
        "reason": record.reason,
        "marked": "\n".join(map(_said, feedback)),
    }
    for name, value in lines.items():
        if value:
            table.add_row(name, Text(value))
    return table


def as_json_lines(records: Iterable[AlertRecord], verdicts: Mapping[str, Verdict] = _NONE) -> str:
    """One JSON object on each line, with the records' own names and "verdict"; what is not known is null."""
    rows = ({**asdict(record), "verdict": verdicts.get(record.id)} for record in records)
    return "".join(f"{json.dumps(row, allow_nan=False)}\n" for row in rows)


def as_csv(records: Iterable[AlertRecord], verdicts: Mapping[str, Verdict] = _NONE) -> str:
    """CSV with a header line; what is not known is empty, several paths are separated by "|"."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for record in records:
        row = asdict(record)
        region = row.pop("region") or (None,) * 4
        writer.writerow(
            {
                **row,
                **dict(zip(("x0", "y0", "x1", "y1"), region, strict=True)),
                "evidence": "|".join(record.evidence),
                "verdict": verdicts.get(record.id),
            }
        )
    return text.getvalue()


def _file(record: AlertRecord, path: str, missing: bool) -> str:
    absent = ""
    if missing:
        absent = " (not there yet)" if record.state == "open" else " (is not there)"
    return f"{role_of(record.id, path)}: {path}{absent}"


def _clock(utc: str | None) -> str:
    return "" if utc is None else f"{datetime.fromisoformat(utc):%Y-%m-%d %H:%M:%S}"


def _lasted(record: AlertRecord) -> str:
    if record.state == "open":
        return "open"
    if record.ended_s is None:
        return "not known"
    seconds = record.ended_s - record.started_s
    return f"{seconds:.1f} s" if seconds < 60.0 else f"{seconds // 60.0:.0f} min {seconds % 60.0:02.0f} s"


def _said(feedback: Feedback) -> str:
    undone = "" if feedback.undone_utc is None else f", taken back {_clock(feedback.undone_utc)} UTC"
    return f"{feedback.verdict}, {_clock(feedback.utc)} UTC{undone}"


def _where(record: AlertRecord) -> str:
    if record.region is None:
        return ""
    x0, y0, x1, y1 = record.region
    return f"{place(record.region)}: x {x0:.0%} to {x1:.0%}, y {y0:.0%} to {y1:.0%} of the picture"
