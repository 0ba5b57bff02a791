"""What follows from what was found of a source: how it should be analysed, how many of them, and what to change.

Pure; every number in it is the findings' or the machine's.
"""

import re
from dataclasses import dataclass

from configs.settings import AnalysisSettings
from stream.probe.facts import Findings
from stream.source import SIDE_MULTIPLE_PX

_DEFAULT = AnalysisSettings()
_SHORTEST_SIDE_PX = 128
_LARGER = 4  # times the pixels that are analysed, from which on a smaller stream pays
_LONG_KEYS_S = 4.0
_NOTICED_DRIFT = 0.01
_NOTICED_JITTER_MS = 200.0
_DAMAGE = {
    "udp": "packets were lost on the way: set connection.transport: tcp",
    "tcp": "nothing is lost over TCP, so the camera sends them so: lower its bit rate, or look for new firmware",
    "": "the file, or what wrote it, is damaged",
}
_SUBSTREAMS = (  # how usual cameras name their large and their small stream
    (r"(/Streaming/Channels/\d*)01\b", r"\g<1>02"),
    (r"\bsubtype=0\b", "subtype=1"),
    (r"/stream1\b", "/stream2"),
    (r"_main\b", "_sub"),
    (r"/main\b", "/sub"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Settings with their reasons, what the source costs with them, and what could be better."""

    rate_fps: float
    rate_reason: str
    long_side_px: int
    size_reason: str
    core_share: float
    """Of one core, to read and scale one such source."""
    sources: int
    """So many of them this machine can read, if it does nothing else."""
    hints: tuple[str, ...]


def advise(found: Findings, cores: float) -> Advice:
    """What should be done with the source on a machine that lends so many cores."""
    fps = found.measured_fps or found.announced_fps
    if fps and fps < _DEFAULT.rate_fps:
        rate, rate_reason = max(0.1, round(fps, 1)), "all that the source has"
    else:
        rate, rate_reason = _DEFAULT.rate_fps, "the default" + (f", of the source's {fps:.3g}" if fps else "")
    longer = max(found.native_size)
    side = _DEFAULT.long_side_px
    if longer < side:
        side = max(_SHORTEST_SIDE_PX, longer // SIDE_MULTIPLE_PX * SIDE_MULTIPLE_PX)
        size_reason = f"the source has {longer}: enlarging adds nothing"
    else:
        size_reason = f"the default, of the source's {longer}"
    core_share = (found.read_ms * fps + found.scale_ms * min(rate, fps or rate)) / 1000.0
    return Advice(
        rate_fps=rate,
        rate_reason=rate_reason,
        long_side_px=side,
        size_reason=size_reason,
        core_share=core_share,
        sources=int(cores / core_share) if core_share > 0.0 else 0,
        hints=tuple(_hints(found, side)),
    )


def _hints(found: Findings, side: int) -> list[str]:
    hints = []
    clock, packets = found.clock, found.packets
    width, height = found.native_size
    needed = side * side * min(width, height) / max(width, height)
    if found.live and packets and width * height >= _LARGER * needed:
        hints.append(
            f"the picture has {width * height / needed:.0f} times the pixels that are analysed: take the camera's "
            f"smaller stream{_substream(found.where)}"
        )
    if found.damaged:
        hints.append(f"{found.damaged} damaged frames: {_DAMAGE[found.transport]}")
    if clock.jitter_ms is not None and clock.jitter_ms > _NOTICED_JITTER_MS:
        hints.append(
            f"frames come up to {clock.jitter_ms:.0f} ms early or late: the network is busy or far: let the camera "
            "send fewer bits, or its smaller stream"
        )
    if packets and packets.key_interval_s is None and found.live:
        hints.append("no second key frame was seen: let the camera send one every 1 to 2 s")
    elif packets and packets.key_interval_s is not None and packets.key_interval_s > _LONG_KEYS_S:
        hints.append(
            f"key frames are {packets.key_interval_s:.1f} s apart: after damage pictures are held back for up to as "
            "long, and clips begin that much earlier or later: let the camera send one every 1 to 2 s"
        )
    if found.live and packets and packets.encoding.reordered:
        hints.append("B-frames delay each picture until later ones are there: switch them off in the camera")
    if clock.missing > 1:  # the first one of RTSP may have none
        hints.append(f"{clock.missing} of {found.frames} frames have no timestamp: real time fills in")
    if clock.back or clock.jumps:
        hints.append(f"the camera's clock steps: {clock.back} times back, {clock.jumps} by more than a second")
    if clock.drift is not None and abs(clock.drift) - (clock.drift_error or 0.0) > _NOTICED_DRIFT:
        hints.append(
            f"the camera's clock is {abs(clock.drift):.1%} too {'fast' if clock.drift > 0 else 'slow'}, or a network "
            "that falls behind makes it look so: look again for longer (--seconds 60)"
        )
    if found.announced_fps and found.measured_fps and abs(found.measured_fps / found.announced_fps - 1.0) > 0.2:
        hints.append(
            f"announces {found.announced_fps:.3g} frames/s and sends {found.measured_fps:.3g}: it may send fewer in "
            "the dark, or leave out frames while nothing moves"
        )
    return hints


def _substream(where: str) -> str:
    """What it may be called, after the usual makers' habits."""
    for pattern, other in _SUBSTREAMS:
        if re.search(pattern, where):
            return f", probably {re.sub(pattern, other, where)}"
    return ""
