"""UCSD Ped2 as a live camera: learn from the training clips over RTSP, then watch eight test clips as one stream.

Reports for each labelled anomaly whether an alert was open during it and how soon, and the alerts outside of any.
Exit status 1 where fewer than seven of the eight are caught.

    python -m benchmarks.live_ped2 [--data FOLDER] [--live | --from-files] [--alerts-per-day 480]

It takes as long as the clips do: 255 s to learn (far less from files) and 138 s to watch.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._application import Watch, calibrate
from benchmarks._episodes import Episode, episodes, scores
from benchmarks._footage import DATA, need
from benchmarks._rtsp import need_server, serve
from benchmarks._table import print_table
from stream.messages import Camera, Message

TEST_CLIPS = ("01.mp4", "02.mp4", "03.mp4", "04.mp4", "05.mp4", "06.mp4", "07.mp4", "12.mp4")
"""Those with normal footage in them, too, at their beginning or end."""
_LAYOUT = "ped2/labels.json, ped2/train/NN.mp4 and ped2/test/NN.mp4"
_LEAST_CAUGHT = 7
_TOLERANCE_S = 2.0
"""An alert this long after an anomaly is still about it: scores are smoothed, and whoever is it walks off."""
_CUT_S = 1.0
"""The picture jumps where one clip follows another; an alert that starts this soon after may be about the jump."""
_START_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A labelled anomaly, in seconds of the stream's time."""

    clip: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What is in the stream of test clips."""

    spans: tuple[Span, ...]
    cuts_s: tuple[float, ...]
    """Where a clip begins after another."""
    length_s: float

    def is_normal(self, time_s: float) -> bool:
        """Whether nothing is labelled at this time, nor shortly before."""
        return not any(span.start_s <= time_s <= span.end_s + _TOLERANCE_S for span in self.spans)

    def about(self, alert: Episode) -> list[str]:
        """Clips of the anomalies during which it was open."""
        return [span.clip for span in self.spans if alert.overlaps(span.start_s, span.end_s + _TOLERANCE_S)]

    def follows_cut(self, alert: Episode) -> bool:
        """Whether it started right after a clip began."""
        return any(0.0 <= alert.started_s - cut_s <= _CUT_S for cut_s in self.cuts_s)


def truth(labels: dict[str, Any], clips: Sequence[str]) -> Truth:
    """The labels of these test clips, played one after the other."""
    fps = float(labels["fps"])
    spans: list[Span] = []
    cuts_s = []
    offset_s = 0.0
    for clip in clips:
        spans += [
            Span(clip=clip, start_s=offset_s + first / fps, end_s=offset_s + last / fps)
            for first, last in labels["test"][clip]["anomalous"]
        ]
        cuts_s.append(offset_s)
        offset_s += labels["test"][clip]["frames"] / fps
    return Truth(spans=tuple(spans), cuts_s=tuple(cuts_s[1:]), length_s=offset_s)


def main() -> None:
    """Learn, watch, and print what was caught."""
    arguments = _arguments()
    (labels_file,) = need(arguments.data, ["ped2/labels.json"], _LAYOUT)
    labels = json.loads(labels_file.read_text())
    train = need(arguments.data, [f"ped2/train/{name}" for name in sorted(labels["train"])], _LAYOUT)
    test = need(arguments.data, [f"ped2/test/{name}" for name in TEST_CLIPS], _LAYOUT)
    need_server()
    fps = float(labels["fps"])
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        model = Path(folder) / "ped2.mulde"
        budget = ("--alerts-per-day", str(arguments.alerts_per_day))
        if arguments.from_files:
            calibrate([str(file) for file in train], model, *budget)
        else:
            # The last frame's time: one more, and it would connect again for it.
            length_s = (sum(labels["train"].values()) - 1) / fps
            with serve(train, fps=fps) as url:
                calibrate([url], model, "--minutes", f"{length_s / 60.0:.5f}", *budget)
        played = truth(labels, TEST_CLIPS)
        with serve(test, fps=fps) as url:
            heard = _watch(url, model, played.length_s)
    caught = _report(heard, played, fps)
    if caught < _LEAST_CAUGHT:
        sys.exit(1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Anomalies caught on UCSD Ped2, played as a live camera.")
    parser.add_argument("--data", type=Path, default=DATA, help=f"folder with {_LAYOUT}")
    learn = parser.add_mutually_exclusive_group()
    learn.add_argument("--live", action="store_true", help="learn from the RTSP server (default)")
    learn.add_argument("--from-files", action="store_true", help="learn straight from the files, which is faster")
    parser.add_argument("--alerts-per-day", type=float, default=480.0, help="false-alert budget; 480 is 20 an hour")
    return parser.parse_args()


def _watch(url: str, model: Path, length_s: float) -> list[Message]:
    """All that the application says from the stream's start to its end.

    Raises:
        SystemExit: The connection was lost before, after which the stream's time is no longer the clips'.
    """
    heard: list[Message] = []
    with Watch([url], model) as watch:
        for message in watch.messages(time.monotonic() + length_s + _START_S):
            if isinstance(message, Camera) and message.state == "lost":
                break
            heard.append(message)
        else:
            raise watch.failure(f"the stream is not over after {length_s + _START_S:.0f} s")
        heard += [message for message in watch.finish() if not isinstance(message, Camera)]
    last_s = max((score.stream_time_s for score in scores(heard)), default=0.0)
    if last_s < length_s - 1.0:
        raise watch.failure(f"the stream broke off at {last_s:.1f} of {length_s:.1f} s")
    return heard


def _report(heard: Sequence[Message], played: Truth, fps: float) -> int:
    """Print what was caught, what was not and what was false; the number caught."""
    alerts, seen = episodes(heard), scores(heard)
    frames = round(played.length_s * fps)
    print(f"\nthreshold {seen[0].threshold:.2f}, {len(seen)} of {frames} frames scored, {len(alerts)} alerts\n")
    caught = 0
    rows = []
    for span in played.spans:
        about = [alert for alert in alerts if alert.overlaps(span.start_s, span.end_s)]
        caught += bool(about)
        first_s = about[0].started_s - span.start_s if about else 0.0
        after = f"{first_s:.1f} s" if first_s >= 0.0 else f"0 s, open for {-first_s:.1f} s"
        within = [one for one in seen if span.start_s <= one.stream_time_s <= span.end_s]
        highest = max((one.score for one in within), default=0.0)
        above = sum(one.score > one.threshold for one in within) / max(1, len(within))
        clip, times = span.clip, f"{span.start_s:.1f} to {span.end_s:.1f} s"
        rows.append([clip, times, *(("yes", after) if about else ("no", "-")), f"{highest:.2f}", f"{above:.0%}"])
    print_table(("clip", "anomaly", "caught", "after", "highest score", "above threshold"), rows)
    print()
    print_table(
        ("alert", "peak", "about", "starts after a cut"),
        [
            [
                f"{alert.started_s:.1f} to {alert.ended_s:.1f} s",
                f"{alert.peak:.2f}",
                " ".join(played.about(alert)) or "nothing labelled",
                "yes" if played.follows_cut(alert) else "no",
            ]
            for alert in alerts
        ],
    )
    false = [alert for alert in alerts if not played.about(alert)]
    after_cut = sum(map(played.follows_cut, false))
    normal = [one.stream_time_s for one in seen if played.is_normal(one.stream_time_s)]
    alarmed = [time_s for time_s in normal if any(alert.overlaps(time_s, time_s) for alert in alerts)]
    print(
        f"\ncaught {caught} of {len(played.spans)}; alerts outside of any anomaly: {len(false) - after_cut}, and "
        f"{after_cut} within {_CUT_S:g} s after a cut; an alert was open in {len(alarmed) / fps:.1f} of "
        f"{len(normal) / fps:.1f} s without anomaly"
    )
    return caught


if __name__ == "__main__":
    main()
