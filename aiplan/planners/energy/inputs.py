"""What may be asked of `aiplan energy`: the scenario, section by section."""

from typing import Annotated, Literal

from pydantic import Field

from aiplan.inputs.fields import Fraction, Id, NonNegative, Positive, Section, Text, quantity
from aiplan.inputs.quantity import Quantity
from aiplan.inputs.scenario import Header, Uncertainty

Ids = Annotated[tuple[Id, ...], Field(strict=False, min_length=1, max_length=100)]
Boundary = Literal["accelerator", "server", "server+idle", "facility"]
Regime = Literal["short", "long"]
Multiplier = quantity(above=0.0, sane=(1.0, 1e6))
Pue = quantity(above=0.0, sane=(1.0, 10.0))


class Workload(Section):
    """Who asks what: token lengths and how often."""

    input_tokens: NonNegative
    """Prompt tokens of a query."""
    output_tokens: NonNegative
    """Answer tokens of a short query."""
    long_output_tokens: NonNegative
    """Answer tokens of a long query (test-time scaling: reasoning, agents)."""
    long_input_tokens: NonNegative | None = None
    """Prompt tokens of a long query; those of a short one where absent."""
    whole_tokens: bool = False
    """Round drawn answer lengths to whole tokens, as the paper's scripts do."""
    least_output_tokens: Annotated[int, Field(ge=0, le=1_000_000)] = 1
    """Shortest answer that can be drawn."""
    queries_per_day: Positive
    """Queries the fleet answers in a day."""
    long_share: Fraction
    """Share of long queries in the mixed case."""


class Serving(Section):
    """Which models on which servers, and by which law their time is computed."""

    server: Text
    """Server of the catalog."""
    models: Annotated[tuple[Text, ...], Field(strict=False, min_length=1, max_length=100)]
    """Models of the catalog, in the order of the tables."""
    law: Literal["physical", "loglinear"] = "physical"
    """Node-seconds from lengths: three non-negative costs, or the paper's capped log-linear regression."""
    profiles: dict[Text, Text] = Field(default_factory=dict)
    """Throughput table to use for a model; the best match of the catalog where absent."""
    production_fraction: quantity(0.0, 1.0, above=0.0) | None = None  # type: ignore[valid-type]
    """Throughput in production over the offline maximum of the published tables."""
    law_error: bool = True
    """Sample the leave-one-out error of the throughput law."""
    input_token_weight: NonNegative | None = None
    """Prompt tokens counted as this many answer tokens each (the paper's sensitivity option, law loglinear)."""


class Power(Section):
    """Watts of a server while it answers, and while it waits."""

    mode: Literal["component", "fraction", "load"] = "component"
    """Accelerators plus host; a given share of the rating; or the paper's share of the rating that rises with load."""
    rated_power_w: Positive | None = None
    """Rated power of the server; the catalog's where absent."""
    rated_power_by_model_w: dict[Text, Positive] = Field(default_factory=dict)
    """Rated power of the server that answers for one model, where it differs."""
    rated_power_fraction: quantity(sane=(0.0, 3.0)) | None = None  # type: ignore[valid-type]
    """Server power over its rating (mode fraction)."""
    tdp_fraction: quantity(0.0, 1.5) | None = None  # type: ignore[valid-type]
    """Accelerator power over its TDP (mode component); measured value of the catalog where absent."""
    host_power_w: NonNegative | None = None
    """Server power without accelerators; the catalog's where absent."""
    idle_power_fraction: Fraction | None = None
    """Server power at no load over its rating; the catalog's where absent."""
    busy_fraction: quantity(0.0, 1.0, above=0.0)  # type: ignore[valid-type]
    """Share of the time provisioned servers answer; the rest they idle and the queries pay for it."""


class Facility(Section):
    """Where the servers stand. A number given here wins over the operator, grid or site it would come from."""

    operator: Text | None = None
    """Operator of the catalog: PUE and on-site water."""
    site: Text | None = None
    """Site of the catalog: carbon and off-site water."""
    grid: Text | None = None
    """Grid of the catalog: carbon and off-site water."""
    pue: Pue | None = None  # type: ignore[valid-type]
    """Power usage effectiveness: facility over IT energy."""
    wue_l_per_kwh: NonNegative | None = None
    """On-site water per IT energy."""
    offsite_water_l_per_kwh: NonNegative | None = None
    """Water consumed by generation per facility energy."""
    carbon_g_per_kwh: NonNegative | None = None
    """Location-based carbon intensity."""
    market_carbon_g_per_kwh: NonNegative | None = None
    """Market-based carbon intensity, after contracts."""


class Embodied(Section):
    """Carbon of making the servers, spread over what they answer."""

    lifetime_years: Positive
    """Years a server serves."""
    utilisation_fraction: quantity(0.0, 1.0, above=0.0) | None = None  # type: ignore[valid-type]
    """Share of its life a server answers; the busy fraction where absent."""
    host_kg: NonNegative | None = None
    """kg CO2e of a server without accelerators; the catalog's where absent."""
    accelerator_kg: NonNegative | None = None
    """kg CO2e of one accelerator; the catalog's where absent."""


class Blend(Section):
    """A named mixture of models, quoted as one query."""

    name: Text
    """What the blend stands for."""
    weights: dict[Text, NonNegative]
    """Share of each model, in any unit."""


class Energy(Section):
    """What is quoted, and how."""

    boundary: Boundary = "facility"
    """What the energy includes."""
    trim: Literal["none", "two-stage"] = "none"
    """Quote all draws, or those left after the paper's two-stage trimming. Means of fleets are never trimmed."""
    blend: Blend
    """The models behind the headline."""


class Lever(Section):
    """An efficiency gain: each draw of the energy is divided by the multiplier."""

    label: Text = ""
    multiplier: Multiplier  # type: ignore[valid-type]
    """How many times less energy."""
    applies_to: Annotated[tuple[Regime, ...], Field(strict=False, min_length=1)] = ("short", "long")
    combined: bool = True
    """Whether the lever is part of the combined figure."""


class Levers(Section):
    """Efficiency levers, alone and together."""

    overlap_exponent: quantity(0.0, 1.0)  # type: ignore[valid-type]
    """Exponent eta on the product of the levers: 1 says that they are independent, less that they overlap."""
    gain: dict[Id, Lever] = Field(default_factory=dict)
    """Levers by name."""


class Fleet(Section):
    """From queries to GWh per day."""

    case: Literal["base", "mixed", "base_improved", "mixed_improved"] = "mixed"
    """Case quoted as the fleet's energy."""
    overhead: dict[Id, Multiplier] = Field(default_factory=dict)  # type: ignore[valid-type]
    """Factors on the fleet's energy beside serving."""
    improved_short_multiplier: Multiplier  # type: ignore[valid-type]
    """Gain of an improved fleet on short queries."""
    improved_long_multiplier: Multiplier  # type: ignore[valid-type]
    """Gain of an improved fleet on long queries."""


class EnergyInputs(Section):
    """A scenario of `aiplan energy`."""

    scenario: Header
    uncertainty: Uncertainty = Uncertainty()
    workload: Workload
    serving: Serving
    power: Power
    facility: Facility
    energy: Energy
    levers: Levers | None = None
    fleet: Fleet | None = None
    embodied: Embodied | None = None


__all__ = ["EnergyInputs", "Quantity"]
