"""Edits as they are typed: what they mean at each place, and what is said of those that cannot be."""

from __future__ import annotations

import functools
import warnings

import numpy as np
import pytest

from rnnstep.errors import UsageError
from rnnstep.scenario import bundled
from rnnstep.scenario.read import read, read_text
from rnnstep.session.cursor import edit_prompt, edit_typed, follow, nudge
from rnnstep.session.edits import read_number
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session


@functools.cache
def run_of(name: str) -> SessionRun:
    return SessionRun.of(read(bundled.find(name)))


def at(name: str, place: str = "start") -> Session:
    session = Session.open(run_of(name)).go(place)
    assert session.note is None
    return session


def changed(session: Session) -> dict[str, list[tuple[int, ...]]]:
    """Where the arrays of an edited scenario differ from those of the one it came from."""
    old, new = session.unedited, session.run.scenario
    pairs = {name: (old.parameters[name], array) for name, array in new.parameters.items()}
    for name, array in new.initial_state.items():
        pairs[name] = (old.initial_state.get(name, np.zeros_like(array)), array)
    for index, batch in enumerate(new.batches):
        if batch.values is not None:
            pairs[f"x{index}"] = (old.batches[index].values, batch.values)
    found = {
        name: [tuple(map(int, at)) for at in np.argwhere(left != right)]
        for name, (left, right) in pairs.items()
    }
    return {name: places for name, places in found.items() if places}


@pytest.mark.parametrize(
    ("name", "place", "row", "text", "expected"),
    [
        ("hello", "start", 0, "W_hh[0,2] = 5", {"weight_hh": [(0, 2)]}),
        ("hello", "3", 0, "b_ih[1]=5", {"bias_ih": [(1,)]}),
        ("hello", "3/hh[1]", 0, " x [ 2 ] = −5 ", {"x0": [(2, 0, 2)]}),
        ("hello", "5", 0, "h_0[3] = 5", {"h_0": [(0, 0, 3)]}),
        ("hello", "1", 0, "h_prev[3] = 5", {"h_0": [(0, 0, 3)]}),
        ("hello", "start", 0, "W_hh[0，2] ＝ 5", {"weight_hh": [(0, 2)]}),
        ("lstm", "2/L1/f", 0, "W_hf[1,0] = 5", {"weight_hh_l1": [(6, 0)]}),
        ("lstm", "2/L0/f", 0, "c_0[1] = 5", {"c_0": [(0, 0, 1)]}),
        ("multilayer", "2/L2", 0, "h_0[1] = 5", {"h_0": [(2, 0, 1)]}),
        ("rnn_cell_batch", "2", 7, "x[0] = 5", {"x0": [(1, 7, 0)]}),
        ("rnn_cell_batch", "2", 7, "h_0[0] = 5", {"h_0": [(0, 7, 0)]}),
        ("bidirectional", "3/L0←", 0, "W_hh[0,1] = 5", {"weight_hh_l0_reverse": [(0, 1)]}),
        ("bidirectional", "L0←", 0, "b_hh[0] = 5", {"bias_hh_l0_reverse": [(0,)]}),
        ("bidirectional", "L0", 0, "x[0] = 5", {"x0": [(0, 0, 0)]}),
        ("bidirectional", "1/join0", 0, "W_hh[0,1] = 5", {"weight_hh_l0": [(0, 1)]}),
        ("weather", "3/linear", 0, "weight[0,1] = 5", {"linear.weight": [(0, 1)]}),
        ("weather", "3/linear", 0, "W_hh[0,1] = 5", {"weight_hh_l0": [(0, 1)]}),
        ("windows", "2:3", 1, "x[0] = 50", {"x1": [(2, 1, 0)]}),
    ],
)
def test_an_edit_changes_the_one_number_it_names(name, place, row, text, expected):
    session = at(name, place)
    for _ in range(row):
        session = session.other_row(1)
    edited = session.edit_text(text)
    assert edited.note.template == "{what}: {old} → {new}"
    assert changed(edited) == expected
    assert edited.place == session.place


