"""The phases of an iteration from model, machine and parallelism, in place of phases that a scenario states."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiplan.errors import InputError, Problem
from aiplan.planners.parameters import Parameters
from aiplan.planners.serving.load import power_class
from aiplan.planners.serving.power_constants import POWER_CONSTANTS
from aiplan.planners.serving.rows import Shelf
from aiplan.planners.stabilize.inputs import Training
from aiplan.planners.stabilize.iteration import Assumptions, Step, step
from aiplan.planners.stabilize.parallelism import Plan, problems, remarks
from aiplan.planners.stabilize.phase_power import phases
from aiplan.planners.stabilize.timeline import Phase
from aiplan.planners.stabilize.work import machine_of, work_of

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

SLICES = 24
"""Pieces that the pipelined part of a step comes in, each with the stages that work then [1]."""
COMPUTE = "compute"


@dataclass(frozen=True, slots=True)
class Computed:
    """An iteration that was computed.

    Attributes
    ----------
    phases, scales : as in `scene.JobSpec`
    step : the parts it is made of
    remarks : what is unusual in the plan
    """

    phases: tuple[Phase, ...]
    scales: tuple[bool, ...]
    step: Step
    remarks: list[str] = field(default_factory=list)


def computed_phases(
    training: Training,
    accelerators: int,
    server: Any,
    tdp_w: float,
    catalog: Catalog,
    parameters: Parameters,
    path: str,
) -> Computed:
    """The iteration of a job.

    Parameters
    ----------
    training : what is trained and how it is spread
    accelerators : of the job [1]
    server : catalog entry of the servers
    tdp_w : of an accelerator [W]
    parameters : where its numbers are kept with their sources
    path : of ``training`` in the scenario

    Raises
    ------
    InputError for a model the catalog does not know (E121), and a plan that cannot be carried out (E311).
    """
    shelf = Shelf(catalog)
    try:
        model = shelf.resolve("models", training.model)
    except InputError as error:
        raise InputError(error.under(f"{path}.model")) from None
    architecture = shelf.architecture(model)
    degrees = (training.tensor_parallel, training.pipeline_parallel, training.context_parallel, training.interleaving,
               training.micro_batch_sequences, training.global_batch_sequences, training.sequence_tokens)  # fmt: skip
    plan = Plan(accelerators, *degrees)
    layers = int(architecture.layers)
    found = problems(plan, layers)
    port = server.scaleout_gbit_per_s
    if port is None:
        found.append(f"the catalog says nothing of the network of {server.name}")
    if found:
        hint = "change the degrees, the batch or the number of accelerators"
        raise InputError([Problem("E311", f"{path}: {one}", path, hint=hint) for one in found])
    labels = {
        "kernel_efficiency_fraction": "matrix rate within compute over peak",
        "data_overlap_fraction": "exchange of gradients that is hidden",
        "tensor_overlap_fraction": "exchange within layers that is hidden",
    }
    values = {}
    for name, label in labels.items():
        quantity = getattr(training, name)
        parameters.add(f"{path}.{name}", label, quantity, low=0.0, high=1.0)
        values[name] = quantity.distribution.median
    parameters.add(f"servers.{server.name}.scaleout_gbit_per_s", "network of an accelerator", port, unit="Gbit/s")
    assumptions = Assumptions(
        kernel_fraction=values["kernel_efficiency_fraction"],
        tensor_overlap_fraction=values["tensor_overlap_fraction"],
        data_overlap_fraction=values["data_overlap_fraction"],
    )
    work = work_of(architecture, float(training.sequence_tokens))
    machine = machine_of(shelf.chip(server.accelerator), port.distribution.median)
    done = step(plan, work, machine, assumptions)
    constants = POWER_CONSTANTS[power_class(server.accelerator)]
    slices = SLICES if plan.pipeline_parallel > 1 else 1
    shares = phases(done, plan, work, machine, assumptions, tdp_w, constants, slices=slices)
    return Computed(
        tuple(Phase(one.name, one.duration_s, one.power_fraction * tdp_w) for one in shares),
        tuple(one.name == COMPUTE for one in shares), done, remarks(plan, layers, machine.scaleup_domain),
    )  # fmt: skip


__all__ = ["Computed", "computed_phases"]
