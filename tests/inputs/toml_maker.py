"""Makes TOML documents in every layout the language allows, and knows on which line each key stands."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field

Path_ = tuple[str | int, ...]


@dataclass
class Maker:
    """One document in the making: its text, and the line of every key path."""

    random: random.Random
    lines: list[str] = field(default_factory=lambda: [""])
    places: dict[Path_, int] = field(default_factory=dict)
    names: int = 0

    def write(self, text: str) -> None:
        first, *rest = text.split("\n")
        self.lines[-1] += first
        self.lines += rest

    @property
    def line(self) -> int:
        return len(self.lines)

    def name(self) -> str:
        """A key nothing else in the document has, some of them with marks that mean something elsewhere."""
        self.names += 1
        marks = self.random.choice(["", "", "", "", "", "-x", "_w", ".y", " z", "=", "[0]", "#", '"', "é", "\\", "'"])
        return f"k{self.names}{marks}"

    def key(self, name: str) -> str:
        bare = name.replace("-", "").replace("_", "").isalnum() and name.isascii()
        style = self.random.choice(["bare", "basic", "literal"] if bare else ["basic", "literal"])
        if style == "bare":
            return name
        return f"'{name}'" if style == "literal" and "'" not in name else json.dumps(name)

    def blank(self) -> str:
        return self.random.choice(["", " ", "  ", "\t"])

    def gap(self) -> str:
        """What may stand between the items of an array."""
        return self.random.choice(["", " ", "\n", "\n  ", " # a [comment] = {1}\n", "\n\n# k1 = 2\n\t"])

    def document(self) -> str:
        for _ in range(self.random.randint(0, 4)):
            self.pair(())
        for _ in range(self.random.randint(0, 5)):
            self.table()
        return "\n".join(self.lines) + self.random.choice(["", "\n", "# k1 = 1"])

    def table(self) -> None:
        path: Path_ = ()
        parts = [self.name() for _ in range(self.random.randint(1, 3))]
        repeated = self.random.random() < 0.4
        for number in range(self.random.randint(1, 3) if repeated else 1):
            self.write(self.random.choice(["", "\n", "# [k1]\n"]) + self.blank())
            header = f"{self.blank()}.{self.blank()}".join(map(self.key, parts))
            path = ()
            for part in parts:
                path = (*path, part)
                self.places.setdefault(path, self.line)
            if repeated:
                path = (*path, number)
                self.places[path] = self.line
            self.write(f"[[{self.blank()}{header}]]" if repeated else f"[{header}{self.blank()}]")
            self.write(self.random.choice(["\n", " # k2 = 3\n"]))
            for _ in range(self.random.randint(0, 4)):
                self.pair(path)

    def pair(self, table: Path_) -> None:
        self.write(self.random.choice(["", "", "\n", "# k3 = 'x'\n"]) + self.blank())
        self.assignment(table, 0)
        self.write(self.random.choice(["\n", " # k4 = [\n", "\t\n"]))

    def assignment(self, table: Path_, depth: int) -> None:
        path = table
        parts = [self.name() for _ in range(self.random.choice([1, 1, 1, 2, 3]))]
        for part in parts:
            path = (*path, part)
            self.places[path] = self.line
        self.write(f"{self.blank()}.{self.blank()}".join(map(self.key, parts)) + f"{self.blank()}={self.blank()}")
        self.value(path, depth)

    def value(self, path: Path_, depth: int) -> None:
        kind = self.random.random()
        if depth < 3 and kind < 0.15:
            self.array(path, depth)
        elif depth < 3 and kind < 0.35:
            self.inline_table(path, depth)
        else:
            self.write(self.random.choice(SCALARS))

    def array(self, path: Path_, depth: int) -> None:
        self.write("[" + self.gap())
        count = self.random.randint(0, 3)
        for index in range(count):
            self.places[(*path, index)] = self.line
            self.value((*path, index), depth + 1)
            self.write(self.gap())
            last = index == count - 1
            self.write("" if last and self.random.random() < 0.5 else "," + self.gap())
        self.write("]")

    def inline_table(self, path: Path_, depth: int) -> None:
        self.write("{ ")
        for index in range(self.random.randint(0, 3)):
            self.write(", " if index else "")
            self.assignment(path, depth + 1)
        self.write(" }")


SCALARS = [
    "1", "-0.5", "1_000", "0xff", "1e9", "true", "false", "2026-11-22", "07:32:00", "1979-05-27T07:32:00Z",
    "1979-05-27 07:32:00.5", '""', "''", '"x"', "'x'", '"a # b = [1]"', "'c:\\d'", '"\\"\\\\"', '"k1 = 2"',
    '"""one\ntwo = 2\n[three]"""', "'''\n[k1]\nk2 = 'x'\n'''", '"""a "quoted" b""""', "'''it''s'''''",
    '"""\\\n  x\\"""y"""',
    '""""""', "''''''", '"""\n# no comment\n"""',
]  # fmt: skip
