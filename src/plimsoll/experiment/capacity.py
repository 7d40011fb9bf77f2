"""How much a server bears: the highest rate, or the least memory or replicas, that keep service-level objectives.

Every policy is tried on the same requests (common random numbers): replications of a built-in workload are its
seeds, those of a file its consecutive parts (batch means). In each replication the edge is bracketed and bisected;
the edges' mean stands with Student's interval. That more load is worse is checked at further points, not assumed:
an edge is the last value up to which every value tried keeps the objectives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

from ..errors import CapacityError, InputError
from ..policy.fluid import LinearStep, crossing, residency
from ..policy.load import default_predictor, load_policy
from ..simulation import Host, simulate
from ..steptime.hardware import GPUS, gpu_named
from ..trace import Trace, mean_rate
from ..workload import is_named
from .binding import binding
from .confidence import Interval, interval
from .objective import Objective
from .setting import Setting

WIDEST = 2.0**10  # times less load than the fluid bears is taken as none at all
FRONTIER = (0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5)
"""Values, over the best policy's edge, at which every policy is tried besides."""


@dataclass(frozen=True)
class Axis:
    """What is varied.

    Attributes
    ----------
    harder : more of it makes the objectives harder to keep (a rate), not easier (memory).
    whole : only whole numbers.
    """

    name: str
    unit: str
    harder: bool
    whole: bool

    def round(self, value: float) -> float:
        """The value to try for a value wanted."""
        return float(max(1, round(value))) if self.whole else value


AXES = {
    axis.name: axis
    for axis in (
        Axis("rate", "requests/s", True, False),
        Axis("memory", "KV tokens", False, True),
        Axis("replicas", "replicas", False, True),
        Axis("gpu", "", True, False),
    )
}


@dataclass(frozen=True)
class Tried:
    """One run: the objectives' values, and what it spent on a million output tokens."""

    values: tuple[float, ...]
    met: bool
    cost_usd: float | None
    energy_j: float | None


@dataclass
class Edge:
    """What one policy bears.

    Attributes
    ----------
    edges : of each replication; infinite where nothing tried was too much, NaN where nothing was little enough.
    tried : (value, replication) to what happened there.
    broken : values that missed the objectives although a harder one kept them, with the replication.
    """

    policy: str
    predictor: str
    axis: Axis
    tried: dict[tuple[float, int], Tried] = field(default_factory=dict[tuple[float, int], Tried])
    edges: list[float] = field(default_factory=list[float])
    broken: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])

    @property
    def value(self) -> Interval:
        """The mean edge."""
        return interval(self.edges)

    def over(self, other: Edge) -> Interval:
        """The mean quotient of this policy's edge and another's, replication by replication."""
        return interval([mine / theirs for mine, theirs in zip(self.edges, other.edges, strict=True)])

    def spent(self, name: str) -> float | None:
        """Mean ``cost_usd`` or ``energy_j`` of a million output tokens at the edges."""
        found = [getattr(self.tried[edge, k], name) for k, edge in enumerate(self.edges) if (edge, k) in self.tried]
        return None if not found or None in found else float(np.mean(found))

    def frontier(self) -> list[tuple[float, float, tuple[float, ...]]]:
        """(value, share of replications that kept the objectives, mean values of these) where all were tried."""
        rows: list[tuple[float, float, tuple[float, ...]]] = []
        for at in sorted({at for at, _ in self.tried}):
            here = [self.tried[at, k] for k in range(len(self.edges)) if (at, k) in self.tried]
            if len(here) == len(self.edges):
                means = tuple(float(np.mean(column)) for column in zip(*(t.values for t in here), strict=True))
                rows.append((at, float(np.mean([t.met for t in here])), means))
        return rows

    def settle(self, replications: int) -> None:
        """The edges, and what breaks the order, from all that has been tried."""
        self.edges, self.broken = [], []
        for k in range(replications):
            points = sorted((at for at, of in self.tried if of == k), reverse=not self.axis.harder)  # easy to hard
            missed = [at for at in points if not self.tried[at, k].met]
            kept = [at for at in points if self.tried[at, k].met]
            before = [at for at in kept if not missed or points.index(at) < points.index(missed[0])]
            endless = self.axis.harder and not missed
            self.edges.append(math.inf if endless else before[-1] if before else math.nan)
            self.broken += [(at, k) for at in missed if kept and points.index(at) < points.index(kept[-1])]


