"""Machines that clusters are built from: every one of the profiles in every decode model, and those of the roofline."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from aiplan.catalog.loader import Catalog
from aiplan.errors import InputError
from aiplan.planners.serving.deployment import Deployment
from aiplan.planners.serving.predict import calibrations, choose, serve
from aiplan.planners.serving.roofline import Rates, decode_step, prefill, rates
from aiplan.planners.serving.rows import Row, Shelf
from aiplan.planners.serving.time_constants import TimeConstants, constants_of
from aiplan.planners.split.offers import (
    DECODE_MODELS,
    DecodeModel,
    Offer,
    link_bytes_per_s,
    machine_names,
    policy_of,
    profile_offer,
)
from aiplan.planners.split.replay import SIMULATOR
from aiplan.planners.split.serving_offers import CONCURRENCY, KNOTS, Timed, timed

PROFILES = ("splitwise-bloom-176b", "splitwise-llama2-70b")
TOKENS, BATCH = 4096, 128
CONTEXT = 1200.0
EVERY = [(profile, name) for profile in PROFILES for name in machine_names(Catalog(), profile)]
ROW = Row("llama-3.1-70b", "h100-sxm", "fp8", "vllm", n_gpus=4.0, tp=4.0, isl=1000.0, osl=300.0)


@lru_cache
def catalog() -> Catalog:
    return Catalog()


@lru_cache
def offer(profile: str, name: str, model: DecodeModel) -> Offer:
    return profile_offer(catalog(), profile, name, model, most_tokens=TOKENS, most_batch=BATCH)


def step_s(one: Offer, context: float = CONTEXT) -> np.ndarray:
    """Time of a decode step by batch, each sequence with so much context."""
    return one.machine.decode_s + one.machine.context_s * np.arange(BATCH + 1) * context


# ---- machines of the profiles ----


def test_both_profiles_have_their_machines() -> None:
    assert len(EVERY) == 10
    assert ("splitwise-llama2-70b", "h100-tp2") in EVERY


@pytest.mark.parametrize("model", DECODE_MODELS)
@pytest.mark.parametrize(("profile", "name"), EVERY)
def test_tables_are_positive_and_finite(profile: str, name: str, model: DecodeModel) -> None:
    one = offer(profile, name, model)
    machine = one.machine
    assert machine.prompt_s.shape == (TOKENS + 1,)
    assert machine.decode_s.shape == machine.context_s.shape == (BATCH + 1,)
    for table in (machine.prompt_s, machine.decode_s, machine.context_s, step_s(one)):
        assert np.all(np.isfinite(table))
    assert np.all(machine.prompt_s[1:] > 0)
    assert np.all(step_s(one, 1.0)[1:] > 0)
    assert np.all(machine.context_s >= 0)
    assert machine.prompt_s[TOKENS] > 3 * machine.prompt_s[1]
    assert machine.prompt_s[1000] > step_s(one)[1]
    assert 10_000 < machine.room_tokens < 2e6
    assert machine.link_tokens_per_s > 10_000
    assert machine.layers == {"splitwise-bloom-176b": 70, "splitwise-llama2-70b": 80}[profile]
    assert one.kv_bytes_per_token > 0
    assert one.token_error >= 1.0
    assert one.usd_per_h is None or one.usd_per_h.value > 0
    assert (one.step_by_tokens_s is not None) is (model == "simcompat")
    if model != "simcompat":
        assert np.all(np.diff(step_s(one)[1:]) >= 0)
        assert np.all(machine.context_s[1:] > 0)
        assert step_s(one)[BATCH] > 1.3 * step_s(one)[1]
    else:  # the artefact: steps hardly grow with the batch
        assert step_s(one)[BATCH] < 1.15 * step_s(one)[1]


@pytest.mark.parametrize("model", DECODE_MODELS)
@pytest.mark.parametrize(("profile", "name"), EVERY)
def test_watts_are_in_order(profile: str, name: str, model: DecodeModel) -> None:
    watts = offer(profile, name, model).watts
    assert 0 < watts.idle_w <= watts.token_w <= watts.prompt_w <= watts.provisioned_w
    assert watts.idle_w < watts.token_w


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("model", ["measured", "simcompat"])
def test_a_capped_machine_takes_1_30_times_for_prompts_and_as_long_for_tokens(profile: str, model: DecodeModel) -> None:
    plain, capped = (offer(profile, name, model) for name in ("dgx-h100", "dgx-h100-pcap"))
    assert capped.machine.prompt_s == pytest.approx(1.30 * plain.machine.prompt_s, rel=1e-12)
    assert np.array_equal(capped.machine.decode_s, plain.machine.decode_s)
    assert np.array_equal(capped.machine.context_s, plain.machine.context_s)
    assert capped.machine.room_tokens == plain.machine.room_tokens
    for draw in ("token_w", "prompt_w", "provisioned_w"):
        assert getattr(capped.watts, draw) < getattr(plain.watts, draw)


@pytest.mark.parametrize("profile", PROFILES)
def test_under_the_roofline_a_cap_costs_long_prompts_more_than_steps(profile: str) -> None:
    plain, capped = (offer(profile, name, "roofline").machine for name in ("dgx-h100", "dgx-h100-pcap"))
    assert 1.05 < capped.prompt_s[TOKENS] / plain.prompt_s[TOKENS] < 1.5
    assert np.all(capped.decode_s[1:] >= plain.decode_s[1:] * (1 - 1e-12))
    assert capped.decode_s[1:] == pytest.approx(plain.decode_s[1:], rel=0.05)


def test_the_newer_machine_is_faster_and_the_simulator_has_one_link_for_all() -> None:
    for profile in PROFILES:
        for model in DECODE_MODELS:
            old, new = (offer(profile, name, model).machine for name in ("dgx-a100", "dgx-h100"))
            assert new.prompt_s[1000] < old.prompt_s[1000]
            assert np.all(step_s(offer(profile, "dgx-h100", model)) < step_s(offer(profile, "dgx-a100", model)))
            assert (new.link_tokens_per_s == old.link_tokens_per_s) is (model == "simcompat")


def test_a_server_sends_by_its_accelerators() -> None:
    whole = link_bytes_per_s(catalog(), "dgx-h100", 8.0)
    assert whole == 8 * 400e9 / 8
    assert link_bytes_per_s(catalog(), "dgx-h100", 4.0) == whole / 2
    assert link_bytes_per_s(catalog(), None, 1.0) == 200e9 / 8


@pytest.mark.parametrize(
    ("server", "name", "parts"),
    [("dgx-h100", "h100-tp4", 2), ("dgx-h100", "h100-tp2", 4), ("dgx-a100", "a100-tp4", 2),
     ("dgx-a100", "a100-tp2", 4)],
)  # fmt: skip
def test_part_of_a_server_is_set_aside_its_share_of_the_power(server: str, name: str, parts: int) -> None:
    whole, part = (offer("splitwise-llama2-70b", one, "measured") for one in (server, name))
    assert whole.accelerators == parts * part.accelerators
    assert part.per_server == parts
    for watts in ("prompt_w", "idle_w", "provisioned_w"):
        assert getattr(part.watts, watts) == pytest.approx(getattr(whole.watts, watts) / parts), watts
    assert part.watts.provisioned_w >= part.watts.prompt_w


def test_a_machine_that_the_profile_lacks_is_refused() -> None:
    with pytest.raises(InputError, match="no machine 'dgx-h200'") as caught:
        profile_offer(catalog(), PROFILES[0], "dgx-h200", "measured")
    assert caught.value.problems[0].code == "E220"
    assert "dgx-h100-pcap" in caught.value.problems[0].hint


def test_machines_work_as_the_decode_model_says() -> None:
    assert policy_of("simcompat", layer_wise=False, sync_s=3.0) is SIMULATOR
    assert not policy_of("measured", layer_wise=False).layer_wise
    assert policy_of("measured", sync_s=0.25).sync_s == 0.25
    assert (policy_of("roofline").mixed_sum, policy_of("measured").mixed_sum) == (True, False)


# ---- machines timed by the serving model ----


@lru_cache
def of_serving(**changes: Any) -> Timed:
    return timed(Shelf(catalog()), replace(ROW, **changes), "some", 1e11, TOKENS, BATCH)


@lru_cache
def parts() -> tuple[Deployment, TimeConstants, Rates]:
    """One deployment and what times it, by the serving model's own door."""
    shelf = Shelf(catalog())
    asked = replace(ROW, concurrency=CONCURRENCY)
    known = calibrations(shelf)
    calibration = known[choose(asked, known)]
    deployment, *_ = serve([asked], shelf, calibration)
    constants = constants_of(calibration)
    return deployment, constants, rates(deployment, constants)


