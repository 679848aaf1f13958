"""The table of commands: name, module, one line of help. Nothing else is imported until a command is called.

``aiplan --help`` and ``aiplan --version`` are answered from this file alone, so that they stay instant however
many planners there are. A command of two words (``energy published``) wins over a command of one with an
argument.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import NamedTuple, NoReturn

from aiplan._version import __version__
from aiplan.errors import AiplanError, InputError, OutputError, Problem


class Command(NamedTuple):
    """Where a command lives and what it answers."""

    module: str
    function: str
    help: str


COMMANDS: dict[str, Command] = {
    "energy": Command(
        "aiplan.planners.energy.command",
        "energy",
        "Wh, water and carbon per query, and GWh per day for a fleet",
    ),
    "energy published": Command(
        "aiplan.planners.energy.command", "published", "public estimates moved to one boundary, side by side"
    ),
    "energy measured": Command(
        "aiplan.planners.energy.command", "measured", "watts and J per token for rows of measured throughput"
    ),
    "perf": Command(
        "aiplan.planners.serving.command",
        "perf",
        "time, memory, power and cost of a served model, or a file of them",
    ),
    "perf calibrate": Command(
        "aiplan.planners.serving.calibrate_command", "calibrate", "fit the time model to your own measurements"
    ),
    "perf measure": Command(
        "aiplan.planners.serving.measure.command", "measure", "time a model's layers on this machine's GPU, with power"
    ),
    "size": Command(
        "aiplan.planners.size.command", "size", "fewest accelerators for a rate and latencies, or least cost or power"
    ),
    "split": Command(
        "aiplan.planners.split.command", "split", "prompt and token machines for percentiles of TTFT, TBT and E2E"
    ),
    "split replay": Command(
        "aiplan.planners.split.replay_command", "replay", "a trace of requests on given machines, event by event"
    ),
    "power": Command(
        "aiplan.planners.power.command",
        "power",
        "how many servers a grid connection carries, and what is stranded or capped",
    ),
    "stabilize": Command(
        "aiplan.planners.stabilize.command",
        "stabilize",
        "will the grid accept a training job, and the cheapest measures that make it",
    ),
    "stabilize check": Command(
        "aiplan.planners.stabilize.check_command", "check", "hold a measured wave of power to a connection's limits"
    ),
    "cooling": Command(
        "aiplan.planners.cooling.command", "cooling", "PUE and water hour by hour, by place and cooling system"
    ),
    "thermal": Command(
        "aiplan.planners.thermal.command", "thermal", "place GPU VMs in a hall within power, air and temperature"
    ),
    "thermal fit": Command(
        "aiplan.planners.thermal.fit_command", "fit", "fit inlet and GPU temperature to telemetry of your own"
    ),
    "thermal telemetry": Command(
        "aiplan.planners.thermal.fit_command", "telemetry", "write synthetic telemetry to try the fit on"
    ),
    "site": Command(
        "aiplan.planners.site.command", "site", "megawatts at a place to GPUs, tokens, energy, water and carbon a year"
    ),
    "tco": Command(
        "aiplan.planners.lifecycle.command", "tco", "a datacenter over its life: strategies, costs, the least cost"
    ),
    "refresh": Command(
        "aiplan.planners.lifecycle.command", "refresh", "when to replace the servers of a fleet that stands"
    ),
    "catalog list": Command("aiplan.catalog.command", "list_entries", "what the catalog holds, by kind"),
    "catalog show": Command("aiplan.catalog.command", "show", "one entry with every number's source and grade"),
    "catalog lint": Command("aiplan.catalog.command", "lint", "check sources, units, rules and names of a catalog"),
    "catalog schema": Command("aiplan.catalog.command", "schema", "JSON Schema of a kind of entry"),
    "catalog index": Command("aiplan.catalog.command", "index", "rebuild the index of a catalog folder"),
    "init": Command("aiplan.study.command", "init", "write a commented scenario to start from"),
    "schema scenario": Command("aiplan.study.command", "schema_scenario", "JSON Schema of a scenario file"),
    "schema result": Command("aiplan.study.command", "schema_result", "JSON Schema of --format json"),
    "validate": Command("aiplan.study.command", "validate", "published numbers against what aiplan computes"),
}

OPTIONS = """\
Options:
  --version             print the version and exit
  --show-completion     print the completion script of your shell
  --install-completion  install it
  --help                print this and exit"""

EXIT_OK, EXIT_BUG, EXIT_INTERRUPTED, EXIT_TERMINATED = 0, 1, 130, 143


def entry_point() -> NoReturn:
    """The console script.

    The process ends as soon as its output is flushed: taking the interpreter and its libraries down in order costs an
    eighth of a short command and frees nothing the system would not free. The cycle collector stays off for the same
    reason: what a run allocates in bulk are arrays, which go with their last reference.
    """
    gc.disable()
    # Least squares here are small: threads of the linear algebra cost more than they save.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if sys.stderr is None:  # started with stderr closed; libraries fall back on stdout, which is for data
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    code = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(code)


def main(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code. No exception leaves this function.

    Parameters
    ----------
    arguments : command line without the program's name
    """
    stops = {signal.SIGINT: EXIT_INTERRUPTED, signal.SIGTERM: EXIT_TERMINATED}
    previous = {number: _on_signal(number, _stopper(code)) for number, code in stops.items()}
    try:
        code = _guarded(lambda: _dispatch([_checked(argument) for argument in arguments]))
        flushed = _guarded(_flush)
        return code or flushed
    finally:
        for number, handler in previous.items():
            _on_signal(number, handler)


