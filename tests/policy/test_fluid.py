"""The fluid benchmark against hand-solved equilibria and published tables."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.errors import InputError
from plimsoll.policy.fluid import LinearStep, Types, cluster, crossing, fluid, residency
from plimsoll.trace import Trace


def test_residency_is_volume_plus_the_prefill():
    assert residency([512, 512, 512], [20, 50, 1000]).tolist() == [10962, 27387, 1013012]
    s, o = 7, 3
    assert residency(s, o) == s * o + o * (o + 1) // 2 + s == sum(s + stage for stage in range(o + 1))


def test_toy_equilibrium_sits_on_the_edge():
    found = fluid(Types.of([(4, 1, 1)]), LinearStep(0.5, 1 / 24), capacity=12)
    assert found.memory == pytest.approx(12)
    assert found.per_stage == pytest.approx([4])
    assert (found.step_s, found.throughput) == (pytest.approx(1), 4)
    assert found.stable
    assert found.crossing == pytest.approx(1)
    assert not fluid(Types.of([(4.01, 1, 1)]), LinearStep(0.5, 1 / 24), capacity=12).stable


def test_seven_billion_parameters_at_22_requests_per_second():
    found = fluid(Types.of([(22, 512, 20)]), LinearStep())
    assert found.memory == pytest.approx(3651.87215, abs=1e-4)
    assert found.per_stage == pytest.approx([0.33313922], abs=1e-6)
    assert found.step_s == pytest.approx(0.01514269, abs=1e-6)
    assert found.throughput == 440


def test_the_units_trap():
    work = float(residency(512, 20))
    assert crossing(LinearStep(1, 1.15e-5), work, np.inf) == pytest.approx(7.932542, abs=1e-5)
    assert crossing(LinearStep(1, 1.15e-5 / 21), work, np.inf) == pytest.approx(166.583375, abs=1e-5)


def test_published_table_of_memory_against_rate():
    step = LinearStep(298.8391, 0.0113070724)  # both times E[W]

    def at(rate):
        return Types(*(np.array([x]) for x in (rate, 1.0, 1.0, 1.0)))

    memory = [fluid(at(rate), step).memory for rate in (50.0, 60.0, 70.0, 80.0)]
    assert memory == pytest.approx([34377, 55758, 100327, 250509], abs=0.5)
    assert crossing(step, 1.0, 137000) == pytest.approx(74.1, abs=0.05)
    assert crossing(step, 1.0, np.inf) == pytest.approx(88.44, abs=0.05)


def test_no_equilibrium_beyond_saturation():
    found = fluid(Types.of([(200, 512, 20)]), LinearStep(), capacity=137_000)
    assert found.memory == np.inf
    assert not found.stable
    assert found.saturation < 1


@given(st.floats(0.1, 30), st.integers(0, 900), st.integers(1, 300), st.floats(1e3, 1e7))
def test_stable_exactly_up_to_the_crossing(rate, prompt, output, capacity):
    at = fluid(Types.of([(rate, prompt, output)]), LinearStep(), capacity)
    assert fluid(Types.of([(rate * at.crossing, prompt, output)]), LinearStep(), capacity).memory == pytest.approx(
        capacity
    )


def test_clusters_keep_the_load_and_cover_the_lengths():
    rng = np.random.default_rng(0)
    trace = Trace.of([(k / 5, int(p), int(o)) for k, (p, o) in enumerate(rng.integers(1, 400, (300, 2)))])
    types = cluster(trace, 4)
    assert types.load == pytest.approx(300 / (299 / 5) * residency(trace.prompt, trace.output).mean())
    assert types.prompt.max() == trace.prompt.max()
    assert types.output.max() == trace.output.max()
    assert np.array_equal(cluster(trace, 4).prompt, types.prompt)


def test_two_lengths_are_two_types():
    trace = Trace.of([(0, 512, 20), (1, 512, 50), (2, 512, 20), (3, 512, 20), (4, 512, 20)])
    types = cluster(trace, 2)
    assert types.output.tolist() == [20, 50]
    assert types.rate.tolist() == [1.0, 0.25]
    assert len(cluster(trace, 5).rate) == 2


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([(-1, 5, 5)], "type 0: rate"),
        ([(1, 5, 5), (1, -5, 5)], "type 1: prompt"),
        ([(1, 5, 0)], "output must be at least 1"),
        ([(0, 5, 5)], "no type has a rate"),
    ],
)
def test_bad_types(rows, words):
    with pytest.raises(InputError, match=words):
        Types.of(rows)


def test_bad_traces_and_times():
    with pytest.raises(InputError, match="at once"):
        cluster(Trace.of([(0, 1, 1), (0, 1, 1)]), 1)
    with pytest.raises(InputError, match="fixed time"):
        LinearStep(0)
    with pytest.raises(InputError, match="time per token"):
        LinearStep(1, -1)
