"""What can go wrong with a source, as types a caller can tell apart, and URLs made fit to be seen.

Every message is one line: the redacted URL, the cause, the way out.
"""

import re

_SECRET_PARAMETER = re.compile(r"((?:pass|pwd|psw|token|key|secret|auth)[^=&/?#\s]*=)[^&#\s]*", re.IGNORECASE)
_PASSWORD = re.compile(r"^([a-z][a-z0-9+.-]*://[^:@/]*):.*@", re.IGNORECASE | re.DOTALL)


class SourceError(Exception):
    """A source cannot be opened or read."""


class AuthenticationError(SourceError):
    """The camera does not accept user and password."""


class NotFoundError(SourceError):
    """The host is there, or there is no host, but not the path, file, device or scene."""


class RefusedError(SourceError):
    """Nothing listens at the port, or the other side says no."""


class UnreachableError(SourceError):
    """No way to the host: its name is not known or no route leads to it."""


class NoAnswerError(SourceError):
    """Silence for longer than the time-out."""


class TlsError(SourceError):
    """The encrypted connection cannot be trusted or made."""


class CodecError(SourceError):
    """What arrives is not a video that can be decoded."""


class DisconnectedError(SourceError):
    """A camera that was delivering stopped doing so."""


class EndOfStream(SourceError):  # noqa: N818 - the end of a file is not a fault
    """A file or scene is over."""


def redact(url: str) -> str:
    """The URL without what may be a secret: `rtsp://user:***@host/path?token=***`.

    Rather hides too much than too little: a password may itself hold "@", "/" or "?", so everything from the first
    colon to the last "@" goes.
    """
    return _PASSWORD.sub(r"\1:***@", _SECRET_PARAMETER.sub(r"\1***", url))
