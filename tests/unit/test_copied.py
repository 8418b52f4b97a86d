"""A line for the clipboard, and what a typed place goes on with."""

from __future__ import annotations

import functools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnstep.language import Text
from rnnstep.scenario import bundled
from rnnstep.scenario.read import read
from rnnstep.session.completing import completions
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.views.copied import copied
from rnnstep.views.look import Look

NAMES = ("hello", "hello_lstm", "bidirectional", "windows", "mgu", "vanishing")


@functools.cache
def run_of(name: str) -> SessionRun:
    return SessionRun.of(read(bundled.find(name)))


@st.composite
def sessions(draw) -> Session:
    session = Session.open(run_of(draw(st.sampled_from(NAMES))))
    path: tuple[int, ...] = ()
    for _ in range(draw(st.integers(0, session.tree.depth))):
        count = session.tree.count(path)
        if not count:
            break
        path = (*path, draw(st.integers(0, count - 1)))
    return session if not path or path[0] else session.jump(path)


@settings(max_examples=150, deadline=None)
@given(session=sessions(), is_latex=st.booleans())
def test_a_line_is_copied_wherever_there_is_one(session, is_latex):
    found = copied(session, Look(), is_latex=is_latex)
    has_line = session.spot is not None and session.spot.operation is not None
    assert isinstance(found, str) == has_line
    if isinstance(found, str):
        assert "\n" not in found
        assert " = " in found or " ≈ " in found or r"\approx" in found
    if is_latex and isinstance(found, str):
        assert not re.search(r"[−·⊙≈∂…²]", found)
        assert found.count("{") == found.count("}")


def test_what_is_hidden_is_not_copied():
    session = Session.open(run_of("hello")).at("2/L0").toggle_predict().go("2/L0/hh[1]")
    assert copied(session, Look(), is_latex=False).endswith("?")
    session = session.go("2/L0/hh")
    assert copied(session, Look(), is_latex=False) == "hh = W_hh · h_prev + b_hh"


def test_a_line_in_text_and_in_latex():
    session = Session.open(run_of("hello")).at("2/L0/h[0]")
    assert copied(session, Look(), is_latex=False) == "h[0] = tanh(0.4715) = 0.4394"
    assert copied(session, Look(), is_latex=True) == r"h_t[0] = \tanh(0.4715) = 0.4394"
    assert isinstance(copied(session.home(), Look(), is_latex=True), Text)


# ── g: what this step's are, and how a place goes on ─────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "here", "typed", "there"),
    [
        ("hello", "3/L0/a[1]", "hh", "3/L0/hh"),
        ("hello", "3/L0/a[1]", "hh[2]", "3/L0/hh[2]"),
        ("hello", "3", "h", "3/L0/h"),
        ("hello", "3", "loss", "3/loss"),
        ("hello", "3/L0", "∂a", "backward:3/L0/∂a"),
        ("hello", "backward:3/L0/∂a", "d.hh", "backward:3/L0/∂hh"),
        ("hello", "update:weight_hh/m", "v", "update:weight_hh/v"),
        ("hello", "3", "L0/hh[1].2", "3/L0/hh[1].2"),
        ("bidirectional", "2/L0←/a", "hh", "2/L0←/hh"),
        ("bidirectional", "2/L0/a", "L0←/hh", "2/L0←/hh"),
        ("windows", "2:3/L0/a", "hh", "2:3/L0/hh"),
    ],
)
def test_without_a_step_that_of_the_cursor_is_meant(name, here, typed, there):
    assert Session.open(run_of(name)).at(here).at(typed).place == there


@settings(max_examples=150, deadline=None)
@given(session=sessions(), there=sessions(), data=st.data())
def test_a_place_can_be_completed_from_any_of_its_beginnings(session, there, data):
    if session.run is not there.run:
        session = Session.open(there.run)
    spot = there.spot
    if spot is None or spot.t is None or spot.element is not None:
        return
    place = there.place
    typed = place[: data.draw(st.integers(0, len(place)))]
    ways = completions(session, typed)
    is_at_its_end = typed == place or place[len(typed)] in ":/["
    assert is_at_its_end or any(place.startswith(way) for way in ways)
    assert all(way.startswith(typed) for way in ways)


@settings(max_examples=100, deadline=None)
@given(session=sessions(), typed=st.text("0123456789L/hha:[]ebcdr.←∂ ", max_size=12))
def test_anything_may_be_completed(session, typed):
    assert all(way.startswith(typed) for way in completions(session, typed))
