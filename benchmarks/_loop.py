"""The baseline: the same decoding and scoring in one plain loop, without processes, rings and bus."""

import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from benchmarks._cost import memory
from configs.settings import ConnectionSettings
from detector import bundle
from detector.detector import Sighting, features, from_bundle
from detector.device import use_device
from detector.features.network import Network
from stream.policy import Smoother
from stream.source import Picture, open_source


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopCost:
    """What the loop took for its measured frames."""

    frames: int
    cpu_s: float
    pss_mib: float


def loop_cost(sources: Sequence[str], model: Path, *, skip: int, frames: int) -> LoopCost:
    """Run the loop in a fresh process.

    Args:
        sources: Files or scenes, read in turn, a frame of each.
        skip: Frames of each source before those measured, to warm up.
        frames: Frames of each source to measure.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_run, tuple(sources), model, skip, frames).result()


def _run(sources: tuple[str, ...], model: Path, skip: int, frames: int) -> LoopCost:
    # The worker's own choice of threads.
    device, threads = use_device("auto", max(1, len(os.sched_getaffinity(0)) - 1))
    learned = bundle.read(model)
    preparation = learned.preparation
    network = Network(device, threads)
    cameras = [(*from_bundle(learned, str(model), device), Smoother(preparation.smoothing_s)) for _ in sources]
    with ExitStack() as stack:
        streams: list[Iterator[Picture]] = [
            iter(
                stack.enter_context(
                    open_source(
                        source,
                        size=(preparation.width, preparation.height),
                        rate_fps=preparation.rate_fps,
                        connection=ConnectionSettings(),
                    )
                )
            )
            for source in sources
        ]

        def score(rounds: int) -> int:
            scored = 0
            for pictures in islice(zip(*streams, strict=True), rounds):
                for picture, (detector, observer, smoother) in zip(pictures, cameras, strict=True):
                    sighting = Sighting(observer=observer, image=picture.image, time_s=picture.stream_time_s)
                    (seen,) = features(network, [sighting])
                    smoother.step(picture.stream_time_s, detector.judge(seen).score)
                    scored += 1
            return scored

        score(skip)
        started_s = time.process_time()
        scored = score(frames)
        return LoopCost(frames=scored, cpu_s=time.process_time() - started_s, pss_mib=memory().pss_mib)
