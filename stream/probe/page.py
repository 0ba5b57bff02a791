"""What was found of a source, as lines for people and as an object for programs. Pure."""

from dataclasses import asdict
from typing import Any

from stream.probe.advice import Advice
from stream.probe.clock import Clock
from stream.probe.facts import KEY_FRAMES_S, Findings


def as_lines(found: Findings, advice: Advice, cores: float) -> list[tuple[str, str]]:
    """What and its text, one line each.

    Args:
        cores: Of this machine.
    """
    width, height = found.native_size
    announced = f"{found.announced_fps:.3g} announced" if found.announced_fps else "none announced"
    rows = [
        ("source", found.where),
        ("picture", f"{width}×{height}"),
        ("rate", f"{found.measured_fps:.1f} frames/s measured over {found.looked_s:.1f} s, {announced}"),
        *_packet_rows(found),
        ("length", "no end" if found.duration_s is None else f"{found.duration_s:.1f} s"),
        ("clock", _clock(found.clock, live=found.live)),
        ("damaged", f"{found.damaged} of {found.frames} frames"),
        ("first picture", f"after {found.opened_s:.2f} s"),
        ("cost", _cost(found)),
        ("analysis", f"rate_fps: {advice.rate_fps:g} ({advice.rate_reason})"),
        ("", f"long_side_px: {advice.long_side_px} ({advice.size_reason})"),
    ]
    if found.packets is not None:
        share = f"{advice.core_share:.1%} of a core each"
        text = f"{advice.sources} such sources would keep this machine's {cores:g} cores busy with reading alone"
        rows.append(("capacity", f"{share}: {text}; scoring is extra"))
    return rows + [("hint", hint) for hint in advice.hints]


def as_object(found: Findings, advice: Advice, cores: float, picture: str) -> dict[str, Any]:
    """The same, ready for JSON.

    Args:
        cores: Of this machine.
        picture: Where it was written.
    """
    plain = {
        name: getattr(found, name) for name in type(found).__slots__ if name not in ("picture", "packets", "clock")
    }
    return {
        **plain,
        "packets": None if found.packets is None else asdict(found.packets),
        "clock": asdict(found.clock),
        "cores": cores,
        "advice": asdict(advice),
        "picture": picture,
    }


def _packet_rows(found: Findings) -> list[tuple[str, str]]:
    packets = found.packets
    if packets is None:
        return [("codec", "none: it does not come encoded")]
    encoding = packets.encoding
    profile = f", profile {encoding.profile}" if encoding.profile else ""
    if packets.key_interval_s is None:
        keys = f"no second one within {min(found.looked_s, KEY_FRAMES_S):.0f} s"
    else:
        every = packets.key_interval_s * found.measured_fps
        keys = f"every {packets.key_interval_s:.2f} s, {every:.0f} frames"
    return [
        ("codec", f"{encoding.codec}{profile}, {encoding.pixel_format}"),
        ("B-frames", "yes" if encoding.reordered else "none"),
        ("key frames", keys),
        ("bit rate", "not known" if packets.bits_per_s is None else f"{packets.bits_per_s / 1e6:.2f} Mbit/s"),
    ]


def _clock(clock: Clock, *, live: bool) -> str:
    steps = (
        f"{_count(clock.back, 'step back', 'steps back')}, {_count(clock.jumps, 'jump', 'jumps')}"
        if clock.back or clock.jumps
        else "no jumps"
    )
    parts = [
        _count(clock.missing, "timestamp missing", "timestamps missing")
        if clock.missing
        else "every frame has a timestamp",
        steps,
    ]
    if clock.uneven_ms is not None:
        parts.append(f"steps even to {clock.uneven_ms:.0f} ms")
    if clock.jitter_ms is not None:
        parts.append(f"frames come within ±{clock.jitter_ms:.0f} ms of real time")
    if clock.drift is not None and clock.drift_error is not None:
        gains = (
            f"gains {clock.drift:+.2%} on it, ±" if abs(clock.drift) > clock.drift_error else "in step with it to ±"
        )
        parts.append(f"{gains}{clock.drift_error:.2%}")
    elif live:
        parts.append("looked at for too short to see drift")
    return ", ".join(parts)


def _count(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"


def _cost(found: Findings) -> str:
    share = found.read_ms * found.measured_fps / 1000.0
    width, height = found.analysed_size
    return (
        f"{found.read_ms:.2f} ms CPU a frame to receive and decode, {share:.1%} of a core at its rate; "
        f"{found.scale_ms:.2f} ms for each picture of {width}×{height}"
    )
