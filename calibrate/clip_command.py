"""The command that fetches the clip network's weights, which are not free for every use."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn

from configs.options import messages, output
from detector.features import clip_weights
from detector.features.clip_weights import LICENCE, ClipError


def fetch_clip_weights(
    network: Annotated[str, typer.Argument(metavar="NETWORK", help=f"One of {', '.join(clip_weights.WIDTHS)}.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to put the file into.", file_okay=False)],
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help=f"Their licence is accepted: {LICENCE}.")
    ] = False,
) -> None:
    """Load the optional clip network's weights, 0.2 to 2.7 GB, from the internet. They are not for commercial use."""
    clip_weights.check_name(network)
    if not accept_licence:
        raise ClipError(
            f"{network}: the licence of its weights is {LICENCE}: nothing was fetched; if you accept it, say "
            "--accept-licence"
        )
    messages.print(f"licence of the weights: {LICENCE}", soft_wrap=True, highlight=False)
    columns = (TextColumn(network), BarColumn(), TextColumn("{task.percentage:3.0f} %"))
    with Progress(*columns, console=messages, disable=not messages.is_terminal) as progress:
        task = progress.add_task(network, total=1.0)
        file = clip_weights.fetch(network, out, lambda share: progress.update(task, completed=share))
    output.print(f"{file.path}\nSHA-256 {file.sha256}", soft_wrap=True, highlight=False)
