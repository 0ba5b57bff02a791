"""Saying of an alert what it was where that changes the model, by the commands of `alerts` that do it.

In a process of its own: it needs torch, which has no place in a server, and takes seconds.
"""

import asyncio
import sys
from pathlib import Path

from stream.review.error import ReviewError
from stream.store import Verdict

_PROGRAM = Path(__file__).parents[2] / "run_stream.py"
_COMMANDS: dict[Verdict | None, str] = {"normal": "mark-normal", "real": "mark-real", None: "undo"}
_PATIENCE_S = 120.0  # a model of many regimes on a slow disk; half of it is loading torch
_LONGEST_LINE = 1000  # characters


class Marking:
    """Marks alerts of one store, one after the other: two at once would each change the model they read before.

    Args:
        ending: Set when nobody waits any longer: what is under way is given up.
    """

    def __init__(self, folder: Path, config_file: Path | None, ending: asyncio.Event) -> None:
        self._options = ["--store", str(folder)]
        if config_file is not None:
            self._options += ["--config", str(config_file.absolute())]
        self._ending = ending
        self._turn = asyncio.Lock()

    async def mark(self, alert_id: str, verdict: Verdict | None) -> str:
        """Have this hold of the alert, or nothing; what has changed, in a line or two. Takes seconds.

        Raises:
            ReviewError: It cannot be; the line of the command.
        """
        return await self._run(_COMMANDS[verdict], alert_id)

    async def _run(self, command: str, alert_id: str) -> str:
        async with self._turn:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, str(_PROGRAM), "alerts", command, *self._options, "--", alert_id),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,  # a Ctrl-C is for the server, which ends this one itself
            )
            said, complained = await self._output(process, command)
        if process.returncode:
            raise ReviewError(_last_line(complained) or f"alerts {command} ended with status {process.returncode}")
        return " ".join(said.decode(errors="replace").split())

    async def _output(self, process: asyncio.subprocess.Process, command: str) -> tuple[bytes, bytes]:
        """Both outputs of the process once it has ended by itself; else it is killed."""
        output = asyncio.create_task(process.communicate())
        ending = asyncio.create_task(self._ending.wait())
        try:
            await asyncio.wait((output, ending), timeout=_PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
            if output.done():
                return output.result()
        finally:
            ending.cancel()
            if process.returncode is None:
                process.kill()
            await output
        if self._ending.is_set():
            raise ReviewError(f"alerts {command} was given up: the server of this page ends")
        raise ReviewError(f"alerts {command} took more than {_PATIENCE_S:g} s: try it by hand")


def _last_line(text: bytes) -> str:
    lines = text.decode(errors="replace").split("\n")
    written = [line.strip() for line in lines if line.strip()]
    return written[-1].removeprefix("error: ")[:_LONGEST_LINE] if written else ""
