"""The dashboard's page: what is known of all cameras as lines of text in a given width and height.

Pure: the same state, size and moment give the same page. Knows neither terminal nor bus.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

from stream.overview import AlertView, CameraView, Moment, State, level, place

Part = tuple[str, str]
"""Text and its style."""
Line = list[Part]

QUIET = "bright_black"
_STATE_STYLE = {"connecting": "yellow", "live": "green", "stalled": "yellow", "lost": "red", "ended": QUIET}
_STATE_WIDTH = 12
_BLOCKS = " ▁▂▃▄▅▆▇█"
_CHART_S = 180  # what a chart shows at least, wider ones more
_LEAST_ALERTS = 5  # lines
_FRAME = 6  # lines: header, footer, two boxes' top and bottom
_TALLEST_BLOCK = 9


@dataclass(frozen=True, slots=True)
class Page:
    """Lines ready to be drawn, by any rich console."""

    lines: tuple[Line, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self.lines:
            for text, style in line:
                yield Segment(text, Style.parse(style))
            yield Segment.line()


def render(state: State, title: str, width: int, height: int, now: Moment, *, quitting: bool = False) -> Page:
    """The page, exactly `height` lines of `width` cells; meant for at least 80×24, cut off where there is less."""
    count = len(state.cameras)
    inner = max(20, width - 4)
    alert_lines = max(_LEAST_ALERTS, height // 4)
    block = _block_height(count, height - _FRAME - alert_lines)
    if block == 1:
        rows, chart = _table(state, inner, max(2, height - _FRAME - _LEAST_ALERTS), now)
    else:
        rows, chart = _blocks(state, inner, block, now)
    span = f"last {chart * _column_s(chart) / 60:.0f} min"
    alert_lines = max(0, height - _FRAME - len(rows))
    lines = [_header(state, title, width, now)]
    lines += _box("cameras", span, rows, width)
    lines += _box("alerts", "", _alerts(state, inner, alert_lines, now), width)
    lines = lines[: height - 1]
    lines.append(_footer(state, width, quitting))
    return Page(tuple(_cut(line, width) for line in lines))


def _block_height(count: int, lines: int) -> int:
    """Lines for each camera: 1 in a table, or 2, 3, 5, 7 or 9 with an empty one between them."""
    available = (lines + 1) // max(1, count) - 1
    if available < 2:
        return 1
    return 2 if available == 2 else min(_TALLEST_BLOCK, available - 1 + available % 2)


def _header(state: State, title: str, width: int, now: Moment) -> Line:
    live = sum(camera.state == "live" for camera in state.cameras.values())
    count, opened = len(state.cameras), len(state.open_alerts())
    right: Line = [
        (f"{live}/{count} live", "green" if live == count else "yellow"),
        ("   alerts ", QUIET),
        (f"{opened} open", "bold red" if opened else ""),
        (f" {state.begun_today(now)} today", ""),
        ("   up ", QUIET),
        (elapsed(now.monotonic_s - state.started.monotonic_s), ""),
        (f"   {now.local:%H:%M:%S} ", "bold"),
    ]
    left = max(0, width - _width(right) - 1)
    return [(" ", ""), (_fit(printable(title), left), "bold"), *right]


def _footer(state: State, width: int, quitting: bool) -> Line:
    keys = [(" stopping …", "yellow")] if quitting else [(" q", "bold"), (" quit", QUIET)]
    lost = f"view lost {state.lost} " if state.lost else ""
    return [*keys, (" " * max(0, width - _width(keys) - len(lost)), ""), (lost, "yellow")]


def _box(title: str, note: str, rows: list[Line], width: int) -> list[Line]:
    note = f" {note} ─" if note else ""
    rule = "─" * max(0, width - len(title) - len(note) - 5)
    lines: list[Line] = [[("╭─ ", QUIET), (title, ""), (f" {rule}{note}╮", QUIET)]]
    for row in rows:
        fill = " " * max(0, width - 4 - _width(row))
        lines.append([("│ ", QUIET), *row, (f"{fill} │", QUIET)])
    lines.append([(f"╰{'─' * (width - 2)}╯", QUIET)])
    return lines


def _table(state: State, inner: int, lines: int, now: Moment) -> tuple[list[Line], int]:
    """One line per camera below a line of headings, and the width of its charts."""
    longest = max((len(name) for name in state.cameras), default=0)
    name_width = max(6, min(longest, inner // 7))
    bar_width, numbers_width, fps_width, latency_width, drops_width = 13, 11, 4, 8, 5
    if inner >= 100:
        bar_width, numbers_width, latency_width = 25, 13, 10
    fixed = name_width + _STATE_WIDTH + bar_width + numbers_width + fps_width + latency_width + drops_width
    chart = max(0, inner - fixed - 7)
    headings = [
        (_fit("", name_width + 1 + _STATE_WIDTH), ""),
        (_fit(" level", bar_width + 1), QUIET),
        (_fit("score/limit", numbers_width + 1, right=True), QUIET),
        (" " * (chart + 1), ""),
        (_fit("fps", fps_width, right=True), QUIET),
        (_fit("p50/95 ms" if inner >= 100 else "50/95ms", latency_width + 1, right=True), QUIET),
        (_fit("drops", drops_width + 1, right=True), QUIET),
    ]
    rows: list[Line] = [headings]
    cameras = list(state.cameras.values())
    shown = cameras if len(cameras) < lines else cameras[: lines - 2]
    for camera in shown:
        row: Line = [(_fit(camera.name, name_width), "bold"), (" ", ""), *_state(camera), (" ", "")]
        trouble = _trouble(camera, now)
        if trouble is None:
            row += [*_bar(camera, bar_width), (" ", ""), *_numbers(camera, numbers_width), (" ", "")]
            row += _chart(camera, chart, 1, now)[0]
        elif camera.state == "live":
            text, style = trouble
            row += [(_fit(text, bar_width + 1 + numbers_width), style), (" ", ""), *_chart(camera, chart, 1, now)[0]]
        else:
            text, style = trouble
            row.append((_fit(text, bar_width + numbers_width + chart + 2), style))
        row.append((_fit(f"{camera.fps(now):.1f}", fps_width + 1, right=True), ""))
        row.append((_fit(_latency(camera, now), latency_width + 1, right=True), ""))
        row.append((_fit(_short(camera.drops()), drops_width + 1, right=True), "yellow" if camera.drops() else QUIET))
        rows.append(row)
    if len(shown) < len(cameras):
        hidden = cameras[len(shown) :]
        live = sum(camera.state == "live" for camera in hidden)
        rows.append([(f"and {len(hidden)} more, {live} of them live: enlarge the window", "yellow")])
    return rows, chart


def _blocks(state: State, inner: int, height: int, now: Moment) -> tuple[list[Line], int]:
    """Some lines per camera, words and level on the left and a chart on the right, and the width of the charts."""
    left = (54 if height == 2 else 48) if inner < 100 else min(64, inner * 2 // 5)
    chart = max(0, inner - left - 2)
    rows: list[Line] = []
    for camera in state.cameras.values():
        if rows:
            rows.append([])
        words = _words(camera, left, height, now)
        for index, cells in enumerate(_chart(camera, chart, height, now)):
            text = words[index] if index < len(words) else []
            rows.append([*text, (" " * (left - _width(text) + 2), ""), *cells])
    return rows, chart


def _words(camera: CameraView, width: int, height: int, now: Moment) -> list[Line]:
    """The left part of a camera's block."""
    drops = camera.drops()
    short = height == 2
    rates: Line = [
        (f"{camera.fps(now):{4 if short else 0}.1f}", ""),
        (" fps " if short else " fps   latency ", QUIET),
        (f"{_latency(camera, now):>{7 if short else 0}}", ""),
        (" ms " if short else " ms   ", QUIET),
        (f"{_short(drops):>{4 if short else 0}}", "yellow" if drops else ""),
        (" drop" if short else " dropped", QUIET),
    ]
    numbers_width = 13
    trouble = _trouble(camera, now)
    if trouble is None:
        level_line = [*_bar(camera, width - numbers_width - 1), (" ", ""), *_numbers(camera, numbers_width)]
        levels: list[Line] = [level_line]
    else:
        text, style = trouble
        levels = [[(part, style)] for part in _wrap(text, width, 1 if short else 2)]
    if short:
        name_width = max(0, width - _STATE_WIDTH - _width(rates) - 2)
        head = [(_fit(camera.name, name_width), "bold"), (" ", ""), *_state(camera), (" ", ""), *rates]
        return [head, *levels]
    head = [(_fit(camera.name, width - _STATE_WIDTH - 1), "bold"), (" ", ""), *_state(camera)]
    if height == 3 and len(levels) == 2:
        return [head, *levels]
    return [head, *levels, rates]