@pytest.mark.parametrize(
    ("name", "place", "text", "parts"),
    [
        ("hello", "start", "W_hh[0,2]", ("an edit is written",)),
        ("hello", "start", "W_hh = 3", ("an edit is written",)),
        ("hello", "start", "", ("an edit is written",)),
        ("hello", "start", "W" * 500, ("an edit is written",)),
        ("hello", "start", "W_hx[0,2] = 1", ("unknown name `W_hx`",)),
        ("hello", "start", "W_hh[0,4] = 1", ("is outside W_hh", "4×4")),
        ("hello", "start", "W_hh[0] = 1", ("is outside W_hh", "4×4")),
        ("hello", "start", "h_0[4] = 1", ("is outside h_0", "which is 4")),
        ("hello", "3", "h_prev[0] = 1", ("is computed here",)),
        ("hello", "3", "h[0] = 1", ("is computed here",)),
        ("hello", "3", "ih[0] = 1", ("is computed here",)),
        ("multilayer", "3/L1", "x[0] = 1", ("is computed here",)),
        ("hello", "start", "W_hh[0,0] = one", ("not a number: `one`",)),
        ("hello", "start", "W_hh[0,0] = 1/2", ("not a number",)),
        ("hello", "start", "W_hh[999999999999,0] = 1", ("an edit is written",)),
    ],
)
def test_an_edit_that_cannot_be_is_told_and_changes_nothing(name, place, text, parts):
    session = at(name, place).edit_text(text)
    for part in parts:
        assert part in str(session.note)
    assert session.note.into("zh") != session.note.into("en")
    assert (session.edits, session.run) == ((), run_of(name))


def test_h_0_cannot_be_given_where_batches_have_different_rows():
    source = """
input = {random = {shape = [3, 1], seed = 1}, windows = {length = 1, batch_size = 2}}
recurrent = {module = "RNN", hidden_size = 1}
weights = {seed = 1}
"""
    session = Session.open(SessionRun.of(read_text(source))).right().edit_text("h_0[0] = 1")
    assert "different numbers of rows" in str(session.note)
    assert len(session.edit_text("W_hh[0,0] = 1").edits) == 1
    assert len(session.right().edit_text("x[0] = 1").edits) == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.5", 0.5), ("−0.5", -0.5), ("0，5", 0.5), (" 1e-3 ", 1e-3), ("inf", np.inf), ("５", 5.0)],
)
def test_numbers_as_people_type_them(text, value):
    assert read_number(text) == value


@pytest.mark.parametrize("text", ["", "0.5.1", "1 2", "0x10", "--1"])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(UsageError, match="not a number"):
        read_number(text)


def test_the_same_value_again_is_no_edit_also_in_float32():
    session = at("hello").edit_text("W_hh[0,0] = 0.1")
    again = session.edit_text("W_hh[0,0] = 0.1")
    assert (len(again.edits), "is that already" in str(again.note)) == (1, True)
    session = session.edit_text("W_hh[0,0] = nan")
    assert len(session.edit_text("W_hh[0,0] = nan").edits) == 2


@pytest.mark.parametrize("text", ["1e39", "-1e39", "1e400", "3.5e38"])
def test_a_number_too_large_for_float32_is_refused(text):
    session = at("hello").edit_text(f"W_hh[0,0] = {text}")
    assert f"{text} is too large for float32" in str(session.note)
    assert session.edits == ()


def test_float64_takes_what_float32_does_not():
    assert len(at("float64").edit_text("W_hh[0,0] = 1e39").edits) == 1
    assert "too large for float64" in str(at("float64").edit_text("W_hh[0,0] = 1e400").note)


@pytest.mark.parametrize(("text", "value"), [("inf", np.inf), ("-Infinity", -np.inf), ("nan", np.nan)])
def test_infinity_and_nan_may_be_typed(text, value):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        session = at("hello").edit_text(f"W_hh[0,0] = {text}")
    np.testing.assert_equal(session.run.scenario.parameters["weight_hh"][0, 0], np.float32(value))


