"""The commands that learn and measure: calibrate, evaluate, toy."""

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from configs.options import ConfigFile, Device, DeviceOption, Sources, fail, messages, output
from configs.schema import CalibrationSettings, CameraSettings, Config, ConfigError, load
from stream.source_arguments import expanded


def calibrate(
    sources: Sources = None,
    model: Annotated[Path | None, typer.Option(metavar="OUT.mulde", help="Where to write what was learned.")] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help="Footage to take from a camera; recordings are taken whole.")
    ] = None,
    alerts_per_day: Annotated[float | None, typer.Option(min=1e-4, help="False-alert budget. Default: 1.")] = None,
    config_file: ConfigFile = None,
    camera: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Take settings, and by default source and model, of this camera."),
    ] = None,
    device: DeviceOption = None,
) -> None:
    """Learn what is normal from footage in which everything is normal, and choose the threshold."""
    config = load(config_file) if config_file else Config()
    chosen = _camera(config, camera, config_file)
    names = expanded(sources) or ([chosen.source] if chosen else [])
    target = model or (chosen.model if chosen else None)
    if not names or target is None:
        raise ConfigError("calibrate: name SOURCE and --model OUT.mulde, or a camera of a site file with --camera")
    settings = config.calibration
    given = {"minutes": minutes, "alerts_per_day": alerts_per_day}
    settings = CalibrationSettings(
        **{**settings.model_dump(), **{key: value for key, value in given.items() if value is not None}}
    )
    _calibrate(names, target, settings, chosen or config, device or Device(config.worker.device))


def _calibrate(
    names: list[str], target: Path, settings: CalibrationSettings, chosen: Config | CameraSettings, device: Device
) -> None:
    from calibrate import footage

    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    # Before torch, which takes seconds to load: what is wrong with a source is told at once.
    plan = footage.plan(
        names,
        long_side_px=chosen.analysis.long_side_px,
        rate_fps=chosen.analysis.rate_fps,
        minutes=settings.minutes,
        connection=chosen.connection,
    )
    with _interrupt_exits():
        from calibrate import calibration, progress, report
        from detector import bundle

    computing, threads = _use(device)
    with progress.bars(messages) as on_progress:
        made = calibration.calibrate(
            plan,
            mask=chosen.analysis.mask,
            policy=chosen.policy,
            settings=settings,
            device=computing,
            threads=threads,
            on_progress=on_progress,
        )
    bundle.write(made.bundle, target)
    output.print(report.terminal_report(made, target))


def _use(device: Device) -> tuple[str, int]:
    """Set this process up to compute there; "cpu" or "cuda", and the number of threads."""
    from detector.device import DeviceError, use_device

    try:
        return use_device(device.value, threads=0)
    except DeviceError as error:
        fail(str(error))


def _camera(config: Config, name: str | None, config_file: Path | None) -> CameraSettings | None:
    """The camera of this name, None where none is asked for."""
    if name is None:
        return None
    for camera in config.cameras:
        if camera.name == name:
            return camera
    known = ", ".join(camera.name for camera in config.cameras) or "it has none"
    raise ConfigError(f"{config_file or '--camera'}: no camera {name}; cameras: {known}")


@contextmanager
def _interrupt_exits() -> Iterator[None]:
    """End the process on the spot on Ctrl-C: some libraries turn it into an ImportError while they are loaded."""

    def leave(*_: object) -> None:
        messages.print("stopped")
        os._exit(130)

    before = signal.signal(signal.SIGINT, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
