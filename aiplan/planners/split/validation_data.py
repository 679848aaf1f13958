"""What `aiplan validate --data` holds `aiplan split` to: the paper's designs, the simulator's runs, the closed form.

All but the runs replay requests by the thousand and need compiled code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aiplan.errors import InputError, Problem
from aiplan.planners.split.validation import PAPER
from aiplan.report.model import Column, Table
from aiplan.study.validate import Check, Results

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.planners.split.accuracy import Compared, Kind, Lengths
    from aiplan.planners.split.designs import Priced, Ratio, Row
    from aiplan.planners.split.offers import DecodeModel
    from aiplan.planners.split.rate_search import Trial
    from aiplan.planners.split.workload import Requests

PROFILES = {"bloom-176b": "splitwise-bloom-176b", "llama2-70b": "splitwise-llama2-70b"}
"""Profile of each model of the reference runs."""
PROFILE = PROFILES["bloom-176b"]
SERVERS = {"a": "dgx-a100", "h": "dgx-h100", "c": "dgx-h100-pcap"}
"""Machine of each letter in their names: ba and bh are unsplit, aa, hh, ha split."""
METRICS, AT = ("ttft", "tbt", "e2e"), (50, 90, 99)
NO_CHECKS = (
    "Splitwise's designs, closed form of `aiplan split`",
    "left out: thousands of replays need numba, pip install 'aiplan[fast]'",
)
"""What a report says in place of the checks."""

RUNS, TRACES = Path("splitwise") / "reference_runs.csv", Path("splitwise") / "traces"
CODE, CONVERSATION = (Path("traces") / f"azure_llm_2023_{name}.csv" for name in ("code", "conv"))
RATE_PER_S, SPAN_S, DRAWN = 70, 120.0, 40_000
"""Requests of the traces of the reference runs: rate [1/s], time they come in [s], requests drawn [1]."""
SEED, MORE_SEEDS = 2070, (101, 102, 103, 104)
"""Of the reference runs' conversation trace, and of four more by the same recipe."""
WITHIN_MACHINES = 2
"""How far a split may be from the paper's [1]: traces of two minutes tell no better, the paper's steps were of five."""
ROUNDING = 1e-6
"""Two of 45 machines are 2/45 but for the last digit [1]."""
TESTED_SEED, OTHER_SEED, SCENARIOS = 2311, 90_210, 32
"""Scenarios of the analytic level: those its tests hold it to, those no test has seen, how many of each [1]."""


# --- checks -----------------------------------------------------------------------------------------------------------


def data_checks(catalog: Catalog, data: Path) -> tuple[Check, ...]:
    """The paper's designs at equal power for conversation: splits by the scenario, rates by five traces.

    None without numba, for which they take a minute.
    """
    from aiplan.planners.split.compiled import numba_installed
    from aiplan.planners.split.designs import PUBLISHED, RATIOS

    if not numba_installed():
        return ()
    found = []
    for one in PUBLISHED:
        pair = {"AA": "aa", "HH": "hh", "HA": "ha", "HHcap": "hc"}.get(one.design)
        if pair is None or (one.budget, one.workload) != ("power", "conversation"):
            continue
        for column, count in (("prompt_machines", one.prompt), ("token_machines", one.token)):
            what = f"Splitwise: {one.design} at equal power, {column.replace('_', ' ')}"
            within = (WITHIN_MACHINES + ROUNDING) / count
            found.append(Check(what, count, within, PAPER, one.evidence, _machines(pair, column), "machines"))
    for ratio in RATIOS:
        if (ratio.budget, ratio.of) == ("power", "rate"):
            what = f"Splitwise: {ratio.design} at equal power, rate over {ratio.baseline}"
            found.append(Check(what, ratio.value, 0.05, PAPER, ratio.evidence, partial(_ratio, catalog, data, ratio)))
    return tuple(found)


def _machines(pair: str, column: str) -> Callable[[Results], float]:
    """Machines of the best split of a pair of kinds in the shipped scenario."""
    name = re.compile(rf"\d+ {SERVERS[pair[0]]} \+ \d+ {SERVERS[pair[1]]}")

    def got(results: Results) -> float:
        rows = results.report("splitwise-2024").table("designs").records()
        return next(float(row[column] or 0) for row in rows if name.fullmatch(str(row["design"])))

    return got


