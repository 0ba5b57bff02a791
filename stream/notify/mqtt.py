"""An MQTT broker: notices by QoS 2, and what each camera is like as retained values, for home automation.

Owns paho-mqtt, which connects and reconnects in a thread of its own, for ever.
"""

import json
import logging
import ssl
import sys
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from configs.notify import MqttSettings
from stream.notice import Notice
from stream.notify import topics
from stream.notify.channel import NotDeliveredError, scrubbed
from stream.notify.text import as_object

logger = logging.getLogger(__name__)

ONLINE, OFFLINE = "online", "offline"

_KEEPALIVE_S = 20
_RECONNECT_S = (1, 30)
_LONGEST_CONNECT_S = 10.0
_LAST_S = 0.5


class MqttChannel:
    """One broker.

    Exactly once as far as MQTT can: a notice counts as delivered once its QoS 2 exchange is complete. The session is
    persistent, so that an exchange which a broken connection interrupts is completed after it, not begun again; and
    of a killed process's exchange the broker hands nothing out unless it had been released. Only where this process
    is killed between that and its note in the outbox is the notice published again, with the same `id`.

    Args:
        owned: Filters of retained topics that this channel alone writes: what a broker still has of them, and is not
            among the values told, is removed there.
        test: Leave availability, session and values of a watch that runs as they are.
    """

    def __init__(
        self, settings: MqttSettings, timeout_s: float, owned: tuple[str, ...] = (), *, test: bool = False
    ) -> None:
        self._settings = settings
        self._timeout_s = timeout_s
        self._owned = owned
        self._availability = None if test else topics.availability(settings.topic)
        self._under_way: dict[str, mqtt.MQTTMessageInfo] = {}
        self._found: deque[str] = deque()
        """Owned topics that the broker has a value of."""
        self._told: dict[str, str] = {}
        self._connections = self._told_in = 0
        self._fault = "no answer yet"
        self._answered = threading.Event()
        """Whether it is known if the broker can be reached."""
        self._begun = False
        name = f"mulde-stream-{settings.topic.replace('/', '-')}"
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=f"{name}-test" if test else name, clean_session=test
        )
        if settings.username is not None:
            self._client.username_pw_set(settings.username, settings.password)
        if self._availability is not None:
            self._client.will_set(self._availability, OFFLINE, qos=1, retain=True)
        self._client.reconnect_delay_set(*_RECONNECT_S)
        self._client.connect_timeout = min(timeout_s, _LONGEST_CONNECT_S)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message

    def begin(self) -> None:
        """Start to connect. Does not block; a broker that is not there is waited for. Does nothing a second time."""
        if self._begun:
            return
        if self._settings.tls:
            try:
                self._client.tls_set_context(ssl.create_default_context(cafile=self._settings.ca_file))
            except OSError as error:
                self._note(f"ca_file {self._settings.ca_file}: {error.strerror or error}")
                return
        self._begun = True
        self._client.connect_async(self._settings.host, self._settings.effective_port, _KEEPALIVE_S)
        self._client.loop_start()

    def deliver(self, notice: Notice, picture: Path | None) -> None:
        """See `Channel`."""
        info = self._under_way.get(notice.id)
        if info is None:
            self._answered.wait(self._timeout_s)
            if not self._client.is_connected():
                raise NotDeliveredError(f"not connected: {self._fault}")
            if picture is not None:
                with suppress(OSError):  # removed this moment
                    topic = topics.picture(self._settings.topic, notice.about.camera)
                    self._client.publish(topic, picture.read_bytes(), qos=1, retain=True)
            content = json.dumps(as_object(notice), allow_nan=False)
            info = self._client.publish(topics.alert(self._settings.topic, notice.camera), content, qos=2)
            if info.rc == mqtt.MQTT_ERR_NO_CONN:
                info.rc = mqtt.MQTT_ERR_SUCCESS  # paho says so, but keeps the message for the next connection
            if info.rc != mqtt.MQTT_ERR_SUCCESS:
                raise NotDeliveredError(mqtt.error_string(info.rc))
            self._under_way[notice.id] = info
        info.wait_for_publish(self._timeout_s)
        if not info.is_published():
            raise NotDeliveredError(f"not acknowledged within {self._timeout_s:g} s")
        del self._under_way[notice.id]

    def tell(self, values: Mapping[str, str]) -> None:
        """Publish those retained values that are new or have changed, all of them after each new connection."""
        self.begin()
        if not self._client.is_connected():
            return
        if self._told_in != self._connections:
            self._told, self._told_in = {}, self._connections
        gone = self._told.keys() - values.keys()
        while self._found:
            if (topic := self._found.popleft()) not in values:
                gone.add(topic)
        for topic in gone:
            self._client.publish(topic, b"", qos=1, retain=True)  # which is how a broker forgets it
        for topic, value in values.items():
            if self._told.get(topic) != value:
                self._client.publish(topic, value, qos=1, retain=True)
        self._told = dict(values)

    def pass_on(self, values: Mapping[str, str]) -> None:
        """Publish what is of no use later: neither kept nor repeated."""
        for topic, value in values.items():
            self._client.publish(topic, value, qos=0)

    def close(self) -> None:
        """See `Channel`; what is under way by then stays in the outbox. The connection's thread ends soon after."""
        if self._begun:
            if self._availability is not None and self._client.is_connected():
                with suppress(ValueError, RuntimeError):
                    self._client.publish(self._availability, OFFLINE, qos=1, retain=True).wait_for_publish(_LAST_S)
            self._client.disconnect()

    # What paho calls in its thread, where an exception would end it for good.

    def _on_connect(
        self, client: mqtt.Client, _: object, __: mqtt.ConnectFlags, code: ReasonCode, ___: Properties | None
    ) -> None:
        if code.is_failure:
            self._note(f"the broker refuses: {code}")
            return
        logger.info("channel %s: connected to its broker", self._settings.name)
        self._fault = ""
        self._connections += 1
        self._answered.set()
        if self._availability is not None:
            client.publish(self._availability, ONLINE, qos=1, retain=True)
        for topic in self._owned:
            client.subscribe(topic)

    def _on_connect_fail(self, _: mqtt.Client, __: object) -> None:
        error = sys.exception()  # paho calls this while it handles it, and tells nobody
        self._note(str(getattr(error, "strerror", None) or error or "cannot connect"))

    def _on_disconnect(
        self, _: mqtt.Client, __: object, ___: mqtt.DisconnectFlags, code: ReasonCode, ____: Properties | None
    ) -> None:
        if code.is_failure and not self._fault:
            self._note(f"connection lost: {code}")

    def _on_message(self, _: mqtt.Client, __: object, message: mqtt.MQTTMessage) -> None:
        if message.retain and message.payload:
            self._found.append(message.topic)

    def _note(self, fault: str) -> None:
        self._answered.set()
        fault = scrubbed(fault, self._settings.password)
        if fault != self._fault:
            self._fault = fault
            logger.warning("channel %s: its broker cannot be reached, trying again: %s", self._settings.name, fault)
