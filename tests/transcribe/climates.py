"""Write ``hardware_catalog/climates/``: monthly statistics as curated, typical years from the packages that hold them.

The typical years stand in the pvlib 0.16.1 wheel (TMY2, TMY3) and in the sinergym 3.5.1 source archive (EPW); only
files of the US government are read. Hours of equal dry bulb and relative humidity become one row.

Run ``python -m tests.transcribe.climates`` to rewrite the statistics, and add ``--years DIR``, a folder with the files
of both packages somewhere below, to rewrite the typical years too.
"""

from __future__ import annotations

import argparse
import csv
import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from aiplan.planners.arrays import Array
from aiplan.planners.cooling.weather import Weather
from aiplan.planners.cooling.weather_file import read_weather
from tests.conftest import ROOT
from tests.cooling.years import monthly_of
from tests.transcribe import climates_curated as curated
from tests.transcribe.toml_text import Num, entry

FOLDER = "hardware_catalog/climates"
STATISTICS = f"{FOLDER}/zones.toml"
PRESSURE_STEP_PA = 10

HEAD = """\
# Climates that stand for zones of ASHRAE 169: monthly statistics of US typical years, or a site of sites/.
#
# tmean_c, dewpoint_c         daily averages by month, January first
# warmest_hour_c, coldest_hour_c  largest and smallest of the 24 hourly averages of a month. Means of the daily extremes
#                             lie further out, by 0.8 K above and 1.1 K below in nine typical years (derived).
# zone, elevation_meters      remembered, in tables of the standard and of stations that were not read
#
# The other zones stand in files of their own, with whole typical years. For zone 1B nothing of free terms was found.
# Written by tests/transcribe/climates.py; change the curation there.
"""

YEAR_HEAD = """\
# A typical year, every hour of it. bin_*: hours of equal dry bulb and relative humidity are one row, with their mean
# pressure. Months were computed from the hours (derived). The zone is remembered.
# Written by tests/transcribe/climates.py.
"""


def numbers(text: str) -> list[Num]:
    """The numbers of a line, digits kept."""
    return [Num(word) for word in text.split()]


def wrapped(name: str, values: list[str]) -> str:
    """An array over as many lines as it needs."""
    lines = textwrap.wrap(", ".join(values) + ",", 114)
    return "\n".join([f"{name} = [", *(f"  {line}" for line in lines), "]"])


def head_of(at: curated.Station | curated.TypicalYear, evidence: str, stands: bool, doubtful: list[str]) -> list[Any]:
    """Fields that entries of stations and of typical years share."""
    names = {"aliases": [at.zone, f"zone-{at.zone.lower()}"]} if stands else {}
    head = {"name": at.name, **names, "country": "USA", "source": at.source, "grade": "paper", "evidence": evidence}
    if at.id in curated.NOTES:
        head["note"] = curated.NOTES[at.id]
    head["unverified_fields"] = doubtful
    place = {"zone": at.zone, "station": at.station, "period": at.period, "elevation_meters": Num(at.elevation)}
    return [head, place]


def statistics() -> str:
    """Text of the file of monthly statistics."""
    blocks = []
    for at in curated.STATIONS:
        months = {
            "tmean_c": numbers(at.mean),
            "dewpoint_c": numbers(at.dew),
            "warmest_hour_c": numbers(at.warmest),
            "coldest_hour_c": numbers(at.coldest),
        }
        blocks.append(entry(at.id, [*head_of(at, "published", True, ["zone", "elevation_meters"]), months], {}))
    for entry_id, name, country, zone, site in curated.SITES:
        head = {"name": name, "aliases": [zone], "country": country, "source": "cru-cl-2.0", "grade": "paper"}
        head["evidence"] = "second-hand"
        if entry_id in curated.NOTES:
            head["note"] = curated.NOTES[entry_id]
        blocks.append(entry(entry_id, [head, {"zone": zone, "site": site}], {}))
    return HEAD + "\n" + "\n\n".join(blocks)


