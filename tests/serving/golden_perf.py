"""Writes the golden answers of `aiplan perf`: run ``python -m tests.serving.golden_perf`` and review the difference.

They protect against numbers that move unnoticed; a change here belongs under "Numbers that change" in CHANGELOG.md.
"""

from __future__ import annotations

from pathlib import Path

from tests.energy.golden import answer

FOLDER = Path(__file__).resolve().parent / "golden"
COMMANDS = {
    "perf.json": ["perf", "--format", "json"],
    "perf-experts-offline.json": [
        "perf", "--model", "qwen3-235b-a22b", "--hardware", "b200", "--format", "json", "--set",
        "load={input_tokens=1000,output_tokens=1000}", "--set", "deployment.engine=tensorrt-llm",
    ],
    "perf-sweep.csv": ["perf", "--sweep", "tp,precision,batch", "--table", "pareto", "--format", "csv"],
}  # fmt: skip


if __name__ == "__main__":
    for name, arguments in COMMANDS.items():
        (FOLDER / name).write_text(answer(arguments), encoding="utf-8")
