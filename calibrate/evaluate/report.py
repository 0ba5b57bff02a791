"""What an evaluation tells its user: one JSON object, a table for the terminal, and files with every score."""

import json
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from calibrate.evaluate.evaluation import Evaluation
from calibrate.evaluate.judging import Judged
from calibrate.evaluate.labels import ranges
from calibrate.evaluate.metrics import LOOKAHEAD_FRAMES, Ranking, Scores, auc, ranking
from calibrate.evaluate.regions import total
from calibrate.evaluate.variants import AGGREGATED, SCALES, Variant

Summary = dict[str, Any]
_Key = TypeVar("_Key")


def summary(evaluation: Evaluation) -> Summary:
    """Every measure, as plain data; `causal` is what the product scores, `lookahead` what papers measure."""
    videos = evaluation.videos
    causal = _ranking(videos, lambda one: one.traces[0].causal)
    lookahead = _ranking(videos, lambda one: one.traces[0].lookahead)
    config = evaluation.settings.config

    def variants(one: Judged) -> Mapping[Variant, Scores]:
        return one.variants

    return {
        "dataset": evaluation.dataset.name,
        "micro_auc_causal": causal.micro_auc,
        "micro_auc_lookahead": lookahead.micro_auc,
        "macro_auc_causal": causal.macro_auc,
        "macro_auc_lookahead": lookahead.macro_auc,
        "macro_videos": causal.macro_videos,
        "average_precision": causal.average_precision,
        "average_precision_lookahead": lookahead.average_precision,
        "equal_error_rate": causal.equal_error_rate,
        "equal_error_rate_lookahead": lookahead.equal_error_rate,
        **_places(videos),
        "per_family": _each(videos, {name: name for name in videos[0].families}, lambda one: one.families),
        "per_scale": _each(videos, {str(number): one for number, one in enumerate(SCALES, 1)}, variants),
        "per_aggregate": _each(videos, AGGREGATED["energy"], variants),
        "per_aggregate_of_score_norms": _each(videos, AGGREGATED["score norm"], variants),
        "seeds": [_of_seed(videos, number, seed) for number, seed in enumerate(evaluation.settings.seeds)],
        "videos": {one.video.name: _of_video(one) for one in videos},
        "seconds": sum(evaluation.seconds.values()),
        "seconds_by_stage": dict(evaluation.seconds),
        "settings": {
            "code_version": version("mulde-stream"),
            "device": evaluation.settings.device,
            "threads": evaluation.settings.threads,
            "seed": evaluation.settings.seeds[0],
            "lookahead_frames": LOOKAHEAD_FRAMES,
            "analysis": config.analysis.model_dump(mode="json"),
            "smoothing_s": config.policy.smoothing_s,
            "folds": config.calibration.folds,
            "steps": config.calibration.steps,
            "max_vectors": config.calibration.max_vectors,
        },
    }


def table(made: Summary) -> RenderableType:
    """The summary for a console of any width."""
    main = Table(box=None, padding=(0, 2, 0, 0), header_style="bright_black")
    for name in (made["dataset"], "causal", f"look-ahead, σ {LOOKAHEAD_FRAMES:g} frames"):
        main.add_column(Text(name), justify="left" if name == made["dataset"] else "right")
    for name, key in (
        ("micro AUC", "micro_auc_{}"),
        (f"macro AUC over {made['macro_videos']} videos with both kinds", "macro_auc_{}"),
        ("average precision", "average_precision{}"),
        ("equal error rate", "equal_error_rate{}"),
    ):
        ends = ("causal", "lookahead") if key.endswith("_{}") else ("", "_lookahead")
        main.add_row(name, *(_percent(made[key.format(end)]) for end in ends))
    if len(made["seeds"]) > 1:
        both = [[one[f"micro_auc_{kind}"] for one in made["seeds"]] for kind in ("causal", "lookahead")]
        main.add_row(
            f"micro AUC over {len(made['seeds'])} seeds",
            *(f"{np.mean(one):.2%} ({min(one):.2%} to {max(one):.2%})" for one in both),
        )
    parts: list[RenderableType] = [main]
    if made["region_overlap"] is not None:
        parts.append(
            Text(
                f"\nplace: in {made['region_overlap']:.1%} of the anomalous frames the region meets the anomaly, in "
                f"{made['region_centre']:.1%} its centre is on it; it covers {made['region_area']:.1%} of the picture"
            )
        )
    if made["per_family"]:
        parts += [Text("\nmicro AUC, causal, one by one", style="bright_black"), _one_by_one(made)]
    stages = ", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in made["seconds_by_stage"].items())
    parts.append(Text(f"\n{made['seconds']:.0f} s: {stages}", style="bright_black"))
    return Group(*parts)


