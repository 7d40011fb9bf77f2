"""A predictor that starts knowing nothing and learns from every finished request."""

from __future__ import annotations

import math
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..jit import njit
from ..trace import Floats, Trace
from .belief import Belief, require
from .features import BUCKETS, PROMPTS, bucket, grams, groups, prompts
from .hazard import censor, observe, quantile_of, renew, start_curve
from .linear import CELLS, GROUPS, START, base, base_learn, linear, linear_learn
from .repeats import PLACES, fingerprint, recall, remember
from .survival import POINTS

if TYPE_CHECKING:
    from ..policy.view import History

SLOTS = 48  # n-grams of a prompt that are looked at: the first that differ
SAID = 0  # column: the log length as predicted on arrival; 0 where it was not asked, as for a hinted request
GROUP = 1  # column: the hashed group
PROMPT = 2  # the prompt's fingerprint
GRAM = 3  # first column of n-grams
KINDS = 8  # laws kept apart, by hashed group; one more for all
ENOUGH = 50.0  # requests that a kind must have finished to be asked for its law
POOL = 20.0  # requests' worth of the law of all in a kind's own
SIGMA = 1.0  # log deviation of the law of the error believed at the start
WEIGHTS = 2 * CELLS  # where in memory the linear model's weights begin
REPEATS = WEIGHTS + 2 * BUCKETS  # … the table of prompts
LAWS = REPEATS + 3 * PLACES  # … and the counts of the laws
ROWS = KINDS + 1
STEADY = 0.005  # how far one output moves the level at which the bounds are cut


class Online(NamedTuple):
    """Running medians by client and prompt length, corrected by a hashed linear model of the prompt's words.

    A prompt that comes again is believed to be answered as before.
    The law of the error, and with it the bounds, is learned beside them from the outputs of finished requests
    and from the tokens that running ones have reached. All of it forgets, so that it follows a drift. It
    learns from a request when it finishes and never sooner. Memory is bounded: 2 · 16,384 weights, 2 · 9,225
    cells, 4,096 prompts, 8 bytes a number; and 51 numbers per request of a trace.

    Parameters
    ----------
    half_life : finished requests after which an observation counts half, at least 10.
    coverage : nominal share of outputs within the bounds, in [0.01, 0.99].
    """

    half_life: float = 2000.0
    coverage: float = 0.8

    def plan(self, trace: Trace, rng: np.random.Generator) -> Belief:
        """Hash the prompts; outputs are not looked at."""
        require(10 <= self.half_life < np.inf, "online", "half_life", self.half_life, "at least 10")
        require(0.01 <= self.coverage <= 0.99, "online", "coverage", self.coverage, "in [0.01, 0.99]")
        n = len(trace)
        start = start_curve(1.0, SIGMA, 1.0)
        memory = np.zeros(LAWS + 2 * ROWS + (ROWS + 2) * POINTS + 2)
        memory[LAWS : LAWS + ROWS] = 1.0
        memory[LAWS + 2 * ROWS : LAWS + 2 * ROWS + POINTS] = start
        return Belief(
            np.full(n, math.exp(START)),
            np.full(n, KINDS, np.int64),
            np.tile(start, (ROWS, 1)),
            np.ones(n),
            np.full(n, np.inf),
            columns=self.columns(trace),
            memory=memory,
        )

    def columns(self, trace: Trace) -> Floats:
        """What is kept of each request, shape (n, c): its prediction, its group, its first n-grams.

        Without a column of prompts there is no place for n-grams.
        """
        asked, names = prompts(trace), groups(trace)
        seen = any(column in trace.more for column in PROMPTS)
        table = np.full((len(trace), GRAM + (SLOTS if seen else 0)), -1.0)
        for row, prompt, name in zip(table, asked, names, strict=True):
            row[SAID], row[GROUP], row[PROMPT] = 0.0, group_code(name), fingerprint(prompt, name)
            found = first_grams(prompt)
            row[GRAM : GRAM + len(found)] = found
        return table

    def predict(self, history: History, i: int) -> None:
        """Median, bounds and law from what has finished so far."""
        row, memory, r = history.columns[i], history.memory, history.requests[i]
        group = int(row[GROUP])
        said = base(memory[:WEIGHTS], group, r.prompt) + linear(memory[WEIGHTS:REPEATS], row[GRAM:])
        said = min(max(recall(memory[REPEATS:LAWS], row[PROMPT], said), 0.001), 20.0)
        row[SAID] = said
        kind = group % KINDS
        if memory[LAWS + ROWS + kind] < ENOUGH:
            kind = KINDS
        r.kind = kind
        r.predicted = math.exp(said)
        r.scale = r.predicted
        below, above = levels(memory, 0.5 * (1.0 - self.coverage))
        r.lower = max(1.0, math.floor(r.predicted * quantile_of(history.survival[kind], below)))
        r.upper = max(1.0, math.ceil(r.predicted * quantile_of(history.survival[kind], 1.0 - above)))

    def learn(self, history: History, i: int, output: int) -> None:
        """Take the finished request's output to heart."""
        row, memory, r = history.columns[i], history.memory, history.requests[i]
        group, y = int(row[GROUP]), math.log(output)
        if row[SAID] > 0.0:
            steady(memory, 0.5 * (1.0 - self.coverage), output < r.lower, output > r.upper)
            ratio = output / math.exp(row[SAID])
            count_in(history, KINDS, ratio, self.half_life)
            count_in(history, group % KINDS, ratio, self.half_life)
        here = base(memory[:WEIGHTS], group, r.prompt)
        error = y - here - linear(memory[WEIGHTS:REPEATS], row[GRAM:])
        linear_learn(memory[WEIGHTS:REPEATS], row[GRAM:], error, 0.5)
        base_learn(memory[:WEIGHTS], group, r.prompt, y, self.half_life)
        remember(memory[REPEATS:LAWS], row[PROMPT], y)


