"""What every way of telling has in common: it delivers a notice, or says why not and whether to try again."""

from pathlib import Path
from typing import Protocol
from urllib.parse import quote, unquote

from stream.notice import Notice

_LONGEST_PICTURE = 4 * 2**20  # bytes; ours are a tenth of it


class NotDeliveredError(Exception):
    """The receiver has not taken it, and may later; the message says why, without secrets."""


class RefusedError(Exception):
    """The receiver will never take it; the message says why, without secrets."""


class Channel(Protocol):
    """One receiver. `deliver` runs in a thread of its own; all else in the notifier's."""

    def deliver(self, notice: Notice, picture: Path | None) -> None:
        """Return when the receiver has acknowledged the notice. Blocks for the time-out at most.

        Called again with the same notice where that is not known, it must not make the receiver see two.

        Args:
            picture: A JPEG that is there; None where there is none, or none is wanted.

        Raises:
            NotDeliveredError: Try again later.
            RefusedError: Do not.
        """
        ...

    def close(self) -> None:
        """Let go of the receiver. Blocks for half a second at most."""
        ...


def picture_of(notice: Notice) -> Path | None:
    """The alert's picture where it is (still) there and is not too large to be sent."""
    path = Path(notice.about.picture)
    try:
        return path if notice.about.picture and 0 < path.stat().st_size <= _LONGEST_PICTURE else None
    except OSError:  # removed meanwhile, or never written
        return None


def scrubbed(text: str, *secrets: str | None) -> str:
    """The text in one line, without any of the secrets or of their parts that are long enough to be one."""
    parts = {part for secret in secrets if secret for part in _parts(secret)}
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, "***")
    return " ".join(text.split())[:300]


def _parts(secret: str) -> set[str]:
    """A URL's token may be told alone, and with or without its %-escapes."""
    pieces = {secret}
    for mark in "/:@?&=;,# ":
        pieces |= {part for piece in pieces for part in piece.split(mark)}
    pieces |= {form(piece) for piece in pieces for form in (unquote, quote)}
    return {piece for piece in pieces if len(piece) >= 4}
