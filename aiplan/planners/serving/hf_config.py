"""The shape of a model from its ``config.json``, for models that the catalog does not have.

What `read_hf_config` gives has the field names of a catalog entry, so that `architecture_of` takes either. Where a
config says less than is needed, because the class behind it decides, `hf_families` fills in.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path

from aiplan.inputs.reader import printable
from aiplan.planners.serving.hf_families import FAMILIES, NESTED, ORDINARY, RECURRENT_KEYS, UNREAD_KEYS, Family
from aiplan.planners.serving.hf_json import MAX_LAYERS, Findings, Keys, read_object
from aiplan.planners.serving.hf_layers import Config, experts, heads, mixers, small_print, widths, windows
from aiplan.planners.serving.parameter_count import ParameterCount, Shape, count_parameters

_TEXT_PARTS = ("text_config", "llm_config", "language_config", "thinker_config")
_OTHER_PARTS = ("vision_config", "audio_config", "talker_config", "code2wav_config")
_PRECISIONS = {
    "bfloat16": "bf16", "float16": "fp16", "half": "fp16", "float32": "fp32", "float": "fp32",
    "float8_e4m3fn": "fp8", "float8_e5m2": "fp8",
}  # fmt: skip
# Method, or algorithm of modelopt, where it alone says the format.
_METHODS = {"fp8": "fp8", "fbgemm_fp8": "fp8", "mxfp4": "mxfp4", "nvfp4": "nvfp4", "llm_int8": "int8"}
_WIDTHS = {("int", 4): "int4", ("int", 8): "int8", ("float", 8): "fp8", ("float", 4): "nvfp4"}
_CATALOG_ENTRY = "write a catalog entry with the published counts"


@dataclass(frozen=True, kw_only=True)
class HfModel(Shape, ParameterCount):
    """A model as its config describes it, under the field names of the catalog.

    Attributes
    ----------
    name : the repository named in the config, else the folder of the file
    model_type : class of the text model; empty where the config does not say
    native_precision : number format of most weights, as in the catalog; None where the config does not say
    attention : ``mha``, ``gqa``, ``mqa`` or ``mla``
    window_tokens, window_kind : window of ``windowed_layers`` [tokens], ``sliding`` or ``chunked``; None without
    index_topk : tokens that sparse attention keeps; None where it keeps all
    max_context_tokens : longest sequence by the config; None where it does not say
    mtp_layers : modules for multi-token prediction, not in the totals
    warnings : what was assumed, and what the numbers leave out
    """

    name: str
    model_type: str
    native_precision: str | None
    attention: str
    window_tokens: int | None
    window_kind: str | None
    index_topk: int | None
    max_context_tokens: int | None
    mtp_layers: int
    warnings: tuple[str, ...]


def read_hf_config(path: str | os.PathLike[str]) -> HfModel:
    """Shape, counts and number format of the model that a ``config.json`` describes.

    Parameters
    ----------
    path : the file, as published beside the weights; a regular file of at most 1 MiB

    Returns
    -------
    HfModel, which `aiplan.planners.serving.architecture.architecture_of` takes as it takes a catalog entry.

    Raises
    ------
    InputError with every problem of the file at once: what cannot be read, keys that are missing, of the wrong type
    or beyond what is possible, and structures whose arithmetic is not built here.

    A type that is not listed in `hf_families` is read as an ordinary decoder (gated networks, no biases) with a
    warning, if its keys are the ordinary ones. Encoders of other media are left out, with a warning.
    """
    shown = printable(os.fspath(path))
    data, text = read_object(Path(path), shown)
    findings = Findings(shown, text)
    top = Keys(data, findings)
    keys, model_type = _text_model(top)
    config = Config(keys, top, _family(keys, model_type), model_type)
    shape, window_tokens = _shape(config)
    topk = keys.count("index_topk") if shape.index_heads else None
    predicting = ("num_nextn_predict_layers", "num_mtp_modules", "mtp_num_hidden_layers")
    mtp_layers = keys.count(*predicting, default=0, least=0, most=MAX_LAYERS)
    precision = _native_precision(keys, top)
    context = config.context_tokens()
    name = top.text("_name_or_path", "name_or_path") or _name(Path(path))
    findings.refuse()
    return HfModel(
        **asdict(shape),
        **asdict(count_parameters(shape)),
        name=name,
        model_type=model_type,
        native_precision=precision,
        attention=_attention(shape),
        window_tokens=window_tokens or None,
        window_kind=("chunked" if config.family.chunked else "sliding") if window_tokens else None,
        index_topk=topk,
        max_context_tokens=context or None,
        mtp_layers=mtp_layers,
        warnings=tuple(dict.fromkeys(findings.warnings)),
    )


def _name(path: Path) -> str:
    """What to call a model that does not name itself: its folder, or the file where that has a name of its own."""
    own = path.stem if path.name != "config.json" else path.absolute().parent.name
    return printable(own)[:80] or "model"


def _text_model(top: Keys) -> tuple[Keys, str]:
    """Keys of the text model, which may stand inside others, and its type."""
    keys, model_type, other = top, top.text("model_type"), []
    for _ in range(2):
        other += [name.removesuffix("_config") for name in _OTHER_PARTS if keys.has(name)]
        part = next((part for part in _TEXT_PARTS if keys.has(part)), "")
        inner = keys.section(part) if part else None
        if inner is None:
            break
        keys, model_type = inner, inner.text("model_type") or NESTED.get(model_type, model_type)
    if other:
        left_out = ", ".join(dict.fromkeys(other))
        top.findings.warnings.append(f"parts beside the text model are not counted: {left_out}")
    return keys, NESTED.get(model_type, model_type)


def _family(keys: Keys, model_type: str) -> Family:
    """Small print of a type; of one that is not listed, what is ordinary."""
    if keys.flag("is_encoder_decoder", False):
        message = "says that the model has an encoder, which is not built here"
        keys.complain("E195", "is_encoder_decoder", message, "give a decoder, or " + _CATALOG_ENTRY)
    for name in UNREAD_KEYS:
        if keys.matters(name):
            keys.complain("E195", name, "changes the shape in a way that is not built here", _CATALOG_ENTRY)
    if model_type in FAMILIES:
        return FAMILIES[model_type]
    for name in RECURRENT_KEYS:
        if keys.matters(name):
            message = f"tells of layers that model_type '{model_type}' does not explain"
            keys.complain("E195", name, message, _CATALOG_ENTRY)
    keys.findings.warnings.append(
        f"model_type '{model_type}' is not known: read as a decoder with gated feed-forward networks, without biases"
    )
    return ORDINARY


def _shape(config: Config) -> tuple[Shape, int]:
    """The shape and the window of its layers [tokens], 0 where there is none."""
    keys, family = config.keys, config.family
    values = widths(config)
    hidden_size = values["hidden_size"]
    values |= heads(config, hidden_size, values["attention_heads"])
    values |= mixers(config, values["layers"])
    layers = values["layers"]
    values |= experts(config, layers, values.get("moe_layers"))
    values.setdefault("dense_layers", layers - values["moe_layers"])
    if values["dense_layers"] > 0:
        width = config.count(*family.dense_width, default=4 * hidden_size if family.wide else None)
        values["dense_ffn_width"] = width
    values.setdefault("attention_layers", layers)
    tokens, values["windowed_layers"] = windows(config, layers, values["attention_layers"])
    values |= small_print(config, with_experts=values["moe_layers"] > 0)
    if config.model_type == "opt" and keys.count("word_embed_proj_dim", default=hidden_size) != hidden_size:
        keys.complain("E195", "word_embed_proj_dim", "differs from hidden_size, which is not built here",
                      _CATALOG_ENTRY)  # fmt: skip
    return Shape(**values), tokens


def _attention(shape: Shape) -> str:
    if shape.kv_lora_rank:
        return "mla"
    return {shape.attention_heads: "mha", 1: "mqa"}.get(shape.kv_heads, "gqa")


def _native_precision(keys: Keys, top: Keys) -> str | None:
    """Number format of most weights; None, with a warning, where the config does not say."""
    stated = keys.text("dtype", "torch_dtype") or top.text("dtype", "torch_dtype")
    plain = _PRECISIONS.get(stated.removeprefix("torch."))
    quantised = keys.section("quantization_config") or top.section("quantization_config")
    if quantised is not None:
        found = _quantised(quantised)
        if found is None:
            method = quantised.text("quant_method") or "without a name"
            keys.findings.warnings.append(f"quantization_config ({method}) names no number format that is known")
        return found or plain
    if plain is None:
        what = f"'{stated}' is not known" if stated else "is not given"
        keys.findings.warnings.append(f"torch_dtype {what}; the number format of the weights is open")
    return plain


def _quantised(keys: Keys) -> str | None:
    """Number format by the methods that state one: their name, their algorithm, or type and bits of a group."""
    for name in (keys.text("quant_method"), keys.text("quant_algo"), keys.text("format")):
        if found := _METHODS.get(name.lower().removesuffix("-pack-quantized")):
            return found
    for group in keys.sections("config_groups"):
        weights = group.section("weights")
        if weights is not None and (found := _by_bits(weights, weights.text("type", default="int"), "num_bits")):
            return found
    if keys.flag("load_in_4bit", False) or keys.flag("load_in_8bit", False):
        return "int4" if keys.flag("load_in_4bit", False) else "int8"
    return _by_bits(keys, "int", "bits", "w_bit")


def _by_bits(keys: Keys, kind: str, *names: str) -> str | None:
    return _WIDTHS.get((kind, keys.count(*names, default=0)))
