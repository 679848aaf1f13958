"""Small catalog folders to lay over the shipped one, and entries to put into them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

SOURCE = """\
[mine]
title = "A page"
url = "https://example.org/page"
published = 2026
accessed = 2026-11-01
locator = "table 1"
"""

ACCELERATOR = """\
[my-gpu]
name = "My GPU"
vendor = "Me"
source = "mine"
grade = "datasheet"
released = 2025-01-31
hbm_gb = 96
"""

SERVER = """\
[my-server]
name = "My server"
vendor = "Me"
source = "mine"
grade = "datasheet"
accelerator = "h100-sxm"
accelerator_count = 4
host_power_w = 800
max_power_w = 4000
idle_power_fraction = 0.2
"""

THROUGHPUT = """\
[my-table]
name = "My table"
source = "mine"
grade = "measured"
model = "llama-3.1-8b"
accelerator = "h100-sxm"
accelerator_count = 1
precision = "fp8"
engine = "vLLM"
points = [[128, 128, 20000.0], [2048, 128, 3000.0]]
"""

MODEL = """\
[my-model]
name = "My model"
source = "mine"
grade = "datasheet"
shape_of = "llama-3.1-8b"
"""

OPERATOR = """\
[my-operator]
name = "My fleet"
operator = "Me"
source = "mine"
grade = "vendor_claim"
pue = 1.2
"""


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """A folder holding these files."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return folder


def write_used(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """A folder holding these files and the source they name, used by an entry."""
    return write(folder, {"sources/mine.toml": SOURCE, "operators.toml": OPERATOR, **files})
