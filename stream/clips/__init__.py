"""The clip of each alert: a few seconds before it, the alert, a few seconds after, as an MP4 that a browser plays.

A clip consists of the very packets that were decoded for the analysis, on the same clock, and nothing is encoded
again; where there are no packets, or none that a browser plays, of the analysed pictures, encoded as H.264. The
capture process keeps the latest seconds in memory (`footage`), hears of alerts on the bus (`recorder`), and lets
each clip (`clip`) grow in a file (`mp4`) that can be played at any time, also after a crash.
"""

from dataclasses import dataclass
from pathlib import Path

SUFFIX = ".mp4"
"""Of the path among an alert's evidence where its clip belongs."""


class ClipError(Exception):
    """A clip cannot be written; the message says where and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipSpec:
    """How the clips of one camera are made. Times in seconds of stream time."""

    pre_roll_s: float
    post_roll_s: float
    longest_s: float
    """An alert is followed for so long at most."""
    memory_bytes: int
    """For what may become the start of a clip."""


def start_of(path: Path) -> float | None:
    """Stream time of a clip's first picture, None where the file is no clip of ours or cannot be read.

    Times in the file count from there.
    """
    from stream.clips import mp4  # PyAV is not for everyone who knows the specification

    return mp4.start_of(path)
