"""What a catalog entry may say, kind by kind.

An entry names one source and grade that hold for all its numbers; a number that differs says so itself (see
`aiplan.inputs.quantity`). Optional fields are left out where no source gives them: nothing is filled by guess.
The text under a field is its description in the JSON Schema.
"""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from aiplan.catalog.entry import (
    AtLeastOne,
    Conflict,
    Count,
    Entry,
    Excuse,
    Precision,
    Source,
    Sourced,
    SourcedText,
    Year,
)
from aiplan.catalog.schema_climates import Climate
from aiplan.catalog.schema_cooling import Cooling, Envelope
from aiplan.catalog.schema_costs import Costs
from aiplan.catalog.schema_limits import GridLimits
from aiplan.catalog.schema_models import Model
from aiplan.catalog.schema_power import Power
from aiplan.catalog.schema_profiles import Profile
from aiplan.catalog.schema_storage import Storage
from aiplan.catalog.schema_workloads import Workload
from aiplan.inputs.conversion import section_of
from aiplan.inputs.fields import Fraction, Id, NonNegative, Positive, Section, Text, quantity, quantity_bounds
from aiplan.inputs.scenario import Evidence, Grade

__all__ = [
    "KINDS",
    "Accelerator",
    "Climate",
    "Conflict",
    "Cooling",
    "Costs",
    "Entry",
    "Envelope",
    "Excuse",
    "Grid",
    "GridLimits",
    "Model",
    "Normals",
    "Operator",
    "Power",
    "Profile",
    "Published",
    "Server",
    "Site",
    "Source",
    "SourcedText",
    "Storage",
    "Throughput",
    "Workload",
]

Celsius = Annotated[float, Field(ge=-90.0, le=70.0)]
Percent = Annotated[float, Field(ge=0.0, le=100.0)]
Temperatures = Annotated[tuple[Celsius, ...], Field(strict=False, min_length=12, max_length=12)]
Humidities = Annotated[tuple[Percent, ...], Field(strict=False, min_length=12, max_length=12)]
Point = Annotated[tuple[Annotated[float, Field(gt=0.0)], ...], Field(strict=False, min_length=3, max_length=3)]


class Accelerator(Entry):
    """One accelerator as sold. FLOP/s are dense; links are one way."""

    vendor: Text
    """Who makes it."""
    status: Literal["shipping", "roadmap"] = "shipping"
    """Whether it can be had; numbers of a roadmap are announcements."""
    released: date
    """Day it was launched, or is announced for."""
    bf16_dense_tflops: Positive | None = None
    """BF16 matrix rate without sparsity."""
    fp8_dense_tflops: Positive | None = None
    """FP8 matrix rate without sparsity."""
    fp4_dense_tflops: Positive | None = None
    """FP4 matrix rate without sparsity."""
    int8_dense_tops: Positive | None = None
    """INT8 matrix rate without sparsity, 10^12 operations per second."""
    bf16_achieved_tflops: Positive | None = None
    """BF16 matrix rate that a published benchmark reached, dense."""
    fp8_achieved_tflops: Positive | None = None
    """FP8 matrix rate that a published benchmark reached, dense."""
    hbm_gb: Positive
    """Memory, 10^9 bytes."""
    hbm_tb_per_s: Positive | None = None
    """Memory bandwidth."""
    hbm_achieved_tb_per_s: Positive | None = None
    """Memory bandwidth that a published benchmark reached."""
    scaleup_gb_per_s: Positive | None = None
    """Link bandwidth to the accelerators of its domain, one way."""
    scaleup_domain_count: Positive | None = None
    """Accelerators in one domain of fast links."""
    tdp_w: Positive | None = None
    """Thermal design power."""
    power_fraction: Fraction | None = None
    """Measured power under LLM serving over TDP."""
    provisioned_kw_per_gpu: Positive | None = None
    """Power set aside for one accelerator with its share of everything around it."""
    hyperscaler_usd_per_h: Positive | None = None
    """Cost of ownership at a hyperscaler, per accelerator."""
    neocloud_usd_per_h: Positive | None = None
    """Cost of ownership at a specialised cloud, per accelerator."""
    rental_3y_usd_per_h: Positive | None = None
    """Rent on a three-year contract, per accelerator."""
    price_usd: Positive | None = None
    """Price of one, as sold to a large buyer."""
    embodied_kg: NonNegative | None = None
    """kg CO2e of making one."""


