"""A workload: arrivals and lengths to draw a trace from, given by hand or fitted to a trace."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..trace import LONGEST, Floats, Trace, mean_rate
from . import normal
from .arrivals import Arrivals, AtOnce, Gamma
from .lengths import Lengths, Quantiles, inside


@dataclass(frozen=True)
class Workload:
    """What requests look like and when they come.

    Attributes
    ----------
    prompt, output : laws of the two lengths.
    arrivals : the arrival process.
    rate : requests per second.
    requests : how many to draw unless told otherwise.
    correlation : of the Gaussian copula that joins prompt and output, in (−1, 1).
    name : of the traces drawn.
    """

    prompt: Lengths
    output: Lengths
    arrivals: Arrivals
    rate: float
    requests: int
    correlation: float = 0.0
    name: str = "workload"

    def __post_init__(self) -> None:
        if not -1 < self.correlation < 1:
            raise InputError(f"{self.name}: correlation must lie between -1 and 1, not {self.correlation}")

    def generate(self, requests: int | None = None, rate: float | None = None, seed: int = 0) -> Trace:
        """Draw a trace; bit for bit the same for the same arguments.

        Parameters
        ----------
        requests : how many; the first k of a draw of n are the draw of k.
        rate : requests per second; it only stretches time.
        seed : not negative.

        Raises
        ------
        InputError
            If an argument is out of range.
        """
        count, speed = _counted(self, requests), _paced(self, rate)
        when, prompt, output = (np.random.default_rng(child) for child in _streams(seed))
        arrival = self.arrivals.times(count, speed, when)
        if self.correlation == 0:
            u, v = prompt.random(count), output.random(count)
        else:
            z, noise = prompt.standard_normal(count), output.standard_normal(count)
            u, v = normal.cdf(z), normal.cdf(_joined(self.correlation, z, noise))
        return Trace(arrival, self.prompt.quantile(inside(u)), self.output.quantile(inside(v)), self.name)

    def mean_volume(self) -> float:
        """The expected volume of a request, token-rounds, by quadrature of both laws under the copula."""
        # Even steps in the normal score reach the tails, which carry much of the volume.
        z = np.linspace(-5.5, 5.5, 221)
        weight = np.exp(-z * z / 2)
        weight /= weight.sum()
        prompt = self.prompt.quantile(normal.cdf(z)).astype(np.float64)
        v = normal.cdf(_joined(self.correlation, z[:, None], z[None, :]))
        output = self.output.quantile(inside(v)).astype(np.float64)
        return float(weight @ (prompt[:, None] * output + output * (output + 1) / 2) @ weight)


def fit(trace: Trace) -> Workload:
    """The workload that looks like a trace: its length tables, rate, and variation of interarrival times.

    The correlation is the one that gives the mean volume of the trace, because the load depends on that; the
    rank correlation alone would miss it by up to a third where lengths depend on each other in another way.

    Raises
    ------
    InputError
        If each session of the trace has its own clock, so that there is no arrival process to fit.
    """
    if trace.session is not None:
        raise InputError(f"{trace.name}: sessions that each have their own clock have no common arrival process")
    rate = mean_rate(trace.arrival)
    arrivals: Arrivals = AtOnce() if rate is None else Gamma(max(cv_of_gaps(trace.arrival), 0.01))
    laws = Quantiles.of(trace.prompt), Quantiles.of(trace.output)
    target = float(np.mean(trace.volume))
    low, high = -0.95, 0.95
    for _ in range(12):
        middle = (low + high) / 2
        drawn = Workload(*laws, arrivals, rate or 1.0, len(trace), middle)
        low, high = (middle, high) if drawn.mean_volume() < target else (low, middle)
    return Workload(*laws, arrivals, rate or 1.0, len(trace), round((low + high) / 2, 3), f"like {trace.name}")


def cv_of_gaps(arrival: Floats) -> float:
    """Coefficient of variation of the interarrival times; 0 where all arrive at once."""
    gaps = np.diff(arrival)
    return float(gaps.std() / gaps.mean()) if len(gaps) and gaps.mean() > 0 else 0.0


def _streams(seed: int) -> list[np.random.SeedSequence]:
    if seed < 0:
        raise InputError(f"seed must not be negative, not {seed}")
    return np.random.SeedSequence(seed).spawn(3)


def _counted(workload: Workload, requests: int | None) -> int:
    count = workload.requests if requests is None else requests
    if not 1 <= count <= LONGEST:
        raise InputError(f"{workload.name}: requests must be in 1…{LONGEST}, not {count}")
    return count


def _paced(workload: Workload, rate: float | None) -> float:
    speed = workload.rate if rate is None else rate
    if not (np.isfinite(speed) and speed > 0):
        raise InputError(f"{workload.name}: rate must be a positive number of requests per second, not {speed}")
    return speed


def _joined(correlation: float, z: Floats, noise: Floats) -> Floats:
    """A second standard normal score with the given correlation to ``z``."""
    return correlation * z + np.sqrt(1 - correlation**2) * noise
