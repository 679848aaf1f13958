"""What may be asked of `aiplan thermal`: the scenario, section by section."""

from typing import Annotated, Literal

from pydantic import Field

from aiplan.inputs.fields import FileName, NonNegative, Positive, Section, Text, quantity
from aiplan.inputs.scenario import Header, Uncertainty

Share = quantity(0.0, 1.0)
Temperature = quantity(-60.0, 150.0)
Difference = quantity(-50.0, 50.0)
Spread = quantity(0.0, 30.0)
Slope = quantity(-5.0, 5.0)
Clock = Annotated[float, Field(ge=0.1, le=1.0)]
Load = Annotated[float, Field(ge=0.0, le=1.0)]
Profile = Annotated[tuple[Load, ...], Field(strict=False, min_length=24, max_length=24)]
Pair = Annotated[tuple[float, ...], Field(strict=False, min_length=2, max_length=2)]
Numbers = Annotated[tuple[float, ...], Field(strict=False, min_length=1, max_length=20)]
Added = Annotated[float, Field(gt=0.0, le=3.0)]
Fractions = Annotated[tuple[Added, ...], Field(strict=False, max_length=20)]
MOST_SLOTS = 20_000


class HallSection(Section):
    """Rows and aisles, all alike unless `[[row]]` and `[[aisle]]` list them."""

    rows: Annotated[int, Field(ge=1, le=1000)]
    """Rows of servers."""
    row_servers: Annotated[int, Field(ge=1, le=1000)]
    """Server positions of a row."""
    aisle_rows: Annotated[int, Field(ge=1, le=100)] = 2
    """Rows that share an aisle's cold air."""
    server_gpus: Annotated[int, Field(ge=1, le=64)] = 8
    """GPUs of a server."""
    row_budget_w: Positive | None = None
    """Power a row may draw. Wins over ``row_budget_share``."""
    row_budget_share: quantity(0.01, 2.0)  # type: ignore[valid-type]
    """Power a row may draw, as a share of the nameplate power of its servers."""
    aisle_airflow_cfm: Positive | None = None
    """Cold air of an aisle. Wins over ``aisle_airflow_share``."""
    aisle_airflow_share: quantity(0.01, 5.0)  # type: ignore[valid-type]
    """Cold air of an aisle, as a share of what its servers move at full load."""
    row_spread_kelvin: Spread  # type: ignore[valid-type]
    """Standard deviation of the rows' lasting inlet offsets, which are drawn where `[[row]]` gives none."""
    server_spread_kelvin: Spread  # type: ignore[valid-type]
    """Standard deviation of servers' inlet offsets within their row."""
    gpu_spread_kelvin: Spread  # type: ignore[valid-type]
    """Spread of the GPUs of a server: the hottest is the largest of eight |N(0, spread)| above c."""


class RowSection(Section):
    """One row, in place of the equal rows of `[hall]`."""

    servers: Annotated[int, Field(ge=1, le=1000)]
    """Server positions."""
    budget_w: Positive | None = None
    """Power it may draw; ``hall.row_budget_share`` of its nameplate where absent."""
    aisle: Annotated[int, Field(ge=1, le=1000)]
    """Number of its aisle, from 1."""
    offset_kelvin: Difference | None = None  # type: ignore[valid-type]
    """Its lasting inlet offset; 0 where absent and other rows give theirs, drawn where none does."""


class AisleSection(Section):
    """One aisle, in place of equal ones; aisle 1 comes first."""

    airflow_cfm: Positive
    """Cold air supplied."""


class ServerSection(Section):
    """One server, all alike."""

    idle_w: Positive
    """Power at load 0, fans included."""
    max_w: Positive
    """Power at load 1, fans included: the nameplate."""
    gpu_idle_w: NonNegative
    """Power of a GPU at load 0."""
    gpu_tdp_w: Positive
    """Power of a GPU at load 1."""
    airflow_idle_cfm: NonNegative
    """Air moved at load 0."""
    airflow_span_cfm: NonNegative
    """Air moved on top of that at load 1."""
    power_curve: Annotated[tuple[Pair, ...], Field(strict=False, max_length=50)] = ()
    """Pairs of load and share of dynamic power, rising from [0, 0] to [1, 1]; a straight line where absent."""