def _state(camera: CameraView) -> Line:
    if camera.state == "live" and camera.condition != "ok":
        return [(_fit(f"● {camera.condition}", _STATE_WIDTH), "yellow" if camera.condition == "changed" else "red")]
    word = camera.regime if camera.state == "live" and camera.regime else camera.state
    return [(_fit(f"● {word}", _STATE_WIDTH), _STATE_STYLE[camera.state])]


def _trouble(camera: CameraView, now: Moment) -> Part | None:
    """What stands in place of the level where there is none to show now."""
    if camera.state != "live":
        waiting = "waiting for the first picture" if camera.state == "connecting" else ""
        return printable(camera.reason) or waiting, QUIET if camera.state == "ended" else "yellow"
    if camera.score is None:
        return "no score yet", QUIET
    silent_s = camera.silent_s(now)
    return None if silent_s is None else (f"no score for {_duration(silent_s)}", QUIET)


def _bar(camera: CameraView, width: int) -> Line:
    """The level on a scale from 0 to twice the threshold, which is marked in the middle."""
    height = camera.level or 0.0
    half = (width - 1) // 2
    filled = round(min(height, 2.0) * half)
    style = "red" if height > 1.0 else "green"
    return [
        ("━" * min(filled, half), style),
        ("─" * (half - filled), QUIET),
        ("┃", "bold"),
        ("━" * (filled - half), style),
        ("─" * (width - 1 - half - max(filled - half, 0)), QUIET),
    ]


