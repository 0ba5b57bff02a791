"""What travels on the bus: versioned messages, JSON on the wire, the same for any language.

A message is sent as `[topic, JSON]` or `[topic, JSON, raw bytes]`. The topic is `type/camera/` (`type/process/`
for health) and ends with a slash, so that a subscriber of camera "1" never receives camera "10". The JSON object
carries `"version"` and `"type"`. Knows nothing of sockets.
"""

from typing import Annotated, Literal

import msgspec

VERSION = 1

Region = tuple[float, float, float, float]
"""x0, y0, x1, y1 in fractions of the frame."""

_Count = Annotated[int, msgspec.Meta(ge=1, le=2**31)]
_Sequence = Annotated[int, msgspec.Meta(ge=0, le=2**62)]

CameraStateName = Literal["connecting", "live", "stalled", "lost", "ended"]
"""connecting: first try; live: frames come; stalled: open, but silent; lost: failed, waiting to reconnect;
ended: a file or scene that is over."""

AlertKind = Literal["anomaly", "camera", "drift"]

ConditionName = Literal["ok", "changed", "moved", "defocused", "covered", "frozen"]
"""ok: as calibrated; changed: less normal for long, or another light; moved: looks elsewhere; defocused: lost its
fine structure; covered: sees nothing; frozen: the same picture again and again."""


class MessageError(Exception):
    """Bytes from the bus are not a message this version understands."""


class Score(msgspec.Struct, frozen=True, kw_only=True, tag="score"):
    """One analysed frame of one camera.

    `score` is smoothed and causal; an alert may open above `threshold`. `captured_at_s` is the capture process's
    monotonic clock, `latency_ms` runs from there to the moment the score was sent. The raw part is the heat map:
    `heat_shape` (rows, columns) bytes, row-major, 0 = normal, 255 = at least the threshold.
    """

    camera: str
    seq: _Sequence
    stream_time_s: float
    utc: str
    score: float
    threshold: float
    latency_ms: float
    captured_at_s: float
    condition: ConditionName = "ok"
    """What the camera shows, against its calibration."""
    regime: str = ""
    """That the camera is in, where it is calibrated for several."""
    region: Region | None = None
    families: dict[str, float] = {}
    words: str = ""
    """Above the threshold: what is unusual in the region, for people."""
    heat_shape: tuple[_Count, _Count] | None = None
    version: _Count = VERSION


class Alert(msgspec.Struct, frozen=True, kw_only=True, tag="alert"):
    """An episode opening, reaching a new peak, or ending. `score` is the episode's peak so far.

    Everything in it is already in the store when it is sent.
    """

    event: Literal["start", "update", "end"]
    id: str
    kind: AlertKind
    camera: str
    stream_time_s: float
    utc: str
    score: float
    threshold: float
    region: Region | None = None
    evidence: tuple[str, ...] = ()
    """Paths of its files. The clip's is there from the start; the clip grows until some seconds after the end."""
    reason: str = ""
    words: str = ""
    """What was unusual at the peak, for people."""
    version: _Count = VERSION


class Camera(msgspec.Struct, frozen=True, kw_only=True, tag="camera"):
    """A camera's state: sent when it changes, and about once a second with fresh counts."""

    camera: str
    state: CameraStateName
    reason: str
    utc: str
    captured: int = 0
    """Frames put into the ring since the capture process started."""
    reconnects: int = 0
    source_fps: float = 0.0
    """The source's own rate as seen, frames/s; 0 = not known yet."""
    version: _Count = VERSION


class Health(msgspec.Struct, frozen=True, kw_only=True, tag="health"):
    """A sign of life from a process's own work loop, at least once a second, with its counters."""

    process: str
    utc: str
    counters: dict[str, float] = {}
    """Flat numbers by name, e.g. `drop/cam1/stale` or `batch_frames`."""
    version: _Count = VERSION


Message = Score | Alert | Camera | Health


class _Envelope(msgspec.Struct, frozen=True):
    """All that is read of a message whose form is not known."""

    version: int = VERSION


_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
_envelope_decoder = msgspec.json.Decoder(_Envelope)
# Beside msgspec's own error, bytes that are no UTF-8 and brackets nested without end come out as Python's.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def topic_of(message: Message) -> bytes:
    """The message's topic, `type/camera/` or `health/process/`."""
    kind = type(message).__struct_config__.tag
    return f"{kind}/{message.process if isinstance(message, Health) else message.camera}/".encode()


def encode(message: Message) -> bytes:
    """The message as one JSON object. NaN and infinities become null, which `decode` refuses."""
    return _encoder.encode(message)


def decode(data: bytes) -> Message:
    """The message in these bytes.

    Raises:
        MessageError: Not JSON, not a known type, a field missing or of the wrong type, or another version.
    """
    try:
        message = _decoder.decode(data.decode())  # as text: of fields it does not know, msgspec reads any bytes
    except _UNREADABLE as error:
        _check_version(data)
        raise MessageError(f"not a message: {error}") from error
    if message.version != VERSION:
        _check_version(data)
    return message


def _check_version(data: bytes) -> None:
    """Refuse another version by that name: its fields may differ, which alone would look like damage."""
    try:
        version = _envelope_decoder.decode(data).version
    except _UNREADABLE:
        return
    if version != VERSION:
        raise MessageError(f"other version: the message has version {version}, this program speaks {VERSION}")
