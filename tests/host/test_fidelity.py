"""The serving host against measured runs of vLLM 0.19.0; its step times are fitted to kernels, not to these runs."""

import numpy as np
import polars as pl
import pytest

from plimsoll import Trace, simulate
from plimsoll.host.serving import Serving

pytestmark = pytest.mark.shared


def measured(folder, gpu: str) -> tuple[Trace, np.ndarray, np.ndarray]:
    rows = pl.read_parquet(folder / "traces" / "vllm_measured_requests.parquet").sort("arrival_s")
    rows = rows.filter(pl.col("hw").cast(pl.String) == gpu)
    columns = (rows[name].to_numpy() for name in ("arrival_s", "prompt_tokens", "output_tokens"))
    more = {"prefix_hit_tokens": rows["prefix_hit_tokens"].to_numpy()}
    return Trace(*columns, more=more), rows["first_token_s"].to_numpy(), rows["last_token_s"].to_numpy()


def figures(trace: Trace, first: np.ndarray, last: np.ndarray) -> dict[str, float]:
    return {
        "ttft": float((first - trace.arrival).mean()),
        "latency": float((last - trace.arrival).mean()),
        "latency p99": float(np.percentile(last - trace.arrival, 99)),
        "tpot": float(((last - first) / (trace.output - 1)).mean()),
        "makespan": float(last.max()),
    }


@pytest.mark.parametrize("overlapped", [False, True])
@pytest.mark.parametrize(
    ("hw", "settings", "most"),
    [
        ("RTX4090", {"gpu": "rtx-4090", "blocks": 2588, "max_num_seqs": 256}, 0.03),
        ("RTXPRO6000", {"gpu": "rtx-pro-6000", "max_num_seqs": 128}, 0.05),
    ],
)
def test_a_measured_run_is_met(shared, hw, settings, most, overlapped):
    trace, first, last = measured(shared, hw)
    host = Serving(model="llama-3.1-8b", async_scheduling=overlapped, **settings)
    done = simulate(trace, "fcfs", host)
    real, ours = figures(trace, first, last), figures(trace, done.first_token, done.finish)
    for name in real:
        assert ours[name] == pytest.approx(real[name], rel=most), name


def test_the_load_curve_of_the_full_cache_is_met(shared):
    """Running and waiting requests and memory use, second by second, where the engine logged them."""
    trace, _, _ = measured(shared, "RTX4090")
    host = Serving(gpu="rtx-4090", model="llama-3.1-8b", blocks=2588, curve_s=1.0)
    curve = simulate(trace, "fcfs", host).curve
    logged = pl.read_parquet(shared / "traces" / "vllm_measured_timeseries.parquet")
    logged = logged.filter((pl.col("hw").cast(pl.String) == "RTX4090") & (pl.col("t_s") <= 150))
    ours = {
        name: np.interp(logged["t_s"], curve[:, 0], curve[:, j])
        for j, name in ((1, "running"), (2, "waiting"), (3, "used"))
    }
    assert np.abs(ours["running"] - logged["running"].to_numpy()).mean() < 2.5
    assert np.abs(ours["waiting"] - logged["waiting"].to_numpy()).mean() < 6
    assert np.abs(100 * ours["used"] / 2588 - logged["kv_cache_pct"].to_numpy()).mean() < 3
