"""Training: from a trace whose outputs are known to a model that predicts the next ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import InputError
from ..trace import Floats, Ints, Trace
from .belief import require, whole
from .bit import class_means
from .boost import boosted, boosted_bit, learning
from .conformal import margins
from .features import BUCKETS, Features, features, prompts, rows
from .model import Model, group_codes, inputs, text_score, tokens
from .survival import empirical

FEWEST = 200  # requests that a training trace needs
CALIBRATION = 0.25  # share of the prompts kept for calibration
FOLDS = 5
KINDS = 4
RIDGE = 3.0  # penalty of the linear text model
SHRINK = 20.0  # requests' worth of the overall mean in a group's mean


def train(trace: Trace, theta: float = 256.0, coverage: float = 0.8, seed: int = 0, embed: str = "") -> Model:
    """Train a model on the requests of a trace.

    Hashed n-grams go through a linear (ridge) model of the log output; its score, each group's mean and the
    simple features go through gradient-boosted quantile trees. Prompts are split: three quarters train, one
    quarter calibrates the bounds and gives the law of the error. Equal prompts stay together.

    Parameters
    ----------
    trace : at least 200 requests.
    theta : threshold of the one bit, tokens, at least 0.
    coverage : nominal share of outputs within the bounds, 0.01 <= coverage <= 0.99.
    seed : of the split and the trees.
    embed : a sentence-transformers model whose embedding of the prompt joins its n-grams; "" for none.

    Raises
    ------
    InputError
        If requests are too few, a parameter is out of range or scikit-learn is not installed.
    """
    require(0 <= theta < np.inf, "learned", "theta", theta, "at least 0")
    require(0.01 <= coverage <= 0.99, "learned", "coverage", coverage, "in [0.01, 0.99]")
    if len(trace) < FEWEST:
        raise InputError(f"{trace.name}: {len(trace)} requests are too few to learn from; {FEWEST} are needed")
    block = prompt_blocks(trace)
    held = held_out(block, CALIBRATION, seed)
    model = fit(features(trace, embed), np.log(trace.output), block, held, theta, coverage, seed)
    return model._replace(embed=embed)


def fit(of: Features, y: Floats, block: Ints, held: Any, theta: float, coverage: float, seed: int) -> Model:
    """``train`` on features: ``y`` log outputs, ``block`` each request's prompt, ``held`` who calibrates."""
    base, calibration = np.flatnonzero(~held), np.flatnonzero(held)
    groups = tuple(sorted(set(of.group)))
    code = group_codes(groups, of)
    mean = group_means(y[base], code[base], len(groups))
    weight, score = text_model(rows(of, base), (y - mean[code])[base], block[base], seed)
    shown = rows(of, base)
    columns = inputs(weight, mean, code[base], shown)
    columns[:, 0] = score  # scores of prompts that their own model has not seen, as it will be in use
    low, high = (1 - coverage) / 2, (1 + coverage) / 2
    median, lower, upper = (boosted(columns, y[base], quantile, seed) for quantile in (0.5, low, high))
    bit = boosted_bit(columns, y[base] > np.log(max(theta, 0.5)), seed)
    length = boosted(of.dense[base][:, :1], y[base], 0.5, seed)
    return calibrated(
        Model(
            theta=float(theta),
            coverage=float(coverage),
            rows=len(y),
            groups=groups,
            embed="",
            group_mean=mean,
            gram_weight=weight,
            median=median,
            lower=lower,
            upper=upper,
            bit=bit,
            length=length,
            margin=np.zeros(len(groups) + 1),
            edge=np.zeros(0),
            survival=np.zeros((1, 0)),
            proxy=np.ones(2),
            bit_survival=np.zeros((2, 0)),
        ),
        rows(of, calibration),
        y[calibration],
    )


def calibrated(model: Model, of: Features, y: Floats) -> Model:
    """The model with conformal margins, kinds by the width of its bounds, and the law of each kind."""
    code = group_codes(model.groups, of)
    columns = inputs(model.gram_weight, model.group_mean, code, of)
    low, high = model.lower(columns), model.upper(columns)
    bottom, top = np.minimum(low, high), np.maximum(low, high)
    edge = np.quantile(high - low, np.arange(1, KINDS) / KINDS)
    kind = np.searchsorted(edge, high - low, side="right").astype(np.int64)
    margin = margins(np.maximum(bottom - y, y - top), code, len(model.groups), model.coverage)
    centre = np.clip(model.median(columns), bottom - margin[code], top + margin[code])
    output = np.rint(np.exp(y)).astype(np.int64)
    long = (model.bit(columns) > 0).astype(np.int64)
    proxy = class_means(output, long, 2)
    return model._replace(
        margin=margin,
        edge=edge,
        survival=empirical(output, whole(tokens(centre)), kind, KINDS),
        proxy=proxy,
        bit_survival=empirical(output, proxy[long], long, 2),
    )


def group_means(y: Floats, code: Ints, count: int) -> Floats:
    """Mean of each group, drawn to that of all by SHRINK requests; last, that of all: (count + 1,)."""
    members = np.bincount(code, minlength=count)
    total = np.bincount(code, y, minlength=count)
    return np.append((total + SHRINK * y.mean()) / (members + SHRINK), y.mean())


def text_model(of: Features, residual: Floats, block: Ints, seed: int) -> tuple[Floats, Floats]:
    """Weights of n-grams and embedded numbers, (BUCKETS + d,); scores by models blind to the prompt, (n,)."""
    if len(of.gram) == 0:
        return np.zeros(BUCKETS + of.vector.shape[1]), np.zeros(len(residual))
    score = np.empty(len(residual))
    fold = np.random.default_rng(seed).integers(0, FOLDS, int(block.max()) + 1)[block]
    for number in range(FOLDS):
        inside, outside = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        if len(inside) and len(outside):
            score[inside] = text_score(_ridge(rows(of, outside), residual[outside]), rows(of, inside))
        else:
            score[inside] = 0.0
    return _ridge(of, residual), score


def _ridge(of: Features, residual: Floats) -> Floats:
    linear, sparse = learning("linear_model"), learning("sparse")
    grams = sparse.csr_matrix((of.weight, of.gram, of.start), shape=(len(residual), BUCKETS))
    table = sparse.hstack([grams, sparse.csr_matrix(of.vector)]).tocsr()
    return linear.Ridge(alpha=RIDGE, fit_intercept=False, solver="sparse_cg", tol=1e-5).fit(table, residual).coef_


def prompt_blocks(trace: Trace) -> Ints:
    """The prompt of each request as a number, equal prompts alike; without prompts, each its own."""
    if "prompt_text" not in trace.more and "prompt_ids" not in trace.more:
        return np.arange(len(trace))
    code: dict[Any, int] = {}
    keys = (prompt if isinstance(prompt, str) else tuple(prompt) for prompt in prompts(trace))
    return np.array([code.setdefault(key, len(code)) for key in keys], dtype=np.int64)


def held_out(block: Ints, share: float, seed: int) -> Any:
    """Which requests to hold out, shape (n,): all requests of a random ``share`` of the prompts."""
    blocks = int(block.max()) + 1
    chosen = np.zeros(blocks, dtype=bool)
    chosen[np.random.default_rng(seed).permutation(blocks)[: max(1, round(share * blocks))]] = True
    return chosen[block]
