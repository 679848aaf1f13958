"""What an entry says of electrical equipment, of limits of a rack, and of published gains of oversubscription."""

from typing import Literal

from aiplan.catalog.entry import Entry
from aiplan.inputs.fields import Fraction, Positive, Text, quantity


class Power(Entry):
    """One piece of knowledge about power provisioning; which fields it has depends on its role."""

    role: Literal["equipment", "rack_cooling", "oversubscription", "breaker"]
    """Losses of a device, heat a rack may give off, a published gain, or a derating of breakers."""
    no_load_fraction: Fraction | None = None
    """Loss without load over the rating."""
    proportional_fraction: Fraction | None = None
    """Loss in proportion to the load, over the rating at full load."""
    square_law_fraction: Fraction | None = None
    """Loss with the square of the load, over the rating at full load."""
    density_w: Positive | None = None
    """Heat of one rack that this cooling removes."""
    breaker_fraction: Fraction | None = None
    """Share of a breaker's rating that a continuous load may take."""
    gain_fraction: quantity(0.0, 10.0) | None = None  # type: ignore[valid-type]
    """More servers behind the same feed, over those it was provisioned for."""
    load: Literal["inference", "training", "mixed", "reserve"] | None = None
    """Load the gain was found with; ``reserve`` is the use of redundant capacity."""
    condition: Text = ""
    """What the gain rests on."""
