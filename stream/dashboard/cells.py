"""Text in a terminal's cells: lines of styled parts, fitted, cut and wrapped by what they really take up; boxes.

Knows nothing of cameras.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

Part = tuple[str, str]
"""Text and its style."""
Line = list[Part]

QUIET = "bright_black"


@dataclass(frozen=True, slots=True)
class Page:
    """Lines ready to be drawn, by any rich console."""

    lines: tuple[Line, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self.lines:
            for text, style in line:
                yield Segment(text, Style.parse(style))
            yield Segment.line()


def box(title: str, note: str, rows: list[Line], width: int, height: int | None = None) -> list[Line]:
    """The rows in a frame of this width, `height` of them (empty ones are added, the last ones left out)."""
    if height is not None:
        rows = rows[:height] + [[]] * (height - len(rows))
    title = fit(title, min(cell_len(title), max(0, width - 6)))
    note = f" {note} ─" if note and cell_len(note) + cell_len(title) + 8 <= width else ""
    rule = "─" * max(0, width - cell_len(title) - cell_len(note) - 5)
    lines: list[Line] = [[("╭─ ", QUIET), (title, ""), (f" {rule}{note}╮", QUIET)]]
    lines += [[("│ ", QUIET), *cut(row, max(0, width - 4)), (" │", QUIET)] for row in rows]
    lines.append([(f"╰{'─' * (width - 2)}╯", QUIET)])
    return lines


def beside(left: list[Line], right: list[Line]) -> list[Line]:
    """Two blocks of lines next to each other."""
    nothing: Line = []
    return [[*one, *other] for one, other in zip_longest(left, right, fillvalue=nothing)]


def fit(text: str, width: int, *, right: bool = False) -> str:
    """The text in exactly `width` cells, cut with a sign where it is longer."""
    missing = width - cell_len(text)
    if missing >= 0:
        return " " * missing + text if right else text + " " * missing
    return set_cell_size(text, max(0, width - 1)) + "…"[:width]


def cut(line: Line, width: int) -> Line:
    """The line in exactly `width` cells."""
    parts: Line = []
    left = width
    for text, style in line:
        part = text if cell_len(text) <= left else set_cell_size(text, left)
        parts.append((part, style))
        left -= cell_len(part)
    return [*parts, (" " * left, "")]


def wrap(text: str, width: int, lines: int) -> Iterator[str]:
    """The text on at most so many lines."""
    for index in range(lines):
        if index == lines - 1 or cell_len(text) <= width:
            yield fit(text, width)
            return
        begun = set_cell_size(text, width)
        head = begun.rpartition(" ")[0] or begun
        yield head
        text = text[len(head) :].lstrip()


def width_of(parts: Iterable[Part]) -> int:
    """Cells that the parts take up."""
    return sum(cell_len(text) for text, _ in parts)


def printable(text: str) -> str:
    """The text without anything a terminal would take for a command."""
    return "".join(character if character.isprintable() else " " for character in text)
