"""Is there an accelerator to measure on? Packages, device and driver, or one clear message."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from aiplan.errors import InputError, Problem

if TYPE_CHECKING:
    from aiplan.planners.serving.measure.power import NvmlSensor
    from aiplan.planners.serving.measure.torch_backend import TorchBackend

PACKAGES = {"torch": "torch", "pynvml": "nvidia-ml-py"}
"""Modules that measuring needs, and the packages they come in."""

# Compute capability from which the matrix units take a format: Ampere for bf16, Ada and Hopper for FP8.
CAPABILITY = {"bf16": (8, 0), "fp8": (8, 9)}

# Torch multiplies groups of rows without waiting for the host on these generations only (pytorch issue 169970), and a
# recorded pass cannot wait.
GROUPED_MAJORS = (9, 10)

NOTHING = "nothing was measured, nothing was written"


@dataclass(frozen=True, slots=True)
class Device:
    """An accelerator ready to be timed."""

    backend: TorchBackend
    sensor: NvmlSensor
    hardware: str
    runtime: str


def open_device(precision: str, *, experts: bool) -> Device:
    """The first NVIDIA GPU that CUDA shows.

    Parameters
    ----------
    precision : of the matrices
    experts : whether the model has routed experts

    Raises
    ------
    InputError (E170) naming the packages that are missing; (E171) where there is no GPU, no driver, or a GPU without
    units for the precision or the experts.
    """
    missing = [package for module, package in PACKAGES.items() if find_spec(module) is None]
    if missing:
        are = "are" if len(missing) > 1 else "is"
        raise _refusal(
            "E170",
            f"{' and '.join(missing)} {are} not installed; {NOTHING}",
            "on a machine with an NVIDIA GPU: pip install 'aiplan[gpu]'",
        )
    from aiplan.planners.serving.measure.power import NvmlSensor
    from aiplan.planners.serving.measure.torch_backend import TorchBackend, import_torch

    torch = import_torch()
    if torch.version.cuda is None:
        text = f"torch {torch.__version__} is built without CUDA; {NOTHING}"
        raise _refusal("E171", text, "install torch's build for CUDA on a machine with an NVIDIA GPU")
    if not torch.cuda.is_available():
        text = f"no NVIDIA GPU can be used here; {NOTHING}"
        raise _refusal("E171", text, "check with nvidia-smi, and that CUDA_VISIBLE_DEVICES names a GPU")
    about = torch.cuda.get_device_properties(0)
    if (about.major, about.minor) < CAPABILITY[precision]:
        raise _refusal("E171", f"{about.name} has no units for {precision}; {NOTHING}", "measure another precision")
    if experts and about.major not in GROUPED_MAJORS:
        text = f"{about.name} cannot run experts without waiting for the host; {NOTHING}"
        raise _refusal("E171", text, "measure experts on a Hopper or a Blackwell data-centre GPU")
    try:
        sensor = NvmlSensor(f"GPU-{about.uuid}")
    except RuntimeError as error:
        text = f"NVML cannot read {about.name}: {error}; {NOTHING}"
        raise _refusal("E171", text, "check with nvidia-smi; in a container, pass the driver's utilities in") from None
    runtime = f"torch {torch.__version__}, CUDA {torch.version.cuda}"
    return Device(TorchBackend(precision), sensor, str(about.name), runtime)


def _refusal(code: str, message: str, hint: str) -> InputError:
    return InputError(Problem(code, message, hint=hint))
