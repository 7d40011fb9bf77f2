"""Instances and a short way to run a policy, for the tests of this folder."""

from hypothesis import strategies as st

from plimsoll import Trace, rounds, simulate


def run(policy, requests, capacity, **more):
    """Run ``policy`` on (prompt, output) pairs at time 0, or on (arrival, prompt, output) triples."""
    rows = [(0, *row) if len(row) == 2 else row for row in requests]
    return simulate(Trace.of(rows), policy, rounds(capacity=capacity, rounds_per_s=1), **more)


@st.composite
def bursts(draw, equal=False, longer=False, most=24):
    """(capacity, [(prompt, output)]): with ``equal`` prompts, or with outputs ``longer`` than prompts."""
    capacity = draw(st.sampled_from([8, 16, 40, 64, 200]))
    top = capacity // 2 - 1 if longer else capacity - 1
    prompt = st.just(draw(st.integers(0, top))) if equal else st.integers(0, top)
    rows = draw(st.lists(st.tuples(prompt, st.integers(1, capacity)), min_size=1, max_size=most))
    if longer:
        return capacity, [(s, min(max(s + 1, o), capacity - s)) for s, o in rows]
    return capacity, [(s, min(o, capacity - s)) for s, o in rows]


def usage(result):
    """Tokens held in each round, shape (rounds,), from the log of attempts."""
    last = int(result.attempts[:, 2].max())
    held = [0] * (last + 1)
    for i, start, stop, kept in result.attempts.tolist():
        for t in range(start + 1, stop + 1):
            held[t] += int(result.prompt[i]) + kept + t - start
    return held
