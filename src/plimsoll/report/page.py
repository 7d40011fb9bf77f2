"""The HTML report: one file, complete in itself, that shows a comparison and lets it be explored."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import replacing
from ..experiment.attainment import Attained
from ..experiment.run import Run
from ..host.result import Ints
from ..metrics import figures
from ..trace import Trace
from .pack import Pack, script_json
from .panel import Panel
from .panels import Seen, all_panels, see
from .picture import MOST_CELLS, Gallery, Scale, Still, class_names, gallery, pictures_json, stills, window
from .svg import panel_svg, picture_svg
from .words import baseline, number, summary

_SCRIPTS = ("core", "frame", "chart", "picture", "select", "main")


def write_report(path: str | Path, trace: Trace, runs: Sequence[Run], attained: Sequence[Attained] = ()) -> None:
    """Write the report of a comparison; an existing file is replaced, or left alone when writing fails.

    Parameters
    ----------
    runs : ranked, best first, as ``compare`` gives them, all of ``trace`` on the same host.
    attained : the same policies over a grid of arrival rates, as ``attainment`` gives them; none makes no such panel.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    with replacing(path) as part:
        part.write_text(report_page(trace, runs, attained), encoding="utf-8")


def report_page(trace: Trace, runs: Sequence[Run], attained: Sequence[Attained] = ()) -> str:
    """The page as text: still pictures, and the data and script that bring them to life."""
    seen = see(runs)
    today = next(k for k, r in enumerate(runs) if r is baseline(runs))
    pair = [today, 0] if today != 0 else [0, *_beside(runs)]
    shown = gallery(trace, seen, pair)
    panels = all_panels(trace, seen, attained)
    styles = run_styles(runs)
    data, columns = _data(trace, seen, shown, panels, pair)
    words, drawn = summary(runs), stills(shown, seen, pair)
    script = "\n".join(viewer_file(f"{name}.js") for name in _SCRIPTS)
    style = viewer_file("style.css")
    return _TEMPLATE.format(
        policy=_policy(script),
        name=escape(trace.name),
        style=style,
        mark=_MARK,
        about=escape(_about(trace, runs[0])),
        headline=escape(words[0]),
        lead="".join(f'<p class="lead">{escape(line)}</p>' for line in words[1:]),
        pictures="".join(map(_figure, drawn)),
        detail=_SINGLE if all(picture.stays for picture in drawn) else _CLASSES,
        colours=_colours(shown.wait),
        table=_table(runs, styles),
        legend=_legend(seen, styles),
        bound=_BOUND if any(r.ratio is not None for r in runs) else "",
        panels="".join(_panel(p, styles) for p in panels),
        data=data,
        columns=columns,
        script=script,
    )


def _beside(runs: Sequence[Run]) -> list[int]:
    """What stands beside the best run where that is what a server does today: svf, or the next; none beside one."""
    others = range(1, len(runs))
    return [k for k in others if runs[k].policy == "svf"][:1] or list(others[:1])


def run_styles(runs: Sequence[Run]) -> list[str]:
    """The classes of each run's line: a colour for each policy; a dash for each predictor and beyond eight policies.

    They differ for each run while the predictors of a policy, times the eights of policies, are at most four.
    """
    policies = list(dict.fromkeys(r.policy for r in runs))
    own = {p: list(dict.fromkeys(r.predictor for r in runs if r.policy == p)) for p in policies}
    most = max(map(len, own.values()))
    places = [(policies.index(r.policy), own[r.policy].index(r.predictor)) for r in runs]
    return [f"s{policy % 8} d{(policy // 8 * most + predictor) % 4}" for policy, predictor in places]


def viewer_file(name: str) -> str:
    """A script or the style of the viewer."""
    return files("plimsoll.report").joinpath("viewer", name).read_text(encoding="utf-8")


