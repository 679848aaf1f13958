"""The one sanitiser: what it removes, what it keeps, and that spreadsheets and Markdown see plain text."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiplan.report.sanitize import (
    clean,
    clean_line,
    csv_cell,
    is_safe,
    markdown_cell,
    markdown_text,
    to_ascii,
)

ANY_TEXT = st.lists(
    st.one_of(
        st.characters(exclude_categories=()),
        st.sampled_from(["\x1b[31m", "\x1b]8;;u\x07", "\x1b]0;t", "\x9b1m", "\x1b", "\r\n", "\u202e", "=", "＝", ";"]),
    )
).map("".join)


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("plain text, 100 % + µ – é 漢字", "plain text, 100 % + µ – é 漢字"),
        ("a\x1b[1;31mb\x1b[0mc", "abc"),
        ("a\x1b]0;title\x07b", "ab"),
        ("a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\b", "alinkb"),
        ("a\x1bPpayload\x1b\\b", "ab"),
        ("a\x9b31mb\x9d0;t\x9cc", "abc"),
        ("a\x1bcb", "ab"),
        ("unterminated \x1b]0;stays visible", "unterminated 0;stays visible"),
        ("nul\x00bell\x07back\x08del\x7f", "nulbellbackdel"),
        ("line\r\nline\rline\u2028line", "line\nline\nline\nline"),
        ("tab\tkept\n", "tab\tkept\n"),
        ("a\u202eb\u2066c\u200fd\u061ce", "abcde"),
        ("a\u200bb\u200dc\ufeffd\u00ade\u2060f\U000e0041g", "abcdefg"),
        ("a\u3164b\u115fc\ufe0fd\U000e0100e", "abcde"),
        ("lone \ud800 half", "lone \ufffd half"),
        ("non\ufffechar", "non\ufffdchar"),
    ],
)
def test_clean(raw: str, kept: str) -> None:
    assert clean(raw) == kept


@given(ANY_TEXT)
def test_clean_leaves_nothing_unsafe_and_is_idempotent(text: str) -> None:
    cleaned = clean(text)
    assert all(is_safe(character) for character in cleaned)
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs") for c in cleaned if c not in "\n\t")
    assert clean(cleaned) == cleaned
    cleaned.encode("utf-8")


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_printable_ascii_is_never_changed(text: str) -> None:
    assert clean(text) == text
    assert to_ascii(text) == text


@given(ANY_TEXT)
def test_one_line_and_ascii(text: str) -> None:
    line = clean_line(text)
    assert not set(line) & set("\n\t\r")
    plain = to_ascii(line)
    assert plain.isascii()
    assert plain.isprintable()


@pytest.mark.parametrize("opener", ["\x1b]", "\x9d", "\x1b[", "\x9b", "\x1bP", "\x1b"])
def test_openers_that_never_close_take_linear_time(opener: str) -> None:
    hostile = opener * 200_000
    start = time.process_time()
    clean(hostile)
    assert time.process_time() - start < 5  # quadratic would take minutes


def test_ascii_spelling() -> None:
    assert (
        to_ascii("0.16 – 0.61 µs, 8 × H100, ≤ 30 °C, Zürich, 漢") == "0.16 - 0.61 us, 8 x H100, <= 30 deg C, Zurich, ?"
    )


def formulas() -> list[str]:
    """More than a hundred ways to start a formula."""
    leads = [
        "=",
        "+",
        "-",
        "@",
        "＝",
        "＋",
        "－",
        "＠",
        "﹦",
        "﹢",
        "﹣",
        "﹫",
        "\u2212",
        "\t=",
        "\r=",
        "\0=",
        "\u200b=",
        "\x1b[1m=",
    ]
    spaces = ["", " ", "   ", "\u00a0", "\u3000", '"']
    bodies = ["1+1", "cmd|' /C calc'!A0"]
    return [space + lead + body for space in spaces for lead in leads for body in bodies]


def test_no_formula_survives() -> None:
    cases = formulas()
    assert len(cases) >= 100
    for text in cases:
        assert csv_cell(text).startswith("'"), ascii(text)


@pytest.mark.parametrize("lead", ["\t", "\r", "\0", "\n"])
def test_a_leading_control_is_marked_even_if_harmless(lead: str) -> None:
    assert csv_cell(lead + "x").startswith("'")


def test_a_formula_behind_a_semicolon_is_defused() -> None:
    assert csv_cell("a;=1+1; +2;b") == "a;'=1+1;' +2;b"
    assert csv_cell("ember-2025;scenario.toml:14") == "ember-2025;scenario.toml:14"


@given(ANY_TEXT)
def test_csv_cells_never_start_with_a_formula(text: str) -> None:
    lead = unicodedata.normalize("NFKC", csv_cell(text).lstrip()).lstrip()
    assert lead[:1] not in tuple("=+-@\t\r\0")


def test_ordinary_text_is_not_marked() -> None:
    for text in ("H100", "8 x H100 = one node", "2 - 3", "a@b", "'quoted'"):
        assert csv_cell(text) == text


@pytest.mark.parametrize(
    ("raw", "escaped"),
    [
        ("a|b", r"a\|b"),
        ("a\nb", "a b"),
        ("<script>", "&lt;script&gt;"),
        ("&lt;", "&amp;lt;"),
        ("`x`", r"\`x\`"),
        ("[x](y)", r"\[x\](y)"),
        ("**b** and _i_", r"\*\*b\*\* and \_i\_"),
        ("energy_per_query_wh", "energy_per_query_wh"),
        ("~~gone~~ ~5", r"\~\~gone\~\~ ~5"),
        ("back\\slash|", r"back\\slash\|"),
    ],
)
def test_markdown_cells(raw: str, escaped: str) -> None:
    assert markdown_cell(raw) == escaped


@pytest.mark.parametrize(
    ("raw", "escaped"),
    [
        ("# h", r"\# h"),
        ("- item", r"\- item"),
        ("+ item", r"\+ item"),
        ("12) x", r"12\) x"),
        ("=== ", r"\==="),
        ("a # b", "a # b"),
    ],
)
def test_markdown_line_starts(raw: str, escaped: str) -> None:
    assert markdown_text(raw) == escaped
