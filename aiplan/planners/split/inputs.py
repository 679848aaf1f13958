"""What may be asked of `aiplan split`: the scenario, section by section."""

from typing import Annotated, Literal

from pydantic import Field

from aiplan.inputs.fields import FileName, Id, NonNegative, Positive, Section, Text, quantity
from aiplan.inputs.scenario import Header, Uncertainty
from aiplan.planners.size.inputs import Failures

Names = Annotated[tuple[Text, ...], Field(strict=False, max_length=20)]
Degree = Annotated[int, Field(ge=1, le=1024)]
Cap = Annotated[float, Field(ge=1.0, le=1e5)]
Factor = Annotated[float, Field(ge=0.0, le=1e9)]
Tokens = quantity(1.0, 1e7)
Rate = quantity(1e-3, 1e6)


class Workload(Section):
    """The requests: a trace, or when they come and how long they are."""

    trace: FileName | None = None
    """Trace file, or the name of a shipped one; lengths and times come from it."""
    requests_per_s: Rate | None = None  # type: ignore[valid-type]
    """Mean rate; of a trace, its own where absent."""
    statistics: Id | None = None
    """Lengths by a workload of the catalog."""
    input_tokens: Tokens | None = None  # type: ignore[valid-type]
    """Prompt tokens of a request; a distribution is their spread between requests."""
    output_tokens: Tokens | None = None  # type: ignore[valid-type]
    """Answer tokens of a request; a distribution is their spread between requests."""
    arrival_cv2: quantity(0.0, 1000.0) | None = None  # type: ignore[valid-type]
    """Squared coefficient of variation of the times between requests; 1, Poisson, where absent."""
    peak_to_mean: quantity(1.0, 2.0) | None = None  # type: ignore[valid-type]
    """Rate of the busiest hour over the day's mean, which requests_per_s then is; the cluster is built for the peak."""
    hourly_factors: Annotated[tuple[Factor, ...], Field(strict=False, max_length=24)] = ()
    """Instead, the rate of each of 24 hours in any unit, from midnight on; only their ratios count."""
    cache_hit_fraction: quantity(0.0, 0.999) | None = None  # type: ignore[valid-type]
    """Share of every prompt that a prefix cache answers."""
    duration_s: Annotated[float, Field(ge=1.0, le=1e6)] = 120.0
    """Length of a replay."""


class Slo(Section):
    """What is promised, in seconds; a percentile without a limit is promised nothing."""

    ttft_p50_s: Positive | None = None
    """Time to first token that half of the requests stay below."""
    ttft_p90_s: Positive | None = None
    """Time to first token that 90 % stay below."""
    ttft_p99_s: Positive | None = None
    """Time to first token that 99 % stay below."""
    tbt_p50_s: Positive | None = None
    """Mean time between the tokens of a request that half of the requests stay below."""
    tbt_p90_s: Positive | None = None
    """Mean time between tokens that 90 % stay below."""
    tbt_p99_s: Positive | None = None
    """Mean time between tokens that 99 % stay below."""
    e2e_p50_s: Positive | None = None
    """Time to last token that half of the requests stay below."""
    e2e_p90_s: Positive | None = None
    """Time to last token that 90 % stay below."""
    e2e_p99_s: Positive | None = None
    """Time to last token that 99 % stay below."""


class Slowdown(Section):
    """What is promised as slowdown against the same request alone on a reference machine."""

    reference: Text
    """Machine that slowdowns are against."""
    ttft_p50: Positive | None = None
    """Slowdown of TTFT that half of the requests stay below."""
    ttft_p90: Positive | None = None
    """Slowdown of TTFT that 90 % stay below."""
    ttft_p99: Positive | None = None
    """Slowdown of TTFT that 99 % stay below."""
    tbt_p50: Positive | None = None
    """Slowdown of TBT that half of the requests stay below."""
    tbt_p90: Positive | None = None
    """Slowdown of TBT that 90 % stay below."""
    tbt_p99: Positive | None = None
    """Slowdown of TBT that 99 % stay below."""
    e2e_p50: Positive | None = None
    """Slowdown of E2E that half of the requests stay below."""
    e2e_p90: Positive | None = None
    """Slowdown of E2E that 90 % stay below."""
    e2e_p99: Positive | None = None
    """Slowdown of E2E that 99 % stay below."""


