"""The command line: parse, load the configuration, hand over. Imports what a command needs when it is called."""

import signal

if __name__ == "__main__":  # until `main` a Ctrl-C ends it without a traceback; not in the processes it spawns
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console

from configs.schema import CalibrationSettings, CameraSettings, Config, ConfigError, load, validate

if TYPE_CHECKING:
    from stream.demo import Tally
    from stream.site import Show
    from stream.source import Source

app = typer.Typer(
    help="Watch cameras for what is not normal: calibrate on normal footage, then watch.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
alerts_app = typer.Typer(help="Look at the alerts that were kept.", no_args_is_help=True)
app.add_typer(alerts_app, name="alerts")

_DEMO_CONFIG = Path(__file__).parent / "configs" / "demo.yaml"
_DEMO_NORMAL, _DEMO_LIVE = (
    "demo://street?seed=1&seconds={seconds:g}",
    "demo://street?seed=2&anomalies=1&seconds={seconds:g}",
)
_DEMO_S = 150.0
_PROBE_S = 3.0

_UsageError: type[Any] = typer.BadParameter.__bases__[0]  # which typer has under no name of its own

output, messages = Console(), Console(stderr=True)


class Device(StrEnum):
    """Where the detector computes."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Form(StrEnum):
    """How `alerts export` writes."""

    JSON = "json"
    CSV = "csv"


Sources = Annotated[
    list[str] | None,
    typer.Argument(
        help="rtsp(s):// or http(s):// URL, video file, folder of videos (calibrate only), webcam number or "
        "demo://NAME. ${NAME} stands for an environment variable: 'rtsp://me:${PASSWORD}@camera/stream'.",
        show_default=False,
    ),
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Site file; see configs/site.example.yaml.")
]
DeviceOption = Annotated[Device | None, typer.Option(help="Where to compute; auto takes a GPU where there is one.")]
StoreFolder = Annotated[
    Path | None,
    typer.Option("--store", metavar="FOLDER", help="Where alerts are kept. Default: the user's state folder."),
]


@app.command()
def demo(
    headless: Annotated[bool, typer.Option("--headless", help="Log instead of drawing a dashboard.")] = False,
    seconds: Annotated[float, typer.Option(min=10.0, help="How long the live part plays.")] = _DEMO_S,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE.svg", help="Write a picture of the dashboard during an alert.")
    ] = None,
) -> None:
    """Learn a drawn street, then watch it live with planted anomalies; says at the end how many were caught."""
    from stream import site
    from stream.demo import tally
    from stream.scene import open_scene
    from stream.store import Store, default_folder

    with _errors_in_one_line():
        config = load(_DEMO_CONFIG)
        folder = default_folder() / "demo"
        model = folder / "street.mulde"
        # In a process of its own: what watches afterwards does not need torch.
        normal = _DEMO_NORMAL.format(seconds=config.calibration.minutes * 60.0)
        arguments = ["calibrate", normal, "--model", str(model), "--config", str(_DEMO_CONFIG)]
        finished = subprocess.run([sys.executable, __file__, *arguments], check=False)  # noqa: S603 - this program
        if finished.returncode:
            raise typer.Exit(finished.returncode)
        live = _DEMO_LIVE.format(seconds=seconds)
        config = _with_cameras(config, [live], ["street"], model)
        config = config.model_copy(update={"store": config.store.model_copy(update={"folder": folder})})
        started = datetime.now(UTC)
        show: Show = "log" if headless or not site.terminal_is_there() else "dashboard"
        outcome = site.watch(config, show=show, title="MULDE stream · demo", picture=picture)
        with Store.open(folder) as store:
            alerts = [alert for alert in store.find(since=started) if alert.kind == "anomaly"]
        played_s = min(seconds, outcome.worked_s)
        _print_tally(tally(alerts, open_scene(live).events, played_s), played_s, folder)
    if outcome.status:
        _fail(outcome.reason)


@app.command()
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
    with _errors_in_one_line():
        config = load(config_file) if config_file else Config()
        chosen = _camera(config, camera, config_file)
        names = _expanded(sources) or ([chosen.source] if chosen else [])
        target = model or (chosen.model if chosen else None)
        if not names or target is None:
            raise ConfigError(
                "calibrate: name SOURCE and --model OUT.mulde, or a camera of a site file with --camera"
            )
        _hide_passwords(sources)
        settings = config.calibration
        given = {"minutes": minutes, "alerts_per_day": alerts_per_day}
        settings = CalibrationSettings(
            **{**settings.model_dump(), **{key: value for key, value in given.items() if value is not None}}
        )
        _calibrate(names, target, settings, chosen or config, device or Device(config.worker.device))


@app.command()
def watch(
    sources: Sources = None,
    model: Annotated[
        Path | None,
        typer.Option(metavar="F.mulde", help="What calibrate wrote, for cameras without one of their own."),
    ] = None,
    config_file: ConfigFile = None,
    headless: Annotated[bool, typer.Option("--headless", help="Log instead of drawing a dashboard.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line on standard output.")] = False,
    seconds: Annotated[float | None, typer.Option(min=0.0, help="End after this long. Default: never.")] = None,
    device: DeviceOption = None,
    store: StoreFolder = None,
) -> None:
    """Watch cameras, show their anomaly levels live and keep alerts with pictures."""
    with _errors_in_one_line(interrupted=0):  # Ctrl-C is how people end a monitor, also one that only starts
        from stream import site

        config = load(config_file) if config_file else Config()
        names = _expanded(sources)
        _hide_passwords(sources)
        if names:
            config = _with_cameras(config, names, [f"cam{index + 1}" for index in range(len(names))], model)
        elif model is not None:
            cameras = [one if one.model else one.model_copy(update={"model": model}) for one in config.cameras]
            config = config.model_copy(update={"cameras": tuple(cameras)})
        if device is not None:
            config = config.model_copy(update={"worker": config.worker.model_copy(update={"device": device.value})})
        if store is not None:
            config = config.model_copy(update={"store": config.store.model_copy(update={"folder": store})})
        show: Show = "json" if as_json else "log" if headless or not site.terminal_is_there() else "dashboard"
        outcome = site.watch(config, show=show, seconds=seconds)
    if outcome.status:
        _fail(outcome.reason)


@app.command()
def probe(
    source: Annotated[str, typer.Argument(help="What to look at; see watch.")],
    config_file: ConfigFile = None,
) -> None:
    """Open a source, look at it for some seconds, and say what it delivers."""
    from stream.source import open_source, redact

    with _errors_in_one_line():
        config = load(config_file) if config_file else Config()
        (name,) = _expanded([source])
        _hide_passwords([source])
        started = datetime.now(UTC)
        with open_source(
            name,
            long_side_px=config.analysis.long_side_px,
            rate_fps=config.analysis.rate_fps,
            connection=config.connection,
        ) as opened:
            first = opened.read()
            opened_s = (datetime.now(UTC) - started).total_seconds()
            for picture in opened:
                if picture.stream_time_s - first.stream_time_s >= _PROBE_S:
                    break
            _print_probe(redact(name), opened, opened_s)


@alerts_app.command("list")
def alerts_list(
    camera: Annotated[str | None, typer.Option(help="Only of this camera.")] = None,
    days: Annotated[float | None, typer.Option(min=0.0, help="Only of the latest days.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most, newest first.")] = 50,
    store: StoreFolder = None,
    config_file: ConfigFile = None,
) -> None:
    """List alerts, newest first."""
    from stream.alerts_page import as_table
    from stream.store import Store

    with _errors_in_one_line(), Store.open(_store_folder(store, config_file)) as opened:
        output.print(as_table(opened.find(camera=camera, since=_since(days), limit=limit)))


@alerts_app.command("show")
def alerts_show(
    alert_id: Annotated[str, typer.Argument(metavar="ID")], store: StoreFolder = None, config_file: ConfigFile = None
) -> None:
    """Show one alert with the place of its evidence."""
    from stream.alerts_page import as_details
    from stream.store import Store, StoreError

    with _errors_in_one_line(), Store.open(_store_folder(store, config_file)) as opened:
        record = opened.get(alert_id)
        if record is None:
            raise StoreError(f"alert {alert_id}: there is none of this id: see `alerts list`")
        output.print(as_details(record))


@alerts_app.command("export")
def alerts_export(
    form: Annotated[Form, typer.Option("--format", help="JSON lines or CSV.")] = Form.JSON,
    camera: Annotated[str | None, typer.Option(help="Only of this camera.")] = None,
    days: Annotated[float | None, typer.Option(min=0.0, help="Only of the latest days.")] = None,
    store: StoreFolder = None,
    config_file: ConfigFile = None,
) -> None:
    """Write all alerts to standard output."""
    from stream.alerts_page import as_csv, as_json_lines
    from stream.store import Store

    with _errors_in_one_line(), Store.open(_store_folder(store, config_file)) as opened:
        records = opened.find(camera=camera, since=_since(days))
        sys.stdout.write(as_json_lines(records) if form is Form.JSON else as_csv(records))


def main() -> None:
    """Run the command line; a wrong use of it is exit status 2."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Threads that spin while they wait take the cores from those that work. Read once, when torch is loaded, also by
    # the processes started from here.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        status = app(standalone_mode=False)
    except _UsageError as error:
        line = error.format_message()  # empty where the help was shown instead
        if line:
            messages.print(f"error: {line.rstrip('.')}: see --help", soft_wrap=True, highlight=False, markup=False)
        sys.exit(2)
    sys.exit(status)


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
        from detector.device import DeviceError, use_device

    try:
        computing, threads = use_device(device.value, threads=0)
    except DeviceError as error:
        _fail(str(error))
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


def _with_cameras(config: Config, sources: list[str], names: list[str], model: Path | None) -> Config:
    """The configuration with these cameras instead of its own, and its sections for each."""
    raw = [{"name": name, "source": source, "model": model} for name, source in zip(names, sources, strict=True)]
    sections = {"analysis": config.analysis, "policy": config.policy, "connection": config.connection}
    cameras = validate({"cameras": raw}, "command line").cameras
    return config.model_copy(update={"cameras": tuple(camera.model_copy(update=sections) for camera in cameras)})


def _camera(config: Config, name: str | None, config_file: Path | None) -> CameraSettings | None:
    """The camera of this name, None where none is asked for."""
    if name is None:
        return None
    for camera in config.cameras:
        if camera.name == name:
            return camera
    known = ", ".join(camera.name for camera in config.cameras) or "it has none"
    raise ConfigError(f"{config_file or '--camera'}: no camera {name}; cameras: {known}")


def _expanded(sources: list[str] | None) -> list[str]:
    from configs.schema import expand_environment

    try:
        return [expand_environment(source) for source in sources or []]
    except ValueError as error:
        raise ConfigError(f"SOURCE: {error}") from error


def _hide_passwords(sources: list[str] | None) -> None:
    """Take URLs with a password out of the process list, where every user of the machine could read them."""
    from stream.source import redact

    if any(redact(source) != source for source in sources or []):
        from setproctitle import setproctitle

        setproctitle("mulde-stream " + " ".join(redact(argument) for argument in sys.argv[1:]))


def _store_folder(store: Path | None, config_file: Path | None) -> Path:
    from stream.store import default_folder

    configured = load(config_file).store.folder if config_file else None
    return store or configured or default_folder()


def _since(days: float | None) -> datetime | None:
    return None if days is None else datetime.now(UTC) - timedelta(days=days)


def _print_tally(result: "Tally", played_s: float, folder: Path) -> None:
    for kind, planted in result.planted.items():
        output.print(f"  {kind:<12} {result.caught[kind]} of {planted}")
    caught, planted = sum(result.caught.values()), sum(result.planted.values())
    output.print(
        f"caught {caught} of {planted} planted, {result.false_alerts} false alert(s) in {played_s:.0f} s; "
        f"pictures: {folder / 'evidence'}",
        soft_wrap=True,
    )


def _print_probe(where: str, opened: "Source", opened_s: float) -> None:
    width, height = opened.native_size
    rows = {
        "source": where,
        "picture": f"{width}×{height}, analysed at {opened.size[0]}×{opened.size[1]}",
        "rate": f"{opened.measured_fps:.1f} frames/s measured, {opened.native_fps:.1f} announced",
        "length": "no end" if opened.duration_s is None else f"{opened.duration_s:.1f} s",
        "damaged": f"{opened.decode_errors} frames",
        "first picture": f"after {opened_s:.2f} s",
    }
    for name, text in rows.items():
        output.print(f"{name:<14}{text}", soft_wrap=True, highlight=False, markup=False)


@contextmanager
def _errors_in_one_line(interrupted: int = 130) -> Iterator[None]:
    """Turn every error that a user can mend into its line and exit status 1, and Ctrl-C into `interrupted`."""
    try:
        from calibrate.footage import FootageError
        from detector.bundle import BundleError
        from stream.bus import BusError
        from stream.logs import LogError
        from stream.ring import RingError
        from stream.source_error import SourceError
        from stream.store import StoreError

        try:
            yield
        except (
            ConfigError,
            BundleError,
            BusError,
            FootageError,
            LogError,
            RingError,
            SourceError,
            StoreError,
        ) as error:
            _fail(str(error))
    except KeyboardInterrupt:
        messages.print("stopped")
        raise typer.Exit(interrupted) from None


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


def _fail(line: str) -> NoReturn:
    messages.print(f"error: {line}", soft_wrap=True, highlight=False, markup=False)
    raise typer.Exit(1)


if __name__ == "__main__":
    main()