def test_edit_undo_and_redo_say_what_they_changed():
    edited = nudge(at("hello", "3/hh[1]"), None)
    assert str(edited.note) == "W_hh[1,0]: −0.4897 → 0"
    assert str(edited.undo().note) == "W_hh[1,0]: 0 → −0.4897"
    assert str(edited.undo().redo().note) == "W_hh[1,0]: −0.4897 → 0"


def test_a_change_too_small_for_four_digits_is_told_in_more():
    session = at("hello").edit_text("W_hh[0,0] = 100000").edit_text("W_hh[0,0] = 100001")
    assert str(session.note) == "W_hh[0,0]: 100000 → 100001"


# ── the number under the cursor ──────────────────────────────────────────────────────────


def test_the_number_under_the_cursor_is_offered_and_nudged():
    session = at("hello", "3/hh[1]")
    prompt = edit_prompt(session)
    name, _, value = prompt.partition(" = ")
    assert name == "W_hh[1,0]"
    more = nudge(session, 0.1)
    assert float(edit_prompt(more).partition(" = ")[2]) == pytest.approx(float(value) + 0.1, abs=1e-6)
    assert edit_prompt(nudge(more, None)) == "W_hh[1,0] = 0"


@pytest.mark.parametrize("place", ["start", "3", "3/L0", "3/L0/hh"])
def test_where_no_number_is_lit_none_is_nudged_and_none_offered(place):
    session = at("hello", place)
    for by in (0.1, -0.1, None):
        assert "go to an element or a term first" in str(nudge(session, by).note)
        assert nudge(session, by).edits == ()
    assert edit_prompt(session) == ""
    assert "an edit is written" in str(edit_typed(session, "1e3").note)
    assert len(edit_typed(session, "W_hh[1,0] = 1e3").edits) == 1


@pytest.mark.parametrize(
    ("name", "place", "shown"),
    [
        ("hello", "3/hh[1]", "W_hh[1,0]"),
        ("hello", "3/hh[1].2", "W_hh[1,2]"),
        ("hello", "1/hh[1].2", "W_hh[1,2]"),  # h_0[2] can be edited too
        ("hello", "3/hh[1].4", "b_hh[1]"),
    ],
)
def test_the_weight_of_the_term_at_the_cursor_is_edited(name, place, shown):
    session = at(name, place)
    assert edit_prompt(session).startswith(f"{shown} = ")
    (edit,) = nudge(session, None).edits
    assert edit.target.shown == shown


@pytest.mark.parametrize("text", ["1e3", " 1000 ", "１０００"])
def test_a_bare_number_is_for_the_number_under_the_cursor(text):
    (edit,) = edit_typed(at("hello", "3/hh[1].2"), text).edits
    assert (edit.target.shown, edit.value) == ("W_hh[1,2]", 1000.0)


@pytest.mark.parametrize(
    ("text", "told"), [("1e39", "too large"), ("wide", "not a number"), ("", "is written")]
)
def test_a_bare_number_that_is_none_is_told(text, told):
    session = edit_typed(at("hello", "3/hh[1].2"), text)
    assert told in str(session.note)
    assert session.edits == ()


def test_saving_gives_the_scenario_the_name_of_its_file_also_after_undoing():
    saved = nudge(at("hello", "3/hh[1]"), None).saved_as("new")
    assert not saved.has_unsaved_edits
    assert saved.run.scenario.name == "new"
    assert saved.undo().run.scenario.name == "new"


def test_following_leads_to_where_the_memory_was_computed_and_stops_at_what_is_given():
    session = at("hello", "3/hh[1]")
    session = session.into().right()  # the term W_hh[1,1]·h_prev[1]
    assert session.place == "3/L0/hh[1].1"
    assert follow(session).place == "2/L0/h[1]"
    given = follow(at("hello", "1/ih[0]"))
    assert "nothing to follow" in str(given.note)


def test_following_in_a_packed_row_stops_where_that_row_begins():
    session = at("packed", "2/L0←/hh[0]").other_row(1).other_row(1)  # "he" has two steps
    assert "nothing to follow" in str(follow(session).note)
    assert follow(at("packed", "2/L0←/hh[0]")).place == "3/L0←/h[0]"
