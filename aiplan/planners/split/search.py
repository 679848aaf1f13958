"""Designs for a rate, or the highest rate within a budget: closed form first, then proof by replay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from aiplan.errors import InfeasibleError
from aiplan.planners.split.case import Case
from aiplan.planners.split.compiled import worth_compiling
from aiplan.planners.split.design import Design, Pair, Predicted, Verified, pareto
from aiplan.planners.split.offers import Offer
from aiplan.planners.split.rate_search import TOLERANCE, Limiting, Load, Trial, backlog_limit, best_split, max_rate
from aiplan.planners.split.replay import replay
from aiplan.planners.split.slo import Limit, Times, alone, judge, times
from aiplan.planners.split.workload import Requests

SAMPLE = 4096
"""Requests drawn to stand for all [1]."""
MOST_MACHINES = 4096
"""Most machines of one kind that are looked at [1]."""
REPLAYS = 40
"""Replays that a search makes, more or less [1]."""
ALLOWANCE = 1.5
"""Budget over which a design in closed form is not replayed, by that budget [1]."""
PROOFS = 40
"""Steps down from a rate that one replay keeps to one that all do [1]."""
REPAIRS = 24
"""Machines added one by one to a design that a replay refutes [1]."""
COARSE = 24
"""Machines over the step in which they are added and taken away at first [1]."""


@dataclass(slots=True)
class Found:
    """What the search came to.

    Attributes
    ----------
    frontier : designs in closed form that no other beats in cost, power and machines
    verified : designs with their replays, best first: those that keep every promise before those that do not
    baselines : unsplit clusters with their replays
    rates : highest rate of each verified design and baseline, by label, where a rate was asked for [1/s]
    rate_per_s : rate everything above is at [1/s]
    """

    frontier: list[Predicted]
    verified: list[Verified]
    baselines: list[Verified]
    rate_per_s: float
    rates: dict[str, float] = field(default_factory=dict)
    replays: int = 0


class Search:
    """One question, with the replays that were already made."""

    def __init__(self, case: Case, progress: Callable[[int, int], None] | None = None) -> None:
        self.case, self.progress, self.replays = case, progress, 0
        self.sample = case.demand.sample(case.inputs.uncertainty.seed, SAMPLE)
        self.pairs = [
            Pair(
                prompt,
                token,
                self.sample,
                case.limits,
                case.reference,
                case.policy,
                case.demand.cv2,
                case.utilisation,
                simulator=case.simulator,
            )
            for prompt in case.prompt
            for token in case.token
        ]
        self._requests: dict[tuple[int, float], Requests] = {}
        self._references: dict[tuple[int, float], Times] = {}
        self._verified: dict[tuple[str, float], Verified] = {}

    def answer(self) -> Found:
        """Designs, best first.

        Raises
        ------
        InfeasibleError where no design keeps every promise, with the nearest one.
        """
        return self._for_budget() if self.case.inputs.split.objective == "rate" else self._for_rate()

    def pair_of(self, design: Design) -> Pair:
        """The prepared pair of a design's kinds of machine."""
        return next(one for one in self.pairs if (one.prompt, one.token) == (design.prompt, design.token))

    # --- at a rate ---

    def _for_rate(self) -> Found:
        case, rate = self.case, self.case.demand.rate_per_s
        every = [one for pair in self.pairs for one in pair.frontier(rate, MOST_MACHINES)]
        if not every:
            raise self._infeasible(rate)
        every.sort(key=lambda one: self._key(one.design))
        # Replays may take machines away: a design a little beyond the budget is not lost yet.
        near = [one for one in every if self._within(one.design, ALLOWANCE)] or every[:1]
        verified = self._ordered([self._made_sure(one.design, rate) for one in self._finalists(near)])
        if not verified[0].kept:
            raise _refuted(verified[0])
        affordable = [one for one in verified if self._within(one.design)]
        if not affordable:
            raise self._beyond(verified[0].design, rate)
        baselines = [one for offer in case.mixed if (one := self._least_mixed(offer, rate)) is not None]
        return Found(pareto(every, case.bought), affordable, baselines, rate, replays=self.replays)

    def _finalists(self, every: list[Predicted]) -> list[Predicted]:
        """The best design of each pair of kinds, then the next best of all."""
        most = self.case.inputs.split.finalists
        best = {one.design.pair: one for one in reversed(every)}
        chosen = sorted(best.values(), key=lambda one: self._key(one.design))[:most]
        chosen += [one for one in every if one not in chosen][: most - len(chosen)]
        return chosen

    def _made_sure(self, design: Design, rate: float) -> Verified:
        """The design by replay: with machines added until it keeps its promises, then without those it can spare."""
        found = self.verify(design, rate)
        for _ in range(REPAIRS):
            if found.kept:
                break
            found = self.verify(self._grown(found), rate)
        pair, step = self.pair_of(design), max(found.design.machines // COARSE, 1)
        while found.kept and step:
            fewer = (self.verify(one, rate, only_if_kept=True)
                     for one in self._smaller(found.design, step) if pair.carries(one, rate))  # fmt: skip
            better = next((one for one in fewer if one.kept), None)
            found, step = (found, step // 2) if better is None else (better, step)
        return self.verify(found.design, rate)

    @staticmethod
    def _grown(found: Verified) -> Design:
        """More machines of the kind whose promise is broken by most."""
        design = found.design
        if found.binding.limit.metric == "ttft" or design.token is None:
            return design.with_counts(design.prompts + max(design.prompts // COARSE, 1), design.tokens)
        return design.with_counts(design.prompts, design.tokens + max(design.tokens // COARSE, 1))

    def _smaller(self, design: Design, step: int) -> list[Design]:
        """The design with so many machines of a kind less, the cheapest first."""
        fewer = [design.with_counts(design.prompts - step, design.tokens),
                 design.with_counts(design.prompts, design.tokens - step)]  # fmt: skip
        return sorted((one for one in fewer if one.prompts > 0 and one.tokens > 0), key=self._key)

    def _key(self, design: Design) -> tuple[float, ...]:
        return self.case.bought(design).key(self.case.inputs.split.objective)

    def _ordered(self, verified: list[Verified]) -> list[Verified]:
        unique = {one.design.label: one for one in verified}
        return sorted(unique.values(), key=lambda one: (not one.kept, self._key(one.design)))

    def _least_mixed(self, offer: Offer, rate: float) -> Verified | None:
        """Fewest unsplit machines that keep every promise, by replay alone."""
        pair = Design(offer, 1)
        low, high = 0, max(1, round(rate / 4.0))
        while not self.verify(pair.with_counts(high, 0), rate, only_if_kept=True).kept:
            low, high = high, high * 2
            if high > MOST_MACHINES:
                return None
        while high - low > 1:
            middle = (low + high) // 2
            kept = self.verify(pair.with_counts(middle, 0), rate, only_if_kept=True).kept
            low, high = (low, middle) if kept else (middle, high)
        return self.verify(pair.with_counts(high, 0), rate)

    # --- within a budget ---

    def _for_budget(self) -> Found:
        case = self.case
        near = case.demand.rate_per_s
        predicted = [one for pair in self.pairs if (one := self._best_of_line(pair, near)) is not None]
        if not predicted:
            raise self._infeasible(1.0)
        predicted.sort(key=lambda one: -one[0])
        # All designs face the same requests, drawn at about the rate that they will come to.
        base = predicted[0][0]
        loads = tuple(Load(self.requests(seed, base), self._alone(seed, base)) for seed in self._seeds())
        trial = Trial(loads, case.limits, case.policy, simulator_tbt=case.simulator)
        highest = [self._best_near(one.design, trial, rate) for rate, one in predicted[: case.inputs.split.finalists]]
        for offer in case.mixed:
            design = self._mixed_within(offer)
            if design is not None:
                highest.append((design, max_rate(design.cluster, trial, guess_per_s=base)))
        rates: dict[str, float] = {}
        checked = []
        for tried, limiting in highest:
            proved = self._proved(tried, min(limiting.by_load), base)
            if proved is not None:
                rates[tried.label] = proved[0]
                checked.append(proved[1])
        checked.sort(key=lambda one: -rates[one.design.label])
        splits = [one for one in checked if one.design.token is not None]
        if not splits:
            raise self._infeasible(1.0)
        rate = rates[splits[0].design.label]
        baselines = [one for one in checked if one.design.token is None]
        return Found([one for _, one in predicted], splits, baselines, rate, rates, self.replays)

    def _best_near(self, design: Design, trial: Trial, rate: float) -> tuple[Design, Limiting]:
        """The best split by replay, in which pools help each other out, near the best in closed form: of those within a
        per cent of each other the one that borrows least."""
        pair = self.pair_of(design)
        line = self._line(pair.prompt, pair.token)
        reach = max(len(line) // 8, 2)
        near = [counts for counts in line if abs(counts[0] - design.prompts) <= reach]
        tried = best_split(near, lambda prompts, tokens: design.with_counts(prompts, tokens).cluster, trial,
                           stride=max(reach // 3, 1), guess_per_s=rate).steadiest()  # fmt: skip
        found = design.with_counts(tried.prompt, tried.token)
        return found, tried.limiting or max_rate(found.cluster, trial, guess_per_s=rate)

    def _best_of_line(self, pair: Pair, near: float) -> tuple[float, Predicted] | None:
        """The split of the budget with the highest rate in closed form; None where none keeps the promises."""
        line = self._line(pair.prompt, pair.token)
        rates = {counts: pair.highest_rate(*counts, near) for counts in _thinned(line)}
        best = max(rates, key=lambda counts: rates[counts], default=None)
        if best is None or rates[best] <= 0.0:
            return None
        reach = max(len(line) // 12, 2)
        for counts in line:
            if abs(counts[0] - best[0]) <= reach and counts not in rates:
                rates[counts] = pair.highest_rate(*counts, rates[best])
        best = max(rates, key=lambda counts: rates[counts])
        return rates[best], pair.predict(*best, rates[best])

    def _proved(self, design: Design, rate: float, base: float) -> tuple[float, Verified] | None:
        """The highest rate, from one on downwards, that every replay of the base requests keeps, and those replays."""
        for _ in range(PROOFS):
            if rate <= 0.0 or not np.isfinite(rate):
                return None
            for seed in self._seeds():
                # The same requests at another pace.
                self._requests[seed, rate] = self.requests(seed, base).stretched(rate)
            found = self.verify(design, rate)
            if found.kept:
                return rate, found
            rate /= 1.0 + TOLERANCE
        return None

    def _line(self, prompt: Offer, token: Offer) -> list[tuple[int, int]]:
        """Counts that use up the budget, one for each number of prompt machines."""
        found = []
        for prompts in range(1, MOST_MACHINES):
            tokens = self._room(token, Design(prompt, prompts))
            if tokens < 1:
                break
            found.append((prompts, tokens))
        return found

    def _room(self, kind: Offer, beside: Design | None = None) -> int:
        """Machines of a kind that the budget leaves beside others."""
        split, one = self.case.inputs.split, Design(kind, 1)
        usd, watts, count = (beside.usd_per_h, beside.power_w, beside.machines) if beside else (0.0, 0.0, 0)
        rest = []
        if split.budget_usd_per_h is not None:
            rest.append((split.budget_usd_per_h.value - usd) / one.usd_per_h)
        if split.budget_kw is not None:
            rest.append((1e3 * split.budget_kw.value - watts) / one.power_w)
        if split.budget_machines is not None:
            rest.append(float(split.budget_machines - count))
        least = min(rest, default=float("nan"))
        count = int(np.floor(least + 1e-9)) if np.isfinite(least) else 0
        while count > 0:
            design = beside._replace(token=kind, tokens=count) if beside else Design(kind, count)
            if self._within(design, 1.0 + 1e-9):
                break
            count -= 1
        return max(count, 0)

    def _mixed_within(self, offer: Offer) -> Design | None:
        count = self._room(offer)
        return Design(offer, count) if count >= 1 else None

    def _within(self, design: Design, allowance: float = 1.0) -> bool:
        """Whether a design with its spares stays within the budget, where there is one."""
        split, bought = self.case.inputs.split, self.case.bought(design)
        budgets = [(split.budget_usd_per_h.value, bought.usd_per_h)] if split.budget_usd_per_h else []
        budgets += [(1e3 * split.budget_kw.value, bought.power_w)] if split.budget_kw else []
        budgets += [(float(split.budget_machines), float(bought.machines))] if split.budget_machines else []
        return all(value <= most * allowance for most, value in budgets)

    # --- replays ---

    def _seeds(self) -> range:
        first = self.case.inputs.uncertainty.seed
        return range(first, first + (1 if self.case.demand.trace is not None else self.case.inputs.split.seeds))

    def requests(self, seed: int, rate: float) -> Requests:
        """The requests of a replay, drawn once."""
        key = (seed, rate)
        if key not in self._requests:
            self._requests[key] = self.case.demand.requests(seed, rate)
        return self._requests[key]

    def _alone(self, seed: int, rate: float) -> Times | None:
        """What the requests of a replay would see on a machine of their own, computed once."""
        reference, key = self.case.reference, (seed, rate)
        if reference is not None and key not in self._references:
            asked = self.requests(seed, rate)
            self._references[key] = alone(
                reference.machine, asked.prompt_tokens, asked.output_tokens, reference.step_by_tokens_s
            )
        return self._references.get(key)

    def verify(self, design: Design, rate: float, *, only_if_kept: bool = False) -> Verified:
        """Replay a design with every seed; with ``only_if_kept`` no further than shows that a promise is broken."""
        key = (design.label, rate)
        if key in self._verified:
            return self._verified[key]
        case, judged, replays, seen = self.case, [], [], []
        for seed in self._seeds():
            requests = self.requests(seed, rate)
            reference, policy = self._alone(seed, rate), case.policy
            if only_if_kept:
                most = backlog_limit(requests.arrival_s, case.limits, reference)
                policy = replace(policy, backlog_max=most)
            found = replay(
                requests.arrival_s, requests.prompt_tokens, requests.output_tokens, design.cluster, policy,
                computed_tokens=requests.computed_tokens, compiled=worth_compiling(requests.count * REPLAYS),
            )  # fmt: skip
            self.replays += 1
            if self.progress is not None:
                self.progress(self.replays, 0)
            seen.append(times(found.ttft_s, found.e2e_s, requests.output_tokens, simulator=case.simulator))
            judged.append(judge(seen[-1], case.limits, reference))
            replays.append(found)
            if only_if_kept and not judged[-1].kept:
                break
        verified = Verified(design, tuple(judged), seen[0], tuple(replays))
        if verified.kept or not only_if_kept:
            self._verified[key] = verified
        return verified

    # --- nothing keeps the promises ---

    def _beyond(self, design: Design, rate: float) -> InfeasibleError:
        """The best design is beyond the budget."""
        bought = self.case.bought(design)
        usd = f"{bought.usd_per_h:,.2f} USD/h, " if np.isfinite(bought.usd_per_h) else ""
        return InfeasibleError(
            f"no design within the budget keeps the promises at {rate:g} requests/s; the nearest is {design.label}: "
            f"{usd}{bought.power_w / 1e3:,.1f} kW, {bought.machines} machines, spares included",
            code="E223",
            hint="raise the budget to that, or relax the promises",
        )

    def _infeasible(self, rate: float) -> InfeasibleError:
        """No design in closed form: which promise no number of machines can keep."""
        nearest, misses = None, None
        for pair in self.pairs:
            one = pair.predict(MOST_MACHINES, MOST_MACHINES, rate)
            binding = one.judged.binding
            if binding is not None and (misses is None or binding.slack > misses.slack):
                nearest, misses = one.design, binding
        if nearest is None or misses is None or misses.slack > 0 or not np.isfinite(misses.value):
            return InfeasibleError(
                f"no design of up to {MOST_MACHINES:,} machines of a kind, or within the budget, carries {rate:g} "
                "requests/s", code="E223", hint="lower workload.requests_per_s, or name larger machines",
            )  # fmt: skip
        return InfeasibleError(
            f"no number of machines keeps {misses.limit.name}: the nearest, {nearest.pair}, comes to "
            f"{misses.value:.4g} however many there are",
            code="E223",
            hint=f"{self._nearest(nearest, rate)}; or name faster machines",
        )

    def _nearest(self, design: Design, rate: float) -> str:
        """Promises relaxed by as much as they are broken and a tenth, and the best design that keeps those."""
        pair = self.pair_of(design)
        met = pair.predict(design.prompts, design.tokens, rate).judged.met
        relaxed = [one.limit._replace(below=float(f"{1.1 * one.value:.3g}")) if one.slack <= 0 else one.limit
                   for one in met]  # fmt: skip
        changed = ", ".join(f"{_path(new)} = {new.below:g}" for new, one in zip(relaxed, met, strict=True)
                            if new != one.limit)  # fmt: skip
        case = self.case
        other = Pair(pair.prompt, pair.token, self.sample, relaxed, case.reference, case.policy, case.demand.cv2,
                     case.utilisation, simulator=case.simulator)  # fmt: skip
        front = other.frontier(rate, MOST_MACHINES)
        if not front:
            return f"relax {changed}"
        best = min(front, key=lambda one: self._key(one.design)).design
        return f"the nearest feasible design is {best.label} with {changed}"


def _path(limit: Limit) -> str:
    section = "slowdown" if limit.slowdown else "slo"
    return f"{section}.{limit.metric}_p{limit.percentile:g}{'' if limit.slowdown else '_s'}"


def _refuted(nearest: Verified) -> InfeasibleError:
    binding = nearest.binding
    return InfeasibleError(
        f"every design that should keep the promises breaks one in a replay; the nearest is {nearest.design.label}, "
        f"with {binding.limit.name} at {binding.value:.4g}",
        code="E223",
        hint="relax that promise, or lower split.utilisation_fraction",
    )


def _thinned(line: list[tuple[int, int]], most: int = 24) -> list[tuple[int, int]]:
    """Some of a line, its ends among them."""
    if len(line) <= most:
        return line
    return [line[round(number)] for number in np.linspace(0, len(line) - 1, most)]
