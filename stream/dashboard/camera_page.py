"""The page of one camera: its level over time, what is known of it, the selected alert's picture, its alerts."""

from stream.dashboard import alert_rows
from stream.dashboard.camera_words import state_line, trouble
from stream.dashboard.cells import QUIET, Line, Part, beside, box, fit, wrap
from stream.dashboard.focus import Focus
from stream.dashboard.level import bar, chart, numbers, span
from stream.dashboard.numbers import duration, number, short
from stream.overview import AlertView, CameraView, Moment, State, level

_FRAME = 6  # lines: the chart's, the facts' and the alerts' box
_LABEL_WIDTH = 12
_MARK = "▸ "
_CAPTION = 2  # lines above the picture
_FAMILIES = 3  # at the most that are shown

_CONDITIONS = {
    "ok": ("as calibrated", "green"),
    "changed": ("changed: less normal for long, or another light", "yellow"),
    "moved": ("moved: looks elsewhere", "red"),
    "defocused": ("defocused: lost its fine structure", "red"),
    "covered": ("covered: sees nothing", "red"),
    "frozen": ("frozen: the same picture again and again", "red"),
}


def body(
    state: State, focus: Focus, name: str, picture: tuple[Line, ...], width: int, height: int, now: Moment
) -> list[Line]:
    """All but the page's first and last line."""
    camera = state.cameras[name]
    chart_lines, middle, alert_lines = _lines(height)
    inner = max(1, width - 4)
    left = _facts_width(width)
    selected = focus.selected_alert(state)
    facts = box("now", "", _facts(camera, left - 4, now), left, middle)
    caption = [] if selected is None else _caption(selected, max(1, width - left - 4))
    shown = box(_picture_title(selected, now), "", [*caption, *picture], width - left, middle)
    alerts = _alerts(state, name, selected, inner, alert_lines, now)
    return [
        *box(name, span(inner), chart(camera, inner, chart_lines, now), width),
        *beside(facts, shown),
        *box("alerts", "", alerts, width, alert_lines),
    ]


def picture_size(width: int, height: int) -> tuple[int, int]:
    """Columns and lines there are for the picture on a page of this size, at least 1 each."""
    return max(1, width - _facts_width(width) - 4), max(1, _lines(height - 2)[1] - _CAPTION)


def _lines(height: int) -> tuple[int, int, int]:
    """Of the chart, of facts and picture, and of the alerts."""
    rest = max(3, height - _FRAME)
    alerts = min(10, max(3, rest // 5))
    chart_lines = min(9, max(3, rest // 4 - 1 + rest // 4 % 2))  # odd, for the threshold is a line then
    return chart_lines, max(1, rest - alerts - chart_lines), alerts


def _facts_width(width: int) -> int:
    return min(48 if width >= 100 else 42, width - 8)


def _facts(camera: CameraView, width: int, now: Moment) -> list[Line]:
    value_width = max(1, width - _LABEL_WIDTH)
    rows: list[tuple[str, Line]] = [("state", state_line(camera))]
    amiss = trouble(camera, now)
    if amiss is None:
        level_bar = bar(camera.level or 0.0, max(5, value_width - 14))
        rows.append(("level", [*level_bar, (" ", ""), *numbers(camera, 13)]))
        rows += _families(camera, value_width)
        text, style = _CONDITIONS[camera.condition]
        rows.append(("picture", [(fit(text, value_width), style)]))
    else:
        rows.append(("", [(fit(amiss[0], value_width), amiss[1])]))
    if camera.regime:
        rows.append(("regime", [(fit(camera.regime, value_width), "")]))
    rows += [("latency", _latency(camera, now)), ("rate", _rate(camera, now)), ("dropped", [_dropped(camera)])]
    reconnects = 0 if camera.report is None else camera.report.reconnects
    rows.append(("reconnected", [(f"{short(reconnects)}×", "yellow" if reconnects else "")]))
    return [[(fit(label, _LABEL_WIDTH), QUIET), *value] for label, value in rows]


def _families(camera: CameraView, width: int) -> list[tuple[str, Line]]:
    """What each family of features adds at the place of the score, beside the same threshold; the largest first."""
    assert camera.score is not None, "asked only where there is a score"
    score = camera.score
    largest = sorted(score.families.items(), key=lambda item: -item[1])[:_FAMILIES]
    return [
        (f" {name}", [*bar(level(value, score.threshold), max(5, width - 14)), (f" {number(value):>6}", "")])
        for name, value in sorted(largest)
    ]


def _latency(camera: CameraView, now: Moment) -> Line:
    known = camera.latency_ms(now)
    if known is None:
        return [("–", "")]
    return [("p50 ", QUIET), (f"{short(known[0])} ms", ""), ("   p95 ", QUIET), (f"{short(known[1])} ms", "")]


def _rate(camera: CameraView, now: Moment) -> Line:
    source_fps = 0.0 if camera.report is None else camera.report.source_fps
    of = f" of {source_fps:.1f} fps" if source_fps else " fps, the source's not known"
    return [(f"{camera.fps(now):.1f}", ""), (of, QUIET)]


def _dropped(camera: CameraView) -> Part:
    causes = {cause: count for cause, count in camera.drops_by_cause().items() if count}
    text = ", ".join(f"{short(count)} {cause}" for cause, count in causes.items())
    return text or "none", "yellow" if causes else ""


def _picture_title(alert: AlertView | None, now: Moment) -> str:
    if alert is None:
        return "picture"
    today = alert.began.local.date() == now.local.date()
    when = f"{alert.began.local:%H:%M:%S}" if today else f"{alert.began.local:%d.%m. %H:%M}"
    return f"{alert.latest.kind} of {when}, {duration(alert.duration_s(now))}"


def _caption(alert: AlertView, width: int) -> list[Line]:
    """Where and what, whole where the list of alerts has no room for it."""
    lines: list[Line] = [[(part, "bold")] for part in wrap(alert_rows.words(alert), width, _CAPTION)]
    return lines + [[]] * (_CAPTION - len(lines))


def _alerts(state: State, name: str, selected: AlertView | None, inner: int, lines: int, now: Moment) -> list[Line]:
    """The camera's alerts, with the selected one in the middle where there are more than lines."""
    alerts = state.listed_alerts(name)
    if selected is None:
        return [alert_rows.none(state.started)]
    index = next(index for index, alert in enumerate(alerts) if alert is selected)
    first = max(0, min(index - lines // 2, len(alerts) - lines))
    return [
        [(_MARK if alert is selected else " " * len(_MARK), "bold cyan"), *alert_rows.row(alert, inner - 2, now)]
        for alert in alerts[first : first + lines]
    ]
