"""The sink process: scores in, alerts out; each is in the store, with its picture, before anyone hears of it.

The trouble of keeping alerts never stops the announcing of them. Knows nothing of how scores come about.
"""

import logging
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from configs.evidence import EvidenceSettings
from stream.bus import Endpoints, Publisher, ScoreReceiver, Subscriber
from stream.child import Parent
from stream.clock import utc_now, utc_text
from stream.messages import Alert, Health, Score
from stream.messages import Camera as CameraState
from stream.overview import place
from stream.policy import SET_BACK, SILENT, Event
from stream.sink.archive import Archive
from stream.sink.camera import Camera, Moment, SinkCamera
from stream.sink.evidence import EvidenceWriter
from stream.sink.retention import Limits
from stream.store import AlertRecord, new_id

logger = logging.getLogger(__name__)

PROCESS = "sink"
REMOVED, CHANGED = "camera removed", "camera changed"
"""Why an alert ended with a reload."""

_POLL_S = 0.2
_REPORT_EVERY_S = 1.0
_BROKER_S = 2.0
_DRAIN_POLL_S = 0.1  # the lane is empty where nothing comes for so long: the workers are gone before the sink ...
_DRAIN_S = 1.5  # ... and where one is not, this is the end


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkSpec:
    """All the sink process needs."""

    endpoints: Endpoints
    folder: Path
    """Of the store; evidence is kept in `evidence/CAMERA/` below it."""
    cameras: tuple[SinkCamera, ...]
    limits: Limits
    """Of what is kept."""
    notices: bool = False
    """Whether somebody is told of alerts, so that they go into the outbox."""
    evidence: EvidenceSettings = field(default_factory=EvidenceSettings)


def run(spec: SinkSpec, parent: Parent) -> None:
    """Turn scores into alerts until the parent says stop; then work off what is under way and end what is open.

    A store that cannot be used is logged and tried again for ever.

    Raises:
        BusError: The scores lane cannot be listened at.
        RingError: A camera's ring is not there.
    """
    with ExitStack() as stack:
        cameras: dict[str, Camera] = {}
        stack.callback(_let_go, cameras)
        for camera in spec.cameras:
            cameras[camera.name] = Camera.attached(camera)
        receiver = stack.enter_context(ScoreReceiver(spec.endpoints))
        publisher = stack.enter_context(Publisher(spec.endpoints))
        states = stack.enter_context(Subscriber(spec.endpoints, (b"camera/",)))
        archive = Archive(spec.folder, spec.limits, notices=spec.notices)
        stack.callback(archive.close)
        _Sink(spec, parent, receiver, states, publisher, archive, cameras).run()


def _let_go(cameras: dict[str, Camera]) -> None:
    for camera in cameras.values():
        camera.ring.close()


