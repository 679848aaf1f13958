"""From the keys of a config and the small print of its class to the numbers of a shape, one kind of layer at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiplan.planners.serving.hf_families import ORDINARY, Family, Switch
from aiplan.planners.serving.hf_json import MAX_COUNT, MAX_LAYERS, Keys
from aiplan.planners.serving.parameter_count import GATED_DELTANET, MAMBA2

Values = dict[str, Any]

_CONTEXT = ("max_position_embeddings", "n_positions", "seq_length", "max_sequence_length", "max_seq_len", "n_ctx")
_LAYERS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
_WIDTH = ("hidden_size", "n_embd", "n_embed", "d_model")
_HEADS = ("num_attention_heads", "n_head", "n_heads")
_EXPERTS = ("n_routed_experts", "num_local_experts", "num_experts", "moe_num_experts")
_FULL = {"full_attention", "indexed_attention", "attention"}
_WINDOWED = {"sliding_attention", "chunked_attention"}
_RECURRENT = {"linear_attention"}
_MIXERS = {
    "M": "linear", "mamba": "linear", "linear_attention": "linear",
    "*": "attention", "attention": "attention", "full_attention": "attention",
    "-": "dense", "mlp": "dense",
    "E": "moe", "moe": "moe",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Config:
    """Keys of the text model, those of the whole file, and what the class adds."""

    keys: Keys
    top: Keys
    family: Family
    model_type: str

    def count(self, *names: str, default: int | None = None, least: int = 1, most: int = MAX_COUNT) -> int:
        """A number of the config, else what the class has, else the default; without one it is missing."""
        of_class = next((self.family.defaults[name] for name in names if name in self.family.defaults), None)
        if of_class is not None and not self.keys.has(*names):
            self.keys.findings.warnings.append(f"{names[0]} is not given; {of_class:,} is what its class has")
            return of_class
        return self.keys.count(*names, default=default, least=least, most=most)

    def on(self, switch: Switch) -> bool:
        """Whether a switch of the class is on in this config."""
        return self.keys.flag(switch.key, switch.default) if switch.key else switch.default

    def of_layers(self, name: str, layers: int) -> list[str] | None:
        """A list of texts, one per layer where the number of layers is sound."""
        return self.keys.texts(name, layers if self.keys.sound(*_LAYERS) else None)

    def context_tokens(self) -> int:
        """Longest sequence [tokens], 0 where the config does not say."""
        outer = 0 if self.keys.has(*_CONTEXT) else self.top.count(*_CONTEXT, default=0)
        return self.keys.count(*_CONTEXT, default=self.family.defaults.get(_CONTEXT[0], outer))


def widths(config: Config) -> Values:
    """Layers, width, heads and vocabulary."""
    keys, family = config.keys, config.family
    tied = config.top.flag("tie_word_embeddings", family.tied)
    told_by_pattern = 1 if config.model_type == "nemotron_h" else None
    return {
        "layers": config.count(*_LAYERS, default=told_by_pattern, most=MAX_LAYERS),
        "hidden_size": config.count(*_WIDTH),
        "attention_heads": config.count(*_HEADS),
        "vocab_size": config.count("vocab_size", "padded_vocab_size"),
        "tied_embeddings": keys.flag("tie_word_embeddings", tied),
    }


def heads(config: Config, hidden_size: int, attention_heads: int) -> Values:
    """Heads of a layer with softmax attention: grouped or latent."""
    keys = config.keys
    if config.family.latent or keys.has("kv_lora_rank"):
        return _latent(config)
    kv_heads = _falcon_kv_heads(keys, attention_heads) if config.model_type == "falcon" else config.count(
        "num_key_value_heads", "num_kv_heads", "multi_query_group_num", default=attention_heads
    )  # fmt: skip
    if attention_heads % kv_heads and keys.sound(*_HEADS):
        keys.complain("E193", "num_key_value_heads", f"must divide the {attention_heads:,} heads, got {kv_heads:,}",
                      "check both")  # fmt: skip
    names = ("head_dim", "attention_head_dim", "kv_channels")
    if keys.has(*names) or names[0] in config.family.defaults:
        return {"kv_heads": kv_heads, "head_dim": config.count(*names)}
    if hidden_size % attention_heads and keys.sound(*_HEADS, *_WIDTH):
        keys.complain("E194", "head_dim", "is missing, and hidden_size is no multiple of the heads", "add it")
    return {"kv_heads": kv_heads, "head_dim": max(hidden_size // attention_heads, 1)}


def _falcon_kv_heads(keys: Keys, attention_heads: int) -> int:
    if keys.flag("new_decoder_architecture", False):
        return keys.count("num_kv_heads", "n_head_kv", default=attention_heads)
    return 1 if keys.flag("multi_query", True) else attention_heads


def _latent(config: Config) -> Values:
    """Latent attention. Its config's ``head_dim`` and ``num_key_value_heads`` describe no cache and are not read."""
    keys = config.keys
    values: Values = {
        "q_lora_rank": keys.count("q_lora_rank", default=0, least=0),
        "kv_lora_rank": keys.count("kv_lora_rank"),
        "qk_nope_head_dim": keys.count("qk_nope_head_dim"),
        "qk_rope_head_dim": keys.count("qk_rope_head_dim"),
        "v_head_dim": keys.count("v_head_dim"),
    }
    values["head_dim"] = values["qk_nope_head_dim"] + values["qk_rope_head_dim"]
    if keys.has("index_n_heads"):
        values |= {"index_heads": keys.count("index_n_heads"), "index_head_dim": keys.count("index_head_dim")}
        if set(keys.texts("indexer_types") or ()) - {"full"}:
            keys.findings.warnings.append("indexer_types names layers that share an indexer; each is counted as full")
    return values


