"""Figures of `aiplan split`: replay, study of designs, closed form, whole processes.

The cluster is that of the reference runs, 25 + 15 DGX H100 for BLOOM 176B read as the paper's simulator reads it, under
conversations at 70 requests/s drawn from the catalog's statistics. Nothing here needs measured data.
``python -m benchmarks.split --requests 10_000_000`` replays so many once, with the memory they take.
"""

from __future__ import annotations

import argparse
import csv
import resource
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

from aiplan.catalog.loader import Catalog
from aiplan.inputs.scenario import load_scenario
from aiplan.planners.split.analytic import analyse, prepare
from aiplan.planners.split.arrivals import Arrivals
from aiplan.planners.split.case import Case, build_case
from aiplan.planners.split.compiled import numba_installed
from aiplan.planners.split.designs import paper_study
from aiplan.planners.split.inputs import SplitInputs
from aiplan.planners.split.rate_search import Load, Trial
from aiplan.planners.split.replay import SIMULATOR, Cluster, replay
from aiplan.planners.split.replay_plan import alone_on
from aiplan.planners.split.slo import SPLITWISE
from aiplan.planners.split.validation_data import paper_machines
from aiplan.planners.split.workload import Requests, generate
from benchmarks.measure import AIPLAN, Figure, best_s, process_ms

RATE_PER_S, SPAN_S = 70.0, 120.0
PROMPTS, TOKENS = 25, 15
LONG, SHORT, PLAIN = 1_000_000, 100_000, 10_000
"""Requests of the replays [1]."""


@cache
def case() -> Case:
    """The shipped scenario of the paper, with every name looked up."""
    return build_case(load_scenario("splitwise-2024", SplitInputs, (), "split").inputs, Catalog())


def conversations(count: int | None = None, span_s: float | None = None) -> Requests:
    """So many requests, or those of so many seconds."""
    return generate(1, Arrivals(RATE_PER_S), case().demand.lengths, count=count, duration_s=span_s)


def cluster() -> Cluster:
    """The cluster of the reference runs."""
    machine = next(offer.machine for offer in case().prompt if offer.name == "dgx-h100")
    return Cluster(((machine, PROMPTS),), ((machine, TOKENS),))


def replay_s(count: int, runs: int, *, compiled: bool) -> float:
    """Seconds of one replay of so many requests, the code loaded before [s]."""
    asked, machines = conversations(count), cluster()

    def task(part: slice = slice(None)) -> None:
        replay(asked.arrival_s[part], asked.prompt_tokens[part], asked.output_tokens[part], machines, SIMULATOR,
               compiled=compiled)  # fmt: skip

    task(slice(100))
    return best_s(task, runs)


def study_s() -> float:
    """Seconds to find the best split of all four designs and the rates of both baselines, by one trace [s]."""
    asked, reference = conversations(span_s=SPAN_S), case().reference
    assert reference is not None
    trial = Trial((Load(asked, alone_on(reference, asked)),), SPLITWISE, SIMULATOR, simulator_tbt=True)
    machines = paper_machines(Catalog(), "simcompat")
    return best_s(lambda: paper_study(trial, machines), 1)


def analytic_s(calls: int) -> float:
    """Seconds of one evaluation of the closed form, the sample prepared [s]."""
    asked, machine = conversations(4096), cluster().prompt[0][0]
    prepared = prepare(asked.prompt_tokens, asked.output_tokens, machine, machine)

    def task() -> None:
        for extra in range(calls):
            analyse(prepared, PROMPTS + extra, TOKENS, RATE_PER_S)

    return best_s(task, 5) / calls


def trace_ms(runs: int) -> float:
    """Wall time of ``aiplan split replay`` on a trace of two minutes, the whole process [ms]."""
    asked = conversations(span_s=SPAN_S)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "requests.csv")
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("arrival_timestamp", "prompt_size", "token_size"))
            writer.writerows(zip(asked.arrival_s.tolist(), asked.prompt_tokens.tolist(), asked.output_tokens.tolist(),
                                 strict=True))  # fmt: skip
        machines = ("--prompt", f"dgx-h100:{PROMPTS}", "--token", f"dgx-h100:{TOKENS}", "--decode-model", "simcompat")
        command = [*AIPLAN, "split", "replay", "--trace", str(path), "--profile", "splitwise-bloom-176b", *machines]
        return process_ms([command], runs)[0]


def figures(runs: int) -> list[Figure]:
    """Everything that is measured; what needs compiled code only where there is some."""
    found = []
    if numba_installed():
        long_s, short_s = replay_s(LONG, 3, compiled=True), replay_s(SHORT, 7, compiled=True)
        found += [
            Figure("replay, 1e6 requests", LONG / long_s, "1/s", 1e6, at_least=True),
            Figure("replay, 1e5 requests", SHORT / short_s, "1/s"),
            Figure("replay, 1e6 over 10 x 1e5", long_s / (LONG / SHORT * short_s), ""),
            Figure("four designs of Splitwise", study_s(), "s", 30.0),
        ]
    found += [
        Figure("replay, plain Python", PLAIN / replay_s(PLAIN, 2, compiled=False), "1/s"),
        Figure("one closed-form design", 1e3 * analytic_s(20), "ms", 1.0),
        Figure("aiplan split replay, 2 minutes", trace_ms(runs), "ms"),
        Figure("aiplan split", process_ms([[*AIPLAN, "split", "--format", "json"]], min(runs, 3))[0] / 1e3, "s"),
    ]
    return found


def main() -> int:
    """Replay so many requests once: seconds and peak memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=lambda text: int(text.replace("_", "")), default=LONG)
    count: int = parser.parse_args().requests
    asked, machines = conversations(count), cluster()
    drawn = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    compiled = numba_installed()
    part = slice(100)
    replay(asked.arrival_s[part], asked.prompt_tokens[part], asked.output_tokens[part], machines, compiled=compiled)
    start = time.perf_counter()
    found = replay(asked.arrival_s, asked.prompt_tokens, asked.output_tokens, machines, SIMULATOR, compiled=compiled)
    lasted = time.perf_counter() - start
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{count:,} requests in {lasted:.2f} s, {count / lasted:,.0f} requests/s, {found.unserved} unserved")
    # Kilobytes on Linux.
    print(f"peak memory {most / 1024:,.0f} MiB, {drawn / 1024:,.0f} MiB of it when the requests were drawn")
    return 0


if __name__ == "__main__":
    sys.exit(main())
