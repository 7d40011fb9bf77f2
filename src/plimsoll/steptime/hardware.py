"""GPUs: what their makers publish.

Memory is what the driver reports to a process, GiB; bandwidth and dense bf16 arithmetic are the datasheets'
(NVIDIA A100 80 GB SXM, H100 SXM, H200 SXM, B200 SXM, L40S, GeForce RTX 4090, RTX PRO 6000 Blackwell
Workstation; AMD MI300X); all but the A100 compute twice as fast in fp8. A link is what one GPU can send to its
peers in one direction. Idle power is typical of a loaded model without work. Prices are list prices of on-demand
clouds in 2025, rounded; they move: give your own with ``--price-per-hour``.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InputError


@dataclass(frozen=True)
class Gpu:
    """One accelerator.

    Attributes
    ----------
    memory_gib : usable memory, GiB.
    bandwidth : memory, bytes/s.
    flops : dense bf16, 1/s.
    link : one direction to its peers, bytes/s.
    link_latency_s : one small all-reduce, seconds.
    busy_w, idle_w : power, watts.
    price_per_hour : list price, US dollars.
    """

    name: str
    memory_gib: float
    bandwidth: float
    flops: float
    link: float
    link_latency_s: float
    busy_w: float
    idle_w: float
    price_per_hour: float

    @property
    def fp8_flops(self) -> float:
        """Dense fp8, 1/s."""
        return self.flops if self.name == "a100" else 2 * self.flops


GPUS = {
    gpu.name: gpu
    for gpu in (
        Gpu("a100", 79.2, 2.039e12, 312e12, 300e9, 10e-6, 400, 60, 1.8),
        Gpu("h100", 79.2, 3.35e12, 989e12, 450e9, 8e-6, 700, 75, 3.0),
        Gpu("h200", 139.8, 4.8e12, 989e12, 450e9, 8e-6, 700, 80, 3.8),
        Gpu("b200", 178.4, 8.0e12, 2250e12, 900e9, 8e-6, 1000, 140, 5.0),
        Gpu("l40s", 44.4, 0.864e12, 362e12, 32e9, 15e-6, 350, 35, 0.9),
        Gpu("rtx-4090", 23.5, 1.008e12, 165.2e12, 32e9, 15e-6, 450, 25, 0.7),
        Gpu("rtx-pro-6000", 94.97, 1.792e12, 503.8e12, 64e9, 12e-6, 600, 30, 1.8),
        Gpu("mi300x", 191.9, 5.3e12, 1307.4e12, 448e9, 12e-6, 750, 140, 2.5),
    )
}


def gpu_named(name: str) -> Gpu:
    """The GPU of that name; ``rtx_4090``, ``RTX4090`` and ``rtx-4090`` are one."""
    wanted = name.lower().replace("-", "").replace("_", "")
    for known, gpu in GPUS.items():
        if known.replace("-", "") == wanted:
            return gpu
    raise InputError(f"--gpu: unknown GPU {name!r}; known: {', '.join(GPUS)}")
