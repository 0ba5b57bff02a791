"""A site at work: from its configuration to rings, a table of processes and a supervisor that runs them.

Reads the cameras' bundles, because they say how large the pictures are; that needs no torch.
"""

import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from configs.schema import CameraSettings, ClipSettings, Config, ConfigError, MemorySettings
from detector.bundle import Bundle, BundleError, ClipPreparation, check_settings, read
from stream import logs
from stream.bus import Endpoints
from stream.capture import CaptureSpec
from stream.dashboard import DashboardSpec
from stream.printer import PrinterSpec
from stream.ring import Ring
from stream.sink import SinkCamera, SinkSpec
from stream.source import is_camera, open_source, redact
from stream.stopping import StopSignals
from stream.store import FOOTAGE, Store, default_folder
from stream.supervisor import Child, Supervisor
from stream.worker_spec import MemorySpec, WorkerCamera, WorkerSpec

logger = logging.getLogger(__name__)

Show = Literal["dashboard", "json", "log"]

LOG_NAME = "mulde.log"

_RING_S = 4.0  # of frames: the sink reads the one of an alert's peak a moment after it was scored
_FEWEST_SLOTS = 8
_OBSERVERS, _SINK, _WORKER, _CAPTURE = range(4)  # stages, in the order of their start


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
) -> Outcome:
    """Watch all cameras of a site until it is told to stop. Call it in the main thread.

    Args:
        show: A full-screen dashboard, JSON lines on standard output, or only the log on standard error. Beside the
            dashboard the log goes to a file in the store's folder.
        seconds: Time to run, None = no end.
        picture: Where the dashboard writes a picture of itself while an anomaly is open.

    Raises:
        ConfigError: No cameras, or one without a model.
        BundleError: A model cannot be used, or was calibrated with other settings.
        SourceError: A file or scene cannot be opened. A camera that is down is waited for.
        StoreError, RingError, BusError, LogError: What stands in the way of a start.
    """
    if not config.cameras:
        raise ConfigError("no cameras: name a source, or a site file with --config")
    models = {camera.name: _model(camera) for camera in config.cameras}
    for camera in config.cameras:
        _check_source(camera, models[camera.name])
    folder = config.store.folder or default_folder()
    Store.open(folder).close()  # what is wrong with it is told now and not in the middle of the night
    log_file = folder / LOG_NAME if show == "dashboard" else None
    with ExitStack() as stack:
        signals = stack.enter_context(StopSignals())  # so that what is made here is also taken away
        endpoints = stack.enter_context(_bus())
        children = []
        sink_cameras, worker_cameras, captures = [], [], []
        for camera in config.cameras:
            preparation = models[camera.name].preparation
            slots = max(_FEWEST_SLOTS, round(_RING_S * preparation.rate_fps))
            ring = stack.enter_context(Ring.create(slots, preparation.height, preparation.width)).spec
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
                    endpoints=endpoints,
                )
            )
        children += _observers(show, endpoints, tuple(models), title, picture)
        sink = SinkSpec(endpoints=endpoints, folder=folder, cameras=tuple(sink_cameras))
        worker = WorkerSpec(
            endpoints=endpoints,
            settings=config.worker,
            cameras=tuple(worker_cameras),
            memory=_memory(config.memory, folder),
        )
        children.append(Child(name="sink", target="stream.sink:run", spec=sink, stage=_SINK))
        children.append(Child(name="worker", target="stream.worker:run", spec=worker, stage=_WORKER))
        children += [
            Child(name=spec.process, target="stream.capture:run", spec=spec, stage=_CAPTURE) for spec in captures
        ]
        logs.configure("supervisor", log_file)
        if signals.presses:
            return Outcome(status=0, reason=f"{signals.last_name} received", worked_s=0.0)
        supervisor = Supervisor(config.supervisor, children, endpoints, log_file)
        status = supervisor.run(seconds)
        return Outcome(status=status, reason=supervisor.reason, worked_s=supervisor.worked_s)


def terminal_is_there() -> bool:
    """Whether a dashboard could be seen."""
    return sys.stdout.isatty() and sys.stdin.isatty()


def _model(camera: CameraSettings) -> Bundle:
    """The camera's bundle, after checking that nothing in the configuration contradicts it."""
    if camera.model is None:
        raise ConfigError(
            f"camera {camera.name}: has no model: make one with `calibrate {redact(camera.source)} --model FILE` and "
            "name it with --model or in the site file"
        )
    model = read(camera.model)
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


def _check_source(camera: CameraSettings, model: Bundle) -> None:
    """Open a file or scene once: what is wrong with it now will not be better after the capture's restarts."""
    if not is_camera(camera.source):
        size = (model.preparation.width, model.preparation.height)
        open_source(
            camera.source, size=size, rate_fps=model.preparation.rate_fps, connection=camera.connection
        ).close()


@contextmanager
def _bus() -> Iterator[Endpoints]:
    """Sockets in a private folder that is gone afterwards."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(tempfile.mkdtemp(prefix="mulde-", dir=base if base and Path(base).is_dir() else None))
    try:
        yield Endpoints.in_folder(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _observers(
    show: Show, endpoints: Endpoints, cameras: tuple[str, ...], title: str, picture: Path | None
) -> list[Child]:
    if show == "dashboard":
        spec = DashboardSpec(endpoints=endpoints, cameras=cameras, title=title, picture=picture)
        return [Child(name="view", target="stream.dashboard:run", spec=spec, stage=_OBSERVERS)]
    if show == "json":
        printer = PrinterSpec(endpoints=endpoints)
        return [Child(name="printer", target="stream.printer:run", spec=printer, stage=_OBSERVERS)]
    return []