class Serving(Section):
    """What is served, and where its times come from."""

    profile: Text | None = None
    """Measured times of a model on machines, from the catalog."""
    model: Text | None = None
    """Instead, a model of the catalog, timed by the serving model."""
    decode_model: Literal["measured", "roofline", "simcompat"] = "measured"
    """How the times of a profile are read; see docs/split.md."""
    engine: Text = "vllm"
    """Serving engine of a model: vllm, tensorrt-llm or sglang."""
    precision: Text = "bf16"
    """Format of a model's weights."""
    kv_precision: Text | None = None
    """Format of its cache; what recipes for the weights' format do where absent."""


class Hardware(Section):
    """What clusters may be built from: machines of the profile, or servers of the catalog."""

    prompt: Names = ()
    """Machines for prompts."""
    token: Names = ()
    """Machines for tokens."""
    mixed: Names = ()
    """Machines for both, to compare with."""
    tensor_parallel: Annotated[tuple[Degree, ...], Field(strict=False, max_length=10)] = ()
    """Tensor-parallel degrees to try on servers; the whole server where empty."""
    prompt_caps_w: Annotated[tuple[Cap, ...], Field(strict=False, max_length=10)] = ()
    """Power caps per accelerator to try on prompt machines, beside none."""
    token_caps_w: Annotated[tuple[Cap, ...], Field(strict=False, max_length=10)] = ()
    """Power caps per accelerator to try on token machines, beside none."""


class Transfer(Section):
    """How caches move from prompt to token machines."""

    layer_wise: bool = True
    """Layers leave while later ones are computed; else the cache leaves when the prompt is done."""
    sync_s: NonNegative | None = None
    """What a layer-wise transfer costs however short it is."""


class Split(Section):
    """What is best, and how it is searched."""

    objective: Literal["usd", "power", "machines", "rate"] = "usd"
    """What is made least; ``rate``: the most requests within the budget."""
    budget_usd_per_h: Positive | None = None
    """Most that the cluster may cost."""
    budget_kw: Positive | None = None
    """Most power that may be set aside for it, facility without."""
    budget_machines: Annotated[int, Field(ge=2, le=100_000)] | None = None
    """Most machines."""
    utilisation_fraction: quantity(0.05, 0.95) | None = None  # type: ignore[valid-type]
    """Most of their time that prompt machines may be busy; above 0.85 waits grow faster than is predicted well."""
    finalists: Annotated[int, Field(ge=1, le=50)] = 4
    """Designs that are verified by replay."""
    seeds: Annotated[int, Field(ge=1, le=100)] = 3
    """Replays of each, every one with other requests; a design must keep all promises in all of them."""


class Cost(Section):
    """What an hour costs."""

    basis: Literal["profile", "neocloud", "hyperscaler", "rental_3y"] = "neocloud"
    """Rent of the profile's machines, or the catalog's price per accelerator-hour."""


class Facility(Section):
    """Where the machines stand."""

    pue: quantity(above=0.0, sane=(1.0, 10.0))  # type: ignore[valid-type]
    """Power usage effectiveness: facility over IT power."""


class TokenRates(Section):
    """Pools known by their token rates alone: no queue, no percentiles, a balance of flows."""

    input_tokens_per_day: Positive
    """Prompt tokens of a day, those a cache answers counted."""
    output_tokens_per_day: Positive
    """Answer tokens of a day."""
    input_tokens_per_s: Positive
    """Prompt tokens per second of one prompt machine."""
    output_tokens_per_s: Positive
    """Answer tokens per second of one token machine."""
    counts_cache_hits: bool = True
    """Whether the prompt machine's rate counts tokens that a cache answers."""
    cache_hit_fraction: quantity(0.0, 0.999) | None = None  # type: ignore[valid-type]
    """Share of prompt tokens that a cache answers; read where the rate does not count them."""
    accelerator_count: Annotated[int, Field(ge=1, le=10_000)] = 8
    """Accelerators of one machine."""
    accelerator_usd_per_h: Positive
    """Rent of one accelerator."""
    machine_w: Positive | None = None
    """Power of one machine."""
    prompt_unit_machines: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Machines that form one prompt unit, as with wide expert parallelism; counts are whole units of it."""
    token_unit_machines: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Machines that form one token unit."""


class SplitInputs(Section):
    """A scenario of `aiplan split`."""

    scenario: Header
    uncertainty: Uncertainty = Uncertainty()
    workload: Workload = Workload()
    slo: Slo = Slo()
    slowdown: Slowdown | None = None
    serving: Serving = Serving()
    hardware: Hardware = Hardware()
    transfer: Transfer = Transfer()
    split: Split = Split()
    failures: Failures | None = None
    cost: Cost = Cost()
    facility: Facility | None = None
    token_rates: TokenRates | None = None


__all__ = ["SplitInputs"]
