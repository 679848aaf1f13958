"""Bytes of a trace, plain or compressed by gzip, in blocks of whole lines; nothing a file holds makes them large."""

from __future__ import annotations

import gzip
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from aiplan.errors import InputError, Problem

MAX_UNPACKED_BYTES = 64 << 30
"""Most bytes of a trace, after decompression."""

BLOCK_BYTES = 4 << 20
"""Bytes read at once, and the longest line."""

Stream = BufferedReader | gzip.GzipFile


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines of a file, and the number of the first; the last line of a file may lack its line feed."""

    line: int
    data: bytes

    @property
    def after(self) -> int:
        """Number of the line behind the block."""
        return self.line + self.data.count(b"\n")


def refusal(code: str, shown: str, message: str, hint: str, line: int = 0) -> InputError:
    """One problem of a file as an error."""
    return InputError(Problem(code, message, "", shown, line, 1 if line else 0, hint=hint))


@contextmanager
def opened(path: Path | str, shown: str) -> Iterator[Stream]:
    """A regular file's bytes, decompressed where it is compressed.

    Raises InputError for anything else: missing, unreadable, a folder, a pipe, a device.
    """
    try:
        # Non-blocking, so that a FIFO without a writer is refused instead of waited for.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
    except FileNotFoundError:
        raise refusal("E001", shown, "no such file", "check the path of the trace") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise refusal("E007", shown, f"cannot be opened: {reason}", "give a readable file") from None
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode):
        os.close(descriptor)
        raise refusal("E008", shown, "is not a regular file", "give a file, not a folder, pipe or device")
    with open(descriptor, "rb") as file:
        if file.peek(2)[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield unpacked
        elif about.st_size and shown.lower().endswith(".gz"):
            raise refusal("E179", shown, "is not compressed by gzip", "name it .csv, or compress it again")
        else:
            yield file


def blocks(stream: Stream, shown: str) -> Iterator[Block]:
    """Lines of a file in blocks of about `BLOCK_BYTES`.

    Raises InputError behind what could be read, for a compressed file that is cut off or damaged, for a line longer
    than a block and for more than `MAX_UNPACKED_BYTES` in all.
    """
    line, total, rest = 1, 0, b""
    while True:
        part, failure = _filled(stream, shown)
        total += len(part)
        end = part.rfind(b"\n") + 1
        if end:
            block = Block(line, rest + part[:end])
            yield block
            line, rest = block.after, part[end:]
        else:
            rest += part
        if failure:
            raise refusal("E179", shown, f"the compressed file {failure}", "fetch or compress it again", line)
        if total > MAX_UNPACKED_BYTES:
            message = f"the trace has more than {MAX_UNPACKED_BYTES:,} bytes and is not read further"
            raise refusal("E179", shown, message, "split the trace", line)
        if len(rest) > BLOCK_BYTES:
            message = f"the line has more than {BLOCK_BYTES:,} bytes"
            raise refusal("E179", shown, message, "is this a trace? it needs a line for every request", line)
        if not part:
            break
    if rest:
        yield Block(line, rest)


def _filled(stream: Stream, shown: str) -> tuple[bytes, str]:
    """The next bytes of a stream, empty at its end, and how it failed behind them, empty where it did not."""
    parts, size = [], 0
    try:
        while size < BLOCK_BYTES and (part := stream.read1(BLOCK_BYTES - size)):
            parts.append(part)
            size += len(part)
    except EOFError:
        return b"".join(parts), "ends in the middle"
    except (gzip.BadGzipFile, zlib.error):
        return b"".join(parts), "is damaged"
    except OSError as error:
        raise refusal("E007", shown, f"cannot be read: {error.strerror}", "give a readable file") from None
    return b"".join(parts), ""
