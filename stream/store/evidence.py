"""The files of an alert: where they are, and what each shows, which follows from its name."""

from pathlib import Path
from typing import Literal

EVIDENCE = "evidence"
"""Folder of evidence beside the store, with one of each camera in it."""

Role = Literal["picture", "clean", "strip", "clip", "trace", "other"]
"""picture: the peak with the place marked; clean: the same frame as it was; strip: five moments; clip: the video;
trace: scores over time and heat map, JSON; other: of no name known here."""

_ENDINGS: dict[str, Role] = {
    ".jpg": "picture",
    "-clean.jpg": "clean",
    "-strip.jpg": "strip",
    ".mp4": "clip",
    ".json": "trace",
}


def evidence_path(folder: Path, camera: str, alert_id: str, role: Role) -> Path:
    """Where the alert's file of this role is, in the store in this folder."""
    (ending,) = (ending for ending, known in _ENDINGS.items() if known == role)
    return folder / EVIDENCE / camera / f"{alert_id}{ending}"


def role_of(alert_id: str, path: str) -> Role:
    """What the file at this path shows of the alert."""
    return _ENDINGS.get(Path(path).name.removeprefix(alert_id), "other")
