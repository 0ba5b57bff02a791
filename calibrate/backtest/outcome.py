"""What the alerts of a backtest amount to: how many a day, which labelled ranges they catch and how soon."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from scipy.stats import chi2

from calibrate.backtest.replay import Alert, Video, alerts
from configs.settings import PolicySettings
from detector.bundle import Bundle, BundleError

DAY_S = 86400.0

_CONFIDENCE = 0.95
_AFTERMATH_S = 2.0
"""An alert this long after an anomaly is still about it: scores are smoothed, and whoever it is walks off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """Thresholds and the budget they stand for."""

    thresholds: Mapping[str, float]
    """Of each regime."""
    alerts_per_day: float | None
    """None where it was chosen by hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How many a day are to be expected, with a 95 % interval."""

    per_day: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A labelled range of a video, seconds of its own time."""

    video: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Catch:
    """A labelled range and whether an alert was open during it."""

    span: Span
    delay_s: float | None
    """From its start until live watching tells of the alert, 0 where it had before; None where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All that came of one level."""

    level: Level
    alerts: tuple[Alert, ...]
    rate: Rate
    catches: tuple[Catch, ...] = ()
    """Of each labelled range."""
    outside: tuple[Alert, ...] = ()
    """Alerts outside of all labelled ranges; without labels that is not known, and none."""
    outside_rate: Rate | None = None
    """On a day without anomalies; None without labels, or where no time is without."""

    @property
    def caught(self) -> int:
        """Labelled ranges with an alert."""
        return len(self._delays_s())

    @property
    def median_delay_s(self) -> float | None:
        """Over the ranges that are caught, None where none is."""
        delays_s = self._delays_s()
        return median(delays_s) if delays_s else None

    def _delays_s(self) -> list[float]:
        return [catch.delay_s for catch in self.catches if catch.delay_s is not None]


def rate(count: int, seconds: float) -> Rate:
    """The rate of which `count` were seen in so many seconds, > 0, with its exact Poisson interval.

    The interval is Garwood's ("Fiducial limits for the Poisson distribution", Biometrika 28, 1936). It takes alerts
    for independent of each other, which the policy's merging and cool-down are for.
    """
    beyond = (1.0 - _CONFIDENCE) / 2.0
    days = seconds / DAY_S
    low = float(chi2.ppf(beyond, 2 * count)) / 2.0 if count else 0.0
    high = float(chi2.ppf(1.0 - beyond, 2 * count + 2)) / 2.0
    return Rate(per_day=count / days, low=low / days, high=high / days)


def outcome(videos: Sequence[Video], policy: PolicySettings, level: Level, spans: Sequence[Span] | None) -> Outcome:
    """What this level gives on the videos.

    Args:
        spans: The labelled ranges, None without labels.
    """
    found = tuple(alert for video in videos for alert in alerts(video, policy, level.thresholds))
    length_s = sum(video.length_s for video in videos)
    if spans is None:
        return Outcome(level=level, alerts=found, rate=rate(len(found), length_s))
    outside = tuple(alert for alert in found if not any(_about(alert, span, _AFTERMATH_S) for span in spans))
    quiet_s = normal_s(videos, spans)
    return Outcome(
        level=level,
        alerts=found,
        rate=rate(len(found), length_s),
        catches=tuple(Catch(span=span, delay_s=_delay_s(found, span)) for span in spans),
        outside=outside,
        outside_rate=rate(len(outside), quiet_s) if quiet_s else None,
    )


def normal_s(videos: Sequence[Video], spans: Sequence[Span]) -> float:
    """Time of the videos without an anomaly and its aftermath, seconds."""
    return sum(_normal_s(video, [span for span in spans if span.video == video.name]) for video in videos)


def levels(bundles: Sequence[Bundle]) -> list[Level]:
    """Of each budget for which all regimes know a threshold, the smallest first."""
    known = [{budget.alerts_per_day: budget.threshold for budget in (*one.others, one.budget)} for one in bundles]
    common = sorted(set.intersection(*(set(of) for of in known)))
    return [
        Level(
            thresholds={one.regime: of[alerts_per_day] for one, of in zip(bundles, known, strict=True)},
            alerts_per_day=alerts_per_day,
        )
        for alerts_per_day in common
    ]


def level_for(bundles: Sequence[Bundle], where: str, alerts_per_day: float) -> Level:
    """The level of this budget, or of the next smaller one that the model knows.

    Args:
        where: The model's file, for the message.

    Raises:
        BundleError: All that it knows are larger.
    """
    known = [(level.alerts_per_day, level) for level in levels(bundles) if level.alerts_per_day is not None]
    within = [level for rate_per_day, level in known if rate_per_day <= alerts_per_day]
    if not within:
        raise BundleError(
            f"{where}: knows no threshold for {alerts_per_day:g} alerts a day or fewer, only for "
            f"{', '.join(f'{rate_per_day:.3g}' for rate_per_day, _ in known)}: calibrate with --alerts-per-day "
            f"{alerts_per_day:g}"
        )
    return within[-1]


def _about(alert: Alert, span: Span, aftermath_s: float = 0.0) -> bool:
    same = alert.video == span.video
    return same and alert.started_s <= span.end_s + aftermath_s and alert.ended_s >= span.start_s


def _delay_s(found: Sequence[Alert], span: Span) -> float | None:
    told_s = min((alert.told_s for alert in found if _about(alert, span)), default=None)
    return None if told_s is None else max(0.0, told_s - span.start_s)


def _normal_s(video: Video, spans: Sequence[Span]) -> float:
    usual = sum(
        not any(span.start_s <= moment.time_s <= span.end_s + _AFTERMATH_S for span in spans)
        for moment in video.moments
    )
    return video.length_s * usual / max(1, len(video.moments))
