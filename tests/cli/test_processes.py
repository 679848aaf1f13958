"""What a process meets: closed pipes, full disks, signals, targets it may not write, terminals of any width."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.runner import environment, run, spawn
from tests.hostile.expectations import said

FAST = ("--samples", "32")
FULL = Path("/dev/full")


# Streams that fail.


@pytest.mark.parametrize("arguments", [["--help"], ["energy", "--help"], ["energy", *FAST], ["catalog", "list"]])
def test_a_reader_that_has_gone(arguments: list[str]) -> None:
    """`aiplan ... | head -c 1`: exit code 1, not a word."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as nobody:
        done = subprocess.run(
            [sys.executable, "-m", "aiplan", *arguments], stdout=nobody, stderr=subprocess.PIPE, env=environment(),
            check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_reader_that_goes_after_one_byte() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "aiplan", "energy", "published", "--format", "json"], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=environment(),
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(1) == b"{"
        process.stdout.close()
        said_ = process.stderr.read()
    assert process.returncode in (0, 1)  # 0 where all of it fitted into the pipe
    assert b"Traceback" not in said_
    assert b"error" not in said_


WRITERS = [["--help"], ["energy", "--help"], ["energy", *FAST], ["catalog", "schema", "grids"]]


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", WRITERS)
def test_a_full_disk_behind_stdout(arguments: list[str]) -> None:
    with FULL.open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "aiplan", *arguments], stdout=full, stderr=subprocess.PIPE, env=environment(),
            text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 6
    assert [complaint.code for complaint in said(done.stderr)] in (["E212"], ["E213"])
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
def test_nobody_to_talk_to_is_no_failure() -> None:
    """Warnings that cannot be written do not change what the run is worth, nor does a closed stderr."""
    with FULL.open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "aiplan", "energy", "--format", "json", *FAST], stdout=subprocess.PIPE, stderr=full,
            env=environment(), check=False,
        )  # fmt: skip
    assert done.returncode == 0
    assert done.stdout.startswith(b"{")
    for command, code in ((f"energy --format json {' '.join(FAST)}", 0), ("enrgy", 2), ("energy --bogus", 2)):
        line = f'"{sys.executable}" -m aiplan {command} 2>&-'
        closed = subprocess.run(["sh", "-c", line], capture_output=True, env=environment(), check=False)
        assert (closed.returncode, closed.stderr) == (code, b"")
        assert closed.stdout[:1] == (b"{" if code == 0 else b"")


@pytest.mark.parametrize("command", ["--help", "--version", "catalog", f"energy {' '.join(FAST)}"])
def test_stdout_closed_from_the_start(command: str) -> None:
    line = f'"{sys.executable}" -m aiplan {command} >&-'
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, env=environment(), check=False)
    assert done.returncode == 6
    assert said(done.stderr)[0].code == "E213"
    assert "Traceback" not in done.stderr


# Targets.


def unwritable(tmp_path: Path) -> Path:
    """A folder nobody, or not even root, may put a file into."""
    if os.geteuid() != 0:
        tmp_path.chmod(0o555)
        return tmp_path
    return Path("/sys")


def test_targets_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    cases = [(tmp_path / "missing" / "x.json", "E210"), (tmp_path / "file" / "x.json", "E210")]
    folder = unwritable(tmp_path / "closed" if os.geteuid() == 0 else tmp_path)
    if folder.exists():
        cases.append((folder / "x.json", "E211"))
    for target, code in cases:
        outcome = run("energy", "-o", str(target), *FAST)
        assert (outcome.code, outcome.out) == (6, ""), target
        assert said(outcome.err)[0].code == code, outcome.err
        assert not target.exists()


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
def test_a_disk_that_fills_up() -> None:
    outcome = run("energy", "-o", str(FULL), "--format", "json", *FAST)
    assert outcome.code == 6
    assert said(outcome.err)[0].code == "E212"


