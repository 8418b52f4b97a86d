"""The line that comes back to the same place can be typed into any shell as it stands."""

from __future__ import annotations

import shlex

import pytest

from rnnstep.scenario import bundled


@pytest.mark.parametrize(
    ("name", "at", "line"),
    [
        ("hello", "start", "rnnstep hello"),
        ("hello", "3", "rnnstep hello --at 3"),
        ("hello", "3/L0/hh[1]", "rnnstep hello --at '3/L0/hh[1]'"),
        ("bidirectional", "3/L0←", "rnnstep bidirectional --at '3/L0←'"),
        ("rnn_cell_batch", "2@row5", "rnnstep rnn_cell_batch --at 2@row5"),
        ("rnn_cell_batch", "start@row5", "rnnstep rnn_cell_batch --at start@row5"),
        ("windows", "2:3/L0", "rnnstep windows --at 2:3/L0"),
    ],
)
async def test_the_line_holds_place_and_row_and_quotes_what_a_shell_would_read(opened, name, at, line):
    async with opened(name, at=at) as screen:
        await screen.press("q")
    assert screen.app.farewell == line


async def test_a_name_that_a_shell_would_obey_is_quoted(opened, tmp_path):
    file = tmp_path / "it's $(boom);[1].toml"
    file.write_text(bundled.find("hello").read_text("utf-8"), "utf-8")
    async with opened(file) as screen:
        await screen.press("q")
    assert shlex.split(screen.app.farewell) == ["rnnstep", str(file)]
