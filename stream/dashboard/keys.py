"""What a terminal sends for keys, as names. Pure: bytes and the time in, names out."""

import codecs
import re

_NAMES = {
    "\x1b[A": "up",
    "\x1b[B": "down",
    "\x1b[C": "right",
    "\x1b[D": "left",
    "\x1bOA": "up",  # as some send arrows after a program has asked for that and not put it back
    "\x1bOB": "down",
    "\x1bOC": "right",
    "\x1bOD": "left",
    "\x1bOM": "enter",
    "\x1b[5~": "page up",
    "\x1b[6~": "page down",
    "\x1b[H": "home",
    "\x1b[F": "end",
    "\x1b[1~": "home",
    "\x1b[4~": "end",
    "\x1bOH": "home",
    "\x1bOF": "end",
    "\r": "enter",
    "\n": "enter",
    "\x1b": "escape",
}
_KEY = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|(?=\x1b)|[^\x1b\[O])|[^\x1b]", re.DOTALL)
_PATIENCE_S = 0.1  # with the rest of a sequence; after that an escape was the key of that name


class KeyReader:
    """Puts bytes together to keys, wherever they were split.

    A key that writes a character is that character; arrows, Enter and the like have names of several letters.
    Others, such as function keys or any key with Alt, are nothing: F2 ends in Q and must not be taken for it.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._begun = ""  # a sequence whose end has not come
        self._begun_s = 0.0

    def read(self, typed: bytes, now_s: float) -> list[str]:
        """The keys that are complete with these bytes, in order.

        Args:
            typed: What came since the last call; with nothing, an escape that has waited long enough is told.
            now_s: A monotonic clock.
        """
        if not self._begun:
            self._begun_s = now_s
        self._begun += self._decoder.decode(typed)
        keys = []
        while match := _KEY.match(self._begun):
            keys.append(_name(match[0]))
            self._begun, self._begun_s = self._begun[match.end() :], now_s
        if self._begun and now_s - self._begun_s >= _PATIENCE_S:
            keys.append(_name(self._begun))
            self._begun = ""
        return [key for key in keys if key]


def _name(sequence: str) -> str:
    """Empty for a key that has none."""
    return _NAMES.get(sequence, sequence if len(sequence) == 1 else "")
