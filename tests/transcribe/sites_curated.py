"""What the site table cannot say in machine form: source ids, grades, grids, and years of prices.

Sources are recognised by the beginning of the CSV's source cell; a cell that matches nothing is an error, so
a new row cannot slip in without a source.
"""

from __future__ import annotations

NORMALS_SET = "cru_cl_2.0"
NORMALS_SOURCE = "cru-cl-2.0"
WATER_SOURCE = "ecologits-mixes"
STATE_CARBON = "egrid2023-states"
ZONE_CARBON = "entsoe-2025-codecarbon"

SUBREGION_OF_STATE = {
    "VA": "srvc",
    "OH": "rfcw",
    "TX": "erct",
    "AZ": "aznm",
    "IA": "mrow",
    "WA": "nwpp",
    "OR": "nwpp",
    "GA": "srso",
    "TN": "srtv",
    "IL": "rfcw",
    "UT": "nwpp",
    "NV": "nwpp",
    "CA": "camx",
    "WY": "rmpa",
}

ISO3 = {
    "US": "USA",
    "CA": "CAN",
    "IE": "IRL",
    "GB": "GBR",
    "DE": "DEU",
    "NL": "NLD",
    "FR": "FRA",
    "ES": "ESP",
    "SE": "SWE",
    "FI": "FIN",
    "NO": "NOR",
    "IT": "ITA",
    "SG": "SGP",
    "MY": "MYS",
    "JP": "JPN",
    "KR": "KOR",
    "AU": "AUS",
    "IN": "IND",
    "BR": "BRA",
    "AE": "ARE",
    "SA": "SAU",
}

# Beginning of a source cell -> source id.
CARBON_SOURCES = {"EPA eGRID2023": "egrid2023-rev2", "Ember yearly": "ember-2024-co2js"}
ZONE_SOURCES = {
    "county table": "uecalculator-zones",
    "label of the zone sheet": "uecalculator-zones",
    "degree days": NORMALS_SOURCE,
}
PRICE_SOURCES = {
    "EIA Electric Power Annual": "eia-epa-2023",
    "EIA 861": "eia-861-black-hills",
    "Hydro-Quebec": "hydro-quebec-lg",
    "Eurostat": "eurostat-2024-h1",
    "IEA as published": "desnz-531",
    "cubeconcepts": "cubeconcepts-2024",
    "press summary of Eurostat": "eurostat-2024-press",
    "Cushman & Wakefield APAC": "cw-apac-2025",
    "serv.com.my": "serv-rp4",
    "energynews.pro": "energynews-kepco",
    "from C&W APAC": "cw-apac-2025-press",
    "saudinesia": "saudinesia-ecra",
}
# Statistics read at the office that makes them; every other price is an estimate.
OFFICIAL_PRICES = frozenset({"eia-epa-2023"})
TARIFF_SOURCES = {
    "RTO Insider": "rto-insider-gs5",
    "PUCO": "puco-24-0508",
    "Texas Legislature": "texas-sb6",
    "Georgia CEO": "georgia-psc-2025",
    "Hydro-Quebec": "hydro-quebec-lg",
    "focusmalaysia": "focusmalaysia-tnb",
}
# Source id and the year of the money.
CAPEX_SOURCES = {
    "C&W US": ("cw-us-2025", 2025),
    "Turner & Townsend DCCI 2023": ("turner-townsend-2023", 2023),
    "Turner & Townsend DCCI 2025": ("turner-townsend-2025", 2025),
    "C&W APAC 2025 p.22": ("cw-apac-2025", 2025),
    "C&W APAC cost guide 2024": ("cw-apac-2024-press", 2024),
    "C&W APAC 2025 via": ("cw-apac-2025-press", 2025),
}
LAND_SOURCES = {
    "97 acres": ("loudoun-now-2025", 2025),
    "C&W APAC 2024": ("cw-apac-2024-press", 2024),
    "C&W APAC 2025 p.22": ("cw-apac-2025", 2025),
    "C&W APAC 2025 via": ("cw-apac-2025-press", 2025),
}

# Never to be presented as published: the shares are read from charges on early exit.
UNVERIFIED_MINIMUM = frozenset({"ashburn-va"})

REMARKS = {
    "montreal-ca": "The carbon figure is Canada's; Quebec generates 92.1 % hydro and 6.7 % wind (2023).",
    "sydney-au": "The carbon figure is Australia's, not New South Wales'.",
    "johor-my": "The carbon figure is Malaysia's, not the peninsula's.",
    "mumbai-in": "The carbon figure is India's.",
    "dallas-tx": "Climate of Love Field; the grid has no value at DFW.",
    "the-dalles-or": "The climate grid sits 2 K below a 1 km one here (relief).",
    "reno-nv": "The climate grid sits 2 K below a 1 km one here (relief).",
    "santa-clara-ca": "The climate grid sits 1.2 K above a 1 km one here.",
}
