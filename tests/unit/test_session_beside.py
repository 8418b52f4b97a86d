"""Two runs under one cursor: where the second is, and what becomes of it."""

from __future__ import annotations

import numpy as np
import pytest

from rnnstep.reference import complete
from rnnstep.scenario.beside import second_scenario
from rnnstep.scenario.beside_value import read_value
from rnnstep.scenario.bundled import find
from rnnstep.scenario.read import read
from rnnstep.session.across import across, with_run_before_edit
from rnnstep.session.beside import RunBeside
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session

pytestmark = pytest.mark.usefixtures("unhurried")


def beside(name: str, text: str) -> Session:
    """Open a scenario with another run beside it."""
    first = complete(read(find(name)))
    session = Session.open(SessionRun.of(first))
    value = read_value(text)
    found = RunBeside.of(value, complete(second_scenario(value, first)), session.run)
    found.run.learning.reach(value.epoch or 0, 60)
    return session.with_beside(found.along(session.run))


def there(session: Session) -> str:
    """The place of the second run, or why it has none."""
    found = across(session)
    assert found is not None
    return str(found.reason) if found.session is None else found.session.place


@pytest.mark.parametrize(
    ("name", "text", "place", "other"),
    [
        ("hello", "hello_lstm", "start", "start"),
        ("hello", "hello_lstm", "3", "3"),
        ("hello", "hello_lstm", "3/L0/hh[1].2", "3/L0/hh_g[1].2"),
        ("hello", "hello_lstm", "backward:3/L0/∂hh", "backward:3/L0/∂hh_g"),
        ("hello", "hello_lstm", "update:weight_hh/m[1,2]", "update:weight_hh_l0/m[1,2]"),
        ("hello", "hello_lstm", "e3:2/h", "e3:2/L0/h"),
        ("hello", "hello_lstm", "e2:", "e2:"),
        ("hello_gru", "hello_lstm", "3/z", "3/L0/f"),
        ("hello_gru", "hello", "3/hh_n", "3/L0/hh"),
        ("hello", "epoch=15", "3/h", "e15:3/L0/h"),
        ("hello", "epoch=15", "e2:3/h", "e15:3/L0/h"),
        ("hello", "dtype=float64", "e4:update:weight_hh/m", "e4:update:weight_hh/m"),
        ("names", "epoch=5", "2:3/L0/h", "e5:2:3/L0/h"),
        ("multilayer", "rnn", "2", "2"),
        ("packed", "bidirectional", "2/L0←/hh", "2/L0←/hh"),
        ("seq2seq", "attention", "target:2/decoder/hh_n", "target:2/decoder.L0/hh_n"),
        # what is not there
        ("hello_lstm", "hello", "3/c", "hello has no c in 3/L0"),
        ("hello_lstm", "hello", "3/f", "hello has no f in 3/L0"),
        ("hello_gru", "hello_lstm", "3/r", "hello_lstm has no r in 3/L0"),
        ("hello_lstm", "hello", "3/linear/logits", "hello has no linear"),
        ("multilayer", "rnn", "2/L1/h", "rnn has no L1"),
        ("hello", "rnn", "4", "rnn has no step 4: it has 3"),
        ("hello", "rnn", "4/h", "rnn has no step 4: it has 3"),
        ("hello", "rnn", "backward:2/∂h", "rnn has no backward pass: it has no loss"),
        ("hello", "rnn", "e2:1/h", "rnn has no epoch 2: it has 1"),
        ("names", "hello", "2:3/L0/h", "hello has no batch 2: it has 1"),
        (
            "packed",
            "bidirectional",
            "2/L0/h@row1",
            "bidirectional has no row 1 of the batch: rows go from 0 to 0",
        ),
        ("attention", "seq2seq", "target:2/attention/scores", "seq2seq has no attention"),
    ],
)
def test_the_second_run_is_at_the_same_place_or_says_what_it_has_not(name, text, place, other):
    session = beside(name, text).at(place)
    assert session.note is None
    assert there(session) == other


