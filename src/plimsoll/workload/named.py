"""The built-in workloads, by name."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

from . import figures
from .arrivals import Gamma, Poisson
from .generate import Workload
from .lengths import Lognormal, Uniform
from .models import Model1, Model2


@dataclass(frozen=True)
class Named:
    """A built-in workload.

    Attributes
    ----------
    workload : what to draw, with its default rate and number of requests.
    capacity_tokens : where memory binds: the load is about 1.1 at 20 rounds per second.
    summary : what it is, in a line.
    source : where its figures come from.
    """

    workload: Workload
    capacity_tokens: int
    summary: str
    source: str

    def capacity(self, seed: int = 0) -> int:
        """The same for every seed; the models' capacities are not."""
        return self.capacity_tokens


_AZURE = "Azure LLM inference trace 2023 (CC-BY-4.0); Patel et al., Splitwise, ISCA 2024"

_DRAWN = (
    Named(
        Workload(
            figures.AZURE_CONV_PROMPT,
            figures.AZURE_CONV_OUTPUT,
            Gamma(1.09),
            rate=5.53,
            requests=19_366,
            correlation=figures.AZURE_CONV_CORRELATION,
            name="azure-conv",
        ),
        65_000,
        "production chat, nearly Poisson",
        f"{_AZURE}, conversation",
    ),
    Named(
        Workload(
            figures.AZURE_CODE_PROMPT,
            figures.AZURE_CODE_OUTPUT,
            Gamma(3.0),
            rate=20.0,
            requests=10_000,
            name="azure-code",
        ),
        53_500,
        "code completion: long prompts, short outputs, bursty (CV 3, the trace's without its idle gaps)",
        f"{_AZURE}, code; rate chosen",
    ),
    Named(
        Workload(
            figures.MOONCAKE_PROMPT,
            figures.MOONCAKE_OUTPUT,
            Gamma(1.01),
            rate=3.4,
            requests=12_031,
            correlation=figures.MOONCAKE_CORRELATION,
            name="mooncake",
        ),
        695_000,
        "long-prompt chat, mean 12k tokens",
        "Mooncake FAST25 conversation (Apache-2.0), times spread over its 3 s grid; Qin et al., FAST 2025",
    ),
    Named(
        Workload(
            figures.REASONING_PROMPT,
            figures.REASONING_OUTPUT,
            Gamma(1.21),
            rate=37.1,
            requests=133_529,
            correlation=figures.REASONING_CORRELATION,
            name="reasoning",
        ),
        2_820_000,
        "reasoning model: heavy-tailed outputs",
        "ServeGen deepseek-r1 client statistics (Apache-2.0), peak hour",
    ),
    Named(
        Workload(
            figures.ARXIV_PROMPT,
            figures.ARXIV_OUTPUT,
            Poisson(),
            rate=3.0,
            requests=28_257,
            correlation=figures.ARXIV_CORRELATION,
            name="arxiv",
        ),
        96_000,
        "summaries of papers, context of 4,096 tokens",
        "Vidur arxiv_summarization lengths (MIT); rate chosen",
    ),
    Named(
        Workload(
            Lognormal(log(11), 1.616, high=8192),
            Lognormal(log(45), 1.131, high=4096),
            Poisson(),
            rate=50.0,
            requests=10_000,
            name="lmsys",
        ),
        37_500,
        "short chat: prompts with median 11, outputs with median 45, in words",
        "lognormals with the means and medians of LMSYS-Chat-1M in arXiv:2502.07115, and its high rate",
    ),
    Named(
        Workload(
            Uniform(2_000, 30_000),
            Uniform(20, 400),
            Poisson(),
            rate=1.0,
            requests=5_000,
            name="long-document",
        ),
        153_500,
        "documents of 2k to 30k tokens, answers of 20 to 400",
        "uniform laws; rate chosen",
    ),
    Named(
        Workload(
            Lognormal(6.0, 1.0, high=4000),
            Lognormal(5.0, 1.0, high=2000),
            Poisson(),
            rate=12.8,
            requests=20_000,
            name="synthetic",
        ),
        130_000,
        "lognormal lengths, means 620 and 240; made to be given other laws",
        "chosen",
    ),
)

NAMED: dict[str, Named | Model1 | Model2] = {
    **{named.workload.name: named for named in _DRAWN},
    "model-1": Model1(),
    "model-2": Model2(),
}
"""Every built-in workload by its name."""
