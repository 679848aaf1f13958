"""What may be asked of `aiplan perf`: the scenario, section by section."""

from typing import Annotated

from pydantic import Field

from aiplan.inputs.fields import FileBeside, NonNegative, Positive, Section, Text, quantity
from aiplan.inputs.scenario import Header

Degree = Annotated[int, Field(ge=1, le=10_000)]
Gpus = Annotated[int, Field(ge=1, le=100_000)]
Prompt = quantity(sane=(0.0, 1e8))
Answer = quantity(above=0.0, sane=(1.0, 1e8))
InFlight = quantity(above=0.0, sane=(1e-3, 1e7))
Pue = quantity(above=0.0, sane=(1.0, 10.0))
Busy = quantity(0.0, 1.0, above=0.0)


class Deployment(Section):
    """Which model on which accelerators, spread and stored how."""

    model: Text | None = None
    """Model of the catalog; may be absent where ``config`` describes one."""
    config: FileBeside | None = None
    """``config.json`` of a model, as published beside its weights; stands in for ``model``. In a scenario file, a file
    in its folder; on the command line, any."""
    hardware: Text | None = None
    """Accelerator of the catalog; that of ``server`` where absent."""
    server: Text | None = None
    """Server of the catalog; where absent, the first with the accelerator."""
    n_gpus: Gpus | None = None
    """Accelerators of all copies; where absent, those of the layout, else of the server named, else one."""
    copies: Gpus | None = None
    """Copies of the model side by side; where no layout is stated, as many as ``n_gpus`` has room for."""
    tp: Degree | None = None
    """Tensor parallel; where no layout is stated, the fewest on which the weights leave room for a cache."""
    pp: Degree | None = None
    """Pipeline parallel; what the other degrees leave of ``n_gpus`` where absent (models without experts)."""
    dp: Degree | None = None
    """Attention data parallel; what the other degrees leave of ``n_gpus`` where absent (models with experts)."""
    ep: Degree | None = None
    """Expert parallel; divides the experts among GPUs already counted. 1 where absent."""
    precision: Text | None = None
    """Number format of the weights; the model's own where absent."""
    kv_precision: Text | None = None
    """Number format of the KV cache; where absent, FP8 for weights of 8 bit and NVFP4, else 16 bit."""
    engine: Text = "vllm"
    """Serving engine, with its version where it matters: ``vllm``, ``tensorrt-llm 1.0``, ``sglang``."""
    memory_fraction: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """The engine's memory fraction, each engine's own meaning; its default where absent."""


class Load(Section):
    """What is asked of the deployment."""

    input_tokens: Prompt  # type: ignore[valid-type]
    """Prompt tokens of a request, mean."""
    output_tokens: Answer  # type: ignore[valid-type]
    """Answer tokens of a request, mean."""
    concurrency: InFlight | None = None  # type: ignore[valid-type]
    """Requests in flight over all copies; absent: a queue that never empties."""
    speculative: bool = False
    """Whether tokens are drafted ahead and verified (multi-token prediction)."""
    rounds: Annotated[float, Field(ge=1.0, le=1e6)] = 10.0
    """Requests each user sends in the benchmark whose TTFT is quoted: all users start at once."""


class Slo(Section):
    """What users are promised."""

    ttft_s: Positive | None = None
    """Longest time to first token in steady state."""
    tpot_s: Positive | None = None
    """Longest time per output token."""


class Power(Section):
    """What draws power beside the accelerators."""

    host_power_w: NonNegative | None = None
    """Server power without accelerators; the catalog's where absent."""
    cap_w: Positive | None = None
    """Most that each accelerator may draw; its own limit where absent."""


class Facility(Section):
    """Where the servers stand and how busy they are."""

    operator: Text | None = None
    """Operator of the catalog, for its PUE."""
    pue: Pue | None = None  # type: ignore[valid-type]
    """Power usage effectiveness; wins over the operator's."""
    busy_fraction: Busy | None = None  # type: ignore[valid-type]
    """Share of the time the deployment answers at this load; it idles for the rest, which the tokens pay for. 1 where
    absent."""


class Price(Section):
    """What an accelerator costs."""

    gpu_usd_per_h: NonNegative | None = None
    """Per accelerator and hour; where absent the catalog's, of a specialised cloud before a hyperscaler."""


class PerfInputs(Section):
    """A scenario of `aiplan perf`."""

    scenario: Header
    deployment: Deployment
    load: Load
    slo: Slo = Slo()
    power: Power = Power()
    facility: Facility
    price: Price = Price()
