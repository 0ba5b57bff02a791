"""The commands that look at kept alerts, and remove them."""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from configs.options import ConfigFile, StoreFolder, output
from configs.schema import load

if TYPE_CHECKING:
    from stream.store import AlertRecord, Store

_REMOVED_AT_ONCE = 500  # so that a watch that writes never waits for long


class Form(StrEnum):
    """How `alerts export` writes."""

    JSON = "json"
    CSV = "csv"


class Kind(StrEnum):
    """What alerts are about."""

    ANOMALY = "anomaly"
    CAMERA = "camera"
    DRIFT = "drift"


class Said(StrEnum):
    """What was last said of an alert."""

    NORMAL = "normal"
    REAL = "real"
    NONE = "none"


_Id = Annotated[str, typer.Argument(metavar="ID")]
_Camera = Annotated[str | None, typer.Option(help="Only of this camera.")]
_Kind = Annotated[Kind | None, typer.Option(help="Only of this kind.")]
_Days = Annotated[float | None, typer.Option(min=0.0, help="Only of the latest days.")]
_Until = Annotated[datetime | None, typer.Option(metavar="DATE", help="Only those that began before, UTC.")]
_Score = Annotated[float | None, typer.Option(help="Only anomalies whose score, as listed, reached this.")]
_Verdict = Annotated[Said | None, typer.Option(help="Only those that were marked so, or not at all.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """Which alerts, as the options say."""

    camera: str | None
    kind: Kind | None
    days: float | None
    until: datetime | None
    score: float | None
    verdict: Said | None

    def found(self, store: "Store", limit: int | None = None) -> "list[AlertRecord]":
        return store.find(
            camera=self.camera,
            kind=None if self.kind is None else self.kind.value,
            since=None if self.days is None else datetime.now(UTC) - timedelta(days=self.days),
            until=None if self.until is None else self.until.replace(tzinfo=UTC),
            min_score=self.score,
            verdict=None if self.verdict is None else self.verdict.value,
            limit=limit,
        )


def list_alerts(
    camera: _Camera = None,
    kind: _Kind = None,
    days: _Days = None,
    until: _Until = None,
    score: _Score = None,
    verdict: _Verdict = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most, newest first.")] = 50,
    store: StoreFolder = None,
    config_file: ConfigFile = None,
) -> None:
    """List alerts, newest first."""
    from stream.alerts.page import as_table
    from stream.store import Store

    wanted = _Wanted(camera=camera, kind=kind, days=days, until=until, score=score, verdict=verdict)
    with Store.open(_store_folder(store, config_file)) as opened:
        records = wanted.found(opened, limit)
        output.print(as_table(records, opened.verdicts(record.id for record in records)))


def show(alert_id: _Id, store: StoreFolder = None, config_file: ConfigFile = None) -> None:
    """Show one alert with the place of its evidence."""
    from stream.alerts.page import as_details
    from stream.store import Store

    with Store.open(_store_folder(store, config_file)) as opened:
        record = opened.known(alert_id)
        missing = [path for path in record.evidence if not Path(path).exists()]
        output.print(as_details(record, opened.feedback(alert_id), missing))


def export(
    form: Annotated[Form, typer.Option("--format", help="JSON lines or CSV.")] = Form.JSON,
    camera: _Camera = None,
    kind: _Kind = None,
    days: _Days = None,
    until: _Until = None,
    score: _Score = None,
    verdict: _Verdict = None,
    store: StoreFolder = None,
    config_file: ConfigFile = None,
) -> None:
    """Write all alerts to standard output."""
    from stream.alerts.page import as_csv, as_json_lines
    from stream.store import Store

    wanted = _Wanted(camera=camera, kind=kind, days=days, until=until, score=score, verdict=verdict)
    with Store.open(_store_folder(store, config_file)) as opened:
        records = wanted.found(opened)
        write = as_json_lines if form is Form.JSON else as_csv
        sys.stdout.write(write(records, opened.verdicts(record.id for record in records)))


def delete(
    alert_ids: Annotated[list[str] | None, typer.Argument(metavar="ID...", show_default=False)] = None,
    before: Annotated[
        datetime | None, typer.Option(metavar="DATE", help="Instead of ids: all that began before, UTC.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="With --before: do not ask.")] = False,
    store: StoreFolder = None,
    config_file: ConfigFile = None,
) -> None:
    """Remove alerts with their pictures and clips. What was counted of each day stays."""
    from stream.sink.retention import remove
    from stream.store import Store, StoreError

    if bool(alert_ids) == (before is not None):
        raise StoreError("alerts delete: name either alerts by their ids or --before DATE")
    folder = _store_folder(store, config_file)
    with Store.open(folder) as opened:
        if before is None:
            records = [opened.known(alert_id) for alert_id in dict.fromkeys(alert_ids or ())]
            for record in records:
                if record.state == "open":
                    raise StoreError(f"alert {record.id}: is still going on: remove it when it has ended")
            remove(opened, folder, records)
            count = len(records)
        else:
            before = before.replace(tzinfo=UTC)
            question = f"Remove all alerts that began before {before:%Y-%m-%d %H:%M:%S} UTC with their evidence?"
            if not yes and not typer.confirm(question, err=True):
                raise typer.Exit(1)
            count = 0
            while records := opened.oldest(_REMOVED_AT_ONCE, before=before):
                remove(opened, folder, records)
                count += len(records)
    output.print(f"{count} alert{'' if count == 1 else 's'} removed", highlight=False)


def _store_folder(store: Path | None, config_file: Path | None) -> Path:
    from stream.store import default_folder

    configured = load(config_file).store.folder if config_file else None
    return store or configured or default_folder()
