"""Which keys there are: in short at the foot of each page, and all of them on a page of their own."""

from stream.dashboard.cells import Line, box, fit
from stream.dashboard.focus import Focus

_ALL = (
    ("", "all cameras"),
    ("↑ ↓  k j", "select a camera"),
    ("Enter", "open it"),
    ("", "one camera"),
    ("↑ ↓  k j", "select an alert, to see its picture"),
    ("← →  h l", "the camera before, the next one"),
    ("Esc  Enter", "back to all cameras"),
    ("", "anywhere"),
    ("PgUp PgDn", "ten up, ten down"),
    ("Home End", "the first, the last"),
    ("?", "these keys, and back"),
    ("q  Ctrl-C", "quit"),
)


def foot(focus: Focus) -> tuple[tuple[str, str], ...]:
    """Keys and what they do here, in few words."""
    quit_ = ("q", "quit")
    if focus.keys:
        return (("Esc", "back"), quit_)
    if focus.page == "camera":
        return (("↑↓", "alert"), ("←→", "camera"), ("Esc", "back"), ("?", "keys"), quit_)
    return (("↑↓", "select"), ("Enter", "open"), ("?", "keys"), quit_)


def body(width: int, height: int) -> list[Line]:
    """All but the page's first and last line."""
    rows: list[Line] = []
    for key, what in _ALL:
        if not key:
            rows += [[], [(what, "bold")]]
        else:
            rows.append([("  ", ""), (fit(key, 12), "cyan"), (what, "")])
    return box("keys", "", rows[1:], width, max(0, height - 2))
