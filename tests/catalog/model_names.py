"""Model names found in the measured data, and the entry each stands for."""

from __future__ import annotations

_FOUND: dict[str, str] = {
    "llama-2-7b": "LLaMA 7B",
    "llama-2-70b": "LLaMA 70B; llama2-70b-99; llama2-70b-99.9; llama2-70b-fp8_quark",
    "llama-3.1-8b": "Llama 3.1 8B; Llama 3.1 8B Instruct; LLaMA v3.1 8B; llama3.1-8b; "
    "meta-llama/Llama-3.1-8B-Instruct; nvidia/Llama-3.1-8B-Instruct-FP8",
    "llama-3.1-70b": "Llama 3.1 70B Instruct; LLaMA v3.1 70B; llama3_1-70b-fp8_dyn; "
    "meta-llama/Llama-3.1-70B; meta-llama/Llama-3.1-70B-Instruct",
    "llama-3.3-70b": "Llama 3.3 70B",
    "llama-3.1-405b": "Llama 3.1 405B; Llama 3.1 405B Instruct; LLaMA v3.1 405B; llama3.1-405b; "
    "meta-llama/Llama-3.1-405B-Instruct",
    "llama-3.1-405b-pruned": "llama3_1-405b_finetuned; llama3_1-405b_pruned",
    "llama-4-scout": "Llama 4 Scout; Llama 4 Scout 17B 16E Instruct; meta-llama/Llama-4-Scout-17B-16E-Instruct",
    "llama-4-maverick": "Llama 4 Maverick; Llama 4 Maverick 17B 128E Instruct FP8; "
    "meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8",
    "mistral-7b": "Mistral 7B",
    "mixtral-8x7b": "Mixtral 8x7B; mixtral-8x7b",
    "mixtral-8x22b": "Mixtral 8x22B",
    "qwen3-8b": "Qwen 3 8B; Qwen/Qwen3-8B",
    "qwen3-14b": "Qwen 3 14B; Qwen/Qwen3-14B",
    "qwen3-30b-a3b": "Qwen 3 30B A3B Instruct; Qwen 3 30B A3B Thinking; Qwen/Qwen3-30B-A3B-Instruct-2507; "
    "Qwen/Qwen3-30B-A3B-Thinking-2507; Qwen3-30B-A3B",
    "qwen3-235b-a22b": "Qwen 3 235B A22B Instruct; Qwen 3 235B A22B Instruct FP8; Qwen 3 235B A22B Thinking; "
    "Qwen 3 235B A22B Thinking FP8; Qwen/Qwen3-235B-A22B-FP8; Qwen/Qwen3-235B-A22B-Instruct-2507; "
    "Qwen/Qwen3-235B-A22B-Instruct-2507-FP8; Qwen/Qwen3-235B-A22B-Thinking-2507; "
    "Qwen/Qwen3-235B-A22B-Thinking-2507-FP8; Qwen3-235B-A22B",
    "qwen3-coder-480b-a35b": "Qwen 3 Coder 480B A35B; Qwen 3 Coder 480B A35B FP8; "
    "Qwen/Qwen3-Coder-480B-A35B-Instruct; Qwen/Qwen3-Coder-480B-A35B-Instruct-FP8",
    "qwen3.5-397b-a17b": "Qwen/Qwen3.5-397B-A17B",
    "qwen3-omni-30b-a3b": "Qwen 3 Omni 30B A3B Instruct; Qwen/Qwen3-Omni-30B-A3B-Instruct",
    "deepseek-v3": "deepseek-ai/DeepSeek-V3",
    "deepseek-r1": "DeepSeek R1; deepseek-ai/DeepSeek-R1; deepseek-ai/DeepSeek-R1-0528; nvidia/DeepSeek-R1-NVFP4",
    "deepseek-v3.1": "nvidia/DeepSeek-V3.1-NVFP4",
    "gpt-oss-20b": "GPT OSS 20B; openai/gpt-oss-20b",
    "gpt-oss-120b": "openai/gpt-oss-120b",
    "gemma-3-12b": "Gemma 3 12B; google/gemma-3-12b-it",
    "nemotron-nano-9b-v2": "NVIDIA Nemotron Nano 9B V2; nvidia/NVIDIA-Nemotron-Nano-9B-v2",
    "nemotron-nano-12b-v2": "NVIDIA Nemotron Nano 12B V2; nvidia/NVIDIA-Nemotron-Nano-12B-v2",
    "falcon-180b": "Falcon 180B",
    "gpt-j-6b": "GPT-J 6B; gptj-99; gptj-99.9",
}

NAMES: dict[str, str] = {name: entry_id for entry_id, names in _FOUND.items() for name in names.split("; ")}
