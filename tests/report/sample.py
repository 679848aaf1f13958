"""Reports to render: one as a planner makes it, one whose every text is an attack."""

from __future__ import annotations

from dataclasses import replace

from aiplan.report.model import (
    Axis,
    Bars,
    Chart,
    Column,
    HeatMap,
    InputRecord,
    Line,
    Mark,
    Origin,
    Report,
    Segment,
    Series,
    Table,
    Warn,
)

NASTY_TEXTS = (
    "=1+1",
    "[red]x[/red]",
    "[/x]",
    "\x1b[31mred\x1b[0m and \x1b]0;retitled\x07 done",
    "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "user\u202etxt.exe",
    "a|b|c",
    "<script>alert(1)</script>",
    "two\nlines\tand a tab\r\nmore",
    "`code` **bold** [link](javascript:alert(1))",
    "zero\u200bwidth\ufeff",
    "lone \ud800 surrogate",
    "nul\x00 bell\x07 del\x7f c1\x9b31m",
)


def _sampled(line_id: str, label: str, unit: str, quantiles: tuple[float, ...], **rest: object) -> Line:
    p5, p25, p50, p75, p95, mean = quantiles
    return Line(line_id, label, p50, unit, p5, p25, p50, p75, p95, mean, **rest)  # type: ignore[arg-type]


def _lines() -> tuple[Line, ...]:
    return (
        _sampled(
            "energy_per_query_wh",
            "Energy per query, site",
            "Wh",
            (0.04361, 0.16234, 0.30814, 0.60712, 1.53, 0.4712),
            grade="paper",
            sources=("oviedo-2026", "trtllm-0.19"),
            formula="node_power_w * power_utilisation * pue * output_tokens / (3600 * tokens_per_s)",
            inputs=(
                "workload.output_tokens",
                "serving.tokens_per_s",
                "serving.power_utilisation",
                "facility.pue",
            ),
            effects=(0.1, -0.0909, 0.1, 0.1),
        ),
        _sampled(
            "energy_per_query_node_wh",
            "Energy per query, node",
            "Wh",
            (0.0335, 0.125, 0.237, 0.466, 1.18, 0.362),
            grade="paper",
            sources=("oviedo-2026",),
        ),
        _sampled(
            "carbon_per_query_g",
            "Carbon per query, location based",
            "gCO2e",
            (0.0131, 0.0548, 0.11, 0.221, 0.59, 0.171),
            grade="estimate",
            sources=("ember-2025",),
        ),
        _sampled(
            "water_per_query_ml",
            "Water evaporated per query, on site",
            "mL",
            (0.021, 0.094, 0.205, 0.44, 1.21, 0.35),
            grade="assumption",
            sources=("scenario.toml:14",),
            inputs=("facility.wue_l_per_kwh", "workload.output_tokens"),
            effects=(0.1, 0.1),
        ),
        Line(
            "fleet_energy_gwh_per_day",
            "Fleet energy, 1 billion queries a day",
            0.6246,
            "GWh/day",
            grade="paper",
        ),
        Line("fleet_nodes", "Nodes needed", 4821, None, grade="estimate", sources=("trtllm-0.19",)),
        Line(
            "node_power_w",
            "Node power at full load",
            10200.0,
            "W",
            grade="datasheet",
            sources=("dgx-h100-ds",),
        ),
        Line("fits_in_memory", "Weights fit in one node", True, None, grade="measured"),
        Line("energy_cost_usd_per_mtoken", "Electricity per million output tokens", None, "USD/Mtok"),
    )


def _tables() -> tuple[Table, ...]:
    models = Table(
        "models",
        "Models in the blend",
        (
            Column("model", "model"),
            Column("tokens_per_s", "throughput", "tok/s"),
            Column("energy_wh_p50", "energy, median", "Wh"),
            Column("energy_wh_p95", "energy, p95", "Wh"),
            Column("gpus", "GPUs"),
            Column("fits", "fits"),
            Column("source", "throughput from"),
        ),
        (
            ("llama-3.1-405b", 3661.85, 0.39, 1.82, 8, True, "TensorRT-LLM v0.19"),
            ("deepseek-r1", 1300.0, 1.1043, 5.2, 16, True, "Llama-Nemotron paper, Fig. 4"),
            ("nemotron-ultra-253b", 5200.0, 0.271, None, 8, False, "Llama-Nemotron paper, Fig. 4"),
        ),
        assumed=frozenset({(1, "tokens_per_s"), (2, "energy_wh_p50")}),
    )
    levers = Table(
        "levers",
        "What would lower it",
        (Column("lever"), Column("factor_p50", "factor"), Column("energy_wh_p50", "energy, median", "Wh")),
        (("model", 3.87, 0.079), ("serving platform", 2.74, 0.113), ("hardware", 1.94, 0.159)),
        shown=False,
    )
    return models, levers


