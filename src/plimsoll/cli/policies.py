"""``plimsoll policies``: the catalogue."""

from __future__ import annotations

import json
from typing import Annotated

from cyclopts import App, Parameter

app = App(name="policies", help="The catalogue of policies.")


@app.default
def policies(*, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False) -> None:
    """List every policy: name, what it does, parameters, what it must know, guarantee and source.

    Parameters
    ----------
    as_json : one JSON object on stdout.
    """
    from ..policy.load import entries

    found = entries()
    if as_json:
        print(json.dumps({"policies": found}))
        return
    from .show import show_policies

    show_policies(found)
