"""Start-up, whole-process and sampling times, each against its target.

Run ``python -m benchmarks`` (or ``make bench``) on an idle machine. Times depend on the machine, so each is also given
as a multiple of what the same machine needs to start Python and import the libraries the command cannot do without;
those ratios travel between machines.
"""

from __future__ import annotations

import argparse
import compileall
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import aiplan

AIPLAN = [sys.executable, "-m", "aiplan"]
ENERGY = [*AIPLAN, "energy", "--format", "json"]
PYTHON = [sys.executable, "-c"]
LIBRARIES = "import typer, pydantic, numpy, tomli; pydantic.BaseModel"


def process_ms(command: list[str], runs: int) -> float:
    """Median wall time of a whole process [ms]."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def best_s(task: Callable[[], object], runs: int) -> float:
    """Best wall time of a call [s]."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        task()
        times.append(time.perf_counter() - start)
    return min(times)


def sampling_s(draws: int, runs: int) -> float:
    """Seconds to draw, evaluate and summarise five models of the journal preset [s]."""
    from aiplan.catalog.loader import Catalog
    from aiplan.inputs.scenario import load_scenario
    from aiplan.planners.energy.collect import build_case
    from aiplan.planners.energy.inputs import EnergyInputs
    from aiplan.planners.energy.serve import serve
    from aiplan.uncertainty.quantiles import summary

    scenario = load_scenario("oviedo-2026", EnergyInputs, [f"uncertainty.samples={draws}"], "energy")
    case = build_case(scenario.inputs, Catalog(), None)

    def task() -> None:
        values = case.parameters.draw(scenario.inputs.uncertainty)
        for one in serve(case, values, ("short",)).values():
            summary(one.energy_wh("facility"))

    task()
    return best_s(task, runs)


def main() -> int:
    """Run everything, print a table, and write JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9, help="repetitions of each process")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    compileall.compile_dir(Path(aiplan.__file__).parent, quiet=1)  # as an installed package is
    floor = process_ms([*PYTHON, "pass"], arguments.runs)
    libraries = process_ms([*PYTHON, LIBRARIES], arguments.runs)
    rows: list[tuple[str, float, str, float | None]] = [
        ("python start", floor, "ms", None),
        ("python start and libraries", libraries, "ms", None),
        ("aiplan --help", process_ms([*AIPLAN, "--help"], arguments.runs), "ms", 100.0),
        (
            "aiplan energy --format json",
            process_ms([*AIPLAN, "energy", "--format", "json"], arguments.runs),
            "ms",
            400.0,
        ),
        ("1e6 draws x 5 models", sampling_s(1_000_000, 3), "s", 0.5),
        ("5e5 draws x 5 models", sampling_s(500_000, 3), "s", None),
        ("2.5e5 draws x 5 models", sampling_s(250_000, 3), "s", None),
    ]
    print(f"{'what':<32}{'figure':>10}  {'target':>8}  {'x libraries':>11}")
    for what, figure, unit, target in rows:
        ratio = figure / libraries if unit == "ms" else None
        print(
            f"{what:<32}{figure:>8.3g} {unit}  {target if target else '-':>8}  {f'{ratio:.2f}' if ratio else '-':>11}"
        )
    linear = rows[-3][1] / (4 * rows[-1][1])
    print(f"cost of 1e6 draws over 4 x the cost of 2.5e5 (1 is linear): {linear:.2f}")
    if arguments.json:
        figures = {what: {"figure": figure, "unit": unit, "target": target} for what, figure, unit, target in rows}
        machine = {"python": platform.python_version(), "machine": platform.machine(), "system": platform.system()}
        arguments.json.write_text(json.dumps({"machine": machine, "figures": figures}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