class Server(Entry):
    """A server or rack as sold: accelerators, host, rating, price."""

    vendor: Text
    """Who sells it."""
    accelerator: Id
    """Accelerator in it."""
    accelerator_count: AtLeastOne
    """Accelerators in it."""
    released: date | None = None
    """Day it was launched."""
    host_power_w: NonNegative
    """CPUs, memory, NICs, fans and conversion at serving load, accelerators excluded."""
    max_power_w: Positive
    """Rated power of the whole server."""
    idle_power_fraction: Fraction
    """Power at no load over rated power."""
    scaleout_gbit_per_s: Positive | None = None
    """Bandwidth to other servers, per accelerator, one way."""
    price_usd: Positive | None = None
    """Price of the whole server."""
    embodied_kg: NonNegative | None = None
    """kg CO2e of the server without accelerators."""


class StoredFit(Section):
    """The physical law fitted to a table, so that a run need not fit it again; a test derives it anew."""

    a: Annotated[float, Field(ge=0)]
    """Decode work per answer token [s/token]."""
    b: Annotated[float, Field(ge=0)]
    """Prefill work per prompt token [s/token]."""
    d: Annotated[float, Field(ge=0)]
    """Work per answer token and token of context [s/token2]."""
    e: Annotated[float, Field(ge=0)]
    """What reserving memory for the whole answer adds [s/token2]."""
    f: Annotated[float, Field(ge=0)]
    """Attention work of prefill [s/token2]."""
    loo_error: Annotated[float, Field(ge=0)] | None = None
    """Mean error of left-out points [1]; absent for a table too small to leave one out."""


class Throughput(Entry):
    """A published table of tokens per second by prompt and answer length, for one deployment."""

    model: Id
    """Model served."""
    accelerator: Id
    """Accelerator it ran on."""
    accelerator_count: AtLeastOne
    """Accelerators in the group whose rate the points give."""
    tensor_parallel: AtLeastOne | None = None
    """Accelerators that share each layer."""
    pipeline_parallel: AtLeastOne | None = None
    """Groups that share the layers among them."""
    expert_parallel: AtLeastOne | None = None
    """Accelerators that share the experts."""
    precision: Precision
    """Number format of the weights."""
    kv_precision: Precision | None = None
    """Number format of the KV cache, where stated."""
    engine: Text
    """Serving engine."""
    engine_version: Text = ""
    """Its version, where stated."""
    measured_on: date | None = None
    """Day of the measurement or of the page."""
    regime: Literal["offline_max", "static_batch", "online"] = "offline_max"
    """Requests queued without limit, one batch at a time, or arriving at a rate."""
    batch: Count | None = None
    """Sequences in a batch, where stated."""
    points: Annotated[tuple[Point, ...], Field(strict=False, min_length=1)]
    """Rows of prompt tokens, answer tokens, answer tokens per second of the whole group of accelerators."""
    fit: StoredFit | None = None
    """The law fitted to the points; fitted when needed where absent."""


class Band(Section):
    """How far predictions of one kind were off on rows whose group was left out of the fit."""

    quantity: Literal["tpot", "ttft", "throughput", "energy"]
    """What was predicted."""
    kind: Literal["dense", "moe", "fp4", "vendor"]
    """Class of deployment: dense or with experts at 8 bit or more, four-bit weights, another vendor than fitted."""
    rows: Count
    """Rows behind it."""
    p10: float
    """10th percentile of ln(predicted / measured)."""
    p90: float
    """90th percentile of ln(predicted / measured)."""
    median_error: Annotated[float, Field(ge=0)]
    """Median of abs(predicted / measured - 1)."""


class Calibration(Entry):
    """Constants of the time model, fitted to measured rows."""

    regime: Literal["online", "offline"]
    """Requests in flight fixed, or a queue that never empties."""
    engine: Text = ""
    """Engine it holds for, every one where empty."""
    engine_version: Text = ""
    """Start of the releases it holds for, every one where empty."""
    fitted_on: date
    """Day of the fit."""
    rows: Text
    """Rows it was fitted to."""
    rows_fitted: Count
    """How many."""
    rows_left_out: Count = 0
    """How many more were scored and not fitted."""
    constants: dict[str, Annotated[float, Field(ge=0)]]
    """Constants by name, in SI units; see the time model."""
    engines: dict[str, dict[str, Annotated[float, Field(ge=0)]]]
    """Factors by engine; ``other`` for engines without rows."""
    bands: Annotated[tuple[Band, ...], Field(strict=False)] = ()
    """Measured error by quantity and class."""