@dataclass(frozen=True)
class Search:
    """What to look for, and how.

    Attributes
    ----------
    setting : everything that is not varied.
    axis : see ``AXES``.
    replications : how many; each with its own seed, or its own part of a file.
    tolerance : relative width to which an edge is bracketed.
    """

    setting: Setting
    objectives: Sequence[Objective]
    axis: Axis
    replications: int = 5
    tolerance: float = 0.02

    def __post_init__(self) -> None:
        if self.replications < 1:
            raise InputError(f"--replications must be at least 1, not {self.replications}")
        if not self.objectives:
            raise InputError("give at least one --slo, as --slo 'p99_ttft<=2'")
        if self.axis.name == "rate" and self.setting.rate is not None:
            raise InputError("--rate is what is looked for; leave it out, or --vary memory, replicas or gpu")
        if self.axis.name == "replicas" and (self.setting.replicas != 1 or self.setting.fleet is not None):
            raise InputError("--vary replicas looks for --replicas, and not for a --fleet")
        if self.axis.name == "gpu" and self.setting.model is None:
            raise InputError("--vary gpu needs --model")
        if not 0 < self.tolerance < 1:
            raise InputError(f"--tolerance must be in (0, 1), not {self.tolerance}")

    @property
    def basis(self) -> str | None:
        """What the seconds stand on; None where the host counts rounds."""
        setting = replace(self.setting, capacity=1 << 20) if self.axis.name == "memory" else self.setting
        return setting.machine().basis

    def traces(self) -> list[Trace]:
        """The requests of each replication."""
        if is_named(self.setting.trace):
            seeds = range(self.setting.seed, self.setting.seed + self.replications)
            return [replace(self.setting, seed=seed).read() for seed in seeds]
        return parts(self.setting.read(), self.replications)

    def make(self, trace: Trace, value: float) -> tuple[Trace, Host]:
        """The requests and the host at a value of the axis."""
        setting = self.setting
        if self.axis.name == "memory":
            setting = replace(setting, capacity=int(value))
        elif self.axis.name == "replicas":
            setting = replace(setting, replicas=int(value), router=setting.router if value > 1 else None)
        made = setting.make(trace.at_rate(value) if self.axis.name == "rate" else trace)
        return made.trace, made.host


def parts(trace: Trace, count: int) -> list[Trace]:
    """Consecutive parts of a trace, each beginning at time 0.

    Raises
    ------
    InputError
        If a part would have fewer than two requests, or each session has its own clock.
    """
    if trace.session is not None:
        raise InputError(f"{trace.name}: sessions have their own clocks, so the trace cannot be cut into parts")
    cuts = np.linspace(0, len(trace), count + 1).astype(int)
    if len(trace) < 2 * count:
        raise InputError(f"{trace.name}: {len(trace)} requests are too few for {count} replications")
    pieces = [trace.keep(slice(a, b)) for a, b in pairwise(cuts)]
    return [replace(piece, arrival=piece.arrival - piece.arrival[0]) for piece in pieces]


def fluid_edge(trace: Trace, host: Host, axis: Axis) -> float:
    """The value at the edge of the fluid's stability region: what no policy bears for long (arXiv:2504.11320).

    The step time is taken as linear: its growth per token held, and the rest at the batch that fills the memory.
    """
    work = float(residency(trace.prompt, trace.output).mean())
    step = linear_step(host, work / float(trace.output.mean() + 1))
    if axis.name == "rate":
        return crossing(step, work, host.capacity)
    rate = mean_rate(trace.arrival)
    if rate is None:
        raise InputError(f"{trace.name}: all requests arrive at once, so there is no load to bear; give --rate")
    if axis.name == "replicas":
        return rate / crossing(step, work, host.capacity)
    left = 1 - rate * work * step.per_token_s
    return rate * work * step.fixed_s / left if left > 0 else math.inf


def linear_step(host: Any, held: float) -> LinearStep:
    """The host's step time as a line through the batch that fills its memory, ``held`` tokens a request."""
    if host.name == "rounds":
        return LinearStep(1 / host.rounds_per_s, 0.0)
    if host.name == "iterations":
        return host.step
    law = host.step_time()
    batch = int(min(max(1, host.capacity / held), host.max_num_seqs))
    return LinearStep(law.decode(batch, 0.0), max(0.0, float(law.coefficients[0])))


def find(
    search: Search,
    policies: Sequence[str],
    predictor: str | None = None,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[Edge], float]:
    """The edge of each policy, most first, and the fluid's.

    Parameters
    ----------
    tell : called with (policies done, policies in all).

    Raises
    ------
    InputError
        If the objectives cannot be kept at any load; the message says which, and what binds.
    """
    traces = search.traces()
    probes = {"rate": mean_rate(traces[0].arrival) or 1.0, "memory": float(traces[0].peak.max())}
    probe = probes.get(search.axis.name, 1.0)
    fluid = fluid_edge(*search.make(traces[0], probe), search.axis)
    if not 0 < fluid < math.inf:
        raise InputError(f"{search.setting.trace}: the requests come faster than any amount of memory could serve them")
    found = [Edge(policy, predictor or default_predictor(load_policy(policy)), search.axis) for policy in policies]
    for done, edge in enumerate(found):
        tell(done, len(found))
        for k, trace in enumerate(traces):
            _bracket(search, edge, trace, k, fluid)
        edge.settle(len(traces))
    best = (max if search.axis.harder else min)(edge.value.mean for edge in found)
    around = best if math.isfinite(best) else fluid
    for edge in found:
        for at in sorted({search.axis.round(around * share) for share in FRONTIER}):
            for k, trace in enumerate(traces):
                _try(search, edge, trace, k, at)
        edge.settle(len(traces))
    worst = -math.inf if search.axis.harder else math.inf
    means = {edge.policy: edge.value.mean for edge in found}
    found.sort(key=lambda e: worst if math.isnan(means[e.policy]) else means[e.policy], reverse=search.axis.harder)
    return found, fluid


