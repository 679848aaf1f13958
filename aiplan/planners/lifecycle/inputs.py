"""What may be asked of `aiplan tco` and `aiplan refresh`: the scenario, section by section."""

from typing import Annotated, Literal

from pydantic import Field

from aiplan.inputs.fields import FileName, Fraction, Id, NonNegative, Positive, Section, Text, quantity
from aiplan.inputs.scenario import Header, Uncertainty
from aiplan.planners.lifecycle.world import Accounting, Booking

Rate = quantity(above=-1.0, high=10.0)
Change = quantity(above=-0.9, high=10.0)
Pue = quantity(above=0.0, sane=(1.0, 10.0))
Names = Annotated[tuple[Id, ...], Field(strict=False, min_length=1, max_length=40)]
Years = Annotated[float, Field(gt=0.0, le=100.0)]
Whole = Annotated[int, Field(ge=0, le=100)]


class Horizon(Section):
    """The years that are planned."""

    start_year: Annotated[float, Field(ge=2000.0, le=2100.0)]
    """Calendar year of the start."""
    years: Annotated[float, Field(ge=1.0, le=60.0)]
    """Length of the study."""
    step_years: Annotated[float, Field(ge=0.25, le=1.0)] = 1.0
    """Length of a period: a year, half a year or a quarter."""


class Account(Section):
    """How the money is counted; the other two ways are printed beside it."""

    mode: Accounting
    """``paper``: undiscounted, as published; ``book``: book value at the end; ``finance``: present value."""
    discount_fraction: quantity(0.0, 10.0)  # type: ignore[valid-type]
    """Nominal discount rate per year; counts in ``finance`` alone."""
    booking: Booking = "mid"
    """When costs of operation are booked in their period; what is bought is paid at its start."""
    book_years: Years
    """Straight-line life of servers in the books."""
    residual: Id
    """Curve of resale value: an entry of kind ``costs``."""
    resale_fraction: Fraction
    """What the channel of sale leaves of market value."""
    tax_fraction: Fraction
    """Tax on profit; 0 leaves taxes out."""
    tax_schedule: Literal["macrs-3", "macrs-5", "macrs-7", "straight-5"] = "macrs-5"
    """Depreciation of servers for tax."""


class Break(Section):
    """A structural break, beside the trend."""

    kind: Literal["demand", "model", "capability", "price"]
    """Demand jumps and stays; models need less work; new hardware gets faster, or cheaper."""
    after_years: quantity(0.0, 100.0)  # type: ignore[valid-type]
    """Years after the start."""
    factor: Positive
    """What demand, work, speed or price is multiplied by."""
    slope_per_year: Change | None = None  # type: ignore[valid-type]
    """How speed or price goes on from there; 0 where absent."""


class Demand(Section):
    """What is served."""

    model: Text
    """Model of the catalog that requests ask at the start."""
    input_tokens: quantity(1.0, 1e7)  # type: ignore[valid-type]
    """Prompt tokens of a request, mean."""
    output_tokens: quantity(1.0, 1e7)  # type: ignore[valid-type]
    """Answer tokens of a request, mean."""
    requests_per_s: Positive | None = None
    """Requests at the peak hour of the first period; as many as ``site.most_w`` carries where absent."""
    growth_fraction: Change  # type: ignore[valid-type]
    """Growth of requests per year."""
    model_growth_fraction: quantity(above=-0.9, high=10_000.0)  # type: ignore[valid-type]
    """Growth of the work of a request per year, as models grow; of the first year's where linear."""
    model_growth: Literal["linear", "exponential", "sub-linear"] = "linear"
    """Form of that growth."""
    efficiency_fraction: Change  # type: ignore[valid-type]
    """Requests a machine answers with better software: gain per year."""
    input_growth_fraction: Change  # type: ignore[valid-type]
    """Growth of prompts per year."""
    output_growth_fraction: Change  # type: ignore[valid-type]
    """Growth of answers per year."""
    load_fraction: quantity(0.01, 1.0)  # type: ignore[valid-type]
    """Mean over peak demand of a year."""
    utilisation_fraction: Annotated[float, Field(gt=0.0, le=1.0)]
    """Share of a server's rate that the peak may take."""
    reserve_fraction: Annotated[float, Field(ge=0.0, le=10.0)] = 0.0
    """Capacity kept over the demand."""
    ttft_s: Positive
    """Longest time to the first token."""
    tbt_s: Positive
    """Longest time between tokens."""


