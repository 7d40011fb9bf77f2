"""How good a prediction is: rank correlation, error, coverage, the one bit, calibration."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError
from ..trace import Floats, Ints, Trace
from .boost import learning
from .features import Features, features, rows
from .model import Forecast, Model, forecast, group_codes, tokens
from .online import Online
from .replay import replay
from .survival import alive
from .train import FEWEST, fit, held_out, prompt_blocks

LEARNED = 5000  # requests that the online predictor learns from
LEVELS = tuple(level / 10 for level in range(1, 10))


class Evaluation(NamedTuple):
    """What held-out requests say of a model and of the baselines.

    Attributes
    ----------
    held_out : requests that were judged, over all splits.
    splits : how many random splits by prompt the figures are means of; 0 for a model from a file.
    theta, coverage : of the model.
    scores : predictor → metric → value, mean over the splits; see ``score``.
    confusion : truth → bit → share of the held-out requests, mean over the splits.
    calibration : nominal level → share of outputs below the model's quantile of that level.
    by_group : group → share of outputs within the bounds.
    """

    held_out: int
    splits: int
    theta: float
    coverage: float
    scores: dict[str, dict[str, float]]
    confusion: dict[str, dict[str, float]]
    calibration: dict[str, float]
    by_group: dict[str, float]


def evaluate_model(model: Model, trace: Trace) -> Evaluation:
    """Judge a model on the requests of a trace, none of which it should have been trained on."""
    return summary([judge(model, features(trace, model.embed), trace.output)], 0, model.theta, model.coverage)


def evaluate_splits(
    trace: Trace,
    splits: int = 1,
    theta: float = 256.0,
    coverage: float = 0.8,
    seed: int = 0,
    embed: str = "",
) -> Evaluation:
    """Train on four fifths of a trace's prompts and judge on the last fifth, ``splits`` times.

    Raises
    ------
    InputError
        If the trace has too few requests or ``splits`` is below 1.
    """
    if splits < 1:
        raise InputError(f"--splits must be at least 1, not {splits}")
    if len(trace) < FEWEST:
        raise InputError(f"{trace.name}: {len(trace)} requests are too few to learn from; {FEWEST} are needed")
    of, block = features(trace, embed), prompt_blocks(trace)
    judged: list[Judged] = []
    for split in range(splits):
        known, test = parted(block, seed + split)
        model = fit_rows(of, trace.output, block, known, theta, coverage, seed + split)
        split_scores = judge(model, rows(of, test), trace.output[test])
        split_scores.scores["online"] = judge_online(trace, known, test, theta, seed + split)
        judged.append(split_scores)
    return summary(judged, splits, theta, coverage)


def parted(block: Ints, seed: int) -> tuple[Ints, Ints]:
    """Rows to train on and rows to judge on: four fifths of the prompts and the last fifth."""
    test = held_out(block, 0.2, seed)
    return np.flatnonzero(~test), np.flatnonzero(test)


def fit_rows(of: Features, output: Ints, block: Ints, known: Ints, theta: float, coverage: float, seed: int) -> Model:
    """A model trained on the rows ``known``."""
    inner = np.unique(block[known], return_inverse=True)[1].astype(np.int64)
    held = held_out(inner, 0.25, seed)
    return fit(rows(of, known), np.log(output[known]), inner, held, theta, coverage, seed)


def judge_online(trace: Trace, known: Ints, test: Ints, theta: float, seed: int) -> dict[str, float]:
    """The default online predictor, after it learned from at most LEARNED of the rows ``known`` in random order."""
    shown = np.random.default_rng(seed).permutation(known)[:LEARNED]
    _, state = replay(Online(), trace, shown)
    said, _ = replay(Online(), trace, test, learns=False, state=state)
    output, said = trace.output[test], said[test]
    found = score(output, np.array(said["predicted"]), theta)
    inside = (said["lower"] <= output) & (output <= said["upper"])
    return found | {"coverage": float(inside.mean())}


class Judged(NamedTuple):
    """One split's figures, as in ``Evaluation``."""

    size: int
    scores: dict[str, dict[str, float]]
    confusion: dict[str, dict[str, float]]
    calibration: dict[str, float]
    by_group: dict[str, float]


