"""Limits from presets, files and changes: units, sources, and everything that cannot hold together."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from aiplan.catalog.loader import Catalog
from aiplan.errors import InputError
from aiplan.planners.stabilize.limits import Band, Flicker, RampLimit
from aiplan.planners.stabilize.limits_file import ReadLimits, read_limits

Write = Callable[[str], str]
MW = 1e6


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(text: str) -> str:
        path = tmp_path / "limits.toml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return to_file


def refused(text: str, catalog: Catalog, *changes: str) -> list[tuple[str, str]]:
    """Codes and paths of the problems."""
    with pytest.raises(InputError) as error:
        read_limits(text, changes, catalog)
    return [(problem.code, problem.path) for problem in error.value.problems]


def test_reference_cases_are_as_the_reference_has_them(catalog: Catalog) -> None:
    """Reference power-stabilisation, section 6: A is 10 MW/s and a 10 MW line, B is 2 MW/s and 1 MW, 0.1 to 20 Hz."""
    for name, ramp, line in (("reference-a", 10 * MW, 10 * MW), ("reference-b", 2 * MW, 1 * MW)):
        found = read_limits(name, (), catalog)
        assert found.limits.ramps == (RampLimit("", ramp, ramp, 1.0),)
        assert found.limits.bands == (Band("critical", 0.1, 20.0, line_w=line),)
        assert {item.quantity.evidence for item in found.parameters.items.values()} == {"assumed"}


def test_ten_megawatts_a_minute(catalog: Catalog) -> None:
    (ramp,) = read_limits("ramp-10-mw-per-min", (), catalog).limits.ramps
    assert (ramp.up_w_per_s, ramp.down_w_per_s) == pytest.approx((10 * MW / 60, 10 * MW / 60))


@pytest.mark.parametrize("name", Catalog().ids("limits"))
def test_presets_are_whole_marked_and_nobodys(catalog: Catalog, name: str) -> None:
    entry = catalog.get("limits", name)
    found = read_limits(name, (), catalog)
    assert entry.name.startswith("Illustrative: ")
    assert entry.note
    assert found.note == entry.note
    assert all(item.quantity.evidence in ("assumed", "second-hand") for item in found.parameters.items.values())
    assert found.warnings == []  # every share comes with a limit of lines
    assert all(catalog.title(source) != source for record in found.parameters.records() for source in record.sources)


def test_every_spelling_of_a_file(catalog: Catalog, write: Write) -> None:
    text = """
