"""`aiplan thermal fit` and `aiplan thermal telemetry`: from a file to a scenario and back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from aiplan.planners.thermal.fit_plan import fit_plan, gpu_spread, largest_of
from aiplan.planners.thermal.fit_report import LINES
from aiplan.planners.thermal.telemetry_file import Telemetry, read_telemetry
from tests.cli.runner import run
from tests.thermal.cases import SMALL
from tests.thermal.golden import fitted


def written(
    path: Path,
    *,
    noise: float = 1.0,
    b: float = 0.11,
    count: int = 400,
    power: float = 400.0,
    memory: bool = False,
    drift: float = 0.0,
) -> Path:
    """Telemetry of servers with names of their own."""
    draw = np.random.Generator(np.random.PCG64(0))
    lines = ["time,server,gpu,inlet_c,power_w,temp_c" + (",mem_temp_c" if memory else "")]
    for server in range(2):
        for gpu in range(2):
            inlet, watts = draw.normal(24.0, 3.0, count), draw.uniform(60.0, power, count)
            temp = inlet + b * watts + 3.0 + gpu + draw.normal(0.0, noise, count) + drift * np.arange(count) / 288.0
            lines += [f"{300 * at},node{server},{gpu},{inlet[at]:.3f},{watts[at]:.2f},{temp[at]:.3f}"
                      + (f",{temp[at] + 10:.3f}" if memory else "") for at in range(count)]  # fmt: skip
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def codes(telemetry: Telemetry, tdp_w: float | None = None) -> list[str]:
    return [flag.code for flag in fit_plan(telemetry, tdp_w).flags]


def test_report_of_synthetic_telemetry(tmp_path: Path) -> None:
    report = fitted(tmp_path)
    assert report.headline.startswith("Synthetic telemetry: ")
    assert [line.id for line in report.lines] == [name for name in LINES if name != "memory_mae_c"]
    assert all(line.grade == "assumption" for line in report.lines)
    lines = {line.id: line.value for line in report.lines}
    assert lines["power_coefficient"] == pytest.approx(0.11, abs=4 * float(lines["power_coefficient_error"]))  # type: ignore[arg-type]
    assert lines["inlet_coefficient"] == pytest.approx(1.0, abs=4 * float(lines["inlet_coefficient_error"]))  # type: ignore[arg-type]
    assert lines["hall_load_kelvin"] == pytest.approx(2.0, abs=0.2)
    assert lines["inlet_slope_15_25"] == pytest.approx(0.6, abs=0.02)
    assert 0.7 < float(lines["mae_c"]) < float(lines["mae_out_of_sample_c"]) < 0.9  # type: ignore[arg-type]


def test_a_fit_of_real_names_is_measured(tmp_path: Path) -> None:
    file = written(tmp_path / "t.csv", memory=True)
    outcome = run("thermal", "fit", str(file), "--format", "json")
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)
    lines = {line["id"]: line for line in found["lines"]}
    assert lines["mae_c"]["grade"] == "measured"
    assert lines["memory_mae_c"]["value"] == pytest.approx(lines["mae_c"]["value"], abs=1e-3)
    assert found["schema"].startswith("aiplan/thermal-fit/")
    assert "synthetic" not in outcome.out.lower()


def test_the_written_scenario_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("thermal", "telemetry", "--servers", "3", "--rows", "2", "--days", "4").code == 0
    outcome = run("thermal", "fit", "synthetic-telemetry.csv", "--write-fit", "my-hall.toml")
    assert outcome.code == 0, outcome.err
    text = Path("my-hall.toml").read_text(encoding="utf-8")
    assert "SYNTHETIC" in text
    assert 'grade = "assumption"' in text
    outcome = run("thermal", "my-hall.toml", "--format", "json",
                  *(part for one in SMALL for part in ("--set", one)))  # fmt: skip
    assert outcome.code == 0, outcome.err
    lines = {line["id"]: line["value"] for line in json.loads(outcome.out)["lines"]}
    assert 60.0 < lines["max_gpu_temperature_c"] < 90.0


def test_the_written_scenario_of_measured_telemetry_says_measured(tmp_path: Path) -> None:
    target = tmp_path / "fit.toml"
    assert run("thermal", "fit", str(written(tmp_path / "t.csv")), "--write-fit", str(target)).code == 0
    text = target.read_text(encoding="utf-8")
    assert 'grade = "measured"' in text
    assert "inlet_base_c" not in text
    assert run("thermal", "fit", str(written(tmp_path / "t.csv")), "--write-fit", str(target)).code == 2


def test_telemetry_is_seeded_and_keeps_its_name(tmp_path: Path) -> None:
    def text(*more: str) -> str:
        outcome = run("thermal", "telemetry", "--servers", "1", "--rows", "1", "--days", "1", "-o", "-", *more)
        assert outcome.code == 0
        return outcome.out

    assert text() == text("--seed", "0") != text("--seed", "1")
    file = tmp_path / "plain.csv"
    file.write_text(text(), encoding="utf-8")
    assert "W-THERMAL-SYNTHETIC" in codes(read_telemetry(file))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"b": -0.01}, "W-THERMAL-SIGN"),
        ({"count": 100}, "W-THERMAL-FEW"),
        ({"power": 120.0}, "W-THERMAL-RANGE"),
        ({"drift": 1.0}, "W-THERMAL-DRIFT"),
    ],
)
def test_flags(tmp_path: Path, change: dict[str, float], code: str) -> None:
    telemetry = read_telemetry(written(tmp_path / "t.csv", **change))  # type: ignore[arg-type]
    assert code in codes(telemetry, 400.0)
    assert codes(read_telemetry(written(tmp_path / "fine.csv")), 400.0) == []


def test_an_inlet_sensor_in_the_wrong_place_is_flagged(tmp_path: Path) -> None:
    file = written(tmp_path / "t.csv", count=500)
    lines = file.read_text(encoding="utf-8").splitlines()
    moved = [lines[0]]
    for line in lines[1:]:
        cells = line.split(",")
        cells[3] = f"{float(cells[3]) / 2 + 10:.3f}"
        moved.append(",".join(cells))
    file.write_text("\n".join(moved), encoding="utf-8")
    assert "W-THERMAL-INLET" in codes(read_telemetry(file), 400.0)


def test_spread_of_gpus_comes_back(tmp_path: Path) -> None:
    report = fit_plan(read_telemetry(written(tmp_path / "t.csv", noise=0.01)))
    # Two GPUs 1 K apart: the hottest lies 0.5 K above their mean.
    assert gpu_spread(report) * largest_of(2) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("fit", "none.csv"), "E001"),
        (("fit", "constant.csv"), "E254"),
        (("fit", "good.csv", "--write-fit", "fit.txt"), "E259"),
        (("fit", "good.csv", "-o", "good.csv"), "E202"),
        (("telemetry", "--days", "365", "--servers", "1000"), "E259"),
        (("telemetry", "-o", "good.csv"), "E201"),
    ],
)
def test_refusals(arguments: tuple[str, ...], code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "good.csv")
    rows = "".join(f"{at},a,0,24,{60 + at},40\n" for at in range(50))
    (tmp_path / "constant.csv").write_text("time,server,gpu,inlet_c,power_w,temp_c\n" + rows, encoding="utf-8")
    outcome = run("thermal", *arguments)
    assert outcome.code == 2
    assert f"error[{code}]" in outcome.err
