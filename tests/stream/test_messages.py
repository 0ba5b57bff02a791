import json
import math

import pytest

from stream.messages import (
    VERSION,
    Alert,
    Camera,
    Health,
    MessageError,
    Score,
    decode,
    encode,
    topic_of,
)

SCORE = Score(
    camera="gate",
    seq=812,
    stream_time_s=81.2,
    utc="2026-01-31T12:00:00.120Z",
    score=1.7,
    threshold=4.1,
    latency_ms=63.0,
    captured_at_s=5123.25,
    region=(0.1, 0.2, 0.5, 0.75),
    families={"motion": 1.5, "appearance": 0.2},
    words="moving 3.4× as fast as normal here",
    heat_shape=(9, 16),
)
ALERT = Alert(
    event="end",
    id="gate-1",
    kind="anomaly",
    camera="gate",
    stream_time_s=90.0,
    utc="2026-01-31T12:00:09.000Z",
    score=7.5,
    threshold=4.1,
    region=(0.0, 0.0, 1.0, 1.0),
    evidence=("alerts/gate-1/peak.jpg", "alerts/gate-1/clip.mp4"),
    reason="",
    words="moving 3.4× as fast as normal here",
)
CAMERA = Camera(
    camera="gate",
    state="lost",
    reason="rtsp://user:***@gate/: no answer",
    utc="2026-01-31T12:00:00.120Z",
    captured=100,
    reconnects=2,
    source_fps=25.0,
)
HEALTH = Health(process="worker", utc="2026-01-31T12:00:00.120Z", counters={"drop/gate/stale": 3.0})
ALL = [SCORE, ALERT, CAMERA, HEALTH]


def changed(message, **fields):
    """The message's JSON with some fields replaced."""
    return json.dumps({**json.loads(encode(message)), **fields}).encode()


@pytest.mark.parametrize("message", ALL)
def test_every_message_survives_the_wire(message):
    assert decode(encode(message)) == message


@pytest.mark.parametrize("message", ALL)
def test_on_the_wire_is_plain_json_with_type_and_version(message):
    fields = json.loads(encode(message))
    assert fields["type"] == type(message).__name__.lower()
    assert fields["version"] == VERSION


@pytest.mark.parametrize(
    ("message", "topic"),
    [(SCORE, b"score/gate/"), (ALERT, b"alert/gate/"), (CAMERA, b"camera/gate/"), (HEALTH, b"health/worker/")],
)
def test_topics_end_with_a_slash(message, topic):
    assert topic_of(message) == topic


def test_fields_of_a_later_writer_of_this_version_are_ignored():
    assert decode(changed(HEALTH, hostname="node-1")) == HEALTH


def test_bytes_that_are_no_text_are_refused_also_in_fields_that_are_ignored():
    """Found by fuzzing: a damaged name of an optional field made it an unknown one, whose bytes nobody looked at."""
    with pytest.raises(MessageError, match="not a message"):
        decode(encode(ALERT).replace(b'"reason"', b'"re\xffson"'))


@pytest.mark.parametrize("message", ALL)
def test_another_version_is_refused_by_that_name_even_where_its_fields_differ(message):
    with pytest.raises(MessageError, match="version 2, this program speaks 1"):
        decode(changed(message, version=2))
    with pytest.raises(MessageError, match="version 2, this program speaks 1"):
        decode(changed(message, version=2, utc=17))


@pytest.mark.parametrize("message", ALL)
def test_a_missing_field_is_refused(message):
    fields = json.loads(encode(message))
    del fields["utc"]
    with pytest.raises(MessageError, match="utc"):
        decode(json.dumps(fields).encode())


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_refused(number):
    with pytest.raises(MessageError, match="score"):
        decode(encode(Score(**{**{f: getattr(SCORE, f) for f in SCORE.__struct_fields__}, "score": number})))
    with pytest.raises(MessageError):
        decode(changed(SCORE, score=number))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\xff",
        b"null",
        b"[]",
        b'{"type":"score"}',
        b'{"type":"shout"}',
        b'{"type":"\xff"}',
        b"[" * 100_000,
        b'{"type":"health","x":' + b"[" * 100_000,
        encode(SCORE)[:-1],
        encode(SCORE).replace(b'"gate"', b'"g\xffte"'),
        encode(SCORE).replace(b'"gate"', b'"\\ud800"'),
        changed(SCORE, seq="812"),
        changed(SCORE, seq=10**30),
        changed(SCORE, region=[0.0, 1.0]),
        changed(SCORE, heat_shape=[-9, -16]),
        changed(ALERT, event="begin"),
        changed(ALERT, version=0),
        changed(CAMERA, state="asleep"),
        changed(HEALTH, counters={"pid": "one"}),
    ],
    ids=lambda data: repr(data[:30]),
)
def test_bytes_that_are_no_message_are_refused(data):
    with pytest.raises(MessageError):
        decode(data)
