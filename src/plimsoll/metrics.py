"""Figures of a run, as the command line's JSON names them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .host.result import PERCENTILES, Floats, Result

Bools = npt.NDArray[np.bool_]


def spread(values: Floats) -> dict[str, float | None]:
    """Mean, percentiles (linear interpolation), maximum and total of the defined values; None where there are none."""
    values = values[np.isfinite(values)]
    names = ["mean", *(f"p{p}" for p in PERCENTILES), "max", "total"]
    if len(values) == 0:
        return dict.fromkeys(names, None)
    cuts = np.percentile(values, PERCENTILES)
    return dict(zip(names, map(float, [values.mean(), *cuts, values.max(), values.sum()]), strict=True))


def ttft(result: Result) -> Floats:
    """Time to first token: first_token − arrival, shape (n,)."""
    return result.first_token - result.arrival


def tpot(result: Result) -> Floats:
    """Time per output token after the first: (finish − first_token)/(output − 1), shape (n,); NaN at output 1."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(result.output > 1, (result.finish - result.first_token) / (result.output - 1), np.nan)


def within(result: Result, ttft_s: float = np.inf, tpot_s: float = np.inf, latency_s: float = np.inf) -> Bools:
    """Which requests finished within every given limit, shape (n,); the limits are in the result's unit."""
    paced = np.nan_to_num(tpot(result)) <= tpot_s  # one token has no pace
    return (ttft(result) <= ttft_s) & paced & (result.latency <= latency_s)


def goodput(result: Result, ttft_s: float = np.inf, tpot_s: float = np.inf, latency_s: float = np.inf) -> float:
    """Requests per unit of time that finished within every given limit, over the makespan (DistServe, OSDI 2024)."""
    good, length = within(result, ttft_s, tpot_s, latency_s), makespan(result)
    return float(good.sum()) / length if length > 0 else 0.0


def makespan(result: Result) -> float:
    """From the first arrival to the last finish."""
    finished = result.finish[np.isfinite(result.finish)]
    return float(finished.max() - result.arrival.min()) if len(finished) else 0.0


def per_million_tokens(result: Result) -> dict[str, float]:
    """Energy and cost of a run per million output tokens of its finished requests, where they are known."""
    tokens = int(result.output[np.isfinite(result.finish)].sum())
    known = [name for name in ("energy_j", "cost_usd") if name in result.more and tokens > 0]
    return {f"{name}_per_million_tokens": 1e6 * result.more[name] / tokens for name in known}


def figures(result: Result) -> dict[str, Any]:
    """The part of ``run --json`` that follows from the result alone."""
    length = makespan(result)
    done = np.isfinite(result.finish)
    return {
        "status": result.status,
        "capacity_tokens": result.capacity,
        "unit": result.unit,
        "completed": result.completed,
        "rejected": result.rejected,
        "evictions": int(result.evictions.sum()),
        "peak_tokens": result.peak_tokens,
        "mean_memory_use": result.mean_memory_use,
        "latency": spread(result.latency),
        "ttft": spread(ttft(result)),
        "tpot": spread(tpot(result)),
        "latency_per_token": spread(result.latency / result.output),
        "makespan": length,
        "output_tokens_per_unit": float(result.output[done].sum()) / length if length > 0 else 0.0,
        "energy_j": result.more.get("energy_j"),
        "wall_s": result.wall_s,
    }
