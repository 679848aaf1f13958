"""A replay as a report: percentiles, promises, machines."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from aiplan.planners.arrays import Array
from aiplan.planners.split.phase_energy import phase_joules
from aiplan.planners.split.replay_plan import REFERENCE, ReplayResult
from aiplan.planners.split.replay_state import MIXED_POOL, PROMPT_POOL, TOKEN_POOL
from aiplan.planners.split.slo import METRICS, PERCENTILES, Judged, Times, of_ordered
from aiplan.report.model import Axis, Cell, Chart, Column, Line, Mark, Origin, Report, Series, Table, Warn

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

SECONDS_PER_HOUR = 3600.0
LABELS = {"ttft": "Time to first token", "tbt": "Time between tokens", "e2e": "Time to last token"}
FORMULAS = {
    "ttft": "end of the prompt's iteration - arrival",
    "tbt": "(E2E - TTFT) / (N - 1), by request",
    "e2e": "end of the last token's iteration - arrival",
}
POOLS = {PROMPT_POOL: "prompt", TOKEN_POOL: "token", MIXED_POOL: "mixed"}
SHARES = (1, 5, 10, 25, 50, 75, 90, 95, 99, 99.9)
"""Percentiles of the table of distributions [%]."""

NOT_MODELLED = (
    "network between machines shared by several transfers",
    "failures during the replay",
    "prefix caches, unless the trace says what was cached",
)


def replay_report(result: ReplayResult, catalog: Catalog) -> Report:
    """The report of a replay."""
    asked, found = result.asked, result.found
    profile = catalog.get("profiles", catalog.resolve("profiles", asked.profile))
    binding = result.judged.binding
    tight = f"; {binding.limit.name} is the tightest, at {binding.value:.3g}" if binding else ""
    pools = " + ".join(
        f"{count} {name} ({role})"
        for role, side in (("prompt", asked.prompt), ("token", asked.token), ("mixed", asked.mixed))
        for name, count in side
    )
    kept = "keep" if result.judged.kept else "do not keep"
    sources = {source: catalog.title(source) for source in (profile.source,) if source}
    return Report(
        planner="split-replay",
        title=f"Replay of {asked.trace.name} on {profile.name}",
        headline=f"{pools} {kept} all nine promises{tight}.",
        scenario=Origin(asked.trace.name, _digest(result)),
        catalog=Origin("hardware_catalog", catalog.sha256, catalog.version),
        seed=0,
        samples=0,
        lines=tuple(_lines(result, profile)),
        tables=(promises_table(result.judged), _machines(result), distribution_table(result.seen)),
        charts=tuple(distribution_charts(result.seen, {})),
        warnings=tuple(Warn(code, text) for code, text in result.warnings),
        not_modelled=NOT_MODELLED,
        sources=sources,
        context=(
            ("Cluster", pools),
            ("Decode model", asked.decode_model),
            ("Promises", f"slowdown against a {REFERENCE} of one's own (arXiv 2311.18677, Table VI)"),
            ("Requests", f"{result.requests.count:,}, the first and the last {result.requests.span_s:,.0f} s apart, "
                         f"served in {found.end_s - float(result.requests.arrival_s[0]):,.0f} s"),
        ),
    )  # fmt: skip


def _digest(result: ReplayResult) -> str:
    """Hash of what was replayed: the requests and the question."""
    found = hashlib.sha256(repr(result.asked.profile).encode())
    asked = result.asked
    found.update(repr((asked.prompt, asked.token, asked.mixed, asked.decode_model)).encode())
    for values in (result.requests.arrival_s, result.requests.prompt_tokens, result.requests.output_tokens):
        found.update(values.tobytes())
    return found.hexdigest()


def number(value: float) -> float | None:
    """A number of a report: None where it is not finite."""
    return float(value) if np.isfinite(value) else None


def quantile_lines(seen: Times, grade: str, sources: tuple[str, ...], *, simulator: bool = False) -> list[Line]:
    """``ttft_p50_s`` to ``e2e_p99_s``."""
    out = []
    for metric in METRICS:
        values = ordered(seen, metric)
        formula = "(E2E - TTFT) / N, by request" if metric == "tbt" and simulator else FORMULAS[metric]
        for at in PERCENTILES:
            value = number(of_ordered(values, at)) if len(values) else None
            out.append(
                Line(f"{metric}_p{at}_s", f"{LABELS[metric]}, P{at}", value, "s", grade=grade, sources=sources,
                     formula=formula)
            )  # fmt: skip
    return out


def ordered(seen: Times, metric: str) -> Array:
    """One of the three times of the requests that have it, in order: sorted once, however many percentiles follow."""
    values: Array = getattr(seen, f"{metric}_s")
    return np.sort(values[~np.isnan(values)])


def _lines(result: ReplayResult, profile: object) -> list[Line]:
    found, simulator = result.found, result.asked.decode_model == "simcompat"
    pcap = any("pcap" in name for name in result.offers)
    grade = "assumption" if pcap or result.asked.decode_model == "roofline" else "estimate"
    sources = (str(getattr(profile, "source", "")),)
    lines = quantile_lines(result.seen, grade, sources, simulator=simulator)

    def count(name: str, label: str, value: Cell, unit: str | None = None, formula: str = "") -> None:
        lines.append(Line(name, label, value, unit, grade=grade, sources=sources, formula=formula))

    binding = result.judged.binding
    count("slo_ok", "All promises kept", result.judged.kept, None, "every percentile below its limit")
    count("slo_tightest", "Tightest promise", binding.limit.name if binding else None)
    count("slo_slack", "Slack of it", number(binding.slack) if binding else None, None, "1 - value / limit")
    count("requests", "Requests", result.requests.count, None)
    count("unserved", "Requests never served", found.unserved, None)
    for role, name in ((PROMPT_POOL, "prompt"), (TOKEN_POOL, "token"), (MIXED_POOL, "mixed")):
        if np.any(found.pool == role):
            busy = (found.busy_prompt_s + found.busy_decode_s)[found.pool == role]
            count(f"{name}_utilisation", f"Busy time of {name} machines", number(float(np.mean(busy)) / found.end_s),
                  None, "busy time / time, mean over machines")  # fmt: skip
    count("kv_peak_fraction", "Fullest memory for caches", number(float(np.max(found.room_used))))
    count("borrowed_prompt", "Moves of prompt machines to the mixed pool", found.borrowed_prompt)
    count("borrowed_token", "Moves of token machines to the mixed pool", found.borrowed_token)
    asked = result.asked
    sides = [(result.offers[name], number_of) for name, number_of in (*asked.prompt, *asked.token, *asked.mixed)]
    for phase, joules in phase_joules(found, sides).items():
        value = joules / SECONDS_PER_HOUR / result.requests.count
        count(f"energy_{phase}_wh", f"Energy per request, {phase}", number(value), "Wh",
              "busy time x power of the phase / requests; host included")  # fmt: skip
    return lines


def promises_table(judged: Judged) -> Table:
    """One row per promise: limit, value, slack."""
    rows = tuple(
        (
            met.limit.metric,
            float(met.limit.percentile),
            "slowdown" if met.limit.slowdown else "s",
            met.limit.below,
            number(met.value),
            number(met.slack),
            met.value < met.limit.below,
        )
        for met in judged.met
    )
    columns = (
        Column("metric", "promise", keep=True),
        Column("percentile", "percentile", "%", keep=True),
        Column("unit", "in"),
        Column("limit", "limit", keep=True),
        Column("value", "value", keep=True),
        Column("slack", "slack"),
        Column("kept", "kept", keep=True),
    )
    return Table("promises", "Promises", columns, rows)


def _machines(result: ReplayResult) -> Table:
    """One row per pool and kind of machine: how busy, how full."""
    found, at, rows = result.found, 0, []
    asked = result.asked
    for role, side in (("prompt", asked.prompt), ("token", asked.token), ("mixed", asked.mixed)):
        for name, count in side:
            some = slice(at, at + count)
            steps = float(found.decode_steps[some].sum())
            rows.append(
                (role, name, count, float(np.mean(found.busy_prompt_s[some])) / found.end_s,
                 float(np.mean(found.busy_decode_s[some])) / found.end_s,
                 float(found.decode_tokens[some].sum()) / steps if steps else None,
                 float(np.max(found.room_used[some])))
            )  # fmt: skip
            at += count
    columns = (
        Column("pool", "pool", keep=True),
        Column("machine", "machine", keep=True),
        Column("machines", "machines", keep=True),
        Column("prompt_busy_fraction", "on prompts"),
        Column("decode_busy_fraction", "on tokens"),
        Column("decode_batch", "batch"),
        Column("kv_peak_fraction", "fullest memory"),
    )
    return Table("machines", "Machines", columns, tuple(rows))


def distribution_table(seen: Times) -> Table:
    """Percentiles of the three times, for spreadsheets."""
    known = {metric: ordered(seen, metric) for metric in METRICS}
    rows = tuple(
        (float(at), *(number(of_ordered(known[metric], at)) if len(known[metric]) else None for metric in METRICS))
        for at in SHARES
    )
    columns = (Column("percentile", "percentile", "%", keep=True),
               *(Column(f"{metric}_s", LABELS[metric], "s", keep=True) for metric in METRICS))  # fmt: skip
    return Table("distribution", "Distribution over requests", columns, rows, shown=False)


def distribution_charts(seen: Times, limits: dict[str, list[tuple[float, str]]]) -> list[Chart]:
    """How TTFT and TBT spread over requests, with limits in seconds as lines."""
    charts = []
    for metric in ("ttft", "tbt"):
        values = ordered(seen, metric)
        values = values[np.isfinite(values) & (values > 0)]
        if not len(values):
            continue
        levels = np.concatenate([np.arange(1, 100), [99.5, 99.9]])
        x = tuple(of_ordered(values, float(at)) for at in levels)
        charts.append(
            Chart(
                f"{metric}_distribution",
                f"{LABELS[metric]} over requests",
                Axis(LABELS[metric], "s", log=True),
                Axis("requests below", "%"),
                (Series("", x, tuple(float(at) for at in levels)),),
                tuple(Mark(value, label) for value, label in limits.get(metric, [])),
                table="distribution",
            )
        )
    return charts
