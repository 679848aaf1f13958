"""What may be asked of `aiplan size`: the scenario, section by section."""

from typing import Annotated, Literal

from pydantic import Field

from aiplan.inputs.fields import Id, NonNegative, Positive, Section, Text, quantity
from aiplan.inputs.scenario import Header, Uncertainty

Names = Annotated[tuple[Text, ...], Field(strict=False, min_length=1, max_length=100)]
Pue = quantity(above=0.0, sane=(1.0, 10.0))
Tokens = quantity(1.0, 1e7)
Rate = quantity(1e-6, 1e6)
Variation = quantity(0.0, 1000.0)
Degree = Annotated[int, Field(ge=1, le=1024)]


class Workload(Section):
    """The load at the hour that counts."""

    requests_per_s: Rate  # type: ignore[valid-type]
    """Requests that arrive per second, over all replicas."""
    input_tokens: Tokens  # type: ignore[valid-type]
    """Prompt tokens of a request, mean."""
    output_tokens: Tokens  # type: ignore[valid-type]
    """Answer tokens of a request, mean."""
    arrival_cv2: Variation  # type: ignore[valid-type]
    """Squared coefficient of variation of the times between requests: 1 is Poisson, more is burstier."""
    service_cv2: Variation  # type: ignore[valid-type]
    """Squared coefficient of variation of the time a request is served: 0 for equal answers, 1 for exponential."""


class Slo(Section):
    """What every user is promised."""

    ttft_s: Positive
    """Longest time to the first token, wait included."""
    tpot_s: Positive
    """Longest time per output token."""
    wait: Literal["mean", "p99"] = "p99"
    """Wait for a batch slot that counts to TTFT: its mean, or what one request in a hundred exceeds."""


class Serving(Section):
    """What is served, and how it may be laid out."""

    model: Text
    """Model of the catalog."""
    engine: Text
    """Serving engine: vllm, tensorrt-llm or sglang."""
    precisions: Names
    """Formats of the weights to try."""
    kv_precision: Text | None = None
    """Format of the cache; what recipes for the weights' format do where absent."""
    tensor_parallel: Annotated[tuple[Degree, ...], Field(strict=False, max_length=20)] = ()
    """Tensor-parallel degrees to try; every power of two where empty."""
    gpus_per_replica_max: Annotated[int, Field(ge=1, le=4096)] | None = None
    """Largest replica; one server where absent, or as many as the model needs."""
    batch_max: Annotated[int, Field(ge=1, le=65_536)] = 2048
    """Most sequences an engine schedules at once, per attention data-parallel rank."""
    shared_queue: bool = True
    """Whether a router holds requests until any replica has a slot; else each is sent to a replica by chance."""


class Hardware(Section):
    """What can be had, and in what portions."""

    servers: Names
    """Servers of the catalog to try; "all" for every one."""
    whole_servers: bool = False
    """Pay for whole servers, or for the accelerators of each replica."""


class Size(Section):
    """What is best, and how much is kept in reserve."""

    objective: Literal["gpus", "usd", "power"] = "gpus"
    """What is made least; the next in the list decides between equals."""
    utilisation_fraction: quantity(0.01, 1.0)  # type: ignore[valid-type]
    """Most of the fleet's throughput that the load may take: the headroom is the rest."""


class Failures(Section):
    """Spare replicas for failed machines."""

    spares: bool = True
    """Whether spares are added."""
    accelerator_mttf_h: Positive
    """Mean time between failures of one accelerator with its share of the server."""
    mttr_h: NonNegative
    """Time until what failed serves again."""
    availability_fraction: quantity(0.0, 0.9999999)  # type: ignore[valid-type]
    """Share of time in which enough replicas must work."""


class Cost(Section):
    """What an hour costs."""

    basis: Literal["neocloud", "hyperscaler", "rental_3y", "server"] = "neocloud"
    """Price per accelerator-hour of the catalog, or the server's price spread over its life, and its electricity."""
    lifetime_years: Positive
    """Years a server is written off over (basis server)."""
    electricity_usd_per_kwh: NonNegative
    """Price of electricity (basis server)."""


class Facility(Section):
    """Where the servers stand."""

    operator: Id | None = None
    """Operator of the catalog that states a PUE."""
    pue: Pue | None = None  # type: ignore[valid-type]
    """Power usage effectiveness: facility over IT power. Wins over the operator's."""


class SizeInputs(Section):
    """A scenario of `aiplan size`."""

    scenario: Header
    uncertainty: Uncertainty = Uncertainty()
    workload: Workload
    slo: Slo
    serving: Serving
    hardware: Hardware
    size: Size
    failures: Failures
    cost: Cost
    facility: Facility


__all__ = ["SizeInputs"]