def _policy(script: str) -> str:
    """A content security policy under which nothing but our own script can run and nothing can be fetched."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"
    )


def _about(trace: Trace, run: Run) -> str:
    load = "" if run.load is None else f", load {run.load:.2f}"
    left = f", {run.result.rejected:,} that can never fit left out" if run.result.rejected else ""
    return f"{trace.name}: {len(trace):,} requests, {run.result.capacity:,} KV tokens, {run.host} host{load}{left}"


# ---- the data


def _data(
    trace: Trace, seen: Sequence[Seen], shown: Gallery, panels: Sequence[Panel], pair: Sequence[int]
) -> tuple[str, str]:
    """The page's JSON and its block of columns."""
    pack = Pack()
    start, stop = shown.span
    stretch = window(seen, shown.runs, shown.span)
    sampled, rows = _rows(trace, seen, shown, stretch)
    place = np.full(len(trace), -1)
    place[rows] = np.arange(len(rows))
    styles = [style.replace("s", "").replace("d", "").split() for style in run_styles([s.run for s in seen])]
    page: dict[str, Any] = {
        "unit": seen[0].result.unit,
        "capacity": seen[0].result.capacity,
        "requests": len(trace),
        "sample": int(sampled.sum()),
        "start": start,
        "span": [0.0, stop - start],
        "window": [t - start for t in stretch],
        "pictured": list(pair),
        "scales": {"wait": asdict(shown.wait), "volume": asdict(shown.volume)},
        "runs": [
            {"name": s.label, "told": s.told, "colour": int(c), "dash": int(d)}
            for s, (c, d) in zip(seen, styles, strict=True)
        ],
        "table": _requests(pack, trace, seen, shown, rows, sampled[rows]),
        "pictures": pictures_json(pack, seen, shown, place, stretch),
        "panels": [_panel_json(pack, p, start) for p in panels],
    }
    return script_json(page), pack.text()


