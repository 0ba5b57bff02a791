"""Messages and moments for the tests of what an observer sees."""

from datetime import UTC, datetime, timedelta

from stream.messages import Alert, Camera, Health, Score
from stream.overview import Moment

UTC_TEXT = "2026-01-31T12:00:00.000Z"
START = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)


def at(seconds):
    """The moment so long after the start, on both clocks."""
    return Moment(1000.0 + seconds, START + timedelta(seconds=seconds))


def score(camera="gate", seq=0, value=1.0, threshold=2.0, latency_ms=50.0, condition="ok", regime=""):
    return Score(
        camera=camera,
        seq=seq,
        stream_time_s=seq / 5,
        utc=UTC_TEXT,
        score=value,
        threshold=threshold,
        latency_ms=latency_ms,
        captured_at_s=0.0,
        condition=condition,
        regime=regime,
    )


def alert(event, name="a", camera="gate", *, kind="anomaly", stream_time_s=0.0, value=3.0, **fields):
    return Alert(
        event=event,
        id=name,
        kind=kind,
        camera=camera,
        stream_time_s=stream_time_s,
        utc=UTC_TEXT,
        score=value,
        threshold=2.0,
        **fields,
    )


def camera(name="gate", state="live", reason=""):
    return Camera(camera=name, state=state, reason=reason, utc=UTC_TEXT)


def health(process="worker", **counters):
    """Counters by name; `drop_gate_stale` is `drop/gate/stale`."""
    return Health(
        process=process, utc=UTC_TEXT, counters={name.replace("_", "/"): value for name, value in counters.items()}
    )
