"""The pipeline as one would first write it, to measure against: OpenCV reads, plain torch scores.

Run as a program it watches cameras: a thread for each reads every picture at full size, and one loop takes the latest
of each at the analysis rate.

    python -m benchmarks._by_hand URL --cameras 2 --model F.mulde --seconds 20
"""

import argparse
import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch

from benchmarks import _textbook
from benchmarks._cost import memory
from detector import bundle
from detector.detector import detector_of
from detector.family import Family
from detector.features.grid import Grid
from detector.features.network import InnerLayers
from detector.scales import sigma_grid

_START_S = 30.0
_WARM_UP_S = 5.0


class ByHand:
    """Judges pictures: the whole of each through the network in plain torch, and every cell through the densities of
    all families, noise scale after noise scale with the gradient by automatic differentiation."""

    def __init__(self, grid: Grid, families: Sequence[Family]) -> None:
        self._grid = grid
        self._layers = InnerLayers()
        self._nets = [
            (family, family.net, _textbook.TextbookNet.like(family.net, family.settings.training.units))
            for family in families
            if family.net is not None
        ]
        self.judge(np.zeros((grid.height, grid.width, 3), np.uint8))  # the first time takes longer

    def judge(self, image: npt.NDArray[np.uint8]) -> None:
        """What values come out is of no interest here; what they are does not change the cost."""
        with torch.inference_mode():
            self._layers(torch.from_numpy(image[None]))
        cells = self._grid.rows * self._grid.columns
        for family, net, textbook in self._nets:
            settings = family.settings
            x = family.standardised(np.zeros((cells, len(family.mean)), np.float32), net)
            sigmas = sigma_grid(settings.training.sigma_low, settings.training.sigma_high, settings.scales)
            _textbook.read(textbook, x, sigmas, len(x))


class _Reader(threading.Thread):
    """Reads a camera for ever and keeps its latest picture."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG)
        self._stopped = threading.Event()
        self.latest: tuple[float, npt.NDArray[np.uint8]] | None = None
        """When it was there, monotonic, and the picture."""

    def run(self) -> None:
        while not self._stopped.is_set():
            there, image = self._capture.read()
            if not there:
                return
            self.latest = time.monotonic(), np.asarray(image, np.uint8)

    def stop(self) -> None:
        """Wait until it does not read any more."""
        self._stopped.set()
        self.join()
        self._capture.release()


def main() -> None:
    """Watch, and print one JSON object."""
    parser = argparse.ArgumentParser(description="Watch cameras with what one would first write.")
    parser.add_argument("url")
    parser.add_argument("--cameras", type=int, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    arguments = parser.parse_args()
    made = bundle.read(arguments.model)
    preparation = made.preparation
    grid = Grid(preparation.height, preparation.width)
    scorer = ByHand(grid, detector_of(made, str(arguments.model), "cpu").families)
    readers = [_Reader(arguments.url) for _ in range(arguments.cameras)]
    for reader in readers:
        reader.start()
    until_s = time.monotonic() + _START_S
    while any(reader.latest is None for reader in readers):
        if time.monotonic() > until_s:
            raise SystemExit(f"a camera has no picture after {_START_S:g} s")
        time.sleep(0.05)
    _watch(readers, scorer, preparation, _WARM_UP_S)
    cpu_s, began_s = time.process_time(), time.monotonic()
    latencies_s = _watch(readers, scorer, preparation, arguments.seconds)
    measured_s = time.monotonic() - began_s
    cores = (time.process_time() - cpu_s) / measured_s
    for reader in readers:
        reader.stop()
    print(
        json.dumps(
            {
                "latencies_ms": [1000.0 * latency_s for latency_s in latencies_s],
                "fps": len(latencies_s) / measured_s / arguments.cameras,
                "cpu_cores": cores,
                "pss_mib": memory().pss_mib,
            }
        ),
        flush=True,
    )


def _watch(
    readers: Sequence[_Reader], scorer: ByHand, preparation: bundle.Preparation, seconds: float
) -> list[float]:
    """Seconds from each picture to its score."""
    latencies_s = []
    began_s = due_s = time.monotonic()
    while time.monotonic() - began_s < seconds:
        for reader in readers:
            assert reader.latest is not None, "waited for"
            there_s, image = reader.latest
            scorer.judge(
                np.asarray(cv2.resize(image, (preparation.width, preparation.height), interpolation=cv2.INTER_AREA))
            )
            latencies_s.append(time.monotonic() - there_s)
        due_s = max(due_s + 1.0 / preparation.rate_fps, time.monotonic() - 1.0)
        time.sleep(max(0.0, due_s - time.monotonic()))
    return latencies_s


if __name__ == "__main__":
    main()
