"""The tables of `aiplan power`."""

from __future__ import annotations

from aiplan.planners.power.flows import Chain
from aiplan.planners.power.plan import Result
from aiplan.planners.power.provision import Provision
from aiplan.planners.power.stabilized import stabilized_table
from aiplan.report.model import Cell, Column, Table

MW = 1e6


def tables(result: Result) -> tuple[Table, ...]:
    """All tables of a result."""
    found = [levels_table(result), _topologies(result), _rules(result), _schemes(result), _capping(result),
             _capping_classes(result), _published(result), _racks(result), chain_table(result), _trace(result),
             _trace_caps(result), stabilized_table(result)]  # fmt: skip
    return tuple(table for table in found if table.rows)


def _mw(watts: float | None) -> float | None:
    return None if watts is None else watts / MW


def levels_table(result: Result) -> Table:
    """Every level, grid first."""
    columns = (
        Column("level", "level", keep=True),
        Column("count", "nodes"),
        Column("rated_mw", "rated", "MW"),
        Column("usable_mw", "usable", "MW", keep=True),
        Column("load_mw", "load", "MW", keep=True),
        Column("headroom_mw", "headroom", "MW", keep=True),
        Column("fullest_fraction", "fullest"),
        Column("loss_mw", "loss", "MW"),
        Column("efficiency", "efficiency"),
        Column("servers", "servers it allows", keep=True),
        Column("capping_probability", "P(over)"),
        Column("binds", "binds"),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            limit.name, limit.count, _mw(limit.rated_w) or None, _mw(limit.usable_w), _mw(limit.load_w),
            _mw(limit.headroom_w), limit.fullest, _mw(limit.loss_w) or None, limit.efficiency, limit.servers,
            limit.over, limit.name == result.found.binding,
        )
        for limit in result.found.limits
    ]  # fmt: skip
    return Table("levels", "Levels at the design hour", columns, tuple(rows))


_OF_PROVISION = (
    Column("servers", "servers", keep=True),
    Column("gpus", "GPUs"),
    Column("change_fraction", "change", keep=True),
    Column("it_power_mw", "IT", "MW"),
    Column("stranded_power_mw", "stranded", "MW", keep=True),
    Column("stranded_fraction", "share"),
    Column("racks", "racks"),
    Column("racks_bound", "bound"),
    Column("capping_probability", "P(over)"),
    Column("binding", "binds", keep=True),
)


def _of_provision(found: Provision, base: Provision | None) -> tuple[Cell, ...]:
    return (
        found.servers, found.gpus, None if base is None else found.servers / base.servers - 1.0, found.it_w / MW,
        found.stranded_w / MW, found.stranded_w / found.hall_w, round(float(found.packed.counts.sum())),
        int(found.most_racks * (1 + 1e-9)), found.over, found.binding,
    )  # fmt: skip


def _topologies(result: Result) -> Table:
    base = result.topologies[0][1]
    rows = tuple(
        (name, *_of_provision(found, base), (found.stranded_w - base.stranded_w) / MW)
        for name, found in result.topologies
    )  # fmt: skip
    columns = (Column("topology", "power pooled", keep=True), *_OF_PROVISION,
               Column("stranded_change_mw", "against per-PDU", "MW"))  # fmt: skip
    return Table("topologies", "Where power is pooled; change against per-PDU", columns, rows)


def _rules(result: Result) -> Table:
    base = dict(result.rules).get("nameplate")
    rows = tuple((name, *_of_provision(found, base)) for name, found in result.rules)
    columns = (Column("rule", "sizing rule", keep=True), *_OF_PROVISION)
    return Table("rules", "Sizing rules; change against nameplate", columns, rows)


def _schemes(result: Result) -> Table:
    """Redundancies on the same UPS; those that cannot be built say why."""
    asked = next(
        (row.found for row in result.schemes if row.scheme == result.found.design.scheme and not row.flex), None
    )
    rows: list[tuple[Cell, ...]] = []
    for row in result.schemes:
        name = row.scheme.name + (f" of {row.scheme.group}" if row.scheme.name in ("n+1", "distributed") else "")
        name += ", reserve in use" if row.flex else ""
        usable = 1.0 if row.flex else row.scheme.usable
        cells = (None,) * len(_OF_PROVISION) if row.found is None else _of_provision(row.found, asked)
        rows.append((name, usable, *cells, row.why or None))
    columns = (Column("scheme", "redundancy", keep=True), Column("usable_fraction", "UPS usable"), *_OF_PROVISION,
               Column("why_not", "why not"))  # fmt: skip
    return Table("redundancy", "Redundancies on the same UPS; change against the one asked", columns, tuple(rows))


def _capping(result: Result) -> Table:
    columns = (
        Column("level", "level", keep=True),
        Column("servers", "servers behind it"),
        Column("limit_kw", "limit", "kW"),
        Column("capping_probability", "P(over)", keep=True),
        Column("depth_fraction", "depth while capped", keep=True),
        Column("capped_energy_mwh", "held back a year", "MWh", keep=True),
    )
    rows = tuple(
        (one.level, round(one.servers), one.limit_w / 1e3, one.probability, one.depth, one.energy_wh / 1e6)
        for one in result.capped
    )
    return Table("capping", "Caps behind the worst node of each level", columns, rows)


