"""What the machines of a replay drew: on prompts, on tokens, and waiting."""

from __future__ import annotations

from collections.abc import Sequence

from aiplan.planners.split.offers import Offer
from aiplan.planners.split.replay import Replayed

PHASES = ("prompt", "token", "idle")


def phase_joules(found: Replayed, sides: Sequence[tuple[Offer, int]]) -> dict[str, float]:
    """Energy of all machines by phase, hosts included, facility not [J].

    Parameters
    ----------
    found : the replay
    sides : kinds of machine and their counts, in the cluster's order

    Busy time of a phase times its power, and the rest of the replay's time times the idle power. A step with prompts
    and sequences counts as prompts.
    """
    at, totals = 0, dict.fromkeys(PHASES, 0.0)
    for offer, count in sides:
        some = slice(at, at + count)
        on_prompts, on_tokens = float(found.busy_prompt_s[some].sum()), float(found.busy_decode_s[some].sum())
        totals["prompt"] += offer.watts.prompt_w * on_prompts
        totals["token"] += offer.watts.token_w * on_tokens
        totals["idle"] += offer.watts.idle_w * (found.end_s * count - on_prompts - on_tokens)
        at += count
    return totals
