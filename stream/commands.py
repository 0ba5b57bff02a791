"""The commands that watch: demo, watch, reload."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from configs.options import ConfigFile, DeviceOption, Sources, StoreFolder, fail, output
from configs.schema import Config, load, load_store, validate

if TYPE_CHECKING:
    from stream.demo import Tally
    from stream.observers import Show

_PROGRAM = Path(__file__).parents[1] / "run_stream.py"
_DEMO_CONFIG = Path(__file__).parents[1] / "configs" / "demo.yaml"
_DEMO_NORMAL, _DEMO_LIVE = (
    "demo://street?seed=1&seconds={seconds:g}",
    "demo://street?seed=2&anomalies=1&seconds={seconds:g}",
)
_DEMO_S = 150.0


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

    config = load(_DEMO_CONFIG)
    folder = default_folder() / "demo"
    model = folder / "street.mulde"
    # In a process of its own: what watches afterwards does not need torch.
    normal = _DEMO_NORMAL.format(seconds=config.calibration.minutes * 60.0)
    arguments = ["calibrate", normal, "--model", str(model), "--config", str(_DEMO_CONFIG)]
    finished = subprocess.run([sys.executable, str(_PROGRAM), *arguments], check=False)  # noqa: S603 - this program
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
        fail(outcome.reason)


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
    health: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Answer /healthz, /readyz and /metrics there. Default: nowhere."),
    ] = None,
) -> None:
    """Watch cameras, show their anomaly levels live and keep alerts with pictures."""
    from stream import site
    from stream.source.arguments import expanded  # numpy comes with it

    names = expanded(sources)

    def read() -> Config:
        config = load(config_file) if config_file else Config()
        if names:
            config = _with_cameras(config, names, [f"cam{index + 1}" for index in range(len(names))], model)
        elif model is not None:
            cameras = [one if one.model else one.model_copy(update={"model": model}) for one in config.cameras]
            config = config.model_copy(update={"cameras": tuple(cameras)})
        if device is not None:
            config = config.model_copy(update={"worker": config.worker.model_copy(update={"device": device.value})})
        if store is not None:
            config = config.model_copy(update={"store": config.store.model_copy(update={"folder": store})})
        if health is not None:
            config = config.model_copy(update={"health": validate({"health": {"listen": health}}, "--health").health})
        return config

    show: Show = "json" if as_json else "log" if headless or not site.terminal_is_there() else "dashboard"
    outcome = site.watch(read(), show=show, seconds=seconds, reread=read if config_file else None)
    if outcome.status:
        fail(outcome.reason)


def reload(config_file: ConfigFile = None, store: StoreFolder = None) -> None:
    """Have the running watch read its site file again; where that cannot be used, it goes on with what it has.

    Which watch: the one whose alerts are kept in the store of this site file, or in this folder.
    """
    from stream.running import ask_to_reload
    from stream.store import default_folder

    if store is None and config_file is not None:
        store = load_store(config_file).folder
    output.print(f"reloaded: {ask_to_reload(store or default_folder())}", soft_wrap=True, highlight=False)


def _with_cameras(config: Config, sources: list[str], names: list[str], model: Path | None) -> Config:
    """The configuration with these cameras instead of its own, and its sections for each."""
    raw = [{"name": name, "source": source, "model": model} for name, source in zip(names, sources, strict=True)]
    sections = {"analysis": config.analysis, "policy": config.policy, "connection": config.connection}
    cameras = validate({"cameras": raw}, "command line").cameras
    return config.model_copy(update={"cameras": tuple(camera.model_copy(update=sections) for camera in cameras)})


def _print_tally(result: "Tally", played_s: float, folder: Path) -> None:
    for kind, planted in result.planted.items():
        output.print(f"  {kind:<12} {result.caught[kind]} of {planted}")
    caught, planted = sum(result.caught.values()), sum(result.planted.values())
    output.print(
        f"caught {caught} of {planted} planted, {result.false_alerts} false alert(s) in {played_s:.0f} s; "
        f"pictures: {folder / 'evidence'}",
        soft_wrap=True,
    )
