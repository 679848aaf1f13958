"""Synthetic telemetry as the CSV that `aiplan thermal fit` reads."""

from aiplan.planners.thermal.synthetic import PREFIX, telemetry


def telemetry_text(
    rows: int, servers_per_row: int, days: float, step_s: float, noise_kelvin: float, seed: int
) -> str:  # fmt: skip
    """Header and one line per sample; every server's name starts with ``synthetic-``."""
    found = telemetry(rows, servers_per_row, days, step_s, noise_kelvin, seed)
    width = len(str(rows * servers_per_row - 1))
    names = [f"{PREFIX}{number:0{width}d}" for number in range(rows * servers_per_row)]
    lines = [
        f"{time:.0f},{names[server]},{gpu},{inlet:.2f},{power:.1f},{temp:.2f},{load:.3f},{outside:.2f},"
        f"{PREFIX}row-{row + 1}\n"
        for time, server, gpu, inlet, power, temp, load, outside, row in zip(
            found.time_s.tolist(), found.server.tolist(), found.gpu.tolist(), found.inlet_c.tolist(),
            found.power_w.tolist(), found.temp_c.tolist(), found.load.tolist(), found.outside_c.tolist(),
            found.row.tolist(), strict=True,
        )
    ]  # fmt: skip
    return "time,server,gpu,inlet_c,power_w,temp_c,load,outside_c,row\n" + "".join(lines)
