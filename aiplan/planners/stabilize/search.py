"""The cheapest mix that the grid accepts, and the front of those that nobody beats in cost, energy and time at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from aiplan.planners.stabilize.annual import Episodes
from aiplan.planners.stabilize.assess import Assessment, Judge
from aiplan.planners.stabilize.candidates import Options, before_storage, slopes, storages
from aiplan.planners.stabilize.check import check
from aiplan.planners.stabilize.limits import Finding, Limits
from aiplan.planners.stabilize.mitigation import INFINITE, GpuSmoothing, Mix, Storage
from aiplan.planners.stabilize.sizing import boundless, is_boundless, sized
from aiplan.planners.stabilize.wave import Wave
from aiplan.planners.stabilize.words import family

ROUNDS = 6
"""Times that each setting of a cheap mix is tried a little higher and lower [1]."""
STEPS = (0.5, 0.8, 0.95, 1.05, 1.25, 2.0)
"""Factors on a setting that are tried [1]."""
BETTER = 1e-3
"""Saving from which another setting is taken [1]."""
FAMILIES = 3
"""Kinds of mix from whose cheapest it is refined [1]: the one that is cheapest on the grid need not be in the end."""
SAME = 1e-9
"""Goals this near are equal [1]."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Found:
    """What a search has found.

    Attributes
    ----------
    plain : the job as it is
    assessments : every mix looked at, in the order of the search
    best : the cheapest that keeps limits and caps; None where none does
    front : mixes that no other beats in cost, energy and time at once, cheapest first
    refused : how many mixes broke which limit or cap worst
    binding : what the mixes that would be cheaper break most; empty where the plain job passes
    """

    plain: Assessment
    assessments: tuple[Assessment, ...]
    best: Assessment | None
    front: tuple[Assessment, ...]
    refused: dict[str, int]
    binding: str


def search(judge: Judge, options: Options, tdp_w: float, progress: Progress | None = None) -> Found:
    """Look at every mix the options allow, then move the cheapest that pass to where they are cheaper still.

    Parameters
    ----------
    judge : holds each to limits and caps
    tdp_w : of an accelerator [W]
    progress : told how many of how many are done
    """
    plain_run = judge.raw(Mix())[0]
    allowed = slopes(broken_limits(judge, plain_run.poi), judge.scene.site)
    swing = float(plain_run.poi.power_w.max() - plain_run.poi.power_w.min())
    before = list(before_storage(options, allowed, tdp_w, swing))
    behind = [(), *storages(options, allowed, swing)]
    assessments: list[Assessment] = []
    for mix in before:
        for storage in behind:
            if progress is not None:
                progress(len(assessments), len(before) * len(behind))
            assessments.append(assessed(judge, replace(mix, storage=storage)))
    for start in starts(assessments):
        assessments += refined(judge, start, max(options.floors_w))
    best = min((one for one in assessments if one.feasible), key=_cost, default=None)
    return Found(
        assessments[0], tuple(assessments), best, front(assessments), dict(_reasons(assessments)),
        binding(assessments, best),
    )  # fmt: skip


def assessed(judge: Judge, mix: Mix) -> Assessment:
    """A mix with its storage cut to the size it needs, assessed."""
    if not any(is_boundless(one) for one in mix.storage):
        return judge.judge(mix)
    episodes: Episodes = judge.raw(mix)[1]
    return judge.assess(sized(judge.scene, mix, judge.technologies, episodes, judge.rates, judge.caps.life_years))


def starts(assessments: Sequence[Assessment]) -> list[Assessment]:
    """The cheapest feasible mix of each kind, of the kinds whose cheapest are cheapest."""
    cheapest: dict[str, Assessment] = {}
    for one in sorted((one for one in assessments if one.feasible), key=_cost):
        cheapest.setdefault(family(one.mix), one)
    return list(cheapest.values())[:FAMILIES]


def broken_limits(judge: Judge, plain: Wave) -> Limits:
    """The limits without ramps and range that the job keeps as it is: measures need not slow it down for those."""
    limits = judge.limits
    found = check(plain, replace(limits, bands=(), flicker=None), judge.settle_s)
    kept = {(one.limit, one.name) for one in found if one.verdict == "pass"}
    kept -= {(one.limit, one.name) for one in found if one.verdict != "pass"}
    ramps = tuple(one for one in limits.ramps if not {("ramp_up", one.name), ("ramp_down", one.name)} <= kept)
    return replace(limits, ramps=ramps, range_w=None if ("range", "") in kept else limits.range_w)


def refined(judge: Judge, start: Assessment, most_floor_w: float = INFINITE) -> Iterator[Assessment]:
    """Neighbours of a mix, each setting a little higher and lower, from the cheapest so far, until none is cheaper.

    Floors stay between the least a job draws, below which they do nothing, and ``most_floor_w``.
    """
    best = start
    pauses = [pause for job in judge.scene.site.jobs for pause in (job.evaluation, job.checkpoint) if pause is not None]
    parts = [*(job.phases for job in judge.scene.site.jobs), *(pause.phases for pause in pauses)]
    floors = min(phase.power_w for phases in parts for phase in phases), most_floor_w
    for _ in range(ROUNDS):
        before = best
        for neighbour in _neighbours(best.mix, floors):
            found = assessed(judge, neighbour)
            yield found
            if found.feasible and _cost(found) < _cost(best) * (1.0 - BETTER):
                best = found
        if best is before:
            return


