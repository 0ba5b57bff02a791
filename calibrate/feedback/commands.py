"""The commands that say of an alert that it is normal, and take that back."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from calibrate.feedback.error import MarkingError
from calibrate.interrupt import exit_on_interrupt
from configs.options import ConfigFile, StoreFolder, messages, output
from configs.schema import Config, load

if TYPE_CHECKING:
    from detector.stretch import About
    from stream.store import AlertRecord

_Id = Annotated[str, typer.Argument(metavar="ID")]
_Model = Annotated[
    Path | None, typer.Option(metavar="F.mulde", help="The camera's model. Default: the one that watched.")
]


def mark_normal(
    alert_id: _Id, model: _Model = None, store: StoreFolder = None, config_file: ConfigFile = None
) -> None:
    """Say that an alert was about nothing: what it showed counts as normal from now on.

    Changes the camera's model, not its threshold. A watch that runs takes it up by itself.
    """
    from stream.clock import utc_now
    from stream.store import Feedback, Store

    config = load(config_file) if config_file else Config()
    folder = _store_folder(store, config)
    with Store.open(folder) as opened:
        record = _ended(opened.known(alert_id))
        with exit_on_interrupt(messages):
            from calibrate.feedback import marking
            from detector import bundle, stretch
        kept = _kept(_footage(folder, config) / record.camera, record)
        path = model or Path(kept.about.model)
        try:
            seen = stretch.read(kept.path)
        except stretch.StretchError as error:
            raise MarkingError(str(error)) from error
        utc = utc_now()
        made = bundle.read(path, kept.about.regime)
        marked = marking.mark(made, str(path), seen, alert=alert_id, threshold=record.threshold, utc=utc)
        bundle.put(marked.bundle, path)
        _rename(kept.path, stretch.file_of(kept.path.parent, stretch.MARKED, alert_id))
        opened.add_feedback(Feedback(alert_id=alert_id, verdict="normal", utc=utc))
    output.print(
        f"alert {alert_id} counts as normal in {path}: by itself it would now reach {marked.after:.2f} instead of "
        f"{marked.before:.2f}, with the threshold at {record.threshold:.2f}",
        soft_wrap=True,
        highlight=False,
    )
    if marked.after > record.threshold:
        output.print("That is still an alert: parts of it are unlike the rest of it.", soft_wrap=True)


def mark_real(alert_id: _Id, model: _Model = None, store: StoreFolder = None, config_file: ConfigFile = None) -> None:
    """Say that an alert was right. Where it was marked as normal, that is taken back."""
    from stream.clock import utc_now
    from stream.store import Feedback, Store

    config = load(config_file) if config_file else Config()
    folder = _store_folder(store, config)
    with Store.open(folder) as opened:
        record = opened.known(alert_id)
        utc = utc_now()
        if opened.verdicts([alert_id]).get(alert_id) == "normal":
            _take_back(record, model, _footage(folder, config), utc)
        opened.add_feedback(Feedback(alert_id=alert_id, verdict="real", utc=utc))
    output.print(f"alert {alert_id} counts as real", soft_wrap=True, highlight=False)


def undo(alert_id: _Id, model: _Model = None, store: StoreFolder = None, config_file: ConfigFile = None) -> None:
    """Take back what an alert was marked as."""
    from stream.clock import utc_now
    from stream.store import Store

    config = load(config_file) if config_file else Config()
    folder = _store_folder(store, config)
    with Store.open(folder) as opened:
        record = opened.known(alert_id)
        utc = utc_now()
        if opened.verdicts([alert_id]).get(alert_id) == "real":
            opened.undo_feedback(alert_id, utc)
            output.print(f"alert {alert_id} does not count as real any more", soft_wrap=True, highlight=False)
            return
        path, was_marked = _take_back(record, model, _footage(folder, config), utc)
        if not opened.undo_feedback(alert_id, utc) and not was_marked:  # the model may have been made anew
            raise MarkingError(f"alert {alert_id}: is not marked as normal: there is nothing to take back")
    output.print(f"alert {alert_id} does not count as normal any more in {path}", soft_wrap=True, highlight=False)


def _take_back(record: "AlertRecord", model: Path | None, footage: Path, utc: str) -> tuple[Path, bool]:
    """Make the model forget that the alert is normal; which model, and whether it knew."""
    with exit_on_interrupt(messages):
        from calibrate.feedback import marking
        from detector import bundle, stretch
    kept = stretch.file_of(footage / record.camera, stretch.MARKED, record.id)
    about = _about(kept)
    path = model or (None if about is None else Path(about.model))
    if path is None:
        raise MarkingError(f"alert {record.id}: is not marked, or its model is forgotten: name that with --model")
    marked = [one for one in bundle.read_all(path) if marking.is_marked(one, record.id)]
    for made in marked:
        bundle.put(marking.undo(made, alert=record.id, utc=utc), path)
    if about is not None:
        started = datetime.fromisoformat(about.started_utc)
        _rename(kept, stretch.file_of(kept.parent, stretch.ALERT, f"{started:%Y%m%dT%H%M%S%f}"))
    return path, bool(marked)


@dataclass(frozen=True, slots=True)
class _Kept:
    path: Path
    about: "About"


def _ended(record: "AlertRecord") -> "AlertRecord":
    """The alert, if it is one that can be marked."""
    if record.kind != "anomaly":
        raise MarkingError(f"alert {record.id}: is about the {record.kind}, which no mark makes normal")
    if record.state == "open":
        raise MarkingError(f"alert {record.id}: is still going on: mark it when it has ended")
    return record


def _kept(folder: Path, record: "AlertRecord") -> _Kept:
    """What was kept of the alert's time: the file that has most of it."""
    started = datetime.fromisoformat(record.started_utc)
    lasted_s = (record.peaked_s if record.ended_s is None else record.ended_s) - record.started_s
    ended = started + timedelta(seconds=max(lasted_s, 0.0))

    def shared_s(about: "About") -> float:
        first = max(started, datetime.fromisoformat(about.started_utc))
        return (min(ended, datetime.fromisoformat(about.ended_utc)) - first).total_seconds()

    found = max(_all_kept(folder), key=lambda kept: shared_s(kept.about), default=None)
    if found is None or shared_s(found.about) < 0.0:
        raise MarkingError(
            f"alert {record.id}: nothing of it is kept in {folder}: only the latest memory.episodes of each camera "
            "are, and none with memory.keep false"
        )
    return found


def _all_kept(folder: Path) -> Iterator[_Kept]:
    from detector import stretch

    for path in (*stretch.files(folder, stretch.ALERT), *stretch.files(folder, stretch.MARKED)):
        about = _about(path)
        if about is not None:
            yield _Kept(path, about)


def _about(path: Path) -> "About | None":
    """What a kept stretch says of itself; one that is gone, cut off or another version's is as good as not kept."""
    from detector import stretch

    try:
        return stretch.about(path)
    except stretch.StretchError:
        return None


def _rename(path: Path, to: Path) -> None:
    try:
        path.rename(to)
    except OSError as error:
        raise MarkingError(f"{path}: cannot be renamed: {error.strerror}: it may be forgotten") from error


def _store_folder(store: Path | None, config: Config) -> Path:
    from stream.store import default_folder

    return store or config.store.folder or default_folder()


def footage_folder(store: Path | None, config: Config) -> Path:
    """Where the features of all cameras are kept."""
    return _footage(_store_folder(store, config), config)


def _footage(store_folder: Path, config: Config) -> Path:
    from stream.store import FOOTAGE

    return config.memory.folder or store_folder / FOOTAGE