def mixers(config: Config, layers: int) -> Values:
    """Layers with softmax attention, recurrence, and feed-forward networks without experts."""
    if config.model_type == "nemotron_h":
        return _one_mixer_per_layer(config)
    if not config.family.linear_every:
        return {}
    keys = config.keys
    types = config.of_layers("layer_types", layers)
    every = keys.count("full_attention_interval", default=config.family.linear_every)
    recurrent = sum(name in _RECURRENT for name in types) if types is not None else layers - layers // every
    return {
        "attention_layers": layers - recurrent,
        "linear_layers": recurrent,
        "linear_kind": GATED_DELTANET,
        "linear_heads": config.count("linear_num_value_heads"),
        "linear_head_dim": config.count("linear_value_head_dim"),
        "linear_groups": config.count("linear_num_key_heads"),
        "linear_state_size": config.count("linear_key_head_dim"),
        "linear_kernel": config.count("linear_conv_kernel_dim"),
    }


def _one_mixer_per_layer(config: Config) -> Values:
    """Layers of Nemotron-H, each of which is recurrence, attention, a network or experts."""
    keys = config.keys
    pattern = list(keys.text("hybrid_override_pattern", most=MAX_LAYERS)) or keys.texts("layers_block_type") or []
    if not pattern:
        keys.complain("E194", "hybrid_override_pattern", "is missing, and the layers cannot be told without it",
                      "add it, or layers_block_type")  # fmt: skip
    if unknown := sorted(set(pattern) - set(_MIXERS)):
        keys.complain("E193", "hybrid_override_pattern", f"names a kind of layer that is not known: {unknown[0]!r}",
                      "use M, *, - and E")  # fmt: skip
    if pattern and keys.count("num_hidden_layers", default=len(pattern)) != len(pattern):
        keys.complain("E193", "num_hidden_layers", f"differs from the {len(pattern):,} layers of the pattern",
                      "check both")  # fmt: skip
    kinds = [_MIXERS.get(name, "") for name in pattern]
    values: Values = {
        "layers": len(pattern),
        "attention_layers": kinds.count("attention"),
        "linear_layers": kinds.count("linear"),
        "dense_layers": kinds.count("dense"),
        "moe_layers": kinds.count("moe"),
    }
    if values["linear_layers"]:
        values |= {
            "linear_kind": MAMBA2,
            "linear_heads": keys.count("mamba_num_heads"),
            "linear_head_dim": keys.count("mamba_head_dim"),
            "linear_groups": keys.count("n_groups"),
            "linear_state_size": keys.count("ssm_state_size"),
            "linear_kernel": keys.count("conv_kernel"),
        }
    return values


def experts(config: Config, layers: int, moe_layers: int | None) -> Values:
    """Experts and the layers they stand in, which a pattern of layers may have told already."""
    keys = config.keys
    number = config.count(*_EXPERTS, default=None if moe_layers else 0, least=0)
    if not keys.sound(*_EXPERTS):
        return {"moe_layers": layers}
    if moe_layers is None:
        moe_layers = _moe_layers(config, layers) if number else 0
    if not number or not moe_layers:
        return {"moe_layers": 0}
    active = config.count("num_experts_per_tok", "experts_per_token", "moe_top_k", most=max(number, 1))
    # The width of a dense network lies in configs whose layers all have experts; the class says which key holds.
    width = config.count(*config.family.expert_width)
    values = {"moe_layers": moe_layers, "experts": number, "experts_active": active, "expert_width": width}
    shared = ("moe_shared_expert_intermediate_size", "shared_expert_intermediate_size", "shared_intermediate_size")
    if config.family.shared_expert:
        return values | {"shared_experts": 1, "shared_width": width}
    if keys.has(*shared):
        wide = keys.count(*shared, least=0)
        return values | {"shared_experts": int(wide > 0), "shared_width": wide}
    number = keys.count("n_shared_experts", "num_shared_experts", default=0, least=0)
    return values | {"shared_experts": number, "shared_width": width if number else 0}


