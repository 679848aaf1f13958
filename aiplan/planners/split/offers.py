"""Machines of the catalog as what a cluster can be built from: times, memory, network, watts and dollars.

Times come from measured profiles, or from the serving model where there is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from aiplan.errors import InputError, Problem
from aiplan.planners.arrays import Array, as_array
from aiplan.planners.split.curves import interpolated
from aiplan.planners.split.profile_machines import MOST_BATCH, MOST_TOKENS, catalog_curves
from aiplan.planners.split.replay import SIMULATOR, Machine, Policy

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.inputs.quantity import Quantity

DecodeModel = Literal["measured", "roofline", "simcompat"]
DECODE_MODELS: tuple[DecodeModel, ...] = ("measured", "roofline", "simcompat")
SIMULATOR_LINK_BYTES_PER_S = 200.0 * 2.0**30
"""Link of every machine in SplitwiseSim, per request and never shared [B/s]."""
LINK_GBIT_PER_S = 200.0
"""Port of one accelerator where the catalog states none; assumed, the slowest it states [Gbit/s]."""
TOKEN_ERROR = 1.02
"""Measured over fitted time of a profile's steps with the point left out, mean absolute error [1]."""
HOST_W = 200.0
"""Host of one accelerator that stands in no server of the catalog: an eighth of a DGX A100's or H100's; assumed [W]."""
CAP_FRACTION = 0.5
"""Cap of an accelerator of a power-capped machine of a profile over its TDP (arXiv 2311.18677: 350 of 700 W) [1]."""
A100_TOKEN_FRACTION = 0.6349
"""Power of an accelerator that decodes over its TDP, where the profile has no measurement of it: that of BLOOM on A100,
taken over [1]."""
IDLE_FRACTION = 0.17
"""Power of an accelerator with nothing to do over its TDP; assumed, about 120 of 700 W for an H100 whose
memory is filled [1]."""


SIMCOMPAT = (
    "simcompat copies SplitwiseSim: it looks up the time of a decode step by its batch on an axis of batched prompt "
    "tokens, so that steps hardly grow with the batch (35 ms instead of 64 at 64 sequences of BLOOM on H100), and "
    "Llama's KV cache counts eight times too large; for reproduction only"
)
"""What the decode model of that name copies, in words."""
PROFILE_BATCH, SMALL_BATCHES = 64, {"a100-tp2": 32, "h100-tp2": 32}
"""Largest batch that machines of profiles were measured with, and those where it is another [1]."""


@dataclass(frozen=True, slots=True)
class Watts:
    """Power of one machine, host included [W].

    Attributes
    ----------
    prompt_w, token_w : while it works on prompts, and while it only decodes
    idle_w : while it waits
    provisioned_w : set aside for it
    """

    prompt_w: float
    token_w: float
    idle_w: float
    provisioned_w: float


@dataclass(frozen=True, slots=True, eq=False)
class Offer:
    """A machine that can be had.

    Attributes
    ----------
    name : as the user calls it
    machine : its times, memory and network
    accelerator, accelerators : which, and how many of them
    server : the server it is, or stands in; None where unknown
    per_server : machines of this kind in one server
    usd_per_h : what it costs; None where unknown
    watts : what it draws
    step_by_tokens_s : time of a token by prompt tokens as SplitwiseSim looks it up; None elsewhere [s]
    kv_bytes_per_token : cache of a token [B]
    token_error : measured over computed time of a step, at the long end [1]
    """

    name: str
    machine: Machine
    accelerator: str
    accelerators: float
    server: str | None
    per_server: float
    usd_per_h: Quantity | None
    watts: Watts
    step_by_tokens_s: Array | None = None
    kv_bytes_per_token: float = 0.0
    token_error: float = 1.0


def policy_of(decode_model: DecodeModel, *, layer_wise: bool = True, sync_s: float = 0.005) -> Policy:
    """How machines work under a decode model: as SplitwiseSim, or with caches that leave layer by layer."""
    if decode_model == "simcompat":
        return SIMULATOR
    return Policy(layer_wise=layer_wise, sync_s=sync_s, mixed_sum=decode_model == "roofline")


def beyond_measured(batch: float, names: Iterable[str]) -> str | None:
    """What to say of machines of a profile that decode so many sequences at once on average; None where all was
    measured."""
    limit = min(SMALL_BATCHES.get(name, PROFILE_BATCH) for name in names)
    if batch <= limit:
        return None
    return (
        f"machines decode {batch:.0f} sequences at once on average; the profile was measured up to {limit}, and steps "
        "beyond are extrapolated"
    )


def machine_names(catalog: Catalog, profile: str) -> list[str]:
    """Machines of a profile."""
    return list(catalog.get("profiles", profile).machines)


