"""Deployments: formats as numbers, parts side by side, rows picked again."""

from __future__ import annotations

import numpy as np
import pytest

from aiplan.catalog.loader import Catalog
from aiplan.planners.serving.deployment import Deployment, deploy, pick, whole_format
from aiplan.planners.serving.layout import Layout
from aiplan.planners.serving.rows import Shelf

FORMATS = ("fp32", "bf16", "fp16", "fp8", "int8", "nvfp4", "fp4", "mxfp4", "int4", "w4a16")


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    return Shelf(Catalog())


def one(shelf: Shelf, hardware: str, formats: tuple[str, ...], caches: list[str | None] | None = None) -> Deployment:
    rows = len(formats)
    return deploy(
        [shelf.architecture("llama-3.1-8b")] * rows, [shelf.chip(hardware)] * rows, Layout(), formats,
        kv_precision=caches, engine=["vllm"] * rows,
    )  # fmt: skip


def test_products_run_at_the_rate_of_the_widest_unit_that_takes_them(shelf: Shelf) -> None:
    dense = {"h100-sxm": (989, 1979, 1979), "b200-sxm": (2250, 4500, 9000), "a100-80gb-sxm": (312, 312, 312)}
    for hardware, (bf16, fp8, fp4) in dense.items():
        found = one(shelf, hardware, FORMATS).numerics
        tflops = dict(zip(FORMATS, found.matrix_flops / 1e12, strict=True))
        expected = {"bf16": bf16, "fp16": bf16, "fp8": fp8, "nvfp4": fp4, "fp4": fp4, "int4": bf16, "w4a16": bf16,
                    "mxfp4": bf16}  # fmt: skip
        for name, rate in expected.items():
            assert tflops[name] == pytest.approx(rate, rel=0.001), (hardware, name)


def test_mxfp4_experts_run_at_fp8_where_there_are_four_bit_units(shelf: Shelf) -> None:
    for hardware, rate in (("b200-sxm", 4500e12), ("h100-sxm", 989e12), ("mi355x", 5033e12), ("mi300x", 1307e12)):
        found = one(shelf, hardware, ("mxfp4",)).numerics
        chip = shelf.chip(hardware)
        assert found.expert_flops[0] == pytest.approx(rate, rel=0.001)
        assert found.matrix_flops[0] == chip.bf16_flops
        assert found.expert_reach[0] == (chip.low_reach if chip.has_fp4 else chip.bf16_reach)


def test_bytes_of_weights_and_caches(shelf: Shelf) -> None:
    found = one(shelf, "b200-sxm", FORMATS).numerics
    weights = dict(zip(FORMATS, zip(found.matrix_bytes, found.expert_bytes, strict=True), strict=True))
    # Scales included: one 8-bit per 16 values (NVFP4), per 32 (MXFP4).
    assert weights["bf16"] == (2, 2)
    assert weights["fp8"] == (1, 1)
    assert weights["nvfp4"] == (4.5 / 8, 4.5 / 8)
    assert weights["mxfp4"] == (2, 4.25 / 8)
    assert weights["w4a16"] == (4.5 / 8, 4.5 / 8)
    caches = dict(zip(FORMATS, found.cache_bytes, strict=True))
    assert {name: value for name, value in caches.items() if value == 1} == {"fp8": 1, "nvfp4": 1, "fp4": 1}
    stated = one(shelf, "b200-sxm", ("fp8", "bf16"), ["bf16", "fp8"]).numerics
    assert stated.cache_bytes.tolist() == [2, 1]


def test_a_format_is_whole_unless_the_checkpoint_was_published_so() -> None:
    assert whole_format("mxfp4", "mxfp4") == "mxfp4"
    assert whole_format("mxfp4", "bf16") == "nvfp4"
    assert whole_format("int4", "int4") == "int4"
    # A dense INT4 model is four bits wide: kept at 16 it would be no faster and no smaller than BF16.
    assert whole_format("int4", "bf16") == "w4a16"
    assert whole_format("fp8", "fp8") == "fp8"


def test_parts_stand_side_by_side_and_are_picked_again(shelf: Shelf) -> None:
    names = ["llama-3.1-8b", "deepseek-r1", "gpt-oss-120b"]
    chips = ["h100-sxm", "b200-sxm", "mi300x"]
    layout = Layout(np.array([1.0, 1.0, 2.0]), 1.0, np.array([1.0, 8.0, 1.0]), np.array([1.0, 8.0, 1.0]))
    all_rows = deploy(
        [shelf.architecture(name) for name in names], [shelf.chip(name) for name in chips], layout,
        ["bf16", "nvfp4", "mxfp4"], engine=["vllm", "sglang", "other"], replicas=np.array([3.0, 1.0, 2.0]),
        grouped_cache_factor=np.array([1.0, 1.0, 8.0]),
    )  # fmt: skip
    assert len(all_rows) == 3
    assert all_rows.devices.tolist() == [3, 8, 4]
    for index in range(3):
        part = pick(all_rows, np.array([index]))
        assert part.engine == (all_rows.engine[index],)
        assert part.numerics.precision == (all_rows.numerics.precision[index],)
        assert part.chip.tdp_w[0] == shelf.chip(chips[index]).tdp_w
        assert part.architecture.stored_params[0] == shelf.architecture(names[index]).stored_params
        assert part.devices[0] == all_rows.devices[index]
        assert part.grouped_cache_factor[0] == all_rows.grouped_cache_factor[index]
    masked = pick(all_rows, np.array([True, False, True]))
    assert masked.engine == ("vllm", "other")
    assert masked.layout.tp.tolist() == [1, 2]


def test_an_unknown_format_is_refused(shelf: Shelf) -> None:
    with pytest.raises(ValueError, match="fp6"):
        one(shelf, "h100-sxm", ("fp6",))
    with pytest.raises(ValueError, match="int3"):
        one(shelf, "h100-sxm", ("fp8",), ["int3"])
