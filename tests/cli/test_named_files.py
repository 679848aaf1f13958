"""Files that a scenario names are inputs of the run: no output goes over them, whatever the planner."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from aiplan.inputs.conversion import section_of
from aiplan.inputs.fields import NamesFile, _metadata
from aiplan.inputs.scenario import load_scenario
from aiplan.planners.cooling.inputs import CoolingInputs
from aiplan.planners.energy.inputs import EnergyInputs
from aiplan.planners.lifecycle.inputs import LifecycleInputs
from aiplan.planners.power.inputs import PowerInputs
from aiplan.planners.serving.inputs import PerfInputs
from aiplan.planners.site.inputs import SiteInputs
from aiplan.planners.size.inputs import SizeInputs
from aiplan.planners.split.inputs import SplitInputs
from aiplan.planners.stabilize.inputs import StabilizeInputs
from aiplan.planners.thermal.inputs import ThermalInputs
from aiplan.resources import find_trace
from tests.cli.runner import run

PLANNERS = (
    CoolingInputs,
    EnergyInputs,
    LifecycleInputs,
    PerfInputs,
    PowerInputs,
    SiteInputs,
    SizeInputs,
    SplitInputs,
    StabilizeInputs,
    ThermalInputs,
)
NAMES = ("energy_file", "file", "weather_file", "trace", "config", "stabilized")


def fields(model: type[BaseModel], at: str = "") -> Iterator[tuple[str, Any]]:
    """Every field of a scenario by its path, sections in lists and tables among them."""
    for name, field in model.model_fields.items():
        yield at + name, field
        if (inner := section_of(field.annotation)) is not None:
            yield from fields(inner, f"{at}{name}.")


@pytest.mark.parametrize("model", PLANNERS)
def test_fields_that_name_files_are_marked(model: type[BaseModel]) -> None:
    marked = {path for path, field in fields(model) if any(isinstance(item, NamesFile) for item in _metadata(field))}
    assert marked == {path for path, _ in fields(model) if path.rsplit(".", 1)[-1] in NAMES}


@pytest.mark.parametrize(
    ("planner", "key"),
    [
        ("cooling", "site.weather_file"),
        ("site", "site.weather_file"),
        ("power", "power.trace"),
        ("site", "power.trace"),
        ("power", "power.stabilized"),
        ("site", "power.stabilized"),
        ("thermal", "weather.file"),
        ("thermal", "vms.file"),
        ("split", "workload.trace"),
        ("perf", "deployment.config"),
        ("tco", "market.energy_file"),
        ("tco", "site.stabilized"),
        ("refresh", "site.stabilized"),
    ],
)
def test_a_named_file_is_never_written_over(tmp_path: Path, planner: str, key: str) -> None:
    precious = tmp_path / "precious.csv"
    precious.write_text("precious", encoding="utf-8")
    link = tmp_path / "link.csv"
    link.symlink_to(precious)
    for target in (precious, link):
        done = run(planner, "--set", f"{key}={json.dumps(str(precious))}", "-o", str(target), "--force")
        assert (done.code, done.out) == (2, "")
        assert "error[E202]" in done.err
        assert precious.read_text(encoding="utf-8") == "precious"


def test_the_option_counts_too(tmp_path: Path) -> None:
    year = tmp_path / "year.csv"
    year.write_text("precious", encoding="utf-8")
    done = run("cooling", "--weather", str(year), "-o", str(year), "--force")
    assert (done.code, "error[E202]" in done.err) == (2, True)
    assert year.read_text(encoding="utf-8") == "precious"


def test_a_file_beside_the_scenario(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text("precious", encoding="utf-8")
    own = tmp_path / "own.toml"
    text = '[scenario]\nname = "own"\nbase = "llama-70b-h200"\n[deployment]\nmodel = ""\nconfig = "config.json"\n'
    own.write_text(text, encoding="utf-8")
    done = run("perf", str(own), "-o", str(config), "--force")
    assert (done.code, "error[E202]" in done.err) == (2, True)
    assert config.read_text(encoding="utf-8") == "precious"


def test_what_a_scenario_reads() -> None:
    plain = load_scenario("cooling-ashburn", CoolingInputs)
    assert plain.reads() == plain.files
    shipped = load_scenario("split-70b", SplitInputs, ['workload.trace="conversation-synthetic"'])
    assert shipped.reads()[len(shipped.files) :] == (find_trace("conversation-synthetic"),)
    long = load_scenario("cooling-ashburn", CoolingInputs, [f'site.weather_file="{"x" * 3000}"'])
    assert long.reads() == long.files
