"""``plimsoll predict``: train and judge predictors of output length."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

app = App(name="predict", help="Predictors of output length: train and evaluate.")
Json = Annotated[bool, Parameter(name="--json", negative="")]
Drop = Annotated[bool, Parameter(name="--drop-empty", negative="")]


@app.command
def train(
    log: str,
    *,
    out: Path,
    theta: float = 256.0,
    coverage: float = 0.8,
    seed: int = 0,
    embed: str = "",
    drop_empty: Drop = False,
    as_json: Json = False,
) -> None:
    """Train a predictor on finished requests and write it to a file; use it as --predictor learned:FILE.

    Parameters
    ----------
    log : a trace with output lengths; the columns prompt_text or prompt_ids, model or client, and sampling
        parameters are used where it has them. At least 200 requests.
    out : the model's file; an existing one is replaced.
    theta : threshold of the one bit, tokens.
    coverage : share of outputs that the bounds shall hold.
    seed : of the split for calibration.
    embed : a sentence-transformers model, name or folder, whose embedding of the prompt joins its words.
    drop_empty : leave out requests with zero output.
    as_json : one JSON object on stdout.
    """
    from ..predict.model import save
    from ..predict.train import train as fit
    from ..source import read_trace

    model = fit(read_trace(log, drop_empty=drop_empty), theta, coverage, seed, embed)
    save(model, out)
    answer = {
        "schema": 1,
        "model": str(out),
        "requests": model.rows,
        "groups": len(model.groups),
        "theta": model.theta,
        "coverage": model.coverage,
        "bytes": out.stat().st_size,
    }
    print(json.dumps(answer) if as_json else f"{out}: trained on {model.rows} requests; --predictor learned:{out}")


@app.command
def evaluate(
    log: str,
    *,
    model: Path | None = None,
    splits: int = 1,
    theta: float = 256.0,
    coverage: float = 0.8,
    seed: int = 0,
    embed: str = "",
    picture: Path | None = None,
    drop_empty: Drop = False,
    as_json: Json = False,
) -> None:
    """Judge a trained predictor on a log, or train and judge on splits of the log by prompt; with baselines.

    Parameters
    ----------
    log : a trace with output lengths, as for train.
    model : a trained model, judged on the whole log; without it, four fifths of the log's prompts train one
        and the last fifth judges it.
    splits : how many random splits to average over, without a model.
    theta : threshold of the one bit, tokens, without a model.
    coverage : share of outputs that the bounds shall hold, without a model.
    seed : of the first split.
    embed : as for train, without a model.
    picture : an HTML file for the calibration picture.
    drop_empty : leave out requests with zero output.
    as_json : one JSON object on stdout.
    """
    from ..predict.evaluate import evaluate_model, evaluate_splits
    from ..predict.model import load
    from ..predict.present import table
    from ..source import read_trace

    trained = load(model) if model else None
    trace = read_trace(log, drop_empty=drop_empty)
    parameters = (trace, splits, theta, coverage, seed, embed)
    found = evaluate_model(trained, trace) if trained else evaluate_splits(*parameters)
    if picture:
        from ..report.calibration import write_calibration

        write_calibration(picture, trace.name, found.calibration)
    if as_json:
        print(json.dumps({"schema": 1, "trace": log, "requests": len(trace), **found._asdict()}))
    else:
        table(found)