def write(evaluation: Evaluation, made: Summary, folder: Path) -> None:
    """`metrics.json`, and every score of every video in `scores/`; the folder must be there.

    Raises:
        OSError: It cannot be written.
    """
    (folder / "metrics.json").write_text(_json(made, indent=1), encoding="utf-8")
    (folder / "scores").mkdir(exist_ok=True)
    for one in evaluation.videos:
        trace = one.traces[0]
        content = {
            "video": one.video.name,
            "fps": one.video.fps,
            "anomalous": ranges(one.video.anomalous),
            "raw": _rounded(trace.raw),
            "causal": _rounded(trace.causal),
            "lookahead": _rounded(trace.lookahead),
        }
        (folder / "scores" / f"{one.video.name}.json").write_text(_json(content), encoding="utf-8")


def as_json(made: Summary) -> str:
    """The summary in one line."""
    return _json(made)


def _json(content: Summary, indent: int | None = None) -> str:
    return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=indent) + "\n"


def _ranking(videos: Sequence[Judged], scores: Callable[[Judged], Scores]) -> Ranking:
    return ranking([one.video.anomalous for one in videos], [scores(one) for one in videos])


def _each(
    videos: Sequence[Judged], names: Mapping[str, _Key], scores: Callable[[Judged], Mapping[_Key, Scores]]
) -> dict[str, float]:
    """Micro AUC by name, of what was scored beside the product; nothing where it was not."""
    if not scores(videos[0]):
        return {}
    anomalous = [one.video.anomalous for one in videos]
    return {name: ranking(anomalous, [scores(one)[key] for one in videos]).micro_auc for name, key in names.items()}


def _places(videos: Sequence[Judged]) -> dict[str, float | None]:
    """Shares of the frames with masks."""
    counts = total(one.hits for one in videos if one.hits is not None)
    if not counts.frames:
        return {"region_overlap": None, "region_centre": None, "region_area": None}
    return {
        "region_overlap": counts.overlapping / counts.frames,
        "region_centre": counts.centred / counts.frames,
        "region_area": counts.area / counts.frames,
    }


def _of_seed(videos: Sequence[Judged], number: int, seed: int) -> Summary:
    causal = _ranking(videos, lambda one: one.traces[number].causal)
    lookahead = _ranking(videos, lambda one: one.traces[number].lookahead)
    return {
        "seed": seed,
        "micro_auc_causal": causal.micro_auc,
        "micro_auc_lookahead": lookahead.micro_auc,
        "macro_auc_causal": causal.macro_auc,
        "macro_auc_lookahead": lookahead.macro_auc,
    }


def _of_video(one: Judged) -> Summary:
    """AUC is null where all frames are of one kind."""
    flags = one.video.anomalous
    return {
        "frames": len(flags),
        "anomalous_frames": int(flags.sum()),
        "auc_causal": auc(flags, one.traces[0].causal),
        "auc_lookahead": auc(flags, one.traces[0].lookahead),
        "region_overlap": one.hits.overlapping / one.hits.frames if one.hits and one.hits.frames else None,
    }


def _one_by_one(made: Summary) -> Table:
    grid = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    grid.add_column(style="bright_black", no_wrap=True)
    grid.add_column(overflow="fold")
    norms = "per_aggregate_of_score_norms"
    for name, key in (("family", "per_family"), ("aggregate", "per_aggregate"), ("score norms", norms)):
        grid.add_row(name, "  ".join(f"{one} {value:.2%}" for one, value in made[key].items()))
    grid.add_row("scale", "  ".join(f"{value:.1%}" for value in made["per_scale"].values()) + "  from low σ to high")
    return grid


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.2%}"


def _rounded(scores: Scores) -> list[float]:
    return [round(float(score), 5) for score in scores]
