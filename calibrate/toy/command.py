"""The toy command: its options, and what it does with them."""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from calibrate.interrupt import exit_on_interrupt
from calibrate.toy.settings import ToyError, ToySettings
from configs.options import Device, DeviceOption, messages, output

if TYPE_CHECKING:
    from calibrate.toy.experiment import Evaluation

_TOY = ToySettings()
_SLOW_WEIGHTS = 4_000_000  # of a network that takes a CPU longer than anybody waits


class ToyCommand(TyperCommand):
    """Lets `--units` take every number that follows it, as in `--units 256 256`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # typer has no public name for this context
        """What typer makes of the arguments when each number has an option of its own."""
        spread: list[str] = []
        of_units = False
        for argument in args:
            if of_units and argument.isdecimal() and spread[-1] != "--units":
                spread.append("--units")
            elif not argument.isdecimal():
                of_units = argument.partition("=")[0] == "--units"
            spread.append(argument)
        return super().parse_args(ctx, spread)


def toy(
    plot_dataset: Annotated[bool, typer.Option("--plot-dataset", help="Draw the points by themselves too.")] = False,
    gmm: Annotated[
        bool, typer.Option("--gmm", help="Aggregate scales also by Gaussian mixtures of 1, 3 and 5.")
    ] = False,
    beta: Annotated[float, typer.Option(help="Weight of the regulariser that aligns the scales.")] = _TOY.beta,
    scales: Annotated[int, typer.Option("--L", help="How many noise scales energies are read at.")] = _TOY.scales,
    sigma_low: Annotated[float, typer.Option(help="Smallest noise scale.")] = _TOY.sigma_low,
    sigma_high: Annotated[float, typer.Option(help="Largest noise scale.")] = _TOY.sigma_high,
    sigma_spacing: Annotated[
        Literal["linear", "geometric"], typer.Option(help="Between the scales that are read.")
    ] = _TOY.sigma_spacing,
    units: Annotated[
        list[int] | None,
        typer.Option(
            metavar="U...",
            show_default=False,
            help="Neurons of each hidden layer, as in --units 256 256, which takes a minute on a CPU. "
            "Default: 4096 4096, which is for a GPU.",
        ),
    ] = None,
    lr: Annotated[float, typer.Option(help="Learning rate.")] = _TOY.lr,
    batch_size: Annotated[int, typer.Option(help="Points in a training step.")] = _TOY.batch_size,
    epochs: Annotated[int, typer.Option(help="How often every training point is seen.")] = _TOY.epochs,
    layernorm: Annotated[bool, typer.Option("--layernorm", help="Normalise each hidden layer.")] = False,
    dropout: Annotated[float, typer.Option(metavar="P", help="Share of neurons switched off.")] = _TOY.dropout,
    use_scheduler: Annotated[
        bool, typer.Option("--use-scheduler", help="Multiply the learning rate by 0.9 every 50 epochs.")
    ] = False,
    gradient_clipping: Annotated[
        float | None, typer.Option(metavar="BOUND", help="Bound on each element of the gradient. Default: none.")
    ] = None,
    unstandardized: Annotated[
        bool, typer.Option("--unstandardized", help="Learn on the points as they are.")
    ] = False,
    meshgrid_offset: Annotated[
        float, typer.Option(help="How far maps reach beyond the points.")
    ] = _TOY.meshgrid_offset,
    eval_every: Annotated[
        int, typer.Option(help="Epochs from one evaluation to the next; the last is always evaluated.")
    ] = _TOY.eval_every,
    seed: Annotated[int, typer.Option(help="Of points, network and mixtures: same seed, same numbers.")] = _TOY.seed,
    device: DeviceOption = None,
    experiment_name: Annotated[str, typer.Option(metavar="NAME", help="Begins the name of the folder.")] = "toy",
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where pictures and TensorBoard curves go. Default: runs/NAME-TIME."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Repeat the paper's toy experiment: learn four clusters in the plane, tell nine others from them."""
    settings = ToySettings(
        units=tuple(units) if units else _TOY.units,
        layernorm=layernorm,
        dropout=dropout,
        sigma_low=sigma_low,
        sigma_high=sigma_high,
        sigma_spacing=sigma_spacing,
        scales=scales,
        beta=beta,
        lr=lr,
        batch_size=batch_size,
        epochs=epochs,
        use_scheduler=use_scheduler,
        gradient_clipping=gradient_clipping,
        unstandardized=unstandardized,
        gmm=gmm,
        meshgrid_offset=meshgrid_offset,
        eval_every=eval_every,
        seed=seed,
    )
    folder = out or Path("runs") / f"{experiment_name}-{datetime.now():%Y%m%d-%H%M%S}"
    with exit_on_interrupt(messages):
        _toy(settings, folder, device or Device.AUTO, with_dataset=plot_dataset, as_json=as_json)


def _toy(settings: ToySettings, folder: Path, device: Device, *, with_dataset: bool, as_json: bool) -> None:
    from calibrate.toy import report as toy_report
    from calibrate.toy.experiment import Experiment, draw_points
    from calibrate.toy.record import open_record
    from detector.device import DeviceError, use_device

    try:
        computing, _ = use_device(device.value, threads=0)
    except DeviceError as error:
        raise ToyError(str(error)) from error
    if computing == "cpu" and settings.weights > _SLOW_WEIGHTS:
        messages.print(
            f"{settings.weights / 1e6:.0f} million weights take hours on a CPU; --units 256 256 takes a minute",
            soft_wrap=True,
            highlight=False,
        )
    experiment = Experiment(draw_points(settings.seed), settings, computing)
    with open_record(folder) as record:
        with toy_report.bar(messages, settings.epochs) as show_epoch:

            def on_epoch(epoch: int, loss: float, evaluation: "Evaluation | None") -> None:
                record.add_epoch(epoch, loss, evaluation, experiment.sigmas)
                show_epoch(epoch, loss, evaluation)

            experiment.learn(on_epoch)
        record.add_pictures(experiment, with_dataset=with_dataset)
        result = toy_report.result(experiment, folder)
        record.add_result(result)
    if as_json:
        sys.stdout.write(json.dumps(result, allow_nan=False) + "\n")
    else:
        output.print(toy_report.terminal_report(experiment, folder))
