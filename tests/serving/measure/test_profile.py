"""A profile is written as TOML or JSON and read back the same, and refuses what is no profile."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiplan.inputs.reader import parse_toml
from aiplan.planners.serving.measure.profile import Point, Profile, from_dict, to_dict, to_text

POINT = Point(
    batch=64,
    context_tokens=2048,
    tokens=64,
    time_s=0.0123,
    spread_s=1e-05,
    overhead_s=0.0,
    repeats=162,
    flop=1.5e13,
    read_bytes=3.25e10,
    power_w=612.5,
    sm_clock_mhz=1755.0,
)
PROFILE = Profile(
    measured_on=date(2026, 11, 22),
    model="llama-3.1-8b",
    precision="bf16",
    kv_precision="bf16",
    tensor_parallel=1,
    layers=(32, 0),
    timed_layers=((8, 0), (4, 0)),
    hardware="NVIDIA H100 80GB HBM3",
    driver="580.95.05",
    runtime="torch 2.15.0, CUDA 13.0",
    cuda_graphs=True,
    prefill=(replace(POINT, batch=1, tokens=2048, power_w=None, sm_clock_mhz=None),),
    decode=(POINT, replace(POINT, batch=1, tokens=1)),
    power_method="energy-counter",
    power_limit_w=700.0,
    idle_power_w=118.0,
    notes=("One accelerator.",),
)


def read(text: str, form: str) -> Profile:
    return from_dict(parse_toml(text.encode(), "profile.toml").data if form == "toml" else json.loads(text))


@pytest.mark.parametrize("form", ["toml", "json"])
def test_round_trip(form: str) -> None:
    assert read(to_text(PROFILE, form), form) == PROFILE
    without = replace(PROFILE, prefill=(), power_limit_w=None, idle_power_w=None, power_method="", notes=())
    assert read(to_text(without, form), form) == without
    assert to_text(PROFILE, form) == to_text(PROFILE, form)


numbers = st.floats(0.0, 1e300)
points = st.builds(
    Point,
    batch=st.integers(1, 10**6),
    context_tokens=st.integers(1, 10**7),
    tokens=st.integers(1, 10**9),
    time_s=numbers,
    spread_s=numbers,
    overhead_s=numbers,
    repeats=st.integers(1, 2000),
    flop=numbers,
    read_bytes=numbers,
    power_w=st.none() | numbers,
    sm_clock_mhz=st.none() | numbers,
)


@given(st.lists(points, max_size=4), st.text(max_size=30), st.sampled_from(["toml", "json"]))
def test_round_trip_of_any_numbers_and_names(rows: list[Point], name: str, form: str) -> None:
    if not name.isprintable() or any(0xD800 <= ord(character) <= 0xDFFF for character in name):
        name = ascii(name)  # what a reader of files refuses, a driver does not say
    profile = replace(PROFILE, decode=tuple(rows), hardware=name)
    assert read(to_text(profile, form), form) == profile


def test_text_is_one_point_per_line() -> None:
    lines = to_text(PROFILE, "toml").splitlines()
    assert lines[0] == 'schema = "aiplan/perf-profile/1"'
    assert "measured_on = 2026-11-22" in lines
    assert "layers = [32, 0]" in lines
    assert sum(line.startswith("  { batch = ") for line in lines) == 3
    assert not any("None" in line or "null" in line for line in lines)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": "aiplan/perf-profile/2"}, "schema"),
        ({"measured_on": "yesterday"}, "isoformat"),
        ({"measured_on": 20261122}, "day"),
        ({"layers": [32]}, "two counts"),
        ({"layers": [32, -1]}, "two counts"),
        ({"timed_layers": 8}, "list"),
        ({"colour": "red"}, "unknown field 'colour'"),
        ({"cuda_graphs": 1}, "cuda_graphs"),
        ({"tensor_parallel": True}, "tensor_parallel"),
        ({"idle_power_w": float("nan")}, "idle_power_w"),
        ({"decode": 3}, "list"),
        ({"decode": [3]}, "records"),
        ({"decode": [{"batch": 1}]}, "decode lacks 'context_tokens'"),
        ({"prefill": [to_dict(PROFILE)["decode"][0] | {"time_s": -1.0}]}, "time_s"),
        ({"prefill": [to_dict(PROFILE)["decode"][0] | {"batch": 1.5}]}, "batch"),
    ],
)
def test_what_is_no_profile_is_refused_by_name(change: dict[str, object], words: str) -> None:
    record = json.loads(to_text(PROFILE, "json"))
    with pytest.raises(ValueError, match=words):
        from_dict(record | change)


@pytest.mark.parametrize("missing", ["model", "layers", "decode", "measured_on", "timed_layers", "runtime"])
def test_what_is_missing_is_named(missing: str) -> None:
    record = json.loads(to_text(PROFILE, "json"))
    del record[missing]
    with pytest.raises(ValueError, match=missing):
        from_dict(record)


def test_only_numbers_are_written() -> None:
    broken = replace(PROFILE, idle_power_w=float("inf"))
    with pytest.raises(ValueError, match="finite"):
        to_text(broken, "toml")
    with pytest.raises(ValueError, match="JSON"):
        to_text(broken, "json")
    with pytest.raises(ValueError, match="toml, json"):
        to_text(PROFILE, "csv")