def _guarded(work: Callable[[], int]) -> int:
    """What ``work`` returns, or the exit code of whatever stopped it, said on stderr."""
    try:
        return work()
    except AiplanError as error:
        _talk(error.render() + "\n")
        return error.exit_code
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else EXIT_OK
        if code == EXIT_INTERRUPTED:
            _talk("interrupted\n")
        return code
    except KeyboardInterrupt:
        _talk("interrupted\n")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return EXIT_BUG
    except Exception as error:
        if isinstance(error, OSError) and error.filename is None and error.errno in _FULL:
            _silence_stdout()
            _talk(OutputError(f"cannot write to stdout: {error.strerror}", code="E213").render() + "\n")
            return OutputError.exit_code
        if os.environ.get("AIPLAN_DEBUG"):
            raise
        _talk(_bug_text(error))
        return EXIT_BUG


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
"""How writing a help text fails; results are written with care of their own."""


def _talk(text: str) -> None:
    from aiplan.report.talk import talk

    talk(text)


def _flush() -> int:
    if sys.stdout is not None:
        sys.stdout.flush()
    return EXIT_OK


def _say(text: str) -> int:
    """Put help or version on stdout."""
    if sys.stdout is None:
        raise OutputError("cannot write to stdout: it is closed", code="E213")
    sys.stdout.write(text)
    return EXIT_OK


def _dispatch(arguments: list[str]) -> int:
    if "_AIPLAN_COMPLETE" in os.environ or arguments[:1] in (["--show-completion"], ["--install-completion"]):
        from aiplan.completion import complete

        return complete(arguments)
    if not arguments or arguments[0] in ("--help", "-h", "help"):
        return _say(overview())
    if arguments[0] == "--version":
        return _say(_version(verbose="--verbose" in arguments))
    for words in (2, 1):
        name = " ".join(arguments[:words])
        if len(arguments) >= words and name in COMMANDS:
            return _run(name, _bare_explain(arguments[words:]))
    group = {name: row for name, row in COMMANDS.items() if name.split(" ")[0] == arguments[0]}
    if group and (len(arguments) == 1 or arguments[1] in ("--help", "-h")):
        return _say(overview(group))
    raise _unknown(arguments, group)


