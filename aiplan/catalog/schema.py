"""What a catalog entry may say, kind by kind.

An entry names one source and grade that hold for all its numbers; a number that differs says so itself (see
`aiplan.inputs.quantity`). Optional fields are left out where no source gives them: nothing is filled by guess.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field

from aiplan.inputs.fields import Fraction, Id, NonNegative, Positive, Section, Text, quantity
from aiplan.inputs.quantity import Quantity
from aiplan.inputs.scenario import Evidence, Grade

Texts = Annotated[tuple[Text, ...], Field(strict=False)]
Count = Annotated[int, Field(ge=0)]
Twelve = Annotated[tuple[float, ...], Field(strict=False, min_length=12, max_length=12)]
Point = Annotated[tuple[float, ...], Field(strict=False, min_length=3, max_length=3)]
Precision = Literal["fp32", "fp16", "bf16", "fp8", "int8", "fp4", "nvfp4", "mxfp4", "int4", "w4a16"]


class Conflict(Section):
    """A value another source gives for a field of the entry."""

    field: Text
    value: Any
    source: Text | None = None
    evidence: Evidence | None = None
    note: Text = ""


class Excuse(Section):
    """Why a field breaks a rule that lint checks."""

    field: Text
    reason: Text


class Entry(Section):
    """Fields of every kind."""

    name: Text
    """Name for people."""
    source: Text
    """Source id that holds for every number that names no other."""
    grade: Grade
    """Grade of every number that names no other."""
    evidence: Evidence = "published"
    """How the values were seen, where they do not say it themselves."""
    aliases: Texts = ()
    """Names found in the wild."""
    note: Text = ""
    conflicts: Annotated[tuple[Conflict, ...], Field(strict=False)] = ()
    exceptions: Annotated[tuple[Excuse, ...], Field(strict=False)] = ()
    unverified_fields: Texts = ()
    """Fields that are not numbers and were only remembered."""


class Source(Section):
    """Where a value was read."""

    title: Text
    url: Text = ""
    doi: Text = ""
    published: date | int | Text | None = None
    accessed: date
    locator: Text
    """Page, table, file or commit."""
    licence: Text = ""
    evidence: Evidence = "published"
    note: Text = ""


class Accelerator(Entry):
    """One accelerator as sold. FLOP/s are dense; links are one way."""

    vendor: Text
    status: Literal["shipping", "roadmap"] = "shipping"
    released: date
    bf16_dense_tflops: Positive | None = None
    fp8_dense_tflops: Positive | None = None
    fp4_dense_tflops: Positive | None = None
    int8_dense_tops: Positive | None = None
    hbm_gb: Positive
    hbm_tb_per_s: Positive | None = None
    scaleup_gb_per_s: Positive | None = None
    scaleup_domain_count: Annotated[int, Field(ge=1)] | Quantity | None = None
    tdp_w: Positive | None = None
    power_fraction: Fraction | None = None
    """Measured power under LLM serving over TDP."""
    provisioned_kw_per_gpu: Positive | None = None
    hyperscaler_usd_per_h: Positive | None = None
    neocloud_usd_per_h: Positive | None = None
    rental_3y_usd_per_h: Positive | None = None
    price_usd: Positive | None = None
    embodied_kg: NonNegative | None = None


class Server(Entry):
    """A server or rack as sold: accelerators, host, rating, price."""

    vendor: Text
    accelerator: Id
    accelerator_count: Annotated[int, Field(ge=1)]
    released: date | None = None
    host_power_w: NonNegative
    """CPUs, memory, NICs, fans and conversion at serving load, accelerators excluded."""
    max_power_w: Positive
    """Rated power of the whole server."""
    idle_power_fraction: Fraction
    """Power at no load over rated power."""
    price_usd: Positive | None = None
    embodied_kg: NonNegative | None = None
    """kg CO2e of the server without accelerators."""


class Model(Entry):
    """Shape of a language model: what decides weight bytes, KV bytes and FLOPs per token."""

    family: Text
    vendor: Text
    released: date | None = None
    licence: Text = ""
    hf_ids: Texts = ()
    shape_of: Id | None = None
    """Entry whose shape this one shares; the loader fills it in."""
    shape_tier: Literal["config", "vendor", "third-party"] | None = None
    layers: Count
    hidden_size: Count
    attention_heads: Count
    kv_heads: Count | None = None
    head_dim: Count
    attention: Literal["mha", "gqa", "mqa", "mla"]
    attention_layers: Count | None = None
    window_tokens: Count | None = None
    windowed_layers: Count | None = None
    window_kind: Literal["sliding", "chunked"] | None = None
    linear_layers: Count | None = None
    linear_kind: Literal["mamba2", "gated-deltanet"] | None = None
    linear_state_values: Count | None = None
    linear_conv_values: Count | None = None
    q_lora_rank: Count | None = None
    kv_lora_rank: Count | None = None
    qk_nope_head_dim: Count | None = None
    qk_rope_head_dim: Count | None = None
    v_head_dim: Count | None = None
    index_heads: Count | None = None
    index_head_dim: Count | None = None
    index_topk: Count | None = None
    dense_layers: Count | None = None
    dense_ffn_width: Count | Text | None = None
    ffn_matrices: Count | None = None
    activation: Text = ""
    experts: Count | None = None
    experts_active: Count | None = None
    expert_width: Count | None = None
    shared_experts: Count | None = None
    shared_width: Count | None = None
    first_dense_layers: Count | None = None
    moe_every: Count | None = None
    moe_layers: Count | None = None
    vocab_size: Count
    tied_embeddings: bool
    max_context_tokens: Quantity | int | None = None
    mtp_layers: Count | None = None
    native_precision: Precision | None = None
    kv_values_per_token: Count | None = None
    kv_values_per_token_full_layers: Count | None = None
    total_params: Count
    active_params: Count
    matmul_params: Count
    """Active parameters without the input embedding: what a token is multiplied with."""
    params_embedding: Count | None = None
    params_output_head: Count | None = None
    params_attention: Count | None = None
    params_linear_attention: Count | None = None
    params_dense_ffn: Count | None = None
    params_routed_experts: Count | None = None
    params_shared_experts: Count | None = None
    params_other: Count | None = None
    extra_params: Count | None = None
    extra_modules: Text = ""
    published_total_params_b: Positive | None = None
    published_active_params_b: Positive | None = None
    published_kind: Text = ""


class Throughput(Entry):
    """A published table of tokens per second by prompt and answer length, for one deployment."""

    model: Id
    accelerator: Id
    accelerator_count: Annotated[int, Field(ge=1)]
    tensor_parallel: Annotated[int, Field(ge=1)] | None = None
    pipeline_parallel: Annotated[int, Field(ge=1)] | None = None
    expert_parallel: Annotated[int, Field(ge=1)] | None = None
    precision: Precision
    kv_precision: Precision | None = None
    engine: Text
    engine_version: Text = ""
    measured_on: date | Quantity | None = None
    regime: Literal["offline_max", "static_batch", "online"] = "offline_max"
    batch: Count | None = None
    points: Annotated[tuple[Point, ...], Field(strict=False, min_length=1)]
    """Rows of prompt tokens, answer tokens, answer tokens per second of the whole group of accelerators."""


class Grid(Entry):
    """Carbon and water of the electricity of a region."""

    country: Text = ""
    year: int | None = None
    carbon_g_per_kwh: NonNegative | None = None
    water_l_per_kwh: NonNegative | None = None
    """Off-site water consumption of generation."""


class SourcedText(Section):
    """A text that names its own source."""

    value: Text
    source: Text | None = None
    grade: Grade | None = None
    evidence: Evidence | None = None
    note: Text = ""


class Normals(Section):
    """Monthly climate normals, January first."""

    source: Text
    grade: Grade
    evidence: Evidence = "published"
    period: Text = ""
    set: Text = ""
    station: Text = ""
    note: Text = ""
    tmax_c: Twelve
    tmin_c: Twelve
    tmean_c: Twelve
    rh_percent: Twelve


class Site(Entry):
    """A place to build: climate, grid, price, land."""

    country: Text
    region: Text = ""
    latitude_deg: quantity(-90, 90)  # type: ignore[valid-type]
    longitude_deg: quantity(-180, 180)  # type: ignore[valid-type]
    elevation_meters: quantity(-500.0, 9000.0) | None = None  # type: ignore[valid-type]
    climate_zone: SourcedText | Text | None = None
    grid: Id | None = None
    carbon_g_per_kwh: NonNegative | None = None
    offsite_water_l_per_kwh: NonNegative | None = None
    price_usd_per_kwh: NonNegative | None = None
    price_local_per_kwh: NonNegative | None = None
    price_currency: Text = ""
    price_year: int | None = None
    tariff: SourcedText | Text | None = None
    tariff_threshold_mw: NonNegative | None = None
    tariff_min_demand_fraction: Fraction | None = None
    tariff_term_years: NonNegative | None = None
    tariff_note: Text = ""
    capex_usd_per_w: NonNegative | None = None
    land_usd_per_acre: NonNegative | None = None
    normals: Normals


class Operator(Entry):
    """PUE and WUE as an operator states them, for its fleet or one region."""

    operator: Text
    site: Id | None = None
    year: int | None = None
    pue: quantity(above=0.0, sane=(1.0, 5.0)) | None = None  # type: ignore[valid-type]
    wue_l_per_kwh: NonNegative | None = None


class Published(Entry):
    """A public estimate of energy, water or carbon per query, as its source prints it."""

    model: Text = ""
    model_id: Id | None = None
    method: Text = ""
    boundary: Literal["accelerator", "server", "server+idle", "facility", "life_cycle", "not_stated"] | None = None
    """The IT loads inside the figure; ``pue`` is the factor already on them."""
    hardware: Text = ""
    statistic: Text = ""
    energy_wh: NonNegative | None = None
    energy_j_per_token: NonNegative | None = None
    carbon_g: NonNegative | None = None
    water_ml: NonNegative | None = None
    pue: Positive | None = None
    input_tokens: NonNegative | None = None
    output_tokens: NonNegative | None = None
    batch: Positive | None = None
    year: int | None = None
    energy_slope_wh_per_token: Positive | None = None
    energy_batch_exponent: quantity(-10.0, 10.0) | None = None  # type: ignore[valid-type]
    energy_floor_wh_per_token: Positive | None = None
    latency_slope_s_per_token: Positive | None = None
    latency_batch_slope_s_per_token: Positive | None = None
    latency_floor_s_per_token: Positive | None = None
    weight_bits: Positive | None = None
    memory_overhead_factor: Positive | None = None
    accelerator_memory_gb: Positive | None = None
    host_power_w: Positive | None = None
    server_accelerator_count: Positive | None = None


KINDS: dict[str, type[Section]] = {
    "accelerators": Accelerator,
    "servers": Server,
    "models": Model,
    "throughput": Throughput,
    "grids": Grid,
    "sites": Site,
    "operators": Operator,
    "published": Published,
    "sources": Source,
}
"""Kind of entry by the first part of the file's path in the catalog folder."""
