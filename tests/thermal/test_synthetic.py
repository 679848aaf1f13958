"""The synthetic hall and its telemetry: seeded, as large as asked, as warm and as loaded as the recipe says."""

from __future__ import annotations

import numpy as np
import pytest

from aiplan.planners.thermal.fit import fit
from aiplan.planners.thermal.fit_plan import largest_of
from aiplan.planners.thermal.fit_shape import Samples
from aiplan.planners.thermal.hall import equal_hall
from aiplan.planners.thermal.synthetic import (
    PREFIX,
    Mix,
    Outside,
    Spread,
    demand,
    design_outside_c,
    hourly,
    hours_of,
    kinds,
    outside_c,
    replayed,
    telemetry,
    with_offsets,
)
from aiplan.planners.thermal.telemetry_text import telemetry_text
from tests.thermal.cases import small_hall


def test_same_seed_same_hall_and_another_seed_another() -> None:
    (hall, asked), (again, asked_again), (other, asked_other) = small_hall(5), small_hall(5), small_hall(6)
    assert np.array_equal(hall.gpu_offset_c, again.gpu_offset_c)
    assert np.array_equal(asked.load, asked_again.load)
    assert not np.array_equal(hall.slot_offset_c, other.slot_offset_c)
    assert not np.array_equal(asked.load, asked_other.load)


def test_a_larger_hall_holds_the_smaller() -> None:
    bare = [equal_hall(3, servers, 2, 1.0, 1.0) for servers in (10, 14)]
    small, large = (with_offsets(hall, Spread(), 1) for hall in bare)
    for row in range(3):
        assert np.array_equal(large.slot_offset_c[large.row == row][:10], small.slot_offset_c[small.row == row])
        assert np.array_equal(large.gpu_offset_c[large.row == row][:10], small.gpu_offset_c[small.row == row])
    few, many = (demand(count, Mix(), Outside(), 1.0, 3600.0, 1) for count in (30, 42))
    assert np.array_equal(many.load[:30][few.vms.saas], few.load[few.vms.saas])


def test_offsets_have_the_spread_asked() -> None:
    hall = with_offsets(equal_hall(200, 40, 2, 1.0, 1.0), Spread(0.8, 0.6, 3.0), 0)
    rows = np.array([hall.slot_offset_c[hall.row == row].mean() for row in range(200)])
    assert rows.std() == pytest.approx(0.8, rel=0.15)
    assert (hall.slot_offset_c - rows[hall.row]).std() == pytest.approx(0.6, rel=0.03)
    assert hall.gpu_offset_c.mean() == pytest.approx(3.0 * largest_of(8), rel=0.02)


def test_loads_are_shares_and_endpoints_share_theirs() -> None:
    _, asked = small_hall(7)
    assert asked.load.min() >= 0.0
    assert asked.load.max() <= 1.0
    first = asked.load[asked.vms.endpoint == 0]
    assert np.all(first == first[0])
    assert np.all(asked.vms.load_p99 >= asked.vms.load_p50)


def test_profiles_are_of_the_past() -> None:
    asked = demand(20, Mix(), Outside(), 7.0, 1200.0, 3)
    own = hourly(asked.load, hours_of(7.0, 1200.0), 0.99)
    assert not np.array_equal(own, asked.vms.load_p99)
    assert np.abs(own - asked.vms.load_p99).mean() < 0.03


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_kinds_come_in_the_share_asked(share: float) -> None:
    saas, endpoint = kinds(100, Mix(share, 7))
    assert saas.sum() == round(100 * share)
    assert np.all((endpoint >= 0) == saas)
    if share:
        assert set(endpoint[saas]) == set(range(7))


def test_hours_and_quantiles() -> None:
    hours = hours_of(2.0, 7200.0)
    assert hours.tolist()[:3] == [0.0, 2.0, 4.0]
    load = np.array([[float(step) for step in range(hours.size)]])
    assert hourly(load, hours_of(1.0, 3600.0).repeat(1)[: hours.size], 0.5)[0, 3] == 3.0


def test_weather_is_a_wave_with_its_design_above() -> None:
    hours = hours_of(30.0, 600.0)
    series = outside_c(hours, Outside(20.0, 7.0, 0.7), 0)
    assert series.mean() == pytest.approx(20.0, abs=0.1)
    warmest = series.reshape(30, -1).mean(axis=0).argmax() / 6
    assert warmest == pytest.approx(15.0, abs=1.5)
    assert np.mean(series > design_outside_c(Outside(20.0, 7.0, 0.7))) < 0.004


def test_given_profiles_are_kept_by_the_replay() -> None:
    _, asked = small_hall(8)
    again = replayed(asked.vms, np.full(2000 * 24, 20.0), 2000.0, 3600.0, 0)
    hour = np.arange(again.load.shape[1]) % 24
    for vm in (0, 1):
        middle = np.median(again.load[vm][hour == 13])
        assert middle == pytest.approx(asked.vms.load_p50[vm, 13], abs=0.01)
        high = np.quantile(again.load[vm][hour == 13], 0.99)
        assert high == pytest.approx(min(asked.vms.load_p99[vm, 13], 1.0), abs=0.015)


def test_telemetry_gives_its_coefficients_back() -> None:
    found = telemetry(2, 4, 4.0, 1200.0, 1.0, 0)
    gpu = found.server * 8 + found.gpu
    fitted = fit(Samples(found.time_s, gpu, found.inlet_c, found.power_w, found.temp_c, np.arange(64) % 8))
    assert fitted.inlet_coefficient == pytest.approx(1.0, abs=0.02)
    assert fitted.power_coefficient == pytest.approx(0.11, rel=0.01)
    assert fitted.mae_c < 1.0


def test_text_of_telemetry_says_what_it_is() -> None:
    text = telemetry_text(1, 2, 0.5, 3600.0, 1.0, 0)
    lines = text.splitlines()
    assert len(lines) == 1 + 2 * 8 * 12
    assert all(line.split(",")[1].startswith(PREFIX) for line in lines[1:])
