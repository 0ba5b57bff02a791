"""What goes wrong with a store, as people are told."""

import sqlite3
from pathlib import Path


class StoreError(Exception):
    """Alerts cannot be kept or read; the message says what, where and the way out."""


def explained(path: Path, error: sqlite3.Error) -> StoreError:
    """What SQLite says, with the way out."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the rest is detail
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return StoreError(f"store: {path} is damaged or not a store ({error}): move it away, a new one will be made")
    if code == sqlite3.SQLITE_FULL:
        return StoreError(f"store: no space left for {path}: free some")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreError(f"store: {path} is held by another process for too long: end it")
    return unusable(path, str(error))


def unusable(path: Path, problem: str) -> StoreError:
    """What any other problem is."""
    return StoreError(f"store: {path} cannot be used: {problem}: correct that or take another store.folder")
