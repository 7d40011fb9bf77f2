"""``plimsoll record``: a trace from engine logs or metrics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

app = App(help="A trace from an engine's log or metrics: lengths and times; prompts only if asked for.")


@app.default
def record(
    source: str,
    *,
    out: Path,
    seconds: float = 60.0,
    prompts: Annotated[bool, Parameter(negative="")] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Write a trace of what an engine served.

    Parameters
    ----------
    source : log of `plimsoll proxy --log` or of the plug-in, vLLM's own DEBUG log, or the URL of vLLM's metrics.
    out : trace file to write: .parquet, .csv or .jsonl.
    seconds : how long to look at the metrics of a URL.
    prompts : keep the prompts too, for `plimsoll predict train`; only vLLM's own log holds them.
    as_json : one JSON object on stdout.
    """
    from ..engine.record import read_log
    from ..engine.sample import sample
    from ..errors import InputError
    from ..formats.write import write_trace

    live = source.startswith(("http://", "https://"))
    if live and prompts:
        raise InputError("--prompts: metrics hold no prompts; only vLLM's own log does")
    trace = sample(source, seconds) if live else read_log(Path(source), prompts)
    write_trace(trace, out)
    if as_json:
        print(json.dumps({"trace": str(out), "requests": len(trace), "seconds": float(trace.arrival[-1])}))
    else:
        print(f"{out}: {len(trace):,} requests over {trace.arrival[-1]:,.1f} s")
