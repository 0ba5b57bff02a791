import json
import logging
from datetime import UTC, datetime

import pytest

from configs.notify import MqttSettings
from stream.messages import Camera as CameraState
from stream.messages import Score
from stream.notify.channel import NotDeliveredError
from stream.notify.channels import Home, opened
from stream.notify.digest import digest_of
from stream.overview import Moment, State
from tests.receivers import WITHIN_S, Broker, Line, Listener, certificate
from tests.stream.notify.notices import notice
from tests.waiting import wait_until

PASSWORD = "br0ker-s3cret"
TIMEOUT_S = 1.0
PUBREC, PUBCOMP = b"\x50", b"\x70"
"""What the second and the fourth packet of an exchange begin with; the broker sends both."""


class _Patience:
    timeout_s = TIMEOUT_S


@pytest.fixture
def broker(tmp_path):
    with Broker(tmp_path, PASSWORD) as made:
        yield made


def settings(broker, **changes):
    given = {"port": broker.port, "username": "mulde", "password": PASSWORD, "level_every_s": 1.0, **changes}
    return MqttSettings(name="home", host="127.0.0.1", **given)


def score(seq, value):
    return Score(
        camera="gate",
        seq=seq,
        stream_time_s=seq / 10,
        utc="",
        score=value,
        threshold=4.0,
        latency_ms=1.0,
        captured_at_s=0.0,
    )


def delivered(channel, one, picture=None):
    """Whether it was, at this try."""
    try:
        channel.deliver(one, picture)
    except NotDeliveredError:
        return False
    return True


def test_notices_arrive_once_each_also_where_the_broker_comes_later(broker, tmp_path):
    picture = tmp_path / "1.jpg"
    picture.write_bytes(b"\xff\xd8 a picture")
    channel = opened(_Patience, settings(broker))  # before there is a broker
    try:
        assert not delivered(channel, notice(1))
        broker.start()
        with Listener(broker.port, PASSWORD) as listener:
            assert wait_until(lambda: delivered(channel, notice(1), picture), WITHIN_S)
            channel.deliver(notice(1, "end"), None)
            channel.deliver(digest_of([notice(3)], "home", datetime.now(UTC)), None)
            assert wait_until(lambda: listener.of("mulde/digest"), WITHIN_S)

            start, end, digest = listener.notices()
            assert (start["id"], end["id"], digest["event"]) == ("1/start", "1/end", "digest")
            kept = [retained for topic, _, retained in listener.messages if topic.endswith(("/alert", "/digest"))]
            assert kept == [False] * 3
            assert ("mulde/gate/picture", b"\xff\xd8 a picture", False) in listener.messages
            assert listener.of("mulde/availability")[-1] == "online"
    finally:
        channel.close()


def test_a_notice_whose_connection_breaks_in_the_middle_is_completed_not_repeated(broker):
    """The exchange of QoS 2 has four packets; what is lost here is the answer to the first, and to the third."""
    broker.start()
    with Listener(broker.port, PASSWORD) as listener, Line(broker.port) as line:
        channel = opened(_Patience, settings(broker, port=line.port))
        try:
            assert wait_until(lambda: delivered(channel, notice(1)), WITHIN_S)
            for number, answer in ((2, PUBREC), (3, PUBCOMP)):
                line.lost.clear()
                line.loses = answer
                assert not delivered(channel, notice(number))
                assert line.lost.is_set()
                line.loses = None
                line.cut()
                assert wait_until(lambda: delivered(channel, notice(number)), WITHIN_S)  # noqa: B023 - at once
            line.lost.clear()
            line.loses = PUBREC
            assert not delivered(channel, notice(4))
            assert line.lost.is_set()
        finally:
            channel.close()
        line.close()
        heir = opened(_Patience, settings(broker))  # as after a kill: it knows nothing of what was under way
        try:
            assert wait_until(lambda: delivered(heir, notice(4)), WITHIN_S)
            heir.deliver(notice(5), None)
            assert wait_until(lambda: len(listener.notices()) >= 5, WITHIN_S)
            assert [one["id"] for one in listener.notices()] == [f"{number}/start" for number in range(1, 6)]
        finally:
            heir.close()