def _run(name: str, arguments: list[str]) -> int:
    """Import the one module that is needed and let Typer parse the rest."""
    from importlib import import_module

    import typer

    row = COMMANDS[name]
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    siblings = [other for other in COMMANDS if other.startswith(name + " ")]
    epilog = f"See also: {', '.join(f'aiplan {other}' for other in siblings)}" if siblings else None
    app.command(name=name, epilog=epilog)(getattr(import_module(row.module), row.function))
    typer.main.get_command(app).main(args=arguments, prog_name=f"aiplan {name}")
    return EXIT_OK


def _bare_explain(arguments: list[str]) -> list[str]:
    """``--explain`` without a line explains all of them; Typer has no options with an optional value."""
    options = arguments.index("--") if "--" in arguments else len(arguments)
    out: list[str] = []
    for number, argument in enumerate(arguments):
        following = arguments[number + 1] if number + 1 < len(arguments) else "-"
        bare = argument == "--explain" and number < options and following.startswith("-")
        out.append("--explain=all" if bare else argument)
    return out


def overview(commands: dict[str, Command] | None = None) -> str:
    """Help of the whole tool, or of one group of commands."""
    table = commands or COMMANDS
    width = max(map(len, table))
    rows = [f"  {name:<{width}}  {row.help}" for name, row in table.items()]
    if commands:
        return "\n".join([f"Usage: aiplan {next(iter(table)).split(' ')[0]} COMMAND", "", "Commands:", *rows, ""])
    intro = [
        "Usage: aiplan COMMAND [SCENARIO] [OPTIONS]",
        "",
        "Plan AI datacenters from tokens to watts to dollars: every number with its source,",
        "every estimate with its error.",
        "",
        "Examples:",
        "  aiplan energy                                   Wh per query of today's models",
        "  aiplan energy oviedo-2026 --format json         the published study, reproduced",
        "",
        "Commands:",
    ]
    return "\n".join([*intro, *rows, "", OPTIONS, "", "`aiplan COMMAND --help` says more.", ""])


def _version(*, verbose: bool) -> str:
    text = f"aiplan {__version__}\n"
    if verbose:
        import platform

        from aiplan.catalog.loader import Catalog

        catalog = Catalog()
        text += f"catalog {catalog.version} {catalog.sha256}\npython {platform.python_version()}\n"
        text += f"platform {platform.platform()}\n"
    return text


def _checked(argument: str) -> str:
    """Refuse control characters before any message can repeat them to the terminal."""
    if not argument.isprintable() and any(not char.isprintable() and char not in "\n\t" for char in argument):
        shown = "".join(char if char.isprintable() else "?" for char in argument)[:80]
        raise InputError(Problem("E114", f"argument '{shown}' holds control characters", hint="remove them"))
    return argument


def _unknown(arguments: list[str], group: dict[str, Command]) -> InputError:
    import difflib

    text = " ".join(arguments[:2]) if group else arguments[0]
    near = difflib.get_close_matches(text[:80], list(group or COMMANDS), n=1, cutoff=0.5)
    hint = f"did you mean `aiplan {near[0]}`?" if near else "see `aiplan --help`"
    return InputError(Problem("E115", f"no command 'aiplan {_safe(text[:80])}'", hint=hint))


def _bug_text(error: Exception) -> str:
    return (
        f"error[E900]: aiplan failed on its own account: {type(error).__name__}: {_safe(str(error))[:300]}\n"
        "help: this is a bug; please report the command and the scenario (AIPLAN_DEBUG=1 shows where)\n"
    )


def _safe(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)


def _stopper(code: int) -> Callable[[int, FrameType | None], NoReturn]:
    """A handler that ends the run with this exit code, through every clean-up on the way out."""

    def stop(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(code)

    return stop


def _on_signal(number: int, handler: object) -> object:
    """Install a handler where that is possible, and the previous one; an ignored signal stays ignored (nohup)."""
    try:
        previous = signal.getsignal(number)
        if previous is not signal.SIG_IGN:
            signal.signal(number, handler)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return None
    return previous


def _silence_stdout() -> None:
    """Point stdout nowhere, so that the interpreter's own flush at exit cannot fail again."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
