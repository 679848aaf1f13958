"""What the physics of this planner works on: a law per model and the names of the inputs it depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiplan.planners.energy.inputs import EnergyInputs
from aiplan.planners.energy.profiles import Profile
from aiplan.planners.parameters import Parameters

if TYPE_CHECKING:
    from aiplan.report.model import Warn


@dataclass(frozen=True, slots=True)
class ModelCase:
    """One model as it is served here: its law, its group of accelerators, and the paths of its inputs."""

    id: str
    name: str
    profile: Profile
    share: float
    """Accelerators of the group over accelerators of the server."""
    rated: str
    error: str
    tdp: str
    tdp_fraction: str | None
    accelerator_kg: str | None


@dataclass(frozen=True, slots=True)
class Case:
    """Everything the physics of this planner needs, and where it came from."""

    inputs: EnergyInputs
    models: tuple[ModelCase, ...]
    blend: dict[str, str]
    """Model id to the path of its weight."""
    parameters: Parameters
    server: str
    server_accelerators: int
    warnings: tuple[Warn, ...]
    context: tuple[tuple[str, str], ...]
