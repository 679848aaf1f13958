"""Loader of the ML.ENERGY v3 table: measured power beside the load that the power law wants.

The table rounds parameter counts (up to 10 % off), so shapes come from ``hardware/llm_shapes.csv``.
It has no prompt lengths: `PROMPT_TOKENS` are our assumptions, see there.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aiplan.planners.serving.power import Activity, DecodeLoad, Device, activity
from aiplan.planners.serving.power_fit import PowerSample

Floats = NDArray[np.float64]

CLASSES = ("h100", "b200")
# TDP W, HBM TB/s, dense BF16 TFLOP/s (data sheets)
DEVICES = {"h100": (700.0, 3.35, 989.0), "b200": (1000.0, 8.0, 2250.0)}
# MXFP4 weights are multiplied in BF16 (gpt-oss under vLLM)
PEAK_OVER_BF16 = {"bfloat16": 1.0, "fp8": 2.0, "mxfp4": 1.0}
# MXFP4: 4 bits and one 8-bit scale per 32 values
EXPERT_BYTES = {"bfloat16": 2.0, "fp8": 1.0, "mxfp4": 4.25 / 8}
FIXED_BYTES = {"bfloat16": 2.0, "fp8": 1.0, "mxfp4": 2.0}
# Chat: what prefill's stall in dense models (mean step less median inter-token time) implies at half of peak
# FLOP/s. The others: round figures, small against the answer (GPQA) or uncertain by a factor of two.
PROMPT_TOKENS = {"lm-arena-chat": 250.0, "gpqa": 250.0, "image-chat": 1000.0, "sourcegraph-fim": 6000.0}
KV_BYTES = 2.0  # vLLM keeps a 16-bit cache unless told otherwise
RECURRENT_BYTES = 8.0  # 32-bit Mamba state, read and written in each step


@dataclass(frozen=True)
class MeasuredSet:
    """The table as arrays, one entry per row, in the order of the file."""

    rows: list[dict[str, str]]
    shape_id: NDArray[np.str_]
    nickname: NDArray[np.str_]
    task: NDArray[np.str_]
    group: NDArray[np.intp]
    load: DecodeLoad
    device: Device
    power_w: Floats
    tokens_per_s: Floats
    concurrency_limit: Floats

    @property
    def share(self) -> Floats:
        accelerators = np.asarray(self.load.accelerators, dtype=np.float64)
        return self.power_w / (accelerators * np.asarray(self.device.tdp_w, dtype=np.float64))

    @property
    def chat_or_gpqa(self) -> NDArray[np.bool_]:
        return np.isin(self.task, ("lm-arena-chat", "gpqa"))

    def activity(self) -> Activity:
        return activity(self.load, self.device)

    def sample(self) -> PowerSample:
        return PowerSample(self.activity(), self.device, self.share, self.group)


def read_rows(shared_data: Path) -> list[dict[str, str]]:
    with (shared_data / "energy" / "mlenergy_v3.csv").open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def read_shapes(shared_data: Path) -> dict[str, dict[str, str]]:
    """Shapes by every name they go by, lower case: id, Hugging Face ids, aliases."""
    shapes: dict[str, dict[str, str]] = {}
    with (shared_data / "hardware" / "llm_shapes.csv").open(encoding="utf-8", newline="") as handle:
        for shape in csv.DictReader(handle):
            for name in (shape["id"], *shape["hf_ids"].split(";"), *shape["aliases"].split(";")):
                shapes.setdefault(name.strip().lower(), shape)
    return shapes


def number(shape: dict[str, str], field: str) -> float:
    return float(shape[field] or 0.0)


def state_bytes(shape: dict[str, str], context: float) -> float:
    """Cache read per sequence and step at a context, plus recurrent state."""
    full = number(shape, "kv_elements_per_token_full_layers")
    windowed = number(shape, "kv_elements_per_token") - full
    seen = min(context, number(shape, "sliding_window") or context)
    recurrent = number(shape, "recurrent_state_elements_per_sequence")
    recurrent += number(shape, "conv_state_elements_per_sequence")
    return KV_BYTES * (full * context + windowed * seen) + RECURRENT_BYTES * recurrent


def state_shards(shape: dict[str, str], accelerators: float, replicas: float) -> float:
    """Accelerators that share one sequence's cache: KV heads limit it, MLA's latent is replicated."""
    if replicas > 1:
        return accelerators  # attention data-parallel: a sequence's cache stands once, on one of n
    if number(shape, "kv_lora_rank") > 0:
        return 1.0
    return min(accelerators, number(shape, "kv_heads"))


def attention_ranks(row: dict[str, str], shape: dict[str, str]) -> float:
    """Copies of attention: accelerators over tensor parallelism for models with experts.

    The column ``data_parallel`` says 1 of most such runs (TP1, EP8 on 8 GPUs), which cannot be: the degrees must
    multiply to the GPUs. Qwen3-235B in BF16 on 8 H100 held 228 sequences of the 256 allowed, which is what memory
    leaves for eight copies of attention; sharded eight ways it would have held twice as many.
    """
    return float(row["num_gpus"]) / float(row["tensor_parallel"]) if number(shape, "experts") else 1.0


def load_fields(row: dict[str, str], shape: dict[str, str]) -> dict[str, float]:
    precision = row["weight_precision"]
    accelerators, replicas = float(row["num_gpus"]), attention_ranks(row, shape)
    routed = number(shape, "params_routed_experts")
    experts, active = number(shape, "experts"), number(shape, "experts_active")
    matmul = number(shape, "active_params_no_input_embedding")
    head = number(shape, "vocab_size") * number(shape, "hidden_size")
    fixed = matmul - head - (routed * active / experts if experts else 0.0)
    prompt, output = PROMPT_TOKENS[row["task"]], float(row["avg_output_len"])
    return {
        "accelerators": accelerators,
        "tokens_per_s": float(row["output_throughput_tokens_per_sec"]),
        "batch": float(row["avg_batch_size"]),
        "layers": number(shape, "layers"),
        "matmul_params": matmul,
        "fixed_weight_bytes": replicas * (fixed * FIXED_BYTES[precision] + 2.0 * head),
        "routed_weight_bytes": routed * EXPERT_BYTES[precision],
        "experts": experts,
        "experts_active": active,
        "state_bytes_per_sequence": state_bytes(shape, prompt + output / 2),
        "state_shards": state_shards(shape, accelerators, replicas),
        "prompt_tokens": prompt,
        "output_tokens": output,
        "block_scaled_fp8": float(precision == "fp8"),
    }


def load_measured(shared_data: Path) -> MeasuredSet:
    """The 452 rows with shapes; a model without a shape is an error."""
    rows, shapes = read_rows(shared_data), read_shapes(shared_data)
    found = [shapes[row["model_id"].lower()] for row in rows]
    fields = [load_fields(row, shape) for row, shape in zip(rows, found, strict=True)]
    names = [row["gpu_model"].lower() for row in rows]
    figures = np.array([DEVICES[name] for name in names])
    over = np.array([PEAK_OVER_BF16[row["weight_precision"]] for row in rows])
    return MeasuredSet(
        rows=rows,
        shape_id=np.array([shape["id"] for shape in found]),
        nickname=np.array([row["nickname"] for row in rows]),
        task=np.array([row["task"] for row in rows]),
        group=np.array([CLASSES.index(name) for name in names], dtype=np.intp),
        load=DecodeLoad(**{name: np.array([field[name] for field in fields]) for name in fields[0]}),
        device=Device(figures[:, 0], figures[:, 1], figures[:, 2] * over),
        power_w=np.array([float(row["avg_power_watts"]) for row in rows]),
        tokens_per_s=np.array([float(row["output_throughput_tokens_per_sec"]) for row in rows]),
        concurrency_limit=np.array([float(row["max_num_seqs"]) for row in rows]),
    )
