"""What the paper and its neighbours state, how it was seen, and what the synthetic hall gives beside it."""

from __future__ import annotations

from dataclasses import dataclass

TAPAS, POLCA, DYNAMO = "TAPAS, arXiv 2501.02600", "POLCA, arXiv 2308.12908", "DynamoLLM, arXiv 2408.00741"


@dataclass(frozen=True, slots=True)
class Published:
    """One statement.

    Attributes
    ----------
    what, value : the statement
    source : who states it
    evidence : "published" where the source itself was read, "second-hand" where others restate it
    ours : which of our figures stands beside it: "row", "temperature", "added", or "" for none
    """

    what: str
    value: str
    source: str
    evidence: str
    ours: str = ""


STATEMENTS = (
    Published("maximum GPU temperature", "-17 %", TAPAS, "second-hand", "temperature"),
    Published("peak row power", "-23 %", TAPAS, "second-hand", "row"),
    Published("servers added by oversubscription", "up to +40 %", TAPAS, "second-hand", "added"),
    Published("thermal throttling events", "-97 %", TAPAS, "second-hand", "throttle"),
    Published("power throttling events", "-99 %", TAPAS, "second-hand", "over"),
    Published("peak utilisation, smaller real cluster", "-20 %", TAPAS, "second-hand"),
    Published("mean error of the temperature model", "below 1 C", TAPAS, "second-hand"),
    Published("servers added to inference clusters", "+30 %", POLCA, "second-hand", "added"),
    Published("power headroom of inference", "about 21 %", POLCA, "second-hand"),
    Published("energy of an inference cluster", "-53 %", DYNAMO, "published"),
)
