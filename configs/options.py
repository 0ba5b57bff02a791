"""What the commands have in common: options of the same name and meaning, and where they write."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

output, messages = Console(), Console(stderr=True)


class Device(StrEnum):
    """Where the detector computes."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


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


def fail(line: str) -> NoReturn:
    """Say what is wrong in one line and end the command with status 1."""
    messages.print(f"error: {line}", soft_wrap=True, highlight=False, markup=False)
    raise typer.Exit(1)
