"""From the settings to channels that work."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from configs.notify import AppriseSettings, MqttSettings, NotifySettings, WebhookSettings
from stream.messages import AlertKind
from stream.notify import topics
from stream.notify.apprise_service import AppriseService
from stream.notify.channel import Channel
from stream.notify.mqtt import MqttChannel
from stream.notify.webhook import Webhook
from stream.overview import Moment, State


def opened(
    settings: NotifySettings, channel: MqttSettings | WebhookSettings | AppriseSettings, *, test: bool = False
) -> Channel:
    """The channel, at work; its receiver need not be there.

    Args:
        test: Beside a watch that runs, which is not to be disturbed.
    """
    if isinstance(channel, MqttSettings):
        owned = () if test else topics.owned(channel.topic, channel.discovery)
        broker = MqttChannel(channel, settings.timeout_s, owned, test=test)
        broker.begin()
        return broker
    if isinstance(channel, WebhookSettings):
        return Webhook(channel, settings.timeout_s)
    return AppriseService(channel)


@dataclass(slots=True, kw_only=True)
class Home:
    """A broker that is told what the cameras are like, beside their alerts."""

    settings: MqttSettings
    broker: MqttChannel
    cameras: tuple[str, ...]
    """That it is told of."""
    _levels_s: float = 0.0
    _announced: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        own = self.settings
        self._announced = (
            {}
            if own.discovery is None
            else topics.announced(
                own.topic, own.discovery, self.cameras, every_s=own.level_every_s, pictures=own.pictures
            )
        )

    def tell(self, state: State, open_alerts: Iterable[tuple[str, AlertKind]], now: Moment) -> None:
        """Tell what has changed. Call it about once a second; never waits for the broker."""
        topic, every_s = self.settings.topic, self.settings.level_every_s
        self.broker.tell({**self._announced, **topics.switches(topic, self.cameras, state, open_alerts)})
        if now.monotonic_s - self._levels_s >= every_s:
            self._levels_s = now.monotonic_s
            self.broker.pass_on(topics.levels(topic, self.cameras, state, math.ceil(every_s) + 1, now))