def _neighbours(mix: Mix, floors_w: tuple[float, float]) -> Iterator[Mix]:
    """Mixes with one setting changed; storage is sized anew."""
    free = tuple(unsized(one) for one in mix.storage)
    for factor in STEPS:
        if mix.gpu is not None:
            floor = min(mix.gpu.floor_w * factor, floors_w[1])
            if floor > floors_w[0] and floor != mix.gpu.floor_w:
                yield replace(mix, gpu=replace(mix.gpu, floor_w=floor), storage=free)
            if mix.gpu.ramp_up_w_per_s < INFINITE:
                fall = mix.gpu.ramp_down_w_per_s * factor
                yield replace(mix, gpu=_ramps(mix.gpu, factor), storage=free)
                yield replace(mix, gpu=replace(mix.gpu, ramp_down_w_per_s=fall), storage=free)
        if mix.secondary is not None:
            secondary = replace(mix.secondary, level_w=min(mix.secondary.level_w * factor, mix.secondary.ceiling_w))
            yield replace(mix, secondary=secondary, storage=free)
        for place, storage in enumerate(free):
            if is_boundless(storage):
                changed = [replace(storage, time_constant_s=storage.time_constant_s * factor)]
                if storage.rating_held:
                    changed.append(replace(storage, power_w=storage.power_w * factor))
                for one in changed:
                    yield replace(mix, storage=(*free[:place], one, *free[place + 1 :]))


def _ramps(gpu: GpuSmoothing, factor: float) -> GpuSmoothing:
    return replace(gpu, ramp_up_w_per_s=gpu.ramp_up_w_per_s * factor, ramp_down_w_per_s=gpu.ramp_down_w_per_s * factor)


def unsized(storage: Storage) -> Storage:
    """The same storage before it was cut to size; that of power supplies comes as it is."""
    return storage if storage.level == "psu" else boundless(storage)


def front(assessments: Sequence[Assessment]) -> tuple[Assessment, ...]:
    """Feasible mixes that no other beats in cost, energy and time at once, cheapest first; equals are named once."""
    passing = sorted((one for one in assessments if one.feasible), key=_objectives)
    out: list[Assessment] = []
    for one in passing:
        mine = _objectives(one)
        if not any(all(a <= b + SAME * max(abs(b), 1.0) for a, b in zip(_objectives(other), mine, strict=True))
                   for other in out):  # fmt: skip
            out.append(one)
    return tuple(out)


def binding(assessments: Sequence[Assessment], best: Assessment | None) -> str:
    """What the mixes that would be cheaper break most often; without a best, what all break."""
    cheaper = [one for one in assessments if best is None or (_cost(one) < _cost(best) and not one.feasible)]
    reasons = _reasons(cheaper)
    return reasons.most_common(1)[0][0] if reasons else ""


def _reasons(assessments: Sequence[Assessment]) -> Counter[str]:
    return Counter(reason(one) for one in assessments if not one.feasible)


def reason(one: Assessment) -> str:
    """The limit that a mix breaks worst, or the cap that it breaks, or what cannot be told; empty where nothing."""
    broken = [found for found in one.findings if found.binding and found.verdict == "fail"]
    if broken:
        worst = min(broken, key=lambda found: found.margin_fraction if found.margin_fraction is not None else 0.0)
        return limit_words(worst)
    if one.verdict == "undetermined":
        return "undetermined"
    return one.rejected[0] if one.rejected else ""


def shortfall(one: Assessment) -> tuple[int, float, float]:
    """How far a mix is from passing, to rank by: what the limits say, then caps, the worst margin, the cost."""
    margins = [item.margin_fraction for item in one.findings if item.binding and item.margin_fraction is not None]
    order = {"pass": 1 if one.rejected else 0, "undetermined": 2, "fail": 3}[one.verdict]
    return order, -min(margins, default=0.0) if order == 3 else 0.0, one.annual_usd


def limit_words(found: Finding) -> str:
    """A limit by name: what is limited, of which band or ramp, and in which state."""
    what = found.limit.replace("_", " ")
    state = "in steady state" if found.regime == "steady" else "in transients"
    return f"{what} {found.name} {state}".replace("  ", " ")


def _cost(one: Assessment) -> float:
    return one.annual_usd


def _objectives(one: Assessment) -> tuple[float, float, float]:
    return one.annual_usd, one.overhead_fraction, one.slowdown_fraction


__all__ = [
    "Found", "assessed", "binding", "front", "limit_words", "reason", "refined", "search", "starts", "unsized",
]  # fmt: skip
