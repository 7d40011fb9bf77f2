"""The command line: parsing only. Every command lives in a module of its own, imported when it is called."""

from __future__ import annotations

import sys

from cyclopts import App, CycloptsError

app = App(name="plimsoll", help="Scheduling for LLM inference under a hard KV-cache memory limit.")
for name, summary in {
    "compare": "Run policies on a trace and rank them, with the certified bound.",
    "run": "Run one policy on a trace.",
    "capacity": "The highest load, or the least memory, that keeps service-level objectives.",
    "sweep": "Run a grid of settings, here or on Ray.",
    "plot": "Draw runs: a figure, the numbers behind it, or a trace for a viewer.",
    "policies": "The catalogue of policies.",
    "bound": "Certified lower bound on total latency and the best schedule known.",
    "fluid": "Fluid equilibrium, stability region and WAIT thresholds of a trace or of types.",
    "reproduce": "Published tables beside ours, claim by claim.",
    "serve-args": "The flags that make an engine follow plimsoll.",
    "check": "What simulation said against what an engine then did.",
    "record": "A trace from an engine's log or metrics.",
    "proxy": "An OpenAI-API proxy that sets each request's priority.",
    "trace": "Describe, convert, generate and fetch traces.",
    "predict": "Predictors of output length: train and evaluate.",
    "steptime": "Seconds per step of a model on a GPU: show and fit.",
}.items():
    app.command(f"plimsoll.cli.{name.replace('-', '_')}:app", name=name, help=summary)


def main() -> None:
    """Run the command line; bad input is one line and exit code 2."""
    from ..errors import InputError

    try:
        app(sys.argv[1:], result_action="return_value", print_error=False, exit_on_error=False)
    except (InputError, CycloptsError) as error:
        print(f"plimsoll: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