def _numbers(camera: CameraView, width: int) -> Line:
    assert camera.score is not None, "numbers are shown only where there is a score"
    score, threshold = _number(camera.score.score), _number(camera.score.threshold)
    over = camera.score.score > camera.score.threshold
    threshold = f"/{threshold}"[: max(0, width - len(score))]
    return [(_fit(score, width - len(threshold), right=True), "bold red" if over else ""), (threshold, QUIET)]


def _chart(camera: CameraView, width: int, height: int, now: Moment) -> list[Line]:
    """Levels over time as columns on a scale from 0 to twice the threshold; those that crossed it are red."""
    levels = camera.history(width, _column_s(width), now)
    steps = [0 if value is None else _steps(value, height) for value in levels]
    styles = ["red" if value is not None and value > 1.0 else "green" for value in levels]
    middle = height // 2 if height % 2 and height > 1 else None
    rows: list[Line] = []
    for row in range(height):
        below = 8 * (height - 1 - row)
        cells = []
        for step, style in zip(steps, styles, strict=True):
            block = _BLOCKS[min(8, max(0, step - below))]
            threshold = block == " " and row == middle
            cells.append(("┈", QUIET) if threshold else (block, style if block != " " else ""))
        rows.append(
            [("".join(cell for cell, _ in run), style) for style, run in groupby(cells, lambda cell: cell[1])]
        )
    return rows


def _steps(value: float, height: int) -> int:
    """Eighths of a line, at least 1; more than half of all exactly where the threshold is crossed."""
    half = 4 * height
    filled = round(min(value, 2.0) * half)  # a tiny threshold may make the level infinite
    return max(1, min(half, filled)) if value <= 1.0 else max(half + 1, filled)