def test_a_file_that_exists_is_kept_unless_forced(tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    target.write_text("precious")
    refused = run("energy", "-o", str(target), *FAST)
    assert (refused.code, said(refused.err)[0].code) == (2, "E201")
    assert "--force" in refused.err
    assert target.read_text() == "precious"
    assert run("energy", "-o", str(target), "--force", *FAST).code == 0
    assert target.read_text().startswith("{")
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


def test_an_input_is_never_written_over(tmp_path: Path) -> None:
    scenario, base = tmp_path / "a.toml", tmp_path / "b.toml"
    scenario.write_text('[scenario]\nname = "a"\nbase = "b.toml"\n')
    base.write_text('[scenario]\nname = "b"\nbase = "frontier-chat"\n')
    link = tmp_path / "link.md"
    link.symlink_to(scenario)
    hard = tmp_path / "hard.md"
    hard.hardlink_to(base)
    before = scenario.read_text(), base.read_text()
    for target in (scenario, base, link, hard):
        outcome = run("energy", str(scenario), "-o", str(target), "--format", "table", "--force", *FAST)
        if target.suffix == ".toml":  # the ending says nothing, so the format given decides
            assert outcome.code == 2
        assert said(outcome.err)[0].code in ("E202", "E206")
        assert (scenario.read_text(), base.read_text()) == before
    csv = tmp_path / "rows.csv"
    csv.write_text("model,hardware,output_tok_s\nllama-3.1-8b,h100-sxm,1000\n")
    outcome = run("energy", "measured", str(csv), "-o", str(csv), "--force")
    assert (outcome.code, said(outcome.err)[0].code) == (2, "E202")


def test_a_wrong_target_is_told_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No long run is lost to a name that was wrong all along."""

    def planned(*_: object) -> None:
        raise AssertionError("the planner was asked")

    monkeypatch.setattr("aiplan.planners.energy.plan.plan", planned)
    assert run("energy", "-o", str(tmp_path / "missing" / "x.json")).code == 6
    assert run("energy", "-o", "x.docx").code == 2
    assert run("energy", "--format", "jsn").code == 2


# Signals.


def running(folder: Path) -> subprocess.Popen[bytes]:
    """A run of some seconds that has come as far as numpy."""
    process = subprocess.Popen(
        [sys.executable, "-m", "aiplan", "energy", "--samples", "1000000", "-o", str(folder / "out.json")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
    )  # fmt: skip
    maps = Path(f"/proc/{process.pid}/maps")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and maps.exists():
        try:
            if "_multiarray_umath" in maps.read_text():
                break
        except OSError:
            break
        time.sleep(0.01)
    else:
        time.sleep(1.0)  # no such list of libraries on this system
    return process


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("delay_s", [0.0, 0.15, 0.3])
def test_a_signal_ends_the_run_cleanly(number: signal.Signals, code: int, delay_s: float, tmp_path: Path) -> None:
    for _ in range(5):
        with running(tmp_path) as process:
            time.sleep(delay_s)
            late = process.poll() is not None  # a busy machine let it finish before the signal
            process.send_signal(number)
            out, err = process.communicate(timeout=20)
        if not late and process.returncode:
            break
        (tmp_path / "out.json").unlink(missing_ok=True)
    assert process.returncode == code
    assert out == b""
    assert err.strip() in (b"", b"interrupted")
    assert list(tmp_path.iterdir()) == []


def test_an_ignored_signal_stays_ignored() -> None:
    """`nohup aiplan ... &` must survive what its shell sends it."""
    line = f'trap "" INT; "{sys.executable}" -m aiplan --version & pid=$!; kill -INT $pid; wait $pid'
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, env=environment(), check=False)
    assert (done.returncode, done.stdout[:7]) == (0, "aiplan ")


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    run("--version")
    run("enrgy")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


# Terminals.


def on_a_terminal(columns: int, **changes: str) -> str:
    """What `aiplan energy` prints on a terminal of this width."""
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    env = environment(**{"COLUMNS": str(columns), "TERM": "xterm-256color", **changes})
    process = subprocess.Popen(
        [sys.executable, "-m", "aiplan", "energy", *FAST], stdout=slave, stderr=subprocess.DEVNULL, env=env
    )
    os.close(slave)
    seen = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # Linux's way to say that the other end is closed
            break
        if not part:
            break
        seen += part
    os.close(master)
    assert process.wait() == 0
    return seen.decode("utf-8").replace("\r\n", "\n")


# A number with a point or thousands; counts of what is left out differ from width to width.
FIGURE = re.compile(r"(?<![\w.,-])\d+(?:,\d{3}|\.\d+)+(?:e-?\d+)?(?![\w.,])")
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def test_a_narrow_terminal_cuts_no_number() -> None:
    wide = on_a_terminal(400, NO_COLOR="1")
    narrow = on_a_terminal(50, NO_COLOR="1")
    assert all(len(line) <= 50 for line in narrow.splitlines() if any(map(str.isdigit, line)))
    known, found = set(FIGURE.findall(wide)), FIGURE.findall(narrow)
    assert len(found) > 30
    assert set(found) <= known


def test_colour() -> None:
    colourful = on_a_terminal(120)
    assert ESCAPE.search(colourful)
    plain = on_a_terminal(120, NO_COLOR="1")
    assert "\x1b" not in plain
    assert ESCAPE.sub("", colourful) == plain
    assert "\x1b" not in spawn("energy", *FAST, env=environment(TERM="xterm-256color")).stdout
    assert "\x1b" not in on_a_terminal(120, TERM="dumb")


def test_no_command_shows_a_traceback_for_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug of ours is one line and exit code 1; the debugging switch shows where."""

    def broken(*_: object) -> None:
        raise RuntimeError("boom \x1b[31m")

    monkeypatch.setattr("aiplan.planners.energy.plan.plan", broken)
    outcome = run("energy", *FAST)
    assert (outcome.code, outcome.out) == (1, "")
    assert "error[E900]" in outcome.err
    assert "RuntimeError: boom" in outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.raw_characters == []
    monkeypatch.setenv("AIPLAN_DEBUG", "1")
    with pytest.raises(RuntimeError, match="boom"):
        run("energy", *FAST)
