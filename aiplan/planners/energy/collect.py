"""From what is asked to what is computed with: every number of the scenario and catalog collected by name.

The catalog is read here and nowhere further in. What comes out are a law per model, the names of the inputs each
model's power depends on, and the inputs themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from aiplan.errors import InputError, Problem
from aiplan.inputs.quantity import Quantity, constant
from aiplan.planners.energy.case import Case, ModelCase
from aiplan.planners.energy.inputs import EnergyInputs
from aiplan.planners.energy.notes import Notes
from aiplan.planners.energy.place import place_numbers
from aiplan.planners.energy.profiles import Profile, choose_profile, has_table, load_profile
from aiplan.planners.parameters import Parameters
from aiplan.planners.serving.power_constants import FALLBACK_SHARE
from aiplan.uncertainty.distributions import Lognormal

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog


def build_case(inputs: EnergyInputs, catalog: Catalog, as_of: date | None) -> Case:
    """Look everything up.

    Parameters
    ----------
    inputs : the checked scenario
    catalog : where servers, models, tables and places come from
    as_of : day the scenario speaks of; tables a year older are warned about

    Raises
    ------
    InputError for names the catalog does not know and for models without a throughput table that none can be
    computed for, all at once.
    """
    builder = _Builder(inputs, catalog, as_of)
    return builder.build()


class _Builder:
    def __init__(self, inputs: EnergyInputs, catalog: Catalog, as_of: date | None) -> None:
        self.inputs, self.catalog, self.as_of = inputs, catalog, as_of
        self.parameters = Parameters()
        self.notes = Notes()
        self.problems: list[Problem] = []
        self.models: list[str] = []
        self.profiles: dict[str, str] = {}
        self.rated: dict[str, Quantity] = {}

    def build(self) -> Case:
        """The case the scenario describes, its names looked up.

        Raises
        ------
        InputError with all names the catalog lacks and all combinations that cannot run, not only the first.
        """
        inputs = self.inputs
        server = self._lookup("servers", inputs.serving.server, "serving.server")
        self._workload()
        self.models = ids = self._model_ids()
        blend = self._blend()
        self.profiles = self._by_model(inputs.serving.profiles, "serving.profiles")
        self.rated = self._by_model(inputs.power.rated_power_by_model_w, "power.rated_power_by_model_w")
        if server is not None:
            self._server(server)
        models = [case for case in (self._model(model, server) for model in ids if server) if case]
        self._facility()
        self._levers_and_fleet()
        if self.problems or server is None:
            raise InputError(self.problems)
        medians = self.parameters.medians()
        self.notes.of_options(inputs)
        self.notes.of_rating(inputs, medians, server.accelerator_count)
        context = (
            ("Boundary", inputs.energy.boundary),
            ("Server", server.name),
            ("Blend", f"{inputs.energy.blend.name} ({', '.join(blend)})"),
        )
        return Case(
            inputs,
            tuple(models),
            blend,
            self.parameters,
            self.catalog.resolve("servers", inputs.serving.server),
            server.accelerator_count,
            (*self.notes.warnings(), *self.parameters.tail_warnings()),
            context,
        )

    def _lookup(self, kind: str, name: str, path: str) -> Any:
        try:
            return self.catalog.get(kind, name)
        except InputError as error:
            self._gather(error, path)
            return None

    def _gather(self, error: InputError, path: str) -> None:
        self.problems += error.under(path)

    def _workload(self) -> None:
        work, add = self.inputs.workload, self.parameters.add
        add("workload.input_tokens", "prompt tokens, short query", work.input_tokens, low=0)
        add("workload.output_tokens", "answer tokens, short query", work.output_tokens, low=0)
        add(
            "workload.long_input_tokens",
            "prompt tokens, long query",
            work.long_input_tokens or work.input_tokens,
            low=0,
        )
        add("workload.long_output_tokens", "answer tokens, long query", work.long_output_tokens, low=0)
        add("workload.queries_per_day", "queries per day", work.queries_per_day, low=0)
        add("workload.long_share", "share of long queries in the mixed fleet", work.long_share, low=0, high=1)
        serving = self.inputs.serving
        if serving.production_fraction is not None:
            label = "throughput in production over the offline maximum"
            add("serving.production_fraction", label, serving.production_fraction, low=0, high=1)
        if serving.input_token_weight is not None and serving.law == "loglinear":
            add(
                "serving.input_token_weight",
                "answer tokens a prompt token counts as",
                serving.input_token_weight,
            )

    def _model_ids(self) -> list[str]:
        """Catalog ids of the models asked for, each once."""
        found: dict[str, None] = {}
        for name in self.inputs.serving.models:
            try:
                found[self.catalog.resolve("models", name)] = None
            except InputError as error:
                self._gather(error, "serving.models")
        return list(found)

    def _blend(self) -> dict[str, str]:
        table = "energy.blend.weights"
        blend: dict[str, str] = {}
        for model, weight in self._by_model(self.inputs.energy.blend.weights, table, listed=True).items():
            path = f"{table}.{model}"
            blend[model] = self.parameters.add(path, f"share of {model} in the blend", weight, low=0)
        if not sum(self.parameters.items[path].quantity.value for path in blend.values()) and not self.problems:
            hint = "give at least one model a share"
            self.problems.append(Problem("E131", f"{table} are all zero", table, hint=hint))
        return blend

    def _server(self, server: Any) -> None:
        power, add = self.inputs.power, self.parameters.add
        add(
            "power.rated_power_w",
            "rated power of the server",
            power.rated_power_w or server.max_power_w,
            low=0,
        )
        add(
            "power.host_power_w",
            "server power without accelerators",
            power.host_power_w or server.host_power_w,
            low=0,
        )
        add(
            "power.idle_power_fraction",
            "idle power over rated power",
            power.idle_power_fraction or server.idle_power_fraction,
            low=0,
            high=1,
        )
        add("power.busy_fraction", "busy share of provisioned time", power.busy_fraction, low=0, high=1)
        if power.mode == "fraction":
            if power.rated_power_fraction is None:
                self.problems.append(
                    Problem(
                        "E132",
                        f"power.mode = '{power.mode}' needs power.rated_power_fraction",
                        "power.rated_power_fraction",
                        hint="add rated_power_fraction = { lognormal = { p5 = 0.4, p95 = 0.9 } }",
                    )
                )
            else:
                add(
                    "power.rated_power_fraction",
                    "server power over rated power",
                    power.rated_power_fraction,
                    low=0,
                    high=1,
                )
        if self.inputs.embodied is not None:
            self._embodied(server)

    def _embodied(self, server: Any) -> None:
        embodied, add = self.inputs.embodied, self.parameters.add
        if embodied is None:
            return
        host = embodied.host_kg or server.embodied_kg
        if host is None:
            self.problems.append(
                Problem(
                    "E133",
                    "embodied.host_kg is missing and the catalog has none for the server",
                    "embodied.host_kg",
                    hint="add it, or leave [embodied] out",
                )
            )
            return
        add("embodied.lifetime_years", "service life of a server", embodied.lifetime_years, low=0)
        add("embodied.host_kg", "kg CO2e of a server without accelerators", host, low=0, unit="kg")
        if embodied.utilisation_fraction is not None:
            add(
                "embodied.utilisation_fraction",
                "busy share of a server's life",
                embodied.utilisation_fraction,
                low=0,
                high=1,
            )

    def _by_model(self, table: Mapping[str, Any], path: str, *, listed: bool = False) -> dict[str, Any]:
        """A table keyed by model names, keyed by ids.

        A name nobody knows and a model named twice are problems, and so is one that is not served but must be
        (``listed``).
        """
        found: dict[str, Any] = {}
        for name, value in table.items():
            try:
                model = self.catalog.resolve("models", name)
            except InputError as error:
                self._gather(error, f"{path}.{name}")
                continue
            if model in found:
                message = f"{path} names '{model}' twice, once as '{name}'"
                self.problems.append(Problem("E130", message, f"{path}.{name}", hint="keep one of the two"))
            found[model] = value
        absent = [model for model in found if model not in self.models]
        if absent and listed and self.models:
            message = f"{path} names models that serving.models does not list: {', '.join(absent)}"
            hint = f"list them, or give the blend anew: --set '{path}={{\"{self.models[0]}\" = 1}}'"
            self.problems.append(Problem("E130", message, path, hint=hint))
        elif absent and not listed:
            self.notes.add("W-ENERGY-INACTIVE", f"{path} of {', '.join(absent)} (not in serving.models)")
        return found

    def _model(self, model: str, server: Any) -> ModelCase | None:
        add = self.parameters.add
        try:
            profile = self._profile(model, server)
            entry = self.catalog.get("models", model)
            accelerator = self.catalog.get("accelerators", profile.accelerator)
        except InputError as error:
            self._gather(error, f"serving.profiles.{model}" if model in self.profiles else "serving.models")
            return None
        medians = self.parameters.medians()
        self.notes.of_table(model, profile, server.accelerator, self.as_of)
        self.notes.of_lengths(model, profile, medians)
        self.notes.of_memory(model, profile, float(entry.total_params), accelerator)
        rated = self.rated.get(model)
        rated_path = "power.rated_power_w"
        if rated is not None:
            label = f"rated power of the server of {model}"
            rated_path = add(f"power.rated_power_by_model_w.{model}", label, rated, unit="W", low=0)
        return ModelCase(
            model,
            entry.name,
            profile,
            profile.accelerator_count / server.accelerator_count,
            rated_path,
            self._law_error(model, profile),
            self._tdp(accelerator, profile.accelerator),
            self._tdp_fraction(accelerator, profile.accelerator),
            self._accelerator_kg(accelerator, profile.accelerator),
        )

    def _profile(self, model: str, server: Any) -> Profile:
        """The table named for a model, else the best measured one, moved here if need be, else a computed one."""
        chosen, law = self.profiles.get(model), self.inputs.serving.law
        if chosen is None and law == "physical" and not has_table(self.catalog, model):
            from aiplan.planners.energy.roofline import computed_profile

            medians = self.parameters.medians()
            typical = [
                (medians[f"workload.{prefix}input_tokens"], medians[f"workload.{prefix}output_tokens"])
                for prefix in ("", "long_")
            ]
            return computed_profile(self.catalog, model, server.accelerator, server.accelerator_count, typical)
        name = chosen or choose_profile(self.catalog, model, server.accelerator)
        profile = load_profile(self.catalog, name, law)
        if chosen is not None or profile.accelerator == server.accelerator:
            return profile
        from aiplan.planners.energy.roofline import moved_to

        return moved_to(profile, self.catalog, server.accelerator, server.accelerator_count)

    def _law_error(self, model: str, profile: Profile) -> str:
        """The throughput table as an input: a factor of one whose spread is the law's measured error."""
        exact = constant(1.0, profile.source, profile.grade, profile.evidence)
        quantity = exact
        if self.inputs.serving.law_error and profile.relative_error:
            spread = Quantity(1.0, Lognormal(0.0, profile.relative_error))
            quantity = spread.within(profile.source, profile.grade, profile.evidence)
        return self.parameters.add(
            f"throughput.{model}", f"time per query of {model}, table {profile.id}", quantity, low=0, unitless=True
        )

    def _tdp(self, accelerator: Any, accelerator_id: str) -> str:
        tdp = accelerator.tdp_w
        if tdp is None:
            self.problems.append(
                Problem(
                    "E134",
                    f"accelerator '{accelerator_id}' has no tdp_w in the catalog",
                    hint="add it in an overlay and pass --catalog",
                )
            )
            return ""
        return self.parameters.add(f"accelerators.{accelerator_id}.tdp_w", f"TDP of {accelerator.name}", tdp, low=0)

    def _tdp_fraction(self, accelerator: Any, accelerator_id: str) -> str | None:
        power = self.inputs.power
        if power.mode != "component":
            return None
        if power.tdp_fraction is not None:
            return self.parameters.add(
                "power.tdp_fraction", "accelerator power over TDP", power.tdp_fraction, low=0, high=1.2
            )
        measured = accelerator.power_fraction or constant(
            FALLBACK_SHARE,
            "mlenergy-leaderboard-v3",
            "estimate",
            "derived",
            "no measurement of this accelerator",
        )
        path = f"accelerators.{accelerator_id}.power_fraction"
        return self.parameters.add(path, f"power over TDP of {accelerator.name}", measured, low=0, high=1.2)

    def _accelerator_kg(self, accelerator: Any, accelerator_id: str) -> str | None:
        if self.inputs.embodied is None:
            return None
        given = self.inputs.embodied.accelerator_kg
        if given is not None:
            return self.parameters.add("embodied.accelerator_kg", "kg CO2e of one accelerator", given, low=0, unit="kg")
        if accelerator.embodied_kg is None:
            return None
        path = f"accelerators.{accelerator_id}.embodied_kg"
        return self.parameters.add(
            path, f"kg CO2e of one {accelerator.name}", accelerator.embodied_kg, low=0, unit="kg"
        )

    def _facility(self) -> None:
        known = len(self.problems)
        found = place_numbers(self.inputs.facility, self._lookup)
        if "pue" not in found and len(self.problems) == known:  # an operator nobody knows is the one problem
            hint = "add pue = ..., or an operator whose PUE the catalog knows"
            self.problems.append(Problem("E135", "facility.pue is missing", "facility.pue", hint=hint))
        for name, (label, quantity) in found.items():
            self.parameters.add(f"facility.{name}", label, quantity, low=1 if name == "pue" else 0)

    def _levers_and_fleet(self) -> None:
        add = self.parameters.add
        if self.inputs.levers is not None:
            add(
                "levers.overlap_exponent",
                "overlap exponent of combined levers",
                self.inputs.levers.overlap_exponent,
                low=0,
                high=1,
            )
            for name, lever in self.inputs.levers.gain.items():
                add(
                    f"levers.gain.{name}.multiplier",
                    f"gain of lever '{lever.label or name}'",
                    lever.multiplier,
                    low=0,
                )
        fleet = self.inputs.fleet
        if fleet is not None:
            for name, factor in fleet.overhead.items():
                add(f"fleet.overhead.{name}", f"fleet overhead '{name}'", factor, low=0, unitless=True)
            for regime in ("short", "long"):
                multiplier = getattr(fleet, f"improved_{regime}_multiplier")
                add(
                    f"fleet.improved_{regime}_multiplier",
                    f"gain of an improved fleet, {regime} queries",
                    multiplier,
                    low=0,
                )
