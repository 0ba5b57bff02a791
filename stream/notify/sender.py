"""A channel at work in a thread of its own, so that a receiver which keeps it waiting holds up nobody else."""

import queue
import threading
import traceback
from dataclasses import dataclass

from stream.notify.channel import Channel, NotDeliveredError, RefusedError, picture_of
from stream.store import Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one try."""

    delivery: Delivery
    fault: str = ""
    """Why it was not delivered; empty where it was."""
    final: bool = False
    """Whether the receiver will never have it."""


class Sender:
    """Delivers one notice at a time.

    Args:
        pictures: Whether the notice's picture goes with it.
    """

    def __init__(self, name: str, channel: Channel, *, pictures: bool) -> None:
        self.channel = channel
        self._pictures = pictures
        self._tasks: queue.SimpleQueue[Delivery | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[Result] = queue.SimpleQueue()
        self.busy = False
        """Whether a notice is under way, or its result was not taken to the books yet."""
        # A daemon: one that waits for a receiver must not keep this process from ending.
        threading.Thread(target=self._work, name=f"notify-{name}", daemon=True).start()

    def offer(self, delivery: Delivery) -> None:
        """Try to deliver it. Does not block; only for one who is not busy."""
        assert not self.busy, "asked before"
        self.busy = True
        self._tasks.put(delivery)

    def result(self) -> Result | None:
        """What became of it, None where that is still open; the sender is busy until the books say so, too."""
        try:
            return self._results.get_nowait()
        except queue.Empty:
            return None

    def close(self) -> None:
        """End the thread, once what is under way is over; that is not waited for."""
        self._tasks.put(None)
        self.channel.close()

    def _work(self) -> None:
        while (delivery := self._tasks.get()) is not None:
            self._results.put(self._try(delivery))

    def _try(self, delivery: Delivery) -> Result:
        picture = picture_of(delivery.notice) if self._pictures else None
        try:
            self.channel.deliver(delivery.notice, picture)
        except NotDeliveredError as error:
            return Result(delivery=delivery, fault=str(error))
        except RefusedError as error:
            return Result(delivery=delivery, fault=str(error), final=True)
        except Exception as error:  # noqa: BLE001 - a hundred services' code; whatever it raises is this channel's alone
            where = traceback.extract_tb(error.__traceback__)[-1]
            # Without its text, which may hold anything.
            return Result(delivery=delivery, fault=f"{type(error).__name__} in {where.filename}:{where.lineno}")
        return Result(delivery=delivery)
