"""What the toy experiment tells its user: a bar while it learns, a table or one JSON object at the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from calibrate.toy.experiment import DEFAULT_AGGREGATE, Aucs, Evaluation, Experiment, OnEpoch

_LEARNED_AUC = 0.99


def result(experiment: Experiment, folder: Path) -> dict[str, object]:
    """Everything that came out, ready for JSON."""
    final, learned = experiment.final, experiment.first_with(_LEARNED_AUC)
    return {
        "auc": final.energy.by_aggregate,
        "auc_score_norm": final.score_norm.by_aggregate,
        "auc_by_scale": {
            "sigma": experiment.sigmas,
            "energy": final.energy.by_scale,
            "score_norm": final.score_norm.by_scale,
        },
        "oracle": {"energy": _oracle(final.energy), "score_norm": _oracle(final.score_norm)},
        f"epochs_to_auc_{_LEARNED_AUC:g}": learned and learned.epoch,
        f"steps_to_auc_{_LEARNED_AUC:g}": learned and learned.steps,
        "steps": final.steps,
        "seconds": round(experiment.seconds, 3),
        "settings": asdict(experiment.settings),
        "out": str(folder),
    }


def terminal_report(experiment: Experiment, folder: Path) -> RenderableType:
    """The table for a console of any width: what was chosen beforehand first, the oracle last."""
    final, learned = experiment.final, experiment.first_with(_LEARNED_AUC)
    table = Table(title="area under the ROC curve, test points", title_justify="left", title_style="bold")
    table.add_column()
    table.add_column("energy", justify="right")
    table.add_column("score norm", justify="right")
    for kind, auc in final.energy.by_aggregate.items():
        default = kind == DEFAULT_AGGREGATE
        name = f"{kind} over scales (the default)" if default else kind
        table.add_row(name, _area(auc), _area(final.score_norm.by_aggregate[kind]), style="bold" if default else "")
    table.add_section()
    by_scale = zip(experiment.sigmas, final.energy.by_scale, final.score_norm.by_scale, strict=True)
    for index, (sigma, energy, score_norm) in enumerate(by_scale):
        table.add_row(f"scale {index + 1}, σ = {sigma:.3g}", _area(energy), _area(score_norm))
    table.add_section()
    oracles = final.energy.oracle, final.score_norm.oracle
    table.add_row(
        "best on the test data (an oracle: needs labels)", *(f"{_area(auc)}\n{name}" for name, auc in oracles)
    )
    took = (
        f"energy {DEFAULT_AGGREGATE} found at {_LEARNED_AUC:g} or more first in epoch {learned.epoch}, "
        f"after {learned.steps} steps"
        if learned
        else f"energy {DEFAULT_AGGREGATE} never reached {_LEARNED_AUC:g}"
    )
    return Group(
        table,
        Text(f"{took}; {final.steps} steps and their evaluations took {experiment.seconds:.1f} s"),
        Text(f"pictures and curves: tensorboard --logdir {folder}", overflow="fold"),
    )


@contextmanager
def bar(console: Console, epochs: int) -> Iterator[OnEpoch]:
    """A bar on a console, nothing where that is no terminal, moved by each epoch."""
    columns = (
        TextColumn("epoch {task.completed}/{task.total}"),
        BarColumn(),
        TextColumn("loss {task.fields[loss]}  AUC {task.fields[auc]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("learning", total=epochs, loss="–", auc="–")

        def on_epoch(epoch: int, loss: float, evaluation: Evaluation | None) -> None:
            progress.update(task, completed=epoch, loss=f"{loss:.4f}")
            if evaluation is not None:
                progress.update(task, auc=_area(evaluation.energy.by_aggregate[DEFAULT_AGGREGATE]))

        yield on_epoch


def _area(auc: float) -> str:
    return f"{auc:.5f}"


def _oracle(aucs: Aucs) -> dict[str, object]:
    name, auc = aucs.oracle
    return {"auc": auc, "of": name, "needs_labels": True}