class ThermalSection(Section):
    """Temperatures of inlets and GPUs; `aiplan thermal fit --write-fit` writes these from telemetry."""

    inlet_coefficient: quantity(0.01, 5.0)  # type: ignore[valid-type]
    """a in T = a T_inlet + b P + c."""
    power_coefficient_kelvin_per_w: quantity(1e-6, 5.0)  # type: ignore[valid-type]
    """b in T = a T_inlet + b P + c."""
    intercept_c: quantity(-200.0, 200.0)  # type: ignore[valid-type]
    """c in T = a T_inlet + b P + c, of the mean GPU."""
    margin_kelvin: Spread  # type: ignore[valid-type]
    """P99 of the fit's residual; plans keep the modelled temperature that far below the limit."""
    t_max_c: Temperature  # type: ignore[valid-type]
    """Hottest GPU a plan accepts."""
    t_throttle_c: Temperature  # type: ignore[valid-type]
    """Temperature at which a GPU throttles."""
    recirculation_kelvin: quantity(0.0, 200.0)  # type: ignore[valid-type]
    """Rise of an aisle's inlets per share of airflow that is missing."""
    hall_load_kelvin: quantity(0.0, 30.0)  # type: ignore[valid-type]
    """Rise of all inlets from an empty to a full hall."""
    inlet_base_c: Temperature  # type: ignore[valid-type]
    """Inlet in cold weather at half load."""
    inlet_knots_c: Numbers
    """Outside temperatures at which the inlet curve bends, rising."""
    inlet_slopes: Numbers
    """Slope of the inlet curve past each knot, in K per K."""


class WeatherSection(Section):
    """Outside air of the replay: a daily wave. Its warmest hour is at 15:00."""

    site: Text | None = None
    """Climate zone, climate or site of the catalog whose P99.6 dry bulb is the design temperature."""
    file: FileName | None = None
    """EPW or CSV file of a year, in place of a site."""
    design_outside_c: Temperature | None = None  # type: ignore[valid-type]
    """Outside temperature that plans must stand. Wins over site, file and wave."""
    mean_c: Temperature | None = None  # type: ignore[valid-type]
    """Mean of the wave; where absent, the warmest hour is the design temperature."""
    swing_kelvin: Spread  # type: ignore[valid-type]
    """From the mean to the warmest hour."""
    noise_kelvin: Spread  # type: ignore[valid-type]
    """Standard deviation of each step around the wave."""


class VmsSection(Section):
    """The GPU VMs, one to a server: a file, `[[vm]]`, or drawn."""

    file: FileName | None = None
    """CSV with the columns id, kind (iaas or saas), endpoint, p50_0 to p50_23 and p99_0 to p99_23."""
    count: Annotated[int, Field(ge=1, le=MOST_SLOTS)] | None = None
    """VMs drawn; one for each slot where absent."""
    saas_share: Share  # type: ignore[valid-type]
    """Share of the drawn VMs that may be routed and reconfigured."""
    endpoints: Annotated[int, Field(ge=1, le=1000)] = 12
    """Endpoints the drawn SaaS VMs serve."""


class VmSection(Section):
    """One VM."""

    id: Text
    """Name, once."""
    kind: Literal["iaas", "saas"]
    """Opaque (placed only), or routed and reconfigured as well."""
    endpoint: Text = ""
    """Endpoint a SaaS VM serves."""
    p50: Profile
    """Expected load by hour of day, 0 to 1."""
    p99: Profile
    """High load by hour of day; 1 where nothing is known."""


class ReplaySection(Section):
    """The week that is replayed."""

    days: quantity(0.5, 31.0)  # type: ignore[valid-type]
    """Length."""
    step_s: quantity(60.0, 3600.0)  # type: ignore[valid-type]
    """Step; the model is one of steady states, good from about a minute on."""


class PlaceSection(Section):
    """How VMs are placed, and what routing and configuration may do."""

    mode: Literal["batch", "online", "exact"] = "batch"
    """All VMs known beforehand (an upper bound), or one after the other without migration (what an operator can do);
    exact is a batch of up to 200 VMs by mixed-integer programme."""
    saas_share_range: Pair = (0.0, 1.0)
    """Least and most share of SaaS among a row's VMs."""
    heat_weight_per_kelvin: quantity(0.0, 1.0)  # type: ignore[valid-type]
    """Routing weight lost per kelvin that a server is warmer than its endpoint's others."""
    row_weight: quantity(0.0, 10.0)  # type: ignore[valid-type]
    """Routing weight lost per share of budget that a row draws more than the mean row."""
    shed_above_share: quantity(0.1, 2.0)  # type: ignore[valid-type]
    """Share of a row's budget above which its SaaS sheds power."""
    shed_max_share: Share  # type: ignore[valid-type]
    """Most dynamic power that SaaS may shed."""
    quality_per_full_shed: Share  # type: ignore[valid-type]
    """Quality index lost when all of that is shed."""
    cut_share: Share  # type: ignore[valid-type]
    """Dynamic power of GPUs cut where a SaaS server is warmer than the limit."""
    power_exponent: quantity(1.0, 4.0)  # type: ignore[valid-type]
    """Dynamic power goes with frequency to this power."""


