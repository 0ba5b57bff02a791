"""The command that looks at a source before it becomes a camera."""

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from configs.options import ConfigFile, output
from configs.schema import Config, load

_NAME_WIDTH = 15
_LONGEST_NAME = 60


def probe(
    source: Annotated[str, typer.Argument(help="What to look at; see watch.")],
    config_file: ConfigFile = None,
    seconds: Annotated[
        float, typer.Option(min=0.5, max=3600.0, help="How long; up to 12 until a second key frame has come.")
    ] = 5.0,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE.jpg", help="Where its picture goes. Default: probe-SOURCE.jpg here.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Look at a source for some seconds: what it delivers, what it costs here, and which settings suit it."""
    import msgspec

    from stream.machine import cores
    from stream.probe.advice import advise
    from stream.probe.facts import look, write_picture
    from stream.probe.page import as_lines, as_object
    from stream.source.arguments import expanded  # numpy comes with it

    config = load(config_file) if config_file else Config()
    (name,) = expanded([source])
    found = look(name, config.analysis, config.connection, seconds)
    advice = advise(found, cores())
    path = picture or Path(_file_name(found.where))
    if as_json:
        write_picture(found, path)
        sys.stdout.write(f"{msgspec.json.encode(as_object(found, advice, cores(), str(path))).decode()}\n")
        return
    for what, text in as_lines(found, advice, cores()):
        _print(what, text)
    write_picture(found, path)  # last: what was found is told also where it cannot be written
    _print("written", str(path))


def _print(what: str, text: str) -> None:
    output.print(f"{what:<{_NAME_WIDTH}}{text}", soft_wrap=True, highlight=False, markup=False)


def _file_name(where: str) -> str:
    """Of the picture: the host and path of the source, or the name of its file; nothing secret stands there."""
    path = re.sub(r"^[a-z]+://([^/@]*@)?|[?#].*$", "", where)
    path = path if "://" in where else Path(path).stem
    words = re.sub(r"[^A-Za-z0-9.]+", "-", path).strip("-")[:_LONGEST_NAME]
    return f"probe-{words}.jpg"
