"""The report of a calibration as a page beside the model: the promise in words, and pictures of what it rests on.

One file that needs no other and asks nobody for anything.
"""

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from calibrate.calibration import Calibration
from calibrate.report import pictures as report_pictures
from calibrate.report.moments import Moment, exceedances, moments
from calibrate.report.summary import budget, clock, duration, promise
from calibrate.threshold import DAY_S
from detector.bundle import USUAL, Budget
from detector.features.grid import Map
from detector.whole_file import write_whole
from stream.source import is_camera

_SUFFIX = ".mulde"
_OFF_S = 1.5  # a picture from further away is said to be so
_STYLE = """
:root{color-scheme:light dark;--ink:#1d2530;--soft:#5c6675;--line:#dfe4eb;--paper:#fff;--bad:#c62828}
@media (prefers-color-scheme:dark){:root{--ink:#d5dbe5;--soft:#98a2b3;--line:#343c49;--paper:#14181f;--bad:#ff7b72}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:52rem;font:1rem/1.5 system-ui,sans-serif}
body{color:var(--ink);background:var(--paper)}
h1{font-size:1.5rem;margin:.5rem 0}h2{font-size:1.15rem;margin:2rem 0 .5rem}
p.soft,figcaption,small{color:var(--soft);font-size:.875rem}p,h1,figcaption{overflow-wrap:anywhere}
img{display:block;width:100%;height:auto}figure{margin:0}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:.3rem .4rem;border-bottom:1px solid var(--line)}
th:first-child,td:first-child{text-align:left}thead th{color:var(--soft);font-weight:normal;font-size:.875rem}
tr.asked{font-weight:bold}
.moments{display:grid;grid-template-columns:repeat(auto-fill,minmax(9.5rem,1fr));gap:1rem}
.moments figure{border:1px solid var(--line)}.moments figcaption{padding:.4rem .5rem}
.moments figure.suspicious{border:2px solid var(--bad)}.suspicious strong{color:var(--bad)}
.none{aspect-ratio:16/9;display:grid;place-items:center;color:var(--soft)}
.maps{display:grid;grid-template-columns:repeat(auto-fit,minmax(17rem,1fr));gap:1rem}
.legend{display:flex;gap:.5rem;align-items:center;font-size:.875rem;color:var(--soft);margin-top:.3rem}
.legend i{flex:1;height:.6rem}
"""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


_HOW_TO_EXCLUDE = (
    "They do not count in the threshold, but the model has learned from them. To exclude one that is an anomaly, cut "
    "its time out of the recording or leave the recording away (of a camera: take other footage), and calibrate "
    "again."
)


class ReportError(Exception):
    """The report cannot be written; the message says where and why."""


def write(made: Calibration, model: Path) -> Path:
    """Write the page beside the model, whole or not at all; where it is.

    Args:
        model: The file of the calibration's bundle, already written.

    Raises:
        ReportError: It cannot be written.
    """
    path = path_of(model, made.bundle.regime)
    try:
        write_whole(page(made, model.name).encode(), path, 0o600)  # it shows people
    except OSError as error:
        raise ReportError(
            f"{path}: the report cannot be written: {error.strerror}: the model {model} is written and can be used"
        ) from error
    return path


def path_of(model: Path, regime: str) -> Path:
    """Where the page of a model's regime is."""
    name = model.name.removesuffix(_SUFFIX)
    return model.with_name(f"{name}.html" if regime == USUAL else f"{name}.{regime}.html")


