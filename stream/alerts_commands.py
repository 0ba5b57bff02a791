"""The commands that look at kept alerts."""

import sys
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from configs.options import ConfigFile, StoreFolder, output
from configs.schema import load


class Form(StrEnum):
    """How `alerts export` writes."""

    JSON = "json"
    CSV = "csv"


def list_alerts(
    camera: Annotated[str | None, typer.Option(help="Only of this camera.")] = None,
    days: Annotated[float | None, typer.Option(min=0.0, help="Only of the latest days.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most, newest first.")] = 50,
    store: StoreFolder = None,
    config_file: ConfigFile = None,
) -> None:
    """List alerts, newest first."""
    from stream.alerts_page import as_table
    from stream.store import Store

    with Store.open(_store_folder(store, config_file)) as opened:
        output.print(as_table(opened.find(camera=camera, since=_since(days), limit=limit), opened.feedback()))


def show(
    alert_id: Annotated[str, typer.Argument(metavar="ID")], store: StoreFolder = None, config_file: ConfigFile = None
) -> None:
    """Show one alert with the place of its evidence."""
    from stream.alerts_page import as_details
    from stream.store import Store, StoreError

    with Store.open(_store_folder(store, config_file)) as opened:
        record = opened.get(alert_id)
        if record is None:
            raise StoreError(f"alert {alert_id}: there is none of this id: see `alerts list`")
        output.print(as_details(record, opened.feedback(alert_id)))


def export(
    form: Annotated[Form, typer.Option("--format", help="JSON lines or CSV.")] = Form.JSON,
    camera: Annotated[str | None, typer.Option(help="Only of this camera.")] = None,
    days: Annotated[float | None, typer.Option(min=0.0, help="Only of the latest days.")] = None,
    store: StoreFolder = None,
    config_file: ConfigFile = None,
) -> None:
    """Write all alerts to standard output."""
    from stream.alerts_page import as_csv, as_json_lines
    from stream.store import Store

    with Store.open(_store_folder(store, config_file)) as opened:
        records = opened.find(camera=camera, since=_since(days))
        write = as_json_lines if form is Form.JSON else as_csv
        sys.stdout.write(write(records, opened.feedback()))


def _store_folder(store: Path | None, config_file: Path | None) -> Path:
    from stream.store import default_folder

    configured = load(config_file).store.folder if config_file else None
    return store or configured or default_folder()


def _since(days: float | None) -> datetime | None:
    return None if days is None else datetime.now(UTC) - timedelta(days=days)
