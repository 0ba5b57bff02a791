"""How soon a frame is scored and what the application costs, against one plain loop that does the same work.

Cameras are drawn scenes or, with --rtsp, clients of one RTSP server that plays a drawn clip. Latency runs from the
moment a picture is there, decoded and scaled, to the moment its score is sent. Linux only.

    python -m benchmarks.latency [--cameras 1 4] [--rates 5 10] [--seconds 60] [--rtsp] [--json FILE]
"""

import argparse
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks._application import calibrate, write_config
from benchmarks._footage import drawn_clip
from benchmarks._live import CAUSES, LAST_SCORES_S, START_S, Live, watch_live
from benchmarks._loop import LoopCost, loop_cost
from benchmarks._rtsp import need_server, serve
from benchmarks._table import print_table

_WARM_UP_S = 10.0
_LEARN_S = 60.0
_LEARN_STEPS = 50
"""Optimiser steps: the model need not be good here, only of its usual size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One setting's numbers."""

    rate_fps: float
    live: Live
    loop: LoopCost

    @property
    def cpu_ms_per_frame(self) -> float:
        """Of the whole application, for each score."""
        return self.live.cores * self.live.seconds * 1000.0 / len(self.live.latencies_ms)

    @property
    def loop_ms_per_frame(self) -> float:
        """CPU time of the plain loop."""
        return self.loop.cpu_s * 1000.0 / self.loop.frames

    @property
    def ratio(self) -> float:
        """To the plain loop."""
        return self.cpu_ms_per_frame / self.loop_ms_per_frame


def main() -> None:
    """Measure all settings and print tables."""
    arguments = _arguments()
    if arguments.rtsp:
        need_server()
    load = os.getloadavg()[0]
    print(f"{len(os.sched_getaffinity(0))} cores, load average {load:.1f} before the start", flush=True)
    results = []
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        # Scenes and clips go on for as long as the slowest start takes, so that none ends under measurement.
        length_s = START_S + _WARM_UP_S + arguments.seconds + LAST_SCORES_S
        clip = drawn_clip(_scene(1, length_s), folder / "street.mp4") if arguments.rtsp else None
        for rate_fps in arguments.rates:
            model = folder / f"{rate_fps:g}.mulde"
            config = write_config(folder, analysis={"rate_fps": rate_fps}, calibration={"steps": _LEARN_STEPS})
            normal = str(clip) if clip else _scene(1, length_s)
            calibrate([normal], model, "--minutes", str(_LEARN_S / 60.0), "--config", str(config))
            for count in arguments.cameras:
                scenes = [_scene(2 + number, length_s) for number in range(count)]
                with _live(clip, count, scenes) as sources:
                    results.append(
                        _measure(
                            sources,
                            [str(clip)] * count if clip else scenes,
                            model,
                            rate_fps=rate_fps,
                            seconds=arguments.seconds,
                        )
                    )
                _print_processes(results[-1])
    print()
    _print_results(results)
    if arguments.json:
        arguments.json.write_text(json.dumps([_plain(result) for result in results], indent=1) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Latency, CPU and memory of the application.")
    parser.add_argument("--cameras", type=int, nargs="+", default=[1, 4], help="how many at once")
    parser.add_argument("--rates", type=float, nargs="+", default=[5.0, 10.0], help="analysed frames/s per camera")
    parser.add_argument("--seconds", type=float, default=60.0, help="measured time of each setting")
    parser.add_argument("--rtsp", action="store_true", help="cameras behind an RTSP server instead of drawn ones")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there, too")
    return parser.parse_args()


def _scene(seed: int, length_s: float) -> str:
    return f"demo://street?seed={seed}&seconds={length_s:g}"


@contextmanager
def _live(clip: Path | None, count: int, scenes: list[str]) -> Iterator[list[str]]:
    """What the application is told to watch."""
    if clip is None:
        yield scenes
        return
    with serve([clip], loop=True, shared=True) as url:
        yield [url] * count


def _measure(
    sources: Sequence[str], same_from_file: Sequence[str], model: Path, *, rate_fps: float, seconds: float
) -> Result:
    """Run the application on these sources, then the loop on as many frames of the same."""
    live = watch_live(sources, model, warm_up_s=_WARM_UP_S, seconds=seconds)
    per_camera = round(len(live.latencies_ms) / len(sources))
    return Result(
        rate_fps=rate_fps,
        live=live,
        loop=loop_cost(same_from_file, model, skip=round(_WARM_UP_S * rate_fps), frames=per_camera),
    )


def _print_processes(result: Result) -> None:
    live = result.live
    print(f"\n{live.cameras} camera(s) at {result.rate_fps:g} frames/s, by process")
    rows = [
        [name, f"{cores:.3f}", f"{live.memory[name].pss_mib:.0f}", f"{live.memory[name].shared_mib:.1f}"]
        for name, cores in live.cpu_cores.items()
    ]
    shared_mib = sum(one.shared_mib for one in live.memory.values())
    rows.append(["all", f"{live.cores:.3f}", f"{live.pss_mib:.0f}", f"{shared_mib:.1f}"])
    rows.append(["plain loop", "", f"{result.loop.pss_mib:.0f}", ""])
    print_table(("process", "CPU cores", "memory MiB (PSS)", "of it shared memory"), rows)


def _print_results(results: Sequence[Result]) -> None:
    """A column for each setting."""
    rows: dict[str, list[str]] = {
        "capture to score, p50 ms": [f"{result.live.latency_ms(50):.0f}" for result in results],
        "capture to score, p95 ms": [f"{result.live.latency_ms(95):.0f}" for result in results],
        "analysed frames/s, slowest camera": [f"{result.live.slowest_fps:.2f}" for result in results],
        **{f"dropped: {cause}": [str(result.live.drops[cause]) for result in results] for cause in CAUSES},
        "captured, no score printed": [str(result.live.gaps) for result in results],
        "CPU cores": [f"{result.live.cores:.2f}" for result in results],
        "memory MiB (PSS)": [f"{result.live.pss_mib:.0f}" for result in results],
        "CPU ms per frame": [f"{result.cpu_ms_per_frame:.1f}" for result in results],
        "CPU ms per frame, plain loop": [f"{result.loop_ms_per_frame:.1f}" for result in results],
        "ratio to the plain loop": [f"{result.ratio:.2f}" for result in results],
    }
    print_table(
        ("cameras × frames/s", *(f"{result.live.cameras} × {result.rate_fps:g}" for result in results)),
        [[name, *cells] for name, cells in rows.items()],
    )


def _plain(result: Result) -> dict[str, object]:
    """For JSON."""
    per_frame = {"cpu_ms_per_frame": result.cpu_ms_per_frame, "loop_ms_per_frame": result.loop_ms_per_frame}
    return {**asdict(result), **per_frame, "ratio": result.ratio}


if __name__ == "__main__":
    main()
