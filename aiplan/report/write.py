"""Put finished text where it belongs: stdout, or a file that is either the old one or the whole new one."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import select
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

from aiplan.errors import InputError, OutputError, Problem
from aiplan.report.sanitize import clean_line

_REASONS = {
    errno.ENOENT: ("E210", "its folder does not exist", "create the folder first"),
    errno.ENOTDIR: ("E210", "a part of its path is not a folder", "check the path"),
    errno.EACCES: ("E211", "permission denied", "choose a folder you may write to"),
    errno.EPERM: ("E211", "permission denied", "choose a folder you may write to"),
    errno.EROFS: ("E211", "the file system is read-only", "choose a folder you may write to"),
    errno.ENOSPC: ("E212", "the disk is full", "free some space and run again"),
    errno.EDQUOT: ("E212", "the disk quota is used up", "free some space and run again"),
    errno.EFBIG: ("E212", "the file would be too large", "free some space and run again"),
}

# A folder that may be written but not read cannot be synced, nor can one on some network file systems.
_NO_FOLDER_SYNC = {errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENOTSUP, errno.EBADF}


def _input_error(code: str, message: str, hint: str) -> InputError:
    return InputError(Problem(code, message, file="-o", hint=hint))


def _output_error(target: str, error: OSError) -> OutputError:
    code, reason, hint = _REASONS.get(
        error.errno or 0, ("E213", error.strerror or "unknown reason", "choose another file")
    )
    return OutputError(f"cannot write {clean_line(target)}: {reason}", code=code, hint=hint)


def _silence_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's own flush at exit does not fail again."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _write_all(handle: int, data: bytes) -> None:
    """Write to a descriptor until all is out.

    Not left to ``sys.stdout.buffer``: under ``PYTHONUNBUFFERED`` that is the raw stream, whose ``write`` may
    take a part only, and it fails on a descriptor that another program has made non-blocking.
    """
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(handle, rest) :]
        except BlockingIOError:
            select.select([], [handle], [])


def _to_stdout(data: bytes) -> None:
    stream = sys.stdout
    if stream is None:  # started with stdout closed
        raise OutputError("cannot write to stdout: it is closed", code="E213", hint="give a file with -o")
    try:
        stream.flush()
        try:
            handle = stream.fileno()
        except (OSError, ValueError):  # replaced by a buffer in memory, as embedding programs do
            binary = getattr(stream, "buffer", None)
            stream.write(data.decode("utf-8")) if binary is None else binary.write(data)
            stream.flush()
        else:
            _write_all(handle, data)
    except BrokenPipeError:
        _silence_stdout()
        raise
    except OSError as error:
        _silence_stdout()
        raise _output_error("to stdout", error) from error


def _same_file(one: os.stat_result, path: Path) -> bool:
    try:
        other = path.stat()
    except (OSError, ValueError):
        return False
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


def _judge(target: str, found: os.stat_result | None, *, force: bool, inputs: Sequence[Path]) -> None:
    """Refuse targets that must not be written, whatever the permissions."""
    shown = clean_line(target)
    if found is None:
        if os.path.islink(target) and not force:
            hint = "give another name, or --force to create what it points to"
            raise _input_error("E201", f"{shown} is a link to a missing file", hint)
        return
    if stat.S_ISDIR(found.st_mode):
        raise _input_error("E208", f"{shown} is a folder", "name a file in it")
    if any(_same_file(found, path) for path in inputs):
        raise _input_error("E202", f"{shown} is an input of this run", "give the output another name")
    if stat.S_ISREG(found.st_mode) and not force:
        raise _input_error("E201", f"{shown} exists already", "give another name, or --force to replace it")


def _sync_folder(folder: Path) -> None:
    """Make the new name durable."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        if error.errno in _NO_FOLDER_SYNC:
            return
        raise
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(handle)


def _replace(path: Path, data: bytes, mode: int | None) -> None:
    """Write ``data`` beside ``path`` and move it there in one step; the temporary file never stays."""
    temporary = path.parent / f".aiplan-{secrets.token_hex(8)}.tmp"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with open(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            if mode is not None:
                os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(path.parent)


def _inspect(target: str, *, force: bool, inputs: Sequence[Path]) -> os.stat_result | None:
    """What is at ``target`` now, once it is known that a result may go there."""
    if not target or "\0" in target:
        raise _input_error("E208", "the name of the output file is empty or not a name", "name a file")
    try:
        found = os.stat(target)
    except FileNotFoundError:
        _judge(target, None, force=force, inputs=inputs)
        return None
    _judge(target, found, force=force, inputs=inputs)
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), target)
    return found


def _to_file(target: str, data: bytes, *, force: bool, inputs: Sequence[Path]) -> None:
    found = _inspect(target, force=force, inputs=inputs)
    if found is not None and not stat.S_ISREG(found.st_mode):
        # A device or a pipe: moving a file onto /dev/null would replace the device itself.
        with open(target, "wb") as stream:
            stream.write(data)
        return
    # Through a link, so that the link stays and the file behind it is the one replaced.
    mode = None if found is None else stat.S_IMODE(found.st_mode)
    _replace(Path(os.path.realpath(target)), data, mode)


def check_target(target: str | None, *, force: bool = False, inputs: Sequence[Path] = ()) -> None:
    """Raise what ``write_output`` would for this target, as far as can be told before there is a result.

    A command calls it before it computes, so that no long run is lost to a name that was wrong all along.
    """
    if target is None or target == "-":
        return
    try:
        if _inspect(target, force=force, inputs=inputs) is None:
            folder = Path(os.path.realpath(target)).parent
            folder.stat()
            if not os.access(folder, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
    except OSError as error:
        raise _output_error(target, error) from error


def write_output(data: str | bytes, target: str | None, *, force: bool = False, inputs: Sequence[Path] = ()) -> None:
    """Write a finished result; text goes out as UTF-8 with ``\\n`` on every system.

    Parameters
    ----------
    target : file name; None or ``-`` is stdout
    force : replace an existing file. It keeps its permission bits, and a link keeps pointing to it; other
        hard links to it keep the old content.
    inputs : files this run has read, never written over, even with ``force``

    A file is complete or untouched at every moment: written beside its place, synced, then moved there.

    Raises InputError (exit code 2) for a file that exists (E201), an input of the run (E202), a folder or an
    impossible name (E208); OutputError (exit code 6) when the system refuses: E210 no folder, E211 no
    permission, E212 disk full, E213 anything else. Raises BrokenPipeError when the reader of stdout has gone:
    stdout then points at nothing and the caller only has to end with exit code 1 without a word.
    """
    content = data.encode("utf-8") if isinstance(data, str) else data
    if target is None or target == "-":
        _to_stdout(content)
        return
    try:
        _to_file(target, content, force=force, inputs=inputs)
    except OSError as error:
        raise _output_error(target, error) from error
