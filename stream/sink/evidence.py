"""The sink's files about alerts: pictures, strip and trace, written when they start and when they end.

What cannot be written is logged and counted, and the alert goes on without it.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from configs.evidence import EvidenceSettings
from stream.evidence import EvidenceError, picture, strip, trace, write_file
from stream.evidence.drawing import as_jpeg
from stream.evidence.picture import scored
from stream.sink.camera import Camera, Moment
from stream.store import AlertRecord, Role, evidence_path

logger = logging.getLogger(__name__)

_ORDER: tuple[Role, ...] = ("picture", "clean", "strip", "clip", "trace")
_LEAST_PART = 0.05  # of a family in a score, to be told


class EvidenceWriter:
    """Writes into the store in this folder."""

    def __init__(self, folder: Path, settings: EvidenceSettings) -> None:
        self._folder = folder
        self._settings = settings
        self._failing = False
        self.errors = 0
        """Files that could not be written."""

    def of_anomaly(self, camera: Camera, record: AlertRecord, peak: Moment) -> AlertRecord:
        """The record with its evidence as it is now."""
        if self._settings.pictures:
            if camera.pictured_s != record.peaked_s and (
                pictured := self._pictured(record, peak, _told(record, peak))
            ):
                record, camera.pictured_s = pictured, record.peaked_s
            if peak.frame is not None:
                camera.track.add_picture(record.peaked_s, peak.frame.image, lasting=True)
            started = camera.moments.get(record.started_s)
            if started is not None and started.frame is not None:
                camera.track.add_picture(record.started_s, started.frame.image, lasting=True)
            record = self._with_strip(camera, record)
        return self._with_trace(camera, self._with_clip(record), peak)

    def of_condition(self, record: AlertRecord, moment: Moment) -> AlertRecord:
        """The record of an alert about the camera itself with a picture of this moment."""
        if self._settings.pictures:
            caption = [record.camera, _clock(moment), record.reason]
            record = self._pictured(record, moment, caption) or record
        return self._with_clip(record)

    def _with_clip(self, record: AlertRecord) -> AlertRecord:
        """The record with the place of its clip, which is the capture process's to write."""
        if not self._settings.clips:
            return record
        return _with(record, "clip", evidence_path(self._folder, record.camera, record.id, "clip"))

    def _pictured(self, record: AlertRecord, moment: Moment, caption: list[str]) -> AlertRecord | None:
        """The record with a picture of this moment and its clean copy, None where that cannot be had."""
        if moment.frame is None:
            logger.warning(
                "alert %s: no picture of its peak, its frame was overwritten before its score came", record.id
            )
            return None
        image = moment.frame.image
        heat = moment.heat if record.kind == "anomaly" else None
        drawn = self._written(record, "picture", lambda: picture(image, caption, region=record.region, heat=heat))
        return drawn and (self._written(drawn, "clean", lambda: as_jpeg(image)) or drawn)

    def _with_strip(self, camera: Camera, record: AlertRecord) -> AlertRecord:
        made = strip(
            camera.track.thumbnails,
            started_s=record.started_s,
            peaked_s=record.peaked_s,
            ended_s=record.ended_s,
            started=datetime.fromisoformat(record.started_utc),
        )
        return record if made is None else self._written(record, "strip", lambda: made) or record

    def _with_trace(self, camera: Camera, record: AlertRecord, peak: Moment) -> AlertRecord:
        from_s = record.started_s - self._settings.pre_roll_s
        until_s = record.ended_s
        points = [
            point
            for point in camera.track.points
            if from_s <= point.time_s and (until_s is None or point.time_s <= until_s)
        ]
        made = trace(points, peaked_s=record.peaked_s, heat=peak.heat, region=record.region, words=record.words)
        return self._written(record, "trace", lambda: made) or record

    def _written(self, record: AlertRecord, role: Role, make: Callable[[], bytes]) -> AlertRecord | None:
        """The record with this file, None where it cannot be written."""
        path = evidence_path(self._folder, record.camera, record.id, role)
        try:
            write_file(make(), path)
        except EvidenceError as error:
            self.errors += 1
            if not self._failing:
                self._failing = True
                logger.warning(
                    "alert %s: no %s: %s; until that is over, alerts go on without", record.id, role, error
                )
            return None
        if self._failing:
            self._failing = False
            logger.info("evidence can be written again")
        return _with(record, role, path)


def _with(record: AlertRecord, role: Role, path: Path) -> AlertRecord:
    files = {**record.files(), role: str(path)}
    return replace(record, evidence=tuple(files[role] for role in _ORDER if role in files))


def _told(record: AlertRecord, peak: Moment) -> list[str]:
    """Parts of the picture's caption."""
    families = sorted(peak.score.families.items(), key=lambda part: part[1], reverse=True)
    parts = ", ".join(f"{name} {part:.2g}" for name, part in families if part > _LEAST_PART * record.score)
    told = (record.camera, _clock(peak), scored(record.score, record.threshold), parts, record.words)
    return [part for part in told if part]


def _clock(moment: Moment) -> str:
    return f"{datetime.fromisoformat(moment.utc):%Y-%m-%d %H:%M:%S} UTC"
