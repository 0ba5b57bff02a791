"""Pictures of a calibration's report: curves as SVG, light or dark as its reader likes, and maps as JPEG."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from calibrate.episodes import Run
from calibrate.report.moments import Exceedances, Moment
from calibrate.threshold import DAY_S
from detector.bundle import Budget
from detector.features.grid import Map

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Image = npt.NDArray[np.uint8]

_INK, _GRID, _CURVE, _LIMIT, _BAD = "#2a3342", "#dfe4eb", "#1f5fa8", "#c4640f", "#c62828"
_DARK = {_INK: "#d5dbe5", _GRID: "#343c49", _CURVE: "#7db1ee", _LIMIT: "#f0a35c", _BAD: "#ff7b72"}
_MOST_POINTS = 1200  # of a curve; the highest score of each part of the time is drawn
_WIDTH_IN, _HEIGHT_IN, _FONT_PT = 4.8, 2.9, 8.0  # so that it can still be read as wide as a phone
_ROOM = 1.3  # times what matters; an interval that reaches further leaves the picture
_MAP_PX = 640  # long side
_OPACITY = 0.65
_COLOURS = cv2.COLORMAP_VIRIDIS
_QUALITY = 85


def score_over_time(footage: Sequence[Run], asked: Budget, moments: Sequence[Moment]) -> str:
    """Smoothed scores of all recordings one after the other, with the threshold and the numbered moments, as SVG."""
    starts_s = _starts(footage)
    total_s = max(starts_s[run.segment] + float(run.times_s[-1]) for run in footage)
    unit_s, unit = next(
        one for one in ((3600.0, "h"), (60.0, "min"), (1.0, "s")) if total_s >= 2 * one[0] or one[0] == 1.0
    )
    with _svg() as (axes, drawn):
        for run in footage:
            times_s, scores = _highest(run, round(_MOST_POINTS * (run.times_s[-1] - run.times_s[0]) / total_s))
            axes.plot((starts_s[run.segment] + times_s) / unit_s, scores, color=_CURVE, linewidth=0.8)
        for start_s in list(starts_s.values())[1:]:
            axes.axvline(start_s / unit_s, color=_INK, linewidth=0.6, linestyle=":")
        top = max(1.15 * max(float(run.scores.max()) for run in footage), 1.3 * asked.threshold)
        axes.axhspan(asked.low, min(asked.high, top), color=_LIMIT, alpha=0.15, linewidth=0)
        axes.axhline(asked.threshold, color=_LIMIT, linewidth=1.2)
        for number, moment in enumerate(moments, start=1):
            peak = moment.peak
            at_s = starts_s[peak.segment] + peak.time_s
            _mark(axes, at_s / unit_s, peak.height, str(number), bad=moment.suspicious)
        axes.set(xlim=(0.0, total_s / unit_s), ylim=(0.0, top))
        axes.set(xlabel=f"time, {unit}", ylabel="score, decades of rarity")
    return drawn[0]


def tail(
    found: Sequence[Exceedances],
    suspicious: Sequence[float],
    budgets: Sequence[Budget],
    asked: Budget,
    footage_s: float,
) -> str:
    """How many alerts a day each threshold gives: counted in the footage, and as chosen for each budget, as SVG.

    Args:
        suspicious: Heights of the episodes that do not count.
        budgets: By rising rate.
    """
    once = DAY_S / footage_s
    # Below, episodes grow together again.
    most = max(range(len(found)), key=lambda at: len(found[at].peaks), default=0)
    levels = [one.level for one in found[: most + 1]]
    rates = [len(one.peaks) * once for one in found[: most + 1]]
    per_day = [one.alerts_per_day for one in budgets]
    with _svg() as (axes, drawn):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.axhline(once, color=_INK, linewidth=0.8, linestyle=":", label="one in all of the footage")
        low, high = [one.low for one in budgets], [one.high for one in budgets]
        axes.fill_betweenx(per_day, low, high, color=_LIMIT, alpha=0.15, linewidth=0)
        axes.plot([one.threshold for one in budgets], per_day, color=_LIMIT, linewidth=1.2, label="by budget, 95 %")
        axes.errorbar(
            [asked.threshold],
            [asked.alerts_per_day],
            xerr=([asked.threshold - asked.low], [asked.high - asked.threshold]),
            color=_LIMIT,
            marker="D",
            markersize=5,
            linewidth=1.0,
            capsize=3,
            label="asked for",
        )
        axes.plot(levels, rates, color=_CURVE, linewidth=0, marker="o", markersize=3.5, label="counted")
        if suspicious:
            counts = [once] * len(suspicious)
            axes.plot(suspicious, counts, color=_BAD, linewidth=0, marker="x", label="suspicious, not counted")
        axes.set_xlim(0.0, _ROOM * max([*levels, *suspicious, asked.threshold, *(one.threshold for one in budgets)]))
        axes.set_ylim(0.5 * min(per_day), 3.0 * max([*per_day, *rates, once]))
        axes.set(xlabel="threshold, decades of rarity", ylabel="alerts a day")
        axes.legend(frameon=False, fontsize=_FONT_PT - 1, labelcolor=_INK, loc="upper right")
    return drawn[0]


def over_scene(background: Map, values: Map, top: float) -> bytes:
    """Values (rows, columns) in colours over the empty scene, 0 to `top`; nothing where there is none, as JPEG.

    Args:
        background: Grey levels of any size.
        values: NaN and 0 = none.
    """
    height, width = background.shape
    scale = _MAP_PX / max(height, width)
    size = round(scale * width), round(scale * height)
    grey = cv2.resize(np.clip(background, 0, 255).astype(np.uint8), size, interpolation=cv2.INTER_CUBIC)
    scene = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR).astype(np.float32)
    levels = np.clip(255.0 * np.nan_to_num(values) / top, 0, 255).astype(np.uint8)
    colours = cv2.resize(cv2.applyColorMap(levels, _COLOURS), size, interpolation=cv2.INTER_NEAREST)
    shown = cv2.resize((np.nan_to_num(values) > 0.0).astype(np.float32), size, interpolation=cv2.INTER_NEAREST)
    opacity = _OPACITY * shown[:, :, None]
    return _jpeg((scene * (1.0 - opacity) + colours * opacity).astype(np.uint8))


def colours(count: int = 9) -> list[str]:
    """Those of the maps from 0 to the top, for a legend: "#rrggbb"."""
    levels = np.linspace(0, 255, count).astype(np.uint8)[None]
    return [
        f"#{red:02x}{green:02x}{blue:02x}" for blue, green, red in cv2.applyColorMap(levels, _COLOURS)[0].tolist()
    ]


def _jpeg(image: npt.NDArray[np.uint8]) -> bytes:
    written, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    assert written, "OpenCV writes any picture of 8 bits as a JPEG"
    return data.tobytes()


def _starts(footage: Sequence[Run]) -> dict[int, float]:
    """When each segment begins where they are put one after the other."""
    lengths_s: dict[int, float] = {}
    for run in footage:
        lengths_s[run.segment] = max(lengths_s.get(run.segment, 0.0), float(run.times_s[-1]))
    starts_s, start_s = {}, 0.0
    for segment, length_s in lengths_s.items():
        starts_s[segment] = start_s
        start_s += length_s
    return starts_s


def _highest(run: Run, parts: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Times and scores of the highest of each part of the run."""
    count = len(run.scores)
    if count <= max(2, parts):
        return run.times_s, run.scores
    bounds = np.linspace(0, count, max(2, parts) + 1).astype(np.int64)
    at = np.array([start + int(np.argmax(run.scores[start:stop])) for start, stop in pairwise(bounds.tolist())])
    return run.times_s[at], run.scores[at]