class _Sink:
    def __init__(
        self,
        spec: SinkSpec,
        parent: Parent,
        receiver: ScoreReceiver,
        states: Subscriber,
        publisher: Publisher,
        archive: Archive,
        cameras: dict[str, Camera],
    ) -> None:
        self._spec = spec
        self._parent = parent
        self._receiver = receiver
        self._states = states
        self._publisher = publisher
        self._archive = archive
        self._evidence = EvidenceWriter(spec.folder, spec.evidence)
        self._cameras = cameras
        self._reported_s = 0.0
        self._counts: Counter[str] = Counter(
            dict.fromkeys(("scores", "refused", "unknown_camera", "repeated", "alerts"), 0)
        )

    def run(self) -> None:
        self._archive.flush()
        self._reach_broker()
        self._parent.ready()
        while not self._parent.stopping():
            received = self._receiver.receive(0.0)
            if received is None:
                self._look_for_silence()  # only here, so that scores that wait in the lane are not overlooked
                received = self._receiver.receive(_POLL_S)
            if received is not None:
                self._take(*received)
            self._keep_house()
            if (new := self._parent.new_spec()) is not None:
                self._take_up(new)
                self._parent.ready()
        until_s = time.monotonic() + _DRAIN_S
        while time.monotonic() < until_s and (received := self._receiver.receive(_DRAIN_POLL_S)) is not None:
            self._take(*received)
        for camera in self._cameras.values():
            self._close(camera, "stopped")
            self._end_trouble(camera)
        self._archive.notes.unwatched(self._cameras, utc_now())
        self._archive.flush(at_once=True)
        self._report()

    def _reach_broker(self) -> None:
        """Wait until observers hear this process: what a publisher sends before that is lost."""
        until_s = time.monotonic() + _BROKER_S
        with Subscriber(self._spec.endpoints, (f"health/{PROCESS}/".encode(),)) as echo:
            while time.monotonic() < until_s and not self._parent.stopping():
                self._report()
                if echo.receive(0.02) is not None:
                    return
        logger.warning("the bus does not forward what this process sends; alerts are kept all the same")

    def _keep_house(self) -> None:
        self._look_at_states()
        self._archive.flush()
        self._archive.tidy()
        for record in self._archive.take_interrupted():
            logger.info("alert %s: %s", record.id, record.reason)
            if record.camera in self._cameras:
                self._publish("end", record, record.peaked_s, record.ended_utc or record.started_utc, record.reason)
        if time.monotonic() - self._reported_s >= _REPORT_EVERY_S:
            self._report()

    def _take_up(self, spec: SinkSpec) -> None:
        """Go on with other cameras. Alerts stay open except of those that are gone or have become another."""
        self._archive.change_notices(spec.notices)
        new = {camera.name: camera for camera in spec.cameras}
        for name, camera in [*self._cameras.items()]:
            if name not in new or new[name].ring != camera.ring.spec:
                self._close(camera, CHANGED if name in new else REMOVED)
                self._end_trouble(camera)
                camera.ring.close()
                del self._cameras[name]
                self._archive.notes.unwatched([name], utc_now())
            else:
                camera.policy.change(new[name].policy)
                camera.trouble_after_s = new[name].trouble_after_s
        for name in new.keys() - self._cameras.keys():
            self._cameras[name] = Camera.attached(new[name], time.monotonic())

    def _look_at_states(self) -> None:
        """Begin and end alerts about cameras that deliver no pictures, also where their capture process is mute."""
        for state in self._states.batch(0.0):
            assert isinstance(state, CameraState), "only camera states have this topic"
            camera = self._cameras.get(state.camera)
            if camera is None:
                continue
            self._archive.notes.state(state)
            camera.over = state.state == "ended"
            camera.well_s = min(camera.well_s, time.monotonic())
            if state.state in ("live", "ended"):
                camera.well_s, camera.complaint = time.monotonic(), ""
                if camera.out:
                    self._end_trouble(camera)
            else:
                camera.complaint = state.reason or state.state
        for camera in self._cameras.values():
            if not camera.out and not camera.over and time.monotonic() - camera.well_s > camera.trouble_after_s:
                self._begin_outage(camera)

    def _begin_outage(self, camera: Camera) -> None:
        """One alert for a whole outage, whose cause may change. It began when pictures ceased."""
        self._end_trouble(camera)
        utc = utc_text(datetime.now(UTC) - timedelta(seconds=time.monotonic() - camera.well_s))
        reason = f"no pictures: {camera.complaint or 'no word from its capture process'}"
        started_s = camera.stream_time_at(camera.well_s)
        camera.out = True
        camera.trouble = record = replace(_begun(camera.name, started_s, utc), kind="camera", reason=reason)
        self._count(record)
        self._tell_trouble("start", record, started_s, utc)
        logger.warning("alert %s: camera %s: %s", record.id, camera.name, reason)

    def _look_for_silence(self) -> None:
        now_s = time.monotonic()
        for camera in self._cameras.values():
            if camera.policy.open and now_s - camera.heard_s > camera.policy.silence_s:
                self._close(camera, SILENT)

    def _take(self, score: Score, heat: bytes | None) -> None:
        camera = self._cameras.get(score.camera)
        if camera is None or score.captured_at_s < camera.since_s:
            self._counts["unknown_camera"] += 1
            return
        # A restarted worker may score a frame again, and so may whoever repeats old messages: they change nothing. A
        # restarted capture counts on.
        if score.seq <= camera.last_seq:
            self._counts["repeated"] += 1
            return
        if score.seq > camera.ring.newest:  # no frame has this number yet; taken, it would make all to come old ones
            self._counts["refused"] += 1
            return
        try:
            utc = datetime.fromisoformat(score.utc)
        except ValueError:
            self._counts["refused"] += 1
            return
        self._counts["scores"] += 1
        if camera.policy.last_s is not None and score.stream_time_s < camera.policy.last_s:
            # Before this score, whose clock says nothing about the time of the end.
            self._close(camera, SET_BACK)
            self._end_trouble(camera)
        camera.last_seq, camera.heard_s, camera.utc = score.seq, time.monotonic(), utc
        events = camera.policy.step(score.stream_time_s, score.score, score.threshold)
        self._archive.notes.score(score, utc_text(utc))
        camera.keep_moment(score, heat, events)
        settings = self._spec.evidence
        camera.keep_track(score, events, settings.pre_roll_s, pictures=settings.pictures)
        for event in events:
            self._tell(camera, event)
        camera.forget_moments()
        self._look_at_condition(camera, score)

    def _look_at_condition(self, camera: Camera, score: Score) -> None:
        """Begin and end alerts about the camera itself, which say in their reason what it is."""
        condition = score.condition
        if camera.out:  # a score that was late
            return
        if camera.trouble is not None and camera.trouble.reason != condition:
            self._end_trouble(camera, score.stream_time_s)
        if condition == "ok" or camera.trouble is not None:
            return
        moment = Moment(score=score, frame=camera.ring.read(score.seq))
        record = replace(
            _begun(camera.name, score.stream_time_s, moment.utc),
            kind="drift" if condition == "changed" else "camera",
            score=score.score,
            threshold=score.threshold,
            reason=condition,
        )
        record = self._evidence.of_condition(record, moment)
        camera.trouble = record
        self._count(record)
        self._tell_trouble("start", record, record.started_s, record.started_utc)
        logger.info("alert %s: camera %s: %s", record.id, camera.name, condition)

    def _end_trouble(self, camera: Camera, ended_s: float | None = None) -> None:
        """End the open alert about the camera itself, if there is one.

        An outage ends now, anything else with the latest score unless `ended_s` says when.
        """
        if camera.trouble is None:
            return
        if camera.out:
            ended_s, utc = camera.stream_time_at(time.monotonic()), utc_now()
        else:
            ended_s, utc = camera.policy.last_s if ended_s is None else ended_s, utc_text(camera.utc)
        assert ended_s is not None, "what a score began has the time of a score"
        record = replace(camera.trouble, state="ended", ended_s=ended_s, ended_utc=utc)
        camera.trouble, camera.out = None, False
        self._tell_trouble("end", record, ended_s, utc)
        lasted = f"{ended_s - record.started_s:.1f} s"
        logger.info("alert %s: camera %s: ended after %s, %s", record.id, camera.name, lasted, record.reason)

    def _tell_trouble(self, event: Literal["start", "end"], record: AlertRecord, time_s: float, utc: str) -> None:
        trouble = self._archive.save(record)
        self._publish(event, record, time_s, utc, record.reason + (f"; not stored: {trouble}" if trouble else ""))

    def _close(self, camera: Camera, reason: str) -> None:
        if camera.policy.last_s is not None:
            for event in camera.policy.close(camera.policy.last_s, reason):
                self._tell(camera, event)
            camera.forget_moments()

    def _tell(self, camera: Camera, event: Event) -> None:
        """Keep what is new about an alert, then announce it."""
        episode = event.episode
        peak = camera.moments[episode.peaked_s]
        if event.event == "start":
            time_s, utc = episode.started_s, camera.moments[episode.started_s].utc
            camera.alert, camera.pictured_s = _begun(camera.name, time_s, utc), None
            self._count(camera.alert)
        elif event.event == "update":
            time_s, utc = episode.peaked_s, peak.utc
        else:
            assert episode.ended_s is not None, "an end has its time"
            time_s, utc = episode.ended_s, camera.utc_at(episode.ended_s)
        assert camera.alert is not None, "an episode starts first"
        record = replace(
            camera.alert,
            peaked_s=episode.peaked_s,
            score=episode.peak,
            threshold=peak.score.threshold,
            region=peak.score.region,
            words=peak.score.words or camera.alert.words,
        )
        if event.event == "end":
            record = replace(record, state="ended", ended_utc=utc, ended_s=time_s, reason=event.reason)
        if event.event != "update":
            record = self._evidence.of_anomaly(camera, record, peak)
        trouble = self._archive.save(record)
        camera.alert = None if event.event == "end" else record
        reasons = (event.reason, f"not stored: {trouble}" if trouble else "")
        self._publish(event.event, record, time_s, utc, "; ".join(filter(None, reasons)))
        _log(event, record)

    def _publish(
        self, event: Literal["start", "update", "end"], record: AlertRecord, time_s: float, utc: str, reason: str
    ) -> None:
        self._publisher.send(
            Alert(
                event=event,
                id=record.id,
                kind=record.kind,
                camera=record.camera,
                stream_time_s=time_s,
                utc=utc,
                score=record.score,
                threshold=record.threshold,
                region=record.region,
                evidence=record.evidence,
                reason=reason,
                words=record.words,
            )
        )

    def _count(self, record: AlertRecord) -> None:
        """Count an alert that begins."""
        self._counts["alerts"] += 1
        self._counts[f"alerts/{record.camera}/{record.kind}"] += 1

    def _report(self) -> None:
        """Say on the bus that this process works."""
        counters = {name: float(count) for name, count in self._counts.items()}
        counters["refused"] += self._receiver.refused
        for camera in self._cameras.values():
            counters[f"open/{camera.name}"] = float(camera.policy.open + (camera.trouble is not None))
        counters["open"] = sum(counters[f"open/{name}"] for name in self._cameras)
        counters["evidence_errors"] = self._evidence.errors
        counters["store_errors"] = self._archive.errors
        counters["not_stored"] = self._archive.waiting
        counters["given_up"] = self._archive.given_up
        counters["removed"] = self._archive.removed
        self._publisher.send(Health(process=PROCESS, utc=utc_now(), counters=counters))
        self._reported_s = time.monotonic()


def _begun(camera: str, started_s: float, utc: str) -> AlertRecord:
    """An alert that has just started; its peak is still to be set."""
    return AlertRecord(
        id=new_id(camera, datetime.fromisoformat(utc)),
        camera=camera,
        kind="anomaly",
        state="open",
        started_utc=utc,
        started_s=started_s,
        peaked_s=started_s,
        score=0.0,
        threshold=0.0,
    )


def _log(event: Event, record: AlertRecord) -> None:
    level = f"{record.score:.3g}, threshold {record.threshold:.3g}"
    if event.event == "start":
        told = "".join(f", {part}" for part in (place(record.region), record.words) if part)
        logger.info("alert %s: started, score %s%s", record.id, level, told)
    elif event.event == "end":
        assert record.ended_s is not None
        lasted = f"{record.ended_s - record.started_s:.1f} s"
        logger.info(
            "alert %s: ended after %s, peak %s%s", record.id, lasted, level, event.reason and f", {event.reason}"
        )
