"""A site at work: from its configuration to rings, a table of processes and a supervisor that runs them.

Reads the cameras' bundles, because they say how large the pictures are; that needs no torch.
"""

import logging
import os
import resource
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from configs.evidence import EvidenceSettings
from configs.schema import Config, ConfigError
from configs.settings import AnalysisSettings, CameraSettings, ClipSettings, MemorySettings
from detector.bundle import Bundle, BundleError, ClipPreparation, Preparation, check_settings, read_all
from stream import logs
from stream.bus.keys import KeysError
from stream.capture import CaptureSpec
from stream.clips import ClipSpec
from stream.notify.apprise_service import check_installed
from stream.observers import STAGE, Show, notifiers, servers, viewers
from stream.reload import ReloadError
from stream.ring import Ring, RingError, RingSpec, slots_for
from stream.running import Claim, claim
from stream.seat import Child
from stream.sink.camera import SinkCamera
from stream.sink.process import SinkSpec
from stream.sink.retention import Limits
from stream.source import SourceError, analysed_size, is_camera, open_source, redact
from stream.stopping import StopSignals
from stream.store import FOOTAGE, Store, default_folder
from stream.supervisor import Supervisor
from stream.worker_spec import MemorySpec, WorkerCamera, WorkerSpec

logger = logging.getLogger(__name__)

LOG_NAME = "mulde.log"

_CHANGEABLE = (
    "cameras",
    "analysis",
    "policy",
    "connection",
    "notify",
    "calibration",
)  # the last is not read here at all

_FILES, _FILES_PER_CAMERA = 128, 8  # twice what is open at once
_SINK, _WORKER, _CAPTURE = range(STAGE + 1, STAGE + 4)  # stages, in the order of their start


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a site ended."""

    status: int
    """Exit status."""
    reason: str
    worked_s: float
    """Time from the moment when every process was ready."""


def watch(
    config: Config,
    *,
    show: Show,
    seconds: float | None = None,
    title: str = "MULDE stream",
    picture: Path | None = None,
    reread: Callable[[], Config] | None = None,
) -> Outcome:
    """Watch all cameras of a site until it is told to stop. Call it in the main thread.

    Args:
        show: A full-screen dashboard, JSON lines on standard output, or only the log on standard error. Beside the
            dashboard the log goes to a file in the store's folder.
        seconds: Time to run, None = no end.
        picture: Where the dashboard writes a picture of itself while an anomaly is open.
        reread: Makes the configuration anew when a reload is asked for, by `reload` or, where no terminal could hang
            up, by SIGHUP; None = it cannot change.

    Raises:
        ConfigError: No cameras, or one without a model.
        BundleError: A model cannot be used, or was calibrated with other settings.
        SourceError: A file or scene cannot be opened. A camera that is down is waited for.
        StoreError, RunningError, RingError, BusError, KeysError, LogError: What stands in the way of a start.
    """
    models = _checked(config)
    _need_files(len(models))
    folder = config.store.folder or default_folder()
    Store.open(folder).close()  # what is wrong with it is told now and not in the middle of the night
    log_file = folder / LOG_NAME if show == "dashboard" else None
    hangup_reloads = reread is not None and not _has_controlling_terminal()
    with ExitStack() as stack:
        # First, so that what is made here is also taken away.
        signals = stack.enter_context(StopSignals(hangup_reloads=hangup_reloads))
        held = stack.enter_context(claim(folder, tuple(models)))
        show_here = partial(viewers, show, held.endpoints, title=title, picture=picture)
        site = stack.enter_context(_Site(held, folder, show_here, reread))
        children = site.start(config, models)
        supervisor = Supervisor(
            config.supervisor, children, held.endpoints, log_file, site, hangup_reloads=hangup_reloads
        )
        return run(supervisor, signals, log_file, seconds)


def run(supervisor: Supervisor, signals: StopSignals, log_file: Path | None, seconds: float | None) -> Outcome:
    """Run the processes to their end, unless a signal came while they were drawn up.

    Raises:
        BusError, LogError: What stands in the way of a start.
    """
    logs.configure("supervisor", log_file)
    if signals.presses:
        return Outcome(status=0, reason=f"{signals.last_name} received", worked_s=0.0)
    status = supervisor.run(seconds)
    return Outcome(status=status, reason=supervisor.reason, worked_s=supervisor.worked_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A camera's ring, and what goes into it; for anything else there is another ring, which begins at 0."""

    source: str = field(repr=False)
    preparation: Preparation
    ring: Ring

    @classmethod
    def made(cls, source: str, preparation: Preparation) -> "_Place":
        ring = Ring.create(slots_for(preparation.rate_fps), preparation.height, preparation.width)
        return cls(source=source, preparation=preparation, ring=ring)

    def is_for(self, source: str, preparation: Preparation) -> bool:
        return (self.source, self.preparation) == (source, preparation)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """A configuration with the places of its cameras."""

    config: Config
    places: dict[str, _Place]

    def changes_of(self, before: "_Plan") -> str:
        """Which cameras are new, gone or others than before, in words."""
        now, then = ({one.name: one for one in plan.config.cameras} for plan in (self, before))
        both = [name for name in now if name in then]
        changed = [n for n in both if now[n] != then[n] or self.places[n] is not before.places[n]]
        groups = {"added": [*now.keys() - then.keys()], "removed": [*then.keys() - now.keys()], "changed": changed}
        texts = [f"{what} {', '.join(sorted(names))}" for what, names in groups.items() if names]
        return "; ".join(texts) or "no camera has changed"

    def free_all_but(self, kept: "_Plan") -> None:
        for name, place in self.places.items():
            if kept.places.get(name) is not place:
                place.ring.close()


