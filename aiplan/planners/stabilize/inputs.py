"""What may be asked of `aiplan stabilize`: the scenario, section by section."""

from typing import Annotated, Literal

from pydantic import Field

from aiplan.inputs.fields import Fraction, Id, NonNegative, Positive, Section, Text, quantity
from aiplan.inputs.scenario import Header, Uncertainty
from aiplan.planners.stabilize.limits_inputs import LimitsInputs

Share = quantity(above=0.0, high=1.0)
PowerShare = quantity(0.0, 2.0)
PerDay = quantity(0.0, 86_400.0)
Accelerators = Annotated[int, Field(ge=1, le=100_000_000)]
Degree = Annotated[int, Field(ge=1, le=1_000_000)]
Every = Annotated[int, Field(ge=1, le=10_000_000)]
Options = Annotated[tuple[Annotated[float, Field(ge=0.0, le=1e12)], ...], Field(strict=False, max_length=40)]
Factors = Annotated[tuple[Annotated[float, Field(ge=0.01, le=100.0)], ...], Field(strict=False, max_length=40)]
Ids = Annotated[tuple[Id, ...], Field(strict=False, max_length=20)]
Level = Literal["psu", "rack", "site"]


class Machine(Section):
    """The accelerators and what is around them."""

    server: Text
    """Server of the catalog; a rack sold as one counts as a server."""
    tdp_w: Positive | None = None
    """Thermal design power of an accelerator; the catalog's where absent."""
    constant_w: NonNegative | None = None
    """Host, network and fans per accelerator, drawn all the time; the catalog's host power where absent."""
    idle_fraction: PowerShare | None = None  # type: ignore[valid-type]
    """Power of an accelerator without a job over TDP; that of serving's power law where absent."""
    device_time_constant_s: quantity(0.0, 10.0)  # type: ignore[valid-type]
    """Lag of the power behind the work, as voltage regulators and power supplies make it."""
    edpp_factor: quantity(1.0, 3.0)  # type: ignore[valid-type]
    """The most an accelerator draws for a moment, over TDP."""


class Phase(Section):
    """A part of an iteration in which all accelerators do the same."""

    duration_s: quantity(above=0.0, high=1e5)  # type: ignore[valid-type]
    """How long it takes."""
    power_fraction: PowerShare  # type: ignore[valid-type]
    """Power of an accelerator over TDP."""
    scales: bool = False
    """Whether it gets longer with the batch, as compute does and the exchange of gradients does not."""


class Training(Section):
    """The iteration by a model, in place of phases."""

    model: Text
    """Model of the catalog."""
    tensor_parallel: Degree
    """Accelerators that share each layer."""
    pipeline_parallel: Degree
    """Stages the layers are spread over."""
    context_parallel: Degree = 1
    """Accelerators that share a sequence."""
    interleaving: Degree = 1
    """Chunks of layers per stage."""
    micro_batch_sequences: Degree
    """Sequences of one pass."""
    global_batch_sequences: Degree
    """Sequences of one step."""
    sequence_tokens: Degree
    """Tokens of a sequence."""
    kernel_efficiency_fraction: Share  # type: ignore[valid-type]
    """Matrix rate reached within compute over the dense peak in BF16."""
    data_overlap_fraction: Fraction
    """Share of the exchange of gradients that hides behind compute."""
    tensor_overlap_fraction: Fraction
    """Share of the exchange within layers that hides behind compute."""


class Pause(Section):
    """Evaluation or checkpoint."""

    every_iterations: Every
    """Iterations between two of them."""
    duration_s: quantity(above=0.0, high=1e5)  # type: ignore[valid-type]
    """How long one takes."""
    power_fraction: PowerShare  # type: ignore[valid-type]
    """Power of an accelerator during it, over TDP."""