class Grid(Entry):
    """Carbon and water of the electricity of a region."""

    country: Text = ""
    """Country code of three letters."""
    year: Year | None = None
    """Year of the figures."""
    carbon_g_per_kwh: NonNegative | None = None
    """g CO2e of generation, location-based, annual mean."""
    water_l_per_kwh: NonNegative | None = None
    """Off-site water consumption of generation."""


class Normals(Section):
    """Monthly climate normals, January first."""

    source: Text
    """Source id of the series."""
    grade: Grade
    """Grade of the series."""
    evidence: Evidence = "published"
    """How the series were seen."""
    period: Text = ""
    """Years the means are over."""
    set: Text = ""
    """Name of the data set."""
    station: Text = ""
    """Station, or the nearest one to a grid cell."""
    note: Text = ""
    """What a reader must know."""
    tmax_c: Temperatures
    """Mean daily maximum."""
    tmin_c: Temperatures
    """Mean daily minimum."""
    tmean_c: Temperatures
    """Mean."""
    rh_percent: Humidities
    """Mean relative humidity."""


class Site(Entry):
    """A place to build: climate, grid, price, land."""

    country: Text
    """Country code of three letters."""
    region: Text = ""
    """State or province."""
    latitude_deg: quantity(-90, 90)  # type: ignore[valid-type]
    """Latitude, north positive."""
    longitude_deg: quantity(-180, 180)  # type: ignore[valid-type]
    """Longitude, east positive."""
    elevation_meters: quantity(-500.0, 9000.0) | None = None  # type: ignore[valid-type]
    """Height above the sea."""
    climate_zone: Sourced | None = None
    """Zone of ASHRAE 169, e.g. ``4A``."""
    grid: Id | None = None
    """Grid it draws from."""
    carbon_g_per_kwh: NonNegative | None = None
    """g CO2e of its electricity, location-based, annual mean."""
    offsite_water_l_per_kwh: NonNegative | None = None
    """Off-site water consumption of generation."""
    price_usd_per_kwh: NonNegative | None = None
    """Electricity price of industrial customers, where paid in dollars."""
    price_local_per_kwh: NonNegative | None = None
    """Electricity price in ``price_currency``; no exchange rate was applied."""
    price_currency: Text = ""
    """Currency of ``price_local_per_kwh``."""
    price_year: Year | None = None
    """Year of the electricity price."""
    tariff: Sourced | None = None
    """Tariff a large load falls under."""
    tariff_threshold_mw: NonNegative | None = None
    """Load from which it applies."""
    tariff_min_demand_fraction: Fraction | None = None
    """Share of contracted demand that is paid in any case."""
    tariff_term_years: NonNegative | None = None
    """Length of its contract."""
    tariff_note: Text = ""
    """What else it asks for."""
    capex_usd_per_w: NonNegative | None = None
    """Cost of building, per watt of IT load."""
    land_usd_per_acre: NonNegative | None = None
    """Price of land."""
    normals: Normals
    """Monthly climate normals."""


class Operator(Entry):
    """PUE and WUE as an operator states them, for its fleet or one region."""

    operator: Text
    """Who states it."""
    site: Id | None = None
    """Nearest site of the catalog."""
    year: Year | None = None
    """Year of the figures."""
    pue: quantity(above=0.0, sane=(1.0, 5.0)) | None = None  # type: ignore[valid-type]
    """Annual energy of the facility over that of its IT."""
    wue_l_per_kwh: NonNegative | None = None
    """On-site water per kWh of IT energy."""


