"""The wheel carries everything: installed in a fresh environment, away from the checkout, it answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    (found,) = folder.glob("*.whl")
    return found


def test_the_wheel_holds_catalog_and_scenarios(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for source, target in (("hardware_catalog", "hardware_catalog"), ("scenarios", "scenarios")):
        for path in [*(ROOT / source).rglob("*.toml"), *(ROOT / source).rglob("*.csv")]:
            assert f"aiplan/_shipped/{target}/{path.relative_to(ROOT / source).as_posix()}" in names
    assert "aiplan/_shipped/hardware_catalog/index.json" in names
    assert "aiplan/py.typed" in names
    assert not [name for name in names if name.startswith("tests/")]


@pytest.mark.slow
def test_a_fresh_environment_runs_three_commands(wheel: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True, capture_output=True)
    python = tmp_path / "env" / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(wheel)]
    subprocess.run(install, check=True, capture_output=True, text=True)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "AIPLAN"))}

    def run(*arguments: str) -> str:
        command = [str(tmp_path / "env" / "bin" / "aiplan"), *arguments]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path, env=environment)
        assert "Traceback" not in done.stderr
        return done.stdout

    answer = json.loads(run("energy", "oviedo-2026", "--samples", "2000", "--format", "json"))
    assert answer["schema"] == "aiplan/energy/1"
    assert "b200-sxm" in run("catalog", "show", "dgx-b200")
    assert "met" in run("validate", "--table", "checks", "--format", "csv")
    missing = subprocess.run([python, "-c", "import click"], capture_output=True, check=False)
    assert missing.returncode != 0, "the environment has click, so it cannot show that aiplan works without it"