class Job(Section):
    """A training job, or several of the same."""

    accelerators: Accelerators
    """Accelerators of one job."""
    count: Annotated[int, Field(ge=1, le=64)] = 1
    """Jobs of this kind at the same time; they start their steps at times of their own."""
    phases: dict[Id, Phase] = Field(default={}, max_length=50)
    """Parts of an iteration by name, in their order."""
    training: Training | None = None
    """In place of phases."""
    evaluation: Pause | None = None
    """None where absent."""
    checkpoint: Pause | None = None
    """None where absent."""
    start_up_s: quantity(0.0, 1e5) | None = None  # type: ignore[valid-type]
    """Loading and warming up before the first iteration."""
    start_up_fraction: PowerShare | None = None  # type: ignore[valid-type]
    """Power of an accelerator during that, over TDP."""
    start_s: Annotated[float, Field(ge=0.0, le=1e5)] = 0.0
    """Start after the first job's."""
    failures_s: Annotated[tuple[Annotated[float, Field(gt=0.0, le=1e6)], ...], Field(strict=False, max_length=50)] = ()
    """Times after its start at which the simulated job fails."""
    restart_s: quantity(0.0, 1e5) | None = None  # type: ignore[valid-type]
    """How long it stands after a failure; 0 where absent."""
    jitter_fraction: quantity(0.0, 0.5) | None = None  # type: ignore[valid-type]
    """Standard deviation of the length of a phase, over its length; 0 where absent."""
    skew_s: quantity(0.0, 100.0) | None = None  # type: ignore[valid-type]
    """Standard deviation of the times at which nodes begin a phase; 0 where absent."""


class Facility(Section):
    """From the servers to the point of interconnection."""

    equipment: dict[Literal["transformer", "ups", "pdu"], Id | Literal[""]] = Field(default={})
    """Losses of each by a device of the catalog; nothing is lost where absent or empty."""
    load_fraction: Share  # type: ignore[valid-type]
    """Peak load of the devices over their rating."""
    cooling_fraction: quantity(0.0, 5.0)  # type: ignore[valid-type]
    """Power of cooling over IT power, once it has settled."""
    cooling_time_constant_s: quantity(0.0, 1e5)  # type: ignore[valid-type]
    """How slowly it follows."""
    other_w: NonNegative
    """Load at the same point that does not move."""


class Simulation(Section):
    """What is simulated."""

    duration_s: Annotated[float, Field(ge=10.0, le=86_400.0)]
    """Length in all, idle before and after the job included; longer where limits allow only slow ramps."""
    sampling_hz: Annotated[float, Field(ge=0.1, le=10_000.0)] | None = None
    """Steps per second; where absent 50, or more where a limit needs it."""
    idle_s: Annotated[float, Field(ge=0.0, le=86_400.0)] | None = None
    """Idle before the start and after the stop, 20 s where absent; at least what the slowest ramp allowed takes."""
    settle_s: Annotated[float, Field(ge=0.0, le=86_400.0)] | None = None
    """After a transient, before the state is steady; where absent as long as the slowest ramp allowed takes."""


class GpuMeasure(Section):
    """Power smoothing of the accelerators."""

    floor_fraction: PowerShare  # type: ignore[valid-type]
    """Least power while armed, over TDP; 0 for none."""
    ramp_up_w_per_s: Positive | None = None
    """Steepest rise of one accelerator; none where absent."""
    ramp_down_w_per_s: Positive | None = None
    """Steepest fall of one accelerator; none where absent."""
    hysteresis_s: quantity(0.0, 1e5) | None = None  # type: ignore[valid-type]
    """It stays armed for so long after the work has stopped; 0 where absent."""


class SoftwareMeasure(Section):
    """A filler in software."""

    level_fraction: PowerShare  # type: ignore[valid-type]
    """Power it fills up to, over TDP."""
    delay_s: quantity(0.0, 1e3)  # type: ignore[valid-type]
    """Age of what its telemetry says."""
    back_off_s: quantity(0.0, 1e5)  # type: ignore[valid-type]
    """It goes on for so long after the job has stopped."""
    slowdown_fraction: quantity(0.0, 1.0)  # type: ignore[valid-type]
    """Time of the job while the filler runs beside it, over its time alone, less 1."""


class StartCapMeasure(Section):
    """A power cap at every start that rises until it no longer binds."""

    duration_s: quantity(above=0.0, high=1e5)  # type: ignore[valid-type]
    """From the start until the cap is at TDP."""
    initial_fraction: PowerShare  # type: ignore[valid-type]
    """The cap at the start, over TDP."""


