"""Made hostile files: refused with their code, quickly, and where nesting is the weapon before the parser runs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import aiplan.inputs.reader as reader
from tests.cli.runner import run
from tests.hostile.expectations import said
from tests.hostile.generated import ALL, DEEP, HEAD, MIB, SLOW

CPU_LIMIT_S = 2.0


@pytest.mark.parametrize("name", ALL)
def test_refused_with_its_code(name: str, tmp_path: Path) -> None:
    content, code = ALL[name]
    path = tmp_path / f"{name}.toml"
    path.write_bytes(content)
    before = time.process_time()
    outcome = run("energy", str(path))
    # Seconds of this process, so that a busy machine does not matter.
    assert time.process_time() - before < CPU_LIMIT_S
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.raw_characters == []
    assert "Traceback" not in outcome.err
    complaints = said(outcome.err)
    assert complaints
    assert complaints[0].code == code, outcome.err[:500]
    assert all(Path(complaint.file) == path for complaint in complaints)
    # At most 50 complaints, each of a few short lines, however large the file.
    assert len(complaints) <= 50
    assert max(map(len, outcome.err.splitlines())) < 400


@pytest.mark.parametrize("name", [name for name, (_, code) in DEEP.items() if code == "E005"])
def test_the_parser_never_sees_it(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits of ours, not of the parser: another build of tomli would meet its end in them."""

    def parsed(_: str) -> None:
        raise AssertionError("the parser was asked")

    monkeypatch.setattr(reader.tomli, "loads", parsed)
    with pytest.raises(reader.InputError) as caught:
        reader.parse_toml(DEEP[name][0], "x.toml")
    assert caught.value.code == "E005"


@pytest.mark.parametrize("name", SLOW)
def test_at_most_a_mebibyte(name: str) -> None:
    """The slow cases are worth their name only just below the limit of the reader."""
    assert len(SLOW[name][0]) <= MIB == reader.MAX_BYTES


HEAVY = ("too_many_tables", "array_of_nan", "long_line_of_errors", "tables_in_array", "string")
MEASURE = """
import os, resource, sys
from aiplan.errors import InputError
from aiplan.inputs.reader import parse_toml
from tests.hostile.generated import ALL
for name in sys.argv[1:]:
    if os.fork():
        os.wait()
        continue
    try:
        parse_toml(ALL[name][0], name)
    except InputError as error:
        error.render()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)
    os._exit(0)
"""


def test_memory_stays_bounded(root: Path) -> None:
    """Any file of at most 1 MiB within 200 MB (engineering reference, section 7), each in a process of its own."""
    done = subprocess.run([sys.executable, "-c", MEASURE, *HEAVY], cwd=root, capture_output=True, text=True, check=True)
    unit = 1 if sys.platform == "darwin" else 1024
    peaks = [int(line) * unit for line in done.stdout.split()]
    assert len(peaks) == len(HEAVY)
    assert max(peaks) < 200e6


def test_a_byte_order_mark_is_accepted_with_a_note(tmp_path: Path) -> None:
    path = tmp_path / "bom.toml"
    path.write_bytes(b"\xef\xbb\xbf" + HEAD)
    outcome = run("energy", str(path), "--samples", "16", "--format", "json")
    assert outcome.code == 0
    assert "byte-order mark" in outcome.err
    assert outcome.out.startswith("{")


def test_not_a_regular_file(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo.toml"
    os.mkfifo(fifo)
    link = tmp_path / "link.toml"
    link.symlink_to(fifo)
    folder = tmp_path / "folder.toml"
    folder.mkdir()
    for path in (fifo, link, folder, tmp_path, Path("/dev/zero"), Path("/dev/null")):
        outcome = run("energy", str(path))
        assert (outcome.code, said(outcome.err)[0].code) == (2, "E008"), path


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    loop = tmp_path / "loop.toml"
    loop.symlink_to(loop)
    cases = {
        tmp_path / "missing.toml": "E001",
        tmp_path / "missing" / "x.toml": "E001",
        loop: "E007",
        tmp_path / ("x" * 300 + ".toml"): "E007",
        Path("/dev/null/x.toml"): "E007",
    }
    for path, code in cases.items():
        outcome = run("energy", str(path))
        assert (outcome.code, said(outcome.err)[0].code) == (2, code), path
