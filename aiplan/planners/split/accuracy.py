"""How far the analytic level is from the replay: random clusters, the same requests through both.

Nothing was fitted to these scenarios. Mean absolute errors at the 50th, 90th and 99th percentile, 150 scenarios of seed
2024, looked at once: TTFT 0.7, 0.7, 0.6 %; TBT 0.2, 0.4, 0.7 %; E2E 0.4, 0.3, 0.6 %. Largest of any scenario: TTFT 18 %
(two prompt machines used 77 %), TBT 10 % (one token machine whose batch of 95 grows almost as fast as it shrinks).
The 200 scenarios of seeds 11 and 12, looked at while the model was written: TTFT 0.9, 1.2, 1.0 %; TBT 0.3, 0.4, 0.6 %;
E2E 0.4, 0.4, 0.7 %.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array
from aiplan.planners.split.analytic import SPARE_SD, Analytic, analyse, prepare
from aiplan.planners.split.arrivals import Arrivals
from aiplan.planners.split.replay import Cluster, Machine, Policy, Replayed, replay
from aiplan.planners.split.slo import METRICS, PERCENTILES, times

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

Lengths = tuple[npt.NDArray[Any], npt.NDArray[Any]]
"""Prompt and output tokens of the requests of a trace [tokens], each of shape (requests,)."""
COLUMNS = tuple((metric, at) for metric in METRICS for at in PERCENTILES)
"""What is compared: metric and percentile."""
TARGETS = (0.04, 0.07, 0.05, 0.01, 0.01, 0.01, 0.03, 0.03, 0.03)
"""Mean errors over scenarios that the analytic level must keep, one of each column [1]."""
UTILISATIONS = (0.3, 0.85)
"""Least and most lambda S_sat / n_P of the scenarios [1]."""
RATES_PER_S = (10.0, 150.0)
"""Least and most rate of the scenarios [1/s]."""
BATCHES = (2.0, 100.0)
"""Least and most sequences that token machines are bought for [1]."""
MEMORY_MOST = 0.9
"""Share of memory that may be in use with `SPARE_SD` standard deviations [1]."""
PROFILES = {"BLOOM": "splitwise-bloom-176b", "Llama 2": "splitwise-llama2-70b"}
PAIRS = (("dgx-h100", "dgx-h100"), ("dgx-h100", "dgx-a100"), ("dgx-a100", "dgx-a100"))
"""Profiles of the catalog, and pairs of a prompt and a token machine of each, that `catalog_kinds` takes."""
REQUESTS = 40_000
"""Requests of a scenario [1]: the run-up from an empty cluster then hardly counts."""


class Kind(NamedTuple):
    """A prompt and a token machine that serve the same model."""

    name: str
    prompt: Machine
    token: Machine


def catalog_kinds(catalog: Catalog) -> list[Kind]:
    """Twelve kinds: two models, three pairs of machines, decode times as simulated and as measured."""
    from aiplan.planners.split.offers import profile_offer

    return [
        Kind(
            f"{model}, {way}, {prompt} + {token}",
            profile_offer(catalog, profile, prompt, way).machine,
            profile_offer(catalog, profile, token, way).machine,
        )
        for model, profile in PROFILES.items()
        for way in ("simcompat", "measured")
        for prompt, token in PAIRS
    ]


@dataclass(frozen=True, slots=True, eq=False)
class Scenario:
    """A split cluster and the requests it gets.

    Attributes
    ----------
    name : what it is, in words
    cluster, policy : what serves the requests
    rate_per_s, arrival_cv2 : of the requests
    arrival_s, prompts, computed, outputs : the requests, shape (requests,)
    analytic : what level 1 says of them
    """

    name: str
    cluster: Cluster
    policy: Policy
    rate_per_s: float
    arrival_cv2: float
    arrival_s: Array
    prompts: npt.NDArray[Any]
    computed: npt.NDArray[Any]
    outputs: npt.NDArray[Any]
    analytic: Analytic


class Compared(NamedTuple):
    """A scenario by both ways.

    Attributes
    ----------
    name, arrival_cv2, token_batch : of the scenario
    analytic, exact : percentiles of level 1 and of the replay [s], shape (9,), in the order of `COLUMNS`
    utilisation : of the prompt machines, of level 1 and of the replay [1]
    """

    name: str
    arrival_cv2: float
    token_batch: float
    analytic: Array
    exact: Array
    utilisation: tuple[float, float]

    @property
    def errors(self) -> Array:
        """``analytic / exact - 1`` [1], shape (9,)."""
        return self.analytic / self.exact - 1.0


def scenario(
    seed: int, number: int, kinds: Sequence[Kind], traces: Mapping[str, Lengths], requests: int = REQUESTS
) -> Scenario:
    """A random scenario in which nothing should spill, so far as the analytic level can tell.

    Parameters
    ----------
    seed, number : the same two give the same scenario
    kinds : pairs of machines to choose from
    traces : lengths by name; prompts and outputs are drawn from them independently, two traces mixed by any share
    requests : how many [1]

    A third has arrivals that are not Poisson (cv2 0.5 to 2), a quarter a prefix cache that answers up to half of
    each prompt, half send their caches layer by layer, half have no limit on queues. Rate, utilisation, batches,
    memory and spilling lie within this module's bounds; what does not is drawn again. The replay is never asked.
    """
    generator = np.random.default_rng([seed, number])
    while True:
        found = _drawn(generator, kinds, traces, requests)
        if found is not None:
            return found


def _drawn(
    generator: np.random.Generator, kinds: Sequence[Kind], traces: Mapping[str, Lengths], requests: int
) -> Scenario | None:
    kind = kinds[int(generator.integers(len(kinds)))]
    names = sorted(traces)
    one, other = names[generator.integers(len(names))], names[generator.integers(len(names))]
    share = generator.random()
    chosen = generator.random(requests) < share
    prompts, outputs = (
        np.where(chosen, generator.choice(traces[one][side], requests), generator.choice(traces[other][side], requests))
        for side in (0, 1)
    )
    hits = generator.uniform(0.0, 0.5) if generator.random() < 0.25 else 0.0
    computed = prompts - np.minimum(np.rint(prompts * hits).astype(prompts.dtype), prompts - 1)
    cv2 = generator.uniform(0.5, 2.0) if generator.random() < 1.0 / 3.0 else 1.0
    policy = Policy(
        layer_wise=bool(generator.random() < 0.5), queue_tokens_max=8192 if generator.random() < 0.5 else 10**9
    )
    rate, batch = (float(np.exp(generator.uniform(*np.log(ends)))) for ends in (RATES_PER_S, BATCHES))
    prepared = prepare(prompts, outputs, kind.prompt, kind.token, policy, computed_tokens=computed)
    wanted = generator.uniform(*UTILISATIONS)
    prompt_count = max(round(rate * prepared.prompt_work.packed_s / wanted), 1)
    step = float(kind.token.decode_s[round(batch)])
    token_count = max(round(rate * prepared.token_work.mean_steps * step / batch), 1)
    found = analyse(prepared, prompt_count, token_count, rate, cv2)
    full = found.memory_share + SPARE_SD * found.memory_sd_share > MEMORY_MOST
    if full or not found.trusted or not UTILISATIONS[0] <= found.prompt_load <= UTILISATIONS[1]:
        return None
    mix = one if one == other else f"{one} {share:.0%}, {other} {1.0 - share:.0%}"
    return Scenario(
        name=f"{kind.name}, {mix}, {rate:.0f}/s, {prompt_count}+{token_count}",
        cluster=Cluster(((kind.prompt, prompt_count),), ((kind.token, token_count),)),
        policy=policy,
        rate_per_s=rate,
        arrival_cv2=cv2,
        arrival_s=Arrivals(rate, cv2).times_s(generator, count=requests),
        prompts=prompts,
        computed=computed,
        outputs=outputs,
        analytic=found,
    )


def replayed(one: Scenario) -> Replayed:
    """The replay of a scenario."""
    return replay(one.arrival_s, one.prompts, one.outputs, one.cluster, one.policy, computed_tokens=one.computed)


def compare(one: Scenario) -> Compared:
    """Percentiles of a scenario by both ways. Nothing is trimmed: run-up and emptying count."""
    run = replayed(one)
    seen = times(run.ttft_s, run.e2e_s, run.output_tokens)
    exact = np.array([np.nanpercentile(getattr(seen, f"{metric}_s"), at) for metric, at in COLUMNS])
    found = np.array([one.analytic.percentile(metric, at) for metric, at in COLUMNS])
    machines = one.cluster.prompt[0][1]
    busy = float(run.busy_prompt_s[:machines].sum()) / machines / float(one.arrival_s[-1])
    use = (one.analytic.prompt_utilisation, busy)
    return Compared(one.name, one.arrival_cv2, one.analytic.batch, found, exact, use)


def compared(
    seed: int,
    count: int,
    kinds: Sequence[Kind],
    traces: Mapping[str, Lengths],
    requests: int = REQUESTS,
) -> list[Compared]:
    """So many scenarios of a seed by both ways, see `scenario`; a longer list begins with a shorter one."""
    return [compare(scenario(seed, number, kinds, traces, requests)) for number in range(count)]


def mean_errors(found: Sequence[Compared]) -> tuple[Array, Array]:
    """Mean of the errors without and with their sign over scenarios [1], each of shape (9,), see `COLUMNS`."""
    errors = np.array([one.errors for one in found])
    return np.abs(errors).mean(axis=0), errors.mean(axis=0)
