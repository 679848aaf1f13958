"""What was published on thermal- and power-aware placement, and why `aiplan thermal` does not reproduce it."""

from __future__ import annotations

from aiplan.study.validate import Check, NotReproduced

CHECKS: tuple[Check, ...] = ()
"""No number of the paper can be computed without its traces; the planner's own checks are tests."""

PAPER, POLCA = "tapas-2025", "polca-2024"
_PRIVATE = "second-hand; traces, baseline and row budget over nameplate are not told. Five synthetic halls give"

NOT_REPRODUCED: tuple[NotReproduced, ...] = (
    NotReproduced(
        "TAPAS: maximum GPU temperature",
        "-17 %",
        PAPER,
        f"{_PRIVATE} -5.6 to -10.7 % against random placement, in degrees Celsius",
    ),
    NotReproduced(
        "TAPAS: peak row power",
        "-23 %",
        PAPER,
        f"{_PRIVATE} -17.5 to -23.5 % against endpoints side by side, -0.8 to -5.8 % against random placement",
    ),
    NotReproduced(
        "TAPAS: servers added",
        "up to +40 %",
        PAPER,
        f"{_PRIVATE} +40.0 to +45.0 % where a row's budget is the nameplate of its servers, less below",
    ),
    NotReproduced(
        "TAPAS: throttling events",
        "-97 % thermal, -99 % power",
        PAPER,
        "second-hand; counts depend on threshold, step and baseline, none of which is told",
    ),
    NotReproduced(
        "TAPAS: error of the temperature model",
        "below 1 C",
        PAPER,
        "second-hand; on synthetic telemetry the error is the noise put in: fit your own",
    ),
    NotReproduced(
        "POLCA: servers added to inference clusters",
        "+30 %",
        POLCA,
        "power of its clusters is private; with the 21 % of headroom it is said to report, 1.30 x 0.79 is 103 %: the "
        "rest would be capped",
    ),
)
