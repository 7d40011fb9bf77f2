"""What every host does before a run: believe the predictor, sort by arrival, plan the policy."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..policy.protocol import Plan, has, parameters
from ..policy.view import REQUEST, Columns, records
from ..trace import Trace


class Prepared(NamedTuple):
    """The columns that a run starts from, sorted by arrival."""

    order: npt.NDArray[np.int64]  # (n,) row of the trace of each request
    requests: Columns  # (n,) of REQUEST
    output: npt.NDArray[np.int64]  # (n,) the truth
    survival: npt.NDArray[np.float64]
    plan: Plan  # the policy's columns and memory
    facts: npt.NDArray[np.float64]  # the predictor's columns
    notes: npt.NDArray[np.float64]  # the predictor's memory
    predictor_parameters: npt.NDArray[np.float64]


def prepare(
    trace: Trace, arrival: npt.NDArray[np.float64], policy: Any, predictor: Any, capacity: int, seed: int
) -> Prepared:
    """Lay out the columns of a run; ``arrival`` is in the host's unit, in the order of the trace.

    Raises
    ------
    InputError
        If the capacity is below 1, or the policy refuses the requests.
    CapacityError
        If a request can never fit.
    """
    if capacity < 1:
        raise InputError(f"--capacity must be at least 1 token, not {capacity}")
    trace.fitting(capacity)
    believe, play = np.random.default_rng(seed).spawn(2)
    belief = predictor.plan(trace, believe)
    order = np.argsort(arrival, kind="mergesort")
    requests = records(len(trace), REQUEST)
    requests["prompt"] = trace.prompt[order]
    requests["arrival"] = arrival[order]
    requests["predicted"] = np.maximum(belief.predicted, 1)[order]
    requests["scale"] = requests["predicted"] if belief.scale is None else belief.scale[order]
    for bound in ("lower", "upper"):
        given = getattr(belief, bound)
        requests[bound] = requests["predicted"] if given is None else given[order]
    requests["kind"] = belief.kind[order]
    requests["client"] = 0 if trace.client is None else trace.client[order]
    plan = policy.plan(requests, capacity, play) if hasattr(policy, "plan") else Plan()
    online = has(predictor, "predict") or has(predictor, "learn")
    return Prepared(
        order,
        requests,
        trace.output[order],
        np.array(belief.survival, dtype=np.float64, order="C"),
        Plan(np.ascontiguousarray(plan.columns, np.float64), np.ascontiguousarray(plan.memory, np.float64)),
        np.zeros((0, 1)) if belief.columns is None else np.ascontiguousarray(belief.columns[order], np.float64),
        np.zeros(1) if belief.memory is None else np.array(belief.memory, np.float64),
        parameters(predictor) if online else np.zeros(1),
    )
