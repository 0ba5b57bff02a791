"""The command that says how a running watch is, for people and, by its exit status, for scripts."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from configs.options import ConfigFile, StoreFolder, messages, output
from configs.schema import load

if TYPE_CHECKING:
    from stream.overview import State
    from stream.running import Running

TROUBLE, NOTHING_RUNS = 1, 3
"""Exit statuses; 2 is a wrong use of the command line."""

_LISTEN_S = 2.5  # every process speaks once a second
_PATIENCE_S = 6.0  # with what does not speak
_WAIT_S = 0.1


def status(
    store: StoreFolder = None,
    config_file: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line for each watch.")] = False,
) -> None:
    """Say how the watch of this store is; without --store and --config, each one of yours that is found.

    Exit status: 0 all is well; 1 it runs, but a process or camera is in trouble; 3 nothing runs.
    """
    import msgspec

    from stream.health.status_page import as_lines, as_object
    from stream.health.troubles import troubles
    from stream.overview import Moment

    well = True
    watches = _running(store, config_file)
    for running in watches:
        state = _listen(running)
        now = Moment.now()
        well = well and not troubles(state, now)
        if as_json:
            sys.stdout.write(f"{msgspec.json.encode(as_object(running, state, now)).decode()}\n")
        else:
            for line in as_lines(running, state, now):
                output.print(line, soft_wrap=True, highlight=False, markup=False)
    if not watches:
        messages.print("no watch runs", highlight=False)
        raise typer.Exit(NOTHING_RUNS)
    if not well:
        raise typer.Exit(TROUBLE)


def _running(store: Path | None, config_file: Path | None) -> list["Running"]:
    from stream import running
    from stream.store import default_folder

    chosen = store or (load(config_file).store.folder if config_file else None)
    if chosen is None and config_file is None:
        folders = {default_folder(), *running.stores()}
    else:
        folders = {chosen or default_folder()}
    return [found for folder in sorted(folders) if (found := running.find(folder)) is not None]


def _listen(running: "Running") -> "State":
    """What comes from the watch in a few seconds, more of them where something is amiss."""
    from stream.bus import Subscriber
    from stream.health.troubles import troubles
    from stream.overview import Moment, State

    started_s = time.monotonic()
    state = State(running.cameras, Moment.now())
    with Subscriber(running.endpoints) as subscriber:
        while (listened_s := time.monotonic() - started_s) < _PATIENCE_S:
            received = subscriber.receive(_WAIT_S)
            now = Moment.now()
            if received is not None:
                state.take(received[0], now)
            if listened_s >= _LISTEN_S and not troubles(state, now):
                break
    return state
