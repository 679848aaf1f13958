"""Columns and paragraphs on a page of given width: which columns fit, where text wraps, what is never cut.

Drawing is rich's, imported when a page is opened; all data reaches it as ``Text``, never as markup.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiplan.report.sanitize import clean_line, to_ascii
from aiplan.report.terminal import DEFAULT_WIDTH, Terminal, is_unicode

if TYPE_CHECKING:
    from rich.text import Text

NARROWEST = 40
Piece = str | tuple[str, str]
"""Text, or text with a style."""
READABLE = 100
"""Paragraphs stop here, however wide the terminal: longer lines are hard to read."""
WIDEST_LABEL = 36
GAP = 2
EASY_MIN, SOFT_MIN, HARD_MIN = 30, 22, 12
"""How far text wraps: for a decoration, before a column is dropped, and when nothing else helps."""
DECORATION = 9
"""From this rank on a column is dropped rather than have text wrap narrower than EASY_MIN."""
UNLIMITED = 1_000_000


@dataclass(slots=True)
class Column:
    """A column to draw.

    Attributes
    ----------
    head, sub : heading and the quieter line below it (a unit)
    cells : text of each row
    right : numbers are aligned right and never wrapped
    rank : 0 is never dropped; of the others the highest is dropped first
    style, cell_styles : one style for all cells, or one for each
    """

    head: str
    cells: list[str]
    sub: str = ""
    right: bool = False
    rank: int = 0
    style: str = ""
    cell_styles: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Width:
    """Widths in terminal cells: heading on one line, heading wrapped, text wrapped as well."""

    natural: int
    tight: int
    least: int


def _measure(column: Column) -> _Width:
    from rich.cells import cell_len

    body = max(map(cell_len, column.cells), default=0)
    head = max(cell_len(column.head), cell_len(column.sub))
    word = max(map(cell_len, f"{column.head} {column.sub}".split()), default=0)
    tight = max(body, word)
    return _Width(max(body, head), tight, tight if column.right else word)


def _spread(widths: list[_Width], low: list[int], room: int) -> list[int]:
    """Widen columns from ``low`` towards their natural width, the narrowest first, until ``room`` is used."""
    result = list(low)
    spare = room - sum(result)
    for index in sorted(range(len(widths)), key=lambda i: widths[i].natural - low[i]):
        step = min(spare, widths[index].natural - result[index])
        result[index] += max(step, 0)
        spare -= max(step, 0)
    return result


def fit(columns: Sequence[Column], width: int | None) -> tuple[list[tuple[Column, int]], list[Column]]:
    """Choose columns and their widths for a page; also returns the columns there was no room for.

    Headings wrap first, then text, then the columns of highest rank are dropped, then text wraps tighter.
    Numbers are never cut: what still does not fit makes the table wider than the page.
    """
    kept = list(columns)
    dropped: list[Column] = []
    while True:
        widths = [_measure(column) for column in kept]
        room = UNLIMITED if width is None else width - GAP * (len(kept) - 1)
        worst = max(range(len(kept)), key=lambda i: (kept[i].rank, i))
        rank = kept[worst].rank
        steps = [EASY_MIN] if rank >= DECORATION else [SOFT_MIN] if rank else [SOFT_MIN, HARD_MIN]
        lows = [
            [w.tight for w in widths],
            *([max(w.least, min(w.tight, step)) for w in widths] for step in steps),
        ]
        for low in lows:
            if sum(low) <= room or (rank == 0 and low is lows[-1]):
                return list(zip(kept, _spread(widths, low, room), strict=True)), dropped
        dropped.insert(0, kept.pop(worst))


class Page:
    """Text collected block by block for one output; ``text()`` hands it over."""

    def __init__(self, terminal: Terminal) -> None:
        from rich.console import Console

        self.unicode = is_unicode(terminal.encoding)
        self.is_terminal = terminal.is_terminal
        self.width = max(terminal.width or DEFAULT_WIDTH, NARROWEST) if terminal.is_terminal else None
        self._color = terminal.color
        self._buffer = io.StringIO()
        # An empty environment: the caller has already judged COLUMNS, NO_COLOR and their like.
        self._console = Console(
            file=self._buffer,
            width=UNLIMITED,
            height=25,
            color_system="standard" if terminal.color else None,
            force_terminal=terminal.color,
            no_color=not terminal.color,
            legacy_windows=False,
            markup=False,
            emoji=False,
            highlight=False,
            _environ={},
        )

    def plain(self, text: str) -> str:
        """Foreign or own text as this page can show it, on one line."""
        line = clean_line(text)
        return line if self.unicode else to_ascii(line)

    @property
    def dash(self) -> str:
        """Between the ends of a range."""
        return "–" if self.unicode else "-"

    @property
    def dot(self) -> str:
        """Between short pieces, and before list items."""
        return "·" if self.unicode else "-"

    def _emit(self, line: Text) -> None:
        line.rstrip()
        if self._color:
            self._console.print(line, soft_wrap=True)
        else:
            self._buffer.write(line.plain + "\n")

    def blank(self) -> None:
        """An empty line."""
        self._buffer.write("\n")

    def paragraph(self, *pieces: Piece, lead: Piece = "", hang: int = 0) -> None:
        """Wrapped text, pieces with or without a style; ``lead`` stands in the margin of ``hang`` cells."""
        from rich.text import Text

        body, margin = Text(), Text()
        for target, piece in [(margin, lead), *((body, piece) for piece in pieces)]:
            words, style = (piece, "") if isinstance(piece, str) else piece
            target.append(self.plain(words), style or None)
        margin.pad_right(max(hang - margin.cell_len, 1 if margin else 0))
        limit = UNLIMITED if self.width is None else min(self.width, READABLE)
        for line in body.wrap(self._console, max(limit - margin.cell_len, HARD_MIN)):
            self._emit(margin + line)
            margin = Text(" " * hang)

    def drawing(self, lines: Sequence[Sequence[tuple[str, str]]]) -> None:
        """Lines of styled text as they are: whoever drew them has kept to the width and to the character set."""
        from rich.text import Text

        for line in lines:
            self._emit(Text.assemble(*line))

    def pairs(self, pairs: Sequence[tuple[str, str]], style: str = "dim") -> None:
        """A compact block of labels and texts, the texts aligned."""
        from rich.cells import cell_len

        widest = max((cell_len(self.plain(label)) for label, _ in pairs), default=0)
        hang = min(widest, WIDEST_LABEL, (self.width or READABLE) // 2) + GAP
        for label, text in pairs:
            self.paragraph(text, lead=(label, style), hang=hang)

    def items(self, items: Sequence[str], style: str = "dim") -> None:
        """Short pieces with dots between them; a line breaks only between pieces."""
        from rich.cells import cell_len

        limit = UNLIMITED if self.width is None else min(self.width, READABLE)
        line = ""
        for item in map(self.plain, items):
            longer = f"{line} {self.dot} {item}" if line else item
            if line and cell_len(longer) > limit:
                self.paragraph((line, style))
                longer = item
            line = longer
        self.paragraph((line, style))

    def table(self, columns: Sequence[Column]) -> list[Column]:
        """Draw columns under a light rule; returns those there was no room for."""
        from rich.text import Text

        for column in columns:
            column.cells = [self.plain(cell) for cell in column.cells]
            column.head, column.sub = self.plain(column.head), self.plain(column.sub)
        placed, dropped = fit(columns, self.width)
        self._row(placed, self._heads(placed))
        total = sum(width for _, width in placed) + GAP * (len(placed) - 1)
        self._emit(Text(("─" if self.unicode else "-") * total, "dim"))
        for row in range(max((len(column.cells) for column, _ in placed), default=0)):
            self._row(placed, [self._wrapped(column, width, row) for column, width in placed])
        return dropped

    def _heads(self, placed: Sequence[tuple[Column, int]]) -> list[list[Text]]:
        """Headings standing on the rule: the quiet line always last, empty lines above a short one."""
        from rich.text import Text

        with_sub = any(column.sub for column, _ in placed)
        heads = []
        for column, width in placed:
            lines = list(Text(column.head, "bold").wrap(self._console, width))
            if with_sub:
                lines += Text(column.sub, "dim").wrap(self._console, width)
            heads.append(lines)
        height = max(map(len, heads), default=0)
        return [[Text()] * (height - len(lines)) + lines for lines in heads]

    def _wrapped(self, column: Column, width: int, row: int) -> list[Text]:
        """Lines of one cell; a number is one line whatever its width."""
        from rich.text import Text

        style = column.cell_styles[row] if column.cell_styles else column.style
        text = Text(column.cells[row], style)
        return [text] if column.right or text.cell_len <= width else list(text.wrap(self._console, width))

    def _row(self, placed: Sequence[tuple[Column, int]], cells: Sequence[list[Text]]) -> None:
        from rich.text import Text

        for index in range(max(map(len, cells), default=0)):
            line = Text()
            for (column, width), lines in zip(placed, cells, strict=True):
                piece = lines[index].copy() if index < len(lines) else Text()
                padding = " " * max(width - piece.cell_len, 0)
                line = line + " " * (GAP if line else 0)
                line = line + padding + piece if column.right else line + piece + padding
            self._emit(line)

    def text(self) -> str:
        """Everything drawn so far."""
        return self._buffer.getvalue()
