"""Growing boosted trees with scikit-learn, and taking them out of it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from ..errors import InputError
from ..trace import Floats
from .trees import Trees

BOOST: dict[str, Any] = {
    "max_iter": 120,
    "learning_rate": 0.06,
    "max_leaf_nodes": 8,
    "min_samples_leaf": 40,
    "early_stopping": False,
}
_NAMES = {"sparse": "scipy.sparse", "stats": "scipy.stats", "threads": "threadpoolctl"}


def boosted(columns: Floats, y: Floats, quantile: float, seed: int) -> Trees:
    """Boosted trees for one quantile of ``y``, shape (n,), from ``columns``, shape (n, c)."""
    kind = learning("ensemble").HistGradientBoostingRegressor
    return grown(kind(loss="quantile", quantile=quantile, random_state=seed, **BOOST), "predict", columns, y)


def boosted_bit(columns: Floats, long: Any, seed: int) -> Trees:
    """Boosted trees for the log-odds of ``long``, shape (n,); without trees where all requests agree."""
    if long.all() or not long.any():
        return constant(20.0 if long.all() else -20.0)
    kind = learning("ensemble").HistGradientBoostingClassifier
    return grown(kind(random_state=seed, **BOOST), "decision_function", columns, long)


def constant(value: float) -> Trees:
    """No trees at all: always ``value``."""
    none = np.zeros(0, np.int32)
    return Trees(np.array([value]), none, none, np.zeros(0), none, none)


def grown(booster: Any, say: str, columns: Floats, y: Any) -> Trees:
    """The trees of a booster fitted to ``y``, checked to say what its method ``say`` says.

    One thread: sums then do not depend on the machine, and logs of this size gain nothing from more.
    """
    with learning("threads").threadpool_limits(1):
        booster.fit(columns, y)
        expected = getattr(booster, say)(columns)
    trees = extract(booster)
    if not np.allclose(trees(columns), expected, rtol=1e-9, atol=1e-9):
        raise RuntimeError("the trees of this version of scikit-learn are not read correctly")
    return trees


def extract(booster: Any) -> Trees:
    """The trees of a fitted histogram booster as arrays; their inner form is not promised: see ``grown``."""
    tables = [stage[0].nodes for stage in booster._predictors]
    sizes = np.array([len(table) for table in tables])
    root = np.cumsum(sizes) - sizes
    nodes = np.concatenate(tables)
    shift = np.repeat(root, sizes)
    leaf = nodes["is_leaf"].astype(bool)
    return Trees(
        np.ravel(booster._baseline_prediction).astype(np.float64)[:1],
        root.astype(np.int32),
        np.where(leaf, -1, nodes["feature_idx"]).astype(np.int32),
        np.where(leaf, nodes["value"], nodes["num_threshold"]).astype(np.float64),
        np.where(leaf, 0, nodes["left"] + shift).astype(np.int32),
        np.where(leaf, 0, nodes["right"] + shift).astype(np.int32),
    )


def learning(part: str) -> Any:
    """A part of the libraries of the extra ``learn``: ensemble, linear_model, sparse, stats or threads."""
    try:
        return import_module(_NAMES.get(part, f"sklearn.{part}"))
    except ImportError as error:
        raise InputError("training needs scikit-learn: pip install 'plimsoll[learn]'") from error
