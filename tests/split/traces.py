"""What tests of the trace reader share: small traces, cells of all sorts, and how a refusal is looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st

from aiplan.errors import MAX_PROBLEMS_SHOWN, InputError
from aiplan.planners.split.workload import Requests

AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
PLAIN = AZURE + "10,5,6\n10.5,7,8\n12,9,10\n"
Read = Callable[..., Requests]

TIMES = st.one_of(
    st.floats(0, 1e9).map(repr),
    st.floats(0, 1e4).map(lambda x: f"{x:.3f}"),
    st.integers(0, 10**9).map(str),
    st.sampled_from(
        ["nan", "inf", "-1", "", " ", "1e", "1e400", "1_0", "0x10", "+3", ".5", "5.", ".", "1.2.3", "١", "-0"]
    ),
    st.text(max_size=6),
)
STAMPS = st.one_of(
    st.datetimes().map(str),
    st.datetimes().map(lambda one: one.isoformat()[:19]),
    st.builds(
        lambda one, nano, zone: f"{one.isoformat(' ')[:19]}.{nano}{zone}",
        st.datetimes(),
        st.integers(0, 10**10).map(str),
        st.sampled_from(["", "Z", "+00:00", "-0330"]),
    ),
    st.sampled_from(["2023-02-29 00:00:00", "2023-13-01 00:00:00", "2023-01-01 24:00:00", "0000-01-01 00:00:00",
                     "2023-01-01 00:00:60", "2023-01-01  0:00:00", "2023-1-1 00:00:00", "2023-01-01 00:00:00."]),
)  # fmt: skip
COUNTS = st.one_of(
    st.integers(-5, 10**9).map(str),
    st.sampled_from(["", " ", "7.0", "7.5", "1e3", "007", "00000000007", "+7", "1,5", "x", "½", "1e400", "99999999"]),
)


def refused(read: Read, content: str | bytes, name: str = "trace.csv", **options: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        read(content, name, **options)
    assert caught.value.exit_code == 2
    assert "\x1b" not in caught.value.render()
    assert len(caught.value.problems) <= MAX_PROBLEMS_SHOWN
    return caught.value


def told(error: InputError) -> list[tuple[str, int, int]]:
    return [(problem.code, problem.line, problem.column) for problem in error.problems]