def _column_s(width: int) -> int:
    """Seconds that one column of a chart of this width stands for."""
    return -(-_CHART_S // max(1, width))


def _alerts(state: State, inner: int, lines: int, now: Moment) -> list[Line]:
    """The alerts that are open and then those that have ended, each newest first."""
    if not state.alerts and lines:
        return [[(f"none since {state.started.local:%H:%M:%S}", QUIET)], *([[]] * (lines - 1))]
    name_width = max(6, min(max(len(name) for name in state.cameras), inner // 6)) if state.cameras else 6
    newest = list(reversed(state.alerts.values()))
    shown = sorted(newest, key=lambda alert: alert.ended)[:lines]
    rows = [_alert(alert, name_width, inner, now) for alert in shown]
    return rows + [[]] * (lines - len(rows))


def _alert(alert: AlertView, name_width: int, inner: int, now: Moment) -> Line:
    latest = alert.latest
    today = alert.began.local.date() == now.local.date()
    when = f"{alert.began.local:%H:%M:%S}" if today else f"{alert.began.local:%d.%m. %H:%M}"
    style = QUIET if alert.ended else "bold red" if latest.kind == "anomaly" else "bold yellow"
    peak = f"{level(latest.score, latest.threshold):.1f}×" if latest.kind == "anomaly" else ""
    words = ", ".join(text for text in (place(latest.region), printable(latest.reason)) if text)
    row: Line = [
        (_fit(when, 8 if today else 12), "" if today else QUIET),
        (" ● " if not alert.ended else " ○ ", style),
        (_fit("ended" if alert.ended else "open", 6), style),
        (_fit(latest.camera, name_width), "bold"),
        (" ", ""),
        (_fit(latest.kind, 8), ""),
        (_fit(peak, 6, right=True), "" if alert.ended else style),
        (_fit(_duration(alert.duration_s(now)), 12, right=True), ""),
        ("  ", ""),
    ]
    row.append((_fit(words, max(0, inner - _width(row))), QUIET if alert.ended else ""))
    return row


def _latency(camera: CameraView, now: Moment) -> str:
    latency = camera.latency_ms(now)
    return f"{_short(latency[0])}/{_short(latency[1])}" if latency else "–"


def _number(value: float) -> str:
    """Three digits or so, at most 6 characters, 7 where it is beyond all measure."""
    size = abs(value)
    if size >= 99_999.5:
        return f"{value:.0e}"
    return f"{value:.2f}" if size < 10 else f"{value:.1f}" if size < 100 else f"{value:.0f}"


def _short(value: float) -> str:
    """A count in at most 4 characters."""
    if value < 10_000:
        return f"{value:.0f}"
    return f"{value / 1000:.0f}k" if value < 1_000_000 else f"{value / 1_000_000:.0f}M"


def _duration(seconds: float) -> str:
    """ "42 s", "3 min" or "3 min 5 s", "2 h 10 min"."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def elapsed(seconds: float) -> str:
    """A long time: "2:07:05", "3 d 2:07:05"."""
    whole = int(seconds)
    days, rest = divmod(whole, 86400)
    return (f"{days} d " if days else "") + f"{rest // 3600}:{rest % 3600 // 60:02}:{rest % 60:02}"


def printable(text: str) -> str:
    """The text without anything a terminal would take for a command."""
    return "".join(character if character.isprintable() else " " for character in text)


def _wrap(text: str, width: int, lines: int) -> Iterator[str]:
    """The text on at most so many lines."""
    for index in range(lines):
        if index == lines - 1 or cell_len(text) <= width:
            yield _fit(text, width)
            return
        cut = set_cell_size(text, width)
        head = cut.rpartition(" ")[0] or cut
        yield head
        text = text[len(head) :].lstrip()


def _fit(text: str, width: int, *, right: bool = False) -> str:
    """The text in exactly `width` cells."""
    missing = width - cell_len(text)
    if missing >= 0:
        return " " * missing + text if right else text + " " * missing
    return set_cell_size(text, max(0, width - 1)) + "…"[:width]


def _cut(line: Line, width: int) -> Line:
    """The line in exactly `width` cells."""
    parts: Line = []
    left = width
    for text, style in line:
        part = text if cell_len(text) <= left else set_cell_size(text, left)
        parts.append((part, style))
        left -= cell_len(part)
    return [*parts, (" " * left, "")]


def _width(parts: Iterable[Part]) -> int:
    return sum(cell_len(text) for text, _ in parts)
