"""What a Python user imports."""

import pytest

import plimsoll


def test_the_words_of_the_command_line_are_one_call():
    trace = plimsoll.Trace.of([(0, 2, 3), (0, 1, 2)])
    host = plimsoll.rounds(capacity=10, rounds_per_s=1)
    result = plimsoll.simulate(trace, plimsoll.policies.Svf(age=1.0), host, predictor="exact")
    assert result.finish.tolist() == [3, 2]
    best, worst = plimsoll.compare(trace, ["svf", "fcfs"], host)
    assert best.ratio == worst.ratio == 1.0


def test_every_public_name_is_there():
    assert all(getattr(plimsoll, name) is not None for name in plimsoll.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = plimsoll.nothing
    with pytest.raises(AttributeError, match="no policy 'Nobody'"):
        _ = plimsoll.policies.Nobody
