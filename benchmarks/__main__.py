"""Start-up, whole-process, sampling, prediction and replay figures, each against its target.

Run ``python -m benchmarks`` (or ``make bench``) on an idle machine. Times depend on the machine, so each is also given
as a multiple of what the same machine needs to start Python and import the libraries the command cannot do without;
those ratios travel between machines.
"""

from __future__ import annotations

import argparse
import compileall
import csv
import json
import platform
import random
import sys
import tempfile
from pathlib import Path

import aiplan
from benchmarks import cooling, lifecycle, split, stabilize, thermal_placement
from benchmarks.measure import AIPLAN, TO_MS, Figure, best_s, process_ms

PYTHON = [sys.executable, "-c"]
LIBRARIES = "import typer, pydantic, numpy, tomli; pydantic.BaseModel"
ROWS = 5_000
"""Deployments in the benchmarks of many predictions [1]."""
MODELS = ("llama-3.1-8b", "llama-3.1-70b", "qwen3-235b-a22b", "gpt-oss-120b", "deepseek-r1", "mixtral-8x7b")
HARDWARE = ("h100", "h200", "b200", "mi300x", "l40s", "a100")


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


def deployments(count: int) -> list[dict[str, str]]:
    """Rows of models, accelerators and loads as a user's file has them, the same in every run; a fifth is offline."""
    chance = random.Random(3)
    rows = []
    for number in range(count):
        row = {"model": chance.choice(MODELS), "hardware": chance.choice(HARDWARE), "n_gpus": "8",
               "framework": chance.choice(("vllm", "sglang", "tensorrt-llm")), "isl": str(chance.randint(100, 8000)),
               "osl": str(chance.randint(50, 2000)), "concurrency": str(chance.randint(1, 512))}  # fmt: skip
        rows.append(row if number % 5 else {**row, "concurrency": ""})
    return rows


def prediction_s(runs: int) -> float:
    """Seconds to predict `ROWS` deployments in a warm process [s]."""
    from aiplan.catalog.loader import Catalog
    from aiplan.planners.serving.predict import predict
    from aiplan.planners.serving.rows import Shelf, place

    shelf = Shelf(Catalog())
    rows = [place({key: text for key, text in cells.items() if text}, shelf) for cells in deployments(ROWS)]
    predict(rows, shelf)
    return best_s(lambda: predict(rows, shelf), runs)


def file_s(runs: int) -> float:
    """Seconds of ``aiplan perf --rows`` with `ROWS` deployments, the whole process [s]."""
    rows = deployments(ROWS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "deployments.csv")
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return process_ms([[*AIPLAN, "perf", "--rows", str(path)]], runs)[0] / 1e3


def figures(runs: int) -> list[Figure]:
    """Everything that is measured, the floor of all commands first."""
    processes: list[tuple[str, list[str], float | None]] = [
        ("python start", [*PYTHON, "pass"], None),
        ("python start and libraries", [*PYTHON, LIBRARIES], None),
        ("aiplan --help", [*AIPLAN, "--help"], 100.0),
        ("aiplan energy --format json", [*AIPLAN, "energy", "--format", "json"], 400.0),
        ("aiplan perf --format json", [*AIPLAN, "perf", "--format", "json"], 350.0),
        ("aiplan size --format json", [*AIPLAN, "size", "--format", "json"], None),
    ]
    times = process_ms([command for _, command, _ in processes], runs)
    return [
        *(Figure(what, value, "ms", target) for (what, _, target), value in zip(processes, times, strict=True)),
        Figure(f"aiplan perf --rows, {ROWS:,} rows", file_s(3), "s", 2.0),
        Figure("one prediction, warm", 1e3 * prediction_s(5) / ROWS, "ms", 0.2),
        Figure("1e6 draws x 5 models", sampling_s(1_000_000, 3), "s", 0.5),
        Figure("5e5 draws x 5 models", sampling_s(500_000, 3), "s"),
        Figure("2.5e5 draws x 5 models", sampling_s(250_000, 3), "s"),
        *split.figures(runs),
        *cooling.figures(runs),
        *thermal_placement.figures(1),
        *lifecycle.figures(runs),
        *stabilize.figures(runs),
    ]


def main() -> int:
    """Run everything, print a table, and write JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9, help="repetitions of each process")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    compileall.compile_dir(Path(aiplan.__file__).parent, quiet=1)  # as an installed package is
    rows = figures(arguments.runs)
    known = {row.what: row.value for row in rows}
    libraries = known["python start and libraries"]
    print(f"{'what':<34}{'figure':>10}  {'target':>9}  {'x libraries':>11}")
    for row in rows:
        target = "-" if row.target is None else f"{'>=' if row.at_least else '<='} {row.target:.3g}"
        ratio = f"{row.value * TO_MS[row.unit] / libraries:.2g}" if row.unit in TO_MS else "-"
        missed = "" if row.met else "  missed"
        print(f"{row.what:<34}{row.value:>8.3g} {row.unit:<3} {target:>9}  {ratio:>11}{missed}")
    linear = known["1e6 draws x 5 models"] / (4 * known["2.5e5 draws x 5 models"])
    print(f"cost of 1e6 draws over 4 x the cost of 2.5e5 (1 is linear): {linear:.2f}")
    if arguments.json:
        found = {
            row.what: {"figure": row.value, "unit": row.unit, "target": row.target, "at_least": row.at_least}
            for row in rows
        }
        machine = {"python": platform.python_version(), "machine": platform.machine(), "system": platform.system()}
        arguments.json.write_text(json.dumps({"machine": machine, "figures": found}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