def _capping_classes(result: Result) -> Table:
    """Classes in the order in which they are capped."""
    columns = (
        Column("class", "class", keep=True),
        Column("priority", "priority", keep=True),
        Column("servers", "servers behind it"),
        Column("wanted_kw", "wanted while capped", "kW"),
        Column("cut_kw", "taken", "kW", keep=True),
        Column("cut_fraction", "share taken", keep=True),
        Column("slowdown_factor", "time while capped", keep=True),
        Column("latency_factor", "time in the mean", keep=True),
    )
    rows = tuple(
        (
            one.name, one.priority, round(one.servers), one.wanted_w / 1e3, one.cut_w / 1e3,
            one.cut_w / one.wanted_w if one.wanted_w > 0 else None, one.slowdown, one.latency,
        )
        for one in sorted(result.capped_classes, key=lambda one: one.priority)
    )  # fmt: skip
    return Table("capping_classes", "Who is capped first behind the worst node of all", columns, rows)


def _published(result: Result) -> Table:
    columns = (
        Column("source", "source", keep=True),
        Column("load", "load"),
        Column("published_fraction", "published", keep=True),
        Column("evidence", "evidence", keep=True),
        Column("feed_fraction", "ours, one UPS feed", keep=True),
        Column("design_fraction", "ours, this design"),
        Column("reached", "reached", keep=True),
        Column("condition", "what it rests on"),
    )
    rows = tuple(
        (gain.name, gain.load, gain.published, gain.evidence, gain.feed, gain.design, gain.reached, gain.condition)
        for gain in result.gains
    )  # fmt: skip
    return Table("published", "Published gains in servers, and ours under the inputs stated", columns, rows)


def _racks(result: Result) -> Table:
    columns = (
        Column("rack", "rack", keep=True),
        Column("server", "server"),
        Column("racks", "racks", keep=True),
        Column("servers_per_rack", "servers each", keep=True),
        Column("servers", "servers"),
        Column("gpus", "GPUs"),
        Column("rack_kw", "rating", "kW"),
        Column("feed_kw", "feed", "kW"),
        Column("cooling_kw", "cooling", "kW"),
    )
    found = result.found
    rows = tuple(
        (
            kind.name, kind.title, round(count), round(each), round(each * count), round(each * count * rack.gpus),
            each * rack.plug_w / 1e3, rack.rated_w / 1e3, rack.density_w / 1e3,
        )
        for kind, rack, each, count in zip(
            result.case.racks, found.design.racks, found.per_rack.tolist(), found.packed.counts.tolist(), strict=True
        )
    )  # fmt: skip
    return Table("racks", "Racks", columns, rows)


def chain_parts(found: Provision) -> dict[str, dict[str, float]]:
    """What the power at the grid goes into, at the design hour and in the mean [MW]."""
    return {"design hour": _parts(found, found.worst), "mean": _parts(found, found.mean)}


def _parts(found: Provision, chain: Chain) -> dict[str, float]:
    losses = {
        f"loss of {level.kind}": flow.loss_w / MW for level, flow in zip(found.design.levels, chain.flows, strict=True)
    }
    return {"IT": chain.it_w / MW, "cooling": chain.mechanical_w / MW, **losses, "other": chain.other_w / MW}


def chain_table(result: Result) -> Table:
    """The same as a table, with the sum at the grid."""
    parts = chain_parts(result.found)
    worst, mean = parts["design hour"], parts["mean"]
    rows: list[tuple[Cell, ...]] = [(name, worst[name], mean[name]) for name in worst]
    rows.append(("grid", result.found.worst.grid_w / MW, result.found.mean.grid_w / MW))
    columns = (Column("part", "part", keep=True), Column("design_mw", "design hour", "MW", keep=True),
               Column("mean_mw", "mean", "MW", keep=True))  # fmt: skip
    return Table("chain", "From the grid to IT", columns, tuple(rows))


def _trace(result: Result) -> Table:
    columns = (
        Column("probability", "quantile", keep=True),
        Column("measured_kw", "measured", "kW", keep=True),
        Column("bootstrap_low_kw", "P5", "kW"),
        Column("bootstrap_high_kw", "P95", "kW"),
        Column("by_moments_kw", "by moments", "kW"),
        Column("servers_factor", "servers over nameplate"),
        Column("node_servers", "servers behind the worst node"),
        Column("node_low_kw", "theirs P5", "kW"),
        Column("node_kw", "theirs, in step", "kW"),
        Column("node_high_kw", "theirs P95", "kW"),
    )
    rows = tuple(tuple(row[column.id] for column in columns) for row in result.trace)
    return Table("trace", "Sum of the servers measured", columns, rows)


def _trace_caps(result: Result) -> Table:
    columns = (
        Column("more_fraction", "servers over nameplate", keep=True),
        Column("capacity_kw", "limit", "kW", keep=True),
        Column("over_fraction", "time above", keep=True),
        Column("bootstrap_low_fraction", "P5"),
        Column("bootstrap_high_fraction", "P95"),
        Column("by_moments_fraction", "by moments"),
        Column("events", "events"),
        Column("longest_s", "longest", "s"),
        Column("capped_energy_kwh", "held back", "kWh"),
        Column("deepest_fraction", "deepest"),
    )
    rows = tuple(tuple(row[column.id] for column in columns) for row in result.trace_caps)
    return Table("trace_caps", "Caps that the servers measured would have met", columns, rows)