def _inputs() -> tuple[InputRecord, ...]:
    return (
        InputRecord(
            "workload.output_tokens",
            "Output tokens per query",
            300.0,
            "tokens",
            "exponential(median 300)",
            "paper",
            sources=("oviedo-2026",),
        ),
        InputRecord(
            "serving.tokens_per_s",
            "Output tokens per second of a node",
            3661.85,
            "tok/s",
            "",
            "measured",
            sources=("trtllm-0.19",),
        ),
        InputRecord(
            "serving.power_utilisation",
            "Node power over nameplate",
            0.6,
            None,
            "lognormal(p5 0.4, p95 0.9)",
            "paper",
            sources=("oviedo-2026",),
        ),
        InputRecord(
            "facility.pue",
            "Power usage effectiveness (PUE)",
            1.296,
            None,
            "lognormal(p5 1.05, p95 1.6)",
            "paper",
            sources=("oviedo-2026",),
        ),
        InputRecord(
            "facility.wue_l_per_kwh",
            "Water usage effectiveness (WUE)",
            0.7,
            "L/kWh",
            "uniform(0.1, 1.8)",
            "assumption",
            "assumed",
            ("scenario.toml:14",),
        ),
    )


def sample_report() -> Report:
    """A report as the energy planner makes it: sampled and fixed lines, every kind of value, two tables."""
    return Report(
        planner="energy",
        title="Energy per query",
        headline="A chat query takes 0.31 Wh at the wall; half of all queries take 0.16 to 0.61 Wh.",
        scenario=Origin("frontier-chat", "6f1c" * 16),
        catalog=Origin("hardware_catalog", "ab12" * 16, "2026.11"),
        seed=0,
        samples=200_000,
        lines=_lines(),
        tables=_tables(),
        warnings=(
            Warn(
                "W-SERVING-EXTRAPOLATED",
                "deepseek-r1 is extrapolated: throughput is known up to 2,048 output tokens, asked for 5,000",
                "serving.model",
            ),
            Warn("W-ENERGY-STALE", "the newest throughput row is 18 months old"),
        ),
        not_modelled=(
            "network switches outside the rack",
            "training and fine-tuning of the models",
            "energy of the user's device and of the network in between",
        ),
        inputs=_inputs(),
        sources={
            "oviedo-2026": "Oviedo et al., Energy use of AI inference, Joule 2026, arXiv:2509.20241",
            "trtllm-0.19": "NVIDIA TensorRT-LLM 0.19 performance overview",
            "ember-2025": "Ember yearly electricity data 2025",
            "dgx-h100-ds": "NVIDIA DGX H100 datasheet",
        },
        context=(
            ("Models", "Llama 3.1 405B, DeepSeek-R1, Nemotron Ultra 253B; equal shares"),
            ("Server", "DGX H100, 8 x H100 SXM5 80 GB, 10.2 kW"),
            ("Data", "throughput 2025-06 to 2026-02, grid 2025"),
        ),
        boundary="site: GPUs, host, idle time and cooling (PUE)",
    )


def nasty_report() -> Report:
    """A report in which every text that a file can set is hostile."""
    lines = tuple(
        Line(f"line_{i}", text, -3.5 * (i + 1), text, grade="estimate", sources=(text,), formula=text)
        for i, text in enumerate(NASTY_TEXTS)
    )
    columns = (Column("name", "na|me [b]"), Column("value", "=1+1", "\x1b[1m"))
    rows = tuple((text, -1.0 - i) for i, text in enumerate(NASTY_TEXTS))
    bad = NASTY_TEXTS[3]
    return Report(
        planner="energy",
        title="# \x1b[1mTitle\x1b[0m",
        headline="<b>=cmd|' /C calc'!A0</b>",
        scenario=Origin("@SUM(A1)", "0" * 64),
        catalog=Origin("x", "1" * 64, "v\x1b[5m1"),
        seed=0,
        samples=0,
        lines=lines,
        tables=(Table("t", bad, columns, rows),),
        warnings=(Warn(bad, bad, bad),),
        not_modelled=NASTY_TEXTS,
        inputs=(InputRecord("a.b", bad, bad, bad, bad, "estimate", "published", (bad,)),),
        sources={text: text for text in NASTY_TEXTS},
        context=tuple((text, text) for text in NASTY_TEXTS),
        boundary=bad,
    )


