"""Hostile files that are better made than stored: too large, too deep, or no text at all.

Each entry is the bytes of the file and the code it must be refused with. The first block is section 6.1 of the
engineering reference, the rest are inputs that make a careless reader take quadratic time.
"""

from __future__ import annotations

MIB = 1 << 20
HEAD = b'[scenario]\nname = "hostile"\nbase = "frontier-chat"\n'


def _repeat(unit: bytes, before: bytes = b"", after: bytes = b"", size: int = MIB) -> bytes:
    """As many units as fit a file of this size."""
    return before + unit * ((size - len(before) - len(after)) // len(unit)) + after


DEEP: dict[str, tuple[bytes, str]] = {
    "array_1000_deep": (b"a = " + b"[" * 1000 + b"]" * 1000, "E005"),
    "array_100000_deep": (b"a = " + b"[" * 100_000, "E005"),
    "array_33_deep": (b"a = " + b"[" * 33 + b"]" * 33, "E005"),
    "inline_tables_1000_deep": (b"a = " + b"{b=" * 1000 + b"1" + b"}" * 1000, "E005"),
    "dotted_key_17_parts": (b".".join([b"a"] * 17) + b" = 1", "E005"),
    "dotted_key_1000_parts": (b".".join([b"a"] * 1000) + b" = 1", "E005"),
    "dotted_key_10000_parts": (b" . ".join([b"a"] * 10_000) + b" = 1", "E005"),
    "dotted_quoted_key": (b".".join([b'"a.b"', b"'c'"] * 9) + b" = 1", "E005"),
    "header_3000_parts": (b"[" + b".".join([b"a"] * 3000) + b"]", "E005"),
    "headers_300_by_300": (b"\n".join(b"[" + b".".join([b"t%d" % i] * 300) + b"]" for i in range(300)), "E005"),
    "nested_behind_five_quotes": (b'a = ["""x"""", ' + b"[" * 40 + b"]" * 40 + b', "y"]', "E005"),
    "integer_401_digits": (b"a = " + b"9" * 401, "E005"),
    "integer_5000_digits": (b"a = " + b"9" * 5000, "E005"),
    "float_5000_digits": (b"a = 0." + b"9" * 5000, "E005"),
    "underscored_digits": (b"a = 1" + b"_1" * 3000, "E005"),
    "too_many_lines": (b"\n" * 50_001, "E005"),
    "too_many_keys": (b"\n".join(b"k%d = 1" % i for i in range(20_001)), "E005"),
    "too_many_inline_keys": (b"a = {" + b", ".join(b"k%d = 1" % i for i in range(20_001)) + b"}", "E005"),
    "too_many_items": (b"a = [" + b"1," * 50_001 + b"]", "E005"),
    "too_many_tables": (b"\n".join(b"[t%d.%s]" % (i, b".".join([b"x"] * 14)) for i in range(3500)), "E006"),
}

BINARY: dict[str, tuple[bytes, str]] = {
    "ten_megabytes": (b'a = "' + b"x" * (10 * MIB) + b'"', "E002"),
    "one_byte_too_many": (HEAD + b"#" * (MIB - len(HEAD) + 1), "E002"),
    "not_utf8": (HEAD + b'title = "caf\xe9"', "E003"),
    "utf16": ('[scenario]\nname = "x"'.encode("utf-16"), "E003"),
    "overlong_utf8": (b'a = "\xc0\xaf"', "E003"),
    "surrogate_in_utf8": (b'a = "\xed\xa0\x80"', "E003"),
    "random_bytes": (bytes(range(256)) * 16, "E003"),
    "gzip": (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", "E003"),
    "elf": (b"\x7fELF\x02\x01\x01\x00\x00\x00", "E004"),
    "nul": (b"a = 1\x00", "E004"),
    "nul_in_key": (b"a\x00b = 1", "E004"),
    "only_nuls": (b"\x00" * 4096, "E004"),
    "lone_carriage_return": (b"a = 1\rb = 2", "E004"),
    "escape_character": (b'a = "\x1b[31m"', "E004"),
    "delete_character": (b'a = "\x7f"', "E004"),
    "duplicate_key": (b"a = 1\na = 2", "E004"),
    "two_byte_order_marks": (b"\xef\xbb\xbf\xef\xbb\xbfa = 1", "E004"),
    "number_1e400": (b"a = 1e400", "E006"),
    "nan": (b"a = nan", "E006"),
    "hexadecimal_of_megabyte": (_repeat(b"f", b"a = 0x"), "E005"),
    "direction_override": ('a = "\u202e"'.encode(), "E006"),
    "escaped_surrogate": (b'a = "\\ud800"', "E004"),
    "c1_control": ('a = "\u0085\u009b31m"'.encode(), "E006"),
}

SLOW: dict[str, tuple[bytes, str]] = {
    "string": (_repeat(b"x", HEAD + b'title = "', b'"\n'), "E102"),
    "open_string_of_escapes": (_repeat(b'\\"', b'a = "'), "E004"),
    "open_long_string": (_repeat(b'\\"""', b'a = """'), "E004"),
    "long_strings": (_repeat(b'"""\\"', b"a = "), "E004"),
    "long_literal_strings": (_repeat(b"'''\\'", b"a = "), "E004"),
    "quotes": (_repeat(b'"'), "E004"),
    "apostrophes": (_repeat(b"'"), "E004"),
    "open_strings_on_lines": (_repeat(b'"x ' + b" " * 30 + b"\n"), "E004"),
    "word": (_repeat(b"a"), "E004"),
    "digits": (_repeat(b"1"), "E005"),
    "runs_of_400_digits": (_repeat(b"1" * 400 + b" "), "E004"),
    "blanks": (_repeat(b" ", b"a ."), "E004"),
    "dots_and_blanks": (_repeat(b"a   .  "), "E005"),
    "keys_of_16_parts": (_repeat(b".".join([b"ab"] * 16) + b" "), "E005"),
    "brackets": (_repeat(b"["), "E005"),
    "closing_brackets": (_repeat(b"]"), "E004"),
    "empty_arrays": (_repeat(b"[],", b"a = [", b"]"), "E005"),
    "array_of_nan": (_repeat(b"nan,    \n  ", b"a = [", b"]", 500_000), "E006"),
    "escaped_controls": (_repeat(b"\\u0001", b'a = "', b'"'), "E006"),
    "bad_keys": (b"\n".join(b'"\\u0001%d" = 1' % i for i in range(19_000)), "E006"),
    "unknown_keys": (HEAD + b"\n".join(b"unknown_key_number_%d = 1" % i for i in range(19_000)), "E100"),
    "long_unknown_key": (HEAD + b"k" * (MIB - 100) + b" = 1", "E100"),
    "long_line_of_errors": (_repeat(b"{b = nan},", b"a = [", b"]", 150_000), "E006"),
    "tables_in_array": (_repeat(b"[[a]]\n", HEAD, size=290_000), "E100"),
    "combining_marks": (_repeat("e\u0301\u0316".encode(), HEAD + b'title = "', b'"\n'), "E102"),
    "comment": (_repeat(b"#"), "E103"),
    "spaces_and_comments": (_repeat(b" " * 40 + b"#" * 10 + b"\n"), "E103"),
}

ALL = DEEP | BINARY | SLOW
