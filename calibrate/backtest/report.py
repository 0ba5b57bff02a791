"""What a backtest tells its user: tables for the terminal, one JSON object, and a picture of each alert."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from calibrate.backtest.outcome import Level, Outcome, Rate, Span, normal_s
from calibrate.backtest.replay import Alert, Trouble, Video, troubles
from calibrate.report.summary import budget, clock, duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """All that a backtest found."""

    model: str
    asked_per_day: float | None
    """False-alert budget that was asked for, None where the model's own was taken or a threshold given."""
    videos: tuple[Video, ...]
    spans: tuple[Span, ...] | None
    """Labelled ranges, None without labels."""
    outcome: Outcome
    others: tuple[Outcome, ...]
    """Of each of the model's budgets."""
    pictures: tuple[str, ...]
    """Files, one per alert of the outcome; none where they were not asked for."""
    seconds: float
    """Time that it took."""

    @property
    def troubles(self) -> list[Trouble]:
        """Of the camera itself."""
        return [trouble for video in self.videos for trouble in troubles(video)]

    @property
    def length_s(self) -> float:
        """Of all videos."""
        return sum(video.length_s for video in self.videos)


def as_json(made: Backtest) -> str:
    """The backtest as one JSON object, the same for the same model and videos."""
    outcome = made.outcome
    content = {
        "model": made.model,
        **_rates(outcome),
        "length_s": made.length_s,
        "videos": [
            {"video": video.name, "length_s": video.length_s, "pictures": len(video.moments)} for video in made.videos
        ],
        "episodes": [
            _episode(alert, made.pictures[number] if made.pictures else None)
            for number, alert in enumerate(outcome.alerts)
        ],
        "camera": [asdict(trouble) for trouble in made.troubles],
        "labels": None if made.spans is None else _labels(made, made.spans),
        "what_if": [_rates(one) | ({} if made.spans is None else _measures(one)) for one in made.others],
    }
    return json.dumps(content, allow_nan=False, ensure_ascii=False, indent=1) + "\n"


def table(made: Backtest) -> RenderableType:
    """The backtest for a console of any width."""
    outcome = made.outcome
    facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    facts.add_column(style="bright_black", no_wrap=True)
    facts.add_column(overflow="fold")
    facts.add_row("model", Text(made.model))
    facts.add_row(
        "watched",
        f"{duration(made.length_s)} in {_count(len(made.videos), 'video')}, in {duration(made.seconds)} "
        f"({made.length_s / max(made.seconds, 1e-3):.0f}× as fast as live)",
    )
    facts.add_row("threshold", f"{_thresholds(outcome.level)}, {_meaning(outcome.level, made.asked_per_day)}")
    facts.add_row("alerts", f"{len(outcome.alerts)}: {_per_time(outcome.rate)}")
    if made.spans is not None:
        facts.add_row(*_caught_line(outcome))
        facts.add_row("false", _false_line(outcome, normal_s(made.videos, made.spans)))
    parts: list[RenderableType] = [facts, Text(), _videos(made)]
    if outcome.alerts:
        parts += [Text(), _alerts(made)]
    if made.troubles:
        parts += [Text(), _camera(made)]
    if made.spans:
        parts += [Text(), _ranges(outcome)]
    parts += [Text(), _what_if(made)]
    return Group(*parts)


def _rates(outcome: Outcome) -> dict[str, Any]:
    return {
        "budget_per_day": outcome.level.alerts_per_day,
        "thresholds": dict(outcome.level.thresholds),
        "alerts": len(outcome.alerts),
        "alerts_per_day": outcome.rate.per_day,
        "interval": [outcome.rate.low, outcome.rate.high],
    }


def _measures(outcome: Outcome) -> dict[str, Any]:
    """What only labels can tell."""
    false = outcome.outside_rate
    return {
        "ranges": len(outcome.catches),
        "caught": outcome.caught,
        "median_delay_s": outcome.median_delay_s,
        "outside": len(outcome.outside),
        "false_alerts_per_day": None if false is None else false.per_day,
        "false_interval": None if false is None else [false.low, false.high],
    }


def _labels(made: Backtest, spans: Sequence[Span]) -> dict[str, Any]:
    outcome = made.outcome
    return {
        **_measures(outcome),
        "detection_rate": outcome.caught / len(outcome.catches) if outcome.catches else None,
        "normal_s": normal_s(made.videos, spans),
        "catches": [{**asdict(catch.span), "delay_s": catch.delay_s} for catch in outcome.catches],
    }


def _episode(alert: Alert, picture: str | None) -> dict[str, Any]:
    return {
        "video": alert.video,
        "start_s": alert.started_s,
        "end_s": alert.ended_s,
        "peak_s": alert.peaked_s,
        "score": alert.score,
        "threshold": alert.threshold,
        "kind": "anomaly",
        "region": alert.region,
        "picture": picture,
    }