def _ratio(catalog: Catalog, data: Path, ratio: Ratio, _: Results) -> float:
    """Rate of the paper's split over the baseline's, mean over five traces."""
    from aiplan.planners.split.designs import BASELINES, BUDGET_H100, H100, PUBLISHED, split_cluster
    from aiplan.planners.split.rate_search import max_rate
    from aiplan.planners.split.replay import Cluster

    trial, machines = paper_trial(catalog, data, "simcompat", (SEED, *MORE_SEEDS)), paper_machines(catalog, "simcompat")
    split = next(one for one in PUBLISHED if one[:3] == (ratio.budget, "conversation", ratio.design))
    own = split_cluster(machines, ratio.design)(split.prompt, split.token)
    unit = machines[BASELINES[ratio.baseline]]
    base = Cluster(mixed=((unit.machine, int(BUDGET_H100 * machines[H100].power_w / unit.power_w)),))
    return max_rate(own, trial).rate_per_s / max_rate(base, trial).rate_per_s


# --- the paper's study ------------------------------------------------------------------------------------------------


def paper_machines(catalog: Catalog, decode_model: DecodeModel) -> Mapping[str, Priced]:
    """The three machines of the paper's designs, priced."""
    from aiplan.planners.split.designs import A100, H100, H100_CAP, Priced
    from aiplan.planners.split.offers import profile_offer

    found = {}
    for kind, letter in ((A100, "a"), (H100, "h"), (H100_CAP, "c")):
        offer = profile_offer(catalog, PROFILE, SERVERS[letter], decode_model)
        rent = offer.usd_per_h
        found[kind] = Priced(offer.machine, rent.value if rent else float("nan"), offer.watts.provisioned_w)
    return found


def conversation(data: Path, seed: int) -> Requests:
    """Two minutes of conversation by the recipe of the reference runs; `SEED` gives the very trace of theirs.

    NumPy's RandomState draws gaps, then rows for prompts, then rows for answers, from the Azure trace.
    """
    from aiplan.planners.split.trace_file import read_trace
    from aiplan.planners.split.workload import Requests

    known = read_trace(data / CONVERSATION)
    draw = np.random.RandomState(seed)
    arrival = np.cumsum(draw.standard_exponential(DRAWN) / RATE_PER_S)
    prompts, answers = draw.randint(0, known.count, DRAWN), draw.randint(0, known.count, DRAWN)
    kept = arrival < SPAN_S
    return Requests(arrival[kept], known.prompt_tokens[prompts[kept]], known.output_tokens[answers[kept]])


def paper_trial(catalog: Catalog, data: Path, decode_model: DecodeModel, seeds: Sequence[int]) -> Trial:
    """The paper's promises and rules, with decode times read as its simulator reads them or as measured."""
    from aiplan.planners.split.offers import profile_offer
    from aiplan.planners.split.rate_search import Load, Trial
    from aiplan.planners.split.replay import SIMULATOR
    from aiplan.planners.split.replay_plan import alone_on
    from aiplan.planners.split.slo import SPLITWISE

    reference = profile_offer(catalog, PROFILE, SERVERS["a"], decode_model)
    traces = [conversation(data, seed) for seed in seeds]
    loads = tuple(Load(requests, alone_on(reference, requests)) for requests in traces)
    return Trial(loads, SPLITWISE, SIMULATOR, simulator_tbt=True)


# --- tables of --data -------------------------------------------------------------------------------------------------


def data_tables(catalog: Catalog, data: Path) -> list[Table]:
    """How the replay stands beside the simulator's runs, the closed form beside the replay, both beside the paper.

    Without numba the first alone.

    Raises
    ------
    InputError (E185) where the folder lacks a file.
    """
    from aiplan.planners.split.compiled import numba_installed

    missing = [str(name) for name in (RUNS, CODE, CONVERSATION) if not (data / name).is_file()]
    if missing:
        raise InputError(Problem("E185", f"the folder lacks {', '.join(missing)}", file=str(data),
                                 hint="give the folder of public data to --data"))  # fmt: skip
    tables = [runs_table(catalog, data)]
    return [*tables, analytic_table(catalog, data), designs_table(catalog, data)] if numba_installed() else tables


