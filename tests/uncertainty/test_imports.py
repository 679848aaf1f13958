"""What is loaded when: reading is free of numpy, plain random sampling is free of scipy."""

from __future__ import annotations

import subprocess
import sys

import pytest

READING = """
from aiplan.uncertainty.distributions import json_schema, parse
d = parse({"lognormal": {"p5": 1.05, "p95": 1.6}, "truncate": {"low": 1}})
d.mean, d.median, d.quantile(0.05), d.text(), d.scaled(1000), json_schema()
parse({"pert": {"low": 1, "mode": 2, "high": 3}}).quantile(0.95)
import aiplan.uncertainty.sensitivity
"""

DRAWING = """
from aiplan.uncertainty.distributions import KINDS, parse
from aiplan.uncertainty.quantiles import half_width, summary, trim_two_stage
from aiplan.uncertainty.sampling import Sampler
from aiplan.uncertainty.sensitivity import sobol_indices
import tomli
sampler = Sampler(0, 5000, correlations=[("lognormal", "normal", 0.5)], names=tuple(KINDS))
for name, kind in KINDS.items():
    values = sampler.draw(name, parse(tomli.loads("v = " + kind.example)["v"]))
    summary(values), trim_two_stage(values), half_width(values)
cut = parse({"normal": {"mean": 1, "sd": 1}, "truncate": {"low": 0}})
sampler.draw("cut", cut)
sobol_indices(lambda x: x["a"] * 2, {"a": cut}, n=100, method="random")
"""


@pytest.mark.parametrize(
    ("code", "forbidden"),
    [(READING, ("numpy", "scipy")), (DRAWING, ("scipy",))],
    ids=["reading", "drawing"],
)
def test_modules_loaded(code: str, forbidden: tuple[str, ...]) -> None:
    check = f"import sys\nprint([m for m in {forbidden!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code + check], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
