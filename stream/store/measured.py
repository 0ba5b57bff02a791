"""How large the evidence is: known for each file that stays as it is, so that nobody looks through the folder."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from stream.clock import utc_text
from stream.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file whose size is not known yet."""

    alert_id: str
    position: int
    """In the alert's evidence."""
    path: str
    final: bool
    """It does not grow any more: its alert ended some time ago."""


class Files:
    """The part of an open store that knows the files' sizes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def bytes(self) -> int:
        """Of all files whose size is known.

        Raises:
            StoreError: It cannot be read.
        """
        ((total,),) = self._database.read("SELECT ifnull(sum(bytes), 0) FROM evidence")
        return int(total)

    def names(self) -> set[str]:
        """Names of all files without their folders.

        Raises:
            StoreError: They cannot be read.
        """
        return {Path(path).name for (path,) in self._database.read("SELECT path FROM evidence")}

    def unmeasured(self, ended_before: datetime) -> list[File]:
        """Files whose size is not known.

        Args:
            ended_before: With its time zone; alerts that ended before have all of their files.

        Raises:
            StoreError: They cannot be read.
        """
        rows = self._database.read(
            "SELECT alert_id, position, path, state = 'ended' AND ifnull(ended_utc, started_utc) < ? "
            "FROM evidence JOIN alerts ON alerts.id = alert_id WHERE bytes IS NULL",
            (utc_text(ended_before),),
        )
        return [File(alert_id=row[0], position=row[1], path=row[2], final=bool(row[3])) for row in rows]

    def measured(self, sizes: Iterable[tuple[File, int]]) -> None:
        """Keep how many bytes files have.

        Raises:
            StoreError: It is not kept.
        """
        with self._database.transaction() as connection:
            connection.executemany(
                "UPDATE evidence SET bytes = ? WHERE alert_id = ? AND position = ?",
                ((size, file.alert_id, file.position) for file, size in sizes),
            )
