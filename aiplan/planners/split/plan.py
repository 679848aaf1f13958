"""Inputs to result: the best split, what it saves over the same machines unsplit, and what it hangs on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from aiplan.errors import InputError, Problem
from aiplan.planners.split.case import Case, build_case
from aiplan.planners.split.design import Design, Pair, Verified
from aiplan.planners.split.inputs import SplitInputs
from aiplan.planners.split.offers import SIMCOMPAT, Offer, beyond_measured
from aiplan.planners.split.phase_energy import phase_joules
from aiplan.planners.split.replay import Machine, mean_batch
from aiplan.planners.split.search import MOST_MACHINES, Found, Search
from aiplan.report.model import Warn

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Energy:
    """Energy of one request by what it was spent on, facility included [Wh]."""

    prompt_wh: float
    token_wh: float
    idle_wh: float

    @property
    def total_wh(self) -> float:
        """All of it."""
        return self.prompt_wh + self.token_wh + self.idle_wh


@dataclass(frozen=True, slots=True)
class Change:
    """The best kinds of machine with one thing changed: so many are needed then; None where none suffice."""

    what: str
    prompts: int | None
    tokens: int | None


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour of the day on the best design, in closed form; times are percentiles in seconds."""

    hour: int
    requests_per_s: float
    prompt_utilisation: float
    token_utilisation: float
    ttft_p90_s: float
    tbt_p90_s: float
    facility_kw: float


@dataclass(slots=True)
class Result:
    """Everything the report prints, as numbers.

    Attributes
    ----------
    case, found : what was asked, and what the search came to
    best : the design recommended, with its replays
    energy : of one request on the best design
    changes : what the counts hang on, in closed form
    day : hour by hour, where the rate swings
    """

    case: Case
    found: Found
    best: Verified
    energy: Energy
    changes: list[Change] = field(default_factory=list)
    day: list[Hour] = field(default_factory=list)
    warnings: list[Warn] = field(default_factory=list)

    @property
    def bought(self) -> Design:
        """The best design with its spares."""
        return self.case.bought(self.best.design)


def plan(inputs: SplitInputs, catalog: Catalog, progress: Callable[[int, int], None] | None = None) -> Result:
    """Answer a scenario.

    Raises
    ------
    InputError for what cannot be worked with; InfeasibleError where no design keeps every promise.
    """
    case = build_case(inputs, catalog)
    search = Search(case, progress)
    _check_memory(case, search)
    found = search.answer()
    best = found.verified[0]
    result = Result(case, found, best, energy_of(best, case, found.rate_per_s))
    result.changes = _changes(case, search, found, best.design)
    result.day = _day(case, search, found, best.design)
    _warn(result)
    return result


def _check_memory(case: Case, search: Search) -> None:
    """Refuse requests that a machine can never hold: they would wait for ever."""
    largest = float(np.max(search.sample.prompt_tokens.astype(np.float64) + search.sample.output_tokens))
    for offer in {offer.name: offer for offer in (*case.prompt, *case.token, *case.mixed)}.values():
        if offer.machine.room_tokens <= largest:
            room = max(offer.machine.room_tokens, 0.0)
            raise InputError(
                Problem(
                    "E221",
                    f"hardware: {offer.name} holds {room:,.0f} tokens of KV cache, and a request needs {largest:,.0f}",
                    "hardware",
                    hint="leave it out, or name a larger tensor_parallel or a narrower precision",
                )
            )


def energy_of(verified: Verified, case: Case, rate_per_s: float) -> Energy:
    """Energy of one request: time in each phase times its power, and of the waiting machines, times PUE [Wh].

    A pool's machines that wait draw their idle power until the last request has left.
    """
    totals = np.zeros(3)
    for found in verified.replays:
        totals += np.array(list(phase_joules(found, verified.design.sides).values())) / len(found.ttft_s)
    prompt, token, idle = totals / len(verified.replays) * case.pue / SECONDS_PER_HOUR
    # Replays drain: their idle time is longer than that of a day, by the last request's answer.
    lasting = [found.end_s for found in verified.replays]
    asked = [len(found.ttft_s) / rate_per_s for found in verified.replays]
    return Energy(float(prompt), float(token), float(idle) * min(1.0, float(np.mean(asked) / np.mean(lasting))))


def _slower(offer: Offer, *, prompt: float = 1.0, token: float = 1.0, link: float = 1.0, room: float = 1.0) -> Offer:
    """An offer with factors on its times, network and memory."""
    old = offer.machine
    machine: Machine = replace(
        old, prompt_s=old.prompt_s * prompt, decode_s=old.decode_s * token, context_s=old.context_s * token,
        link_tokens_per_s=old.link_tokens_per_s * link, room_tokens=old.room_tokens * room,
    )  # fmt: skip
    return replace(offer, machine=machine)


