"""What an entry of a language model says."""

from datetime import date
from typing import Any, Literal

from pydantic import ConfigDict

from aiplan.catalog.entry import Count, Entry, Precision, Texts
from aiplan.catalog.index import OWN
from aiplan.inputs.fields import Id, Positive, Text

PARTS = (
    "params_embedding",
    "params_output_head",
    "params_attention",
    "params_linear_attention",
    "params_dense_ffn",
    "params_routed_experts",
    "params_shared_experts",
    "params_other",
)
"""Parameters by what they belong to; they add up to ``total_params``."""


def _shape_or_parent(schema: dict[str, Any]) -> None:
    """Make the shape's fields optional where ``shape_of`` supplies them."""
    needed = [name for name in schema.get("required", ()) if name not in OWN]
    schema["required"] = [name for name in schema.get("required", ()) if name in OWN]
    schema["anyOf"] = [{"required": ["shape_of"]}, {"required": needed}]


class Model(Entry):
    """Shape of a language model: what decides weight bytes, KV bytes and FLOPs per token.

    Counts are of the text model; multi-token prediction and encoders of other media are ``extra_params``.
    """

    model_config = ConfigDict(json_schema_extra=_shape_or_parent)

    family: Text
    """Models of one maker and lineage."""
    vendor: Text
    """Who made it."""
    released: date | None = None
    """Day the weights or the interface appeared."""
    licence: Text = ""
    """Licence of the weights."""
    hf_ids: Texts = ()
    """Hugging Face repositories with this shape."""
    shape_of: Id | None = None
    """Entry whose shape this one shares; the loader fills it in."""
    shape_tier: Literal["config", "vendor", "third-party"] | None = None
    """Where the shape was read: the vendor's config, other words of the vendor, or a re-implementation."""
    layers: Count
    """Blocks of the decoder."""
    hidden_size: Count
    """Width of the residual stream."""
    attention_heads: Count
    """Query heads per attention layer."""
    kv_heads: Count | None = None
    """Key and value heads per attention layer; absent for latent attention."""
    head_dim: Count
    """Width of a query and key head; not always ``hidden_size / attention_heads``."""
    attention: Literal["mha", "gqa", "mqa", "mla"]
    """Multi-head, grouped-query, multi-query or latent attention."""
    attention_layers: Count | None = None
    """Layers with softmax attention, where not all have it."""
    window_tokens: Count | None = None
    """Tokens a windowed layer looks back."""
    windowed_layers: Count | None = None
    """Attention layers that keep only a window."""
    window_kind: Literal["sliding", "chunked"] | None = None
    """Whether the window moves with the token or in chunks."""
    linear_layers: Count | None = None
    """Layers with a recurrent state in place of a KV cache."""
    linear_kind: Literal["mamba2", "gated-deltanet"] | None = None
    """Kind of recurrence."""
    linear_state_values: Count | None = None
    """Values of recurrent state per sequence, all layers."""
    linear_conv_values: Count | None = None
    """Values of convolution state per sequence, all layers."""
    q_lora_rank: Count | None = None
    """Width of the compressed query (latent attention)."""
    kv_lora_rank: Count | None = None
    """Width of the compressed keys and values that the cache holds (latent attention)."""
    qk_nope_head_dim: Count | None = None
    """Width of a head's part without position (latent attention)."""
    qk_rope_head_dim: Count | None = None
    """Width of the shared part with position (latent attention)."""
    v_head_dim: Count | None = None
    """Width of a value head (latent attention)."""
    index_heads: Count | None = None
    """Heads of the indexer of sparse attention."""
    index_head_dim: Count | None = None
    """Width of an indexer head; its keys are cached too."""
    index_topk: Count | None = None
    """Tokens that sparse attention keeps."""
    dense_layers: Count | None = None
    """Layers with a dense feed-forward network."""
    dense_ffn_width: Count | Text | None = None
    """Inner width of the dense network; ``varies`` where it differs by layer."""
    ffn_matrices: Count | None = None
    """Matrices per feed-forward network: three gated, two plain."""
    activation: Text = ""
    """Activation function of the feed-forward networks."""
    experts: Count | None = None
    """Routed experts per layer."""
    experts_active: Count | None = None
    """Routed experts a token passes through."""
    expert_width: Count | None = None
    """Inner width of a routed expert."""
    shared_experts: Count | None = None
    """Experts every token passes through."""
    shared_width: Count | None = None
    """Inner width of a shared expert."""
    first_dense_layers: Count | None = None
    """Dense layers before the first with experts."""
    moe_every: Count | None = None
    """Every how many layers experts stand."""
    moe_layers: Count | None = None
    """Layers with experts."""
    vocab_size: Count
    """Rows of the embedding."""
    tied_embeddings: bool
    """Whether the output head is the embedding."""
    max_context_tokens: Positive | None = None
    """Longest sequence of prompt and answer."""
    mtp_layers: Count | None = None
    """Layers for multi-token prediction; not in the totals."""
    native_precision: Precision | None = None
    """Number format the weights were published in."""
    kv_values_per_token: Count | None = None
    """Cached values per token while inside every window, all layers."""
    kv_values_per_token_full_layers: Count | None = None
    """Cached values per token beyond the window, of the layers without one."""
    total_params: Count
    """Parameters of the text model; the sum of the ``params_`` fields."""
    active_params: Count
    """Parameters a token touches: the total less idle experts."""
    matmul_params: Count
    """Active parameters without the input embedding: what a token is multiplied with."""
    params_embedding: Count | None = None
    """Parameters of the input embedding."""
    params_output_head: Count | None = None
    """Parameters of the output head; none where it is the embedding."""
    params_attention: Count | None = None
    """Parameters of softmax attention."""
    params_linear_attention: Count | None = None
    """Parameters of recurrent layers."""
    params_dense_ffn: Count | None = None
    """Parameters of dense feed-forward networks."""
    params_routed_experts: Count | None = None
    """Parameters of routed experts."""
    params_shared_experts: Count | None = None
    """Parameters of shared experts."""
    params_other: Count | None = None
    """Parameters of norms, routers, biases and positions."""
    extra_params: Count | None = None
    """Parameters of modules outside the text model."""
    extra_modules: Text = ""
    """What those modules are."""
    published_total_params_b: Positive | None = None
    """Total that the vendor states, in 10^9."""
    published_active_params_b: Positive | None = None
    """Active parameters that the vendor states, in 10^9; definitions differ."""
    published_kind: Text = ""
    """Whether the stated total is a count or rounded into a name."""
