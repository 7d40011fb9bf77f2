"""Workloads and laws as text."""

import numpy as np
import pytest

from plimsoll.errors import InputError
from plimsoll.formats import write_trace
from plimsoll.workload import (
    AtOnce,
    Fixed,
    Gamma,
    Geometric,
    Lognormal,
    Mixture,
    OnOff,
    Periodic,
    Poisson,
    Uniform,
    default_capacity,
    generate,
    has_default_capacity,
    is_named,
    parse_arrivals,
    parse_lengths,
)


@pytest.mark.parametrize(
    ("text", "law"),
    [
        ("fixed:tokens=9", Fixed(9)),
        ("uniform:low=1,high=9", Uniform(1, 9)),
        ("geometric:mean=2.5", Geometric(2.5)),
        ("lognormal:mu=6,sigma=1,high=4000", Lognormal(6, 1, high=4000)),
        ("fixed:tokens=9+0.01*fixed:tokens=900", Mixture(Fixed(9), Fixed(900), 0.01)),
    ],
)
def test_lengths(text, law):
    assert parse_lengths(text) == law


@pytest.mark.parametrize(
    ("text", "process"),
    [
        ("at-once", AtOnce()),
        ("poisson", Poisson()),
        ("gamma:cv=3", Gamma(3)),
        ("on-off:on_s=5,off_s=20", OnOff(5, 20)),
        ("periodic", Periodic(1)),
        ("periodic:batch=4", Periodic(4)),
    ],
)
def test_arrivals(text, process):
    assert parse_arrivals(text) == process


def test_parameters_after_the_name():
    drawn = generate("synthetic?prompt=fixed:tokens=5&output=uniform:low=2,high=3&arrivals=periodic&rate=4&requests=9")
    assert drawn.prompt.tolist() == [5] * 9
    assert set(drawn.output.tolist()) == {2, 3}
    assert drawn.arrival.tolist() == [i / 4 for i in range(9)]
    assert len(generate("lmsys?requests=9", requests=4)) == 4
    assert generate("lmsys?seed=3", 5, seed=8).prompt.tolist() == generate("lmsys", 5, seed=3).prompt.tolist()


def test_like_a_file_and_replay(tmp_path):
    path = tmp_path / "trace.parquet"
    write_trace(generate("azure-conv", 5000), path)
    drawn = generate(f"like?file={path}")
    assert len(drawn) == 5000
    assert drawn.prompt.mean() == pytest.approx(generate("azure-conv", 5000).prompt.mean(), rel=0.05)
    replayed = generate(f"lmsys?arrivals=replay:file={path}")
    np.testing.assert_allclose(replayed.arrival, generate("azure-conv", 5000).arrival)
    lengths = parse_lengths(f"like:file={path},column=output")
    assert int(lengths.quantile(np.array([0.5]))[0]) == pytest.approx(129, rel=0.05)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nosuch", "no built-in workload of that name; there are azure-conv"),
        ("azure-conv?x=1", "unknown parameter 'x'; there are requests, rate, seed, prompt"),
        ("model-1?prompt=fixed:tokens=3", "unknown parameter 'prompt'; there are requests, rate, seed$"),
        ("azure-conv?rate", "'rate' is not NAME=VALUE"),
        ("azure-conv?rate=1&rate=2", "rate is given twice"),
        ("azure-conv?rate=x", "rate='x' is not a number"),
        ("azure-conv?requests=1.5", "requests='1.5' is not a whole number"),
        ("like", "like needs the trace to be like"),
        ("lmsys?prompt=pareto:a=1", "unknown law of lengths; there are fixed"),
        ("lmsys?prompt=fixed", "fixed needs tokens"),
        ("lmsys?prompt=fixed:tokens=2+0.1", "LAW.SHARE.LAW"),
        ("lmsys?arrivals=gamma:cv=0", "cv must lie in"),
        ("lmsys?arrivals=gamma:k=1", "unknown parameter 'k'; there are cv"),
    ],
)
def test_bad_text_is_one_line(text, message):
    with pytest.raises(InputError, match=message) as caught:
        generate(text)
    assert "\n" not in str(caught.value)


def test_default_capacities():
    assert default_capacity("azure-conv?rate=9") == 65_000
    assert is_named("lmsys?rate=3")
    assert not is_named("lmsys.csv")
    assert has_default_capacity("lmsys?rate=3")
    assert not has_default_capacity("lmsys?prompt=fixed:tokens=3")
    assert not has_default_capacity("trace.csv")
    with pytest.raises(InputError, match="no default capacity where prompt is given"):
        default_capacity("lmsys?prompt=fixed:tokens=3")
    with pytest.raises(InputError, match="no built-in workload"):
        default_capacity("trace.csv")
