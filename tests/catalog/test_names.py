"""Names as written in the wild, resolved to ids."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiplan.catalog.names import Names, canonical_engine, canonical_precision, normalise, precision_hint

ENTRIES = [
    ("llama-3.1-8b", ["Llama 3.1 8B", "meta-llama/Llama-3.1-8B-Instruct"]),
    ("llama-3.1-405b", ["meta-llama/Llama-3.1-405B"]),
    ("llama-3.1-405b-pruned", ["llama3_1-405b_pruned"]),
    ("qwen3-8b", ["Qwen/Qwen3-8B"]),
    ("qwen3-30b-a3b", ["Qwen/Qwen3-30B-A3B-Instruct-2507"]),
    ("qwen3-30b-a3b-instruct-2507", []),
    ("nemotron-super-49b", ["nvidia/Llama-3_3-Nemotron-Super-49B-v1"]),
    ("h100-sxm", ["NVIDIA H100 SXM5 80 GB"]),
]
MODELS = Names(ENTRIES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("llama-3.1-8b", "llama-3.1-8b"),
        ("Llama 3.1  8b", "llama-3.1-8b"),
        ("LLAMA_3.1_8B", "llama-3.1-8b"),
        ("LLaMA v3.1 8B", "llama-3.1-8b"),
        ("llama3.1-8b", "llama-3.1-8b"),
        ("llama3_1-8b", "llama-3.1-8b"),
        ("unsloth/Llama-3.1-8B", "llama-3.1-8b"),
        ("a/b/Llama-3.1-8B-Instruct-FP8", "llama-3.1-8b"),
        ("Llama-3.1-8B-it-NVFP4", "llama-3.1-8b"),
        ("Llama-3.1-8B-Chat-BF16", "llama-3.1-8b"),
        ("Llama-3.1-8B-Instruct-FP8-dynamic", "llama-3.1-8b"),
        ("Llama-3.1-405B-FP4", "llama-3.1-405b"),
        ("llama 3.1 405b pruned", "llama-3.1-405b-pruned"),
        ("Llama-3.1-405B-pruned-FP8", "llama-3.1-405b-pruned"),
        ("Qwen 3 8B Thinking 2507", "qwen3-8b"),
        ("Llama-3.3-Nemotron-Super-49B-v1", "nemotron-super-49b"),
        ("nvidia h100 sxm5 80 gb", "h100-sxm"),
    ],
)
def test_resolves(text: str, expected: str) -> None:
    assert MODELS.resolve(text) == expected


@pytest.mark.parametrize(
    "text", ["Qwen3-8B-pruned", "Llama 3.1", "8b", "fp8", "Llama-3.1-8B-dynamic", "", "/", "Qwen/", "-", "v", "x" * 500]
)
def test_does_not_guess(text: str) -> None:
    assert MODELS.resolve(text) is None


def test_full_name_goes_before_the_name_without_organisation() -> None:
    assert MODELS.resolve("Qwen/Qwen3-30B-A3B-Instruct-2507") == "qwen3-30b-a3b"
    assert MODELS.resolve("Qwen3-30B-A3B-Instruct-2507") == "qwen3-30b-a3b-instruct-2507"


def test_an_id_wins_over_an_alias_of_another() -> None:
    assert Names([("a", ["b"]), ("b", [])]).resolve("b") == "b"
    assert Names([("b", []), ("a", ["B"])]).resolve("b") == "b"


def test_a_loose_spelling_of_two_entries_is_refused() -> None:
    names = Names([("x-1", ["Model v2"]), ("x-2", ["Model 2"])])
    assert names.resolve("model2") is None
    assert names.resolve("model v2") == "x-1"


def test_ready_made_table_gives_the_same_answers() -> None:
    table = {name: entry_id for entry_id, aliases in ENTRIES for name in aliases}
    table["h100-sxm"] = table["qwen3-30b-a3b-instruct-2507"] = ""
    table.update({entry_id: entry_id for entry_id, _ in ENTRIES})
    names = Names.from_aliases(table)
    assert names.ids() == MODELS.ids() == {entry_id for entry_id, _ in ENTRIES}
    for text in ("LLaMA v3.1 8B", "unsloth/Llama-3.1-8B", "Qwen/Qwen3-30B-A3B-Instruct-2507", "Qwen3-8B-pruned"):
        assert names.resolve(text) == MODELS.resolve(text)


def test_nearest() -> None:
    assert MODELS.nearest("llama-3.1-8c", n=1) == ["llama-3.1-8b"]
    assert MODELS.nearest("Qwen/Qwen3-30B-A3B-Instruct-2508")[0] == "qwen3-30b-a3b-instruct-2507"
    assert len(MODELS.nearest("llama", n=2)) <= 2
    assert MODELS.nearest("zzzzzzzz") == []
    assert MODELS.nearest("llama-3.1-8b", n=0) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FP16", "fp16"), ("float16", "fp16"), ("bfloat16", "bf16"), ("BF16", "bf16"), ("fp8", "fp8"),
        ("FP8 E4M3", "fp8"), ("fp4", "nvfp4"), ("NVFP4", "nvfp4"), ("mxfp4", "mxfp4"), ("INT4", "int4"),
        ("w4a16", "w4a16"), ("float32", "fp32"), ("UNSET", None), ("", None), ("auto", None),
    ],
)  # fmt: skip
def test_precision(text: str, expected: str | None) -> None:
    assert canonical_precision(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("meta-llama/Llama-3.1-405B-Instruct-FP8", "fp8"),
        ("nvidia/DeepSeek-R1-NVFP4", "nvfp4"),
        ("nvidia/Llama-3.1-405B-Instruct-FP4", "nvfp4"),
        ("llama2-70b-fp8_quark", "fp8"),
        ("Qwen 3 235B A22B Thinking FP8", "fp8"),
        ("RedHatAI/Kimi-K2-Instruct-quantized.w4a16", "w4a16"),
        ("fp8-labs/Llama-3.1-8B", None),
        ("openai/gpt-oss-120b", None),
    ],
)
def test_precision_hint(text: str, expected: str | None) -> None:
    assert precision_hint(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("trtllm", ("tensorrt-llm", "")),
        ("TensorRT-LLM v1.0", ("tensorrt-llm", "1.0")),
        ("TensorRT-LLM 0.6.1 static batching", ("tensorrt-llm", "0.6.1")),
        ("TensorRT 10.2.0, CUDA 12.4", ("tensorrt", "10.2.0")),
        ("vLLM v0.9.1", ("vllm", "0.9.1")),
        ("vLLM 0.4.3+rocm614, PyTorch 2.3.0, ROCm 6.1.2", ("vllm", "0.4.3+rocm614")),
        ("Mango LLMBoost AI Enterprise Platform, vllm-0.9.0.2.dev108, ROCm 6.4", ("vllm", "0.9.0.2.dev108")),
        ("sglang", ("sglang", "")),
        ("PyTorch 2.8.0", None),
        ("CUDA 12.2", None),
        ("", None),
    ],
)
def test_engine(text: str, expected: tuple[str, str] | None) -> None:
    assert canonical_engine(text) == expected


WRITTEN = st.text(alphabet=st.sampled_from("aAbLlmvVqQ3.158 _-/İßΣ٣²\t\n"), max_size=40) | st.text(max_size=40)


@given(WRITTEN)
def test_normalise_is_idempotent(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert not any(character in once for character in " _/")
    assert "--" not in once


@given(WRITTEN)
def test_nothing_raises(text: str) -> None:
    assert MODELS.resolve(text) in {None, *MODELS.ids()}
    assert set(MODELS.nearest(text)) <= MODELS.ids()
    assert canonical_precision(text) is None or isinstance(canonical_precision(text), str)
    assert precision_hint(text) is None or precision_hint(text) == canonical_precision(precision_hint(text) or "")
    engine = canonical_engine(text)
    assert engine is None or len(engine) == 2


SUFFIXES = st.sampled_from(["-Instruct", "-it", "-Chat", "-Thinking", "-2507", "-FP8", "-NVFP4", "-FP4", "-BF16"])


@given(st.sampled_from([name for name, _ in ENTRIES]), st.lists(SUFFIXES, max_size=4), st.sampled_from(["", "x/"]))
def test_suffixes_and_organisation_do_not_matter(entry_id: str, suffixes: list[str], organisation: str) -> None:
    resolved = MODELS.resolve(organisation + entry_id + "".join(suffixes))
    if entry_id == "qwen3-30b-a3b" and suffixes[:2] == ["-Instruct", "-2507"]:
        entry_id = "qwen3-30b-a3b-instruct-2507"
    assert resolved == entry_id


@given(st.lists(st.tuples(WRITTEN, st.lists(WRITTEN, max_size=3)), max_size=5), WRITTEN)
def test_any_table_can_be_asked(entries: list[tuple[str, list[str]]], text: str) -> None:
    names = Names(entries)
    for entry_id, _ in entries:
        assert names.resolve(entry_id) == entry_id
    assert names.resolve(text) in {None, *names.ids()}