class Published(Entry):
    """A public estimate of energy, water or carbon per query, as its source prints it."""

    model: Text = ""
    """Model as the source names it."""
    model_id: Id | None = None
    """The catalog's entry of that model."""
    method: Text = ""
    """How the figure came about."""
    boundary: Literal["accelerator", "server", "server+idle", "facility", "life_cycle", "not_stated"] | None = None
    """The IT loads inside the figure; ``pue`` is the factor already on them."""
    hardware: Text = ""
    """Hardware it was made on or for."""
    statistic: Text = ""
    """Median, mean, range or otherwise."""
    energy_wh: NonNegative | None = None
    """Energy per query."""
    energy_j_per_token: NonNegative | None = None
    """Energy per answer token."""
    carbon_g: NonNegative | None = None
    """g CO2e per query."""
    water_ml: NonNegative | None = None
    """Water per query."""
    pue: Positive | None = None
    """PUE inside the figure; 1 means none."""
    input_tokens: NonNegative | None = None
    """Prompt tokens of the query."""
    output_tokens: NonNegative | None = None
    """Answer tokens of the query."""
    batch: Positive | None = None
    """Sequences in a batch."""
    year: Year | None = None
    """Year of the figure."""
    energy_slope_wh_per_token: Positive | None = None
    """Fit of a public estimator: energy per token rises by this per 10^9 active parameters."""
    energy_batch_exponent: quantity(-10.0, 10.0) | None = None  # type: ignore[valid-type]
    """Fit of a public estimator: energy per token goes with exp(this x batch)."""
    energy_floor_wh_per_token: Positive | None = None
    """Fit of a public estimator: energy per token of an empty model."""
    latency_slope_s_per_token: Positive | None = None
    """Fit of a public estimator: time per token rises by this per 10^9 active parameters."""
    latency_batch_slope_s_per_token: Positive | None = None
    """Fit of a public estimator: time per token rises by this per sequence in the batch."""
    latency_floor_s_per_token: Positive | None = None
    """Fit of a public estimator: time per token of an empty model."""
    weight_bits: Positive | None = None
    """Bits per weight that the estimator assumes."""
    memory_overhead_factor: Positive | None = None
    """Memory needed over the bytes of the weights."""
    accelerator_memory_gb: Positive | None = None
    """Memory of the accelerator that the estimator assumes."""
    host_power_w: Positive | None = None
    """Power of a server without accelerators that the estimator assumes."""
    server_accelerator_count: Positive | None = None
    """Accelerators of a server that the estimator assumes."""


KINDS: dict[str, type[Section]] = {
    "accelerators": Accelerator,
    "servers": Server,
    "models": Model,
    "throughput": Throughput,
    "profiles": Profile,
    "workloads": Workload,
    "calibrations": Calibration,
    "grids": Grid,
    "sites": Site,
    "climates": Climate,
    "cooling": Cooling,
    "envelopes": Envelope,
    "power": Power,
    "costs": Costs,
    "limits": GridLimits,
    "storage": Storage,
    "operators": Operator,
    "published": Published,
    "sources": Source,
}
"""Kind of entry by the first part of the file's path in the catalog folder."""


PLAIN_KINDS = ("accelerators", "servers", "models", "throughput", "workloads", "calibrations", "grids", "sites",
               "climates", "cooling", "envelopes", "power", "costs", "storage", "operators", "published")  # fmt: skip
"""Kinds whose sections, if they have any, hold no quantities: the index describes them well enough to be read without
this module."""


def forms() -> dict[str, dict[str, Any]]:
    """For each plain kind: its quantities with the bounds they truncate to, the defaults of the other fields, and the
    defaults inside its sections; a text that may name its source is such a section."""
    out: dict[str, dict[str, Any]] = {}
    for kind in PLAIN_KINDS:
        fields = KINDS[kind].model_fields
        bounds = {name: found for name, field in fields.items() if (found := quantity_bounds(field)) is not None}
        sections = {
            name: _defaults(inner)
            for name in SECTIONS.get(kind, ())
            if (inner := section_of(fields[name].annotation)) is not None
        }
        out[kind] = {"quantities": bounds, "defaults": _defaults(KINDS[kind]), "sections": sections}
    return out


SECTIONS = {"sites": ("climate_zone", "tariff", "normals")}
"""Sections of plain kinds that planners read."""


def _defaults(section: type[BaseModel]) -> dict[str, Any]:
    return {name: _plain(field.default) for name, field in section.model_fields.items() if not field.is_required()}


def _plain(default: Any) -> Any:
    return list(default) if isinstance(default, tuple) else default