def _rows(trace: Trace, seen: Sequence[Seen], shown: Gallery, stretch: tuple[float, float]) -> tuple[Any, Ints]:
    """Which requests the page tells of: an even sample (all, where they are few), and those of the close-up."""
    every = max(1, -(-len(trace) * len(seen) // MOST_CELLS))
    sampled = np.zeros(len(trace), bool)
    sampled[::every] = True
    wanted = sampled.copy()
    for k in shown.runs:
        w = seen[k].wedges
        wanted[w.id[(w.start < stretch[1]) & (w.stop >= stretch[0])]] = True
    return sampled, np.flatnonzero(wanted)


def _requests(
    pack: Pack, trace: Trace, seen: Sequence[Seen], shown: Gallery, rows: Ints, sampled: Any
) -> dict[str, Any]:
    results = [s.result for s in seen]
    return {
        "id": pack.add(rows),
        "sampled": pack.add(sampled),
        "arrival": pack.add(results[0].arrival[rows] - shown.span[0]),
        "prompt": pack.add(trace.prompt[rows]),
        "output": pack.add(trace.output[rows]),
        "wait": [pack.add(wait[rows]) for wait in shown.waits],
        "latency": [pack.add(r.latency[rows]) for r in results],
        "evictions": [pack.add(r.evictions[rows]) for r in results],
    }


def _panel_json(pack: Pack, panel: Panel, start: float) -> dict[str, Any]:
    shift = start if panel.x.time else 0.0
    axes = {name: {**asdict(axis), "title": axis.title} for name, axis in (("x", panel.x), ("y", panel.y))}
    lines = [{"name": s.name, "run": s.run, "x": pack.add(s.x - shift), "y": pack.add(s.y)} for s in panel.series]
    return {
        "name": panel.name,
        "title": panel.title,
        "kind": panel.kind,
        **axes,
        "marks": [asdict(m) for m in panel.marks],
        "series": lines,
        "cells": None if panel.cells is None else pack.add(panel.cells),
        "shaded": None if panel.shaded is None else asdict(panel.shaded),
    }


# ---- what stands in the page itself


def _figure(picture: Still) -> str:
    name, told = escape(picture.run.label), escape(picture.run.told)
    caption = f'<figcaption><b>{name}</b> <span class="told">{told}</span></figcaption>'
    drawn = picture_svg(picture.panel, picture.parts, picture.stays)
    return f'<figure>{caption}<div class="picture">{drawn}</div></figure>'


def _colours(wait: Scale) -> str:
    swatches = (f'<span class="swatch"><i class="w{c}"></i>{name}</span>' for c, name in enumerate(class_names(wait)))
    return f"<span>{wait.label}, in {wait.unit}:</span>{''.join(swatches)}"


def _legend(seen: Sequence[Seen], styles: Sequence[str]) -> str:
    """The line of every run, in the order of the ranking."""
    keys = (f"{_sample(style)}{escape(s.label)}" for s, style in zip(seen, styles, strict=True))
    return "".join(f'<span data-run="{k}">{key}</span>' for k, key in enumerate(keys))


def _sample(style: str) -> str:
    return f'<svg class="sample" viewBox="0 0 26 10"><line class="{style}" x1="0" x2="26" y1="5" y2="5"/></svg>'


def _panel(panel: Panel, styles: Sequence[str]) -> str:
    name, still = escape(panel.name), panel_svg(panel, styles)
    caption = f'<figcaption><h3>{escape(panel.title)}</h3><p class="note">{escape(panel.note)}</p></figcaption>'
    return f'<figure>{caption}<div class="chart" data-panel="{name}">{still}</div></figure>'


def _table(runs: Sequence[Run], styles: Sequence[str]) -> str:
    several = len({r.predictor for r in runs}) > 1
    unit = runs[0].result.unit
    per = f"tokens/{'round' if unit == 'rounds' else unit}"
    certified = any(r.ratio is not None for r in runs)
    heads = ["mean", "p50", "p99", per, "evictions", "memory used", *(["× bound"] if certified else [])]
    names = f"<th>policy</th>{'<th class=left>predictor</th>' if several else ''}"
    head = names + "".join(f"<th>{h}</th>" for h in heads)
    rows = (_row(k, r, style, several, certified) for k, (r, style) in enumerate(zip(runs, styles, strict=True)))
    return f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"


def _row(k: int, run: Run, style: str, several: bool, certified: bool) -> str:
    told = figures(run.result)
    latency = told["latency"]
    ok = run.result.status == "ok"
    cells = [f"<td>{_sample(style)}{escape(run.policy)}{'' if ok else ' (unstable)'}</td>"]
    cells += [f'<td class="left">{escape(run.predictor)}</td>'] if several else []
    for name in ("mean", "p50", "p99"):
        cells.append(f'<td data-figure="{name}">{number(latency[name]) if ok else "–"}</td>')
    cells.append(f'<td data-figure="rate">{number(told["output_tokens_per_unit"])}</td>')
    cells.append(f'<td data-figure="evictions">{told["evictions"]:,}</td>')
    cells.append(f'<td data-figure="use">{100 * told["mean_memory_use"]:.0f} %</td>')
    if certified:
        cells.append(f'<td data-figure="ratio">{"–" if run.ratio is None else f"{run.ratio:.2f}"}</td>')
    return f'<tr data-run="{k}">{"".join(cells)}</tr>'


_SINGLE = "Each band is one request."
_CLASSES = "Bands are classes of requests."
_BOUND = " × bound: total latency over a certified lower bound; no schedule whatever comes below 1."

_MARK = (
    '<svg width="20" height="20" viewBox="0 0 20 20" aria-hidden="true" fill="none" stroke="currentColor" '
    'stroke-width="1.8"><circle cx="10" cy="10" r="6.2"/><path d="M0 10h20"/></svg>'
)

_TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name} · plimsoll</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<main>
<h1>{mark}{about}</h1>
<p class="headline">{headline}</p>
{lead}
<h2>What the memory holds</h2>
<p class="note">Time across, KV tokens up, each request a wedge that grows by a token a step and vanishes
when it is done. <span id="detail">{detail}</span></p>
<div id="colours">{colours}</div>
<div class="pair">{pictures}</div>
<div id="tools" hidden>
<button id="zoom-window" type="button">zoom in</button>
<button id="zoom-out" type="button">zoom out</button>
<button id="zoom-all" type="button">whole run</button>
<button id="zoom-detail" type="button">close-up</button>
<button id="clear-window" type="button">clear window</button>
<span>drag to choose a window of time: table and panels then show the requests that arrived in it; shift-drag moves,
ctrl-wheel zooms</span>
</div>
<h2>Ranking</h2>
<p class="note">Latency from arrival to finish, of <span id="window">all requests</span>.{bound}</p>
<div class="scroll"><table id="ranking">{table}</table></div>
<div id="runs"><div>{legend}</div></div>
<div class="panels">{panels}</div>
<footer>Made by plimsoll. This file is complete in itself and fetches nothing.</footer>
</main>
<div id="tip" hidden></div>
<script type="application/json" id="data">{data}</script>
<script type="text/plain" id="columns">{columns}</script>
<script>{script}</script>
</body>
</html>
"""
