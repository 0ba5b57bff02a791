"""The folder a toy experiment leaves: TensorBoard events, the same pictures as PNG files, and its result as JSON."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from torch.utils.tensorboard import SummaryWriter

from calibrate.toy import pictures as toy_pictures
from calibrate.toy.experiment import Aucs, Evaluation, Experiment
from calibrate.toy.settings import ToyError


class Record:
    """What is written while an experiment runs and at its end; made by `open_record`."""

    def __init__(self, folder: Path, writer: SummaryWriter) -> None:
        self._folder = folder
        self._writer = writer

    def add_epoch(self, epoch: int, loss: float, evaluation: Evaluation | None, sigmas: list[float]) -> None:
        """The loss of an epoch and, where it was evaluated, all areas under the ROC curve."""
        self._writer.add_scalar("loss", loss, epoch)
        if evaluation is None:
            return
        for what, aucs in (("energy", evaluation.energy), ("score_norm", evaluation.score_norm)):
            self._add_aucs(what, aucs, epoch, sigmas)
        self._writer.flush()  # an interrupt leaves no time for it

    def add_pictures(self, experiment: Experiment, *, with_dataset: bool) -> None:
        """The maps over the plane, with and without points, and the points by themselves if asked for.

        Raises:
            ToyError: A file cannot be written.
        """
        last, points, sigmas = experiment.settings.epochs, experiment.points, experiment.sigmas
        pictures = {"dataset": toy_pictures.dataset(points)} if with_dataset else {}
        maps = experiment.maps()
        for suffix, shown in (("", None), ("_with_points", points)):
            pictures[f"energy{suffix}"] = toy_pictures.energy_maps(maps.across, maps.up, maps.energy, sigmas, shown)
            pictures[f"score_norm{suffix}"] = toy_pictures.score_norm_maps(
                maps.across, maps.up, maps.score_norm, sigmas, shown
            )
        for name, picture in pictures.items():
            self._write(f"{name}.png", picture)
            pixels = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR_RGB)
            self._writer.add_image(name, pixels, last, dataformats="HWC")

    def add_result(self, result: dict[str, object]) -> None:
        """The result, for whoever comes later.

        Raises:
            ToyError: The file cannot be written.
        """
        self._write("result.json", (json.dumps(result, indent=1, allow_nan=False) + "\n").encode())

    def _add_aucs(self, what: str, aucs: Aucs, epoch: int, sigmas: list[float]) -> None:
        for sigma, auc in zip(sigmas, aucs.by_scale, strict=True):
            self._writer.add_scalar(f"roc_auc_{what}_individual/sigma_{sigma:.4g}", auc, epoch)
        for kind, auc in aucs.by_aggregate.items():
            self._writer.add_scalar(f"roc_auc_{what}_aggregate/{kind}", auc, epoch)
        self._writer.add_scalar(f"_roc_auc_best/{what}_oracle_needs_labels", aucs.oracle[1], epoch)

    def _write(self, name: str, content: bytes) -> None:
        path = self._folder / name
        try:
            path.write_bytes(content)
        except OSError as error:
            raise ToyError(f"{path}: cannot be written: {error.strerror}") from error


@contextmanager
def open_record(folder: Path) -> Iterator[Record]:
    """A record in a folder, which is made where there is none.

    Raises:
        ToyError: Nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writer = SummaryWriter(folder)
    except OSError as error:
        raise ToyError(f"--out {folder}: cannot be written: {error.strerror}") from error
    with writer:
        yield Record(folder, writer)
