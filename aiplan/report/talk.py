"""What is said on stderr: warnings, notes and errors, safe for any terminal."""

from __future__ import annotations

import contextlib
import os
import sys

from aiplan.report.sanitize import clean


def talk(text: str) -> None:
    """Write text to stderr, cleaned. That nobody can read it is no reason to fail.

    Parameters
    ----------
    text : lines as they should stand there, with their line ends
    """
    try:
        sys.stderr.write(clean(text))
        sys.stderr.flush()
    except AttributeError:  # started with stderr closed
        pass
    except (OSError, ValueError):
        # What could not be written is still in the buffer and must not fail once more at exit.
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stderr.fileno())
            os.close(nowhere)
