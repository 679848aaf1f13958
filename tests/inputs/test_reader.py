"""The guarded reader: every guard with its code, at its limit, and nothing refused that is fine.

Limits: engineering reference, section 6.2. Hostile files by the dozen are in tests/hostile.
"""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.errors import MAX_PROBLEMS_SHOWN, InputError, Problem
from aiplan.inputs import reader
from aiplan.inputs.reader import Document, bad_text, parse_toml, printable, quote, read_bytes, read_toml
from tests.hostile.toml_writer import dumps


def parse(text: str | bytes) -> Document:
    return parse_toml(text.encode() if isinstance(text, str) else text, "a.toml")


def refusal(text: str | bytes) -> list[Problem]:
    with pytest.raises(InputError) as caught:
        parse(text)
    assert caught.value.exit_code == 2
    return caught.value.problems


def test_what_is_read_is_what_tomli_reads() -> None:
    text = 'a = 1\n[b."c.d"]\ne = [1.5, "x"] # c\n[[f]]\ng = 2026-01-01\n'
    document = parse(text)
    assert document.data == tomli.loads(text)
    assert (document.name, document.text, document.path, document.notes) == ("a.toml", text, None, ())


@pytest.mark.parametrize("depth", [32, 33])
def test_depth(depth: int) -> None:
    text = "a = " + "[" * depth + "]" * depth
    if depth <= reader.MAX_DEPTH:
        assert parse(text).data
    else:
        assert [(p.code, p.line, p.column) for p in refusal(text)] == [("E005", 1, 4 + depth)]


@pytest.mark.parametrize("quoted", [False, True])
@pytest.mark.parametrize("parts", [16, 17])
def test_key_parts(parts: int, quoted: bool) -> None:
    key = ".".join((f'"k {i}"' if quoted else f"k{i}") for i in range(parts))
    for text in (f"x = 1\n{key} = 1", f"x = 1\n[{key}]"):
        if parts <= reader.MAX_KEY_PARTS:
            assert parse(text).data["x"] == 1
        else:
            (problem,) = refusal(text)
            assert (problem.code, problem.line) == ("E005", 2)


@pytest.mark.parametrize("digits", [400, 401])
def test_digits(digits: int) -> None:
    for number in ("0." + "1" * digits, "-0." + "1" * digits, "0x" + "0" * (digits - 1) + "f"):
        if digits <= reader.MAX_DIGITS:
            assert parse(f"a = {number}").data
        else:
            assert refusal(f"a = {number}")[0].code == "E005"


def test_long_strings_and_words_are_no_numbers() -> None:
    """A text of digits, a long text, a long comment, a long key: none is a number or a nested structure."""
    for value in ("1" * 5000, "x" * 5000, "_" * 5000, "[" * 5000, "a." * 5000, ("'" + '\\"') * 1000):
        assert parse(f'a = "{value}"').data
        assert parse(f"# {value}\nb = 1").data == {"b": 1}
        assert parse(f"a = '''{value.replace(chr(39), '')}'''").data
        assert parse(f'a = """{value}"""').data
    assert parse("k" * 300 + " = 1").data


def test_lines_keys_and_items() -> None:
    assert parse("\n" * (reader.MAX_LINES - 1)).data == {}
    assert refusal("\n" * reader.MAX_LINES)[0].code == "E005"
    keys = "\n".join(f"k{i} = 1" for i in range(reader.MAX_KEYS))
    assert len(parse(keys).data) == reader.MAX_KEYS
    assert refusal(keys + "\nlast = 1")[0].code == "E005"
    assert len(parse("a = [" + "1," * reader.MAX_ITEMS + "]").data["a"]) == reader.MAX_ITEMS
    assert refusal("a = [" + "1," * (reader.MAX_ITEMS + 1) + "]")[0].code == "E005"


def test_several_guards_are_reported_together() -> None:
    text = "a = " + "[" * 40 + "\n" + ".".join("k" * 17) + " = 1\nb = " + "9" * 500
    assert [(p.code, p.line) for p in refusal(text)] == [("E005", 1), ("E005", 2), ("E005", 3)]


