import base64
import json
import logging

import pytest

from configs.notify import AppriseSettings
from stream import logs
from stream.notify.apprise_service import AppriseService
from stream.notify.channel import NotDeliveredError
from tests.receivers import Receiver
from tests.stream.notify.notices import notice

pytest.importorskip("apprise", reason="no apprise here: pip install 'mulde-stream[apprise]'")

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # which it imports
TOKEN = "s3cret-t0ken"


@pytest.fixture
def receiver():
    with Receiver() as made:
        yield made


def service(receiver, **changes):
    return AppriseService(
        AppriseSettings(name="phone", url=f"json://127.0.0.1:{receiver.port}/{TOKEN}?rto=1&cto=1", **changes)
    )


def test_a_service_gets_title_text_and_picture(receiver, tmp_path):
    picture = tmp_path / "1.jpg"
    picture.write_bytes(b"\xff\xd8 a picture")
    receiver.start()
    service(receiver).deliver(notice(), picture)
    ((_, content),) = receiver.taken
    received = json.loads(content)
    assert received["title"] == "gate: anomaly"
    assert "2.0 × threshold" in received["message"]
    assert base64.b64decode(received["attachments"][0]["base64"]) == b"\xff\xd8 a picture"


@pytest.fixture
def log(tmp_path):
    """All that this process logs meanwhile, as the product logs it."""
    before = logging.getLogger().level
    logs.configure("notify", tmp_path / "log")
    yield (tmp_path / "log").read_text
    for handler in [one for one in logging.getLogger().handlers if isinstance(one, logs._LineHandler)]:
        logging.getLogger().removeHandler(handler)
        handler.close()
    logging.getLogger().setLevel(before)
    logging.captureWarnings(False)


def test_what_a_service_does_not_take_is_tried_again_and_told_of_without_its_url(receiver, log):
    channel = service(receiver)
    with pytest.raises(NotDeliveredError, match="Connection error") as down:
        channel.deliver(notice(), None)
    receiver.start()
    receiver.answers.put(500)
    with pytest.raises(NotDeliveredError, match="error=500") as broken:
        channel.deliver(notice(), None)
    channel.deliver(notice(), None)
    assert len(receiver.taken) == 1
    for text in (str(down.value), str(broken.value), log()):
        assert TOKEN not in text


def test_a_url_that_apprise_does_not_understand_is_told_of_without_it(log):
    with pytest.raises(NotDeliveredError, match="not one that Apprise understands") as caught:
        AppriseService(AppriseSettings(name="phone", url=f"nonsense://{TOKEN}")).deliver(notice(), None)
    assert TOKEN not in str(caught.value) + log()
