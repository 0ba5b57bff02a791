"""The notifier process: tells people and machines of alerts, from the outbox in the store.

In a process of its own, so that neither a receiver nor a library that speaks to one can hold up the watch. Levels and
cameras' states it hears on the bus; alerts it takes from the store, where none is missing.
"""

import logging
import time
from contextlib import ExitStack

from configs.notify import MqttSettings
from stream.bus import Publisher, Subscriber
from stream.child import Parent
from stream.clock import utc_now
from stream.messages import Alert, AlertKind, Health
from stream.notify.channels import Home, opened
from stream.notify.dispatch import Dispatcher
from stream.notify.mqtt import MqttChannel
from stream.notify.sender import Sender
from stream.notify.spec import PROCESS, NotifySpec
from stream.overview import Moment, State
from stream.store import Store, StoreError

logger = logging.getLogger(__name__)

_WAIT_S = 0.1
_EVERY_S = 1.0
_RETRY_STORE_S = 1.0
_LOOK_S = 0.01
_DRAIN_S = 1.5  # for the last alerts, which end because the watch does


def run(spec: NotifySpec, parent: Parent) -> None:
    """Tell of alerts until the parent says stop, and then for a moment of those that ended by that.

    Receivers that are not there, and a store that cannot be used, are logged once and tried again for ever.
    """
    with ExitStack() as stack:
        senders: dict[str, Sender] = {}
        homes = []
        for settings in spec.settings.channels:
            channel = opened(spec.settings, settings)
            senders[settings.name] = sender = Sender(settings.name, channel, pictures=settings.pictures)
            stack.callback(sender.close)
            if isinstance(settings, MqttSettings) and isinstance(channel, MqttChannel):
                cameras = tuple(name for name in spec.cameras if settings.cameras is None or name in settings.cameras)
                homes.append(Home(settings=settings, broker=channel, cameras=cameras))
        subscribed = (b"alert/", b"camera/", b"score/") if homes else (b"alert/",)
        subscriber = stack.enter_context(Subscriber(spec.endpoints, subscribed))
        publisher = stack.enter_context(Publisher(spec.endpoints))
        notifier = _Notifier(spec, Dispatcher(spec.settings, senders), homes)
        stack.callback(notifier.close)
        parent.ready()
        while not parent.stopping():
            notifier.listen(subscriber)
            if notifier.report_due():
                counters = {"refused": float(subscriber.refused), **notifier.counters()}
                publisher.send(Health(process=PROCESS, utc=utc_now(), counters=counters))
        notifier.drain()


class _Notifier:
    def __init__(self, spec: NotifySpec, dispatcher: Dispatcher, homes: list[Home]) -> None:
        self._folder = spec.folder
        self._dispatcher = dispatcher
        self._homes = homes
        self._state = State(spec.cameras, Moment.now())
        self._open: list[tuple[str, AlertKind]] = []
        self._store: Store | None = None
        self._fault = ""
        self._store_errors = 0
        self._retry_s = self._worked_s = self._reported_s = 0.0

    def listen(self, subscriber: Subscriber) -> None:
        """Hear what comes on the bus for a moment, and do what that or the outbox makes due."""
        news = False
        for message in subscriber.batch(_LOOK_S if self._dispatcher.under_way() else _WAIT_S):
            self._state.take(message, Moment.now())
            news = news or isinstance(message, Alert)
        if news or self._dispatcher.answered() or time.monotonic() - self._worked_s >= _EVERY_S:
            self._work()
            for home in self._homes:
                home.tell(self._state, self._open, Moment.now())

    def report_due(self) -> bool:
        """Whether it is time for a sign of life."""
        due = time.monotonic() - self._reported_s >= _EVERY_S
        if due:
            self._reported_s = time.monotonic()
        return due

    def counters(self) -> dict[str, float]:
        """Numbers by name, as `Health` has them."""
        return {"store_errors": float(self._store_errors), **self._dispatcher.counters(Moment.now())}

    def drain(self) -> None:
        """Send what is due and takes no longer than a moment; the rest waits for the next start."""
        until_s = time.monotonic() + _DRAIN_S
        self._work()
        while self._dispatcher.under_way() and time.monotonic() < until_s:
            if self._dispatcher.answered():
                self._work()
            else:
                time.sleep(_LOOK_S)
        for home in self._homes:
            home.tell(self._state, self._open, Moment.now())

    def close(self) -> None:
        """Safe to call twice."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def _work(self) -> None:
        self._worked_s = time.monotonic()
        if self._worked_s < self._retry_s:
            return
        try:
            if self._store is None:
                self._store = Store.open(self._folder)
            self._dispatcher.step(self._store.outbox, Moment.now())
            self._open = self._store.open_alerts()
        except StoreError as error:
            self._store_errors += 1
            if not self._fault:
                logger.error("%s; nobody is told of alerts until that is over", error)
            self._fault = str(error)
            self._retry_s = time.monotonic() + _RETRY_STORE_S
            self.close()
        else:
            if self._fault:
                self._fault = ""
                logger.info("the outbox can be used again")
