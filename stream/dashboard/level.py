"""A camera's level as a bar, as numbers and as a chart over time, on a scale from 0 to twice the threshold."""

from itertools import groupby

from stream.dashboard.cells import QUIET, Line, fit
from stream.dashboard.numbers import number
from stream.overview import CameraView, Moment

_BLOCKS = " ▁▂▃▄▅▆▇█"
_CHART_S = 180  # what a chart shows at least, wider ones more


def bar(level: float, width: int) -> Line:
    """The level, with the threshold marked in the middle."""
    half = (width - 1) // 2
    filled = round(min(level, 2.0) * half)
    style = "red" if level > 1.0 else "green"
    return [
        ("━" * min(filled, half), style),
        ("─" * (half - filled), QUIET),
        ("┃", "bold"),
        ("━" * (filled - half), style),
        ("─" * (width - 1 - half - max(filled - half, 0)), QUIET),
    ]


def numbers(camera: CameraView, width: int) -> Line:
    """The latest score and the threshold, of a camera that has a score."""
    assert camera.score is not None, "numbers are shown only where there is a score"
    score, threshold = number(camera.score.score), number(camera.score.threshold)
    over = camera.score.score > camera.score.threshold
    threshold = f"/{threshold}"[: max(0, width - len(score))]
    return [(fit(score, width - len(threshold), right=True), "bold red" if over else ""), (threshold, QUIET)]


def chart(camera: CameraView, width: int, height: int, now: Moment) -> list[Line]:
    """Levels over time as columns; those that crossed the threshold are red."""
    levels = camera.history(width, column_s(width), now)
    steps = [0 if value is None else _steps(value, height) for value in levels]
    styles = ["red" if value is not None and value > 1.0 else "green" for value in levels]
    middle = height // 2 if height % 2 and height > 1 else None
    rows: list[Line] = []
    for row in range(height):
        below = 8 * (height - 1 - row)
        cells = []
        for step, style in zip(steps, styles, strict=True):
            block = _BLOCKS[min(8, max(0, step - below))]
            threshold = block == " " and row == middle
            cells.append(("┈", QUIET) if threshold else (block, style if block != " " else ""))
        rows.append(
            [("".join(cell for cell, _ in run), style) for style, run in groupby(cells, lambda cell: cell[1])]
        )
    return rows


def column_s(width: int) -> int:
    """Seconds that one column of a chart of this width stands for."""
    return -(-_CHART_S // max(1, width))


def span(width: int) -> str:
    """What a chart of this width shows, in words."""
    return f"last {width * column_s(width) / 60:.0f} min"


def _steps(value: float, height: int) -> int:
    """Eighths of a line, at least 1; more than half of all exactly where the threshold is crossed."""
    half = 4 * height
    filled = round(min(value, 2.0) * half)  # a tiny threshold may make the level infinite
    return max(1, min(half, filled)) if value <= 1.0 else max(half + 1, filled)