class Roadmap(Section):
    """Servers that can be bought, and how they go on."""

    servers: Names
    """Servers of the catalog, in the order of their release."""
    trend: Literal["exponential", "linear", "none"] = "exponential"
    """Form in which generations follow the last one; none stops there."""
    interval_years: quantity(0.25, 20.0)  # type: ignore[valid-type]
    """Time between two generations."""
    end_year: Annotated[float, Field(ge=2000.0, le=2200.0)] = 2040.0
    """No generation is released after it."""
    flops_fraction: Change | None = None  # type: ignore[valid-type]
    """Growth of arithmetic rate per server and year; fitted to the servers above where absent."""
    bandwidth_fraction: Change | None = None  # type: ignore[valid-type]
    """Growth of memory bandwidth; fitted where absent."""
    memory_fraction: Change | None = None  # type: ignore[valid-type]
    """Growth of memory; fitted where absent."""
    power_fraction: Change | None = None  # type: ignore[valid-type]
    """Growth of rated power; fitted where absent."""
    price_fraction: Change | None = None  # type: ignore[valid-type]
    """Growth of price; fitted where absent."""
    gain_factor: Positive | None = None
    """What each projected generation's speed is multiplied by, drawn anew for each; 1 where absent."""
    price_factor: Positive | None = None
    """The same for its price."""
    released_year: dict[Id, Annotated[float, Field(ge=2000.0, le=2200.0)]] = Field(default={}, max_length=40)
    """Calendar years of announcement by server, in place of the catalog's days."""
    price_usd: dict[Id, Positive] = Field(default={}, max_length=40)
    """Prices by server, in place of the catalog's."""
    price_change_fraction: Change  # type: ignore[valid-type]
    """Change of a generation's price per year while it is sold."""
    delay_years: quantity(0.0, 10.0)  # type: ignore[valid-type]
    """Time from announcement to purchase in volume."""
    sale_years: quantity(0.25, 40.0)  # type: ignore[valid-type]
    """Time for which a generation is sold."""
    life_years: Years
    """Longest service of a server."""


class Place(Section):
    """Where it stands, and what may be built."""

    place: Id | None = None
    """Site of the catalog: its weather, prices and carbon."""
    power: Names
    """Ways to pool power: entries of kind ``costs``."""
    cooling: Names
    """Ways to cool: entries of kind ``costs``."""
    network: Names
    """Networks: entries of kind ``costs``."""
    building: Id
    """What land and shell cost: an entry of kind ``costs``."""
    domain_w: dict[Id, Positive] = Field(default={}, max_length=40)
    """Size of a power domain by way to pool, in place of the entry's."""
    land_acre_per_mw: NonNegative
    """Land per megawatt of IT."""
    hall_life_years: Years
    """Life of a hall."""
    hall_maintenance_fraction: Fraction | None = None
    """Maintenance of building and plants per year, over their cost; 0 where absent."""
    lead_years: Annotated[float, Field(ge=0.0, le=20.0)]
    """Time from paying for a hall to its first server."""
    most_w: Positive | None = None
    """IT power that may be built; no limit where absent."""
    most_racks_count: Positive | None = None
    """Servers that may stand, a rack sold as one counting as one; no limit where absent."""
    standing_w: NonNegative | None = None
    """IT power of halls that stand and are paid for; 0 where absent."""
    pue: dict[Id, Pue] = Field(default={}, max_length=40)  # type: ignore[valid-type]
    """PUE by way to cool, in place of what weather and equipment give."""
    pue_added_ratio: quantity(-0.5, 0.5) | None = None  # type: ignore[valid-type]
    """What is added to every PUE, such as a normal error of it; no PUE falls below 1.02."""
    stabilized: FileName | None = None
    """JSON report of `aiplan stabilize`: its storage, energy and time are added to what the site costs and does."""
    stabilized_share_fraction: Fraction | None = None
    """Share of the site that the job of that report takes; all of it where absent."""


