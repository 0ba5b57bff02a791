"""From the outbox to the senders: who tells what and when, and the books of it. Never waits for a receiver.

A notice is handed to a channel only after the outbox says that it is due there, and is due again until the outbox
says that it was sent; so whenever this process is killed, nothing is lost.
"""

import logging
import math
import random
from collections.abc import Mapping

from configs.notify import ChannelSettings, NotifySettings
from stream.notice import Notice
from stream.notify.books import Account
from stream.notify.digest import digest_of
from stream.notify.policy import HOUR_S, Decision, Told, decide, digest_due, hold_until_s, must_wait, retry_pause_s
from stream.notify.sender import Result, Sender
from stream.overview import Moment
from stream.store import Outbox
from stream.store.outbox import DeliveryState

logger = logging.getLogger(__name__)

_AT_ONCE = 200  # notices settled in one step; each takes a flush to disk, and a sign of life is due now and then
_TIDY_EVERY_S = 60.0
_QUIET_LOOK_S = 60.0
_KEPT_S = 7 * 24 * HOUR_S
_AS: Mapping[DeliveryState, Decision] = {
    "due": "send",
    "sent": "send",
    "rejected": "send",
    "given_up": "send",
    "held": "hold",
    "told": "hold",
}


class Dispatcher:
    """All channels of a site.

    Args:
        senders: By the channel's name.
    """

    def __init__(self, settings: NotifySettings, senders: Mapping[str, Sender]) -> None:
        self._settings = settings
        self._channels: dict[str, ChannelSettings] = {one.name: one for one in settings.channels}
        self._senders = senders
        self.accounts = {name: Account(name=name) for name in self._channels}
        self._results: dict[str, Result] = {}
        self._tidied_s = -math.inf
        self._counts: dict[tuple[str, str], int] = {}

    def step(self, outbox: Outbox, now: Moment) -> None:
        """Do all that is due now.

        Raises:
            StoreError: The outbox cannot be read or written; what is open stays so until the next step.
        """
        self._take_results(outbox, now)
        if now.monotonic_s - self._tidied_s >= _TIDY_EVERY_S:
            self._tidy(outbox, now)
        for number, notice in outbox.unrouted(_AT_ONCE):
            outbox.route(number, self._routes(outbox, notice, now), now.unix_s)
        for name, channel in self._channels.items():
            if digest_due(channel, outbox.held_until_s(name), now.unix_s, now.local):
                held = outbox.held(name)
                outbox.bundle(held, digest_of([one.notice for one in held], name, now.local), now.unix_s)
            self._hand_over(outbox, name, now)
        self._counts = outbox.counts()

    def answered(self) -> bool:
        """Whether a sender has something for the books. Never waits."""
        for name, sender in self._senders.items():
            if name not in self._results and (result := sender.result()) is not None:
                self._results[name] = result
        return bool(self._results)

    def under_way(self) -> bool:
        """Whether a notice is with its receiver just now."""
        return any(sender.busy for sender in self._senders.values())

    def counters(self, now: Moment) -> dict[str, float]:
        """Numbers by name, as `Health` has them."""
        counters: dict[str, float] = {}
        for name, account in self.accounts.items():
            counters |= account.counters(now.monotonic_s)
            counters[f"waiting/{name}"] = float(self._counts.get(("due", name), 0))
            counters[f"held/{name}"] = float(self._counts.get(("held", name), 0))
        return counters

    def _routes(self, outbox: Outbox, notice: Notice, now: Moment) -> dict[str, tuple[DeliveryState, float]]:
        """State and due time of a new notice by channel."""
        routes: dict[str, tuple[DeliveryState, float]] = {}
        for name, channel in self._channels.items():
            start = outbox.state_of_start(name, notice.alert) if notice.event == "end" else None
            told = Told(
                alerts_in_hour=outbox.alerts_told(name, notice.camera, now.unix_s - HOUR_S),
                start=None if start is None else _AS[start],
            )
            decision = decide(channel, notice, told, now.local)
            if decision == "send":
                routes[name] = ("due", now.unix_s)
            elif decision == "hold":
                routes[name] = ("held", hold_until_s(channel, now.unix_s, now.local))
        return routes

    def _hand_over(self, outbox: Outbox, name: str, now: Moment) -> None:
        sender, channel, account = self._senders[name], self._channels[name], self.accounts[name]
        if sender.busy or now.monotonic_s < account.pause_until_s:
            return
        for _ in range(_AT_ONCE):
            delivery = outbox.due(name, now.unix_s, self._settings.retry_max_s)
            if delivery is None:
                return
            if not must_wait(channel, delivery.notice, now.local):
                sender.offer(delivery)
                return
            if delivery.notice.event == "digest":  # one digest is not put into another
                outbox.defer(delivery, now.unix_s + min(_QUIET_LOOK_S, self._settings.retry_max_s))
            else:
                outbox.hold(delivery, hold_until_s(channel, now.unix_s, now.local))

    def _take_results(self, outbox: Outbox, now: Moment) -> None:
        """Enter what became of notices. Where that fails, the sender gets no other one until it is entered."""
        self.answered()
        for name, result in [*self._results.items()]:
            self._enter(outbox, name, result, now)
            del self._results[name]
            self._senders[name].busy = False

    def _enter(self, outbox: Outbox, name: str, result: Result, now: Moment) -> None:
        account, delivery = self.accounts[name], result.delivery
        if not result.fault:
            if account.failures:
                outbox.wake(name, now.unix_s)
            outbox.finish(delivery, "sent", now.unix_s)
            account.succeed()
        elif result.final:
            outbox.finish(delivery, "rejected", now.unix_s)
            account.reject(delivery.notice.id, result.fault)
        else:
            first_s, longest_s = self._settings.retry_first_s, self._settings.retry_max_s
            jitter = random.random()  # noqa: S311 - spreads load, keeps no secret
            pause_s = retry_pause_s(delivery.attempts + 1, first_s, longest_s, jitter)
            outbox.postpone(delivery, now.unix_s + pause_s)
            pause_s = retry_pause_s(account.failures + 1, first_s, longest_s, jitter)
            account.fail(result.fault, now.monotonic_s, pause_s)

    def _tidy(self, outbox: Outbox, now: Moment) -> None:
        before_s = now.unix_s - self._settings.give_up_hours * HOUR_S
        for name, count in outbox.give_up(self._channels, before_s, now.unix_s).items():
            if name in self.accounts:
                self.accounts[name].give_up(count)
            else:
                logger.warning("channel %s is no longer there: %d notices for it are given up", name, count)
        outbox.forget(min(before_s, now.unix_s - _KEPT_S))
        self._tidied_s = now.monotonic_s