[limits]
ramp_up_mw_per_min = 60
ramp_down_kw_per_s = 500
ramp_window_s = 2
range_kw = 4000
most_mw = 50
least_w = 1e6
segment_min = 2
spectrum_of = "both"
[limits.ramps.slow]
up_mw_per_min = 10
window_min = 1
[limits.bands.low]
low_hz = 0.1
high_hz = 2
line_kw = 300
share_fraction = 0.2
[limits.flicker]
pst = 1
short_circuit_mva = 900
"""
    found = read_limits(write(text), (), catalog)
    limits = found.limits
    slow = RampLimit("slow", pytest.approx(10 * MW / 60), math.inf, 60.0)
    assert limits.ramps == (RampLimit("", pytest.approx(1 * MW), 0.5 * MW, 2.0), slow)
    assert (limits.range_w, limits.range_window_s, limits.most_w, limits.least_w) == (4 * MW, 60.0, 50 * MW, 1 * MW)
    assert (limits.segment_s, limits.spectrum_of, limits.name) == (120.0, "both", "limits.toml")
    assert limits.bands == (Band("low", 0.1, 2.0, line_w=0.3 * MW, share_fraction=0.2),)
    assert limits.flicker == Flicker(1.0, 900e6, 85.0, 1.0)
    items = found.parameters.items
    assert items["limits.ramp_up_w_per_s"].quantity.source == f"{found.files[0]}:3"
    assert items["limits.flicker.grid_angle_deg"].quantity.source == "default of aiplan"


def test_a_section_holds_before_its_preset_field_by_field(catalog: Catalog, write: Write) -> None:
    text = '[limits]\npreset = "reference-a"\nramp_up_mw_per_s = 4\n[limits.bands.critical]\nline_mw = 3\n'
    limits = read_limits(write(text), ("limits.bands.critical.high_hz=10",), catalog).limits
    assert limits.ramps == (RampLimit("", 4 * MW, 10 * MW, 1.0),)
    assert limits.bands == (Band("critical", 0.1, 10.0, line_w=3 * MW),)


def test_changes_of_a_preset_say_so(catalog: Catalog) -> None:
    found = read_limits("torsional", ("limits.most_mw=5", "limits.bands.shafts.rms_kw=2"), catalog)
    assert (found.limits.most_w, found.limits.bands[0].rms_w) == (5 * MW, 2e3)
    assert found.parameters.items["limits.most_w"].quantity.source == "--set limits.most_mw"
    assert found.parameters.items["limits.bands.shafts.low_hz"].quantity.source == "stabilisation-slides"


def test_of_a_scenario_only_its_limits_are_read(catalog: Catalog, write: Write) -> None:
    text = '[scenario]\nname = "job"\nplanner = "stabilize"\n[machine]\nserver = 7\n[limits]\nmost_mw = 3\n'
    assert read_limits(write(text), (), catalog).limits.most_w == 3 * MW


def test_limits_of_a_base_hold(catalog: Catalog, write: Write, tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text('[scenario]\nname = "b"\n[limits]\nmost_mw = 3\nrange_mw = 1\n', "utf-8")
    found = read_limits(write('[scenario]\nname = "job"\nbase = "base.toml"\n[limits]\nmost_mw = 4\n'), (), catalog)
    assert (found.limits.most_w, found.limits.range_w) == (4 * MW, 1 * MW)
    assert len(found.files) == 2


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", ("E306", "limits")),
        ("range_window_s = 5", ("E307", "limits.range_window_s")),
        ("most_mw = 1\nramp_window_s = 5", ("E307", "limits.ramp_window_s")),
        ("most_mw = 1\nsegment_s = 5", ("E307", "limits.segment_s")),
        ("[limits.ramps.a]\nup_mw_per_s = 1", ("E307", "limits.ramps.a")),
        ("[limits.ramps.a]\nwindow_s = 1", ("E307", "limits.ramps.a")),
        ("[limits.bands.a]\nlow_hz = 2\nhigh_hz = 1\nline_mw = 1", ("E307", "limits.bands.a")),
        ("[limits.bands.a]\nlow_hz = 1\nhigh_hz = 1\nline_mw = 1", ("E307", "limits.bands.a")),
        ("[limits.bands.a]\nhigh_hz = 1\nline_mw = 1", ("E307", "limits.bands.a")),
        ("[limits.bands.a]\nlow_hz = 1\nhigh_hz = 2", ("E307", "limits.bands.a")),
        ("[limits.bands.'a.b']\nlow_hz = 1\nhigh_hz = 2", ("E307", "limits.bands.a.b")),
        ("[limits.flicker]\npst = 1", ("E307", "limits.flicker")),
        ("[limits.flicker]\nshort_circuit_mva = 1", ("E307", "limits.flicker")),
        ("most_mw = 1\nleast_mw = 2", ("E308", "limits.least_w")),
        ("most_mw = 9\n[limits.flicker]\npst = 1\nshort_circuit_mva = 9", ("E308", "limits.flicker.short_circuit_va")),
        ("segment_s = 19\n[limits.bands.a]\nlow_hz = 0.1\nhigh_hz = 1\nline_mw = 1", ("E308", "limits.segment_s")),
        ('preset = "reference-c"', ("E309", "limits.preset")),
        ("ramp_up_mw_per_s = 1\nramp_up_kw_per_s = 2", ("E104", "limits.ramp_up_kw_per_s")),
        ("ramp_up_mw_per_s = 0", ("E102", "limits.ramp_up_w_per_s")),
        ("[limits.bands.a]\nlow_hz = 1\nhigh_hz = 2\nline_mw = 0", ("E102", "limits.bands.a.line_w")),
        ("[limits.bands.a]\nlow_hz = 1\nhigh_hz = 2\nshare_fraction = 20", ("E102", "limits.bands.a.share_fraction")),
        ("ramp_up_mw = 1", ("E100", "limits.ramp_up_mw")),
        ("bands = 7", ("E101", "limits.bands")),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(
    catalog: Catalog, write: Write, body: str, expected: tuple[str, str]
) -> None:
    with pytest.raises(InputError) as error:
        read_limits(write(f"[limits]\n{body}\n"), (), catalog)
    (problem,) = error.value.problems
    assert (problem.code, problem.path) == expected
    assert problem.file.endswith("limits.toml")
    assert problem.line >= 1
    assert problem.hint


def test_bands_of_one_name_are_no_toml(catalog: Catalog, write: Write) -> None:
    band = "[limits.bands.a]\nlow_hz = 1\nhigh_hz = 2\nline_mw = 1\n"
    assert refused(write(band + band), catalog) == [("E004", "")]


def test_all_problems_come_at_once_each_at_its_place(catalog: Catalog, write: Write) -> None:
    path = write(
        "[limits]\nleast_mw = 5\n[limits.bands.a]\nlow_hz = 1\nhigh_hz = 2\n[limits.ramps.b]\nup_mw_per_s = 1\n"
    )
    with pytest.raises(InputError) as error:
        read_limits(path, ("limits.most_mw=4",), catalog)
    places = [(problem.code, problem.file, problem.line) for problem in error.value.problems]
    assert places == [("E308", path, 2), ("E307", path, 3), ("E307", path, 6)]


def test_a_share_alone_is_warned_of(catalog: Catalog, write: Write) -> None:
    """Reference power-stabilisation, section 4.2: a share alone can be gamed."""
    band = "[limits.bands.a]\nlow_hz = 1\nhigh_hz = 2\nshare_fraction = 0.2\n"

    def codes(text: str) -> list[str]:
        found: ReadLimits = read_limits(write(text), (), catalog)
        return [warning.code for warning in found.warnings]

    assert codes(band) == ["W-STABILIZE-SHARE"]
    assert codes(band + "line_fraction = 0.01\n") == codes(band + "rms_mw = 1\n") == []


@pytest.mark.parametrize(
    ("text", "changes", "code"),
    [
        ("refrence-a", (), "E309"),
        ("nowhere.toml", (), "E001"),
        ("reference-a", ("limit.most_mw=1",), "E100"),
        ("reference-a", ("limits.most=1",), "E100"),
        ("reference-a", ("limits.most_mw=-1",), "E102"),
        ("reference-a", ("limits.most_mw",), "E110"),
        ("torsional", ("limits.segment_s=0.2",), "E308"),
    ],
)
def test_names_and_changes_that_cannot_be(catalog: Catalog, text: str, changes: tuple[str, ...], code: str) -> None:
    assert [found for found, _ in refused(text, catalog, *changes)] == [code]


def test_a_file_without_limits_says_what_it_has(catalog: Catalog, write: Write) -> None:
    with pytest.raises(InputError, match=r"has no \[limits\]") as error:
        read_limits(write("[limit]\nmost_mw = 1\n"), (), catalog)
    assert error.value.problems[0].code == "E306"
    assert "the file has limit" in error.value.render()
