"""Another table of children in the place of the one that runs: who adapts, who leaves and who comes, in which order.

Those that adapt are asked first, one after the other, the last stage first. Until the first has agreed nothing has
changed, and its refusal leaves everything as it was; so whoever may refuse has to be the first.
"""

from collections.abc import Sequence
from typing import Protocol

from stream.seat import Child, Seat


class ReloadError(Exception):
    """The table that runs must stay; the message says why."""


class Tables(Protocol):
    """Where another table comes from."""

    def asked(self) -> bool:
        """Whether somebody has asked for one since the last call. Never waits."""
        ...

    def draw_up(self) -> Sequence[Child]:
        """The table as it shall be from now on. May take a second.

        Raises:
            ReloadError: There is none; this has to be settled, too.
        """
        ...

    def settle(self, refusal: str) -> None:
        """What was asked for is done, or cannot be for this reason; it concerns all who had asked by then."""
        ...


class Reload:
    """One change of tables, from the first question to the last answer.

    Args:
        seats: Those of the supervisor, as they are at any time.
    """

    def __init__(self, seats: Sequence[Seat], table: Sequence[Child]) -> None:
        self.table = {child.name: child for child in table}
        self._seats = seats
        self._to_ask = [
            seat
            for seat in reversed(seats)
            if seat.child.adapts and seat.child.name in self.table and self._has_changed(seat)
        ]
        self._asked: Seat | None = None
        self._agreed = False

    def go_on(self, now_s: float) -> bool:
        """Ask whoever is next; whether all have agreed.

        Raises:
            ReloadError: The first to be asked refused, or came to grief over it.
        """
        if self._asked is not None:
            if self._asked.state == "offered":
                return False
            self._hear(self._asked)
        if not self._to_ask:
            return True
        seat = self._asked = self._to_ask.pop(0)
        if self._agreed:
            seat.child = self.table[seat.child.name]  # no way back: should it fail, it is started again with this
        seat.offer(self.table[seat.child.name].spec, now_s)
        return False

    def leaving(self) -> list[Seat]:
        """Those whose child the table does not have, or has with another spec."""
        return [seat for seat in self._seats if self._has_changed(seat)]

    def added(self) -> list[Child]:
        """Children that have no seat yet."""
        there = {seat.child.name for seat in self._seats}
        return [child for name, child in self.table.items() if name not in there]

    def _hear(self, seat: Seat) -> None:
        self._asked = None
        if not self._agreed:
            if seat.state != "working" or seat.refusal:
                raise ReloadError(seat.refusal or f"{seat.child.name}: {seat.fault}")
            seat.child = self.table[seat.child.name]
            self._agreed = True

    def _has_changed(self, seat: Seat) -> bool:
        return self.table.get(seat.child.name) != seat.child
