"""A cluster that could be built, what it costs, and what a closed form or a replay says of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from aiplan.planners.arrays import Array
from aiplan.planners.size.fleet import availability, spare_units
from aiplan.planners.split.analytic import Analytic, Prepared, analyse, prepare
from aiplan.planners.split.offers import Offer
from aiplan.planners.split.replay import Cluster, Policy, Replayed
from aiplan.planners.split.slo import Judged, Limit, Met, Times, alone, judge
from aiplan.planners.split.workload import Requests

SAMPLE = 2048
"""Requests that stand for all in the closed form [1]."""
UNLIMITED = float("inf")
UNSPLIT = " (unsplit)"


class Design(NamedTuple):
    """So many prompt and token machines; or mixed ones, as ``prompt`` without token machines."""

    prompt: Offer
    prompts: int
    token: Offer | None = None
    tokens: int = 0

    @property
    def label(self) -> str:
        """``25 dgx-h100 + 26 dgx-a100``."""
        first = f"{self.prompts} {self.prompt.name}"
        return f"{first} + {self.tokens} {self.token.name}" if self.token else f"{first}{UNSPLIT}"

    @property
    def counts(self) -> str:
        """``25 dgx-h100 + 26 dgx-a100``, without saying that a cluster is unsplit."""
        return self.label.removesuffix(UNSPLIT)

    @property
    def pair(self) -> str:
        """The kinds of machine, without counts."""
        return f"{self.prompt.name} + {self.token.name}" if self.token else f"{self.prompt.name}{UNSPLIT}"

    @property
    def cluster(self) -> Cluster:
        """What the replay works on."""
        if self.token is None:
            return Cluster(mixed=((self.prompt.machine, self.prompts),))
        return Cluster(((self.prompt.machine, self.prompts),), ((self.token.machine, self.tokens),))

    @property
    def sides(self) -> tuple[tuple[Offer, int], ...]:
        """Kinds of machine and their counts, prompts first."""
        return (
            ((self.prompt, self.prompts), (self.token, self.tokens)) if self.token else ((self.prompt, self.prompts),)
        )

    @property
    def machines(self) -> int:
        """All of them."""
        return self.prompts + self.tokens

    @property
    def accelerators(self) -> float:
        """Of all machines [1]."""
        return sum(offer.accelerators * count for offer, count in self.sides)

    @property
    def usd_per_h(self) -> float:
        """Rent; NaN where a machine has no price [USD/h]."""
        prices = [offer.usd_per_h.distribution.median if offer.usd_per_h else float("nan") for offer, _ in self.sides]
        return sum(price * count for price, (_, count) in zip(prices, self.sides, strict=True))

    @property
    def power_w(self) -> float:
        """Power set aside [W]."""
        return sum(offer.watts.provisioned_w * count for offer, count in self.sides)

    def key(self, objective: str) -> tuple[float, ...]:
        """What is made least, first to last; unknown prices last."""
        usd = self.usd_per_h if np.isfinite(self.usd_per_h) else UNLIMITED
        values = {"usd": usd, "power": self.power_w, "machines": float(self.machines)}
        first = objective if objective in values else "usd"
        return (values[first], *(values[name] for name in ("usd", "power", "machines") if name != first))

    def with_counts(self, prompts: int, tokens: int) -> Design:
        """The same kinds of machine in other numbers."""
        return self._replace(prompts=prompts, tokens=tokens)


class Reserve(NamedTuple):
    """How spares are counted: time between failures of an accelerator and to repair it [h], and the share of time in
    which enough machines of a pool must work [1]."""

    mttf_h: float
    mttr_h: float
    target: float

    def beside(self, design: Design) -> Design:
        """The design with its spares, pool by pool."""
        counts = [
            count + int(spare_units(count, availability(self.mttf_h, self.mttr_h, offer.accelerators), self.target))
            for offer, count in design.sides
        ]
        return design.with_counts(counts[0], counts[1] if len(counts) > 1 else 0)


@dataclass(frozen=True, slots=True)
class Predicted:
    """A design in closed form."""

    design: Design
    found: Analytic
    judged: Judged
    feasible: bool


@dataclass(frozen=True, slots=True)
class Verified:
    """A design in replays, one per seed.

    Attributes
    ----------
    design : what was replayed
    judged : the promises of each replay
    seen : what requests saw in the first replay [s]
    replays : the replays themselves
    """

    design: Design
    judged: tuple[Judged, ...]
    seen: Times
    replays: tuple[Replayed, ...]

    @property
    def kept(self) -> bool:
        """Whether every replay kept every promise."""
        return all(one.kept for one in self.judged)

    @property
    def worst(self) -> Judged:
        """Each promise as it came out worst."""
        met = [min(column, key=lambda one: one.slack) for column in zip(*(one.met for one in self.judged), strict=True)]
        return Judged(tuple(met), self.kept)

    @property
    def binding(self) -> Met:
        """The promise with the least slack in any replay."""
        return min(self.worst.met, key=lambda one: one.slack)


class Pair:
    """Two kinds of machine, prepared so that any number of each takes a millisecond."""

    def __init__(
        self,
        prompt: Offer,
        token: Offer,
        sample: Requests,
        limits: Sequence[Limit],
        reference: Offer | None,
        policy: Policy,
        cv2: float,
        utilisation: float,
        *,
        simulator: bool,
    ) -> None:
        self.prompt, self.token, self.limits = prompt, token, limits
        self.cv2, self.utilisation, self.simulator = cv2, utilisation, simulator
        self.prepared: Prepared = prepare(
            sample.prompt_tokens, sample.output_tokens, prompt.machine, token.machine, policy,
            computed_tokens=sample.computed_tokens, most=SAMPLE,
        )  # fmt: skip
        self.reference: Times | None = None
        if reference is not None:
            self.reference = alone(
                reference.machine, self.prepared.prompts, self.prepared.outputs, reference.step_by_tokens_s
            )
        self._known: dict[tuple[int, int, float], Predicted] = {}

    def predict(self, prompts: int, tokens: int, rate_per_s: float) -> Predicted:
        """So many machines at a rate, in closed form."""
        key = (prompts, tokens, rate_per_s)
        if key not in self._known:
            found = analyse(self.prepared, prompts, tokens, rate_per_s, self.cv2, simulator_tbt=self.simulator)
            judged = judge(found.times, self.limits, self.reference)
            feasible = judged.kept and found.trusted and found.prompt_load <= self.utilisation
            self._known[key] = Predicted(Design(self.prompt, prompts, self.token, tokens), found, judged, feasible)
        return self._known[key]

    def carries(self, design: Design, rate_per_s: float) -> bool:
        """Whether queues and memory stay in bounds for good, however short a replay is; promises aside."""
        found = self.predict(design.prompts, design.tokens, rate_per_s).found
        return not found.unstable and found.prompt_load <= self.utilisation

    def keeps(self, prompts: int, tokens: int, rate_per_s: float) -> bool:
        """Whether so many machines keep every promise at a rate."""
        return self.predict(prompts, tokens, rate_per_s).feasible

    def least_prompts(self, tokens: int, rate_per_s: float, most: int, least: int = 1) -> int | None:
        """Fewest prompt machines beside so many token machines; None where ``most`` are too few."""
        return _least(lambda count: self.keeps(count, tokens, rate_per_s), least, most)

    def frontier(self, rate_per_s: float, most: int) -> list[Predicted]:
        """Designs that keep every promise, of which none has both fewer prompt and fewer token machines."""
        first = _least(lambda count: self.keeps(most, count, rate_per_s), 1, most)
        if first is None:
            return []
        floor = self.least_prompts(most, rate_per_s, most) or most
        found: list[Predicted] = []
        tokens, before = first, most + 1
        while tokens <= most:
            prompts = self.least_prompts(tokens, rate_per_s, most, floor)
            if prompts is not None and prompts < before:
                found.append(self.predict(prompts, tokens, rate_per_s))
                before = prompts
            if before <= floor:
                break
            tokens += 1
        return found

    def highest_rate(self, prompts: int, tokens: int, near_per_s: float) -> float:
        """Highest rate at which so many machines keep every promise, within 0.5 % [1/s]; 0 for none."""
        low, high = 0.0, near_per_s
        while self.keeps(prompts, tokens, high) and high < 1e9:
            low, high = high, high * 2.0
        if low == 0.0:
            low = high
            while low > 1e-6 and not self.keeps(prompts, tokens, low):
                high, low = low, low / 2.0
            if low <= 1e-6:
                return 0.0
        while high / low > 1.005:
            middle = (low * high) ** 0.5
            low, high = (middle, high) if self.keeps(prompts, tokens, middle) else (low, middle)
        return low


def _least(test: Callable[[int], bool], least: int, most: int) -> int | None:
    """Smallest whole number from ``least`` to ``most`` for which something holds that holds for all above it."""
    if not test(most):
        return None
    low, high = least - 1, most
    # Powers of two first: the answer is far below the most.
    step = 1
    while low + step < high:
        if test(low + step):
            high = low + step
            break
        low, step = low + step, step * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if test(middle) else (middle, high)
    return high


def pareto(designs: Sequence[Predicted], bought: Callable[[Design], Design]) -> list[Predicted]:
    """Designs of which no other has less cost, less power and fewer machines, spares included, cheapest first."""

    def values(one: Predicted) -> Array:
        return np.array(bought(one.design).key("usd"))

    rows = [values(one) for one in designs]
    kept = [
        one
        for one, own in zip(designs, rows, strict=True)
        if not any(np.all(other <= own) and np.any(other < own) for other in rows)
    ]
    return sorted(kept, key=lambda one: bought(one.design).key("usd"))
