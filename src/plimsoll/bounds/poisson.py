"""Smallest volume first under Poisson arrivals and geometric outputs: how far from the best it can be."""

from __future__ import annotations

from typing import NamedTuple

from ..errors import InputError


class PoissonRatio(NamedTuple):
    """The theorem for one stream of requests; latencies in rounds, volumes in token-rounds.

    Attributes
    ----------
    mean_volume : E[vol], of one request.
    load : ρ = λ·E[vol]/((1 − α)M/2), below 1.
    residual : W_0 = λ(E[s]/μ² + 2/μ³), the volume that an arrival finds unfinished were nobody to wait.
    opt_processing, opt_area : two lower bounds on the mean latency of every policy: 1/μ and (1 − μ)W_0/M.
    svf : mean latency of SVF is at most this many times that of every policy: 1 + 2/((1 − α)(1 − μ)(1 − ρ)).
    one_bit : the same for 1-bit SVF with the ``poisson`` proxies of ``theta``.

    A ratio of expectations, not the expectation of a ratio. A geometric output has no end and requests do: cut them.
    """

    mean_volume: float
    load: float
    residual: float
    opt_processing: float
    opt_area: float
    svf: float
    one_bit: float


def poisson_ratio(
    rate: float, stop: float, mean_prompt: float, share: float, capacity: float, theta: float
) -> PoissonRatio:
    """Theorems 3.4 and 3.5 of SVF.

    Parameters
    ----------
    rate : λ, arrivals per round.
    stop : μ, outputs are geometric with mean 1/μ.
    mean_prompt : E[s], tokens.
    share : α, every prompt + output is at most α·M.
    capacity : M, tokens.
    theta : threshold of the one bit, output tokens.

    Raises
    ------
    InputError
        If the load is 1 or more, or a parameter is out of its range.

    References
    ----------
    Kong et al. (2026), arXiv:2606.22327.
    """
    if not (rate > 0 and 0 < stop < 1 and 0 <= share < 1 and capacity > 0 and theta > 0 and mean_prompt >= 0):
        raise InputError("the ratio needs rate, capacity and theta above 0, 0 < stop < 1, 0 <= share < 1, prompt >= 0")
    mean_volume = mean_prompt / stop + 1 / stop**2
    load = rate * mean_volume / ((1 - share) * capacity / 2)
    if load >= 1:
        raise InputError(f"the load is {load:.4g}; the ratio holds below 1: at less than {rate / load:.4g} a round")
    residual = rate * (mean_prompt / stop**2 + 2 / stop**3)
    rest = (1 - stop) ** theta
    blur = 0.5 * (theta * rest / (1 - rest)) ** 2  # ε; at most 1/(2μ²), below the mean volume for every theta
    excess = 2 / ((1 - share) * (1 - stop) * (1 - load))
    return PoissonRatio(
        mean_volume,
        load,
        residual,
        1 / stop,
        (1 - stop) * residual / capacity,
        1 + excess,
        1 + mean_volume / (mean_volume - blur) * excess,
    )