def typical_year(at: curated.TypicalYear, year: Weather) -> str:
    """Text of the file of one typical year."""
    monthly = monthly_of(year)
    months = {
        "tmean_c": rounded(monthly.tmean_c, 2),
        "dewpoint_c": rounded(monthly.dewpoint_c, 2),
        "tmax_c": rounded(monthly.tmax_c, 2),
        "tmin_c": rounded(monthly.tmin_c, 2),
        "pressure_pa": rounded(monthly.pressure_pa, 0),
    }
    columns = [wrapped(name, values) for name, values in bins_of(year).items()]
    head = entry(at.id, [*head_of(at, "derived", at.stands_for_zone, ["zone"]), months], {})
    return YEAR_HEAD + "\n" + "\n".join([head, *columns]) + "\n"


def rounded(values: Array, digits: int) -> list[Num]:
    """Numbers with so many digits behind the point."""
    return [Num(f"{value:.{digits}f}") for value in values]


def bins_of(year: Weather) -> dict[str, list[str]]:
    """Distinct states of the air, each with mean pressure and hours, as columns of TOML numbers."""
    air = np.column_stack([year.drybulb_c, np.rint(year.rh_fraction * 100.0)])
    states, place = np.unique(air, axis=0, return_inverse=True)
    hours = np.bincount(place.ravel(), year.hours)
    pressure = np.bincount(place.ravel(), year.hours * year.pressure_pa) / hours
    return {
        "bin_drybulb_c": [f"{dry:.1f}" for dry in states[:, 0]],
        "bin_rh_percent": [f"{rh:.0f}" for rh in states[:, 1]],
        "bin_pressure_pa": [f"{np.rint(p / PRESSURE_STEP_PA) * PRESSURE_STEP_PA:.0f}" for p in pressure],
        "bin_h": [f"{h:.0f}" for h in hours],
    }


def read_tmy3(path: Path) -> Weather:
    """A TMY3 file as NREL published it: comma-separated, pressure in hPa."""
    with path.open(newline="", encoding="utf-8") as handle:
        _, header, *rows = csv.reader(handle)
    dry, rh, pressure = (header.index(name) for name in ("Dry-bulb (C)", "RHum (%)", "Pressure (mbar)"))
    return hourly([(row[0][:2], row[1][:2], row[dry], row[rh], row[pressure]) for row in rows], 1.0)


def read_tmy2(path: Path) -> Weather:
    """A TMY2 file: fixed columns, dry bulb in tenths."""
    lines = path.read_text(encoding="ascii").splitlines()[1:]
    return hourly([(line[3:5], line[7:9], line[67:71], line[79:82], line[84:88]) for line in lines], 0.1)


def hourly(rows: list[tuple[str, ...]], scale: float) -> Weather:
    """A year from month, hour 1 to 24, dry bulb, percent of humidity, and hPa."""
    month, hour, dry, rh, pressure = np.array([[float(cell) for cell in row] for row in rows]).T
    return Weather(np.round(dry * scale, 1), rh / 100.0, pressure * 100.0, np.ones(dry.size),
                   month.astype(np.int64), hour.astype(np.int64) - 1)  # fmt: skip


def read_year(path: Path) -> Weather:
    """A typical year by the ending of its file."""
    ending = path.suffix.lower()
    return read_weather(path).weather if ending == ".epw" else (read_tmy2 if ending == ".tm2" else read_tmy3)(path)


def years(folder: Path) -> dict[str, str]:
    """Texts of the typical years by path; files are looked for anywhere below the folder."""
    out = {}
    for at in curated.TYPICAL_YEARS:
        found = sorted(folder.rglob(at.file))
        if not found:
            raise FileNotFoundError(at.file)
        out[f"{FOLDER}/{at.id}.toml"] = typical_year(at, read_year(found[0]))
    return out


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--years", type=Path, help="folder with the files of pvlib and sinergym")
    folder = parser.parse_args().years
    for name, text in {STATISTICS: statistics(), **(years(folder) if folder else {})}.items():
        target = ROOT / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