def page(made: Calibration, name: str) -> str:
    """The whole page.

    Args:
        name: Of the model.
    """
    threshold, asked = made.threshold, made.threshold.budget
    found = exceedances(made.held_out, threshold.suspicious)
    shown = moments(found, threshold.suspicious, made.thumbnails)
    budgets = sorted(
        [asked, *(one for one in threshold.others if one.alerts_per_day != asked.alerts_per_day)],
        key=lambda one: one.alerts_per_day,
    )
    footage = made.bundle.provenance.footage
    suspicious = [peak.height for peak in threshold.suspicious]
    parts = [
        f"<h1>What is normal: {escape(name)}</h1>",
        f"<p>{escape(promise(threshold))}</p>",
        f"<h2>Thresholds</h2>{_table(budgets, asked, threshold.footage_s)}",
        "<h2>Score over time</h2>",
        _chart(
            report_pictures.score_over_time(made.held_out, asked, shown),
            "Score of the footage over time, with the threshold",
            "Each stretch was scored by densities that had not seen it. The line is the threshold, the band its 95 % "
            "interval; numbers are the moments below, as high as the scores were for long enough to alert."
            + (" Dotted: the next recording begins." if len({run.segment for run in made.held_out}) > 1 else ""),
        ),
        f"<h2>The most unusual moments</h2>{_moments(shown, footage)}",
        "<h2>How rare high scores are</h2>",
        _chart(
            report_pictures.tail(found, suspicious, budgets, asked, threshold.footage_s),
            "Alerts a day against the threshold",
            "Where the points end, the footage ends too: thresholds for fewer alerts are extrapolated, on the safe "
            "side. The band is their 95 % interval.",
        ),
        f"<h2>Where and how fast</h2>{_maps(made)}",
        f"<h2>Made from</h2>{_origin(made)}",
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(name)}: calibration</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _table(budgets: Sequence[Budget], asked: Budget, footage_s: float) -> str:
    rows = []
    for one in budgets:
        extrapolated = one.alerts_per_day * footage_s < DAY_S
        kind = ' class="asked"' if one is asked else ""
        rows.append(
            f"<tr{kind}><td>{escape(budget(one.alerts_per_day))}{' (asked for)' if one is asked else ''}</td>"
            f"<td>{one.threshold:.2f}</td><td>{one.low:.2f}\u2013{one.high:.2f}</td>"
            f"<td>{'extrapolated' if extrapolated else 'seen'}</td></tr>"
        )
    return (
        "<table><thead><tr><th>at most</th><th>threshold</th><th>95 % interval</th><th>in the footage</th></tr>"
        f"</thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _moments(shown: Sequence[Moment], footage: Sequence[str]) -> str:
    if not shown:
        return "<p>Nothing stood out at any time.</p>"
    said = '<p class="soft">The highest scores, one of each episode: what a lower threshold would report first.</p>'
    if any(moment.suspicious for moment in shown):
        said = f'<p class="suspicious"><strong>Some are hardly normal.</strong> {_HOW_TO_EXCLUDE}</p>{said}'
    figures = (_moment(number, moment, footage) for number, moment in enumerate(shown, start=1))
    return f'{said}<div class="moments">{"".join(figures)}</div>'


def _moment(number: int, moment: Moment, footage: Sequence[str]) -> str:
    peak, thumbnail = moment.peak, moment.thumbnail
    when = f"{clock(peak.time_s)} of {_recording(peak.segment, footage)}"
    if thumbnail is None:
        picture = '<div class="none">no picture was kept</div>'
    else:
        picture = f'<img src="{_uri("image/jpeg", thumbnail.jpeg)}" alt="The picture at {escape(when)}">'
        if abs(thumbnail.time_s - peak.time_s) > _OFF_S:
            when += f", picture from {clock(thumbnail.time_s)}"
    mark = "<strong>suspicious</strong><br>" if moment.suspicious else ""
    kind = ' class="suspicious"' if moment.suspicious else ""
    caption = f"{mark}{number}: score {peak.height:.2f}<br>{escape(when)}"
    return f"<figure{kind}>{picture}<figcaption>{caption}</figcaption></figure>"


def _recording(segment: int, footage: Sequence[str]) -> str:
    """Its number, and its name where there are several and it is certain: a camera may have been interrupted."""
    number = f"recording {segment + 1}"
    if not segment < len(footage) > 1 or any(is_camera(source) for source in footage):
        return number
    source = footage[segment]
    return f"{number} ({source if '://' in source else Path(source).name})"


def _maps(made: Calibration) -> str:
    background = made.bundle.arrays["scene.background"].astype(np.float32)
    share, speed = made.activity.share, made.activity.speed
    most, fastest = float(share.max()), float(np.nanmax(speed, initial=0.0))
    return (
        '<div class="maps">'
        + _map(background, share, most, "Share of the time in which something is there", f"{most:.1%}")
        + _map(
            background,
            speed,
            fastest,
            "Usual speed of what moves, in percent of the picture\u2019s longer side",
            f"{fastest:.1f} %/s",
        )
        + "</div>"
    )


def _map(background: Map, values: Map, top: float, title: str, most: str) -> str:
    picture = report_pictures.over_scene(background, values, max(top, 1e-6))
    gradient = ",".join(report_pictures.colours())
    return (
        f'<figure><img src="{_uri("image/jpeg", picture)}" alt="{title}, over the empty scene">'
        f'<figcaption>{title}<div class="legend">0<i style="background:linear-gradient(90deg,{gradient})"></i>{most}'
        "</div></figcaption></figure>"
    )


def _origin(made: Calibration) -> str:
    preparation, provenance = made.bundle.preparation, made.bundle.provenance
    footage = "; ".join(f"{number}: {source}" for number, source in enumerate(provenance.footage, start=1))
    facts = (
        f"{duration(made.threshold.footage_s)} in {made.pictures} pictures of {preparation.width}×"
        f"{preparation.height} at {preparation.rate_fps:g}/s, nothing going on in {made.quiet_share:.0%}"
        + (", more than is kept at once: evenly thinned" if made.thinned else ""),
        footage,
        f"Learned: {', '.join(str(family['name']) for family in made.bundle.families)}",
        f"{provenance.created_utc}, version {provenance.code_version}, seed {provenance.seed}",
    )
    return f'<p class="soft">{"<br>".join(map(escape, facts))}</p>'


def _chart(svg: str, alternative: str, caption: str) -> str:
    return (
        f'<figure><img src="{_uri("image/svg+xml", svg.encode())}" alt="{escape(alternative)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{b64encode(data).decode()}"