@pytest.mark.parametrize("context", [ROW.isl, ROW.isl + ROW.osl])
def test_a_step_takes_what_the_serving_model_says(context: float) -> None:
    deployment, constants, speed = parts()
    machine = of_serving().machine
    for batch in (1, 2, 7, 32, 100, BATCH):
        expected = float(decode_step(deployment, speed, constants, np.array([float(batch)]), context).time_s[0])
        found = machine.decode_s[batch] + machine.context_s[batch] * batch * context
        assert found == pytest.approx(expected, rel=1e-9)


def test_between_the_two_contexts_a_step_is_as_good_as_linear() -> None:
    deployment, constants, speed = parts()
    machine = of_serving().machine
    for context in (ROW.isl + 100.0, ROW.isl + ROW.osl / 2, ROW.isl + 3 * ROW.osl):
        expected = float(decode_step(deployment, speed, constants, np.array([64.0]), context).time_s[0])
        assert machine.decode_s[64] + machine.context_s[64] * 64 * context == pytest.approx(expected, rel=0.02)


def test_prompts_take_what_the_serving_model_says_at_the_knots() -> None:
    deployment, constants, speed = parts()
    knots = np.unique(np.round(np.geomspace(1, TOKENS, KNOTS))).astype(int)
    assert len(knots) > 60
    table = of_serving().machine.prompt_s
    for knot in knots[::5]:
        expected = float(prefill(deployment, speed, constants, np.array([float(knot)])).time_s[0])
        assert table[knot] == pytest.approx(expected, rel=1e-9)
    for between in (777, 1500, 3000):
        expected = float(prefill(deployment, speed, constants, np.array([float(between)])).time_s[0])
        assert table[between] == pytest.approx(expected, rel=0.02)


