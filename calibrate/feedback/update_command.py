"""`calibrate --update`: a model learned anew from what watching has kept."""

import logging
from pathlib import Path

from calibrate.computing import use
from calibrate.feedback.commands import footage_folder
from calibrate.interrupt import exit_on_interrupt
from configs.options import Device, messages, output
from configs.schema import Config
from configs.settings import CalibrationSettings, CameraSettings


def update(
    path: Path,
    target: Path,
    regime: str | None,
    settings: CalibrationSettings,
    config: Config,
    camera: CameraSettings | None,
    store: Path | None,
    device: Device,
) -> None:
    """Learn the model at `path` anew and put it at `target`.

    Args:
        regime: Which of the model's, None = its only one.
        camera: Whose features to take, None = those of whichever camera this very file watched.

    Raises:
        BundleError, FootageError: It cannot be.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    with exit_on_interrupt(messages):
        from calibrate import progress
        from calibrate.feedback import update as learning
        from calibrate.report import summary as report
        from calibrate.report.page import path_of
        from detector import bundle

    made = bundle.read(path, regime)
    kept = learning.kept_for(path, made, footage_folder(store, config), None if camera is None else camera.name)
    computing, _ = use(device)
    if "alerts_per_day" not in settings.model_fields_set:
        settings = settings.model_copy(update={"alerts_per_day": made.budget.alerts_per_day})
    policy = (camera or config).policy.model_copy(update={"smoothing_s": made.preparation.smoothing_s})
    with progress.bars(messages, ("densities", "threshold")) as on_progress:
        updated = learning.update(
            made, kept, policy=policy, settings=settings, device=computing, on_progress=on_progress
        )
    bundle.put(updated.bundle, target)
    asked = updated.threshold.budget
    output.print(
        f"{target}: learned anew from {report.duration(updated.normal_s)} of kept normal time and {updated.marked} "
        f"alert(s) marked as normal; threshold {asked.threshold:.2f} ({asked.low:.2f} to {asked.high:.2f}) for "
        f"{report.budget(asked.alerts_per_day)}, it was {made.budget.threshold:.2f}",
        highlight=False,
    )
    output.print(report.promise(updated.threshold))
    page = path_of(target, updated.bundle.regime)
    if page.exists():
        output.print(f"{page} is still that of the calibration before", highlight=False, soft_wrap=True)