_NOTHING = _Plan(config=Config(), places={})


class _Site:
    """The table of processes as the configuration has it now, and the rings they share, freed at the end."""

    def __init__(
        self,
        held: Claim,
        folder: Path,
        viewers: Callable[[tuple[str, ...]], list[Child]],
        reread: Callable[[], Config] | None,
    ) -> None:
        self._held = held
        self._endpoints = held.endpoints
        self._folder = folder
        self._viewers = viewers
        self._reread = reread
        self._plan = self._next = _NOTHING

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._next.free_all_but(self._plan)
        self._plan.free_all_but(_NOTHING)

    def start(self, config: Config, models: Mapping[str, Bundle]) -> list[Child]:
        """The first table."""
        children = self._table(config, models)
        self._plan = self._next
        return children

    def asked(self) -> bool:
        """See `stream.reload.Tables`, also for those below."""
        return self._held.asked()

    def draw_up(self) -> list[Child]:
        if self._reread is None:
            raise ReloadError("started without a site file (--config): there is nothing to read again")
        try:
            config = self._reread()
            fixed = _fixed_changes(self._plan.config, config)
            if fixed:
                raise ReloadError(f"{', '.join(fixed)}: cannot change while it runs: restart to use it")
            return self._table(config, _checked(config, self._plan.places))
        except (BundleError, ConfigError, KeysError, RingError, SourceError) as error:
            raise ReloadError(logs.without_passwords(str(error))) from error

    def settle(self, refusal: str) -> None:
        if refusal:
            self._next.free_all_but(self._plan)
            self._next = self._plan
            logger.warning("not reloaded, all goes on as it was: %s", refusal)
            self._held.answer(refusal, refused=True)
        else:
            done = self._next.changes_of(self._plan)
            self._plan.free_all_but(self._next)
            self._plan = self._next
            self._held.tell(tuple(self._plan.places))
            logger.info("reloaded: %s", done)
            self._held.answer(done, refused=False)

    def _table(self, config: Config, models: Mapping[str, Bundle]) -> list[Child]:
        """The children for this configuration, with a ring for each camera that has none that fits."""
        places: dict[str, _Place] = {}
        self._next = _Plan(config=config, places=places)
        sink_cameras, worker_cameras, captures = [], [], []
        for camera in config.cameras:
            preparation = models[camera.name].preparation
            place = self._plan.places.get(camera.name)
            if place is None or not place.is_for(camera.source, preparation):
                place = _Place.made(camera.source, preparation)
            places[camera.name] = place
            ring = place.ring.spec
            sink_cameras.append(
                SinkCamera(
                    name=camera.name,
                    ring=ring,
                    policy=camera.policy,
                    trouble_after_s=camera.connection.trouble_after_s,
                )
            )
            assert camera.model is not None, "asked in _model"
            mask = camera.analysis.mask if "mask" in camera.analysis.model_fields_set else None
            worker_cameras.append(
                WorkerCamera(
                    name=camera.name,
                    ring=ring,
                    model=camera.model,
                    threshold=camera.threshold,
                    mask=mask,
                    clip_weights=camera.analysis.clip.weights,
                    policy=camera.policy,
                )
            )
            captures.append(
                CaptureSpec(
                    camera=camera.name,
                    source=camera.source,
                    ring=ring,
                    rate_fps=preparation.rate_fps,
                    connection=camera.connection,
                    endpoints=self._endpoints,
                    clips=_clips(config.evidence),
                )
            )
        sink = SinkSpec(
            endpoints=self._endpoints,
            folder=self._folder,
            cameras=tuple(sink_cameras),
            limits=Limits(days=config.store.keep_days, megabytes=config.store.keep_megabytes),
            notices=config.notify is not None,
            evidence=config.evidence,
        )
        worker = WorkerSpec(
            endpoints=self._endpoints,
            settings=config.worker,
            cameras=tuple(worker_cameras),
            memory=_memory(config.memory, self._folder),
        )
        return [
            *self._viewers(tuple(places)),
            *servers(config.health, config.bus, self._endpoints, tuple(places)),
            *notifiers(config.notify, self._endpoints, self._folder, tuple(places)),
            Child(name="sink", target="stream.sink.process:run", spec=sink, stage=_SINK, adapts=True),
            Child(name="worker", target="stream.worker:run", spec=worker, stage=_WORKER, adapts=True),
            *(Child(name=spec.process, target="stream.capture:run", spec=spec, stage=_CAPTURE) for spec in captures),
        ]


