"""Make foreign text safe to print: one sanitiser before every terminal, spreadsheet and Markdown viewer.

Labels come from scenario and catalog files, which are hostile input: a name may carry an escape sequence that
retitles the terminal, a bidi control that reorders what is read, or a formula that a spreadsheet would run.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import chain

_ESCAPE_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    # OSC, DCS, SOS, PM and APC carry a payload up to BEL or ST; the payload class stops at any other control
    # introducer, so that the search stays linear on a row of openers that never close.
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x80-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)

# Blank or zero-width characters that Unicode does not class as format controls.
_INVISIBLE = frozenset(
    chain(
        (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0),
        range(0x180B, 0x1810),
        range(0xFE00, 0xFE10),
        range(0xE0100, 0xE01F0),
    )
)

_ASCII = str.maketrans(
    {
        "–": "-",
        "—": "-",
        "−": "-",
        "×": "x",
        "·": "-",
        "•": "-",
        "µ": "u",
        "μ": "u",
        "°": "deg ",
        "≤": "<=",
        "≥": ">=",
        "≈": "~",
        "±": "+-",
        "→": "->",
        "…": "...",
        "’": "'",
        "‘": "'",
        "“": '"',
        "”": '"',
        "─": "-",
        "━": "=",
        "€": "EUR",
        "ß": "ss",
        "ø": "o",
        "Ø": "O",
        "æ": "ae",
    }
)

_FORMULA_LEADS = frozenset("=+-@\u2212")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_AFTER_SEMICOLON = re.compile(r";(?=[\s\"']*[=+\-@＝＋－＠\u2212])")
_MARKDOWN_SPECIAL = re.compile(r"([\\`*|\[\]]|(?<!\w)_|_(?!\w)|~(?=~)|(?<=~)~)")
_MARKDOWN_LINE_START = re.compile(r"^(\s*)([#+=\-]|\d{1,9}(?=[.)]))")


def _safe_character(character: str) -> str:
    """The character itself, or what stands for it: nothing, a line break or the replacement character."""
    code = ord(character)
    category = unicodedata.category(character)
    if category in ("Zl", "Zp"):
        return "\n"
    if category == "Cs" or code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF:
        return "\ufffd"
    if (category in ("Cc", "Cf") and character not in "\n\t") or code in _INVISIBLE:
        return ""
    return character


def is_safe(character: str) -> bool:
    """Whether ``clean`` would leave this character as it is."""
    return _safe_character(character) == character


def clean(text: str) -> str:
    r"""Text without anything a terminal or a reader's eye could be fooled by.

    Removes escape sequences with their payload, control characters other than newline and tab, bidi and other
    format controls, zero-width and invisible characters; lone surrogates and non-characters become U+FFFD and
    every kind of line end becomes ``\n``. Applying it twice changes nothing.

    >>> clean("H100\x1b]0;owned\x07 \x1b[31mSXM\x1b[0m\u202e")
    'H100 SXM'
    """
    if text.isascii() and text.isprintable():
        return text
    text = _ESCAPE_SEQUENCES.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "".join(map(_safe_character, text))


def clean_line(text: str) -> str:
    """``clean`` with line breaks and tabs as spaces, for anything that must stay on one line."""
    return clean(text).replace("\n", " ").replace("\t", " ")


def to_ascii(text: str) -> str:
    """Nearest ASCII spelling, for terminals that are not UTF-8; what has none becomes a question mark.

    >>> to_ascii("0.16 – 0.61 µs × 3 café")
    '0.16 - 0.61 us x 3 cafe'
    """
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFKD", text.translate(_ASCII))
    plain = "".join(character for character in decomposed if not unicodedata.combining(character))
    return plain.translate(_ASCII).encode("ascii", "replace").decode("ascii")


def csv_cell(text: str) -> str:
    """One line of text that no spreadsheet takes for a formula; a number, such as ``-3.5``, stays as it is.

    A leading apostrophe is put before ``= + - @``, tab, carriage return and NUL, also in full-width or small
    form and after leading spaces. The same is done behind a semicolon, which spreadsheets in half of Europe
    read as the field separator.

    >>> csv_cell("=1+1"), csv_cell("  ＠SUM(A1)"), csv_cell("a;=1"), csv_cell("H100")
    ("'=1+1", "'  ＠SUM(A1)", "a;'=1", 'H100')
    """
    if _NUMBER.fullmatch(text):
        return text
    line = _AFTER_SEMICOLON.sub(";'", clean_line(text))
    lead = unicodedata.normalize("NFKC", line.lstrip(' \u00a0\u3000"')[:1]).lstrip()
    if text[:1] in ("\t", "\r", "\n", "\0") or lead[:1] in _FORMULA_LEADS - {""}:
        return "'" + line
    return line


def markdown_cell(text: str) -> str:
    r"""One line shown literally inside a Markdown table: no column break, code, link, emphasis or HTML.

    >>> markdown_cell("a|b <b>[x](y)</b> power_w")
    'a\\|b &lt;b&gt;\\[x\\](y)&lt;/b&gt; power_w'
    """
    line = clean_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN_SPECIAL.sub(r"\\\1", line)


def markdown_text(text: str) -> str:
    r"""``markdown_cell`` for a paragraph or a list item, where a heading or list mark could start the line.

    >>> markdown_text("# not a heading"), markdown_text("1. not a list")
    ('\\# not a heading', '1\\. not a list')
    """
    line = markdown_cell(text).strip()
    start = _MARKDOWN_LINE_START.match(line)
    if start is None:
        return line
    mark = start.group(2)
    escaped = mark + "\\" if mark.isdigit() else "\\" + mark
    return escaped + line[start.end() :]
