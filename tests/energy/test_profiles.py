"""Which table serves a model, and that the laws stored with the tables are the laws of their points."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiplan.catalog.loader import Catalog
from aiplan.errors import InputError
from aiplan.planners.energy.profiles import carried_to, choose_profile, fit_law, load_profile
from aiplan.planners.serving.throughput import ConstantLaw, LogLinearLaw, PhysicalLaw

CATALOG = Catalog()


def test_stored_fits_are_what_their_points_give() -> None:
    """Every shipped offline table: the stored law and its leave-one-out error, to the digits stored."""
    stored = 0
    for profile_id, facts in CATALOG.facts("throughput").items():
        if facts.get("regime", "offline_max") != "offline_max":
            continue
        entry, profile = CATALOG.get("throughput", profile_id), load_profile(CATALOG, profile_id, "physical")
        law, loo = fit_law(entry.points, "physical")
        assert isinstance(law, PhysicalLaw)
        assert entry.fit is not None, profile_id
        for name in ("a", "b", "d", "e", "f"):
            assert getattr(profile.law, name) == pytest.approx(getattr(law, name), rel=1e-6, abs=1e-15), profile_id
        assert profile.loo_error == (None if loo is None else pytest.approx(loo, rel=1e-6))
        stored += 1
    assert stored > 100


def test_a_table_of_the_server_is_preferred_and_the_newest_wins() -> None:
    chosen = CATALOG.get("throughput", choose_profile(CATALOG, "llama-3.1-405b", "h100-sxm"))
    assert (chosen.accelerator, chosen.engine_version) == ("h100-sxm", "1.0")


def test_a_sibling_of_the_same_shape_finds_its_parents_table() -> None:
    assert ".deepseek-r1." in choose_profile(CATALOG, "deepseek-r1-0528", "b200-sxm")


def test_a_model_nobody_measured_says_which_were() -> None:
    with pytest.raises(InputError) as caught:
        choose_profile(CATALOG, "bloom-176b", "h100-sxm")
    assert "llama-3.1-405b" in caught.value.hint


def test_an_overlay_without_a_stored_fit_is_fitted(tmp_path: Path) -> None:
    (tmp_path / "throughput").mkdir()
    (tmp_path / "throughput" / "mine.toml").write_text(
        """
        ["mine.llama-3.1-8b"]
        name = "mine"
        model = "llama-3.1-8b"
        accelerator = "h100-sxm"
        accelerator_count = 1
        precision = "fp8"
        engine = "vLLM"
        source = "aiplan-choice"
        grade = "measured"
        points = [
          [128, 128, 20000], [1000, 1000, 12000], [2048, 128, 3000], [500, 2000, 14000], [128, 2048, 17000],
          [2048, 2048, 8000], [5000, 500, 3200],
        ]
        """,
        encoding="utf-8",
    )
    profile = load_profile(Catalog(tmp_path), "mine.llama-3.1-8b", "physical")
    assert isinstance(profile.law, PhysicalLaw)
    assert profile.law.a > 0
    assert 0 < (profile.loo_error or 0) < 0.5


def test_a_law_carried_to_a_faster_accelerator_is_faster_and_says_so() -> None:
    here = load_profile(CATALOG, "trtllm-1.0.llama-3.1-405b.h100-sxm.tp8.fp8", "physical")
    there = carried_to(here, CATALOG, "h200-sxm")
    assert isinstance(here.law, PhysicalLaw)
    assert isinstance(there.law, PhysicalLaw)
    assert there.law.a == pytest.approx(here.law.a * 3.35 / 4.8)
    assert there.law.b == pytest.approx(here.law.b)
    assert (there.carried_from, there.grade) == ("h100-sxm", "estimate")
    assert there.relative_error > 5 * here.relative_error


@pytest.mark.parametrize(
    ("table", "kind"),
    [("oviedo-2026.llama-3.1-405b.h100-sxm.tp8.fp8", LogLinearLaw),
     ("oviedo-2026.nemotron-ultra-253b.h100-sxm.tp8.fp8", ConstantLaw)],
)  # fmt: skip
def test_the_papers_law_depends_on_how_many_points_there_are(table: str, kind: type) -> None:
    assert isinstance(load_profile(CATALOG, table, "loglinear").law, kind)