def _mark(axes: "Axes", x: float, y: float, text: str, *, bad: bool) -> None:
    colour = _BAD if bad else _INK
    axes.plot([x], [y], color=colour, marker="x" if bad else ".", markersize=5, linewidth=0)
    axes.annotate(
        text, (x, y), xytext=(0, 3), textcoords="offset points", ha="center", color=colour, fontsize=_FONT_PT - 1
    )


@contextmanager
def _svg() -> Iterator[tuple["Axes", list[str]]]:
    """One pair of axes, and the list that holds their drawing after the block."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "report", "font.size": _FONT_PT}):
        figure = Figure(figsize=(_WIDTH_IN, _HEIGHT_IN), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        figure.patch.set_alpha(0.0)
        axes.patch.set_alpha(0.0)
        axes.grid(visible=True, color=_GRID, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(_INK)
        axes.tick_params(which="both", colors=_INK)
        axes.xaxis.label.set_color(_INK)
        axes.yaxis.label.set_color(_INK)
        drawn: list[str] = []
        yield axes, drawn
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    drawn.append(_with_colours_of_the_page(file.getvalue()))


def _with_colours_of_the_page(svg: str) -> str:
    """The drawing alone, its colours those of the reader's light or dark scheme."""
    svg = svg[svg.index("<svg") :]
    names = {colour: f"--c{number}" for number, colour in enumerate(_DARK)}
    for colour, name in names.items():
        svg = svg.replace(colour, f"var({name},{colour})")
    dark = "".join(f"{names[colour]}:{other};" for colour, other in _DARK.items())
    style = f"<style>@media (prefers-color-scheme:dark){{:root{{{dark}}}}}</style>"
    end = svg.index(">") + 1
    return svg[:end] + style + svg[end:]
