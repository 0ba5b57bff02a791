"""The labelled ranges of the videos of a backtest, from a labels.json that may know more videos than these."""

from collections.abc import Mapping
from pathlib import Path

from calibrate.backtest.outcome import Span
from calibrate.evaluate.labels import (
    Dataset,
    LabelledCamera,
    LabelledVideo,
    LabelsError,
    entries_of,
    fitted,
    flags_of,
    ranges,
)
from configs.settings import ConnectionSettings


def spans(labels: Path, sources: Mapping[str, str], connection: ConnectionSettings) -> list[Span]:
    """Labelled ranges in seconds of each video's own time; opens all videos.

    Args:
        labels: In the form that `labels.from_json` takes; entries are found by file name.
        sources: Of each video, by its name.

    Raises:
        LabelsError: A video has no labels, or more or fewer frames than labels.
        SourceError: One cannot be opened.
    """
    entries, fps, _ = entries_of(labels)
    videos = []
    for name, source in sources.items():
        key = Path(source).name
        if key not in entries:
            raise LabelsError(f"{labels}: has no labels for {name}: add {key}, or take the video away")
        flags = flags_of(entries[key], f"{labels}: {key}")
        videos.append(LabelledVideo(name=name, source=source, fps=fps, anomalous=flags))
    camera = LabelledCamera(name="", train=(), test=tuple(videos))
    dataset = fitted(Dataset(name="", cameras=(camera,)), connection)
    return [
        Span(video=video.name, start_s=first / video.fps, end_s=last / video.fps)
        for video in dataset.videos
        for first, last in ranges(video.anomalous)
    ]