def test_byte_order_mark_is_dropped_with_a_note() -> None:
    document = parse(b"\xef\xbb\xbfa = 1")
    assert document.data == {"a": 1}
    assert document.text == "a = 1"
    assert "byte-order mark" in document.notes[0]


@pytest.mark.parametrize(
    ("raw", "line", "column"),
    [(b"\xff", 1, 1), (b"a = 1\nb = '\xff'", 2, 6), ("é = 'é".encode() + b"\xe9'", 1, 7), (b"\n\n\xc3", 3, 1)],
)
def test_not_utf8(raw: bytes, line: int, column: int) -> None:
    assert [(p.code, p.line, p.column) for p in refusal(raw)] == [("E003", line, column)]


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [("a = 1\nb 2", 2, 3), ("a = 1\na = 2", 2, 6), ("[a\nb = 1", 1, 3), ("a = 1\x00", 1, 6), ("a = 1\rb", 1, 6),
     ("a = ", 1, 5), ("\na = [1,", 2, 8)],
)  # fmt: skip
def test_syntax_errors_have_their_place(text: str, line: int, column: int) -> None:
    (problem,) = refusal(text)
    assert (problem.code, problem.line, problem.column) == ("E004", line, column)
    assert problem.message.startswith("TOML syntax: ")


@pytest.mark.parametrize("value", ["nan", "-nan", "inf", "-inf", "1e400", "9" * 20, "0xffffffffffffffffff"])
def test_numbers_no_planner_can_use(value: str) -> None:
    (problem,) = refusal(f"[a]\nb = [1, {value}]")
    assert (problem.code, problem.path, problem.line) == ("E006", "a.b[1]", 2)


def test_numbers_at_the_limit() -> None:
    limit = 2**63
    assert parse(f"a = {limit}\nb = -{limit}\nc = 1e308").data == {"a": limit, "b": -limit, "c": 1e308}
    assert refusal(f"a = {limit + 1}")[0].code == "E006"


@pytest.mark.parametrize("char", ["\u0000", "\u001b", "\u007f", "\u009b", "\u202e", "\u2066", "\u200f", "\u061c"])
def test_characters_no_text_may_hold(char: str) -> None:
    escape = f"\\u{ord(char):04x}"
    (problem,) = refusal(f'[a]\nb = ["ok", "x{escape}y"]')
    assert (problem.code, problem.path, problem.line) == ("E006", "a.b[1]", 2)
    assert f"U+{ord(char):04X}" in problem.message
    (problem,) = refusal(f'[a]\n"x{escape}y" = 1')
    assert (problem.code, problem.path, problem.line) == ("E006", 'a."x y"', 2)
    assert char not in problem.render()
    assert refusal(f'"{escape}" = 1')[0].line == 1


def test_ordinary_text_may_enter() -> None:
    for text in ("µ × ½ – “quoted”", "naïve café", "日本語 عربي", "a\tb\nc", "👩‍🔬", "[red]", "=1+1"):
        assert bad_text(text) == ""
    assert "U+D800" in bad_text("\ud800")


def test_all_bad_values_are_reported_in_order() -> None:
    found = refusal('a = nan\n[b]\nc = [inf, "\\u0000"]\n[[d]]\ne = -inf\n[[d]]\ne = 1e999\n')
    places = [(problem.path, problem.line) for problem in found]
    assert places == [("a", 1), ("b.c[0]", 3), ("b.c[1]", 3), ("d[0].e", 5), ("d[1].e", 7)]


def test_only_so_many_are_shown_and_the_rest_counted() -> None:
    with pytest.raises(InputError) as caught:
        parse("a = [" + "nan," * 1000 + "]")
    assert len(caught.value.problems) == MAX_PROBLEMS_SHOWN
    assert caught.value.more == 1000 - MAX_PROBLEMS_SHOWN
    assert "... and 950 more problems" in caught.value.render()
    assert caught.value.render().endswith("1,000 problems found")


def test_too_many_tables() -> None:
    text = "\n".join(f"[t{i}.{'.'.join('abcdefgh')}]" for i in range(3000))
    (problem,) = refusal(text)
    assert (problem.code, problem.message) == ("E006", "has 27,000 keys, more than 20,000")


# Files.


