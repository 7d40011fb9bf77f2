"""A learned predictor as plain numbers: what it predicts, and the file that it is kept in."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..trace import Floats, Ints
from . import plain
from .features import BUCKETS, NAMES, Features
from .survival import POINTS
from .trees import Trees

VERSION = 1
MAGIC = "plimsoll predictor"
TREES = ("median", "lower", "upper", "bit", "length")


class Model(NamedTuple):
    """A learned predictor. Lengths are in log tokens inside.

    Attributes
    ----------
    theta : tokens, the threshold of the one bit.
    coverage : nominal share of outputs within [lower, upper].
    rows : requests that it was trained on, those for calibration among them.
    groups : names of the models or clients seen in training.
    embed : name of the sentence-transformers model that embeds prompts, or "".
    group_mean : shape (groups + 1,), mean log output of each group, last of all.
    gram_weight : shape (BUCKETS + d,), the linear weight of each hashed n-gram, then of each of d embedded numbers.
    median, lower, upper : quantiles of the log output.
    bit : log-odds of output > theta.
    length : median of the log output given the prompt's length alone, a baseline.
    margin : shape (groups + 1,), what conformal calibration adds on both sides, last for unknown groups.
    edge : shape (kinds − 1,), widths log(upper/lower) that part the kinds.
    survival : shape (kinds, POINTS), the law of output/median in each kind.
    proxy : shape (2,), tokens: mean output of calibration requests called short, and of those called long.
    bit_survival : shape (2, POINTS), the law of output/proxy for either value of the bit.
    """

    theta: float
    coverage: float
    rows: int
    groups: tuple[str, ...]
    embed: str
    group_mean: Floats
    gram_weight: Floats
    median: Trees
    lower: Trees
    upper: Trees
    bit: Trees
    length: Trees
    margin: Floats
    edge: Floats
    survival: Floats
    proxy: Floats
    bit_survival: Floats


class Forecast(NamedTuple):
    """What a model says of n requests; all shape (n,), tokens, at least 1, but for ``kind`` and ``long``."""

    median: Floats
    lower: Floats
    upper: Floats
    kind: Ints
    long: Floats  # P(output > theta)


def forecast(model: Model, of: Features) -> Forecast:
    """What the model says of each request; ``lower <= median <= upper``."""
    group = group_codes(model.groups, of)
    columns = inputs(model.gram_weight, model.group_mean, group, of)
    low, high = model.lower(columns), model.upper(columns)
    margin = model.margin[group]
    bottom, top = np.minimum(low, high) - margin, np.maximum(low, high) + margin
    return Forecast(
        tokens(np.clip(model.median(columns), bottom, top)),
        np.floor(tokens(bottom)),
        np.ceil(tokens(top)),
        np.searchsorted(model.edge, high - low, side="right").astype(np.int64),
        1.0 / (1.0 + np.exp(-model.bit(columns))),
    )


def inputs(gram_weight: Floats, group_mean: Floats, group: Ints, of: Features) -> Floats:
    """What the trees look at, shape (n, columns): the text score, the group's mean, the dense features."""
    return np.column_stack([text_score(gram_weight, of), group_mean[group], of.dense])


def text_score(gram_weight: Floats, of: Features) -> Floats:
    """The linear score of each request's n-grams and embedded numbers, shape (n,), log tokens."""
    n = len(of.dense)
    request = np.repeat(np.arange(n), np.diff(of.start))
    grams = np.bincount(request, gram_weight[of.gram] * of.weight, minlength=n)
    return grams + of.vector @ gram_weight[BUCKETS:]


def group_codes(groups: tuple[str, ...], of: Features) -> Ints:
    """The place of each request's group in ``groups``; ``len(groups)`` for one that is not there."""
    code = {name: place for place, name in enumerate(groups)}
    return np.array([code.get(name, len(groups)) for name in of.group], dtype=np.int64)


def tokens(log_length: Floats) -> Floats:
    """Tokens, from 1 to 2³¹ − 1."""
    return np.exp(np.clip(log_length, 0.0, np.log(2.0**31 - 1)))


def save(model: Model, path: str | Path) -> None:
    """Write the model as plain data (see ``plain``); an existing file is replaced, and only by a whole one."""
    scalars = {name: getattr(model, name) for name in ("theta", "coverage", "rows", "groups", "embed")}
    arrays: plain.Arrays = {}
    for name, value in model._asdict().items():
        if isinstance(value, Trees):
            arrays |= {f"{name}.{field}": array for field, array in value._asdict().items()}
        elif isinstance(value, np.ndarray):
            arrays[name] = value
    plain.write(path, MAGIC, {**_form(), **scalars}, arrays)


def load(path: str | Path) -> Model:
    """Read a model.

    Raises
    ------
    InputError
        One line, if the file is missing, is no model, was changed after it was written, or comes from another
        version of the format or of the features.
    """
    head, found = plain.read(path, MAGIC, _form(), "train it again with plimsoll predict train")
    arrays: dict[str, Any] = dict(found)
    parts = {name: Trees(*(arrays.pop(f"{name}.{field}") for field in Trees._fields)) for name in TREES}
    return Model(
        theta=head["theta"],
        coverage=head["coverage"],
        rows=head["rows"],
        groups=tuple(head["groups"]),
        embed=head["embed"],
        **parts,
        **arrays,
    )


def _form() -> dict[str, Any]:
    """What a file must agree with: the format's version and the features that the numbers belong to."""
    return {"version": VERSION, "features": list(NAMES), "buckets": BUCKETS, "points": POINTS}
