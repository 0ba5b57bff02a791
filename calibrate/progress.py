"""Calibration's progress in the terminal: a bar for each stage."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from calibrate.calibration import STAGES, OnProgress


@contextmanager
def bars(console: Console, stages: Sequence[str] = STAGES) -> Iterator[OnProgress]:
    """Bars on a console, nothing where that is no terminal, moved by what the block is given."""
    columns = (
        TextColumn("{task.description:>10}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        tasks = {stage: progress.add_task(stage, total=1.0, start=False) for stage in stages}

        def on_progress(stage: str, share: float) -> None:
            for other in stages[: stages.index(stage)]:
                progress.update(tasks[other], completed=1.0)  # a recording without a length never says it is over
            progress.start_task(tasks[stage])
            progress.update(tasks[stage], completed=share)

        yield on_progress
