"""The synthetic trace that ships with aiplan, drawn from the catalog's conversation workload.

Run ``python -m tests.split.synthetic`` to write it anew.
"""

from __future__ import annotations

from aiplan.catalog.loader import Catalog
from aiplan.planners.split.arrivals import Arrivals
from aiplan.planners.split.lengths import Independent, QuantileLengths
from aiplan.planners.split.workload import Requests, generate
from tests.conftest import ROOT

FILE = ROOT / "scenarios" / "traces" / "conversation-synthetic.csv"
WORKLOAD, RATE_PER_S, COUNT, SEED = "azure-2023-conversation", 5.5, 2000, 0


def lengths_of(workload: str) -> Independent:
    """Prompt and answer lengths of a workload of the catalog."""
    entry = Catalog().get("workloads", workload)
    return Independent(
        QuantileLengths.through(
            entry.input_quantile_tokens, entry.input_mean_tokens.value, entry.input_sd_tokens.value
        ),
        QuantileLengths.through(
            entry.output_quantile_tokens, entry.output_mean_tokens.value, entry.output_sd_tokens.value
        ),
    )


def requests() -> Requests:
    """The requests of the trace, before times are rounded to microseconds."""
    cv2 = Catalog().get("workloads", WORKLOAD).arrival_cv2_ratio.value
    return generate(SEED, Arrivals(RATE_PER_S, cv2), lengths_of(WORKLOAD), count=COUNT)


def text() -> str:
    """The trace file, with the columns of the Azure traces and times in seconds."""
    found = requests()
    rows = zip(found.arrival_s.tolist(), found.prompt_tokens.tolist(), found.output_tokens.tolist(), strict=True)
    lines = [f"{time:.6f},{prompt},{output}" for time, prompt, output in rows]
    return "\n".join(["TIMESTAMP,ContextTokens,GeneratedTokens", *lines]) + "\n"


if __name__ == "__main__":
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(text(), encoding="utf-8", newline="\n")
