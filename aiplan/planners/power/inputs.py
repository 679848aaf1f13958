"""What may be asked of `aiplan power`: the scenario, section by section."""

from typing import Annotated, Literal

from pydantic import Field

from aiplan.inputs.fields import FileName, Fraction, Id, NonNegative, Positive, Section, Text, quantity
from aiplan.inputs.scenario import Header, Uncertainty
from aiplan.planners.power.tail_forms import Method

Share = quantity(above=0.0, high=1.0)
Count = Annotated[int, Field(ge=1, le=20_000)]
Correlation = Annotated[float, Field(ge=-1.0, le=1.0)]
Pair = Annotated[tuple[float, ...], Field(strict=False, min_length=2, max_length=2)]
Pue = quantity(above=0.0, sane=(1.0, 10.0))
Basis = Literal["neocloud", "hyperscaler", "rental_3y", "server"]
Rule = Literal["nameplate", "peak", "percentile", "oversubscribed"]
MOST_NODES = 5000


class Grid(Section):
    """The connection."""

    contract_w: Positive
    """Most that may be drawn from the grid."""
    margin_fraction: Fraction
    """Share of it that is kept free."""


class Level(Section):
    """Nodes of one kind; in the file the level nearest the grid comes first."""

    count: Count | None = None
    """How many there are; absent where ``nodes`` names them."""
    rated_w: Positive | None = None
    """Rating of one, on the side of the load; absent where ``nodes`` names them."""
    breaker_fraction: Share | None = None  # type: ignore[valid-type]
    """Share of the rating that a continuous load may take; 1 where absent, as for ratings that are continuous."""
    oversubscription_factor: Annotated[float, Field(ge=1.0, le=100.0)] = 1.0
    """How far one may be rated above one of the level that feeds it."""
    equipment: Id | None = None
    """Losses by a device of the catalog (kind ``power``)."""
    no_load_fraction: Fraction | None = None
    """Loss without load over the rating; wins over the equipment's."""
    proportional_fraction: Fraction | None = None
    """Loss in proportion to the load, over the rating at full load; wins over the equipment's."""
    square_law_fraction: Fraction | None = None
    """Loss with the square of the load, over the rating at full load; wins over the equipment's."""
    efficiency_points: Annotated[tuple[Pair, ...], Field(strict=False, max_length=100)] = ()
    """Rows of load and efficiency from a data sheet, three or more, to fit the losses to."""


class Node(Section):
    """A named node of the tree."""

    kind: Id
    """Level it belongs to: ``grid``, ``transformer``, ``ups``, ``pdu``."""
    parent: Text | None = None
    """Node that feeds it; the root has none."""
    feeds: Annotated[tuple[Text, ...], Field(strict=False, max_length=2)] = ()
    """In place of ``parent``, the two UPS that feed it half each."""
    rated_w: quantity(-1e30, 1e30)  # type: ignore[valid-type]
    """Rating, on the side of the load."""
    breaker_fraction: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Share of the rating that a continuous load may take."""
    oversubscription_factor: Annotated[float, Field(ge=1.0, le=100.0)] = 1.0
    """How far it may be rated above what feeds it."""


class Redundancy(Section):
    """What happens when a UPS is lost."""

    scheme: Literal["n", "n+1", "2n", "3n/2", "4n/3", "distributed"]
    """None, block redundant (catcher), or distributed redundant with half of each load on either UPS of a pair."""
    group_count: Annotated[int, Field(ge=2, le=64)] | None = None
    """UPS of a group: for ``n+1`` the spare among them, for ``distributed`` all."""
    sheddable_fraction: Fraction | None = None
    """Share of the load shed or capped in time when a UPS is lost, so that the reserve may carry load (Flex)."""


class Rack(Section):
    """A kind of rack, or a generation of them."""

    server: Text
    """Server of the catalog; a rack sold as one counts as a server."""
    share_fraction: Share | None = None  # type: ignore[valid-type]
    """Share of the racks; 1 for the only kind."""
    slots_count: Annotated[int, Field(ge=1, le=200)]
    """Servers it has room for."""
    rated_w: Positive
    """Rating of what feeds it."""
    breaker_fraction: Share | None = None  # type: ignore[valid-type]
    """Share of the rating that a continuous load may take; 1 where absent."""
    cooling: Id
    """How its heat is removed: an entry of kind ``power`` such as ``air`` or ``direct-liquid``."""
    server_w: Positive | None = None
    """Rating of a server; the catalog's where absent."""


class Hall(Section):
    """What the building gives."""

    racks_per_row_count: Annotated[int, Field(ge=1, le=10_000)]
    """Racks that a row has room for."""
    network_fraction: Fraction
    """Network and storage over the rating of the servers; drawn all the time."""
    cooling_capacity_w: Positive | None = None
    """IT heat that the cooling plant can remove; no limit where absent."""


class Facility(Section):
    """Power beside IT: as fractions, or as PUE with its boundary."""

    mechanical_worst_fraction: NonNegative | None = None
    """Power of cooling over IT power at the worst hour: decides capacity."""
    mechanical_mean_fraction: NonNegative | None = None
    """The same as a mean over the year: decides energy."""
    pue_design: Pue | None = None  # type: ignore[valid-type]
    """In place of the fraction, PUE at the worst hour."""
    pue_mean: Pue | None = None  # type: ignore[valid-type]
    """In place of the fraction, mean PUE."""
    pue_boundary: Literal["mechanical", "mechanical+electrical"] = "mechanical+electrical"
    """What the PUE counts beside IT: cooling alone, or electrical losses too, which are then taken out."""
    other_fraction: Fraction
    """Lighting and the like over IT power."""


