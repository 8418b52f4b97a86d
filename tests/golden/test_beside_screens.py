"""Two runs on one screen, as they are read at three sizes and in both languages; torch's columns are left out."""

from __future__ import annotations

import pytest

from rnnstep.scenario import bundled
from rnnstep.scenario.read import read
from rnnstep.session.across import with_run_before_edit
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.views.alphabet import ASCII
from rnnstep.views.look import Look
from rnnstep.views.rows import plain
from rnnstep.views.screen import screen
from tests.unit.test_session_beside import beside

pytestmark = pytest.mark.usefixtures("unhurried")


def _text(session, width, height, **look):
    assert session.note is None
    text = plain(screen(session, Look(torch="none", **look), width, height))
    assert len(text.split("\n")) <= height
    return "\n" + text


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("size", [(80, 24), (120, 35), (200, 60)])
def test_hello_beside_hello_lstm(size, language, snapshot):
    assert _text(beside("hello", "hello_lstm").at("3/L0/hh[1]"), *size, language=language) == snapshot


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("hello", "hello_lstm", "start"),
        ("hello", "hello_lstm", "3"),
        ("hello_lstm", "hello", "3/c"),
        ("hello", "epoch=15", "3/h"),
        ("hello", "dtype=float64", "3/h"),
        ("hello", "hello_gru", "forward:"),
        ("hello", "hello_lstm", "backward:3/L0/∂W_hh[1,2]"),
        ("multilayer", "rnn", "2/L2"),
        ("hello", "rnn", "2/h"),
        ("pitfalls/oholo", "cure", "e15:3"),
    ],
)
def test_other_pairs_at_80_by_24(name, text, place, snapshot):
    assert _text(beside(name, text).at(place), 80, 24) == snapshot


def test_two_networks_side_by_side(snapshot):
    assert _text(beside("seq2seq", "attention").at("target:2/decoder/hh_n"), 120, 35) == snapshot


def test_an_edit_beside_what_was_before(snapshot):
    session = Session.open(SessionRun.of(read(bundled.find("hello")))).at("3/h")
    edited = with_run_before_edit(session.edit_text("W_hh[1,0] = 0.5")).say(None)
    assert _text(edited, 80, 24) == snapshot


def test_in_ascii(snapshot):
    text = _text(beside("hello", "hello_lstm").at("3/L0/hh"), 80, 24, alphabet=ASCII)
    assert text.isascii()
    assert text == snapshot


@pytest.mark.parametrize("size", [(20, 5), (40, 12), (60, 17), (119, 24), (120, 20), (300, 80)])
@pytest.mark.parametrize("place", ["start", "3", "3/L0/hh[1]", "e2:", "backward:3"])
def test_any_size_is_filled_exactly(size, place):
    rows = screen(beside("hello", "hello_lstm").at(place), Look(torch="none"), *size)
    assert len(rows) == size[1]


@pytest.mark.parametrize("size", [(80, 24), (120, 35)])
def test_plots_of_both_runs(size, snapshot):
    assert _text(beside("hello", "epoch=15").at("5/h"), *size, fills="plot") == snapshot


def test_a_stop_that_shows_a_plot_shows_both(snapshot):
    assert _text(beside("hello", "hello_lstm").at("5/h"), 80, 24, shows=("plot",)) == snapshot


def test_only_the_run_that_has_the_place_is_plotted():
    text = _text(beside("multilayer", "rnn").at("2/L2/h"), 80, 24, fills="plot")
    assert "h over time" in text
    assert "rnn  h over time" not in text


@pytest.mark.parametrize(
    "place", ["start", "e1:", "forward:", "3", "5/h[1]", "backward:2/L0/∂h", "update:", "e7:3"]
)
@pytest.mark.parametrize("size", [(60, 17), (80, 24), (120, 35), (200, 60)])
@pytest.mark.parametrize("fills", ["", "plot", "listing"])
def test_a_later_epoch_beside_any_place(place, size, fills):
    text = _text(beside("hello", "epoch=15").at(place), *size, fills=fills)
    assert len(text.split("\n")) == size[1] + 1
