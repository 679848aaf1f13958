"""Limits as they are asked for: a preset of the catalog, numbers of one's own, or both, and what comes of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from aiplan.catalog.schema_limits import BandParameters, FlickerParameters, LimitsParameters, RampParameters
from aiplan.errors import InputError, Problem
from aiplan.inputs.fields import Text
from aiplan.inputs.quantity import Quantity, constant
from aiplan.inputs.reader import printable
from aiplan.planners.parameters import Parameters
from aiplan.planners.stabilize.limits import INFINITE, Band, Flicker, Limits, RampLimit
from aiplan.report.model import Warn

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

CYCLES = 2.0
"""Periods of a band's lowest frequency that a record must hold: the main lobe of a Hann window, two bins to each side,
then leaves the mean out."""
OWN = "own limits"


class LimitsInputs(LimitsParameters):
    """What the connection allows. What stands here holds in place of the preset's, field by field."""

    preset: Text | None = None
    """Limits of the catalog that hold where this section is silent."""


def to_limits(section: LimitsInputs, catalog: Catalog, parameters: Parameters, warnings: list[Warn]) -> Limits:
    """Limits as numbers.

    Parameters
    ----------
    section : of a scenario or limits file, its numbers with their sources
    parameters, warnings : what is used, and what a reader must know, is added to them

    Raises
    ------
    InputError for limits that limit nothing (E306), that are not whole (E307) or exclude each other (E308), and for an
    unknown preset (E309); all at once, with their paths.
    """
    return _Reader(section, catalog, parameters, warnings).read()


def unknown_preset(text: str, catalog: Catalog, path: str = "", file: str = "") -> Problem:
    """The problem of a preset that the catalog does not have, with the nearest or all there are."""
    near = catalog.names("limits").nearest(text)
    hint = f"did you mean {' or '.join(near)}?" if near else f"presets: {', '.join(catalog.ids('limits'))}"
    what = f"{path} names no preset of limits" if path else "is neither a file nor a preset of limits"
    return Problem("E309", f"{what}, got '{printable(text[:80])}'", path, file, hint=hint)


