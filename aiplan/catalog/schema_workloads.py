"""What an entry says of a production workload: how long requests are and how they arrive."""

from datetime import date
from typing import Annotated

from pydantic import AfterValidator, Field

from aiplan.catalog.entry import AtLeastOne, Entry
from aiplan.inputs.fields import NonNegative, Positive

Pair = Annotated[tuple[Annotated[float, Field(ge=0.0)], ...], Field(strict=False, min_length=2, max_length=2)]


def _rising(pairs: tuple[tuple[float, ...], ...]) -> tuple[tuple[float, ...], ...]:
    probabilities, tokens = zip(*pairs, strict=True)
    if probabilities[0] != 0.0 or probabilities[-1] != 1.0 or any(map(float.__ge__, probabilities, probabilities[1:])):
        raise ValueError("must have probabilities that rise from 0 to 1, for the shortest and the longest")
    if tokens[0] < 1.0 or any(map(float.__gt__, tokens, tokens[1:])):
        raise ValueError("must have tokens that start at 1 or more and do not fall")
    return pairs


Quantiles = Annotated[tuple[Pair, ...], Field(strict=False, min_length=2, max_length=1000), AfterValidator(_rising)]


class Workload(Entry):
    """Statistics of the requests of a service, over the time they were logged."""

    measured_on: date | None = None
    """Day of the log."""
    requests_count: AtLeastOne
    """Requests in the log."""
    span_s: Positive
    """Time from the first request to the last."""
    requests_per_s: Positive
    """Mean rate."""
    arrival_cv2_ratio: NonNegative
    """Squared coefficient of variation of the times between requests; 1 is Poisson, more is burstier."""
    dispersion_ratio: NonNegative | None = None
    """Variance over mean of the requests in one second; 1 is Poisson."""
    input_mean_tokens: Positive
    """Mean prompt."""
    input_sd_tokens: Positive | None = None
    """Standard deviation of prompts."""
    output_mean_tokens: Positive
    """Mean answer."""
    output_sd_tokens: Positive | None = None
    """Standard deviation of answers."""
    input_quantile_tokens: Quantiles
    """Rows of probability, prompt tokens not exceeded with it; from 0 (the shortest) to 1 (the longest)."""
    output_quantile_tokens: Quantiles
    """Rows of probability, answer tokens not exceeded with it; from 0 (the shortest) to 1 (the longest)."""