def judge(model: Model, of: Features, output: Ints) -> Judged:
    """A model and its baselines on requests that it has not seen."""
    seen = forecast(model, of)
    n = len(output)
    baselines = {
        "client mean": tokens(model.group_mean[group_codes(model.groups, of)]),
        "prompt length": tokens(model.length(of.dense[:, :1])),
        "constant": np.full(n, tokens(model.group_mean[-1:])[0]),
    }
    low, high = (1 - model.coverage) / 2, (1 + model.coverage) / 2
    scores = {"learned": score(output, seen.median, model.theta, seen.long > 0.5)}
    scores["learned"] |= {
        "coverage": float(np.mean((seen.lower <= output) & (output <= seen.upper))),
        "interval_log_width": float(np.mean(np.log(seen.upper / seen.lower))),
        "pinball_lower": pinball(output, seen.lower, low),
        "pinball_upper": pinball(output, seen.upper, high),
    }
    scores |= {name: score(output, values, model.theta) for name, values in baselines.items()}
    inside = (seen.lower <= output) & (output <= seen.upper)
    names = np.array(of.group)
    return Judged(
        n,
        scores,
        confusion(output > model.theta, seen.long > 0.5),
        calibration(model, seen, output),
        {str(name): float(inside[names == name].mean()) for name in np.unique(names)},
    )


def score(output: Ints, predicted: Floats, theta: float, bit: Any = None) -> dict[str, float]:
    """The figures of one predictor on n requests.

    Returns
    -------
    spearman, kendall : rank correlation with the output (tau-b); 0 for a constant.
    mae_log : mean of abs(log(output/predicted)).
    pinball : mean quantile loss of the log output at the median.
    bit_accuracy : share of requests on the right side of ``theta``, by ``bit`` or else by the prediction.
    """
    stats = learning("stats")
    flat = bool(np.ptp(predicted) == 0 or np.ptp(output) == 0)
    bit = predicted > theta if bit is None else bit
    return {
        "spearman": 0.0 if flat else float(stats.spearmanr(predicted, output).statistic),
        "kendall": 0.0 if flat else float(stats.kendalltau(predicted, output).statistic),
        "mae_log": float(np.abs(np.log(output / predicted)).mean()),
        "pinball": pinball(output, predicted, 0.5),
        "bit_accuracy": float((bit == (output > theta)).mean()),
    }


def pinball(output: Ints, predicted: Floats, quantile: float) -> float:
    """Mean quantile (pinball) loss of the log output."""
    error = np.log(output) - np.log(predicted)
    return float(np.maximum(quantile * error, (quantile - 1) * error).mean())


def confusion(long: Any, said: Any) -> dict[str, dict[str, float]]:
    """Shares of all requests: truth short or long → bit short or long."""
    words = (("short", False), ("long", True))
    return {truth: {bit: float(((long == a) & (said == b)).mean()) for bit, b in words} for truth, a in words}


def calibration(model: Model, seen: Forecast, output: Ints) -> dict[str, float]:
    """Share of outputs below the quantile that the model's law gives for each of LEVELS."""
    ratio = output / np.maximum(1, np.rint(seen.median))
    below = np.array([1 - alive(model.survival[k], float(x)) for k, x in zip(seen.kind, ratio, strict=True)])
    return {f"{level:.1f}": float(np.mean(below <= level)) for level in LEVELS}


def summary(judged: list[Judged], splits: int, theta: float, coverage: float) -> Evaluation:
    """Means over the splits; a group's mean over the splits that held some of it."""
    first = judged[0]
    groups = sorted({name for one in judged for name in one.by_group})
    return Evaluation(
        sum(one.size for one in judged),
        splits,
        theta,
        coverage,
        {name: _mean([one.scores[name] for one in judged]) for name in first.scores},
        {truth: _mean([one.confusion[truth] for one in judged]) for truth in first.confusion},
        _mean([one.calibration for one in judged]),
        {g: float(np.mean([one.by_group[g] for one in judged if g in one.by_group])) for g in groups},
    )


def _mean(parts: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([part[name] for part in parts])) for name in parts[0]}