def _bracket(search: Search, edge: Edge, trace: Trace, k: int, fluid: float) -> None:
    """Try values for one replication until an easy and a hard one lie within the tolerance."""
    step = 2.0 if search.axis.harder else 0.5  # towards harder
    good = search.axis.round(fluid / step)
    while not _try(search, edge, trace, k, good).met:
        if max(good / fluid, fluid / good) > WIDEST:
            raise InputError(_hopeless(search, edge, trace, edge.tried[good, k], good))
        good = search.axis.round(good / step)
    bad = search.axis.round(good * step)
    while bad != good and _try(search, edge, trace, k, bad).met:
        if max(bad / fluid, fluid / bad) > WIDEST:
            return
        good, bad = bad, search.axis.round(bad * step)
    while max(good / bad, bad / good) > 1 + search.tolerance:
        middle = search.axis.round(math.sqrt(good * bad))
        if middle in (good, bad):
            return
        if _try(search, edge, trace, k, middle).met:
            good = middle
        else:
            bad = middle


def _try(search: Search, edge: Edge, trace: Trace, k: int, value: float) -> Tried:
    if (value, k) not in edge.tried:
        edge.tried[value, k] = _run(search, edge, trace, value)
    return edge.tried[value, k]


def _run(search: Search, edge: Edge, trace: Trace, value: float) -> Tried:
    try:
        requests, host = search.make(trace, value)
    except CapacityError:
        return Tried((math.inf,) * len(search.objectives), False, None, None)  # some would never fit
    result = simulate(requests, edge.policy, host, edge.predictor, search.setting.seed)
    values = tuple(objective.value(result) for objective in search.objectives)
    met = result.status == "ok" and all(v <= o.limit for v, o in zip(values, search.objectives, strict=True))
    made = max(1.0, float(result.output.sum())) / 1e6
    spent = (result.more.get(name) for name in ("cost_usd", "energy_j"))
    cost, energy = (None if total is None else total / made for total in spent)
    return Tried(values, met, cost, energy)


def _hopeless(search: Search, edge: Edge, trace: Trace, tried: Tried, at: float) -> str:
    """In words: which objectives are missed at a value so easy, by how much, and what binds."""
    missed = [(o, v) for o, v in zip(search.objectives, tried.values, strict=True) if not v <= o.limit]
    if not missed:
        return f"{edge.policy} is unstable at any {search.axis.name}"
    which, values = (" and ".join(words) for words in zip(*((str(o), f"{v:.4g}") for o, v in missed), strict=True))
    what = binding([o for o, _ in missed], edge.policy, *search.make(trace, at), search.axis.name)
    return (
        f"{which} cannot be kept at any {'load' if search.axis.harder else search.axis.name}; "
        f"at {at:.3g} {search.axis.unit} {'it is' if len(missed) == 1 else 'they are'} {values} with {edge.policy}; "
        f"what binds is {what}"
    )


@dataclass(frozen=True)
class Fitting:
    """A GPU that was tried: its runs, one for each replication; none where the model does not fit.

    ``basis`` is what its step times stand on.
    """

    gpu: str
    tried: list[Tried]
    basis: str | None = None

    @property
    def met(self) -> bool:
        """True if every replication kept the objectives."""
        return bool(self.tried) and all(t.met for t in self.tried)


def try_gpus(search: Search, policy: str, predictor: str | None = None) -> list[Fitting]:
    """Every GPU of the table with the setting's model: first those that keep the objectives, the cheapest first."""
    traces = search.traces()
    believed = predictor or default_predictor(load_policy(policy))
    found: list[Fitting] = []
    for gpu in GPUS:
        here = replace(search, setting=replace(search.setting, gpu=gpu, host="serving"))
        edge = Edge(policy, believed, search.axis)
        try:
            host = here.setting.machine()
            assert host.capacity > 0
        except InputError:
            found.append(Fitting(gpu, []))
            continue
        found.append(Fitting(gpu, [_run(here, edge, trace, 0.0) for trace in traces], host.basis))
    return sorted(found, key=lambda f: (not f.met, not f.tried, gpu_named(f.gpu).price_per_hour))