def code_of(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_toml(path)
    (problem,) = caught.value.problems
    assert problem.file == str(path)
    assert problem.hint
    return problem.code


def test_a_regular_file(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("a = 1")
    assert read_toml(path).data == {"a": 1}
    assert read_toml(path).path == path
    assert read_toml(path, "shown").name == "shown"
    link = tmp_path / "link.toml"
    link.symlink_to(path)
    assert read_toml(link).data == {"a": 1}


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    fifo, loop, dangling = tmp_path / "fifo", tmp_path / "loop", tmp_path / "dangling"
    os.mkfifo(fifo)
    loop.symlink_to(loop)
    dangling.symlink_to(tmp_path / "nowhere")
    to_device = tmp_path / "device"
    to_device.symlink_to("/dev/zero")
    assert code_of(fifo) == "E008"  # and does not wait for somebody to write
    assert code_of(tmp_path) == "E008"
    assert code_of(Path("/dev/zero")) == "E008"
    assert code_of(to_device) == "E008"
    assert code_of(loop) == "E007"
    assert code_of(dangling) == "E001"
    assert code_of(tmp_path / "missing") == "E001"
    assert code_of(tmp_path / ("x" * 300)) == "E007"


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that opens and cannot be read")
def test_a_file_that_opens_and_cannot_be_read() -> None:
    assert code_of(Path("/proc/self/mem")) == "E007"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "secret.toml"
    path.write_text("a = 1")
    path.chmod(0)
    assert code_of(path) == "E007"


def test_a_socket(tmp_path: Path) -> None:
    import socket

    with tempfile.TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX) as server:
        path = Path(folder) / "s"
        server.bind(str(path))
        assert code_of(path) == "E007"


def test_size(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"#" * reader.MAX_BYTES)
    assert read_toml(path).data == {}
    path.write_bytes(b"#" * (reader.MAX_BYTES + 1))
    assert code_of(path) == "E002"
    assert read_bytes(path, "x", limit=2 * reader.MAX_BYTES) == b"#" * (reader.MAX_BYTES + 1)


@pytest.mark.skipif(not Path("/proc/kallsyms").exists(), reason="needs a file whose size is stated as zero")
def test_size_is_what_is_read_not_what_is_stated() -> None:
    with pytest.raises(InputError) as caught:
        read_bytes(Path("/proc/kallsyms"), "x", limit=100)
    assert caught.value.code == "E002"


# Quoting.


def test_a_long_line_is_quoted_around_the_place() -> None:
    line = "a" * 1000 + "!" + "b" * 1000
    text, offset = quote(line, 1001)
    assert len(text) <= 160
    assert text[1000 - offset] == "!"
    problem = Problem("E006", "bad", "", "f", 1, 1001, text, 1, "", offset)
    quoted, carets = problem.render().splitlines()[2:4]
    assert quoted[carets.index("^")] == "!"


def test_nothing_unprintable_is_quoted() -> None:
    assert printable("a\x1b[31m\u202e\u200b\u2028b\tc\ud800") == "a [31m   b c "
    assert printable("µ × 日本") == "µ × 日本"


SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.integers(-(2**63), 2**63), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.text(max_size=5)
)
TREES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.dictionaries(st.text(max_size=4), TREES, max_size=4))
def test_either_read_exactly_or_refused_for_its_characters(data: dict[str, Any]) -> None:
    text = dumps(data)
    meant = tomli.loads(text)
    if any(bad_text(char) for char in texts_of(meant)):
        assert {problem.code for problem in refusal(text)} == {"E006"}
    else:
        assert parse(text).data == meant


def texts_of(value: Any) -> str:
    """Every text of a document, keys included."""
    if isinstance(value, dict):
        return "".join(key + texts_of(child) for key, child in value.items())
    if isinstance(value, list):
        return "".join(map(texts_of, value))
    return value if isinstance(value, str) else ""


def test_guards_are_the_documented_ones() -> None:
    assert (reader.MAX_BYTES, reader.MAX_DEPTH, reader.MAX_KEY_PARTS) == (1 << 20, 32, 16)
    assert (reader.MAX_DIGITS, reader.MAX_LINES, reader.MAX_KEYS) == (400, 50_000, 20_000)
    assert math.isinf(float("1e400"))
