"""A scenario of `aiplan power` with every name looked up and every number kept with its source."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiplan.errors import InputError, Problem
from aiplan.inputs.quantity import Quantity
from aiplan.planners.parameters import Parameters
from aiplan.planners.power.inputs import Level, PowerInputs
from aiplan.planners.power.losses import Losses, fit_losses
from aiplan.planners.power.multiplexing import ServerClass
from aiplan.planners.power.stabilized import FRACTIONS, LOSS, MOMENTS, Stabilized, stabilized_class
from aiplan.report.model import Warn

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

LOSSES = ("no_load_fraction", "proportional_fraction", "square_law_fraction")
BASES = {"neocloud": "neocloud_usd_per_h", "hyperscaler": "hyperscaler_usd_per_h", "rental_3y": "rental_3y_usd_per_h"}
LABELS = {"skewness": "skewness of", "excess_kurtosis": "excess kurtosis of", "rho_within": "correlation within",
          "slowdown_factor": "slowdown by caps of"}  # fmt: skip
SHARES_OFF = 1e-6
"""Rounding allowed in shares that should add up to 1 [1]."""


@dataclass(frozen=True, slots=True)
class RackKind:
    """A kind of rack: ids and names, and the paths of its numbers."""

    name: str
    server: str
    title: str
    accelerator: str
    gpus: int
    slots: int
    paths: dict[str, str]


@dataclass(slots=True)
class Case:
    """What is asked, with every name looked up.

    Attributes
    ----------
    fitted : losses fitted to points of a data sheet, by level
    losses : paths of the loss coefficients, by level
    traced : statistics of the class that a trace was measured on, in shares of its rating; with the class's name
    stabilized : class whose numbers come from a report of `aiplan stabilize`
    """

    inputs: PowerInputs
    parameters: Parameters
    racks: list[RackKind]
    fitted: dict[str, Losses]
    losses: dict[str, dict[str, str]]
    traced: tuple[str, ServerClass] | None = None
    trace: Any = None
    stabilized: Stabilized | None = None
    warnings: list[Warn] = field(default_factory=list)


def refuse(code: str, message: str, path: str, hint: str) -> InputError:
    """Something that does not fit together, by the path it stands at."""
    return InputError(Problem(code, f"{path}: {message}", path, hint=hint))


def build_case(inputs: PowerInputs, catalog: Catalog, *, cooled: bool = False) -> Case:
    """Look everything up; ``cooled``: somebody else says what cooling takes, so that the scenario need not.

    Raises
    ------
    InputError for names the catalog does not know, shares that do not add up, and what is given twice or not at all.
    """
    return _Builder(inputs, catalog, cooled=cooled).build()


class _Builder:
    def __init__(self, inputs: PowerInputs, catalog: Catalog, *, cooled: bool) -> None:
        self.inputs, self.catalog, self.cooled = inputs, catalog, cooled
        self.parameters = Parameters()
        self.fitted: dict[str, Losses] = {}
        self.losses: dict[str, dict[str, str]] = {}
        self.problems: list[Problem] = []
        self.warnings: list[Warn] = []
        self.stabilized: Stabilized | None = None

    def build(self) -> Case:
        """The case the scenario describes.

        Raises
        ------
        InputError with everything that is wrong with it, not only the first.
        """
        inputs = self.inputs
        self._add("grid.contract_w", "grid contract", inputs.grid.contract_w)
        self._add("grid.margin_fraction", "margin kept free of it", inputs.grid.margin_fraction, high=1.0)
        for kind, level in inputs.levels.items():
            self._level(kind, level)
        for name, node in self.inputs.nodes.items():
            if node.parent is not None and node.feeds:
                self._problem("E230", "has a parent and feeds", f"nodes.{name}", "keep one of the two")
        self._facility()
        racks = [self._rack(name) for name in inputs.racks]
        self._shares("racks", [rack.share_fraction for rack in inputs.racks.values()])
        self._stabilized()
        self._classes()
        self._rule()
        if self.problems:
            raise InputError(self.problems)
        case = Case(inputs, self.parameters, racks, self.fitted, self.losses, stabilized=self.stabilized,
                    warnings=self.warnings)  # fmt: skip
        self._trace(case)
        self._serving(racks)
        if self.problems:
            raise InputError(self.problems)
        return case

    def _add(self, path: str, label: str, quantity: Quantity, high: float = float("inf"), low: float = 0.0) -> str:
        return self.parameters.add(path, label, quantity, low=low, high=high)

    def _problem(self, code: str, message: str, path: str, hint: str) -> None:
        self.problems += refuse(code, message, path, hint).problems

    def _level(self, kind: str, level: Level) -> None:
        """Losses of a level: its own, a fit, or the equipment's."""
        path = f"levels.{kind}"
        counted = level.count is not None or level.rated_w is not None
        if self.inputs.nodes and counted:
            self._problem("E230", "has a count or a rating, and nodes are named too", path, "give one of the two")
        if not self.inputs.nodes and (level.count is None or level.rated_w is None):
            self._problem("E230", "needs count and rated_w", path, "add them, or name [nodes.NAME]")
        if level.rated_w is not None:
            self._add(f"{path}.rated_w", f"rating of one {kind}", level.rated_w)
        if level.breaker_fraction is not None:
            self._add(f"{path}.breaker_fraction", f"continuous share of a {kind}", level.breaker_fraction, high=1.0)
            if kind == "ups" and level.breaker_fraction.value < 1:
                self.warnings.append(Warn("W-POWER-BREAKER", "UPS ratings usually are continuous: a breaker factor on "
                                          "them may be applied twice", f"{path}.breaker_fraction"))  # fmt: skip
        if level.efficiency_points:
            self._fit(kind, level)
            return
        entry = self._entry(level.equipment, f"{path}.equipment", "equipment") if level.equipment else None
        self.losses[kind] = {}
        for name in LOSSES:
            own, theirs = getattr(level, name), getattr(entry, name, None)
            if own is not None:
                self.losses[kind][name] = self._add(f"{path}.{name}", _loss_label(kind, name), own, high=1.0)
            elif theirs is not None:
                where = f"power.{level.equipment}.{name}"
                self.losses[kind][name] = self._add(where, _loss_label(kind, name), theirs, high=1.0)

    def _fit(self, kind: str, level: Level) -> None:
        path = f"levels.{kind}.efficiency_points"
        if level.equipment or any(getattr(level, name) is not None for name in LOSSES):
            self._problem("E230", "gives the losses again", path, "keep the points, the equipment or the fractions")
            return
        load, efficiency = zip(*level.efficiency_points, strict=True)
        try:
            self.fitted[kind] = fit_losses(load, efficiency)
        except ValueError as error:
            self._problem("E230", str(error), path, "give rows of load and efficiency, each above 0 and at most 1")

    def _entry(self, name: str, path: str, role: str) -> Any:
        """An entry of kind power with the role that is needed; None, with a problem noted, where there is none."""
        try:
            entry = self.catalog.get("power", self.catalog.resolve("power", name))
        except InputError as error:
            self.problems += error.under(path)
            return None
        if entry.role != role:
            self._problem("E230", f"'{name}' is {entry.role}, not {role}", path, "see `aiplan catalog list power`")
            return None
        return entry

    def _facility(self) -> None:
        inputs, facility = self.inputs, self.inputs.facility
        self._add("facility.other_fraction", "lighting and the like over IT", facility.other_fraction)
        self._add("hall.network_fraction", "network over servers", inputs.hall.network_fraction)
        if inputs.hall.cooling_capacity_w is not None:
            self._add("hall.cooling_capacity_w", "heat the plant removes", inputs.hall.cooling_capacity_w)
        if inputs.redundancy.sheddable_fraction is not None:
            self._add("redundancy.sheddable_fraction", "load shed when a UPS is lost",
                      inputs.redundancy.sheddable_fraction, high=1.0)  # fmt: skip
        for when, hour in () if self.cooled else (("worst", "design"), ("mean", "mean")):
            fraction = getattr(facility, f"mechanical_{when}_fraction")
            pue = getattr(facility, f"pue_{hour}")
            names = f"facility.mechanical_{when}_fraction", f"facility.pue_{hour}"
            if (fraction is None) == (pue is None):
                told = "is missing" if fraction is None else f"is given beside {names[1]}"
                self._problem("E234", told, names[0], f"give {names[0]} or {names[1]}")
            elif fraction is not None:
                self._add(names[0], f"cooling over IT, {when}", fraction)
            else:
                self._add(names[1], f"PUE, {hour}", pue, low=1.0)

    def _rack(self, name: str) -> RackKind:
        rack, path = self.inputs.racks[name], f"racks.{name}"
        paths = {"rated_w": self._add(f"{path}.rated_w", f"rating of a rack {name}", rack.rated_w)}
        if rack.share_fraction is not None:
            paths["share"] = self._add(f"{path}.share_fraction", f"share of racks {name}", rack.share_fraction, high=1)
        if rack.breaker_fraction is not None:
            paths["breaker"] = self._add(f"{path}.breaker_fraction", f"continuous share of a rack {name}",
                                         rack.breaker_fraction, high=1.0)  # fmt: skip
        entry = self._entry(rack.cooling, f"{path}.cooling", "rack_cooling")
        if entry is not None and entry.density_w is None:
            self._problem("E230", f"'{rack.cooling}' has no density_w", f"{path}.cooling", "add it in an overlay")
        elif entry is not None:
            paths["density_w"] = self._add(f"power.{rack.cooling}.density_w", f"heat of a rack by {rack.cooling}",
                                           entry.density_w)  # fmt: skip
        try:
            server = self.catalog.resolve("servers", rack.server)
        except InputError as error:
            self.problems += error.under(f"{path}.server")
            return RackKind(name, "", "", "", 0, rack.slots_count, paths)
        sold = self.catalog.get("servers", server)
        if rack.server_w is not None:
            paths["server_w"] = self._add(f"{path}.server_w", f"rating of a server {name}", rack.server_w)
        else:
            paths["server_w"] = self._add(f"servers.{server}.max_power_w", f"rating of {sold.name}", sold.max_power_w)
        return RackKind(name, server, sold.name, sold.accelerator, int(sold.accelerator_count), rack.slots_count, paths)

    def _shares(self, section: str, shares: list[Quantity | None]) -> None:
        if len(shares) == 1 and shares[0] is None:
            return
        total = sum(share.value for share in shares if share is not None)
        if None in shares:
            self._problem("E233", "each needs a share_fraction", section, "add it, with a sum of 1")
        elif abs(total - 1.0) > SHARES_OFF:
            self._problem("E233", f"shares add up to {total:g}", section, "make their sum 1")

    def _stabilized(self) -> None:
        """A class from a report of `aiplan stabilize`; its numbers win over those of the scenario."""
        try:
            found = self.stabilized = stabilized_class(self.inputs.power, self.inputs.classes)
        except InputError as error:
            self.problems += error.problems
            return
        if found is None:
            return
        for name in FRACTIONS:
            self._add(f"classes.{found.name}.{name}", _class_label(found.name, name), found.quantity(name), high=1.0)
        for name in MOMENTS:
            self.parameters.add(f"classes.{found.name}.{name}", f"{LABELS[name]} {found.name}", found.quantity(name),
                                unitless=True)  # fmt: skip
        self._add(LOSS, f"losses of storage at the site over IT of {found.name}", found.quantity("site_loss_share"))

    def _classes(self) -> None:
        classes = self.inputs.classes
        if not classes:
            return
        self._shares("classes", [item.share_fraction for item in classes.values()])
        for name, item in classes.items():
            for key in ("share", "mean", "sd", "peak", "floor"):
                field_name = f"{key}_fraction"
                label = _class_label(name, field_name)
                self._add(f"classes.{name}.{field_name}", label, getattr(item, field_name), high=1.0)
            for key in ("skewness", "excess_kurtosis", "rho_within", "slowdown_factor"):
                if getattr(item, key) is not None:
                    low = {"rho_within": -1.0, "slowdown_factor": 0.0}.get(key, float("-inf"))
                    label = f"{LABELS[key]} {name}"
                    self.parameters.add(f"classes.{name}.{key}", label, getattr(item, key), low=low, unitless=True)
            for other, rho in item.rho_between.items():
                path = f"classes.{name}.rho_between"
                if other not in classes or other == name:
                    self._problem("E233", f"'{other}' is no other class", path, f"one of {', '.join(classes)}")
                elif classes[other].rho_between.get(name, rho) != rho:
                    self._problem("E233", f"{name} and {other} give two correlations", path, "give it once")

    def _rule(self) -> None:
        power = self.inputs.power
        if power.rule in ("percentile", "oversubscribed") and not self.inputs.classes:
            self._problem("E233", f"rule {power.rule} needs classes of servers", "power.rule",
                          "add [classes.NAME], or take nameplate or peak")  # fmt: skip
        for name, label in (("peak_fraction", "most measured over rating"),
                            ("percentile_fraction", "time within limits (percentile)"),
                            ("capping_fraction", "time that caps may work")):  # fmt: skip
            self._add(f"power.{name}", label, getattr(power, name), high=1.0)

    def _trace(self, case: Case) -> None:
        """Statistics of a class from a trace, in shares of the rating of its servers."""
        power = self.inputs.power
        given = (power.trace, power.trace_class, power.trace_rated_w)
        if all(value is None for value in given):
            return
        if power.trace is None or power.trace_class is None or power.trace_rated_w is None:
            self._problem("E233", "needs trace, trace_class and trace_rated_w", "power.trace", "add what is missing")
            return
        if power.trace_class not in self.inputs.classes:
            self._problem("E233", f"'{power.trace_class}' is no class", "power.trace_class",
                          f"one of {', '.join(self.inputs.classes) or 'none'}")  # fmt: skip
            return
        from aiplan.planners.power.power_trace import read_power_trace
        from aiplan.planners.power.trace_moments import class_of
        from aiplan.resources import find_trace

        self._add("power.trace_rated_w", "rating of a server of the trace", power.trace_rated_w)
        trace = read_power_trace(find_trace(power.trace), trim_rows=power.trace_trim_count)
        if trace.server_w.shape[1] < 2:
            self._problem("E233", "has no columns of two servers or more", "power.trace",
                          "give one column per server, such as node_01_w")  # fmt: skip
            return
        case.traced = (power.trace_class, class_of(trace.server_w, name=power.trace_class))
        case.trace = trace

    def _serving(self, racks: list[RackKind]) -> None:
        """Prices and the load that is served."""
        serving, cost = self.inputs.serving, self.inputs.cost
        if serving is not None:
            for name in ("concurrency", "input_tokens", "output_tokens"):
                self.parameters.add(f"serving.{name}", name.replace("_", " "), getattr(serving, name),
                                    low=0, unitless=name == "concurrency")  # fmt: skip
        for rack in racks:
            if cost.basis == "server":
                entry, where = self.catalog.get("servers", rack.server), f"servers.{rack.server}.price_usd"
                price = entry.price_usd
            else:
                where = f"accelerators.{rack.accelerator}.{BASES[cost.basis]}"
                price = getattr(self.catalog.get("accelerators", rack.accelerator), BASES[cost.basis])
            if price is None:
                self.warnings.append(Warn("W-POWER-PRICE", f"no price of {rack.title} by basis '{cost.basis}': no cost "
                                          "is given", "cost.basis"))  # fmt: skip
            else:
                rack.paths["price"] = self._add(where, f"price of {rack.title} ({cost.basis})", price)
        if cost.basis == "server":
            self._add("cost.lifetime_years", "life of a server", cost.lifetime_years)
            self._add("cost.electricity_usd_per_kwh", "price of electricity", cost.electricity_usd_per_kwh)


def _class_label(name: str, field_name: str) -> str:
    return f"{field_name.removesuffix('_fraction').replace('sd', 'standard deviation')} of {name}"


def _loss_label(kind: str, name: str) -> str:
    return f"{name.removesuffix('_fraction').replace('_', '-')} loss of a {kind}"


__all__ = ["Case", "build_case"]
