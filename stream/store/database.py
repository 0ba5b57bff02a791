"""The SQLite file itself: how it is opened, written in transactions and read. Knows none of its tables."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from stream.store.error import StoreError, explained, unusable
from stream.store.migrations import bring_up

FILE_NAME = "alerts.sqlite"

_BUSY_S = 1.0  # for another process to finish writing; the sink must not stand still for longer


class Database:
    """An open file. Make it with `open`, give it back with `close`. For one thread."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.connection = connection
        self._inode = path.stat().st_ino

    @classmethod
    def open(cls, folder: Path) -> "Database":
        """The file in this folder, brought up to this version; both are made, for this user only, where missing.

        Raises:
            StoreError: Unwritable, full, damaged, not a store, or written by a newer version.
        """
        path = folder / FILE_NAME
        connection: sqlite3.Connection | None = None
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # its log takes over the mode
            connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
            bring_up(connection, path)
            return cls(path, connection)
        except OSError as error:
            raise unusable(folder, error.strerror or str(error)) from error
        except sqlite3.Error as error:
            _close(connection)
            raise explained(path, error) from error
        except StoreError:
            _close(connection)
            raise

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """What is written in it is kept when it ends, all or nothing; one within another is a part of that.

        Blocks for the disk, and up to a second while another process writes.

        Raises:
            StoreError: Nothing of it is kept.
        """
        if self.connection.in_transaction:
            yield self.connection
            return
        self._check_place()
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            yield self.connection
            self.connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise explained(self.path, error) from error
        finally:
            if self.connection.in_transaction:  # it did not come to its end
                with contextlib.suppress(sqlite3.Error):  # the error may have undone it already
                    self.connection.execute("ROLLBACK")

    def read(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows.

        Raises:
            StoreError: They cannot be read.
        """
        try:
            return self.connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise explained(self.path, error) from error

    def close(self) -> None:
        """Safe to call twice."""
        _close(self.connection)

    def _check_place(self) -> None:
        """Refuse to write to a file that nobody will find: SQLite would go on writing to a removed one."""
        try:
            there = self.path.stat().st_ino == self._inode
        except OSError:
            there = False
        if not there:
            raise StoreError(
                f"store: {self.path} was moved or removed while in use: put it back, or let it be made anew"
            )


def _close(connection: sqlite3.Connection | None) -> None:
    if connection is not None:
        with contextlib.suppress(sqlite3.Error):  # a damaged file is not made better by failing here
            connection.close()