def test_home_assistant_finds_the_cameras_and_what_they_are_like_also_after_it_was_away(broker):
    broker.start()
    now = Moment.now()
    state = State(("gate", "yard"), now)
    state.take(CameraState(camera="gate", state="live", reason="", utc=""), now)
    state.take(score(0, 6.0), now)
    with Listener(broker.port, PASSWORD) as listener:
        old = "homeassistant/binary_sensor/mulde/attic_anomaly/config"
        listener.publish(old, "{}")
        chosen = settings(broker)
        home = Home(settings=chosen, broker=opened(_Patience, chosen), cameras=("gate", "yard"))

        def told(topic, value):
            home.tell(state, open_alerts, Moment.now())
            return listener.of(topic)[-1:] == [value]

        try:
            open_alerts = []
            assert wait_until(lambda: told("mulde/gate/anomaly", "OFF"), WITHIN_S)
            assert wait_until(lambda: told("mulde/gate/connection", "ON"), WITHIN_S)
            assert wait_until(lambda: told("mulde/gate/level", "1.500"), WITHIN_S)
            assert wait_until(lambda: told(old, ""), WITHIN_S)  # a camera that is no more
            assert listener.of("mulde/yard/connection") == []  # nothing is known of it
            open_alerts = [("gate", "anomaly"), ("yard", "drift")]
            assert wait_until(lambda: told("mulde/gate/anomaly", "ON"), WITHIN_S)
            assert wait_until(lambda: told("mulde/yard/trouble", "ON"), WITHIN_S)

            found = {
                topic: json.loads(text) for topic, text, _ in listener.messages if topic.endswith("/config") and text
            }
            sensors = {topic: one for topic, one in found.items() if "gate" in topic}
            assert sorted(sensors) == [
                "homeassistant/binary_sensor/mulde/gate_anomaly/config",
                "homeassistant/binary_sensor/mulde/gate_connection/config",
                "homeassistant/binary_sensor/mulde/gate_trouble/config",
                "homeassistant/image/mulde/gate_picture/config",
                "homeassistant/sensor/mulde/gate_level/config",
            ]
            for one in sensors.values():  # all of one device, and each topic is one that is written
                assert one["device"]["identifiers"] == ["mulde_gate"]
                assert one["availability_topic"] == "mulde/availability"
                topic = one.get("state_topic", one.get("image_topic"))
                assert topic in {name for name, _, _ in listener.messages} | {"mulde/gate/picture"}

            count = len(listener.of("mulde/gate/anomaly"))
            broker.stop()
            broker.start()
            assert wait_until(
                lambda: told("mulde/gate/anomaly", "ON") and len(listener.of("mulde/gate/anomaly")) > count, WITHIN_S
            )

            sent, later = len(listener.of("mulde/gate/level")), Moment.now()
            for tenth in range(1, 31):
                moment = Moment(later.monotonic_s + tenth / 10, later.local)
                state.take(score(tenth, 4.0), moment)
                home.tell(state, open_alerts, moment)
            assert wait_until(lambda: len(listener.of("mulde/gate/level")) >= sent + 3, WITHIN_S)
            home.broker.deliver(notice(), None)  # all before it has come by then
            assert len(listener.of("mulde/gate/level")) <= sent + 4
        finally:
            home.broker.close()
        assert wait_until(lambda: listener.of("mulde/availability")[-1] == "offline", WITHIN_S)


def test_a_password_that_is_refused_is_told_of_once_and_without_it(broker, caplog):
    broker.start()
    wrong = "wr0ng-s3cret"
    with caplog.at_level(logging.INFO):
        channel = opened(_Patience, settings(broker, password=wrong))
        try:
            with pytest.raises(NotDeliveredError, match="the broker refuses: Not authorized"):
                channel.deliver(notice(), None)
            # A second refusal, a second later.
            assert wait_until(lambda: broker.log().count("not authorised") >= 2, WITHIN_S)
        finally:
            channel.close()
    assert caplog.text.count("its broker cannot be reached") == 1
    assert wrong not in caplog.text


@pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket")  # paho leaves that to the interpreter
def test_an_encrypted_connection_needs_a_certificate_that_is_trusted(tmp_path, caplog):
    trusted = certificate(tmp_path)
    with Broker(tmp_path, certificate=trusted) as broker:
        broker.start()
        for ca_file, arrives in ((trusted, True), (None, False), (tmp_path / "none.pem", False)):
            channel = opened(_Patience, settings(broker, username=None, password=None, tls=True, ca_file=ca_file))
            try:
                assert delivered(channel, notice()) is arrives
            finally:
                channel.close()
    assert "certificate verify failed" in caplog.text
    assert f"ca_file {tmp_path / 'none.pem'}: No such file or directory" in caplog.text