class _Reader:
    def __init__(self, section: LimitsInputs, catalog: Catalog, parameters: Parameters, warnings: list[Warn]) -> None:
        self.section, self.catalog = section, catalog
        self.parameters, self.warnings = parameters, warnings
        self.problems: list[Problem] = []
        self.preset: LimitsParameters = LimitsParameters()
        self.name = OWN

    def read(self) -> Limits:
        """The limits in W, W/s and Hz, those of the section over those of its preset.

        Raises
        ------
        InputError as `to_limits` does.
        """
        if self.section.preset is not None:
            found = self.catalog.names("limits").resolve(self.section.preset)
            if found is None:
                raise InputError(unknown_preset(self.section.preset, self.catalog, "limits.preset"))
            self.preset = self.catalog.get("limits", found)
            self.name = f"{found} (changed)" if self._overridden() else found
        ramps = self._ramps()
        bands = tuple(self._band(name, *pair) for name, pair in _by_name(self.preset.bands, self.section.bands).items())
        limits = Limits(
            self.name,
            ramps,
            self._flat("range_w", "largest range of power"),
            self._windowed("range_window_s", "window of the range", 60.0, self._given("range_w") is not None),
            self._flat("most_w", "rating of the connection"),
            self._flat("least_w", "least power while the job runs"),
            bands,
            self._flicker(),
            self._flat("segment_s", "record of a spectrum"),
            self._spectrum_of(),
        )
        self._check(limits)
        if self.problems:
            raise InputError(self.problems)
        return limits

    def _overridden(self) -> bool:
        """Whether a limit of the preset is replaced, not only others added."""
        named = ("ramps", "bands")
        both = [name for name in LimitsParameters.model_fields if name not in named]
        flat = any(getattr(self.section, name) not in (None, getattr(LimitsParameters(), name))
                   and getattr(self.preset, name) is not None for name in both)  # fmt: skip
        return flat or any(set(getattr(self.section, name)) & set(getattr(self.preset, name)) for name in named)

    def _refuse(self, code: str, path: str, message: str, hint: str) -> None:
        self.problems.append(Problem(code, f"{path} {message}", path, hint=hint))

    def _given(self, name: str) -> Any:
        """A field of the section, else of the preset."""
        own = getattr(self.section, name)
        return getattr(self.preset, name) if own is None else own

    def _use(self, path: str, label: str, quantity: Quantity) -> float:
        self.parameters.add(path, label, quantity)
        return quantity.value

    def _flat(self, name: str, label: str) -> float | None:
        quantity = self._given(name)
        return None if quantity is None else self._use(f"limits.{name}", label, quantity)

    def _windowed(self, name: str, label: str, default: float, used: bool) -> float:
        """A window; its default where none is given. One that belongs to no limit is refused."""
        quantity = self._given(name)
        if not used:
            if getattr(self.section, name) is not None:
                self._refuse(
                    "E307", f"limits.{name}", "is the window of no limit", "give the limit, or drop the window"
                )
            return default
        return self._use(f"limits.{name}", label, quantity or _default(default))

    def _ramps(self) -> tuple[RampLimit, ...]:
        sides = [self._flat(f"ramp_{side}_w_per_s", f"steepest {word}") for side, word in _SIDES]
        used = sides != [None, None]
        window = self._windowed("ramp_window_s", "window of the ramp", 1.0, used)
        up, down = (INFINITE if side is None else side for side in sides)
        found = [RampLimit("", up, down, window)] if used else []
        for name, pair in _by_name(self.preset.ramps, self.section.ramps).items():
            path = f"limits.ramps.{name}"
            values = self._fields(path, RampParameters, pair, f"ramp {name}")
            if not values.keys() & {"up_w_per_s", "down_w_per_s"}:
                self._refuse("E307", path, "limits neither rise nor fall", "give up_mw_per_s, down_mw_per_s or both")
            if "window_s" not in values:
                self._refuse("E307", path, "has no window_s", "say over which time the ramp is taken")
            up, down = values.get("up_w_per_s", INFINITE), values.get("down_w_per_s", INFINITE)
            found.append(RampLimit(name, up, down, values.get("window_s", 1.0)))
        return tuple(found)

    def _band(self, name: str, *pair: BandParameters | None) -> Band:
        path = f"limits.bands.{name}"
        values = self._fields(path, BandParameters, pair, f"band {name}")
        ends = [values.get("low_hz"), values.get("high_hz")]
        for end, value in zip(("low_hz", "high_hz"), ends, strict=True):
            if value is None:
                self._refuse("E307", path, f"has no {end}", "give both ends of the band")
        low, high = (value or 0.0 for value in ends)
        if None not in ends and low >= high:
            self._refuse("E307", path, f"begins at {low:g} Hz and ends at {high:g} Hz", "give the lower end as low_hz")
        limits = {key: value for key, value in values.items() if key not in ("low_hz", "high_hz")}
        if not limits:
            self._refuse("E307", path, "limits nothing", "give line_mw, line_fraction, rms_mw or share_fraction")
        if "share_fraction" in limits and not limits.keys() & {"line_w", "line_fraction", "rms_w"}:
            self.warnings.append(Warn(
                "W-STABILIZE-SHARE",
                f"band {name} is limited by its share alone, which says nothing of size: one small line that is left "
                "of a smooth wave has a share near 1, a large one beside a slow drift hardly any; give line_mw too",
                path,
            ))  # fmt: skip
        return Band(name, low, high, **limits)

    def _flicker(self) -> Flicker | None:
        pair = self.preset.flicker, self.section.flicker
        if pair == (None, None):
            return None
        values = self._fields("limits.flicker", FlickerParameters, pair, "flicker")
        for name in ("pst", "short_circuit_va"):
            if name not in values:
                self._refuse("E307", "limits.flicker", f"has no {name}", "give pst and short_circuit_mva")
                values[name] = 1.0
        for name, default in (("grid_angle_deg", 85.0), ("power_factor", 1.0)):
            if name not in values:
                values[name] = self._use(f"limits.flicker.{name}", f"flicker: {_words(name)}", _default(default))
        return Flicker(**values)

    def _fields(
        self,
        path: str,
        kind: type[RampParameters] | type[BandParameters] | type[FlickerParameters],
        pair: tuple[Any, ...],
        label: str,
    ) -> dict[str, float]:
        """Numbers of a table, the section's before the preset's."""
        values: dict[str, float] = {}
        for name in kind.model_fields:
            given = [found for one in pair if one is not None and (found := getattr(one, name)) is not None]
            if given:
                values[name] = self._use(f"{path}.{name}", f"{label}: {_words(name)}", given[-1])
        return values

    def _spectrum_of(self) -> Literal["steady", "both"]:
        return "both" if self._given("spectrum_of") == "both" else "steady"

    def _check(self, limits: Limits) -> None:
        """What limits nothing, and what cannot hold together."""
        powers = (limits.range_w, limits.most_w, limits.least_w)
        if not (self.problems or limits.ramps or limits.bands or limits.flicker) and powers == (None, None, None):
            hint = "give ramp_up_mw_per_s, range_mw, most_mw, [limits.bands.NAME], or a preset: "
            self._refuse("E306", "limits", "limits nothing", hint + ", ".join(self.catalog.ids("limits")))
        if limits.least_w is not None and limits.most_w is not None and limits.least_w > limits.most_w:
            self._refuse("E308", "limits.least_w", f"asks for {limits.least_w / 1e6:g} MW at least, above the "
                         f"{limits.most_w / 1e6:g} MW that are the most", "exchange them, or drop one")  # fmt: skip
        if limits.flicker and limits.most_w is not None and limits.flicker.short_circuit_va <= limits.most_w:
            power = limits.flicker.short_circuit_va / 1e6
            self._refuse("E308", "limits.flicker.short_circuit_va", f"of {power:g} MVA cannot carry the "
                         f"{limits.most_w / 1e6:g} MW of limits.most_w", "correct one of them")  # fmt: skip
        if limits.segment_s is not None:
            if not limits.bands:
                self._refuse("E307", "limits.segment_s", "is of no use without a band", "give a band, or drop it")
            for band in limits.bands:
                if 0 < limits.segment_s * band.low_hz < CYCLES:
                    self._refuse("E308", "limits.segment_s", f"of {limits.segment_s:g} s cannot tell "
                                 f"{band.low_hz:g} Hz of band {band.name} from the mean",
                                 f"give {CYCLES / band.low_hz:g} s or more, or leave it out")  # fmt: skip


_SIDES = (("up", "rise"), ("down", "fall"))
_WORDS = {
    "up_w_per_s": "steepest rise",
    "down_w_per_s": "steepest fall",
    "window_s": "window",
    "low_hz": "lower end",
    "high_hz": "upper end",
    "line_w": "largest line",
    "line_fraction": "largest line over mean power",
    "rms_w": "root mean square",
    "share_fraction": "share of all that varies",
    "pst": "Pst",
    "short_circuit_va": "short-circuit power",
    "grid_angle_deg": "angle of the grid",
    "power_factor": "power factor",
}


def _words(name: str) -> str:
    return _WORDS[name]


def _default(value: float) -> Quantity:
    return constant(value, "default of aiplan", "assumption", "assumed")


def _by_name(preset: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Tables of the preset and of the section under one name, None where one of the two has none."""
    return {name: (preset.get(name), own.get(name)) for name in dict.fromkeys([*preset, *own])}
