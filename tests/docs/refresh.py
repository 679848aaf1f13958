"""Brings the output shown in the documentation up to date: ``python -m tests.docs.refresh``.

Every shown line that is no longer printed is replaced by the printed line most like it, in the same order. Lines in
prose are not touched; read the difference before committing it.
"""

from __future__ import annotations

import difflib
import tempfile
from pathlib import Path

from tests.conftest import ROOT
from tests.docs.blocks import SKIPPED, blocks
from tests.docs.sessions import Player


def refreshed(shown: list[str], output: str) -> list[str]:
    """Shown lines as the output has them now."""
    real, at, out = [line.rstrip() for line in output.splitlines()], 0, []
    for line in shown:
        if line == SKIPPED:
            out.append(line)
            continue
        if line in real[at:]:
            found = real.index(line, at)
        else:
            likeness = [difflib.SequenceMatcher(None, line, other).ratio() for other in real[at:]]
            best = max(likeness, default=0.0)
            if best < 0.5:
                print(f"  nothing like it is printed: {line}")
                out.append(line)
                continue
            found = at + likeness.index(best)
        out.append(real[found])
        at = found + 1
    return out


def main() -> None:
    """Rewrite the pages that show something else than what is printed."""
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        sessions = [block for block in blocks(page) if block.kind == "console"]
        text = page.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            player = Player(Path(folder), sessions)
            for block in sessions:
                fresh = block.text
                for step, outcome in player.outcomes(block):
                    if outcome.missing or not step.shown:
                        continue
                    now = "\n".join(refreshed(step.shown, outcome.output))
                    fresh = fresh.replace("\n".join(step.shown), now, 1)
                text = text.replace(block.text, fresh, 1)
        if text != page.read_text(encoding="utf-8"):
            print(f"refreshed {page.relative_to(ROOT)}")
            page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
