"""How a model is spread over devices: tensor, pipeline, attention data and expert parallelism."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Layout:
    """Degrees of parallelism of one copy of a model; every field a number, or an array with one row per deployment.

    Attributes
    ----------
    tp : tensor parallel, cuts every matrix and the KV heads [1]
    pp : pipeline parallel, divides the layers [1]
    dp : attention data parallel: ranks with attention and cache of their own that share the experts [1]
    ep : expert parallel, divides the experts among the ``tp * dp`` devices of a stage; 1 cuts each of them [1]
    """

    tp: Any = 1
    pp: Any = 1
    dp: Any = 1
    ep: Any = 1

    @property
    def devices(self) -> Array:
        """Devices of one copy, ``tp * pp * dp``: expert parallelism shares them and multiplies nothing [1].

        >>> float(Layout(tp=4, dp=4, ep=16).devices)
        16.0
        """
        return np.asarray(self.stage_devices * as_array(self.pp), dtype=np.float64)

    @property
    def stage_devices(self) -> Array:
        """Devices of one pipeline stage, ``tp * dp``; the experts of its layers are spread over all of them [1]."""
        return np.asarray(as_array(self.tp) * as_array(self.dp), dtype=np.float64)


FIELDS = tuple(Layout.__slots__)


def check_layout(layout: Layout, *, experts: Any = None, layers: Any = None, heads: Any = None) -> tuple[str, ...]:
    """Reject what cannot be, and say what is unusual.

    Parameters
    ----------
    layout : one or many
    experts, layers, heads : of the model, where known; 0 experts for a dense model [1]

    Returns
    -------
    Warnings, each once for all rows: heads that ``tp`` does not divide (engines refuse or pad), attention data
    parallelism or expert parallelism without experts, more expert ranks than experts (copies of experts).

    Raises ValueError unless all degrees are positive whole numbers, ``ep`` divides ``tp * dp``, and no stage is
    without a layer.
    """
    for name in FIELDS:
        degree = as_array(getattr(layout, name))
        require((degree >= 1) & (degree == np.round(degree)), f"{name} must be a whole number of 1 or more")
    ep = as_array(layout.ep)
    require(np.mod(layout.stage_devices, ep) == 0, "ep must divide tp * dp")
    if layers is not None:
        require(as_array(layout.pp) <= as_array(layers), "pp must not exceed the number of layers")
    warnings = []
    if heads is not None and np.any(np.mod(as_array(heads), as_array(layout.tp)) != 0):
        warnings.append("tp does not divide the attention heads: engines refuse this or pad")
    if experts is not None:
        dense = as_array(experts) < 1
        if np.any(dense & (as_array(layout.dp) > 1)):
            warnings.append("attention data parallelism without experts is the same as copies of the model")
        if np.any(dense & (ep > 1)):
            warnings.append("expert parallelism means nothing for a model without experts")
        if np.any(~dense & (ep > as_array(experts))):
            warnings.append("more expert-parallel ranks than experts: some experts are held twice")
    return tuple(warnings)


def complete_layout(
    n_gpus: Any, tp: Any = np.nan, pp: Any = np.nan, dp: Any = np.nan, ep: Any = np.nan, *, moe: Any = False
) -> Layout:
    """Fill in the degrees that are not known, so that ``n_gpus = tp * pp * dp``.

    The number of GPUs is authoritative. A missing ``tp`` takes all GPUs that ``pp`` and ``dp`` leave. What the known
    degrees leave over otherwise multiplies attention data parallelism for a model with experts, and pipeline stages
    for a dense one, whether or not a degree was stated: tables that count one group of several leave the other out.

    Parameters
    ----------
    n_gpus : GPUs of one copy of the model [1]
    tp, pp, dp, ep : degrees, NaN where unknown; unknown ``ep`` is 1
    moe : whether the model has experts

    Raises ValueError where the degrees do not divide the GPUs.

    Source: a convention of ours. Benchmark tables state GPUs and some of the degrees; counting TP x DP as one
    of its factors is wrong by the other (InferenceX pull request 2354).

    >>> layout = complete_layout(16, tp=4, ep=16, moe=True)
    >>> float(layout.dp), float(layout.devices)
    (4.0, 16.0)
    >>> float(complete_layout(8, tp=2).pp)
    4.0
    """
    rows = np.broadcast_arrays(*(as_array(value) for value in (n_gpus, tp, pp, dp, ep, moe)))
    gpus, tensor, pipeline, data, expert, has_experts = (np.array(row, dtype=np.float64) for row in rows)
    expert, pipeline, data = (np.where(np.isnan(row), 1.0, row) for row in (expert, pipeline, data))
    tensor = np.where(np.isnan(tensor), gpus / (pipeline * data), tensor)
    left = gpus / (tensor * pipeline * data)
    require((left >= 1) & (left == np.round(left)), "tp, pp and dp must divide the number of GPUs")
    shared = has_experts > 0
    layout = Layout(tensor, np.where(shared, pipeline, pipeline * left), np.where(shared, data * left, data), expert)
    check_layout(layout)
    return layout


def layouts(
    n_gpus_max: int, domain: int, *, heads: int | None = None, experts: int = 0, layers: int | None = None
) -> Layout:
    """Layouts worth searching, one row each, every degree a power of two.

    Tensor parallelism stays inside the scale-up domain, because it meets twice per layer, and divides the heads.
    Pipelines start where a stage fills the domain. Attention data parallelism needs experts; those are either
    divided among the devices of a stage (``ep = tp * dp``, at most one rank per expert) or, inside the domain,
    cut by it (``ep = 1``).

    Parameters
    ----------
    n_gpus_max : most devices of one copy [1]
    domain : devices that reach one another over the fast links [1]
    heads, experts, layers : of the model; unknown heads and layers limit nothing, 0 experts is a dense model

    Source: what the engines' own guides recommend; the restriction to powers of two is an assumption of ours.

    >>> layouts(4, 8, heads=64).tp.tolist()
    [1.0, 2.0, 4.0]
    """
    require(n_gpus_max >= 1 and domain >= 1, "n_gpus_max and domain must be 1 or more")
    fill = _powers(min(domain, n_gpus_max))[-1]
    rows = []
    for tp in _powers(fill):
        if heads is not None and heads % tp:
            continue
        for dp in _powers(n_gpus_max // tp if experts else 1):
            stage = tp * dp
            divided = (stage,) if experts and 1 < stage <= experts else ()
            ways = ((1,) if stage <= domain else ()) + divided
            stages = _powers(n_gpus_max // stage if stage >= fill else 1)
            rows += [(tp, pp, dp, ep) for pp in stages if layers is None or pp <= layers for ep in ways]
    return Layout(*np.array(rows, dtype=np.float64).T)


def _powers(limit: int) -> list[int]:
    """Powers of two up to a limit, 1 first."""
    return [1 << power for power in range(int(limit).bit_length())]