def runs_table(catalog: Catalog, data: Path) -> Table:
    """The replay beside the 16 reference runs of SplitwiseSim, with the seconds that each took there."""
    from aiplan.inputs.table import read_csv

    rows = [_run(catalog, data, run) for run in read_csv(data / RUNS).rows]
    worst = max(row[2] for row in rows)
    agreed = sum(row[9] for row in rows)
    title = (
        f"Replay beside SplitwiseSim, {len(rows)} runs: worst of nine percentiles off by {worst:.2%}, "
        f"{agreed} verdicts agree"
    )
    columns = (
        Column("run", "run", keep=True), Column("requests", "requests"), Column("worst_error", "worst", keep=True),
        *(Column(f"{metric}_error", metric.upper()) for metric in METRICS),
        Column("borrowed_token", "token lent"), Column("borrowed_prompt", "prompt lent"),
        Column("slo_ok", "promises"), Column("slo_agrees", "agrees", keep=True),
        Column("simulator_s", "simulator took", "s"),
    )  # fmt: skip
    return Table("split_runs", title, columns, tuple(rows))


def _run(catalog: Catalog, data: Path, run: Mapping[str, str]) -> tuple[Any, ...]:
    """One row: errors of the nine percentiles by metric, machines lent, verdict, the simulator's seconds."""
    from aiplan.planners.split.compiled import numba_installed
    from aiplan.planners.split.offers import profile_offer
    from aiplan.planners.split.replay import SIMULATOR, Cluster, replay
    from aiplan.planners.split.replay_plan import alone_on
    from aiplan.planners.split.slo import SPLITWISE, judge, percentile, times
    from aiplan.planners.split.trace_file import read_trace

    asked = read_trace(data / TRACES / f"{run['trace']}.csv.gz")
    offers = {
        letter: profile_offer(catalog, PROFILES[run["model"]], SERVERS[letter], "simcompat")
        for letter in {"a", *run["kind"]} - {"b"}
    }
    first, second = tuple(run["kind"])
    prompts, tokens = int(run["n_prompt"]), int(run["n_token"])
    own = offers[second].machine
    split = Cluster(((offers[first].machine, prompts),), ((own, tokens),)) if first != "b" else None
    cluster = split or Cluster(mixed=((own, prompts),))
    found = replay(
        asked.arrival_s, asked.prompt_tokens, asked.output_tokens, cluster, SIMULATOR, compiled=numba_installed()
    )
    seen = times(found.ttft_s, found.e2e_s, asked.output_tokens, simulator=True)
    errors = [
        max(abs(percentile(getattr(seen, f"{metric}_s"), at) / float(run[f"{metric}_p{at}"]) - 1.0) for at in AT)
        for metric in METRICS
    ]
    kept = judge(seen, SPLITWISE, alone_on(offers["a"], asked)).kept
    return (
        run["name"], asked.count, max(errors), *errors, found.borrowed_token, found.borrowed_prompt, kept,
        kept is (run["slo_ok"] == "True"), float(run["wall_s"]),
    )  # fmt: skip


def analytic_table(catalog: Catalog, data: Path) -> Table:
    """Mean errors of the closed form beside the replay, by metric and percentile.

    In sample: scenarios of the seed of its tests. Other requests: another seed.
    Other machines: that seed on machines of which no constant was made.
    """
    from aiplan.planners.split.accuracy import COLUMNS, TARGETS, catalog_kinds, compared
    from aiplan.planners.split.trace_file import read_trace

    read = {name: read_trace(data / path) for name, path in (("code", CODE), ("conv", CONVERSATION))}
    lengths: dict[str, Lengths] = {name: (one.prompt_tokens, one.output_tokens) for name, one in read.items()}
    known, others = catalog_kinds(catalog), other_kinds(catalog)
    sets: list[list[Compared]] = [
        compared(seed, SCENARIOS, kinds, lengths)
        for seed, kinds in ((TESTED_SEED, known), (OTHER_SEED, known), (OTHER_SEED, others))
    ]
    errors = [np.array([one.errors for one in found]) for found in sets]
    rows = []
    for number, ((metric, at), goal) in enumerate(zip(COLUMNS, TARGETS, strict=True)):
        means = [float(np.mean(np.abs(found[:, number]))) for found in errors]
        every = np.concatenate([found[:, number] for found in errors])
        rows.append((metric, at, *means, float(np.mean(every)), float(np.max(np.abs(every))), goal,
                     "met" if max(means) <= goal else "missed"))  # fmt: skip
    title = f"Closed form beside the replay, mean error over {SCENARIOS} random clusters of each kind"
    columns = (
        Column("metric", "metric", keep=True), Column("percentile", "percentile", "%", keep=True),
        Column("in_sample_error", "in sample", keep=True), Column("other_requests_error", "other requests", keep=True),
        Column("other_machines_error", "other machines", keep=True), Column("bias", "bias"),
        Column("worst_error", "worst"), Column("goal", "goal"), Column("verdict", "verdict", keep=True),
    )  # fmt: skip
    return Table("split_analytic", title, columns, tuple(rows))


