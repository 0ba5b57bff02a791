import base64
import hashlib
import hmac
import json
import time

import pytest

from configs.notify import WebhookSettings
from stream.notify.channel import NotDeliveredError, RefusedError
from stream.notify.webhook import Webhook
from tests.receivers import Receiver, certificate
from tests.stream.notify.notices import notice

SECRET = "a secret of the receiver"
TOKEN = "t0ken-in-the-path"
JPEG = b"\xff\xd8 a picture \xff\xd9"
TIMEOUT_S = 0.5


@pytest.fixture
def receiver():
    with Receiver() as made:
        made.start()
        yield made


def webhook(receiver, **changes):
    url = f"{receiver.url}/{TOKEN}?key={TOKEN}"
    return Webhook(WebhookSettings(name="ops", url=url, **changes), TIMEOUT_S)


def test_a_notice_arrives_as_json_with_picture_and_a_signature_that_the_receiver_can_check(receiver, tmp_path):
    picture = tmp_path / "1.jpg"
    picture.write_bytes(JPEG)
    webhook(receiver, secret=SECRET, authorization="Bearer of-news").deliver(notice(), picture)

    ((headers, content),) = receiver.taken
    received = json.loads(content)
    assert (received["id"], received["event"], received["camera"]) == ("1/start", "start", "gate")
    assert base64.b64decode(received["picture"]["base64"]) == JPEG
    assert headers["Idempotency-Key"] == "1/start"
    assert headers["Authorization"] == "Bearer of-news"
    assert abs(time.time() - int(headers["X-Mulde-Timestamp"])) < 60
    signed = headers["X-Mulde-Timestamp"].encode() + b"." + content
    expected = "sha256=" + hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(headers["X-Mulde-Signature"], expected)


def test_without_secret_and_picture_neither_is_sent(receiver, tmp_path):
    webhook(receiver).deliver(notice(), tmp_path / "gone.jpg")
    ((headers, content),) = receiver.taken
    assert "X-Mulde-Signature" not in headers
    assert "picture" not in json.loads(content)


@pytest.mark.parametrize("status", [500, 503, 408, 425, 429])
def test_an_answer_that_says_later_is_tried_again(receiver, status):
    receiver.answers.put(status)
    with pytest.raises(NotDeliveredError, match=f"^answers {status} "):
        webhook(receiver).deliver(notice(), None)


@pytest.mark.parametrize("status", [400, 401, 404, 410])
def test_an_answer_that_says_never_is_not(receiver, status):
    receiver.answers.put(status)
    with pytest.raises(RefusedError, match=f"^answers {status} "):
        webhook(receiver).deliver(notice(), None)


def test_a_redirect_is_not_followed(receiver):
    receiver.answers.put("redirect")
    with pytest.raises(RefusedError, match="redirects are not followed: name the final url"):
        webhook(receiver).deliver(notice(), None)
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("answer", ["hang", "drip"])
def test_a_receiver_that_takes_its_time_is_left_in_time(receiver, answer):
    """One that sends a byte now and then would hold a sender for ever by its socket's time-out alone."""
    receiver.answers.put(answer)
    started_s = time.monotonic()
    with pytest.raises(NotDeliveredError, match=r"no answer within 0\.5 s"):
        webhook(receiver).deliver(notice(), None)
    assert time.monotonic() - started_s < 4 * TIMEOUT_S


def test_a_receiver_that_is_down_or_hangs_up_is_told_of_without_the_urls_secrets(receiver):
    channel = webhook(receiver)
    receiver.answers.put("cut")
    with pytest.raises(NotDeliveredError, match="closed connection") as cut:
        channel.deliver(notice(), None)
    receiver.stop()
    with pytest.raises(NotDeliveredError, match="refused") as down:
        channel.deliver(notice(), None)
    for caught in (cut, down):
        assert TOKEN not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_a_receiver_whose_certificate_is_not_trusted_gets_nothing(tmp_path):
    trusted = certificate(tmp_path)
    with Receiver(trusted) as receiver:
        receiver.start()
        with pytest.raises(NotDeliveredError, match="certificate verify failed"):
            webhook(receiver).deliver(notice(), None)
        with pytest.raises(NotDeliveredError, match="No such file"):
            webhook(receiver, ca_file=tmp_path / "none.pem").deliver(notice(), None)
        assert receiver.requests == []
        webhook(receiver, ca_file=trusted).deliver(notice(), None)
        assert len(receiver.taken) == 1


def test_settings_and_channel_do_not_show_their_secrets(receiver):
    channel = webhook(receiver, secret=SECRET, authorization="Bearer of-news")
    shown = f"{channel._settings!r} {channel._settings}"
    assert not [secret for secret in (SECRET, TOKEN, "of-news") if secret in shown]
