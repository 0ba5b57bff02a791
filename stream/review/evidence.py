"""The way to an alert's files, which leads nowhere else, and their addresses for a browser."""

import stat
from pathlib import Path
from urllib.parse import quote

from stream.store import EVIDENCE, AlertRecord, Role, role_of

MEDIA_TYPES = {".jpg": "image/jpeg", ".mp4": "video/mp4", ".json": "application/json"}
"""Of all that is served."""


class Evidence:
    """The evidence folder of one store."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / EVIDENCE

    def file(self, camera: str, name: str) -> Path | None:
        """The file of this name, None where there is none or it is not one of a camera's folder itself.

        A link that leads out of the folder is no file of it.
        """
        if Path(camera).name != camera or Path(name).name != name or Path(name).suffix not in MEDIA_TYPES:
            return None
        try:
            path = (self._folder / camera / name).resolve(strict=True)
            inside = path.parent == self._folder.resolve() / camera
            return path if inside and stat.S_ISREG(path.stat().st_mode) else None
        except (OSError, ValueError, RuntimeError):  # none, a name with a zero byte, links in a ring
            return None

    def of(self, record: AlertRecord) -> dict[Role, Path]:
        """The alert's files that are there."""
        names = {Path(path).name for path in record.evidence}
        found = {role_of(record.id, name): self.file(record.camera, name) for name in sorted(names)}
        return {role: path for role, path in found.items() if path is not None}


def address(record: AlertRecord, name: str) -> str:
    """Where the server has this file of the alert; another address once the alert has come to another peak or ended.

    So a browser may keep what it has under an address.
    """
    version = f"{record.state}-{record.peaked_s:.3f}"
    return f"/evidence/{quote(record.camera, safe='')}/{quote(name, safe='')}?{version}"


def thumbnail(record: AlertRecord) -> str | None:
    """Address of a picture for a list, None where the alert has none; without a look at the disk."""
    files = record.files()
    path = files.get("clean") or files.get("picture")
    return None if path is None else address(record, Path(path).name)
