"""What docs/notifications.md shows works as it stands there."""

import re
import time
from pathlib import Path

import yaml

from configs.notify import NotifySettings, WebhookSettings
from configs.schema import Config
from stream.notify.text import as_object
from stream.notify.webhook import Webhook
from tests.receivers import Receiver
from tests.stream.notify.notices import notice

PAGE = (Path(__file__).parents[1] / "docs" / "notifications.md").read_text()
SECRET = "a secret of the receiver"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_its_examples_are_valid_and_use_secrets_from_the_environment(monkeypatch):
    for name in ("MQTT_PASSWORD", "HOOK_SECRET", "PHONE_URL"):
        monkeypatch.setenv(name, SECRET)
    parsed = [raw for raw in map(yaml.safe_load, blocks("yaml")) if "notify" in raw]
    assert len(parsed) == 2
    for raw in parsed:
        assert Config.model_validate(raw).notify.channels


def test_its_ten_lines_tell_a_genuine_request_from_another(monkeypatch):
    (code,) = blocks("python")
    names = {}
    exec(code, names)
    with Receiver() as receiver:
        receiver.start()
        Webhook(WebhookSettings(name="ops", url=receiver.url, secret=SECRET), 5.0).deliver(notice(), None)
    ((headers, body),) = receiver.taken
    assert names["is_genuine"](SECRET, headers, body)
    assert not names["is_genuine"]("another secret", headers, body)
    assert not names["is_genuine"](SECRET, headers, body.replace(b"gate", b"yard"))
    later_s = time.time() + 301.0
    monkeypatch.setattr(time, "time", lambda: later_s)
    assert not names["is_genuine"](SECRET, headers, body)


def test_it_shows_every_key_of_a_notice_and_every_option_of_a_channel():
    (shown,) = blocks("json")
    assert list(as_object(notice())) == [
        name for name in re.findall(r'"(\w+)": ', shown) if name not in ("picture", "type", "base64")
    ]
    common = set(NotifySettings.model_fields) - {"mqtt", "webhook", "apprise"}
    for name in (*common, *WebhookSettings.model_fields, "topic", "discovery", "level_every_s", "tls"):
        assert re.search(rf"`{name}[`:]|^ +-? ?{name}:", PAGE, re.MULTILINE), name
