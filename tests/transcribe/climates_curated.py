"""What was read of climates: monthly statistics of US typical years, and who stands for which zone."""

from __future__ import annotations

from typing import NamedTuple


class Station(NamedTuple):
    """Monthly statistics of a typical year as its statistics file prints them, January first [deg C].

    ``mean`` and ``dew`` are the daily averages of dry bulb and dew point, ``warmest`` and ``coldest`` the largest and
    smallest of the 24 average hourly dry bulbs.
    """

    id: str
    name: str
    zone: str
    station: str
    elevation: str
    source: str
    mean: str
    dew: str
    warmest: str
    coldest: str
    period: str = "1973-2005 (generally)"


class TypicalYear(NamedTuple):
    """A typical year that is shipped whole, as hours by air."""

    id: str
    name: str
    zone: str
    station: str
    elevation: str
    source: str
    file: str
    period: str
    stands_for_zone: bool = True


STAT, ENERGYPLUS = "openstudio-tmy3-statistics", "energyplus-tmy3-statistics"

STATIONS = (
    Station(
        "houston-tx", "Houston, Texas", "2A", "Houston Bush Intercontinental (722430)", "29", STAT,
        "10.5 12.8 16.2 20.5 24.0 27.0 28.3 28.2 26.4 20.3 17.1 12.5",
        "5.3 6.4 9.5 15.3 18.8 22.1 22.7 22.9 19.8 14.1 12.1 6.5",
        "15.3 18.3 20.7 24.7 27.8 31.0 32.6 33.4 32.1 27.3 22.5 18.3",
        "7.0 8.7 12.3 17.0 20.5 23.1 24.0 23.8 21.3 14.9 13.0 8.4",
    ),
    Station(
        "el-paso-tx", "El Paso, Texas", "3B", "El Paso Intl (722700)", "1186", STAT,
        "8.1 10.3 12.5 19.2 23.8 27.9 27.5 26.3 23.4 18.3 11.2 6.8",
        "-3.0 -4.6 -5.5 -2.7 2.6 5.9 14.6 12.0 11.2 7.3 -1.5 -4.8",
        "13.6 16.8 19.4 25.6 30.1 34.1 32.9 31.9 30.1 24.1 17.1 13.0",
        "3.0 3.5 5.5 11.9 17.0 21.2 22.5 20.7 16.5 13.0 6.2 1.8",
    ),
    Station(
        "san-francisco-ca", "San Francisco, California", "3C", "San Francisco Intl (724940)", "2", ENERGYPLUS,
        "9.6 11.3 12.7 13.7 15.0 15.3 15.9 16.6 16.7 15.1 12.8 10.7",
        "6.4 6.6 8.1 8.2 9.4 10.0 10.7 11.5 12.5 9.4 8.3 6.1",
        "11.9 15.1 16.9 17.1 19.3 20.6 20.2 21.5 21.4 19.2 15.7 13.0",
        "7.8 8.3 9.6 11.0 11.8 11.5 12.9 13.3 13.8 12.0 10.6 8.5",
    ),
    Station(
        "albuquerque-nm", "Albuquerque, New Mexico", "4B", "Albuquerque Intl (723650)", "1619", STAT,
        "2.6 4.3 8.8 13.9 17.8 23.2 25.6 24.1 20.5 13.7 7.0 2.1",
        "-7.5 -5.7 -5.5 -6.4 -1.1 4.2 10.7 10.4 7.7 -0.1 -4.9 -8.9",
        "10.7 11.7 15.9 20.1 23.2 30.2 32.9 30.4 27.1 19.9 12.6 7.6",
        "-2.9 -1.4 2.2 7.4 11.5 15.4 19.4 18.1 14.4 8.2 2.7 -2.4",
    ),
    Station(
        "seattle-wa", "Seattle, Washington", "4C", "Seattle-Tacoma Intl (727930)", "122", STAT,
        "4.5 5.8 8.3 10.9 13.0 15.6 17.7 18.8 15.1 11.4 8.1 5.4",
        "1.2 1.8 2.9 5.3 7.5 8.9 10.4 11.9 10.7 7.2 5.3 2.5",
        "6.5 8.5 11.5 15.1 17.1 19.7 22.6 24.1 19.1 14.6 9.7 7.4",
        "3.1 4.0 5.4 7.2 9.1 11.7 13.2 14.0 11.7 9.2 7.1 4.2",
    ),
    Station(
        "burlington-vt", "Burlington, Vermont", "6A", "Burlington Intl (726170)", "104", STAT,
        "-7.2 -5.6 -0.5 7.8 13.8 19.3 21.1 19.8 15.1 8.7 2.8 -1.5",
        "-11.1 -11.3 -6.8 -1.1 5.6 12.9 14.3 13.9 10.1 3.4 -2.8 -7.1",
        "-4.2 -3.0 2.6 11.9 18.0 23.5 25.7 24.2 18.5 12.0 4.7 0.3",
        "-9.7 -7.8 -3.1 3.5 9.0 14.7 16.8 15.4 12.3 6.6 1.4 -2.9",
    ),
    Station(
        "duluth-mn", "Duluth, Minnesota", "7", "Duluth Intl (727450)", "432", STAT,
        "-13.0 -8.2 -2.6 4.0 12.4 16.2 17.8 17.5 12.9 6.0 -4.5 -11.1",
        "-16.5 -13.4 -8.1 -3.4 4.7 11.2 12.9 13.3 8.8 1.2 -8.4 -16.0",
        "-10.3 -4.2 1.1 8.4 17.3 20.1 22.0 21.8 17.1 9.9 -2.1 -8.6",
        "-15.5 -10.8 -5.5 -0.3 8.3 12.0 13.5 14.0 9.8 3.1 -6.0 -12.8",
    ),
    Station(
        "fairbanks-ak", "Fairbanks, Alaska", "8", "Fairbanks Intl (702610)", "133", STAT,
        "-17.6 -15.4 -10.3 0.7 10.6 16.0 16.9 14.2 6.7 -3.1 -17.7 -19.3",
        "-19.9 -18.9 -17.1 -8.8 -1.5 6.4 9.9 7.6 1.8 -7.1 -20.3 -21.9",
        "-17.0 -10.8 -5.2 6.6 15.1 19.9 21.2 19.1 11.2 -0.1 -15.0 -18.5",
        "-18.3 -18.1 -14.8 -5.3 4.7 10.5 11.4 9.3 3.0 -4.9 -19.4 -20.2",
    ),
)  # fmt: skip

