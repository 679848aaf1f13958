"""Write the language models of the catalog from the table of LLM shapes and the curated siblings.

Run as ``python -m tests.transcribe.models [--data DIR]``.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

from tests.transcribe import model_rows as rows
from tests.transcribe.model_records import Count, Record
from tests.transcribe.model_siblings_llama import LLAMAS, NEMOTRONS
from tests.transcribe.model_siblings_mistral import GEMMAS, GPT_OSSES, MISTRALS
from tests.transcribe.model_siblings_other import COHERES, GLMS, KIMIS, MINIMAXES, OTHERS, PHIS
from tests.transcribe.model_siblings_qwen import DEEPSEEKS, QWENS
from tests.transcribe.model_sources import SOURCES, render_sources
from tests.transcribe.rewrite import rewrite

SIBLINGS: list[Record] = [
    *LLAMAS, *NEMOTRONS, *MISTRALS, *GEMMAS, *GPT_OSSES, *QWENS, *DEEPSEEKS, *KIMIS, *GLMS, *MINIMAXES, *PHIS,
    *COHERES, *OTHERS,
]  # fmt: skip
COUNTED_ONCE = {"dbrx", "grok-1", "nemotron-super-49b"}
_COUNTED = {True: "Total equal to a second count.", False: "Total counted once."}
TITLES = {
    "llama": "Llama, Code Llama and the layer-pruned Llama of MLPerf",
    "qwen": "Qwen and QwQ",
    "deepseek": "DeepSeek and its distilled models",
    "mistral": "Mistral, Mixtral, Ministral, Devstral, Pixtral",
    "gpt-oss": "gpt-oss",
    "gemma": "Gemma",
    "nemotron": "NVIDIA Nemotron, own and Llama-based",
    "kimi-glm-minimax": "Kimi, GLM and MiniMax",
    "other": "Phi, Command, Falcon, OPT, BLOOM and others",
}

_ORDER = (
    "name family vendor released licence source grade evidence shape_of shape_tier hf_ids aliases "
    "unverified_fields | "
    "layers hidden_size attention attention_heads kv_heads head_dim attention_layers window_tokens "
    "windowed_layers "
    "window_kind linear_layers linear_kind linear_state_values linear_conv_values q_lora_rank kv_lora_rank "
    "qk_nope_head_dim qk_rope_head_dim v_head_dim index_heads index_head_dim index_topk dense_layers "
    "dense_ffn_width "
    "ffn_matrices activation experts experts_active expert_width shared_experts shared_width "
    "first_dense_layers "
    "moe_every moe_layers vocab_size tied_embeddings max_context_tokens mtp_layers native_precision | "
    "kv_values_per_token kv_values_per_token_full_layers total_params active_params matmul_params "
    "params_embedding "
    "params_output_head params_attention params_linear_attention params_dense_ffn params_routed_experts "
    "params_shared_experts params_other extra_params extra_modules | "
    "published_total_params_b published_active_params_b published_kind conflicts note"
)
_INHERITED = ("native_precision", "tied_embeddings")
Entry = dict[str, Any]


class Inline(dict[str, Any]):
    """A value with its own source, written as an inline table."""


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:_}" if abs(value) >= 10_000 else str(value)
    if isinstance(value, float):
        return _literal(int(value)) if value.is_integer() else str(value)
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_literal(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        flat = "[" + ", ".join(_literal(item) for item in value) + "]"
        if len(flat) <= 95:
            return flat
        return "[\n" + "".join(f"    {_literal(item)},\n" for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _line(key: str, value: object) -> str:
    if key == "released":
        return f"released = {value}"
    if isinstance(value, str) and len(value) > 95:
        text = json.dumps(value, ensure_ascii=False)[1:-1]
        wrapped = textwrap.wrap(text, 108, break_long_words=False, break_on_hyphens=False)
        return f'{key} = """' + "\\\n" + " \\\n".join(f"  {line}" for line in wrapped) + '"""'
    return f"{key} = {_literal(value)}"


def _entry_text(entry_id: str, entry: Entry) -> str:
    header = f'["{entry_id}"]' if "." in entry_id else f"[{entry_id}]"
    blocks = [
        [_line(key, entry[key]) for key in group.split() if entry.get(key) not in (None, "", [], ())]
        for group in _ORDER.split("|")
    ]
    return "\n".join([header, *(line for block in blocks for line in block)])


def _count(count: Count | None, entry: Entry) -> float | Inline | None:
    if count is None:
        return None
    source = SOURCES[count.source]
    value = Inline(value=count.value)
    for key, given in (("source", count.source), ("grade", source.grade), ("evidence", source.evidence)):
        if given != (entry.get(key) or "published"):
            value[key] = given
    return value if len(value) > 1 else count.value


def _with_counts(entry: Entry, total: Count | None, active: Count | None, extra: int) -> None:
    """Add the published counts, and a remark where the total is off by more than 1 %."""
    entry["published_total_params_b"] = _count(total, entry)
    entry["published_active_params_b"] = _count(active, entry)
    entry["published_kind"] = total.kind if total else (active.kind if active else None)
    if total and total.kind == "rounded name":
        billions = (entry["total_params"] + extra) / 1e9
        if abs(billions / total.value - 1) > 0.01:
            remark = f"The name is rounded: the shape gives {billions:.3f}."
            entry["note"] = _joined(entry.get("note"), remark)


def _joined(*sentences: str | None) -> str:
    ended = [text if text.endswith(".") else text + "." for text in sentences if text]
    return " ".join(ended)


def _identity(entry: Entry, source: str, evidence: str | None) -> None:
    """Add source, grade and evidence."""
    seen = evidence or SOURCES[source].evidence
    entry["source"] = source
    entry["grade"] = "assumption" if seen == "unverified" else SOURCES[source].grade
    entry["evidence"] = seen if seen != "published" else None


def _conflicts(found: tuple[tuple[str, float, str, str], ...]) -> list[Entry]:
    keys = ("field", "value", "source", "note")
    return [dict(zip(keys, conflict, strict=True)) for conflict in found]


def _from_row(row: dict[str, str]) -> tuple[str, Entry]:
    file, family, vendor = rows.by_start(rows.FAMILIES, row["id"])
    entry: Entry = {"name": row["name"], "family": family, "vendor": vendor}
    _identity(entry, rows.source_of(row), None)
    entry["grade"] = "paper" if row["source_tier"] == "third-party" else "datasheet"
    entry |= rows.shape_fields(row)
    entry |= {key: row[key] for key in ("released", "licence", "extra_modules")}
    entry["shape_tier"] = row["source_tier"]
    entry["hf_ids"] = [name for name in row["hf_ids"].split(";") if name and name not in rows.MOVED]
    entry["aliases"] = [name for name in row["aliases"].split(";") if name]
    if row["extra_params_b"]:
        entry["extra_params"] = round(float(row["extra_params_b"]) * 1e9)
    unverified = [name.split(" ")[0] for name in row["unverified_fields"].split(";") if name]
    _mark_unverified(entry, ["max_context_tokens" if name == "max_context" else name for name in unverified])
    counted = _COUNTED[row["second_method"].startswith("exact")]
    shape = "Shape: " + row["source"].replace(" | ", "; ")
    entry["note"] = _joined(row["note"], rows.NOTES.get(row["id"]), counted, shape)
    total = rows.published(row, "total_params_b_published")
    _with_counts(entry, total, rows.published(row, "active_params_b_published"), entry.get("extra_params", 0))
    entry["conflicts"] = _conflicts(rows.CONFLICTS.get(row["id"], ()))
    return file, entry


def _mark_unverified(entry: Entry, names: list[str]) -> None:
    """List fields that were only remembered; a published count says so itself."""
    known = (name for name in names if entry.get(name) not in (None, ""))
    entry["unverified_fields"] = [name for name in known if name != "total_params_b_published"]


def _from_record(record: Record, parents: dict[str, Entry]) -> Entry:
    entry: Entry = {"name": record.name, "family": record.family, "vendor": record.vendor}
    _identity(entry, record.source, record.evidence)
    names = list(record.unverified)
    if record.shape:
        entry |= record.shape.fields()
        entry["shape_tier"] = record.tier
        note = _COUNTED[record.id not in COUNTED_ONCE]
    else:
        parent = parents[record.of]
        if parent["evidence"] and not entry["evidence"]:
            entry["evidence"] = "published"  # else the parent's would hold
        entry |= {
            "shape_of": record.of,
            "max_context_tokens": parent["max_context_tokens"],
            "total_params": None,
        }
        replaced = {"native_precision"} if record.precision else set()
        names += [name for name in _INHERITED if name in parent["unverified_fields"] and name not in replaced]
        note = ""
    entry |= {key: getattr(record, key) for key in ("released", "licence", "extra_params", "extra_modules")}
    entry["hf_ids"], entry["aliases"] = list(record.hf), list(record.aliases)
    entry["max_context_tokens"] = record.context or entry["max_context_tokens"]
    entry["native_precision"] = record.precision or entry.get("native_precision")
    shown = entry if record.shape else parents[record.of] | entry
    _mark_unverified(shown, names)
    entry |= {key: shown[key] for key in ("unverified_fields", "max_context_tokens")}
    entry["note"] = _joined(record.note, note)
    measured = dict(entry) | {"total_params": entry["total_params"] or parents[record.of]["total_params"]}
    _with_counts(measured, record.total, record.active, record.extra_params or 0)
    entry |= {key: measured[key] for key in measured if key.startswith("published") or key == "note"}
    entry["conflicts"] = list(record.conflicts)
    return entry


def entries(shared_data: Path) -> dict[str, dict[str, Entry]]:
    """Every entry by file and id, parents of shapes first."""
    files: dict[str, dict[str, Entry]] = {name: {} for name in TITLES}
    known: dict[str, Entry] = {}
    for row in rows.read_table(shared_data):
        file, known[row["id"]] = _from_row(row)
        files[file][row["id"]] = known[row["id"]]
    for record in sorted(SIBLINGS, key=lambda item: item.shape is None):
        known[record.id] = files[record.file][record.id] = _from_record(record, known)
    return files


def render(shared_data: Path) -> dict[str, str]:
    """Text of every file, by its path in the repository."""
    texts = {"hardware_catalog/sources/models.toml": render_sources()}
    for file, content in entries(shared_data).items():
        body = "\n\n".join(_entry_text(entry_id, entry) for entry_id, entry in content.items())
        head = f"# {TITLES[file]}: what decides weight bytes, KV bytes and FLOPs per token.\n\n"
        texts[f"hardware_catalog/models/{file}.toml"] = head + body + "\n"
    return texts


if __name__ == "__main__":
    rewrite(render, __doc__)