class Power(Section):
    """How servers count, and where power is pooled."""

    topology: Literal["per-pdu", "per-ups", "flat"]
    """Power pooled behind each row's PDU, behind each UPS feed, or over the hall."""
    rule: Rule
    """Servers at their rating, at the most measured, at a percentile of their sum, or oversubscribed with caps."""
    peak_fraction: Share  # type: ignore[valid-type]
    """Most power measured of a server over its rating (rule peak)."""
    percentile_fraction: quantity(0.5, 0.999999999)  # type: ignore[valid-type]
    """Share of time in which the sum must stay within a limit (rule percentile)."""
    capping_fraction: quantity(1e-9, 0.5)  # type: ignore[valid-type]
    """Share of time in which caps may hold a node's load back (rule oversubscribed)."""
    tail: Method = "bounded"
    """Shape of the sum above its mean: bounded, normal, skew or cornish_fisher."""
    trace: FileName | None = None
    """CSV of measured power with one column per server, in place of the statistics of ``trace_class``."""
    trace_class: Id | None = None
    """Class of servers that the trace was measured on."""
    trace_rated_w: Positive | None = None
    """Rating of one server of the trace."""
    trace_trim_count: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Rows of the trace left out at both ends."""
    stabilized: FileName | None = None
    """JSON report of `aiplan stabilize`, in place of the statistics of ``stabilized_class``."""
    stabilized_class: Id | None = None
    """Class of servers whose job that report is about."""


class ServerClass(Section):
    """Servers that do one kind of work; powers are shares of a server's rating."""

    work: Literal["inference", "training", "other"]
    """What they do; inference answers tokens."""
    share_fraction: Fraction
    """Share of the servers."""
    mean_fraction: Share  # type: ignore[valid-type]
    """Mean power."""
    sd_fraction: Fraction
    """Standard deviation of one server's power over time."""
    peak_fraction: Share  # type: ignore[valid-type]
    """The most it draws."""
    floor_fraction: Fraction
    """The least it draws."""
    skewness: quantity(-100.0, 100.0) | None = None  # type: ignore[valid-type]
    """Skewness of one server's power; 0 where absent."""
    excess_kurtosis: quantity(-2.0, 10_000.0) | None = None  # type: ignore[valid-type]
    """Excess kurtosis of one server's power; 0 where absent."""
    rho_within: quantity(-1.0, 1.0)  # type: ignore[valid-type]
    """Correlation of two servers of the class."""
    rho_between: dict[Id, Correlation] = Field(default={}, max_length=50)
    """Correlation with servers of other classes, by name; 0 where absent."""
    slowdown_factor: NonNegative
    """Time grows by this times the share of power that a cap takes."""
    priority: Annotated[int, Field(ge=0, le=100)] | None = None
    """The lowest is capped first; 0 for training, 1 for other and 2 for inference where absent."""


class Serving(Section):
    """What the inference servers answer."""

    model: Text
    """Model of the catalog."""
    engine: Text
    """Serving engine."""
    precision: Text
    """Format of the weights."""
    kv_precision: Text | None = None
    """Format of the cache; what recipes do where absent."""
    tensor_parallel: Annotated[int, Field(ge=1, le=1024)]
    """Accelerators of one copy of the model."""
    concurrency: quantity(1e-3, 1e7)  # type: ignore[valid-type]
    """Requests in flight of one copy."""
    input_tokens: quantity(1.0, 1e7)  # type: ignore[valid-type]
    """Prompt tokens of a request, mean."""
    output_tokens: quantity(1.0, 1e7)  # type: ignore[valid-type]
    """Answer tokens of a request, mean."""


class Cost(Section):
    """What an hour costs."""

    basis: Basis = "neocloud"
    """Price per accelerator-hour of the catalog, or the server's price spread over its life, and its electricity."""
    lifetime_years: Positive
    """Years a server is written off over (basis server)."""
    electricity_usd_per_kwh: NonNegative
    """Price of electricity (basis server)."""


class PowerInputs(Section):
    """A scenario of `aiplan power`."""

    scenario: Header
    uncertainty: Uncertainty = Uncertainty()
    grid: Grid
    levels: dict[Id, Level] = Field(min_length=1, max_length=20)
    """Levels of the tree by kind, grid side first."""
    nodes: dict[Id, Node] = Field(default={}, max_length=MOST_NODES)
    """The tree node by node, by name, in place of counts; ``levels`` then says what each kind loses."""
    redundancy: Redundancy
    racks: dict[Id, Rack] = Field(min_length=1, max_length=20)
    """Kinds of rack by name."""
    hall: Hall
    facility: Facility
    power: Power
    classes: dict[Id, ServerClass] = Field(default={}, max_length=20)
    """Classes of servers by name; none are needed for the rules nameplate and peak."""
    serving: Serving | None = None
    cost: Cost


__all__ = ["PowerInputs"]