class Market(Section):
    """What is paid for power, water, carbon and rent."""

    energy_usd_per_kwh: NonNegative | None = None
    """Price of electricity; the place's where absent."""
    energy_file: FileName | None = None
    """CSV of a year's prices by hour, and the load they are paid at, in place of it."""
    escalation_fraction: Rate  # type: ignore[valid-type]
    """Rise of prices of electricity, demand and water per year."""
    tariff: Id | None = None
    """Demand charge: an entry of kind ``costs``; none where absent."""
    billed: Literal["drawn", "rated"] = "drawn"
    """Whether the peak that is billed is what servers draw or their rating."""
    water_usd_per_m3: NonNegative
    """Price of water."""
    carbon_usd_per_t: NonNegative
    """Price of carbon."""
    carbon_g_per_kwh: NonNegative | None = None
    """Carbon of electricity; the place's where absent."""
    rent_usd_per_h: Positive | None = None
    """Rent of an accelerator of ``rent_server`` per hour; nothing can be rented where absent."""
    rent_change_fraction: Rate | None = None  # type: ignore[valid-type]
    """Change of that rent per year; none where absent."""
    rent_server: Text | None = None
    """Server of the catalog that is rented."""
    budget_usd_per_year: Positive | None = None
    """Most that may be spent on capital in a year; no limit where absent."""


class Upkeep(Section):
    """What machines cost while they stand, and how they fail."""

    costs: Id
    """Maintenance, software and staff: an entry of kind ``costs``."""
    ageing_fraction: NonNegative
    """Rise of maintenance per year of age."""
    extended_years: Years
    """Age from which a server's service counts as extended."""
    extended_factor: Positive
    """What maintenance is multiplied by from that age on."""
    failure_fraction: quantity(0.0, 0.99)  # type: ignore[valid-type]
    """Servers that fail for good per year."""
    failed: Literal["shrink", "spares"] = "shrink"
    """What fails is gone, or is replaced at the price once paid."""
    decommission_usd: NonNegative | None = None
    """Taking a server out and disposing of it, per server of eight accelerators; 0 where absent."""
    interruptions_per_year: NonNegative | None = None
    """Interruptions of one accelerator that a restart mends; none where absent."""
    interruption_h: NonNegative | None = None
    """Hours that one costs the replica it falls on."""


class Lever(Section):
    """A way to run the fleet; what is absent stays as the baseline has it."""

    precision: Text | None = None
    """Format of the weights."""
    kv_precision: Text | None = None
    """Format of the cache."""
    batch_max: Annotated[int, Field(ge=1, le=65_536)] | None = None
    """Most sequences of a batch per replica."""
    pools: bool | None = None
    """Whether prefill and decode have servers of their own."""
    placement: Literal["uniform", "aware"] | None = None
    """All servers loaded alike, or each with the work it is best at."""
    cap_fraction: quantity(0.3, 1.0) | None = None  # type: ignore[valid-type]
    """Power cap of an accelerator over its TDP."""
    oversubscribed: bool | None = None
    """Whether servers are placed by the percentile of their summed power in place of their ratings."""
    model: Text | None = None
    """Model that takes a share of the requests."""
    model_share_fraction: Fraction | None = None
    """That share."""
    alone: bool = False
    """Compared by itself only: no part of all levers together."""


