"""When a notice is told on a channel: at once, later in a digest, or never. Pure: the time is an argument.

The rate limit counts alerts, not notices: an end follows its start, so that nobody is told of an end whose start is
still to come, and nobody waits for an end of what was told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Literal

from configs.notify import ChannelSettings
from stream.notice import Notice

HOUR_S = 3600.0

Decision = Literal["send", "hold", "skip"]
"""hold: it comes in a digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a channel has told so far, as far as it matters for one notice."""

    alerts_in_hour: int
    """Of the notice's camera, alerts whose start was sent, or is being sent, in the last hour."""
    start: Decision | None
    """Of an end: what became of its start; None where nothing is known of that."""


def decide(settings: ChannelSettings, notice: Notice, told: Told, local: datetime) -> Decision:
    """What becomes of a notice that has just arisen.

    Args:
        local: Now, in the time zone that the quiet hours are meant in.
    """
    if not _concerns(settings, notice):
        return "skip"
    if _must_wait(settings, notice, local):
        return "hold"
    if notice.event == "end" and told.start is not None:
        return told.start
    return "send" if told.alerts_in_hour < settings.per_camera_per_hour else "hold"


def must_wait(settings: ChannelSettings, notice: Notice, local: datetime) -> bool:
    """Whether a notice that is due has to wait all the same, because the hours are quiet now."""
    return notice.event != "test" and _must_wait(settings, notice, local)


def hold_until_s(settings: ChannelSettings, now_s: float, local: datetime) -> float:
    """When what is held now is due to be told: after an hour, or as soon as the hours are no longer quiet."""
    return now_s if is_quiet(settings.quiet, local) else now_s + HOUR_S


def digest_due(settings: ChannelSettings, held_until_s: Sequence[float], now_s: float, local: datetime) -> bool:
    """Whether all that is held is told now, because the first of it is due and the hours are not quiet.

    Args:
        held_until_s: On the clock of `now_s`. One further away than an hour shows that the clock was set back.
    """
    if not held_until_s or is_quiet(settings.quiet, local):
        return False
    return any(until_s <= now_s or until_s > now_s + HOUR_S for until_s in held_until_s)


def is_quiet(quiet: str | None, local: datetime) -> bool:
    """Whether this time of day is within hours such as `22:00-06:00`, which may pass midnight."""
    if quiet is None:
        return False
    start, end = (time.fromisoformat(text) for text in quiet.split("-"))
    now = local.time()
    return start <= now < end if start < end else now >= start or now < end


def retry_pause_s(attempts: int, first_s: float, longest_s: float, jitter: float) -> float:
    """Time to the next try after so many: doubles from `first_s` to `longest_s`.

    Args:
        jitter: 0 to 1; the pause is between half and all of that, so that not all come back at the same moment.
    """
    full_s = min(longest_s, first_s * 2.0 ** min(max(0, attempts - 1), 32))
    return full_s * (0.5 + 0.5 * jitter)


def _concerns(settings: ChannelSettings, notice: Notice) -> bool:
    return (
        (settings.cameras is None or notice.camera in settings.cameras)
        and notice.kind in settings.kinds
        and (settings.ends or notice.event != "end")
    )


def _must_wait(settings: ChannelSettings, notice: Notice, local: datetime) -> bool:
    urgent = settings.urgent is not None and notice.event != "digest" and notice.level >= settings.urgent
    return is_quiet(settings.quiet, local) and not urgent