def test_a_cap_slows_prompts_and_holds_the_watts() -> None:
    free, capped = of_serving(), of_serving(cap_w=400.0)
    assert capped.prompt_w <= 400.0 < free.prompt_w
    assert capped.token_w <= 400.0
    assert capped.machine.prompt_s[TOKENS] > 1.05 * free.machine.prompt_s[TOKENS]
    assert np.all(capped.machine.decode_s[1:] >= free.machine.decode_s[1:] * (1 - 1e-12))
    assert capped.room_sequences == free.room_sequences


def test_half_the_cache_bytes_double_the_link_and_more_devices_hold_more() -> None:
    base, wide = of_serving(), of_serving(n_gpus=8.0, tp=8.0)
    plain, narrow = (of_serving(kv_precision=one) for one in ("bf16", "fp8"))
    assert plain.kv_bytes_per_token == pytest.approx(
        2 * 2 * 80 * 8 * 128, rel=0.01
    )  # K and V, 80 layers, 8 heads; whole blocks
    assert narrow.kv_bytes_per_token == pytest.approx(plain.kv_bytes_per_token / 2, rel=0.01)
    assert base.machine.link_tokens_per_s == pytest.approx(1e11 / base.kv_bytes_per_token)
    assert wide.machine.room_tokens > 2 * base.machine.room_tokens


def test_a_model_that_does_not_fit_has_no_room() -> None:
    assert of_serving(precision="bf16", n_gpus=1.0, tp=1.0).room_sequences < 1.0
