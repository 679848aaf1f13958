"""Other people's estimates of energy per query, moved to one boundary, one PUE and one length.

Published figures differ more than a hundredfold, not least because they count different things. ``normalise``
takes an estimate apart into factors, so that a table can show which of them explains the difference:

``E_norm = E_printed * (PUE_target / PUE_source) * (boundary factor) * (token factor)``

A boundary names the electrical loads inside the figure; ``pue`` is the overhead the printed value already
carries (1 for bare IT energy). "facility" means server plus idle. Nothing is guessed in silence: what an
estimate does not state leaves a reason in place of a number, unless the caller hands over an assumption,
which is then listed.

The second half holds two peers' formulas for comparison. They are described here, not endorsed: see each
one's limits. Their constants live in the catalog entries (``ecologits-0.9.1``) and not in this file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array
from aiplan.planners.energy.query import BOUNDARIES, SECONDS_PER_HOUR, BoundaryEnergies

NodeSeconds = Callable[[float, float], float]
"""Law ``S(input_tokens, output_tokens)`` [s]; only ratios of it are used, so its scale is free."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A published figure as its source prints it.

    Attributes
    ----------
    boundary : one of ``BOUNDARIES``, or ``life_cycle`` or ``not_stated``
    energy_wh : energy per query [Wh]; None where only a per-token figure or no energy was published
    energy_j_per_token : energy per output token [J], used when ``energy_wh`` is None
    pue : PUE inside the figure, 1 for none; None when the source does not say
    input_tokens, output_tokens : lengths the figure holds for; None when the source does not say
    """

    boundary: str
    energy_wh: float | None = None
    energy_j_per_token: float | None = None
    pue: float | None = None
    input_tokens: float | None = None
    output_tokens: float | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """Where to move estimates to.

    Attributes
    ----------
    boundary : one of ``BOUNDARIES``
    pue : PUE to carry, >= 1; with boundary ``server`` this is the convention of Oviedo and of Epoch
    input_tokens, output_tokens : lengths to scale to; None for both keeps each estimate's own
    """

    boundary: str
    pue: float
    input_tokens: float | None = None
    output_tokens: float | None = None

    def __post_init__(self) -> None:
        if self.boundary not in BOUNDARIES:
            raise ValueError(f"unknown boundary '{self.boundary}': one of {', '.join(BOUNDARIES)}")
        if self.pue < 1:
            raise ValueError("pue must be at least 1")
        if (self.input_tokens is None) != (self.output_tokens is None):
            raise ValueError("give both token counts or neither")


@dataclass(frozen=True, slots=True)
class BoundaryRatios:
    """What one boundary adds to the one inside it [ratios].

    The defaults are Google's split of the median Gemini prompt (arXiv:2508.15734; total published, split
    second-hand): host over accelerator 0.06/0.14 = 0.43, idle over active 0.02/0.20 = 0.10. Other fleets
    differ: 1.6 kW of host beside eight H100 at 0.7 TDP is 0.41, and a busier fleet idles less.
    """

    host_per_accelerator: float = 0.43
    idle_per_active: float = 0.10

    def level(self, boundary: str) -> float:
        """Energy of a boundary's loads over the accelerators' energy, PUE left out."""
        server = 1 + self.host_per_accelerator
        levels = {"accelerator": 1.0, "server": server}
        return levels.get(boundary, server * (1 + self.idle_per_active))


@dataclass(frozen=True, slots=True)
class NormalisedEstimate:
    """The steps from the printed value to the normalised one; a factor that cannot be known is None.

    Attributes
    ----------
    printed_wh : value as printed [Wh per query, or per output token for a per-token figure]
    pue_factor, boundary_factor, token_factor : the three factors
    own_length_wh : at the target's boundary and PUE, tokens left as they are [Wh per query]
    normalised_wh : all three applied [Wh per query]
    reason : why ``normalised_wh`` is None, else empty
    assumptions : what was assumed on the way, one clause each
    """

    printed_wh: float | None
    pue_factor: float | None
    boundary_factor: float | None
    token_factor: float | None
    own_length_wh: float | None
    normalised_wh: float | None
    reason: str
    assumptions: tuple[str, ...]


_Factor = tuple[float | None, str, str]  # factor, reason when None, assumption made


def _pue_factor(estimate: Estimate, target: Target, pue_if_unknown: float | None) -> _Factor:
    if estimate.pue is not None:
        return target.pue / estimate.pue, "", ""
    if pue_if_unknown is not None:
        return target.pue / pue_if_unknown, "", f"PUE of the source taken as {pue_if_unknown:g}"
    return None, "PUE not stated", ""


def _boundary_factor(estimate: Estimate, target: Target, ratios: BoundaryRatios) -> _Factor:
    if estimate.boundary not in BOUNDARIES:
        return None, f"boundary {estimate.boundary.replace('_', ' ')}", ""
    factor = ratios.level(target.boundary) / ratios.level(estimate.boundary)
    if factor == 1:
        return 1.0, "", ""
    host, idle = ratios.host_per_accelerator, ratios.idle_per_active
    return factor, "", f"host {host:g} of accelerator energy, idle {idle:g} of active energy"


def _token_factor(
    estimate: Estimate,
    target: Target,
    node_seconds: NodeSeconds | None,
    input_tokens_if_unknown: float | None,
) -> _Factor:
    if estimate.energy_wh is None and estimate.energy_j_per_token is not None:
        if target.output_tokens is None:
            return None, "per-token figure: needs an output length", ""
        return target.output_tokens, "", "energy per token taken as the same at any length"
    if target.input_tokens is None or target.output_tokens is None:
        return 1.0, "", ""
    if estimate.output_tokens is None:
        return None, "output tokens not stated", ""
    own_input, assumption = estimate.input_tokens, ""
    if own_input is None:
        if input_tokens_if_unknown is None:
            return None, "input tokens not stated", ""
        own_input = input_tokens_if_unknown
        assumption = f"input tokens of the source taken as {own_input:g}"
    if (own_input, estimate.output_tokens) == (target.input_tokens, target.output_tokens):
        return 1.0, "", assumption
    if node_seconds is None:
        return None, "no law to scale tokens with", assumption
    own_s = node_seconds(own_input, estimate.output_tokens)
    if not own_s > 0:
        raise ValueError("the node-seconds law must be above 0 at the estimate's own length")
    return node_seconds(target.input_tokens, target.output_tokens) / own_s, "", assumption


def _product(*factors: float | None) -> float | None:
    result = 1.0
    for factor in factors:
        if factor is None:
            return None
        result *= factor
    return result


def normalise(
    estimate: Estimate,
    target: Target,
    ratios: BoundaryRatios | None = None,
    node_seconds: NodeSeconds | None = None,
    pue_if_unknown: float | None = None,
    input_tokens_if_unknown: float | None = None,
) -> NormalisedEstimate:
    """Move a published estimate to a boundary, a PUE and a length, keeping every factor.

    Parameters
    ----------
    estimate, target : what was published, and where to move it
    ratios : what each boundary adds; Google's split when None
    node_seconds : law ``S(input_tokens, output_tokens)`` of a reference model, for the token factor
        ``S(target) / S(own)``; not needed when lengths agree or the target has none
    pue_if_unknown, input_tokens_if_unknown : assumptions for what a source leaves out; each use is listed

    Returns
    -------
    NormalisedEstimate; ``normalised_wh`` is None with a reason where something needed is not stated.

    Raises ``ValueError`` when the law gives no positive time at the estimate's own length.

    Source: boundaries as in Google (arXiv:2508.15734). Valid as an explanation of differences, not as a
    prediction: batch, precision and hardware stay the source's, and one reference law stands for every model.

    A GPU-only measurement, Qwen3-235B FP8 on eight H100 (ML.ENERGY v3, 3,961 W), as facility energy:

    >>> moved = normalise(
    ...     Estimate("accelerator", energy_wh=0.1815, pue=1.0, output_tokens=881),
    ...     Target("facility", pue=1.2),
    ...     BoundaryRatios(host_per_accelerator=1600 / 3961),
    ... )
    >>> round(moved.normalised_wh, 2)
    0.34
    """
    ratios = ratios or BoundaryRatios()
    per_token = estimate.energy_wh is None
    printed = estimate.energy_wh
    if printed is None and estimate.energy_j_per_token is not None:
        printed = estimate.energy_j_per_token / SECONDS_PER_HOUR
    steps = (
        _boundary_factor(estimate, target, ratios),
        _pue_factor(estimate, target, pue_if_unknown),
        _token_factor(estimate, target, node_seconds, input_tokens_if_unknown),
    )
    (boundary_factor, pue_factor, token_factor) = (step[0] for step in steps)
    reasons = ["no energy published"] if printed is None else [step[1] for step in steps if step[1]]
    return NormalisedEstimate(
        printed_wh=printed,
        pue_factor=pue_factor,
        boundary_factor=boundary_factor,
        token_factor=token_factor,
        own_length_wh=None if per_token else _product(printed, pue_factor, boundary_factor),
        normalised_wh=_product(printed, pue_factor, boundary_factor, token_factor),
        reason="; ".join(reasons),
        assumptions=tuple(step[2] for step in steps if step[2]),
    )


@dataclass(frozen=True, slots=True)
class EcologitsCoefficients:
    """Constants of EcoLogits' language-model method; the names are the fields of its catalog entry.

    Attributes
    ----------
    energy_slope_wh_per_token, energy_batch_exponent, energy_floor_wh_per_token : energy of one accelerator
        per token, ``slope * exp(exponent * batch) * A + floor`` with A active parameters in billions
    latency_slope_s_per_token, latency_batch_slope_s_per_token, latency_floor_s_per_token : time per token,
        ``slope * A + batch_slope * batch + floor``
    batch : requests served together
    weight_bits, memory_overhead_factor, accelerator_memory_gb : size of the deployment
    host_power_w, server_accelerator_count : host power of a server and the accelerators it holds
    """

    energy_slope_wh_per_token: float
    energy_batch_exponent: float
    energy_floor_wh_per_token: float
    latency_slope_s_per_token: float
    latency_batch_slope_s_per_token: float
    latency_floor_s_per_token: float
    batch: float
    weight_bits: float
    memory_overhead_factor: float
    accelerator_memory_gb: float
    host_power_w: float
    server_accelerator_count: float


def ecologits_accelerator_count(total_params_billion: npt.ArrayLike, coefficients: EcologitsCoefficients) -> Array:
    """Accelerators EcoLogits deploys a model on.

    ``n = 2 ** ceil(log2(ceil(overhead * P * bits / 8 / memory)))``, P in billions of parameters

    Source: EcoLogits 0.9.1, ``ecologits/impacts/llm.py``. Always 16 bit and H100-80GB, so an FP8 deployment
    comes out at twice its size; 405B gets 16.
    """
    c = coefficients
    memory_gb = c.memory_overhead_factor * as_array(total_params_billion) * c.weight_bits / 8
    needed = np.maximum(np.ceil(memory_gb / c.accelerator_memory_gb), 1.0)
    return np.asarray(2.0 ** np.ceil(np.log2(needed)), dtype=np.float64)


def ecologits_energies(
    total_params_billion: npt.ArrayLike,
    active_params_billion: npt.ArrayLike,
    output_tokens: npt.ArrayLike,
    coefficients: EcologitsCoefficients,
    pue: npt.ArrayLike = 1.0,
) -> BoundaryEnergies:
    """Energy per request by EcoLogits' formulas [Wh].

    ``E_acc = n L (slope exp(exponent B) A + floor)``
    ``E_server = E_acc + L (latency per token) P_host (n / n_server) / (3600 B)``
    ``E_facility = PUE * E_server``; there is no idle term, so ``server_idle_wh`` equals ``server_wh``.

    Parameters
    ----------
    total_params_billion, active_params_billion : P and A, arrays broadcast
    output_tokens : L, generated tokens; the method takes no input tokens at all
    coefficients : constants of one version; an upgrade has moved results 44-fold (betagouv/ComparIA #253), so
        print the version beside the value
    pue : of the operator; EcoLogits uses 1.09-1.20

    Source: EcoLogits 0.9.1, ``ecologits/impacts/llm.py``, in Wh (third parties misquote the result as kWh).
    Limits: batch fixed at 64, 16 bit, H100. Against 195 measured H100 runs (ML.ENERGY v3) its accelerator
    energy has a median ratio of 0.93 but a median error of 56 %; near batch 64 the error is 35 %.
    """
    c = coefficients
    active = as_array(active_params_billion)
    tokens = as_array(output_tokens)
    count = ecologits_accelerator_count(total_params_billion, c)
    one_wh_per_token = c.energy_slope_wh_per_token * np.exp(c.energy_batch_exponent * c.batch) * active
    accelerator_wh = count * tokens * (one_wh_per_token + c.energy_floor_wh_per_token)
    token_s = c.latency_slope_s_per_token * active + c.latency_batch_slope_s_per_token * c.batch
    latency_s = tokens * (token_s + c.latency_floor_s_per_token)
    host_w = c.host_power_w * count / c.server_accelerator_count / c.batch
    server_wh = accelerator_wh + latency_s * host_w / SECONDS_PER_HOUR
    facility_wh = as_array(pue) * server_wh
    arrays = np.broadcast_arrays(accelerator_wh, server_wh, server_wh, facility_wh)
    return BoundaryEnergies(*(np.asarray(values, dtype=np.float64) for values in arrays))


def jegham_energy_wh(
    output_tokens: npt.ArrayLike,
    user_tokens_per_s: npt.ArrayLike,
    ttft_s: npt.ArrayLike,
    *,
    node_accelerator_w: npt.ArrayLike,
    node_host_w: npt.ArrayLike,
    accelerator_fraction: npt.ArrayLike,
    host_fraction: npt.ArrayLike,
    accelerator_count: npt.ArrayLike,
    node_accelerator_count: npt.ArrayLike = 8,
    batch: npt.ArrayLike = 8,
    pue: npt.ArrayLike = 1.12,
) -> Array:
    """Energy per query from the speed a user of an API sees [Wh]; for comparison only.

    ``E = (L / TPS + TTFT) / 3600 * (P_acc f_acc + P_host f_host) * G / (N B) * PUE``

    Parameters
    ----------
    output_tokens, user_tokens_per_s, ttft_s : answer length, decode speed and time to first token of ONE user
    node_accelerator_w, node_host_w : rated power of a node's accelerators and of the rest of it [W]
    accelerator_fraction, host_fraction : share of each that is drawn
    accelerator_count, node_accelerator_count : G accelerators of the model, N accelerators of a node
    batch : B, requests assumed to share the node
    pue : of the host, 1.12 for Azure there

    Source: Jegham et al. (arXiv:2505.09598) as coded and documented in ScottLogic/OpenInferESG. An API's
    speed hides its batch; 8 is assumed, which is small, hence 2.35 Wh for a short R1 answer against 0.63 by
    Oviedo.

    GPT-4o at 5.5 % utilisation over the 33.84 s of a long answer, the document's own example (1.79 Wh):

    >>> round(float(jegham_energy_wh(1500, 1500 / 33.84, 0, node_accelerator_w=10_200, node_host_w=1_600,
    ...     accelerator_fraction=0.055, host_fraction=0.5, accelerator_count=8)), 2)
    1.79
    """
    time_s = as_array(output_tokens) / as_array(user_tokens_per_s) + as_array(ttft_s)
    accelerator_w = as_array(node_accelerator_w) * as_array(accelerator_fraction)
    host_w = as_array(node_host_w) * as_array(host_fraction)
    share = as_array(accelerator_count) / (as_array(node_accelerator_count) * as_array(batch))
    energy_wh = time_s / SECONDS_PER_HOUR * (accelerator_w + host_w) * share * as_array(pue)
    return np.asarray(energy_wh, dtype=np.float64)
