"""What an entry says of a climate: twelve months, the bins of a typical year, or the site that stands for it."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from aiplan.catalog.entry import Entry
from aiplan.inputs.fields import Id, Text, quantity

Celsius = Annotated[float, Field(ge=-90.0, le=70.0)]
Pascal = Annotated[float, Field(ge=40_000.0, le=110_000.0)]
Percent = Annotated[float, Field(ge=0.0, le=100.0)]
Hours = Annotated[float, Field(gt=0.0)]
Twelve = Annotated[tuple[Celsius, ...], Field(strict=False, min_length=12, max_length=12)]
TwelvePressures = Annotated[tuple[Pascal, ...], Field(strict=False, min_length=12, max_length=12)]
DryBulbs = Annotated[tuple[Annotated[float, Field(ge=-80.0, le=60.0)], ...], Field(strict=False, max_length=8784)]
Humidities = Annotated[tuple[Percent, ...], Field(strict=False, max_length=8784)]
Pressures = Annotated[tuple[Pascal, ...], Field(strict=False, max_length=8784)]
Weights = Annotated[tuple[Hours, ...], Field(strict=False, max_length=8784)]

YEAR_H = 8760.0
TOLERANCE_H = 1e-6


class Climate(Entry):
    """The climate of a place, which may stand for a zone of ASHRAE 169.

    It gives a site, or monthly means; and with those, where there is one, a typical year as bins: columns of equal
    length, a row for each state of the air with the hours it lasted.
    """

    country: Text
    """Country code of three letters."""
    zone: Text
    """Zone of ASHRAE 169, e.g. ``4A``."""
    station: Text = ""
    """Weather station."""
    period: Text = ""
    """Years the data are from."""
    elevation_meters: quantity(-500.0, 9000.0) | None = None  # type: ignore[valid-type]
    """Height above the sea."""
    site: Id | None = None
    """Site of the catalog whose normals stand for it."""
    tmean_c: Twelve | None = None
    """Mean dry bulb by month, January first."""
    dewpoint_c: Twelve | None = None
    """Mean dew point by month."""
    tmax_c: Twelve | None = None
    """Mean of the warmest hour of each day, by month."""
    tmin_c: Twelve | None = None
    """Mean of the coldest hour of each day, by month."""
    warmest_hour_c: Twelve | None = None
    """Largest of the 24 hourly means of a month."""
    coldest_hour_c: Twelve | None = None
    """Smallest of the 24 hourly means of a month."""
    pressure_pa: TwelvePressures | None = None
    """Mean station pressure by month; from the elevation where absent."""
    bin_drybulb_c: DryBulbs = ()
    """Dry bulb of each row of a typical year."""
    bin_rh_percent: Humidities = ()
    """Relative humidity of each row."""
    bin_pressure_pa: Pressures = ()
    """Station pressure of each row."""
    bin_h: Weights = ()
    """Hours of each row; they sum to 8,760."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        means = (self.tmean_c, self.dewpoint_c)
        if (self.site is None) == (means == (None, None)) or (self.site is None and None in means):
            raise ValueError("needs either site, or tmean_c and dewpoint_c")
        if self.site is None:
            self._check_months()
        lengths = {len(rows) for rows in (self.bin_drybulb_c, self.bin_rh_percent, self.bin_pressure_pa, self.bin_h)}
        if len(lengths) > 1:
            raise ValueError("needs columns of bins of equal length")
        if self.bin_h and (self.site is not None or abs(sum(self.bin_h) - YEAR_H) > TOLERANCE_H):
            raise ValueError("needs bins of 8,760 hours, beside months")
        return self

    def _check_months(self) -> None:
        pairs = ((self.tmax_c, self.tmin_c), (self.warmest_hour_c, self.coldest_hour_c))
        given = [pair for pair in pairs if pair != (None, None)]
        if len(given) != 1 or None in given[0]:
            raise ValueError("needs tmax_c and tmin_c, or warmest_hour_c and coldest_hour_c")
        if self.pressure_pa is None and self.elevation_meters is None:
            raise ValueError("needs pressure_pa or elevation_meters")
        (high, low), mean, dew = given[0], self.tmean_c or (), self.dewpoint_c or ()
        for month, (top, middle, bottom, wet) in enumerate(zip(high or (), mean, low or (), dew, strict=True), 1):
            if not (bottom <= middle <= top and wet <= middle):
                raise ValueError(f"needs minimum <= mean <= maximum and dew point <= mean, not so in month {month}")