class StorageMeasure(Section):
    """Storage of a technology of the catalog."""

    technology: Id
    """Entry of kind ``storage``."""
    level: Level
    """In the power supply, in the rack, or at the site."""
    energy_wh: NonNegative | None = None
    """Usable energy of the site's storage."""
    energy_j_per_gpu: NonNegative | None = None
    """In place of it, energy for each accelerator."""
    power_w: NonNegative | None = None
    """Rating of its converters, all together; where absent what empties it in the least time its technology allows, at
    most what the jobs draw."""
    time_constant_s: quantity(0.0, 1e5)  # type: ignore[valid-type]
    """Of the low-pass filter whose output is what the grid shall see."""
    ramp_up_w_per_s: Positive | None = None
    """Steepest rise of what the grid shall see, at the site; none where absent."""
    ramp_down_w_per_s: Positive | None = None
    """Steepest fall of what the grid shall see, at the site; none where absent."""
    initial_fraction: Fraction | None = None
    """State of charge at the beginning, and the one it is led back to; a half where absent."""


class Mitigation(Section):
    """Measures that are taken as they stand here, in place of a search."""

    gpu: GpuMeasure | None = None
    software: SoftwareMeasure | None = None
    start_cap: StartCapMeasure | None = None
    storage: dict[Id, StorageMeasure] = Field(default={}, max_length=6)
    period_factor: quantity(0.01, 100.0) | None = None  # type: ignore[valid-type]
    """Work of an iteration over that asked; 1 where absent."""
    stagger: bool = False
    """Whether jobs of the same kind spread their steps evenly over the period."""


class Search(Section):
    """What the search may combine, and what it must keep to."""

    floor_fractions: Options
    """Floors of the accelerators over TDP; 0 for none."""
    ramp_factors: Options
    """Ramp rates of the accelerators, all together over the limit of the grid; 0 for none."""
    hysteresis_s: Annotated[float, Field(ge=0.0, le=1e5)]
    """Hysteresis of accelerators that hold ramps."""
    software_fractions: Options
    """Levels of a software load over TDP; 0 for none."""
    software_delay_s: quantity(0.0, 1e3)  # type: ignore[valid-type]
    """Age of what its telemetry says."""
    software_slowdown_fraction: quantity(0.0, 1.0)  # type: ignore[valid-type]
    """Time of the job while it runs beside, over its time alone, less 1."""
    technologies: Ids
    """Storage of the catalog that may be bought."""
    levels: Annotated[tuple[Level, ...], Field(strict=False, max_length=3)]
    """Where it may stand."""
    time_constants_s: Options
    """Time constants of its set-point."""
    period_factors: Factors
    """Work of an iteration over that asked."""
    stagger: bool
    """Whether jobs of the same kind may be staggered."""
    start_cap: bool = False
    """Whether a cap on power at every start may be part of it."""
    floor_possible: bool | None = None
    """Whether the accelerators can hold a floor and ramps at all; where absent those of NVIDIA from Blackwell on."""
    most_energy_overhead_fraction: Fraction
    """The most energy that measures may add, over the job's."""
    most_slowdown_fraction: Fraction
    """The most time that measures may add, over the job's."""
    most_storage_wh: Positive | None = None
    """Room for storage at the site; none where absent."""


class Year(Section):
    """What a year has of what is simulated once."""

    uptime_fraction: Share  # type: ignore[valid-type]
    """Share of the year in which the job runs."""
    starts_per_day: PerDay  # type: ignore[valid-type]
    """Planned starts, each with a stop."""
    checkpoints_per_day: PerDay | None = None  # type: ignore[valid-type]
    """Checkpoints of the job; as often as in the run where absent."""
    failures: Id | None = None
    """Interruptions per accelerator by an entry of kind ``costs``, role failures; none where absent."""


class Cost(Section):
    """What things cost."""

    electricity_usd_per_kwh: NonNegative
    """Price of electricity."""
    gpu_usd_per_h: NonNegative | None = None
    """Worth of an hour of an accelerator; the catalog's cost at a specialised cloud where absent."""
    rate_fraction: Fraction
    """Cost of capital per year."""
    lifetime_years: quantity(above=0.0, high=100.0)  # type: ignore[valid-type]
    """Years that storage has to last and is written off over."""
    grid: Id | None = None
    """Grid of the catalog, for carbon; none where absent."""


class StabilizeInputs(Section):
    """A scenario of `aiplan stabilize`."""

    scenario: Header
    uncertainty: Uncertainty = Uncertainty()
    machine: Machine
    jobs: dict[Id, Job] = Field(min_length=1, max_length=20)
    """Jobs behind the connection by name."""
    facility: Facility
    simulation: Simulation
    limits: LimitsInputs
    mitigation: Mitigation | None = None
    search: Search
    year: Year
    cost: Cost


__all__ = ["StabilizeInputs"]
