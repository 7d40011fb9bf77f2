"""``plimsoll serve-args``: the flags that make an engine follow plimsoll."""

from __future__ import annotations

import json
import shlex
from typing import Annotated

from cyclopts import App, Parameter

app = App(help="Print the flags that make an engine follow plimsoll.")


@app.default
def serve_args(
    *,
    policy: str | None = None,
    predictor: str | None = None,
    proxy: Annotated[bool, Parameter(negative="")] = False,
    engine: str = "vllm",
    watermark: float = 0.02,
    async_scheduling: bool | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Print the flags on one line, as in: vllm serve MODEL $(plimsoll serve-args).

    Parameters
    ----------
    policy : policy of the plug-in; load-line if not given, stock switches it off.
    predictor : predictor of the plug-in; online if not given.
    proxy : flags for an engine behind `plimsoll proxy` instead of the plug-in.
    engine : vllm or sglang (behind the proxy).
    watermark : share of KV blocks that vLLM keeps free when it admits, behind the proxy.
    async_scheduling : whether vLLM schedules asynchronously; as the installed vLLM does if not given.
    as_json : one JSON object on stdout.
    """
    from ..engine.desk import as_engine
    from ..engine.flags import async_by_default, behind_proxy, plug_in
    from ..engine.options import Options
    from ..errors import InputError

    if engine != "vllm" and not proxy:
        raise InputError(f"--engine {engine} has no plug-in; use it behind the proxy: --proxy")
    if policy != "stock":
        as_engine(Options(policy or Options.policy, predictor or Options.predictor).load()[0])
    asynchronous = async_by_default() if async_scheduling is None else async_scheduling
    flags = behind_proxy(engine, watermark) if proxy else plug_in(policy, predictor, asynchronous)
    print(json.dumps({"flags": flags}) if as_json else shlex.join(flags))
