"""The command that looks whether this machine can do what a watch asks of it."""

import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from configs.options import ConfigFile, StoreFolder, output
from configs.schema import Config, load

if TYPE_CHECKING:
    from stream.doctor.finding import Finding

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}
_WHAT_WIDTH = 15


def doctor(
    config_file: ConfigFile = None,
    store: StoreFolder = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Look whether this machine can do what a watch asks of it; with --config, the watch of that site.

    Exit status: 0 it can, though there may be warnings; 1 something fails, and what to do about it is said.
    """
    import msgspec

    findings = []
    for finding in _findings(load(config_file) if config_file else Config(), store):
        findings.append(finding)
        if not as_json:
            _print(finding)
    failed = [finding for finding in findings if finding.grade == "fail"]
    if as_json:
        made = {"well": not failed, "checks": [asdict(finding) for finding in findings]}
        sys.stdout.write(f"{msgspec.json.encode(made).decode()}\n")
    if failed:
        raise typer.Exit(1)


def _findings(config: Config, store: "StoreFolder") -> Iterator["Finding"]:
    from stream.doctor import places, program, resources
    from stream.running import find
    from stream.store import default_folder

    folder = store or config.store.folder or default_folder()
    running = find(folder) is not None
    yield program.python()
    yield program.packages()
    yield program.video()
    yield program.compute(config.worker)
    yield resources.processor(config)
    yield resources.memory(config, running=running)
    yield resources.shared_memory(config, running=running)
    yield resources.files(config)
    yield resources.clock()
    yield places.store(config.store, folder)
    yield places.socket_folder()
    yield from places.addresses(config, running=running)
    yield places.terminal()


def _print(finding: "Finding") -> None:
    output.print(f"{finding.grade:<6}", style=_STYLES[finding.grade], end="", highlight=False)
    way_out = f": {finding.way_out}" if finding.way_out else ""
    text = f"{finding.what:<{_WHAT_WIDTH}}{finding.text}{way_out}"
    output.print(text, soft_wrap=True, highlight=False, markup=False)
