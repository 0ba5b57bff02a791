"""The store: alerts, what was said of them, and each camera's history, in one SQLite file.

This package alone touches SQLite. One process writes most, any number read at the same time. Knows nothing of
pictures but their paths.
"""

from stream.store.database import FILE_NAME
from stream.store.error import StoreError
from stream.store.evidence import EVIDENCE, Role, evidence_path, role_of
from stream.store.history import Day, History, Minute, StateChange, minute_of
from stream.store.place import FOOTAGE, default_folder
from stream.store.records import AlertRecord, Feedback, Verdict, new_id
from stream.store.store import Store

__all__ = [
    "EVIDENCE",
    "FILE_NAME",
    "FOOTAGE",
    "AlertRecord",
    "Day",
    "Feedback",
    "History",
    "Minute",
    "Role",
    "StateChange",
    "Store",
    "StoreError",
    "Verdict",
    "default_folder",
    "evidence_path",
    "minute_of",
    "new_id",
    "role_of",
]
