"""Every policy of the catalogue on two real traces: no error, no livelock, nobody lost."""

import numpy as np
import pytest

from plimsoll import Trace, read_trace, rounds, simulate
from plimsoll.host.iterations import Iterations
from plimsoll.policy import catalogue

pytestmark = pytest.mark.shared

TRACES = {  # file: capacity, requests
    "azure_llm_2023_conv.parquet": (70_000, None),
    "servegen_r1_sample_1h.parquet": (60_000, 20_000),
}
ONE_PROMPT = {"gsa", "gsa-d", "gsa-spec", "gba", "gba-d"}  # all at time 0, prompts of one length
AT_ONCE = {"response", "route", "rect-mix", "clairvoyant-mix", "pack-and-schedule", "sorted-f"}  # all at time 0
BATCHES = {"wait", "nested-wait"}  # in the iterations host
TYPES = {"re-solve"}  # at most 64 pairs of lengths: here powers of four
CLEARING = {"alpha-protection", "alpha-beta"}  # may end unstable


def instance(policy, shared, file):
    """What the policy runs on: the trace, or its first 2,000 lengths at time 0."""
    capacity, requests = TRACES[file]
    trace = read_trace(str(shared / "traces" / file), requests=requests)
    if policy in TYPES:
        prompt, output = (4 ** (np.log2(np.maximum(side, 1)) // 2).astype(int) for side in (trace.prompt, trace.output))
        return Trace(trace.arrival, prompt, output, trace.name), capacity
    if policy not in ONE_PROMPT | AT_ONCE:
        return trace, capacity
    prompt, output = trace.prompt[:2000], trace.output[:2000]
    if policy in ONE_PROMPT:
        prompt = np.full(2000, int(np.median(prompt)))
        output = np.minimum(output, capacity - prompt)
    return Trace(np.zeros(2000), prompt, output, trace.name), capacity


@pytest.mark.parametrize("file", TRACES)
@pytest.mark.parametrize("policy", sorted(catalogue()))
def test_serves_everybody(policy, file, shared):
    trace, capacity = instance(policy, shared, file)
    result = simulate(trace, policy, Iterations(capacity) if policy in BATCHES else rounds(capacity=capacity))
    if policy in CLEARING and result.status == "unstable":
        return
    assert (result.status, result.completed) == ("ok", len(trace))
    assert result.peak_tokens <= capacity
    held = result.attempts[:, 2] - result.attempts[:, 1] + result.attempts[:, 3]
    whole = held >= result.output[result.attempts[:, 0]]
    if policy not in BATCHES:  # there who sits out holds memory without making a token
        assert np.bincount(result.attempts[whole, 0], minlength=len(trace)).tolist() == [1] * len(trace)
    assert np.all(result.start >= result.arrival) and np.all(result.finish > result.start)
