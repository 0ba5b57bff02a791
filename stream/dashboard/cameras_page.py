"""The page of all cameras: as blocks with charts while there is room, as lines of a table otherwise; alerts below."""

from stream.dashboard import alert_rows
from stream.dashboard.camera_words import STATE_WIDTH, latency, state_line, trouble
from stream.dashboard.cells import QUIET, Line, box, fit, width_of, wrap
from stream.dashboard.focus import Focus
from stream.dashboard.level import bar, chart, numbers, span
from stream.dashboard.numbers import short
from stream.overview import CameraView, Moment, State

_LEAST_ALERTS = 5  # lines
_FRAME = 4  # lines: two boxes' top and bottom
_TALLEST_BLOCK = 9
_MARK = "▸ "


def body(state: State, focus: Focus, width: int, height: int, now: Moment) -> list[Line]:
    """All but the page's first and last line; at least `height` lines of them."""
    count = len(state.cameras)
    inner = max(20, width - 4)
    block = _block_height(count, height - _FRAME - max(_LEAST_ALERTS, (height + 2) // 4))
    title = "cameras"
    if block == 1:
        lines = max(1, height - _FRAME - _LEAST_ALERTS - 1)  # without the headings
        first = _first_shown(list(state.cameras), focus.selected_camera(state), lines)
        if count > lines:
            title = f"cameras {first + 1}–{first + lines} of {count}"
        rows, chart_width = _table(state, focus, inner, first, first + lines, now)
    else:
        rows, chart_width = _blocks(state, focus, inner, block, now)
    alerts = _alerts(state, inner, max(0, height - _FRAME - len(rows)), now)
    return [*box(title, span(chart_width), rows, width), *box("alerts", "", alerts, width)]


def _block_height(count: int, lines: int) -> int:
    """Lines for each camera: 1 in a table, or 2, 3, 5, 7 or 9 with an empty one between them."""
    available = (lines + 1) // max(1, count) - 1
    if available < 2:
        return 1
    return 2 if available == 2 else min(_TALLEST_BLOCK, available - 1 + available % 2)


def _first_shown(names: list[str], selected: str | None, lines: int) -> int:
    """Index of the first camera in so many lines: the selected one is in the middle where not all have room."""
    index = names.index(selected) if selected in names else 0
    return max(0, min(index - lines // 2, len(names) - lines))


def _table(state: State, focus: Focus, inner: int, first: int, end: int, now: Moment) -> tuple[list[Line], int]:
    """One line per camera below a line of headings, and the width of its charts."""
    longest = max((len(name) for name in state.cameras), default=0)
    name_width = max(6, min(longest, inner // 7))
    bar_width, numbers_width, fps_width, latency_width, drops_width = 13, 11, 4, 8, 5
    if inner >= 100:
        bar_width, numbers_width, latency_width = 25, 13, 10
    fixed = name_width + STATE_WIDTH + bar_width + numbers_width + fps_width + latency_width + drops_width
    chart_width = max(0, inner - fixed - 7 - len(_MARK))
    headings = [
        (fit("", len(_MARK) + name_width + 1 + STATE_WIDTH), ""),
        (fit(" level", bar_width + 1), QUIET),
        (fit("score/limit", numbers_width + 1, right=True), QUIET),
        (" " * (chart_width + 1), ""),
        (fit("fps", fps_width, right=True), QUIET),
        (fit("p50/95 ms" if inner >= 100 else "50/95ms", latency_width + 1, right=True), QUIET),
        (fit("drops", drops_width + 1, right=True), QUIET),
    ]
    rows: list[Line] = [headings]
    selected = focus.selected_camera(state)
    for camera in list(state.cameras.values())[first:end]:
        row: Line = [*_marked(camera, selected, name_width), (" ", ""), *state_line(camera), (" ", "")]
        amiss = trouble(camera, now)
        if amiss is None:
            row += [*bar(camera.level or 0.0, bar_width), (" ", ""), *numbers(camera, numbers_width), (" ", "")]
            row += chart(camera, chart_width, 1, now)[0]
        elif camera.state == "live":
            text, style = amiss
            row += [(fit(text, bar_width + 1 + numbers_width), style), (" ", "")]
            row += chart(camera, chart_width, 1, now)[0]
        else:
            text, style = amiss
            row.append((fit(text, bar_width + numbers_width + chart_width + 2), style))
        row.append((fit(f"{camera.fps(now):.1f}", fps_width + 1, right=True), ""))
        row.append((fit(latency(camera, now), latency_width + 1, right=True), ""))
        row.append((fit(short(camera.drops()), drops_width + 1, right=True), "yellow" if camera.drops() else QUIET))
        rows.append(row)
    return rows, chart_width


def _blocks(state: State, focus: Focus, inner: int, height: int, now: Moment) -> tuple[list[Line], int]:
    """Some lines per camera, words and level on the left and a chart on the right, and the width of the charts."""
    left = (54 if height == 2 else 48) if inner < 100 else min(64, inner * 2 // 5)
    chart_width = max(0, inner - left - 2 - len(_MARK))
    selected = focus.selected_camera(state)
    rows: list[Line] = []
    for camera in state.cameras.values():
        if rows:
            rows.append([])
        words = _words(camera, selected, left, height, now)
        for index, cells in enumerate(chart(camera, chart_width, height, now)):
            text = words[index] if index < len(words) else []
            rows.append([*text, (" " * (left + len(_MARK) - width_of(text) + 2), ""), *cells])
    return rows, chart_width


def _words(camera: CameraView, selected: str | None, width: int, height: int, now: Moment) -> list[Line]:
    """The left part of a camera's block, which begins with room for the mark."""
    drops = camera.drops()
    brief = height == 2
    rates: Line = [
        (f"{camera.fps(now):{4 if brief else 0}.1f}", ""),
        (" fps " if brief else " fps   latency ", QUIET),
        (f"{latency(camera, now):>{7 if brief else 0}}", ""),
        (" ms " if brief else " ms   ", QUIET),
        (f"{short(drops):>{4 if brief else 0}}", "yellow" if drops else ""),
        (" drop" if brief else " dropped", QUIET),
    ]
    indent = (" " * len(_MARK), "")
    numbers_width = 13
    amiss = trouble(camera, now)
    if amiss is None:
        level_bar = bar(camera.level or 0.0, width - numbers_width - 1)
        levels: list[Line] = [[indent, *level_bar, (" ", ""), *numbers(camera, numbers_width)]]
    else:
        text, style = amiss
        levels = [[indent, (part, style)] for part in wrap(text, width, 1 if brief else 2)]
    if brief:
        name_width = max(0, width - STATE_WIDTH - width_of(rates) - 2)
        head = [*_marked(camera, selected, name_width), (" ", ""), *state_line(camera), (" ", ""), *rates]
        return [head, *levels]
    head = [*_marked(camera, selected, width - STATE_WIDTH - 1), (" ", ""), *state_line(camera)]
    if height == 3 and len(levels) == 2:
        return [head, *levels]
    return [head, *levels, [indent, *rates]]


def _marked(camera: CameraView, selected: str | None, name_width: int) -> Line:
    mark = _MARK if camera.name == selected else " " * len(_MARK)
    return [(mark, "bold cyan"), (fit(camera.name, name_width), "bold")]


def _alerts(state: State, inner: int, lines: int, now: Moment) -> list[Line]:
    if not state.alerts and lines:
        return [alert_rows.none(state.started), *([[]] * (lines - 1))]
    name_width = max(6, min(max(len(name) for name in state.cameras), inner // 6)) if state.cameras else 6
    rows = [alert_rows.row(alert, inner, now, name_width=name_width) for alert in state.listed_alerts()[:lines]]
    return rows + [[]] * (lines - len(rows))
