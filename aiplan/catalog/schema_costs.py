"""What an entry says of costs over the life of a data centre, and of what a design of the site does to its capacity."""

from typing import Annotated, Literal

from pydantic import Field

from aiplan.catalog.entry import Entry
from aiplan.inputs.fields import Fraction, Id, NonNegative, Positive, Text, quantity

Ids = Annotated[tuple[Id, ...], Field(strict=False)]
Shares = Annotated[tuple[Annotated[float, Field(ge=0.0, le=1.0)], ...], Field(strict=False)]


class Costs(Entry):
    """One piece of knowledge about costs; which fields it has depends on its role."""

    role: Literal["power-topology", "cooling-plant", "network", "site", "upkeep", "residual", "channel", "failures",
                  "tariff", "rent", "capital", "benchmark"]  # fmt: skip
    """A way to pool power, a cooling plant, a network, building and land, upkeep of servers, resale value by age, a
    way to sell, failures, a tariff, a quote of rent, terms of capital, or the cost of a whole site to compare with."""

    domain_w: Positive | None = None
    """Power that one domain pools."""
    usd_per_w: NonNegative | None = None
    """Cost of the power plant or of the cooling plant, per watt of IT power."""

    cooling_systems: Ids = ()
    """Cooling systems of the catalog that PUE and WUE are computed with: one, or air and liquid that share the heat."""
    liquid_fraction: Fraction | None = None
    """Share of the IT heat that goes into liquid, where two systems share it."""
    rack_limit_w: Positive | None = None
    """Heat of one rack that it removes; no limit where absent."""
    thermal_derate_fraction: Fraction | None = None
    """Throughput lost to heat, as throttling and failed components."""
    fan_saved_fraction: Fraction | None = None
    """Power of a server that its fans no longer draw, over that of the air-cooled server."""

    server_usd: NonNegative | None = None
    """Network per server of eight accelerators."""
    server_usd_per_year: NonNegative | None = None
    """Upkeep of the network per server of eight accelerators."""
    server_price_fraction: Fraction | None = None
    """Network over the price of the server, in place of ``server_usd``."""
    throughput_factor: quantity(0.01, 100.0) | None = None  # type: ignore[valid-type]
    """Requests served over those with the plain network; 1 where absent."""
    bandwidth_gb_per_s: Positive | None = None
    """Bandwidth of one accelerator, one way."""
    domain_count: Positive | None = None
    """Accelerators that share it."""

    shell_usd_per_w: NonNegative | None = None
    """Building without power and cooling plants, per watt of IT power."""
    build_usd_per_w: NonNegative | None = None
    """Building with power and cooling plants, per watt of IT power; without land and servers."""
    land_usd_per_acre: NonNegative | None = None
    """Price of land."""

    maintenance_usd_per_year: NonNegative | None = None
    """Maintenance and repair of one server."""
    software_usd_per_year: NonNegative | None = None
    """Software of one server."""
    beyond_life_factor: Positive | None = None
    """Maintenance beyond the planned life over that within it."""
    staff_usd_per_w_per_year: NonNegative | None = None
    """Staff beside maintenance, per watt of IT power."""

    kept_fraction: Fraction | None = None
    """Share of the resale value that is left after one more year."""
    anchor_fraction: Shares = ()
    """Resale value over the price when new, at 0, 1, 2 ... years."""
    price_factor: Fraction | None = None
    """What this way to sell brings over an orderly sale."""

    annual_failure_fraction: Fraction | None = None
    """Servers that fail for good in a year, over those in service."""
    spare_fraction: Fraction | None = None
    """Spares over servers in service."""
    interruptions_per_year: NonNegative | None = None
    """Interruptions of a job per accelerator in use; repaired by a restart, so none of them retires a server."""

    energy_usd_per_kwh: NonNegative | None = None
    """Price of energy."""
    distribution_usd_per_kw_per_month: NonNegative | None = None
    """Demand charge for distribution."""
    generation_usd_per_kw_per_month: NonNegative | None = None
    """Demand charge for generation."""
    transmission_usd_per_kw_per_month: NonNegative | None = None
    """Demand charge for transmission."""
    minimum_wires_fraction: Fraction | None = None
    """Share of contracted transmission and distribution demand that is paid in any case."""
    minimum_generation_fraction: Fraction | None = None
    """Share of contracted generation demand that is paid in any case."""
    threshold_mw: NonNegative | None = None
    """Load from which the tariff applies."""
    contract_years: NonNegative | None = None
    """Length of its contract."""

    accelerator: Id | None = None
    """Accelerator that is rented."""
    rent_usd_per_h: Positive | None = None
    """Rent of one accelerator; the middle where the source gives a range."""
    quoted: Text = ""
    """When it was quoted: year, month or part of a year."""
    term: Text = ""
    """For how long it was rented; ``not stated`` where the source does not say."""
    hidden_fraction: NonNegative | None = None
    """What comes on top of a quote, over the quote."""

    discount_fraction: quantity(0.0, 1.0) | None = None  # type: ignore[valid-type]
    """Discount rate of a year, nominal."""
    escalation_fraction: quantity(-0.5, 0.5) | None = None  # type: ignore[valid-type]
    """Rise of the price of electricity in a year."""
    it_life_years: Positive | None = None
    """Years that servers are written off over."""
    network_life_years: Positive | None = None
    """Years that the network is written off over."""
    facility_life_years: Positive | None = None
    """Years that building, power and cooling plants are written off over."""

    upfront_usd_per_w: Positive | None = None
    """Everything bought for a site, per watt of IT power."""
    tco_usd_per_w_per_year: Positive | None = None
    """Cost of ownership of a site."""
    servers_usd_per_w_per_year: Positive | None = None
    """Servers, spread over their life."""
    energy_usd_per_w_per_year: Positive | None = None
    """Energy."""
    running_usd_per_w_per_year: Positive | None = None
    """All that is not bought, energy among it."""
