"""Screens as they are read, at their sizes; torch's columns are left out, for their last digits differ."""

from __future__ import annotations

import pytest

from rnnstep.scenario import bundled
from rnnstep.scenario.read import read
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.views.alphabet import ASCII
from rnnstep.views.look import Look
from rnnstep.views.rows import plain
from rnnstep.views.scene import Scene
from rnnstep.views.screen import screen
from rnnstep.views.timeline import predicted

pytestmark = pytest.mark.usefixtures("unhurried")


def _session(name, place):
    session = Session.open(SessionRun.of(read(bundled.find(name))))
    if session.run.cured is not None:  # a frame goes on with the cure's training for a moment only
        session.run.cured.reach(session.tree.num_epochs, 60)
    return session if place == "start" else session.go(place)


def _text(session, width, height, **look):
    return "\n" + plain(screen(session, Look(torch="none", **look), width, height))


@pytest.mark.parametrize("place", ["start", "3", "3/L0/hh", "3/L0/hh[1]", "3/L0/hh[1].2", "5"])
def test_hello_at_80_by_24(place, snapshot):
    assert _text(_session("hello", place), 80, 24) == snapshot


@pytest.mark.parametrize("size", [(60, 17), (100, 45), (120, 35), (200, 60), (300, 80)])
def test_hello_at_other_sizes(size, snapshot):
    assert _text(_session("hello", "3/L0/hh[1]"), *size) == snapshot


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("lstm_by_hand", "3"),
        ("gru", "3/L0/h"),
        ("bidirectional", "2/L0←/hh"),
        ("multilayer", "3"),
        ("windows", "2:2/L0/h"),
        ("packed", "4/L0"),
        ("mgu", "2/L0/n[0]"),
    ],
)
def test_other_scenarios(name, place, snapshot):
    assert _text(_session(name, place), 80, 24) == snapshot


def test_chinese(snapshot):
    assert _text(_session("hello", "3/L0/hh[1]"), 120, 35, language="zh") == snapshot


def test_ascii(snapshot):
    text = _text(_session("hello", "3/L0/hh[1]"), 120, 35, alphabet=ASCII)
    assert text.isascii()
    assert text == snapshot


def test_blackboard_and_joined_form(snapshot):
    assert _text(_session("hello", "3/L0/hh"), 80, 24, is_blackboard=True) == snapshot
    assert _text(_session("hello", "3"), 120, 35, is_joined=True) == snapshot


@pytest.mark.parametrize("size", [(60, 17), (80, 24), (120, 35)])
@pytest.mark.parametrize("fills", ["plot", "listing"])
def test_one_thing_has_the_whole_screen(size, fills, snapshot):
    assert _text(_session("vanishing", "backward:30/L0/∂h"), *size, fills=fills) == snapshot


@pytest.mark.parametrize("place", ["3", "3/L0/hh[1]", "backward:3/L0/∂h_prev"])
def test_the_blackboard(place, snapshot):
    assert _text(_session("hello", place), 80, 24, is_blackboard=True) == snapshot


def test_an_edit_shows_the_old_value(snapshot):
    assert _text(_session("hello", "3/L0/hh").edit_text("W_hh[0,3] = 0"), 80, 24) == snapshot


def test_what_is_to_be_predicted_is_covered(snapshot):
    session = _session("hello", "2/L0/hh").toggle_predict().right()
    text = _text(session, 80, 24)
    assert "?" in text
    assert text == snapshot
    shown = _text(session.reveal(), 80, 24)
    assert "?" not in shown.split("? help")[0]


@pytest.mark.parametrize(
    "place",
    [
        "3/loss",
        "5/total/loss",
        "backward:3",
        "backward:3/L0",
        "backward:3/L0/∂h_prev[1]",
        "backward:3/L0/∂W_hh[1,0]",
        "backward:",
        "update:",
        "update:weight_hh",
        "update:weight_hh/m[1,0]",
        "e5:",
    ],
)
def test_hello_learns_at_80_by_24(place, snapshot):
    assert _text(_session("hello", place), 80, 24) == snapshot


@pytest.mark.parametrize("size", [(60, 17), (120, 35), (200, 60)])
@pytest.mark.parametrize("place", ["backward:3/L0/∂W_hh", "e5:"])
def test_hello_learns_at_other_sizes(place, size, snapshot):
    assert _text(_session("hello", place), *size) == snapshot


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("hello_lstm", "backward:3/L0"),
        ("hello_gru", "backward:2/L0/∂b_hn"),
        ("exploding", "backward:3/L0/∂W_hh_t"),
        ("pitfalls/typo_in_data", "e3:"),
        ("pitfalls/no_zero_grad", "e2:update:weight_hh/grad"),
        ("vanishing_lstm", "backward:30"),
    ],
)
def test_others_learn(name, place, snapshot):
    assert _text(_session(name, place), 120, 35) == snapshot


def test_learning_in_chinese(snapshot):
    assert _text(_session("hello", "backward:3/L0/∂a"), 120, 35, language="zh") == snapshot


def test_numbers_of_the_timeline_are_whole_or_not_there():
    """−6e-15 cut to −6e-1 is another number."""
    session = _session("vanishing", "backward:1")
    rows = _text(session, 80, 24).splitlines()
    row = next(row for row in rows if row.startswith(" ∂h[0]"))
    first = session.run.known(session.at("backward:1/L0/∂h").spot, 0)["∂h"][0]
    assert row.split()[1] == f"{first:.0e}".replace("-", "−", 1)


def test_what_is_wanted_is_named_as_what_is_said():
    """Two classes are no letters of a vocabulary of three."""
    text = _text(_session("pitfalls/last_output_of_both_directions", "e2:"), 80, 24)
    assert "wanted: 0  1  0  1" in text


def test_nothing_is_said_where_a_row_is_over():
    session = _session("packed", "5").end().other_row(1).other_row(1)
    scenario = session.run.scenario
    length = scenario.scored(scenario.batches[0]).true_lengths[2]
    said = [predicted(Scene(session, Look(torch="none")), t) for t in range(5)]
    assert all(said[:length])
    assert not any(said[length:])