def _load_chart() -> Chart:
    """Lines that rise to a limit, with single points beside them and limits on both axes."""
    loads = tuple(step / 4 for step in range(1, 40))
    slow = tuple(20 + 2 * load + 8 / (10 - load) for load in loads)
    fast = tuple(9 + load + 3 / (11 - load) for load in loads)
    return Chart(
        "load",
        "Time per token against load",
        Axis("load", "queries/s"),
        Axis("time per token", "ms"),
        (
            Series("DGX H100", loads, slow),
            Series("DGX B200", loads, fast),
            Series("measured", (2.0, 5.0, 8.0), (26.0, 33.0, 47.0), "points", ("run 1", "run 2", "run 3")),
        ),
        (Mark(50.0, "promised 50 ms", "y"), Mark(8.2, "expected load")),
        table="models",
    )


def _cost_chart() -> Chart:
    """Steps on logarithmic axes, one of them without a place there."""
    return Chart(
        "cost",
        "Cost against speed",
        Axis("speed", "tok/s", log=True),
        Axis("cost", "USD/Mtok", log=True),
        (Series("", (3.0, 9.0, 30.0, 100.0, 0.0), (0.2, 0.31, 0.6, 1.7, 2.0), "steps", ("1", "2", "4", "8", "-")),),
        (Mark(20.0, "promised"),),
        table="levers",
    )


def charted_report() -> Report:
    """The sample with two charts: linear and logarithmic, lines, points and steps, limits and named points."""
    return replace(sample_report(), charts=(_load_chart(), _cost_chart()))


def chart_of(text: str) -> Chart:
    """A chart with ``text`` wherever a file can set some."""
    series = (Series(text, (1.0, 2.0), (1.0, 3.0), notes=(text, text)), Series(text, (1.5,), (2.0,), "points"))
    marks = (Mark(1.2, text), Mark(2.5, text, "y"))
    return Chart("c", text, Axis(text, text), Axis(text, text), series, marks, table="t")


def nasty_charts() -> Report:
    """A report whose charts carry an attack in every text."""
    return replace(nasty_report(), charts=tuple(replace(chart_of(x), id=f"c{i}") for i, x in enumerate(NASTY_TEXTS)))


def _pue_map() -> HeatMap:
    """Twelve rows of twenty-four columns, one cell without a value: a summer's day is warm, its nights are not."""
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    rows = [
        [1.06 + (36 - (month - 6) ** 2) * (40 - abs(hour - 15)) / 5000 for hour in range(24)] for month in range(12)
    ]
    cells = tuple(
        tuple(None if (month, hour) == (1, 2) else round(value, 4) for hour, value in enumerate(row))
        for month, row in enumerate(rows)
    )
    hours = tuple(str(hour) for hour in range(24))
    return HeatMap(
        "pue", "PUE by month and hour", Axis("hour"), Axis("month"), hours, months, cells, Axis("PUE"), "models"
    )


def _power_bars() -> Bars:
    """A chain of four levels in four parts, one of them not known, one thin, two limits."""
    return Bars(
        "chain",
        "Power by level",
        Axis("power", "MW"),
        ("utility", "UPS", "busway", "rack"),
        (
            Segment("IT", (20.0, 20.0, 20.0, 20.0)),
            Segment("cooling", (4.2, None, 0.0, 0.0)),
            Segment("losses", (1.3, 0.9, 0.3, 0.1)),
            Segment("headroom", (4.0, 3.0, 2.0, 0.5)),
        ),
        (Mark(30.0, "contract 30 MW"), Mark(23.0, "rating")),
        table="levers",
    )


def pictured_report() -> Report:
    """The sample with a heat map and stacked bars."""
    return replace(sample_report(), charts=(_pue_map(), _power_bars()))


def heat_map_of(text: str) -> HeatMap:
    """A heat map with ``text`` wherever a file can set some."""
    axis = Axis(text, text)
    return HeatMap("h", text, axis, axis, (text,) * 3, (text,) * 2, ((1.0, 2.0, None), (3.0, 4.0, 5.5)), axis, "t")


def bars_of(text: str) -> Bars:
    """Stacked bars with ``text`` wherever a file can set some."""
    segments = (Segment(text, (1.0, 2.0)), Segment(text, (0.5, None)))
    return Bars("b", text, Axis(text, text), (text, text), segments, (Mark(1.2, text), Mark(2.0, text)), "t")


def nasty_pictures() -> Report:
    """A report whose heat maps and bars carry an attack in every text."""
    maps = [replace(heat_map_of(text), id=f"h{i}") for i, text in enumerate(NASTY_TEXTS)]
    return replace(
        nasty_report(), charts=(*maps, *(replace(bars_of(x), id=f"b{i}") for i, x in enumerate(NASTY_TEXTS)))
    )
