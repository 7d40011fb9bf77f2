"""The small synthetic models stay in their published ranges."""

import numpy as np
import pytest

from plimsoll.errors import InputError
from plimsoll.workload import default_capacity, generate

SEEDS = range(200)


@pytest.mark.parametrize("model", ["model-1", "model-2"])
def test_lengths_and_capacity(model):
    capacities = set()
    for seed in SEEDS:
        trial, capacity = generate(model, seed=seed), default_capacity(model, seed)
        capacities.add(capacity)
        assert trial.prompt.min() >= 1
        assert trial.prompt.max() <= 5
        assert trial.peak.max() <= capacity
    assert (min(capacities), max(capacities)) == (30, 50)


def test_model_1_is_a_burst_of_40_to_60():
    sizes = [len(generate("model-1", seed=seed)) for seed in SEEDS]
    assert (min(sizes), max(sizes)) == (40, 60)
    assert generate("model-1").arrival.max() == 0
    assert len(generate("model-1?requests=8")) == 8


def test_model_2_arrives_over_40_to_60_rounds():
    trials = [generate("model-2", seed=seed) for seed in SEEDS]
    assert all(trial.arrival[0] >= 0 and trial.arrival[-1] < 3 for trial in trials)
    # 50 rounds at one request per round on average
    assert np.mean([len(trial) for trial in trials]) == pytest.approx(50, abs=4)
    assert len(generate("model-2?requests=8")) == 8


def test_the_seed_in_the_text_is_that_of_the_capacity():
    assert default_capacity("model-1?seed=5") == default_capacity("model-1", 5)
    assert generate("model-1?seed=5", seed=1).output.tolist() == generate("model-1", seed=5).output.tolist()


def test_model_1_has_no_rate():
    with pytest.raises(InputError, match="no rate to set"):
        generate("model-1?rate=3")
