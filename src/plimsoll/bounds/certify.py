"""The theorem that belongs to a policy, checked on a run of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import InputError
from ..host.result import Result
from ..named import called, kebab
from ..policies.geometric import Gba, GbaD, Gsa, GsaD
from ..policies.nested import NestedWait, mix
from ..policies.packing import PackAndSchedule
from ..policies.regime import Rect, Response, widths
from ..policies.route import ClairvoyantMix, RectMix, Route
from ..policies.shortest import McSf
from ..policies.speculative import GsaSpec
from ..policies.threshold import Wait
from ..policies.volume import Svf
from ..policy.fluid import LinearStep
from ..policy.thresholds import nested_memory, nested_thresholds
from . import certificate
from .certificate import Certificate


def certify(policy: Any, result: Result) -> list[Certificate]:
    """Check the inequalities that ``policy`` guarantees on a finished run in the rounds host.

    Raises
    ------
    InputError
        If no theorem belongs to the policy, or this run is outside its conditions; the message says which.
    """
    if type(policy) not in _CHECKS:
        named = ", ".join(sorted(kebab(kind.__name__) for kind in _CHECKS))
        raise InputError(f"--certify: {called(policy)} has no theorem to check; these have: {named}")
    name = type(policy).__name__
    _require(result.status == "ok", name, f"the run must finish, but it ended {result.status}: {result.reason}")
    _require(len(result) > 0, name, "there must be at least one request")
    return _CHECKS[type(policy)](policy, result)


def _require(holds: bool, name: str, condition: str) -> None:
    if not holds:
        raise InputError(f"--certify: the theorem of {kebab(name)} does not apply: {condition}")


def _burst(policy: Any, result: Result) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Finish of each request counted from the one arrival that all share."""
    arrival = result.arrival
    together = bool(np.all(arrival == arrival[0])) and result.unit == "rounds"
    _require(together, type(policy).__name__, "all requests must arrive at one time, in rounds")
    return result.finish - arrival[0]


def _exact(policy: Any, result: Result) -> None:
    known = bool(np.all(result.predicted == result.output))
    _require(known, type(policy).__name__, "predictions must be exact")


def _svf(policy: Svf, result: Result) -> list[Certificate]:
    _require(not policy.engine and policy.protect == 0, "Svf", "it needs the form with a forward check, protect = 0")
    return _smallest_volume_first(policy, result)


def _mc_sf(policy: McSf, result: Result) -> list[Certificate]:
    equal = bool(np.all(result.prompt == result.prompt[0]))
    _require(
        equal and not policy.skip and policy.protect == 0, "McSf", "prompts must be equal, without skip or protect"
    )
    return _smallest_volume_first(policy, result)


def _smallest_volume_first(policy: Any, result: Result) -> list[Certificate]:
    finish = _burst(policy, result)
    _exact(policy, result)
    return certificate.smallest_volume_first(result.prompt, result.output, finish, result.capacity)


def _slicing(policy: Any, result: Result) -> list[Certificate]:
    finish = _burst(policy, result)
    return certificate.geometric_slicing(
        result.prompt, result.output, finish, result.capacity, policy.growth, policy.first
    )


def _batching(policy: Any, result: Result) -> list[Certificate]:
    finish = _burst(policy, result)
    _exact(policy, result)
    return certificate.geometric_batching(
        result.prompt, result.output, finish, result.capacity, policy.growth, policy.first
    )


def _widths(policy: Any, result: Result) -> np.ndarray[Any, np.dtype[np.float64]]:
    wide = widths(result.prompt, result.capacity, policy.cutoff, policy.longest)
    within = bool(np.all(result.prompt + result.output <= wide))
    _require(within, type(policy).__name__, "no request may outgrow its width")
    return wide


def _rect(policy: Rect, result: Result) -> list[Certificate]:
    wide, finish, capacity = _widths(policy, result), _burst(policy, result), result.capacity
    found = certificate.rect(wide, result.output.astype(float), finish, capacity)
    large, heavy = 4 * result.prompt > capacity, (result.prompt > 0) & (result.output <= result.prompt)
    if policy == Rect() and bool(np.all(large) or np.all(heavy & ~large)):
        found += certificate.one_regime(result.prompt, result.output, finish, capacity)
    return found


def _rect_mix(policy: RectMix, result: Result) -> list[Certificate]:
    wide, finish = _widths(policy, result), _burst(policy, result)
    return certificate.rect_mix(wide, result.output.astype(float), finish, result.capacity, policy.split)


def _response(policy: Response, result: Result) -> list[Certificate]:
    finish = _burst(policy, result)
    _require(bool(np.all(result.output > result.prompt)), "Response", "every output must be longer than its prompt")
    return certificate.response(result.prompt, result.output, finish, result.capacity, policy.growth)


def _route(policy: Route, result: Result) -> list[Certificate]:
    _require(not policy.idle, "Route", "it is stated for turns of full length (idle = false)")
    return certificate.route(result.prompt, result.output, _burst(policy, result), result.capacity)


def _clairvoyant_mix(policy: ClairvoyantMix, result: Result) -> list[Certificate]:
    finish = _burst(policy, result)
    _exact(policy, result)
    return certificate.clairvoyant_mix(result.prompt, result.output, finish, result.capacity)


def _pack_and_schedule(policy: PackAndSchedule, result: Result) -> list[Certificate]:
    finish = _burst(policy, result)
    _exact(policy, result)
    return certificate.pack_and_schedule(result.prompt, result.output, finish, result.capacity)


def _nested_wait(policy: NestedWait, result: Result, fail_prob: float = 0.01) -> list[Certificate]:
    _require(result.unit == "s", "NestedWait", "it must run in the iterations host")
    _require(policy.cap == 0, "NestedWait", "it needs the thresholds that are solved for (cap = 0)")
    requests = {name: getattr(result, name) for name in ("prompt", "predicted")} | {"arrival": np.sort(result.arrival)}
    segments, rate = mix(requests, policy.segments)
    step = LinearStep(policy.fixed_s, policy.per_token_s)
    try:
        count = nested_thresholds(segments, rate, step, margin=policy.margin).count
    except InputError as error:
        raise InputError(f"--certify: the theorem of nested-wait does not apply: {error}") from None
    horizon = float(np.nanmax(result.finish) - requests["arrival"][0]) / step.fixed_s
    needs = nested_memory(segments, count, horizon, fail_prob, len(segments.bounds)).required
    _require(needs <= result.capacity, "NestedWait", f"it needs {needs:,.0f} tokens of memory, not {result.capacity:,}")
    return certificate.no_overflow(int(result.evictions.sum()), fail_prob)


def _wait(policy: Wait, result: Result) -> list[Certificate]:
    _require(result.unit == "s", "Wait", "it must run in the iterations host")
    order = np.argsort(result.arrival, kind="mergesort")
    requests = {name: getattr(result, name)[order] for name in ("prompt", "predicted", "arrival")}
    memory = policy.thresholds(requests, result.capacity)[2]
    return certificate.no_eviction(int(result.evictions.sum()), result.peak_tokens, memory)


_CHECKS: dict[type, Callable[[Any, Result], list[Certificate]]] = {
    Svf: _svf,
    McSf: _mc_sf,
    Gsa: _slicing,
    GsaD: _slicing,
    GsaSpec: _slicing,
    Gba: _batching,
    GbaD: _batching,
    Rect: _rect,
    RectMix: _rect_mix,
    Response: _response,
    Route: _route,
    ClairvoyantMix: _clairvoyant_mix,
    PackAndSchedule: _pack_and_schedule,
    Wait: _wait,
    NestedWait: _nested_wait,
}