@njit()
def levels(memory: Floats, outside: float) -> tuple[float, float]:
    """The shares of the law to cut below and above, for a share ``outside`` of the outputs on either side."""
    return min(max(outside + memory[-2], 0.001), 0.5), min(max(outside + memory[-1], 0.001), 0.5)


@njit()
def steady(memory: Floats, outside: float, below: bool, above: bool) -> None:
    """Cut less where an output fell outside, more where not: coverage is then as stated in the long run.

    References
    ----------
    Gibbs and Candès (2021), Adaptive conformal inference under distribution shift, arXiv:2106.00170, eq. 2.
    """
    memory[-2] = min(max(memory[-2] + STEADY * (outside - below), -0.5), 0.5)
    memory[-1] = min(max(memory[-1] + STEADY * (outside - above), -0.5), 0.5)


@njit()
def count_in(history: History, k: int, ratio: float, half_life: float) -> None:
    """Count output/predicted in row ``k`` of the laws and renew its curve; running requests are censored."""
    laws = history.memory[LAWS:]
    clock, finished, start = laws[:ROWS], laws[ROWS : 2 * ROWS], laws[2 * ROWS : 2 * ROWS + POINTS]
    deaths = laws[2 * ROWS + POINTS : 2 * ROWS + (ROWS + 1) * POINTS].reshape(ROWS, POINTS)
    reached = laws[2 * ROWS + (ROWS + 1) * POINTS : -2]
    finished[k] += 1.0
    observe(deaths, clock, k, ratio, half_life)
    reached[:] = 0.0
    for x in range(len(history.running)):
        r = history.running[x]
        row = history.columns[r.id]
        if row[SAID] > 0.0 and (k == KINDS or int(row[GROUP]) % KINDS == k):
            tokens = history.step + r.offset - history.requests[r.id].prompt
            censor(reached, max(0, tokens) / math.exp(row[SAID]))
    if k == KINDS:
        renew(history.survival[k], deaths[k], clock[k], reached, start, 1.0)
    else:
        renew(history.survival[k], deaths[k], clock[k], reached, history.survival[KINDS], POOL)


def first_grams(prompt: Any) -> list[int]:
    """The first SLOTS different n-grams of a prompt, hashed; what comes after them is not read."""
    found: dict[int, None] = {}
    for gram in grams(prompt):
        found[bucket(gram)] = None
        if len(found) == SLOTS:
            break
    return list(found)


def group_code(name: str) -> int:
    """The hashed group of a model or client, 0 … GROUPS − 1."""
    return zlib.crc32(name.encode()) % GROUPS
