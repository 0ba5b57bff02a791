"""The store, opened and used in one thread of its own, so that a slow disk holds up no page and no stream."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from stream.store import FILE_NAME, Store, StoreError

_Answer = TypeVar("_Answer")


class StoreThread:
    """Takes questions to the store of a folder one after the other, inside a `with` block.

    Raises:
        StoreError: There is none in this folder, or it cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="review-store")
        self._store: Store | None = None
        self._file: tuple[int, int] | None = None

    def __enter__(self) -> Self:
        try:
            self._thread.submit(self._current).result()
        except BaseException:
            self._thread.shutdown()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.submit(self._close)
        self._thread.shutdown()

    async def ask(self, question: Callable[[Store], _Answer]) -> _Answer:
        """What the question finds in the store.

        Raises:
            StoreError: The store is gone or cannot be used.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: question(self._current()))

    def _current(self) -> Store:
        """The store that is in the folder now, which may have been made anew."""
        path = self._folder / FILE_NAME
        try:
            found = path.stat()
        except OSError as error:
            raise StoreError(
                f"store: there is none in {self._folder}: name that of a watch with --store or --config"
            ) from error
        file = (found.st_dev, found.st_ino)
        if self._store is None or file != self._file:
            self._close()
            self._store, self._file = Store.open(self._folder), file
        return self._store

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None