class Operation(Lever):
    """How the fleet is run at the start."""

    engine: Text
    """Serving engine."""
    precision: Text
    """Format of the weights."""
    batch_max: Annotated[int, Field(ge=1, le=65_536)]
    """Most sequences of a batch per replica."""


class ServerPower(Section):
    """Power of one server over time, as shares of its rating: what oversubscription rests on."""

    mean_fraction: Fraction
    """Mean."""
    sd_fraction: Fraction
    """Standard deviation."""
    peak_fraction: Fraction
    """Most."""
    rho_within: quantity(-1.0, 1.0)  # type: ignore[valid-type]
    """Correlation of two servers."""
    percentile_fraction: quantity(0.5, 0.999999999)  # type: ignore[valid-type]
    """Share of time in which a domain must stay within its limit."""


class PolicySpec(Section):
    """When servers are bought and retired."""

    rule: Literal["fixed", "every-generation", "skip", "extend", "lazy", "per-generation"]
    """Fixed life; replaced when a generation comes; every so many; kept longer; until something binds; by kind."""
    life_years: quantity(above=0.0, high=40.0) | None = None  # type: ignore[valid-type]
    """Life of a server."""
    skip_count: Whole | None = None
    """Generations left out between two that are bought (rule ``skip``)."""
    extend_years: Annotated[float, Field(ge=0.0, le=40.0)] | None = None
    """Years of service beyond ``life_years`` (rule ``extend``)."""


class Baseline(Section):
    """What savings are counted from."""

    power: Id
    """Way to pool power."""
    cooling: Id
    """Way to cool."""
    network: Id
    """Network."""
    policy: Id
    """Policy."""


class Owned(Section):
    """Servers that stand at the start."""

    server: Id
    """Server of the roadmap."""
    count: Positive
    """How many."""
    age_years: quantity(0.0, 40.0)  # type: ignore[valid-type]
    """Age at the start."""
    paid_usd: Positive | None = None
    """Price once paid; the roadmap's at the start where absent."""


class Optimum(Section):
    """The least that a plan could cost."""

    run: bool = True
    """Whether the optimum is looked for."""
    whole_halls_mw: Positive | None = None
    """Build halls of this size as a whole; any size where absent."""
    whole_servers: bool = False
    """Buy whole servers."""
    time_limit_s: Annotated[float, Field(gt=0.0, le=86_400.0)] = 60.0
    """Time for a search with whole halls or servers."""
    scenarios_count: Annotated[int, Field(ge=0, le=500)] = 0
    """Draws of demand and roadmap that a two-stage plan must stand; 0 leaves it out."""
    first_years: Years = 2.0
    """Years decided before the draws are known."""


class StudyOptions(Section):
    """What else is worked out; each takes time."""

    breaks: bool = True
    """Structural breaks: what adapting to each is worth."""
    robustness: bool = False
    """How far each trend may be wrong before another policy is best."""


class LifecycleInputs(Section):
    """A scenario of `aiplan tco` or `aiplan refresh`."""

    scenario: Header
    uncertainty: Uncertainty = Uncertainty(samples=2000)
    horizon: Horizon
    account: Account
    demand: Demand
    roadmap: Roadmap
    site: Place
    market: Market
    upkeep: Upkeep
    operation: Operation
    levers: dict[Id, Lever] = Field(default={}, max_length=20)
    """Ways to run it better, by name; each alone and all together are compared with the baseline."""
    server_power: ServerPower | None = None
    policies: dict[Id, PolicySpec] = Field(min_length=1, max_length=40)
    """Refresh policies by name."""
    baseline: Baseline
    breaks: dict[Id, Break] = Field(default={}, max_length=10)
    """Structural breaks by name, each beside the trend."""
    fleet: dict[Id, Owned] = Field(default={}, max_length=40)
    """Servers that stand at the start, by name."""
    optimum: Optimum = Optimum()
    study: StudyOptions = StudyOptions()


__all__ = ["LifecycleInputs"]