class EmergencySection(Section):
    """What is lost at the hall's peak, and for how long."""

    struck: Literal["all", "fullest"] = "all"
    """All rows and aisles, or the fullest row and the aisle asked for most."""
    row_power_share: quantity(0.01, 1.0)  # type: ignore[valid-type]
    """Share of the row budgets left when a feed or UPS is lost."""
    aisle_airflow_share: quantity(0.01, 1.0)  # type: ignore[valid-type]
    """Share of the aisles' cold air left when an air handler is lost."""
    duration_s: Positive
    """How long it lasts."""
    deadline_s: Positive
    """Time in which power must have come down."""
    cooling_deadline_s: Positive
    """Time in which air must have come down."""
    control_s: Positive
    """Time that control of GPUs out of band takes."""
    shed_max_share: Share  # type: ignore[valid-type]
    """Most dynamic power that SaaS may shed."""


class OversubscribeSection(Section):
    """How many more servers the rows would carry."""

    levels: Fractions = (0.2, 0.3, 0.4, 0.5)
    """Servers added that are tried, as shares."""
    over_share: quantity(0.0, 0.5)  # type: ignore[valid-type]
    """Share of row-steps above the budget that is accepted."""
    throttle_share: quantity(0.0, 0.5)  # type: ignore[valid-type]
    """Share of server-steps at or above the throttling temperature that is accepted."""


class LlmConfigSection(Section):
    """One configuration of a SaaS server. Give your own benchmarks."""

    name: Text
    """Name, once."""
    model: Text
    """Model served."""
    tp: Annotated[int, Field(ge=1, le=64)]
    """Tensor parallelism."""
    gpus: Annotated[int, Field(ge=1, le=64)]
    """GPUs that work."""
    frequency_share: quantity(0.05, 1.0)  # type: ignore[valid-type]
    """GPU clock over its maximum."""
    batch: Annotated[int, Field(ge=1, le=100_000)]
    """Sequences at once."""
    precision: Text
    """Format of the weights."""
    tokens_per_s: Positive
    """Answer tokens per second of a server at full load."""
    ttft_ms: Positive
    """Time to first token at that load."""
    tpot_ms: Positive
    """Time per output token at that load."""
    server_w: Positive
    """Power of the server at that load."""
    gpu_w: Positive
    """Power of its busiest GPU at that load."""
    quality: Share  # type: ignore[valid-type]
    """Quality index; 1 is the full model."""


class ServingSection(Section):
    """Configurations of a SaaS server as `aiplan perf` predicts them, where `[[llm_config]]` gives none."""

    models: Annotated[tuple[Text, ...], Field(strict=False, min_length=1, max_length=20)]
    """Models of the catalog; the first, in the first format and parallelism, is what runs before any change."""
    hardware: Text
    """Accelerator of the catalog."""
    engine: Text = "vllm"
    """Serving engine."""
    precisions: Annotated[tuple[Text, ...], Field(strict=False, min_length=1, max_length=10)]
    """Formats of the weights."""
    tensor_parallel: Annotated[tuple[int, ...], Field(strict=False, min_length=1, max_length=10)]
    """Tensor-parallel degrees; one replica stands in a server, its other GPUs idle."""
    frequency_shares: Annotated[tuple[Clock, ...], Field(strict=False, min_length=1, max_length=10)] = (1.0,)
    """GPU clocks over the highest."""
    batch: Annotated[int, Field(ge=1, le=100_000)]
    """Requests in flight at full load."""
    prompt_tokens: quantity(1.0, 1e7)  # type: ignore[valid-type]
    """Prompt tokens of a request."""
    output_tokens: quantity(1.0, 1e7)  # type: ignore[valid-type]
    """Answer tokens of a request."""
    ttft_ms: Positive
    """Longest time to the first token."""
    tpot_ms: Positive
    """Longest time per output token."""
    quality: dict[str, Load] = Field(default_factory=dict)
    """Quality index by model id; 1 where absent."""
    quantised_quality_loss: Share  # type: ignore[valid-type]
    """Quality index lost by a format narrower than 16 bits."""


class ThermalInputs(Section):
    """A scenario of `aiplan thermal`."""

    scenario: Header
    uncertainty: Uncertainty = Uncertainty()
    hall: HallSection
    row: Annotated[tuple[RowSection, ...], Field(strict=False, max_length=1000)] = ()
    aisle: Annotated[tuple[AisleSection, ...], Field(strict=False, max_length=1000)] = ()
    server: ServerSection
    thermal: ThermalSection
    weather: WeatherSection
    vms: VmsSection
    vm: Annotated[tuple[VmSection, ...], Field(strict=False, max_length=2000)] = ()
    replay: ReplaySection
    place: PlaceSection
    emergency: EmergencySection
    oversubscribe: OversubscribeSection
    serving: ServingSection | None = None
    llm_config: Annotated[tuple[LlmConfigSection, ...], Field(strict=False, max_length=200)] = ()


__all__ = ["ThermalInputs"]
