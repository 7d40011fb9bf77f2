"""Seconds per step: unit, linear, table, and the roofline of a model on a GPU."""

from .form import StepTime, from_file, linear, parse, roofline, table, unit
from .hardware import GPUS, Gpu, gpu_named
from .memory import kv_blocks
from .model import MODELS, Model, bytes_of, model_named

__all__ = [
    "GPUS", "MODELS", "Gpu", "Model", "StepTime", "bytes_of", "from_file", "gpu_named", "kv_blocks", "linear",
    "model_named", "parse", "roofline", "table", "unit",
]  # fmt: skip
