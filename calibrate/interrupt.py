"""Ctrl-C that ends the process at once, also while a library computes for seconds and Python cannot react."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

_STATUS = 130  # of a process that ended by Ctrl-C
_LOOK_S = 0.1


@contextmanager
def exit_on_interrupt(console: Console) -> Iterator[None]:
    """Within the block Ctrl-C prints "stopped" and ends the process on the spot; nothing is cleaned up.

    To be entered before the libraries that start threads are loaded: a thread that was there before takes the signal,
    and then it waits for Python as usual.
    """
    over = threading.Event()

    def wait() -> None:
        while not over.is_set():
            if signal.sigtimedwait({signal.SIGINT}, _LOOK_S) is not None:
                console.show_cursor()
                console.print("stopped")
                os._exit(_STATUS)

    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    waiting = threading.Thread(target=wait, name="interrupt")
    waiting.start()
    try:
        yield
    finally:
        over.set()
        waiting.join()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
