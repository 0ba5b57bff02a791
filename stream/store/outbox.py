"""The outbox: what is still to be told of alerts, by which channel, and what has been.

A notice is written in the transaction that keeps what it is about, so that neither is there without the other. All
times are Unix time in seconds, because what they decide goes on after a restart.
"""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from stream.notice import Notice, NoticeError, NoticeEvent, from_json, to_json
from stream.store.database import Database
from stream.store.error import StoreError
from stream.store.records import AlertRecord

DeliveryState = Literal["due", "held", "sent", "told", "rejected", "given_up"]
"""due: to be sent; held: waits for a digest; told: was in one; rejected: the receiver will not have it."""

_INSERT = (
    "INSERT OR IGNORE INTO notices (id, alert, event, camera, made_s, content, routed) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_SELECT = "SELECT number, channel, attempts, due_s, content FROM deliveries JOIN notices USING (number) WHERE"
_DUE = """  channel = :channel AND state = 'due' AND (due_s <= :now_s OR due_s > :now_s + :far_s)
AND NOT EXISTS (
    SELECT 1 FROM deliveries AS other JOIN notices AS earlier USING (number)
    WHERE earlier.alert = notices.alert AND earlier.alert != '' AND other.channel = :channel
    AND other.state = 'due' AND other.number < deliveries.number
)
ORDER BY number LIMIT 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A notice on its way by one channel."""

    number: int
    channel: str
    attempts: int
    """Tries so far, all in vain."""
    due_s: float
    """When it is to be sent; of one that is held, when it is to be told in a digest."""
    notice: Notice


class Outbox:
    """The notices in an open store, as the notifier deals with them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def unrouted(self, limit: int) -> list[tuple[int, Notice]]:
        """Notices of which it is not settled who tells them, oldest first, with their numbers.

        Raises:
            StoreError: They cannot be read; here and below, too.
        """
        query = "SELECT number, content FROM notices WHERE routed = 0 ORDER BY number LIMIT ?"
        return [(number, self._notice(content)) for number, content in self._database.read(query, (limit,))]

    def route(self, number: int, by: Mapping[str, tuple[DeliveryState, float]], now_s: float) -> None:
        """Settle who tells a notice: state and due time by channel."""
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO deliveries (number, channel, state, routed_s, due_s) VALUES (?, ?, ?, ?, ?)",
                [(number, channel, state, now_s, due_s) for channel, (state, due_s) in by.items()],
            )
            connection.execute("UPDATE notices SET routed = 1 WHERE number = ?", (number,))

    def alerts_told(self, channel: str, camera: str, since_s: float) -> int:
        """Alerts of a camera whose start this channel has told, or is about to, one by one."""
        query = """
        SELECT count(*) FROM deliveries JOIN notices USING (number)
        WHERE channel = ? AND routed_s > ? AND state IN ('due', 'sent') AND event = 'start' AND camera = ?
        """
        return int(self._database.read(query, (channel, since_s, camera))[0][0])

    def state_of_start(self, channel: str, alert: str) -> DeliveryState | None:
        """What has become of an alert's start; None where nothing is known of it."""
        query = """
        SELECT state FROM notices JOIN deliveries USING (number) WHERE alert = ? AND event = 'start' AND channel = ?
        """
        rows = self._database.read(query, (alert, channel))
        return rows[0][0] if rows else None

    def due(self, channel: str, now_s: float, far_s: float) -> Delivery | None:
        """The oldest notice that is to be sent now; never one whose alert's earlier one is still to be sent.

        Args:
            far_s: A due time further away than this shows that the clock was set back.
        """
        rows = self._read(_DUE, {"channel": channel, "now_s": now_s, "far_s": far_s})
        return rows[0] if rows else None

    def held(self, channel: str) -> list[Delivery]:
        """What waits for a digest, oldest first."""
        return self._read("channel = :channel AND state = 'held' ORDER BY number", {"channel": channel})

    def hold(self, delivery: Delivery, until_s: float) -> None:
        """Let what was to be sent wait for a digest."""
        self._set(delivery, "state = 'held', due_s = ?", until_s)

    def held_until_s(self, channel: str) -> list[float]:
        """When the first and the last of what waits for a digest is due; empty where nothing waits."""
        query = "SELECT min(due_s), max(due_s) FROM deliveries WHERE channel = ? AND state = 'held'"
        return [until_s for until_s in self._database.read(query, (channel,))[0] if until_s is not None]

    def defer(self, delivery: Delivery, until_s: float) -> None:
        """Send it later, though nothing went wrong."""
        self._set(delivery, "due_s = ?", until_s)

    def bundle(self, held: Sequence[Delivery], digest: Notice, now_s: float) -> None:
        """Have the digest sent in the place of what was held, which is all of one channel."""
        channel = held[0].channel
        with self._database.transaction() as connection:
            _put(connection, digest, now_s, routed=True)
            connection.execute(
                "INSERT OR IGNORE INTO deliveries (number, channel, state, routed_s, due_s) "
                "SELECT number, ?, 'due', ?, ? FROM notices WHERE id = ?",
                (channel, now_s, now_s, digest.id),
            )
            connection.executemany(
                "UPDATE deliveries SET state = 'told', done_s = ? WHERE number = ? AND channel = ?",
                [(now_s, one.number, channel) for one in held],
            )

    def finish(self, delivery: Delivery, state: DeliveryState, now_s: float) -> None:
        """It was sent, or never will be."""
        self._set(delivery, "state = ?, done_s = ?", state, now_s)

    def postpone(self, delivery: Delivery, until_s: float) -> None:
        """One more try was in vain."""
        self._set(delivery, "attempts = attempts + 1, due_s = ?", until_s)

    def wake(self, channel: str, now_s: float) -> None:
        """Send all that is due at some time now: the receiver is back."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE deliveries SET due_s = ? WHERE channel = ? AND state = 'due' AND due_s > ?",
                (now_s, channel, now_s),
            )

    def give_up(self, channels: Collection[str], before_s: float, now_s: float) -> dict[str, int]:
        """Give up what was made before that time and is not sent, and all of channels that are no more.

        Returns:
            How much that was, by channel.
        """
        names = ", ".join("?" * len(channels))
        query = f"""
        UPDATE deliveries SET state = 'given_up', done_s = ? WHERE
        (state = 'due' AND (SELECT made_s FROM notices WHERE number = deliveries.number) < ?)
        OR (state IN ('due', 'held') AND channel NOT IN ({names}))
        RETURNING channel
        """  # noqa: S608 - question marks
        given_up: dict[str, int] = {}
        with self._database.transaction() as connection:
            for (channel,) in connection.execute(query, (now_s, before_s, *channels)).fetchall():
                given_up[channel] = given_up.get(channel, 0) + 1
        return given_up

    def forget(self, before_s: float) -> None:
        """Remove notices that were made before, where nothing of them is still to be told."""
        old = """
        SELECT number FROM notices WHERE made_s < ? AND routed = 1 AND NOT EXISTS (
            SELECT 1 FROM deliveries WHERE deliveries.number = notices.number AND state IN ('due', 'held')
        )
        """
        with self._database.transaction() as connection:
            connection.execute(f"DELETE FROM deliveries WHERE number IN ({old})", (before_s,))  # noqa: S608 - no input
            connection.execute(f"DELETE FROM notices WHERE number IN ({old})", (before_s,))  # noqa: S608 - no input

    def counts(self) -> dict[tuple[str, str], int]:
        """How many are due or held, by state and channel."""
        query = "SELECT state, channel, count(*) FROM deliveries WHERE state IN ('due', 'held') GROUP BY 1, 2"
        return {(state, channel): count for state, channel, count in self._database.read(query)}

    def _read(self, condition: str, values: Mapping[str, str | float]) -> list[Delivery]:
        return [
            Delivery(number=number, channel=channel, attempts=attempts, due_s=due_s, notice=self._notice(content))
            for number, channel, attempts, due_s, content in self._database.read(f"{_SELECT} {condition}", values)
        ]

    def _notice(self, content: bytes) -> Notice:
        try:
            return from_json(content)
        except NoticeError as error:
            raise StoreError(
                f"store: a notice in {self._database.path} is damaged ({error}): move it away, a new one will be made"
            ) from error

    def _set(self, delivery: Delivery, change: str, *values: str | float) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                f"UPDATE deliveries SET {change} WHERE number = ? AND channel = ?",  # noqa: S608 - of this module
                (*values, delivery.number, delivery.channel),
            )


def put(connection: sqlite3.Connection, record: AlertRecord, before: str | None, now_s: float) -> None:
    """Write the notices that this record makes due.

    Args:
        before: State in which the alert was kept so far, None = not at all.
    """
    if before is None:
        _put(connection, notice_of(record, "start"), now_s)
    if record.state == "ended" and before != "ended":
        _put(connection, notice_of(record, "end"), now_s)


def notice_of(record: AlertRecord, event: NoticeEvent) -> Notice:
    """What is told of an alert's start or end."""
    ended = event == "end"
    return Notice(
        id=f"{record.id}/{event}",
        event=event,
        utc=record.ended_utc if ended and record.ended_utc is not None else record.started_utc,
        alert=record.id,
        camera=record.camera,
        kind=record.kind,
        started_utc=record.started_utc,
        lasted_s=record.ended_s - record.started_s if ended and record.ended_s is not None else None,
        score=record.score,
        threshold=record.threshold,
        region=record.region,
        words=record.words,
        reason=record.reason,
        picture=record.files().get("picture", ""),
    )


def _put(connection: sqlite3.Connection, notice: Notice, now_s: float, *, routed: bool = False) -> None:
    values = (notice.id, notice.alert, notice.event, notice.camera, now_s, to_json(notice), routed)
    connection.execute(_INSERT, values)
