"""Built-in workloads match the figures of the traces that they stand for."""

import numpy as np
import pytest

from plimsoll.description import describe
from plimsoll.formats import read_file
from plimsoll.source import read_trace
from plimsoll.workload import NAMED, Named, default_capacity, generate

DRAWN = {name: named for name, named in NAMED.items() if isinstance(named, Named)}

# Mean, p50, p90, p99 of the prompts, then of the outputs, of the real traces; retyped from describing them.
FIGURES = {
    "azure-conv": ((1154.7, 1020, 2734.5, 4142), (211.1, 129, 424, 601)),
    "azure-code": ((2048, 1469, 5188, 7436), (28, 13, 55, 251)),
    "mooncake": ((12035.1, 6909, 27367, 85400.4), (342.6, 350, 597, 1118.5)),
    "reasoning": ((684.7, 276, 898, 12485.4), (825.0, 531, 1499, 5021.7)),
    "arxiv": ((2588.1, 2730, 3702, 3933.4), (291.4, 167, 372, 3271.3)),
}
VOLUMES = {"azure-conv": 259_153, "mooncake": 4_497_352, "reasoning": 1_671_887, "arxiv": 705_474}
FILES = {
    "azure-conv": "azure_llm_2023_conv",
    "mooncake": "mooncake_fast25_conversation",
    "reasoning": "servegen_r1_sample_1h",
    "arxiv": "lengths_arxiv_summarization",
}


def _four(lengths: np.ndarray) -> tuple[float, ...]:
    return (float(lengths.mean()), *(float(p) for p in np.percentile(lengths, [50, 90, 99])))


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("requests", [None, 200_000], ids=["default", "many"])
def test_lengths_are_within_five_percent(name, requests):
    drawn = generate(name, requests)
    for lengths, figures in zip((drawn.prompt, drawn.output), FIGURES[name], strict=True):
        assert _four(lengths) == pytest.approx(figures, rel=0.05)


@pytest.mark.parametrize("name", VOLUMES)
def test_mean_volume_is_within_two_percent(name):
    assert DRAWN[name].workload.mean_volume() == pytest.approx(VOLUMES[name], rel=0.02)


@pytest.mark.shared
@pytest.mark.parametrize("name", FILES)
def test_retyped_figures_are_those_of_the_traces(name, shared):
    trace = read_file(shared / "traces" / f"{FILES[name]}.parquet")
    for lengths, figures in zip((trace.prompt, trace.output), FIGURES[name], strict=True):
        assert _four(lengths) == pytest.approx(figures, rel=1e-3)
    assert trace.volume.mean() == pytest.approx(VOLUMES[name], rel=1e-5)


@pytest.mark.parametrize("name", DRAWN)
def test_memory_binds_at_the_default_capacity(name):
    workload = DRAWN[name].workload
    expected = workload.rate / 20 * workload.mean_volume() / default_capacity(name)
    assert expected == pytest.approx(1.1, abs=0.03)
    told = describe(generate(name), default_capacity(name))
    assert told.load == pytest.approx(1.1, abs=0.1)
    assert told.oversize == 0


def test_azure_code_is_bursty():
    told = describe(generate("azure-code", 50_000))
    assert told.interarrival_cv == pytest.approx(3, rel=0.1)


def test_long_documents_keep_their_range():
    drawn = generate("long-document")
    assert drawn.prompt.min() >= 2_000
    assert drawn.prompt.max() <= 30_000
    assert (drawn.output.min() >= 20) & (drawn.output.max() <= 400)


def test_lmsys_has_the_published_means_and_medians():
    drawn = generate("lmsys", 400_000)
    assert (np.median(drawn.prompt), np.median(drawn.output)) == (11, 45)
    assert drawn.prompt.mean() == pytest.approx(40.62, rel=0.02)
    assert drawn.output.mean() == pytest.approx(85.32, rel=0.02)


@pytest.mark.parametrize("name", NAMED)
def test_each_is_read_by_its_name_and_cites_its_source(name):
    trace = read_trace(name, requests=7)
    assert (len(trace), trace.name) == (7, name)
    assert NAMED[name].summary
    assert NAMED[name].source
