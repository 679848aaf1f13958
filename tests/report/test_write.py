"""Writing: the old file or the whole new one, never over an input, and no temporary file left behind."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from aiplan.errors import InputError, OutputError
from aiplan.report.write import check_target, write_output


def raising(error: BaseException) -> Callable[..., NoReturn]:
    def fail(*args: object, **options: object) -> NoReturn:
        raise error

    return fail


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_has_the_bytes_and_the_usual_mode(tmp_path: Path) -> None:
    target = tmp_path / "plan.json"
    old = os.umask(0o027)
    try:
        write_output("µ = 1\n", str(target))
    finally:
        os.umask(old)
    assert target.read_bytes() == "µ = 1\n".encode()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert names(tmp_path) == ["plan.json"]


def test_bytes_are_written_as_they_are(tmp_path: Path) -> None:
    write_output(b"PK\x00\xff\r\n", str(tmp_path / "a.xlsx"))
    assert (tmp_path / "a.xlsx").read_bytes() == b"PK\x00\xff\r\n"


def test_an_existing_file_is_kept_unless_forced(tmp_path: Path) -> None:
    target = tmp_path / "plan.csv"
    target.write_text("old")
    target.chmod(0o604)
    with pytest.raises(InputError) as caught:
        write_output("new", str(target))
    assert (caught.value.code, caught.value.exit_code) == ("E201", 2)
    assert "--force" in caught.value.hint
    assert target.read_text() == "old"
    write_output("new", str(target), force=True)
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o604
    assert names(tmp_path) == ["plan.csv"]


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("way", ["itself", "other spelling", "hard link", "symbolic link"])
def test_an_input_is_never_written_over(tmp_path: Path, way: str, force: bool) -> None:
    source = tmp_path / "scenario.toml"
    source.write_text("a = 1")
    target = tmp_path / "out.toml"
    if way == "hard link":
        os.link(source, target)
    elif way == "symbolic link":
        target.symlink_to(source)
    else:
        target = source if way == "itself" else tmp_path / "." / "x" / ".." / "scenario.toml"
        (tmp_path / "x").mkdir()
    with pytest.raises(InputError) as caught:
        write_output("new", str(target), force=force, inputs=[tmp_path / "missing", source])
    assert caught.value.code == "E202"
    assert source.read_text() == "a = 1"


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real, link = tmp_path / "real" / "plan.json", tmp_path / "latest.json"
    real.write_text("old")
    link.symlink_to(real)
    with pytest.raises(InputError, match="exists already"):
        write_output("new", str(link))
    write_output("new", str(link), force=True)
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert names(tmp_path / "real") == ["plan.json"]


def test_a_dangling_link_needs_force(tmp_path: Path) -> None:
    link = tmp_path / "latest.json"
    link.symlink_to(tmp_path / "later.json")
    with pytest.raises(InputError, match="missing file"):
        write_output("new", str(link))
    assert not (tmp_path / "later.json").exists()
    write_output("new", str(link), force=True)
    assert (tmp_path / "later.json").read_text() == "new"


def test_a_link_to_itself_is_an_output_error(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(OutputError):
        write_output("new", str(loop), force=True)


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_impossible_names(name: str) -> None:
    with pytest.raises(InputError) as caught:
        write_output("x", name)
    assert caught.value.code == "E208"


def test_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        write_output("x", str(tmp_path), force=True)
    (tmp_path / "file").write_text("")
    for target in (tmp_path / "none" / "a.json", tmp_path / "file" / "a.json"):
        with pytest.raises(OutputError) as caught:
            write_output("x", str(target))
        assert (caught.value.code, caught.value.exit_code) == ("E210", 6)
    assert names(tmp_path) == ["file"]


FAILURES = [
    (errno.ENOSPC, "E212"),
    (errno.EDQUOT, "E212"),
    (errno.EROFS, "E211"),
    (errno.EACCES, "E211"),
    (errno.EIO, "E213"),
]


@pytest.mark.parametrize("function", ["open", "fsync", "replace"])
@pytest.mark.parametrize(("number", "code"), FAILURES)
def test_a_failing_system_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, number: int, code: str
) -> None:
    target = tmp_path / "plan.json"
    target.write_text("old")
    with monkeypatch.context() as patched:
        patched.setattr(os, function, raising(OSError(number, os.strerror(number))))
        with pytest.raises(OutputError) as caught:
            write_output("new", str(target), force=True)
    assert (caught.value.code, caught.value.exit_code) == (code, 6)
    assert str(target) in str(caught.value)
    assert target.read_text() == "old"
    assert names(tmp_path) == ["plan.json"]


def test_an_interrupt_leaves_no_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", raising(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            write_output("new", str(tmp_path / "plan.json"))
    assert names(tmp_path) == []


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_killed_process_leaves_the_old_file_whole(tmp_path: Path, root: Path, function: str) -> None:
    target = tmp_path / "plan.json"
    target.write_text("old")
    script = (
        "import os, signal, sys\n"
        "from aiplan.report.write import write_output\n"
        f"os.{function} = lambda *args: os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_output('new' * 100000, sys.argv[1], force=True)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(target)], cwd=root, timeout=60, check=False)
    assert done.returncode == -9
    assert target.read_text() == "old"


def test_a_file_that_may_not_be_written_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "plan.json"
    target.write_text("old")
    monkeypatch.setattr(os, "access", lambda *args, **options: False)
    with pytest.raises(OutputError, match="permission denied"):
        write_output("new", str(target), force=True)
    assert target.read_text() == "old"


@pytest.mark.parametrize(("number", "raised"), [(errno.EINVAL, False), (errno.EACCES, False), (errno.EIO, True)])
def test_a_folder_that_cannot_be_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, raised: bool
) -> None:
    target = tmp_path / "plan.json"
    real = os.fsync

    def fsync(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(number, os.strerror(number))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OutputError) if raised else contextlib.nullcontext():
        write_output("new", str(target))
    assert target.read_text() == "new"


def test_devices_are_written_to_not_replaced() -> None:
    write_output("x", os.devnull)
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    with pytest.raises(OutputError, match="disk is full"):
        write_output("x", "/dev/full")


def test_names_in_messages_are_cleaned() -> None:
    with pytest.raises(OutputError) as caught:
        write_output("x", "/none\x1b[31m/a.json")
    assert "\x1b" not in caught.value.render()


def test_a_target_is_judged_before_the_work(tmp_path: Path) -> None:
    check_target(None)
    check_target("-")
    check_target(str(tmp_path / "new.json"))
    assert names(tmp_path) == []
    (tmp_path / "old.json").write_text("")
    check_target(str(tmp_path / "old.json"), force=True)
    with pytest.raises(InputError, match="exists already"):
        check_target(str(tmp_path / "old.json"))
    with pytest.raises(OutputError) as caught:
        check_target(str(tmp_path / "none" / "a.json"))
    assert caught.value.code == "E210"


@pytest.mark.parametrize("target", [None, "-"])
def test_stdout_gets_utf8_bytes(target: str | None, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    print("before ", end="")
    write_output("µ\n", target)
    assert capsysbinary.readouterr().out == b"before \xc2\xb5\n"


def test_stdout_replaced_by_a_text_buffer_or_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.StringIO()
    with contextlib.redirect_stdout(buffer):
        write_output("µ\n", None)
    assert buffer.getvalue() == "µ\n"
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(OutputError, match="closed"):
        write_output("x", None)


CHILD = (
    "import sys\n"
    "from aiplan.errors import AiplanError\n"
    "from aiplan.report.write import write_output\n"
    "try:\n"
    "    write_output('x' * 10_000_000, None)\n"
    "except BrokenPipeError:\n"
    "    sys.exit(1)\n"
    "except AiplanError as error:\n"
    "    print(error.code, file=sys.stderr)\n"
    "    sys.exit(error.exit_code)\n"
)


def in_shell(tail: str, root: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    command = f'"$0" -c "$1" {tail}; echo "${{PIPESTATUS[0]}}" >&2'
    return subprocess.run(
        ["bash", "-c", command, sys.executable, CHILD],
        cwd=root,
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


UNBUFFERED = [{}, {"PYTHONUNBUFFERED": "1"}]


@pytest.mark.parametrize("environ", UNBUFFERED, ids=["buffered", "unbuffered"])
def test_all_of_a_large_output_arrives(environ: dict[str, str], root: Path) -> None:
    done = in_shell("| (sleep 0.2; wc -c)", root, **environ)
    assert done.stdout.split() == ["10000000"]
    assert done.stderr == "0\n"


def test_a_non_blocking_stdout_is_waited_for(root: Path) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with subprocess.Popen([sys.executable, "-c", CHILD], cwd=root, stdout=writer, stderr=subprocess.PIPE) as child:
        os.close(writer)
        with open(reader, "rb") as stream:
            assert len(stream.read()) == 10_000_000
        assert child.wait(timeout=60) == 0


@pytest.mark.parametrize("environ", UNBUFFERED, ids=["buffered", "unbuffered"])
def test_a_reader_that_leaves_is_met_with_silence(environ: dict[str, str], root: Path) -> None:
    done = in_shell("| head -c 1", root, **environ)
    assert done.stdout == "x"
    assert done.stderr == "1\n"


def test_a_full_disk_behind_stdout_is_an_output_error(root: Path) -> None:
    assert in_shell("> /dev/full", root).stderr == "E212\n6\n"


def test_stdout_closed_from_the_start(root: Path) -> None:
    assert in_shell(">&-", root).stderr == "E213\n6\n"