@pytest.mark.parametrize(
    ("name", "text"), [("hello", "hello_lstm"), ("hello_lstm", "hello"), ("multilayer", "rnn")]
)
@pytest.mark.parametrize("zoom", ["step", "operation", "element"])
def test_walking_moves_both_and_leads_to_the_same_step(name, text, zoom):
    session = beside(name, text).right()
    while session.level != zoom:
        session = session.into()
    for _ in range(40):
        session = session.right()
        found = across(session)
        if found.session is not None:
            mine, other = session.spot, found.session.spot
            assert (other.t, other.phase, other.epoch, other.batch) == (
                mine.t,
                mine.phase,
                mine.epoch,
                mine.batch,
            )
        else:
            assert found.reason is not None


def test_a_difference_of_dtypes_is_rounding():
    session = beside("hello", "dtype=float64").at("4/h")
    ours, theirs = (one.run.known(one.spot, 0)["h"] for one in (session, across(session).session))
    assert 0 < np.abs(ours - theirs).max() < 1e-6


def test_a_second_run_goes_along_to_another_epoch_unless_it_has_one_of_its_own():
    session = beside("hello", "hello_lstm").at("e7:2/h")
    assert session.beside.run.epoch.index == 6
    assert beside("hello", "epoch=3").at("e7:2/h").beside.run.epoch.index == 2


def test_what_is_hidden_is_hidden_in_both():
    session = beside("hello", "hello_lstm").toggle_predict().right()
    assert session.is_hidden
    assert across(session).session.is_hidden


def test_the_run_before_an_edit_stays_whatever_is_edited_then():
    session = Session.open(SessionRun.of(read(find("hello")))).at("3/hh[1]")
    edited = session.edit_text("W_hh[1,0] = 0.5")
    pair = with_run_before_edit(edited)
    assert (
        pair.beside.run.scenario.parameters["weight_hh"][1, 0]
        == session.run.scenario.parameters["weight_hh"][1, 0]
    )
    before = pair.beside.run
    again = pair.edit_text("W_hh[1,1] = 0.5").undo().undo().redo()
    assert again.beside.run is before


@pytest.mark.parametrize("text", ["dtype=float64", "epoch=15"])
def test_the_same_scenario_in_another_dtype_or_epoch_follows_edits_and_their_undoing(text):
    session = beside("hello", text).at("3/hh[1]")
    old = session.beside.run.value(across(session).session.spot, "hh")
    edited = session.edit_text("W_hh[1,0] = 0.5")
    assert edited.beside.run.scenario.parameters["weight_hh"][1, 0] == 0.5
    undone = edited.undo()
    np.testing.assert_array_equal(undone.beside.run.value(across(undone).session.spot, "hh"), old)


def test_another_scenario_stays_as_it_is_when_the_first_is_edited():
    session = beside("hello", "hello_lstm").at("3/hh[1]")
    edited = session.edit_text("W_hh[1,0] = 0.5")
    assert edited.beside.run is session.beside.run


def test_from_the_mistake_to_the_cure_the_two_change_places():
    session = beside("pitfalls/oholo", "cure").at("3/h")
    mistake, cure = session.run, session.beside.run
    turned = session.switch_cure()
    assert turned.run.scenario is cure.scenario
    assert turned.beside.run.scenario is mistake.scenario
    assert tuple(map(str, turned.beside.names(turned.run))) == ("cure", "mistake")
    back = turned.switch_cure()
    assert (back.run.scenario, back.beside.run.scenario) == (mistake.scenario, cure.scenario)


def test_torchs_numbers_of_the_second_run_are_its_own():
    session = beside("hello", "hello_lstm")
    from rnnstep.reference import check

    checked = session.beside.with_checked(check(session.beside.run.trace))
    assert session.with_beside(checked).run.checked is None
    assert checked.run.checked.agrees
