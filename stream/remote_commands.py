"""The commands for watching from another machine: keys, dashboard."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from configs.options import fail, output

if TYPE_CHECKING:
    from stream.observers import Show


def keys(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the keys are kept; made if it is missing.")],
    client: Annotated[
        list[str] | None,
        typer.Option("--client", metavar="NAME", help="Make keys for a machine that may watch; may be repeated."),
    ] = None,
) -> None:
    """Make the keys with which other machines may watch this one. Replaces none that are there."""
    from stream.bus.keys import ALLOWED, make_client, make_server

    made = make_server(folder)
    _say(f"{folder}/server.key_secret", f"{'made' if made else 'was there'}; stays here, and nobody else may read it")
    for name in client or []:
        handed_out = make_client(folder, name)
        _say(str(handed_out), f"made; take this folder to the machine {name}, then remove it here")
        _say(f"{folder}/{ALLOWED}/{name}.key", "made; whoever has its key may watch for as long as this file is here")
    if client:
        _say("here, in the site file", f"bus: {{listen: 'tcp://0.0.0.0:5577', keys: {folder}}}")
        _say("there", "mulde-stream dashboard --connect tcp://THIS-HOST:5577 --keys FOLDER-TAKEN-THERE")
    elif made:
        _say("next", f"keys {folder} --client NAME, once for each machine that may watch")


def dashboard(
    connect: Annotated[
        str, typer.Option("--connect", metavar="tcp://HOST:PORT", help="bus.listen of the machine that watches.")
    ],
    keys: Annotated[Path, typer.Option("--keys", metavar="FOLDER", help="What keys --client made there.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line on standard output.")] = False,
    seconds: Annotated[float | None, typer.Option(min=0.0, help="End after this long. Default: never.")] = None,
) -> None:
    """Show live what another machine watches."""
    from stream import remote, site

    if not as_json and not site.terminal_is_there():
        fail("dashboard: there is no terminal here: start it in one, or with --json")
    show: Show = "json" if as_json else "dashboard"
    outcome = remote.look(connect, keys, show=show, seconds=seconds)
    if outcome.status:
        fail(outcome.reason)


def _say(what: str, text: str) -> None:
    output.print(f"{what}: {text}", soft_wrap=True, highlight=False, markup=False)
