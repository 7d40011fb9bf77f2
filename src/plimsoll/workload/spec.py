"""Workloads and laws written as text: ``azure-conv?rate=8&requests=5000``, ``lognormal:mu=6,sigma=1``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from .. import formats
from ..errors import InputError
from ..trace import Trace
from .arrivals import Arrivals, AtOnce, Gamma, OnOff, Periodic, Poisson, Replay
from .generate import Workload, fit
from .lengths import Fixed, Geometric, Lengths, Lognormal, Mixture, Quantiles, Uniform
from .models import Model1, Model2
from .named import NAMED, Named

T = TypeVar("T")

_SIZES = ("requests", "rate", "seed")
_SHAPES = ("prompt", "output", "arrivals", "correlation")


def is_named(spec: str) -> bool:
    """Whether the text names a built-in workload (``like?file=…`` included)."""
    return spec.partition("?")[0] in (*NAMED, "like")


def generate(spec: str, requests: int | None = None, rate: float | None = None, seed: int = 0) -> Trace:
    """Draw the trace that a text describes.

    Parameters
    ----------
    spec : a built-in name, then optionally ``?`` and parameters joined by ``&``: ``requests``, ``rate``,
        ``seed`` and, but for the models, ``prompt`` and ``output`` (laws), ``arrivals`` (a process) and
        ``correlation``. ``like?file=PATH`` is the workload fitted to that trace.
    requests, rate : win over those of the text.
    seed : used where the text has none.

    Raises
    ------
    InputError
        If the name or a parameter is unknown or out of range.
    """
    name, given = _split(spec)
    source = _source(spec, name, given)
    if requests is None and "requests" in given:
        requests = _number(spec, "requests", given["requests"], int)
    if rate is None and "rate" in given:
        rate = _number(spec, "rate", given["rate"], float)
    if "seed" in given:
        seed = _number(spec, "seed", given["seed"], int)
    return source.generate(requests, rate, seed)


def has_default_capacity(spec: str) -> bool:
    """Whether the text is a built-in workload with its own laws."""
    name, given = _split(spec)
    return name in NAMED and not any(key in given for key in _SHAPES)


def default_capacity(spec: str, seed: int = 0) -> int:
    """The KV capacity, tokens, at which memory binds for a built-in workload at its default rate.

    The load is then about 1.1 at 20 rounds per second; a model's capacity is that of the trial ``seed``.

    Raises
    ------
    InputError
        If the text is no built-in workload, or changes its laws so that the default means nothing.
    """
    name, given = _split(spec)
    changed = [key for key in _SHAPES if key in given]
    if name == "like" or changed:
        raise InputError(f"{spec}: no default capacity where {' and '.join(changed) or 'a file'} is given; set one")
    if name not in NAMED:
        raise InputError(f"{spec}: no built-in workload of that name; there are {', '.join(NAMED)}")
    if "seed" in given:
        seed = _number(spec, "seed", given["seed"], int)
    return NAMED[name].capacity(seed)


def parse_lengths(text: str) -> Lengths:
    """A law of lengths: ``fixed:tokens=9``, ``uniform:low=1,high=9``, ``geometric:mean=50``,
    ``lognormal:mu=5,sigma=1,high=2000``, ``like:file=PATH,column=output``. In ``A+0.01*B`` one in 100 is
    an outlier of law B.
    """
    body, plus, rest = text.partition("+")
    if not plus:
        return _call(text, _LENGTHS, "law of lengths")
    share, times, outliers = rest.partition("*")
    if not times:
        raise InputError(f"{text}: outliers are written LAW+SHARE*LAW, such as fixed:tokens=9+0.01*fixed:tokens=900")
    return Mixture(parse_lengths(body), parse_lengths(outliers), _number(text, "share", share, float))


def parse_arrivals(text: str) -> Arrivals:
    """A process: ``at-once``, ``poisson``, ``gamma:cv=3``, ``on-off:on_s=5,off_s=20``, ``periodic:batch=4``,
    ``replay:file=PATH``.
    """
    return _call(text, _ARRIVALS, "arrival process")


def _like(file: str, column: str) -> Quantiles:
    if column not in ("prompt", "output"):
        raise InputError(f"like: column must be prompt or output, not {column!r}")
    return Quantiles.of(getattr(formats.read_file(file), column))


def _replay(file: str) -> Replay:
    trace = formats.read_file(file)
    if trace.session is not None:
        raise InputError(f"replay: each session of {file} has its own clock")
    return Replay(trace.arrival)


_LENGTHS: Mapping[str, Callable[..., Lengths]] = {
    "fixed": Fixed,
    "uniform": Uniform,
    "geometric": Geometric,
    "lognormal": Lognormal,
    "like": _like,
}
_ARRIVALS: Mapping[str, Callable[..., Arrivals]] = {
    "at-once": AtOnce,
    "poisson": Poisson,
    "gamma": Gamma,
    "on-off": OnOff,
    "periodic": Periodic,
    "replay": _replay,
}


def _source(spec: str, name: str, given: dict[str, str]) -> Workload | Model1 | Model2:
    """What draws the trace."""
    if name == "like":
        _require_known(spec, given, ("file", *_SIZES, *_SHAPES))
        if "file" not in given:
            raise InputError(f"{spec}: like needs the trace to be like, as in like?file=trace.parquet")
        return _shaped(spec, fit(formats.read_file(given["file"])), given)
    if name not in NAMED:
        raise InputError(f"{spec}: no built-in workload of that name; there are {', '.join(NAMED)}")
    named = NAMED[name]
    if not isinstance(named, Named):
        _require_known(spec, given, _SIZES)
        return named
    _require_known(spec, given, (*_SIZES, *_SHAPES))
    return _shaped(spec, named.workload, given)


def _shaped(spec: str, base: Workload, given: dict[str, str]) -> Workload:
    changes: dict[str, Any] = {}
    for side in ("prompt", "output"):
        if side in given:
            changes |= {side: parse_lengths(given[side]), "correlation": 0.0}
    if "arrivals" in given:
        changes["arrivals"] = process = parse_arrivals(given["arrivals"])
        if isinstance(process, Replay):
            changes |= {"rate": process.rate, "requests": len(process.recorded)}
    if "correlation" in given:
        changes["correlation"] = _number(spec, "correlation", given["correlation"], float)
    return replace(base, **changes)


def _split(spec: str) -> tuple[str, dict[str, str]]:
    name, _, query = spec.partition("?")
    return name, _pairs(spec, query, "&")


def _pairs(text: str, pairs: str, parting: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for part in filter(None, pairs.split(parting)):
        key, equals, value = part.partition("=")
        if not equals or not value:
            raise InputError(f"{text}: {part!r} is not NAME=VALUE")
        if key in given:
            raise InputError(f"{text}: {key} is given twice")
        given[key] = value
    return given


def _require_known(text: str, given: dict[str, str], known: tuple[str, ...]) -> None:
    for key in given:
        if key not in known:
            raise InputError(f"{text}: unknown parameter {key!r}; there are {', '.join(known)}")


def _call(text: str, table: Mapping[str, Callable[..., T]], what: str) -> T:
    """``name:key=value,…`` as a call of the table's entry, each value of its parameter's type."""
    name, _, rest = text.partition(":")
    if name not in table:
        raise InputError(f"{text}: unknown {what}; there are {', '.join(table)}")
    parameters = inspect.signature(table[name]).parameters
    given = _pairs(text, rest, ",")
    _require_known(text, given, tuple(parameters))
    for key, parameter in parameters.items():
        if key not in given and parameter.default is parameter.empty:
            raise InputError(f"{text}: {name} needs {key}")
    kinds = {"int": int, "float": float, "str": str}
    return table[name](**{key: _number(text, key, given[key], kinds[parameters[key].annotation]) for key in given})


def _number(text: str, key: str, value: str, kind: Callable[[str], T]) -> T:
    try:
        return kind(value)
    except ValueError as error:
        wanted = "a whole number" if kind is int else "a number"
        raise InputError(f"{text}: {key}={value!r} is not {wanted}") from error