def _moe_layers(config: Config, layers: int) -> int:
    """Layers with experts, of a model whose layers all have attention."""
    keys = config.keys
    kinds = config.of_layers("mlp_layer_types", layers)
    if kinds is not None:
        if unknown := sorted(set(kinds) - {"dense", "sparse"}):
            keys.complain("E193", "mlp_layer_types", f"names a kind of layer that is not known: {unknown[0]!r}",
                          "use dense and sparse")  # fmt: skip
        return kinds.count("sparse")
    if listed := set(keys.counts("moe_layers") or ()):
        if max(listed) >= layers and keys.sound(*_LAYERS):
            keys.complain("E193", "moe_layers", f"names layer {max(listed):,} of {layers:,}", "count from 0")
        return len(listed)
    first = keys.count("first_k_dense_replace", default=0, least=0, most=MAX_LAYERS)
    if first > layers and keys.sound(*_LAYERS):
        keys.complain("E193", "first_k_dense_replace", f"is more than the {layers:,} layers", "check both")
    step = config.count("decoder_sparse_step", "interleave_moe_layer_step", default=1, most=MAX_LAYERS)
    if keys.holds_list("moe_layer_freq"):
        return sum(flag > 0 for flag in keys.counts("moe_layer_freq", layers) or ())
    every = keys.count("moe_layer_freq", default=1, most=MAX_LAYERS)
    dense = set(keys.counts("mlp_only_layers") or ())
    return sum(i % every == 0 and (i + 1) % step == 0 and i not in dense for i in range(first, layers))


def windows(config: Config, layers: int, attention_layers: int) -> tuple[int, int]:
    """Window [tokens] and the layers that keep it; no window where it is as long as the longest sequence."""
    keys, family = config.keys, config.family
    name = "attention_chunk_size" if family.chunked else "sliding_window"
    types = None if config.model_type == "nemotron_h" else config.of_layers("layer_types", layers)
    if types is not None:
        known = _FULL | _WINDOWED | (_RECURRENT if family.linear_every else set())
        if unknown := sorted(set(types) - known):
            keys.complain("E195", "layer_types", f"names a kind of layer that is not built here: {unknown[0]!r}",
                          "write a catalog entry with the published counts")  # fmt: skip
        windowed = sum(kind in _WINDOWED for kind in types)
    else:
        given = keys.has(name) or (name in family.defaults and not keys.is_null(name))
        windowed = _windowed(config, layers) if given else 0
    if not windowed:
        return 0, 0
    tokens = config.count(name)
    context = config.context_tokens()
    return (0, 0) if context and tokens >= context else (tokens, min(windowed, attention_layers))


def _windowed(config: Config, layers: int) -> int:
    """Layers with a window by the rule of the class."""
    keys, family = config.keys, config.family
    if not keys.flag("use_sliding_window", True):
        return 0
    if family is ORDINARY:
        keys.findings.warnings.append("no key says which layers have the sliding_window; all are taken as full")
    if family.window_flag:
        whole = keys.count("max_window_layers", default=layers, least=0, most=MAX_LAYERS)
        return max(layers - whole, 0) if keys.flag(family.window_flag, False) else 0
    if family.window_every < 2:
        return layers * family.window_every
    if family.chunked:
        if moving := keys.counts("no_rope_layers"):
            return sum(flag > 0 for flag in moving)
        every = keys.count("no_rope_layer_interval", default=family.window_every, most=MAX_LAYERS)
    else:
        names = ("sliding_window_pattern", "_sliding_window_pattern")
        every = keys.count(*names, default=family.window_every, most=MAX_LAYERS)
    return layers - layers // every


def small_print(config: Config, *, with_experts: bool) -> Values:
    """Biases, norms and gates, by class and switch."""
    family = config.family
    values: Values = {
        name: config.on(getattr(family, name)) for name in ("qkv_bias", "output_bias", "ffn_bias", "head_bias")
    }
    values |= {
        "routing_bias": with_experts and config.on(family.routing_bias),
        "shared_expert_gate": with_experts and family.shared_gate,
        "qk_norm": family.qk_norm if config.on(family.qk_norm_on) else "",
        "attention_gate": config.on(family.gate),
        "attention_sinks": family.sinks,
        "expert_bias": family.expert_bias,
        "ffn_matrices": family.matrices,
        "norms_per_block": family.norms_per_block,
        "shared_norm": family.shared_norm,
        "norm_bias": family.norm_bias,
        "outer_norms": family.outer_norms,
    }
    if config.model_type == "falcon":
        parallel = config.keys.flag("parallel_attn", True)
        new = config.keys.flag("new_decoder_architecture", False)
        norms = config.keys.count("num_ln_in_parallel_attn", default=2 if new else 1, most=2)
        values["shared_norm"] = norms == 1 and (parallel or new)
    if family.position_offset is not None:
        values["position_rows"] = family.position_offset + config.keys.count("max_position_embeddings", "n_positions")
    return values