def other_kinds(catalog: Catalog) -> list[Kind]:
    """Pairs of machines that are not among `accuracy.catalog_kinds`: four accelerators, and a capped one."""
    from aiplan.planners.split.accuracy import Kind
    from aiplan.planners.split.offers import profile_offer

    pairs = (("llama2-70b", "h100-tp4", "h100-tp4"), ("llama2-70b", "h100-tp4", "a100-tp4"),
             ("llama2-70b", "a100-tp4", "a100-tp4"), ("bloom-176b", "dgx-h100", "dgx-h100-pcap"))  # fmt: skip
    ways: tuple[DecodeModel, ...] = ("simcompat", "measured")
    return [
        Kind(f"{model}, {way}, {prompt} + {token}",
             *(profile_offer(catalog, PROFILES[model], name, way).machine for name in (prompt, token)))
        for model, prompt, token in pairs for way in ways
    ]  # fmt: skip


def designs_table(catalog: Catalog, data: Path) -> Table:
    """The paper's designs for conversation at equal power, by one trace, with decode times read both ways.

    A plateau holds the splits within 1 % of the best; one trace tells no better, and moves rates by 2 %.
    """
    from aiplan.planners.split.designs import paper_study

    ways: tuple[DecodeModel, ...] = ("simcompat", "measured")
    rows = []
    for way in ways:
        study = paper_study(paper_trial(catalog, data, way, (SEED,)), paper_machines(catalog, way))
        rows += [_design(way, row) for row in study]
    columns = (
        Column("decode_model", "decode", keep=True), Column("design", "design", keep=True),
        Column("prompt_machines", "prompt", keep=True), Column("token_machines", "token", keep=True),
        Column("requests_per_s", "rate", "1/s", keep=True),
        Column("plateau_least_prompts", "plateau from"), Column("plateau_most_prompts", "to"),
        Column("paper_prompt_machines", "paper prompt"), Column("paper_token_machines", "paper token"),
        Column("paper_requests_per_s", "its rate", "1/s"), Column("baseline", "over"), Column("ratio", "ratio"),
        Column("paper_split_ratio", "paper's split"), Column("published_ratio", "published"),
        Column("evidence", "evidence"),
    )  # fmt: skip
    title = "Splitwise's designs at the power of 40 DGX H100, conversation, one trace of 2 minutes"
    return Table("split_designs", title, columns, tuple(rows))


def _design(way: DecodeModel, row: Row) -> tuple[Any, ...]:
    """One row; the ratio is over the baseline that the paper names, H100 unsplit where it names none."""
    from aiplan.planners.split.designs import RATIOS

    plateau = [one.prompt for one in row.splits.plateau()] if row.splits else [None]
    said = next((one for one in RATIOS if one[:3] == (row.budget, "rate", row.design)), None)
    base = said.baseline if said else "Baseline-H100"
    own, paper = row.published_limiting, row.published
    rate = row.limiting.rate_per_s
    ratio = row.over.get(base)
    return (
        way, row.design, row.prompt, row.token or None, rate, plateau[0], plateau[-1],
        paper.prompt if paper else None, paper.token if paper else None, own.rate_per_s if own else None,
        base if row.token else None, ratio if row.token else None,
        own.rate_per_s / rate * ratio if own and ratio else None, said.value if said else None,
        paper.evidence if paper else None,
    )  # fmt: skip