SITES = (
    ("zone-0a", "Zone 0A as at Singapore", "SGP", "0A", "singapore"),
    ("zone-0b", "Zone 0B as at Riyadh", "SAU", "0B", "riyadh-sa"),
    ("zone-3a", "Zone 3A as at Atlanta", "USA", "3A", "atlanta-ga"),
    ("zone-6b", "Zone 6B as at Cheyenne", "USA", "6B", "cheyenne-wy"),
)
"""Zones for which no typical year of free terms was found: a site's normals stand for them."""

NOTES = {
    "houston-tx": "Mean dry bulb as the mean of the 24 printed hourly averages.",
    "zone-0b": "A zone hides humidity: Abu Dhabi is 0B too and far more humid. Prefer a site's own normals.",
    "miami-fl": "Typical year of the second series, from 1961-1990.",
    "greensboro-nc": "Zone remembered: 4A in older editions.",
}

EPW, TMY3, TMY2 = "nrel-tmy3-sinergym", "nrel-tmy3-pvlib", "nrel-tmy2-pvlib"
_SINCE_1973 = "1973-2005 (generally)"

TYPICAL_YEARS = (
    TypicalYear("miami-fl", "Miami, Florida", "1A", "Miami (WBAN 12839)", "2", TMY2, "12839.tm2", "1961-1990"),
    TypicalYear(
        "tucson-az", "Tucson, Arizona", "2B", "Davis-Monthan AFB (722745)", "809", EPW,
        "USA_AZ_Davis-Monthan.AFB.722745_TMY3.epw", _SINCE_1973,
    ),
    TypicalYear(
        "new-york-ny", "New York, New York", "4A", "J F Kennedy Intl (744860)", "5", EPW,
        "USA_NY_New.York-J.F.Kennedy.Intl.AP.744860_TMY3.epw", _SINCE_1973,
    ),
    TypicalYear(
        "chicago-ohare-il", "Chicago O'Hare, Illinois", "5A", "Chicago O'Hare Intl (725300)", "201", EPW,
        "USA_IL_Chicago-OHare.Intl.AP.725300_TMY3.epw", _SINCE_1973,
    ),
    TypicalYear(
        "aurora-co", "Aurora (Denver), Colorado", "5B", "Buckley Field ANGB (724695)", "1726", EPW,
        "USA_CO_Aurora-Buckley.Field.ANGB.724695_TMY3.epw", _SINCE_1973,
    ),
    TypicalYear(
        "port-angeles-wa", "Port Angeles, Washington", "5C", "William R Fairchild Intl (727885)", "91", EPW,
        "USA_WA_Port.Angeles-William.R.Fairchild.Intl.AP.727885_TMY3.epw", _SINCE_1973,
    ),
    TypicalYear(
        "pittsburgh-pa", "Pittsburgh, Pennsylvania", "5A", "Allegheny County (725205)", "380", EPW,
        "USA_PA_Pittsburgh-Allegheny.County.AP.725205_TMY3.epw", _SINCE_1973, False,
    ),
    TypicalYear(
        "greensboro-nc", "Greensboro, North Carolina", "3A", "Piedmont Triad Intl (723170)", "273", TMY3,
        "723170TYA.CSV", _SINCE_1973, False,
    ),
    TypicalYear(
        "sand-point-ak", "Sand Point, Alaska", "7", "Sand Point (703165)", "7", TMY3,
        "703165TY.csv", _SINCE_1973, False,
    ),
)  # fmt: skip