def shared_memory_bytes(camera: CameraSettings | None) -> int:
    """What a camera's ring takes; of one without a model as if it were 16:9, None = with the default settings.

    Raises:
        ConfigError, BundleError: Its model cannot be used.
    """
    analysis = AnalysisSettings() if camera is None else camera.analysis
    rate_fps, (width, height) = analysis.rate_fps, analysed_size((16, 9), analysis.long_side_px)
    if camera is not None and camera.model is not None:
        preparation = _model(camera).preparation
        rate_fps, width, height = preparation.rate_fps, preparation.width, preparation.height
    return RingSpec(name="", slots=slots_for(rate_fps), height=height, width=width).total_bytes


def open_files(cameras: int) -> int:
    """How many files one process may have to open for so many cameras."""
    return _FILES + _FILES_PER_CAMERA * cameras


def terminal_is_there() -> bool:
    """Whether a dashboard could be seen."""
    return sys.stdout.isatty() and sys.stdin.isatty()


def _has_controlling_terminal() -> bool:
    """Whether a terminal would end this process by SIGHUP when it is closed."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _need_files(cameras: int) -> None:
    """Let this process and its children open as many files as so many cameras take.

    Checked first: where one is missing, ZeroMQ ends the process without a word.

    Raises:
        ConfigError: The system does not allow so many.
    """
    needed = open_files(cameras)
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed >= needed:
        return
    if most != resource.RLIM_INFINITY and most < needed:
        raise ConfigError(
            f"open files: {most} are allowed, {needed} are needed for {cameras} camera(s): raise the limit "
            f"(`ulimit -n {needed}`, LimitNOFILE= of a service)"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, most))


def _checked(config: Config, known: Mapping[str, _Place] | None = None) -> dict[str, Bundle]:
    """The cameras' bundles, after checking all that would fail later; sources only where they are not known."""
    if not config.cameras:
        raise ConfigError("no cameras: name a source, or a site file with --config")
    if config.notify is not None:
        check_installed(config.notify)
    models = {camera.name: _model(camera) for camera in config.cameras}
    for camera in config.cameras:
        model, place = models[camera.name], (known or {}).get(camera.name)
        if place is None or not place.is_for(camera.source, model.preparation):
            _check_source(camera, model)
    return models


