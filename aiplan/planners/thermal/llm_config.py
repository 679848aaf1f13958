"""One configuration of a SaaS server: what it serves, draws, and how hot its busiest GPU grows."""

from dataclasses import dataclass

from aiplan.planners.thermal.hall import Hall

DECODE_EXPONENT = 0.3
"""Speed of decode goes with the clock to this power; prefill goes with the clock. Assumed."""


@dataclass(frozen=True, slots=True)
class LlmConfig:
    """One configuration of a server at its full load.

    Attributes
    ----------
    name, model, precision : what runs
    tp, gpus : tensor parallelism, and GPUs that work; the others idle
    frequency_share : clock over the highest
    batch : sequences at once
    tokens_per_s, ttft_ms, tpot_ms : throughput and latencies
    server_w, gpu_w : power of the server, and of its busiest GPU
    quality : index, 1 for the full model
    source : where times and power come from
    """

    name: str
    model: str
    precision: str
    tp: int
    gpus: int
    frequency_share: float
    batch: int
    tokens_per_s: float
    ttft_ms: float
    tpot_ms: float
    server_w: float
    gpu_w: float
    quality: float
    source: str


def server_power_w(hall: Hall, gpus: int, working: int, gpu_w: float) -> float:
    """Power of a server whose working GPUs draw `gpu_w` each: its dynamic power follows that of its GPUs [W].

    >>> from aiplan.planners.thermal.hall import equal_hall
    >>> hall = equal_hall(1, 1, 1, 1.0, 1.0)
    >>> (server_power_w(hall, 8, 8, 400.0), server_power_w(hall, 8, 0, 400.0))
    (6500.0, 1600.0)
    """
    most = gpus * (hall.gpu_tdp_w - hall.gpu_idle_w)
    return float(hall.idle_w + hall.dynamic_w * min(working * (gpu_w - hall.gpu_idle_w) / most, 1.0))


def hottest_of(hall: Hall, config: LlmConfig, inlet_c: float) -> float:
    """Busiest GPU of a configuration in a slot without offsets [C]."""
    return float(hall.inlet_coefficient * inlet_c + hall.power_coefficient * config.gpu_w + hall.intercept_c)