def _changes(case: Case, search: Search, found: Found, design: Design) -> list[Change]:
    """How many machines of the best kinds are needed when one thing is otherwise, by the closed form."""
    if design.token is None:
        return []
    first, second, rate = design.prompt, design.token, found.rate_per_s

    def least(
        what: str, prompt: Offer = first, token: Offer = second, rate: float = rate, burst: float = 1.0
    ) -> Change:
        pair = Pair(prompt, token, search.sample, case.limits, case.reference, case.policy,
                    case.demand.cv2 * burst, case.utilisation, simulator=case.simulator)  # fmt: skip
        front = pair.frontier(rate, min(MOST_MACHINES, 8 * design.machines))
        front.sort(key=lambda one: case.bought(one.design).key(case.inputs.split.objective))
        return Change(what, front[0].design.prompts if front else None, front[0].design.tokens if front else None)

    return [
        least("as asked, closed form"),
        least("10 % more requests", rate=1.1 * rate),
        least("arrivals four times as bursty", burst=4.0),
        least("prompts take 10 % longer", _slower(first, prompt=1.1)),
        least(
            f"steps take {second.token_error - 1.0:.0%} longer, the times' error",
            token=_slower(second, token=second.token_error),
        ),
        least("network a tenth as fast", _slower(first, link=0.1), _slower(second, link=0.1)),
        least("10 % less memory for caches", token=_slower(second, room=0.9)),
    ]


def _day(case: Case, search: Search, found: Found, design: Design) -> list[Hour]:
    """The best design through the day: how busy, how fast and at what power, by the closed form."""
    profile = case.demand.profile
    if profile is None or design.token is None:
        return []
    pair = search.pair_of(design)
    first, second = design.prompt.watts, design.token.watts
    out = []
    for hour, factor in enumerate(profile.factors):
        rate = found.rate_per_s * factor / max(profile.factors)
        at = pair.predict(design.prompts, design.tokens, max(rate, 1e-6)).found
        watts = design.prompts * (first.idle_w + at.prompt_utilisation * (first.prompt_w - first.idle_w))
        watts += design.tokens * (second.idle_w + at.token_utilisation * (second.token_w - second.idle_w))
        out.append(Hour(hour, rate, at.prompt_utilisation, at.token_utilisation, at.percentile("ttft", 90),
                        at.percentile("tbt", 90), case.pue * watts / 1e3))  # fmt: skip
    return out


def _warn(result: Result) -> None:
    """What a reader must know before buying."""
    case, best, out = result.case, result.best, result.warnings
    out += case.warnings
    serving = case.inputs.serving
    if case.simulator:
        out.append(Warn("W-SPLIT-SIMCOMPAT", SIMCOMPAT, "serving.decode_model"))
    replays = best.replays
    if serving.profile and serving.decode_model == "measured":
        names = {offer.name for offer, _ in best.design.sides}
        note = beyond_measured(max(map(mean_batch, replays)), names)
        out += [Warn("W-SPLIT-BATCH", note, "serving.profile")] if note else []
    borrowed = sum(one.borrowed_prompt + one.borrowed_token for one in replays)
    if borrowed:
        out.append(Warn("W-SPLIT-BORROWED", f"in the replays machines of one pool helped out in the other "
                        f"{borrowed:,} times: both kinds must be able to do both", "split"))  # fmt: skip
    unsplit = best_unsplit(result)
    if unsplit is not None and (saving(result, unsplit) or 0.0) < 0.0:
        out.append(Warn("W-SPLIT-UNSPLIT", f"{unsplit.design.label} does as well for less, or more for as much, by "
                        f"'{case.inputs.split.objective}': splitting does not pay here", "hardware.mixed"))  # fmt: skip
    unpriced = sorted({offer.name for offer in (*case.prompt, *case.token, *case.mixed) if offer.usd_per_h is None})
    if unpriced:
        out.append(Warn("W-SPLIT-PRICE", f"no price by basis '{case.inputs.cost.basis}' of {', '.join(unpriced)}",
                        "cost.basis"))  # fmt: skip


def best_unsplit(result: Result) -> Verified | None:
    """The best unsplit cluster by the objective, where one was asked for and keeps the promises."""
    objective, found, bought = result.case.inputs.split.objective, result.found, result.case.bought
    kept = [one for one in found.baselines if one.kept]
    if found.rates:
        return max(kept, key=lambda one: found.rates[one.design.label], default=None)
    return min(kept, key=lambda one: bought(one.design).key(objective), default=None)


def saving(result: Result, unsplit: Verified) -> float | None:
    """How much less of the objective the split takes, spares included; how much more rate it carries [1]; None without
    prices."""
    objective, found = result.case.inputs.split.objective, result.found
    if objective == "rate":
        return found.rates[result.best.design.label] / found.rates[unsplit.design.label] - 1.0
    ours, theirs = result.bought.key(objective)[0], result.case.bought(unsplit.design).key(objective)[0]
    return 1.0 - ours / theirs if np.isfinite(ours) and np.isfinite(theirs) else None