def profile_offer(
    catalog: Catalog,
    profile: str,
    name: str,
    decode_model: DecodeModel,
    *,
    most_tokens: int = MOST_TOKENS,
    most_batch: int = MOST_BATCH,
) -> Offer:
    """A machine of a profile.

    Parameters
    ----------
    catalog : where it is looked up
    profile, name : id of the profile, name of the machine
    decode_model : how times are read, see docs/split.md; ``roofline`` takes them from the serving model
    most_tokens, most_batch : how far the tables reach

    Raises
    ------
    InputError for a machine that the profile does not have.
    """
    entry = catalog.get("profiles", profile)
    if name not in entry.machines:
        known = ", ".join(entry.machines)
        raise InputError(Problem("E220", f"profile {profile} has no machine '{name[:60]}'", hint=f"one of {known}"))
    found = entry.machines[name]
    if decode_model == "roofline":
        from aiplan.planners.split.serving_offers import profile_by_roofline

        computed = profile_by_roofline(catalog, entry, found, name, most_tokens, most_batch)
        machine, kv_bytes, token_error = computed.machine, computed.kv_bytes_per_token, computed.token_error
        by_tokens = None
    else:
        curves = catalog_curves(catalog, profile, name, decode_model, most_tokens=most_tokens, most_batch=most_batch)
        slope, kv_bytes = curves.context_s_per_token, curves.kv_bytes_per_token
        token_error = TOKEN_ERROR
        sequences = np.arange(most_batch + 1)
        machine = Machine(
            name=name,
            prompt_s=curves.prompt_s,
            decode_s=curves.decode_s - slope * curves.profile_context_tokens * sequences,
            context_s=np.full(most_batch + 1, slope),
            room_tokens=curves.room_tokens,
            link_tokens_per_s=_link(catalog, found, decode_model) / kv_bytes,
            layers=float(curves.layers),
        )
        by_tokens = _by_tokens(entry, found, most_tokens) if decode_model == "simcompat" else None
    return Offer(
        name=name,
        machine=machine,
        accelerator=found.accelerator,
        accelerators=float(found.accelerator_count),
        server=found.server,
        per_server=1.0 if found.server else 8.0 / float(found.accelerator_count),
        usd_per_h=found.usd_per_h,
        watts=_watts(catalog, entry, found),
        step_by_tokens_s=by_tokens,
        kv_bytes_per_token=kv_bytes,
        token_error=token_error,
    )


def _link(catalog: Catalog, found: Any, decode_model: DecodeModel) -> float:
    """Bytes per second that a machine sends or takes."""
    if decode_model == "simcompat":
        return SIMULATOR_LINK_BYTES_PER_S
    return link_bytes_per_s(catalog, found.server, float(found.accelerator_count))


def link_bytes_per_s(catalog: Catalog, server: str | None, accelerators: float) -> float:
    """Network of so many accelerators of a server [B/s]; `LINK_GBIT_PER_S` each where the catalog states none."""
    stated = catalog.get("servers", server).scaleout_gbit_per_s if server else None
    return (stated.value if stated is not None else LINK_GBIT_PER_S) * accelerators * 1e9 / 8.0


def _by_tokens(entry: Any, found: Any, most_tokens: int) -> Array:
    """Time of a token on the axis of batched prompt tokens, as the simulator has it [s]."""
    base = entry.machines[found.scaled_from] if found.scaled_from else found
    rows = as_array(base.by_batched_tokens)
    factor = found.token_factor.value if found.token_factor else 1.0
    return interpolated(rows[:, 0], rows[:, 2] * 1e-3 * factor, np.arange(most_tokens + 1, dtype=np.float64))


def _watts(catalog: Catalog, entry: Any, found: Any) -> Watts:
    """Power of a profile's machine: measured shares of TDP where there are any, those of A100 elsewhere; some
    accelerators of a server take their share of its host and of the power set aside for it."""
    count = float(found.accelerator_count)
    whole = found if found.server else next(
        (one for one in entry.machines.values()
         if one.server and one.accelerator == found.accelerator and not one.scaled_from), None)  # fmt: skip
    tdp = count * catalog.get("accelerators", found.accelerator).tdp_w.value
    if whole is None:
        host, set_aside = HOST_W * count, None
    else:
        share = count / float(whole.accelerator_count)
        host, set_aside = catalog.get("servers", whole.server).host_power_w.value * share, whole.provisioned_w
    measured = found.power_token_fraction
    token = (A100_TOKEN_FRACTION if measured is None else measured.value) * tdp
    provisioned = tdp + host if whole is None or set_aside is None else set_aside.value * share
    most = CAP_FRACTION * tdp if found.scaled_from else tdp
    return Watts(most + host, min(token, most) + host, IDLE_FRACTION * tdp + host, provisioned)
