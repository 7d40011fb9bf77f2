"""The fluid picture: the memory that a load needs in the long run, against the capacity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..host.result import Floats
from ..host.serving import SARATHI_TOKENS, Serving
from ..host.sharing import shares_prefixes
from ..steptime import StepTime
from ..trace import Trace, mean_rate
from .panel import Axis, Mark, Panel, Series, Stretch
from .panels import Seen

_TITLE = "Load and the stability region"
_NEED = "memory that the fluid needs, M*"
_X, _Y = Axis("arrival rate", "this trace = 1"), Axis("memory needed, M*", "tokens")


def fluid(trace: Trace, seen: Sequence[Seen]) -> Panel | None:
    """Memory needed as the rate of arrivals changes; None where all arrive at once or no fluid describes the host."""
    machine, capacity = seen[0].run.machine, seen[0].result.capacity
    if isinstance(machine, Serving):
        return _serving(trace, machine, capacity)
    load = seen[0].run.load
    if load is None or machine.unit != "rounds":
        return None
    factor = np.linspace(0, max(1.5, 1.25 * load) / load, 101)
    note = (
        f"Where the line crosses the capacity the queue starts to grow without end: at {1 / load:.2f} times this "
        "trace's rate. A policy can shift latency, not this point."
    )
    return _panel(factor, factor * load * capacity, capacity, 1 / load, f"this trace, load {load:.2f}", note)


def _panel(factor: Floats, need: Floats, capacity: int, edge: float, label: str, note: str) -> Panel:
    """``edge`` is the end of the stability region, in parts of this trace's rate."""
    marks = [Mark("y", capacity, f"capacity C = {capacity:,}"), Mark("x", 1.0, label)]
    stable = Stretch(0.0, edge, "stable: the server keeps up")
    return Panel("fluid", _TITLE, note, _X, _Y, [Series(_NEED, factor, need)], marks, shaded=stable)


def _serving(trace: Trace, machine: Serving, capacity: int) -> Panel | None:
    """The serving host: a step takes longer the more it holds, so that the line bends upwards."""
    own = None if trace.session is not None else mean_rate(trace.arrival)
    cached = shares_prefixes(trace) if machine.prefix_caching is None else machine.prefix_caching
    if own is None or cached or machine.mode not in ("vllm", "sarathi"):
        return None
    held = np.linspace(0, 1.3 * capacity, 131)[1:]
    rate = sustained(trace, machine, held)
    within = rate[held <= capacity * (1 + 1e-9)]
    top, full = int(np.argmax(rate)), bool(within[-1] == within.max())
    factor, need = np.append(0.0, rate[: top + 1] / own), np.append(0.0, held[: top + 1])
    edge = within.max() / own
    binds = "the memory is full" if full else "a step can hold no more requests or tokens"
    note = (
        f"The server keeps up to {edge:.2f} times this trace's rate, where {binds}. From mean lengths and the host's "
        "step time, without preemption: a policy that recomputes much gets less."
    )
    return _panel(factor, need, capacity, edge, f"this trace, {own:.3g}/s", note)


def sustained(trace: Trace, machine: Serving, held: Floats) -> Floats:
    """Requests per second that the serving host finishes while it holds so many tokens, shape as ``held``.

    In equilibrium a step takes in as many requests as it finishes. A request is in memory for ``output`` steps, one
    with its prompt and one for each further token, and on average half of its last block is empty. 0 where a step
    would have more requests or tokens than the engine allows.
    """
    prompt, output = trace.prompt.astype(np.float64), trace.output.astype(np.float64)
    volume = float(np.mean(output * (prompt + (output - 1) / 2 + machine.block_size / 2)))
    length, chunk = float(output.mean()), float(prompt.mean())
    law, most = machine.step_time(), machine.max_num_batched_tokens
    budget = min(most, SARATHI_TOKENS) if machine.mode == "sarathi" else most
    rates = np.zeros(len(held))
    for k, tokens in enumerate(held):
        began = tokens / volume  # requests that a step takes in
        decodes = began * (length - 1)
        if began * length > machine.max_num_seqs or decodes + began * chunk > budget:
            continue
        context = tokens - began * chunk
        whole, part = divmod(began, 1.0)
        lower, upper = (_seconds(law, int(whole) + more, chunk, decodes, context) for more in (0, 1))
        rates[k] = began / (lower + part * (upper - lower))
    return rates


def _seconds(law: StepTime, prompts: int, chunk: float, decodes: float, context: float) -> float:
    """Seconds of a step with so many whole prompts beside its decodes."""
    if prompts == 0:
        return law.decode(round(decodes), context)
    return law.prefill([(round(chunk), 0)] * prompts, round(decodes), context)
