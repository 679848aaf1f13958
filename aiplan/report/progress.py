"""A progress bar for what takes long: on a terminal only, and only past a second."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

SLOW_S = 1.0
"""Time after which a bar is worth showing [s]."""


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr for the time of a ``with`` block.

    Parameters
    ----------
    what : is counted

    Gives a function of how many are done and how many there are, 0 where nobody knows.
    """
    from time import monotonic

    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    began, bar = monotonic(), list[Any]()

    def show(done: int, total: int) -> None:
        if not bar:
            if monotonic() - began < SLOW_S:
                return
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            columns = (TextColumn(what), BarColumn(), MofNCompleteColumn())
            progress = Progress(*columns, console=Console(file=sys.stderr), transient=True)
            progress.start()
            bar.extend((progress, progress.add_task(what, total=total or None)))
        bar[0].update(bar[1], completed=done)

    try:
        yield show
    finally:
        if bar:
            bar[0].stop()
