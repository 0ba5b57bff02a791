"""What a check of the machine says."""

from dataclasses import dataclass
from typing import Literal

Grade = Literal["ok", "warn", "fail"]
"""warn: it works, but not as it could; fail: a watch does not start, or does not do what it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    what: str
    grade: Grade
    text: str
    """How it is, with numbers."""
    way_out: str = ""
    """What to do about it, where it is not ok."""