def _fixed_changes(before: Config, after: Config) -> list[str]:
    """Keys that differ and are read only at the start."""
    return [
        f"{section}.{key}"
        for section in Config.model_fields
        if section not in _CHANGEABLE
        for key in type(getattr(before, section)).model_fields
        if getattr(getattr(before, section), key) != getattr(getattr(after, section), key)
    ]


def _model(camera: CameraSettings) -> Bundle:
    """The camera's bundle, after checking that nothing in the configuration contradicts it."""
    if camera.model is None:
        raise ConfigError(
            f"camera {camera.name}: has no model: make one with `calibrate {redact(camera.source)} --model FILE` and "
            "name it with --model or in the site file"
        )
    model = read_all(camera.model)[0]  # regimes are prepared alike
    chosen: dict[str, object] = {
        name: getattr(section, name)
        for section in (camera.analysis, camera.policy)
        for name in ("rate_fps", "smoothing_s")
        if name in section.model_fields_set
    }
    where = f"{camera.model}, camera {camera.name}"
    if model.preparation.clip is not None and "mask" in camera.analysis.model_fields_set:
        chosen["mask"] = camera.analysis.mask  # of clips, nothing can be left out afterwards
    check_settings(model, chosen, where)
    _check_clip(camera.analysis.clip, model.preparation.clip, where)
    long_side_px = camera.analysis.long_side_px
    made_for = max(model.preparation.width, model.preparation.height)
    if "long_side_px" in camera.analysis.model_fields_set and abs(long_side_px - made_for) >= 16:
        raise BundleError(
            f"{where}: the model does not fit the settings: long_side_px {long_side_px}, calibrated with {made_for}: "
            "calibrate again"
        )
    return model


def _check_clip(chosen: ClipSettings, made: ClipPreparation | None, where: str) -> None:
    """Refuse another clip network or stride than the model's. The weights are the worker's to check."""
    calibrated = None if made is None else made.network
    if chosen.network != calibrated:
        raise BundleError(
            f"{where}: the model does not fit the settings: analysis.clip.network {chosen.network or 'null'}, "
            f"calibrated with {calibrated or 'null'}: name that one, or calibrate again"
        )
    if made is not None and "stride_s" in chosen.model_fields_set and chosen.stride_s != made.stride_s:
        raise BundleError(
            f"{where}: the model does not fit the settings: analysis.clip.stride_s {chosen.stride_s:g}, calibrated "
            f"with {made.stride_s:g}: calibrate again"
        )


def _memory(settings: MemorySettings, store_folder: Path) -> MemorySpec | None:
    if not settings.keep:
        return None
    return MemorySpec(
        folder=settings.folder or store_folder / FOOTAGE,
        episodes=settings.episodes,
        normal_s=settings.normal_minutes * 60.0,
        most_bytes=round(settings.megabytes * 1e6),
    )


def _clips(settings: EvidenceSettings) -> ClipSpec | None:
    if not settings.clips:
        return None
    return ClipSpec(
        pre_roll_s=settings.pre_roll_s,
        post_roll_s=settings.post_roll_s,
        longest_s=settings.longest_s,
        memory_bytes=round(settings.clip_megabytes * 1e6),
    )


def _check_source(camera: CameraSettings, model: Bundle) -> None:
    """Open a file or scene once: what is wrong with it now will not be better after the capture's restarts."""
    if not is_camera(camera.source):
        size = (model.preparation.width, model.preparation.height)
        open_source(
            camera.source, size=size, rate_fps=model.preparation.rate_fps, connection=camera.connection
        ).close()
