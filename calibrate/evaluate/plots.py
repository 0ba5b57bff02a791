"""Pictures of an evaluation: ROC curves, and each video's score over time with what is labelled."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from calibrate.evaluate.labels import ranges
from calibrate.evaluate.metrics import LOOKAHEAD_FRAMES, Flags, Scores, auc, equal_error_rate, roc

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from calibrate.evaluate.evaluation import Evaluation

_CAUSAL, _LOOKAHEAD, _RAW, _LABELLED = "#1f4e9c", "#d9822b", "#9aa7b8", "#e9a39b"
_LOOKAHEAD_LABEL = f"look-ahead (Gaussian, σ {LOOKAHEAD_FRAMES:g} frames)"
_DPI = 130


def draw(evaluation: "Evaluation", folder: Path) -> None:
    """`roc.png`, and a picture of every video's scores in `videos/`; the folder must be there.

    Raises:
        OSError: It cannot be written.
    """
    (folder / "videos").mkdir(exist_ok=True)
    traces = [one.traces[0] for one in evaluation.videos]
    draw_roc(
        folder / "roc.png",
        evaluation.dataset.name,
        np.concatenate([one.video.anomalous for one in evaluation.videos]),
        np.concatenate([trace.causal for trace in traces]),
        np.concatenate([trace.lookahead for trace in traces]),
    )
    for one, trace in zip(evaluation.videos, traces, strict=True):
        name, flags = one.video.name, one.video.anomalous
        own = auc(flags, trace.causal)
        title = f"{evaluation.dataset.name} {name}" + ("" if own is None else f": AUC {own:.2%}")
        draw_scores(
            folder / "videos" / f"{name}.png", title, one.video.fps, flags, trace.raw, trace.causal, trace.lookahead
        )


def draw_roc(path: Path, title: str, anomalous: Flags, causal: Scores, lookahead: Scores) -> None:
    """ROC curves of the frames (N,) of all videos together."""
    with _figure(path, 5.4, 5.4) as axes:
        axes.plot([0, 1], [0, 1], color=_RAW, linewidth=1, linestyle=":")
        axes.plot([0, 1], [1, 0], color=_RAW, linewidth=1, linestyle=":")
        for name, scores, colour in (("causal", causal, _CAUSAL), (_LOOKAHEAD_LABEL, lookahead, _LOOKAHEAD)):
            false_alarms, hits = roc(anomalous, scores)
            rate = equal_error_rate(anomalous, scores)
            label = f"{name}\nAUC {auc(anomalous, scores):.2%}, equal error rate {rate:.2%}"
            axes.plot(false_alarms, hits, color=colour, linewidth=1.8, label=label)
            axes.plot([rate], [1 - rate], color=colour, marker="o", markersize=5)
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal", title=title)
        axes.set(xlabel="normal frames above the threshold", ylabel="anomalous frames above the threshold")
        axes.legend(loc="lower right", facecolor="white", edgecolor="none", framealpha=1.0)


def draw_scores(
    path: Path, title: str, fps: float, anomalous: Flags, raw: Scores, causal: Scores, lookahead: Scores
) -> None:
    """A video's scores (frames,) over time."""
    time_s = np.arange(len(raw)) / fps
    with _figure(path, 9.0, 3.0) as axes:
        for number, (first, last) in enumerate(ranges(anomalous)):
            axes.axvspan(
                (first - 0.5) / fps,
                (last + 0.5) / fps,
                color=_LABELLED,
                alpha=0.45,
                linewidth=0,
                label="labelled anomalous" if number == 0 else None,
            )
        axes.plot(time_s, raw, color=_RAW, linewidth=0.9, label="raw")
        axes.plot(time_s, lookahead, color=_LOOKAHEAD, linewidth=1.2, label=_LOOKAHEAD_LABEL)
        axes.plot(time_s, causal, color=_CAUSAL, linewidth=1.8, label="causal")
        axes.set(xlim=(0.0, time_s[-1]), title=title, xlabel="time, s", ylabel="score, decades of rarity")
        axes.set_ylim(bottom=0.0, top=max(1.0, 1.3 * float(raw.max())))  # the legend has room above
        axes.legend(loc="upper left", frameon=False, ncols=4, fontsize=8)


@contextmanager
def _figure(path: Path, width_in: float, height_in: float) -> Iterator["Axes"]:
    """One pair of axes, written as a PNG when it is drawn."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.grid(visible=True, color="#e6e9ee", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    yield axes
    figure.savefig(path, dpi=_DPI)
