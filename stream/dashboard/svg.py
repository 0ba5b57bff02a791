"""The page of all cameras as a picture, for documents."""

import io
import re
from pathlib import Path

from rich.console import Console

from stream.dashboard.focus import Focus
from stream.dashboard.page import render
from stream.overview import Moment, State


def export_svg(state: State, title: str, path: Path, width: int, height: int, now: Moment) -> None:
    """Write the page as an SVG picture that loads nothing from elsewhere. Replaces the file in one step.

    Raises:
        OSError: It cannot be written.
    """
    console = Console(
        file=io.StringIO(), record=True, width=width, height=height, force_terminal=True, color_system="standard"
    )
    console.print(render(state, Focus(), title, width, height, now), end="")
    svg = re.sub(
        r"@font-face \{.*?\}\s*", "", console.export_svg(title=title, unique_id="dashboard"), flags=re.DOTALL
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(svg, encoding="utf-8")
    part.replace(path)