def _thresholds(level: Level) -> str:
    """With the names of regimes where there are several."""
    if len(level.thresholds) == 1:
        return f"{next(iter(level.thresholds.values())):.2f}"
    return ", ".join(f"{regime} {threshold:.2f}" for regime, threshold in level.thresholds.items())


def _meaning(level: Level, asked_per_day: float | None) -> str:
    if level.alerts_per_day is None:
        return "given by --threshold"
    words = f"for {budget(level.alerts_per_day)}"
    if asked_per_day is None or asked_per_day == level.alerts_per_day:
        return words
    return f"{words}, the next smaller budget that the model knows to the {asked_per_day:g} a day asked for"


def _per_time(rate: Rate) -> str:
    return f"{_number(rate.per_day)} a day, 95 % interval {_number(rate.low)} to {_number(rate.high)}"


def _caught_line(outcome: Outcome) -> tuple[str, str]:
    delay_s = outcome.median_delay_s
    after = "" if delay_s is None else f", half of them within {delay_s:.1f} s"
    return "caught", f"{outcome.caught} of {_count(len(outcome.catches), 'labelled range')}{after}"


def _false_line(outcome: Outcome, normal: float) -> str:
    outside = f"{_count(len(outcome.outside), 'alert') if outcome.outside else 'none'} outside of labelled ranges"
    if outcome.outside_rate is None:
        return f"{outside}; no time is without an anomaly"
    return f"{outside}, in {duration(normal)} of normal time: {_per_time(outcome.outside_rate)}"


def _videos(made: Backtest) -> Table:
    rows = _table("video", "length", "alerts", "highest score")
    for video in made.videos:
        found = sum(alert.video == video.name for alert in made.outcome.alerts)
        highest = max((moment.score for moment in video.moments), default=0.0)
        rows.add_row(Text(video.name), clock(video.length_s), str(found), f"{highest:.2f}")
    return rows


def _alerts(made: Backtest) -> Table:
    rows = _table("alert in", "from", "to", "peak", "score", "threshold", "region, %")
    for alert in made.outcome.alerts:
        region = "-" if alert.region is None else " ".join(f"{100 * side:.0f}" for side in alert.region)
        times = (_tenths(time_s) for time_s in (alert.started_s, alert.ended_s, alert.peaked_s))
        rows.add_row(Text(alert.video), *times, f"{alert.score:.2f}", f"{alert.threshold:.2f}", region)
    return rows


def _camera(made: Backtest) -> Table:
    rows = _table("camera in", "is", "from", "to")
    for one in made.troubles:
        rows.add_row(Text(one.video), one.condition, _tenths(one.started_s), _tenths(one.ended_s))
    return rows


def _ranges(outcome: Outcome) -> Table:
    rows = _table("labelled range in", "from", "to", "caught", "delay")
    for catch in outcome.catches:
        caught = ("no", "-") if catch.delay_s is None else ("yes", f"{catch.delay_s:.1f} s")
        rows.add_row(Text(catch.span.video), _tenths(catch.span.start_s), _tenths(catch.span.end_s), *caught)
    return rows


def _what_if(made: Backtest) -> Table:
    labelled = made.spans is not None
    measures = ("caught", "delay", "false") if labelled else ()
    rows = _table("what if", "threshold", "alerts", "a day", "95 %", *measures)
    for one in made.others:
        assert one.level.alerts_per_day is not None, "all are budgets"
        delay_s = one.median_delay_s
        measured = (
            f"{one.caught} of {len(one.catches)}",
            "-" if delay_s is None else f"{delay_s:.1f} s",
            str(len(one.outside)),
        )
        rows.add_row(
            _short(one.level.alerts_per_day) + (" *" if one.level == made.outcome.level else ""),
            _thresholds(one.level),
            str(len(one.alerts)),
            _number(one.rate.per_day),
            f"{_number(one.rate.low)}-{_number(one.rate.high)}",
            *(measured if labelled else ()),
        )
    return rows


def _table(first: str, *others: str) -> Table:
    made = Table(box=None, padding=(0, 2, 0, 0), header_style="bright_black")
    made.add_column(first, overflow="fold")
    for name in others:
        made.add_column(name, justify="right")
    return made


def _tenths(seconds: float) -> str:
    """A time with tenths of a second, "2:05.3"."""
    tenths = round(seconds * 10)
    return f"{clock(tenths // 10)}.{tenths % 10}"


def _short(alerts_per_day: float) -> str:
    """A budget in few words: "1 a day", "20 an hour"."""
    return budget(alerts_per_day).replace(" false alerts", "").replace(" false alert", "")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _number(value: float) -> str:
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"
