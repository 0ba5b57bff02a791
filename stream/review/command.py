"""The command that serves the review page."""

import os
from typing import Annotated

import typer

from configs.options import ConfigFile, StoreFolder, output
from configs.schema import load
from configs.settings import host_and_port

TOKEN = "MULDE_REVIEW_TOKEN"  # noqa: S105 - where it is found, not what it is
_DEFAULT = "127.0.0.1:8780"


def review(
    config_file: ConfigFile = None,
    store: StoreFolder = None,
    listen: Annotated[
        str,
        typer.Option(
            "--listen",
            metavar="HOST:PORT",
            help=f"Where to serve. Any address but this machine's own demands a token: that in the environment "
            f"variable {TOKEN}, or one made and printed at the start.",
        ),
    ] = _DEFAULT,
) -> None:
    """Serve a page to look at alerts and judge them: live levels, the day, clips, "this was normal"."""
    from stream.review.access import Access
    from stream.review.error import ReviewError
    from stream.review.server import serve
    from stream.store import default_folder

    try:
        host, port = host_and_port(listen)
    except ValueError as error:
        raise ReviewError(f"--listen: {error}") from error
    configured = load(config_file).store.folder if config_file else None
    folder = (store or configured or default_folder()).absolute()
    # Taken out of the environment, so that no process started from here has it.
    access = Access.of(host, port, os.environ.pop(TOKEN, None))

    def tell() -> None:
        output.print(f"review: {access.address()} - Ctrl-C ends it", soft_wrap=True, highlight=False, markup=False)

    serve(folder, host, port, access, config_file=config_file, started=tell)
