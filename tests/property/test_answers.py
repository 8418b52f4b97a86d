"""Whatever is given as answers is marked, or refused with a message; numbers are read as they are written."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rnnstep.checking import Marks, inline_answers
from rnnstep.checking.answers.csv_table import csv_answers
from rnnstep.checking.answers.numbers import from_text
from rnnstep.checking.answers.reading import text_answers
from rnnstep.checking.answers.toml_tables import toml_answers
from rnnstep.engine.learning import Learning
from rnnstep.errors import RnnstepError
from rnnstep.scenario.bundled import find
from rnnstep.scenario.file.document import Limits
from rnnstep.scenario.read import read

VALUES = [
    *(
        "[1,2,3,4]",
        "0.5",
        '"0.5 ? 1 2"',
        '"1;2;3;4"',
        "[[1,2],[3]]",
        "true",
        '""',
        "[]",
        "inf",
        "nan",
        "[inf,0,0,0]",
    ),
    *(
        "1e400",
        '"a"',
        "{a=1}",
        "[[[[[[1]]]]]]",
        "1979-05-27",
        "99999999999999999999999",
        '[0.1,"?",0,0]',
        '"1e309 1 1 1"',
    ),
]
NAMES = [
    "h",
    "a",
    "p",
    "x",
    "loss",
    "logits",
    "output",
    "h_n",
    "c_n",
    "grad.weight_hh",
    "grad.h",
    "grad.",
    ".",
    "update.bias_ih",
    "adam.m_hat.bias_ih",
    "w.weight_hh",
    "∂h",
]
KEYS = {
    "step": ["1", "0", "6", "1.0", "99999999999"],
    "t": ["0", "4", "-1"],
    "layer": ["0", "1", "true"],
    "direction": ['"forward"', '"backward"', "1"],
    "batch": ["0", "1"],
    "epoch": ["1", "15", "16", "0"],
    "index": ["0", "[0,1]", "[[0,1]]", "[[0],[1,2]]", "9", '"a"', "[]", "-1"],
    "decimals": ["0", "3", "31", "-1", "30"],
}


@functools.cache
def hello() -> Learning:
    return Learning(read(find("hello")))


def taken(read_them) -> None:
    """Mark what is read; a user's mistake is a message in both languages."""
    told: list[str] = []
    try:
        marked = Marks.of(hello(), read_them())
        assert marked.score[1] == len(marked.marks)
    except RnnstepError as error:
        told = [error.into("en"), error.into("zh")]
    assert all(told)


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(NAMES),
    st.sampled_from(VALUES),
    st.lists(st.sampled_from(sorted(KEYS)), unique=True, max_size=4),
    st.data(),
)
def test_any_table_is_marked_or_refused(name, value, keys, data):
    lines = [f"{key} = {data.draw(st.sampled_from(KEYS[key]))}" for key in keys]
    text = "\n".join(["[[answer]]", f'name = "{name}"', f"value = {value}", *lines])
    taken(lambda: toml_answers(text, Path("a.toml"), Limits()))


@settings(deadline=None, max_examples=300)
@given(st.text("h_1=0.5 ?;[]/L0←,|.−\n#ab", max_size=30))
def test_any_line_is_marked_or_refused(text):
    taken(lambda: inline_answers([text], Limits()))
    taken(lambda: text_answers(text, Path("a.txt"), Limits()))


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.lists(
            st.sampled_from(["1", "", "h", "0", "?", "0.5", "0,5", "-1", '"', "1 1"]), min_size=5, max_size=7
        )
    ),
    st.sampled_from(",;"),
)
def test_any_csv_is_marked_or_refused(rows, between):
    header = ["step", "layer", "direction", "name", "index", "value"]
    text = "\n".join(map(between.join, [header, *rows]))
    taken(lambda: csv_answers(text, Path("a.csv"), Limits()))


@example([0.0, 0.0], 0, "，")  # a full-width comma stands between numbers, never for a point
@given(
    st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=8),
    st.integers(0, 6),
    st.sampled_from([" ", ", ", "，"]),
)
def test_numbers_are_read_as_they_are_written(values, decimals, between):
    written = ["?" if value is None else f"{value:.{decimals}f}" for value in values]
    found = from_text(between.join(written).replace("-", "−"))
    expected = [np.nan if one == "?" else float(one) for one in written]
    np.testing.assert_array_equal(found.value, expected)
    assert all(
        count == (0 if one == "?" else decimals) for count, one in zip(found.decimals, written, strict=True)
    )
