"""`aiplan perf measure` on the command line."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from aiplan.errors import InputError, Problem
from aiplan.planners.door import CatalogOption, ForceOption, OutputOption, now, open_catalog, with_examples

if TYPE_CHECKING:
    from aiplan.planners.serving.measure.device import Device
    from aiplan.planners.serving.measure.profile import Profile
    from aiplan.planners.serving.measure.schedule import Shot
    from aiplan.planners.serving.measure.stack import StackShape

NOTES = (
    "One accelerator, random weights, balanced random routing; nothing passes between accelerators.",
    "Fixed batches, no engine: scheduling, sampling, embedding, positions and tokenising are not in the times.",
)


ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="Model of the catalog whose layers are built.", show_default=False)
]
PrecisionOption = Annotated[str, typer.Option("--precision", help="bf16, or fp8 for models without experts.")]
ParallelOption = Annotated[
    int,
    typer.Option("--tensor-parallel", metavar="N", min=1, max=1024,
                 help="Time one accelerator's share of the model divided by N."),
]  # fmt: skip
LayersOption = Annotated[
    int,
    typer.Option("--layers", metavar="N", min=2, max=1000,
                 help="Most layers of a kind to build; memory may allow fewer."),
]  # fmt: skip
PromptOption = Annotated[
    list[int] | None,
    typer.Option("--prompt", metavar="TOKENS", min=1, max=1_000_000, show_default=False,
                 help="Prompt to time, in place of the default ones. Repeatable."),
]  # fmt: skip
BatchOption = Annotated[
    list[int] | None,
    typer.Option("--batch", metavar="N", min=1, max=100_000, show_default=False,
                 help="Batch to time a decode step of. Repeatable."),
]  # fmt: skip
ContextOption = Annotated[
    list[int] | None,
    typer.Option("--context", metavar="TOKENS", min=2, max=10_000_000, show_default=False,
                 help="Context to time a decode step at. Repeatable."),
]  # fmt: skip
BudgetOption = Annotated[
    float, typer.Option("--budget", metavar="SECONDS", min=1, max=86_400, help="Time for all runs together.")
]
FormOption = Annotated[
    str | None,
    typer.Option("--format", "-f", metavar="FORMAT", show_default=False,
                 help="toml (default) or json. With -o the file's ending decides."),
]  # fmt: skip


@with_examples(
    "aiplan perf measure llama-3.1-8b -o profile.toml",
    "aiplan perf measure llama-3.1-70b --tensor-parallel 8 --precision fp8 -o profile.json",
)
def measure(
    model: ModelArgument,
    precision: PrecisionOption = "bf16",
    tensor_parallel: ParallelOption = 1,
    layers: LayersOption = 8,
    prompt: PromptOption = None,
    batch: BatchOption = None,
    context: ContextOption = None,
    budget: BudgetOption = 600,
    catalog: CatalogOption = None,
    format_: FormOption = None,
    output: OutputOption = None,
    force: ForceOption = False,
) -> None:
    """Time prefill and decode of a model's layers on this machine's NVIDIA GPU, with power, and write a dated profile.
    Needs the packages of aiplan[gpu] and a GPU; without them it says so, writes nothing and ends with exit code 2. A
    few layers of random weights stand for all: two depths tell the time of a layer from what is fixed. Points that do
    not fit memory or budget are left out and named.
    """
    from aiplan.planners.serving.measure.device import open_device
    from aiplan.planners.serving.measure.profile import to_text
    from aiplan.report.write import check_target, write_output

    form = choose_form(format_, output)
    check_target(output, force=force)
    shots = wanted_shots(prompt, batch, context)
    name, shape = share_of(model, precision, tensor_parallel, catalog)
    device = open_device(precision, experts=shape.experts > 0)
    profile = _profile(device, Task(name, precision, tensor_parallel, layers, budget), shape, shots)
    write_output(to_text(profile, form), output, force=force)


class Task(NamedTuple):
    """What was asked for: model, precision, accelerators it is divided by, most layers to build, time [s]."""

    model: str
    precision: str
    tensor_parallel: int
    deepest: int
    budget_s: float


def _refusal(code: str, message: str, option: str, hint: str) -> InputError:
    return InputError(Problem(code, message, file=option, hint=hint))


def choose_form(wanted: str | None, output: str | None) -> str:
    """The format that ``--format`` and the file's ending agree on; TOML when neither says.

    Raises
    ------
    InputError: E205 for an unknown format, E206 where the two disagree or the ending says nothing.
    """
    from aiplan.planners.serving.measure.profile import FORMATS
    from aiplan.report.sanitize import clean_line

    if wanted is not None and wanted not in FORMATS:
        text = f"no format of a profile is called {clean_line(wanted)[:40]!r}"
        raise _refusal("E205", text, "--format", f"choose one of {', '.join(FORMATS)}")
    ending = PurePath(output).suffix[1:].lower() if output not in (None, "-") else ""
    if ending in FORMATS and wanted in (None, ending):
        return ending
    if ending in FORMATS:
        text = f"--format {wanted} disagrees with the suffix '.{ending}' of the output file"
        raise _refusal("E206", text, "-o", f"leave out --format, or name a file for {wanted}")
    if ending and wanted is None:
        text = f"the suffix '.{clean_line(ending)[:40]}' does not say which format to write"
        raise _refusal("E206", text, "-o", "give --format, or a name ending in .toml or .json")
    return wanted or FORMATS[0]


def wanted_shots(prompt: list[int] | None, batch: list[int] | None, context: list[int] | None) -> tuple[Shot, ...]:
    """Points asked for; the default ones for what was left out."""
    from aiplan.planners.serving.measure.schedule import BATCHES, CONTEXTS, PROMPTS, shots

    return shots(prompt or PROMPTS, batch or BATCHES, context or CONTEXTS)


def share_of(model: str, precision: str, tensor_parallel: int, catalog: Path | None) -> tuple[str, StackShape]:
    """Id of a model, and the shape of one accelerator's share of it.

    Raises
    ------
    InputError for a model the catalog does not have, and (E172) for one that cannot be built or divided like this.
    """
    from aiplan.planners.serving.measure.stack import shape_of, shard
    from aiplan.planners.serving.measure.torch_backend import FP8_MULTIPLE, GROUPED_MULTIPLE, PRECISIONS

    if precision not in PRECISIONS:
        text = f"precision '{precision[:40]}' cannot be measured"
        raise _refusal("E172", text, "--precision", f"choose one of {', '.join(PRECISIONS)}")
    entries = open_catalog(catalog)
    name = entries.resolve("models", model)
    try:
        shape = shape_of(entries.get("models", name))
    except ValueError as error:
        hint = "choose a model with grouped-query attention in every layer"
        raise _refusal("E172", f"{name}: {error}", "", hint) from None
    try:
        shape = shard(shape, tensor_parallel)
    except ValueError as error:
        raise _refusal("E172", f"{name}: {error}", "--tensor-parallel", "choose a number that divides them") from None
    if shape.experts and (shape.expert_width % GROUPED_MULTIPLE or shape.hidden_size % GROUPED_MULTIPLE):
        text = f"{name}: widths of a share of an expert are no multiples of {GROUPED_MULTIPLE}"
        raise _refusal("E172", text, "--tensor-parallel", "divide the model by fewer")
    if precision == "fp8":
        sides = (shape.hidden_size, shape.qkv_width, shape.heads * shape.head_dim, shape.dense_width)
        if shape.experts or any(side % FP8_MULTIPLE for side in sides):
            text = f"{name}: fp8 is not built for experts, nor for widths that are no multiples of {FP8_MULTIPLE}"
            raise _refusal("E172", text, "--precision", "measure bf16")
    return name, shape


def _profile(device: Device, task: Task, shape: StackShape, shots: tuple[Shot, ...]) -> Profile:
    """Time the points and put the record together.

    Raises
    ------
    InputError (E173) where no point could be timed.
    """
    import time
    from datetime import date

    from aiplan.planners.serving.measure.profile import Profile
    from aiplan.planners.serving.measure.run import measure_plan
    from aiplan.planners.serving.measure.schedule import Budget, make_plan
    from aiplan.report.talk import talk

    backend, sensor = device.backend, device.sensor
    plan = make_plan(shape, shots, backend.free_bytes(), backend.bytes_per_weight, task.deepest)
    talk(f"{device.hardware}: {len(plan.shots)} points of {task.model} at depths {plan.depths}\n")
    budget = Budget(task.budget_s, len(plan.shots) * len(plan.depths), time.perf_counter)
    done = measure_plan(backend, shape, plan, budget, sensor, lambda text: talk(f"{text}\n"))
    left_out = tuple(f"Left out: {shot.label()}, {reason}." for shot, reason in done.dropped)
    if not done.prefill and not done.decode:
        hint = "give more time with --budget, or smaller --batch, --context and --prompt"
        raise _refusal("E173", "no point could be timed; nothing was written", "", f"{left_out[0]} {hint}")
    return Profile(
        measured_on=date.fromisoformat(now()[:10]),
        model=task.model,
        precision=task.precision,
        kv_precision="bf16",
        tensor_parallel=task.tensor_parallel,
        layers=shape.layers,
        timed_layers=plan.depths,
        hardware=device.hardware,
        driver=sensor.driver(),
        runtime=device.runtime,
        cuda_graphs=True,
        prefill=done.prefill,
        decode=done.decode,
        power_method=done.power_method,
        power_limit_w=sensor.power_limit_w(),
        idle_power_w=done.idle_power_w,
        notes=(*NOTES, *left_out),
    )
