"""Pictures of the toy experiment as PNG: its points, and what the network says over the plane at each scale."""

import io
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from calibrate.toy.experiment import Array, Points

_DPI = 130
_PANEL_IN = 2.35  # width of one map
_MOST_MAPS = 36  # of more scales these are drawn, evenly chosen
_CONTOURS = 9
_SHOWN_POINTS = 400  # of each kind over a map; more would hide it
_TRAIN, _NORMAL, _ANOMALOUS = "#b5b5b5", "#1f5fa8", "#d1390f"  # told apart in grey too


def dataset(points: Points) -> bytes:
    """What is learned from, and what is to be told apart."""
    figure = Figure(figsize=(6.4, 6.0), layout="constrained")
    axes = figure.add_subplot()
    for of_kind, colour, size, name in (
        (points.train, _TRAIN, 2.0, "normal, to learn from"),
        (points.normal, _NORMAL, 1.2, "normal, to test"),
        (points.anomalous, _ANOMALOUS, 1.2, "anomalous, to test"),
    ):
        axes.scatter(
            of_kind[:, 0],
            of_kind[:, 1],
            s=size,
            c=colour,
            linewidths=0,
            label=f"{name} ({len(of_kind):,})",
            rasterized=True,
        )
    axes.set_aspect("equal")
    axes.set_title("Toy data: four clusters are normal")
    axes.legend(loc="upper right", fontsize=8, markerscale=5, framealpha=0.95)
    return _drawn(figure)


def energy_maps(
    across: Array, up: Array, values: Array, sigmas: Sequence[float], points: Points | None = None
) -> bytes:
    """Energies (L, H, W) over the plane, one map per scale, all in the same colours; test points where given."""
    # The far corners would take most of the colours, and say nothing about the clusters.
    low, high = np.quantile(values, [0.0, 0.98])
    high = max(high, low + 1e-6)
    levels = low + (high - low) * np.linspace(0, 1, _CONTOURS + 2) ** 2  # closer where points are
    return _maps(
        "Energy f(x, σ): higher is less normal",
        across,
        up,
        values,
        sigmas,
        points,
        Normalize(low, high),
        levels,
        "max",
    )


def score_norm_maps(
    across: Array, up: Array, values: Array, sigmas: Sequence[float], points: Points | None = None
) -> bytes:
    """Squared gradients (L, H, W) of the energy over the plane, as `energy_maps`, in powers of ten."""
    low, high = np.quantile(np.maximum(values, 1e-12), [0.02, 1.0])
    high = max(high, 10 * low)
    levels = np.geomspace(low, high, _CONTOURS + 2)
    title = "Score norm ‖∇f(x, σ)‖²: how steep the energy is"
    return _maps(title, across, up, values, sigmas, points, LogNorm(low, high), levels, "min")


def _maps(
    title: str,
    across: Array,
    up: Array,
    values: Array,
    sigmas: Sequence[float],
    points: Points | None,
    norm: Normalize,
    levels: Array,
    beyond: Literal["min", "max"],
) -> bytes:
    shown = np.linspace(0, len(sigmas) - 1, min(len(sigmas), _MOST_MAPS)).round().astype(int)
    sigmas, values = [sigmas[index] for index in shown], values[shown]
    columns = math.ceil(math.sqrt(len(sigmas)))
    rows = math.ceil(len(sigmas) / columns)
    figure, grid, beside = _panels(rows, columns, height=_PANEL_IN * (up[-1] - up[0]) / (across[-1] - across[0]))
    extent = (across[0], across[-1], up[0], up[-1])
    for axes in grid[len(sigmas) :]:
        axes.set_visible(False)
    for axes, sigma, of_scale in zip(grid, sigmas, values, strict=False):  # the grid may have places left
        drawn = axes.imshow(
            of_scale, extent=extent, origin="lower", norm=norm, cmap="viridis", interpolation="bilinear"
        )
        axes.contour(across, up, of_scale, levels=levels[1:-1], colors="white", linewidths=0.4, alpha=0.7)
        if points is not None:
            _add_points(axes, points)
        axes.set_title(f"σ = {sigma:.3g}", fontsize=8, pad=3)
        axes.tick_params(labelsize=6)
    figure.colorbar(drawn, cax=beside, extend=beyond).ax.tick_params(labelsize=7)
    figure.suptitle(title, fontsize=11, y=1 - 0.12 / figure.get_figheight(), va="top")
    if points is not None:
        handles, names = grid[0].get_legend_handles_labels()
        legend = figure.legend(handles, names, loc="lower center", ncols=2, fontsize=8, markerscale=5)
        legend.get_frame().set_facecolor("#c9ced6")  # white points on white paper would be lost
    return _drawn(figure)


def _panels(rows: int, columns: int, height: float) -> tuple[Figure, list[Axes], Axes]:
    """A figure, its maps of a height in inches, row by row, and the place of the colour bar beside them.

    Laid out by hand: matplotlib's constrained layout takes as long as everything else of the picture.
    """
    left, right, top, bottom, gap = 0.4, 0.9, 0.6, 0.3, 0.3
    width_in = left + columns * (_PANEL_IN + gap) + right
    height_in = top + rows * (height + gap) + bottom
    figure = Figure(figsize=(width_in, height_in))
    grid = figure.subplots(
        rows,
        columns,
        sharex=True,
        sharey=True,
        squeeze=False,
        gridspec_kw={
            "left": left / width_in,
            "right": 1 - (right + gap) / width_in,
            "top": 1 - top / height_in,
            "bottom": (bottom + gap) / height_in,
            "wspace": gap / _PANEL_IN,
            "hspace": gap / height,
        },
    )
    high = min(rows * (height + gap), 2 * (height + gap)) - gap
    middle = (bottom + gap + height_in - top) / 2
    place = ((width_in - right) / width_in, (middle - high / 2) / height_in, 0.15 / width_in, high / height_in)
    return figure, list(grid.flat), figure.add_axes(place)


def _add_points(axes: Axes, points: Points) -> None:
    for of_kind, colour, name in (
        (points.normal, "white", "normal"),
        (points.anomalous, _ANOMALOUS, "anomalous"),
    ):
        shown = of_kind[:_SHOWN_POINTS]
        axes.scatter(shown[:, 0], shown[:, 1], s=1.6, c=colour, linewidths=0, label=f"{name} test points")


def _drawn(figure: Figure) -> bytes:
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=_DPI)
    return png.getvalue()
