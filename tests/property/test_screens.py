"""Every screen, at any size and place, has exactly its size and never fails."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnstep.reference import check, complete
from rnnstep.scenario import bundled
from rnnstep.scenario.read import read, read_text
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.views.alphabet import ASCII, UNICODE
from rnnstep.views.look import Look
from rnnstep.views.rows import plain, row_width
from rnnstep.views.screen import screen
from tests.oracle.test_lengths import AVERAGED, MIRRORED, OVER_STATES, POOLED
from tests.property.small_runs import LIVE

LENGTHS = {"averaged": AVERAGED, "mirrored": MIRRORED, "over states": OVER_STATES, "pooled": POOLED}
NAMES = (*bundled.names(), *LIVE, *LENGTHS)
MOVES = ("right", "left", "into", "out", "home", "end", "back")


@cache
def run_of(name: str) -> SessionRun:
    if name in LENGTHS:
        scenario = read_text(LENGTHS[name])
    else:
        scenario = LIVE[name] if name in LIVE else read(bundled.find(name))
    run = SessionRun.of(complete(scenario) if scenario.pending else scenario)
    return run.with_checked(check(run.trace))


looks = st.builds(
    Look,
    language=st.sampled_from(["en", "zh"]),
    decimals=st.one_of(st.integers(0, 8), st.integers(9, 17)),
    alphabet=st.sampled_from([UNICODE, ASCII]),
    is_blackboard=st.booleans(),
    fills=st.sampled_from(["", "plot", "listing"]),
    is_joined=st.booleans(),
    torch=st.sampled_from(["loading", "ready", "failed"]),
)
steps = st.lists(
    st.one_of(
        st.sampled_from(MOVES).map(lambda name: lambda session: getattr(session, name)()),
        st.sampled_from([1, -1]).map(lambda n: lambda session: session.same_place(n)),
        st.sampled_from([1, -1]).map(lambda n: lambda session: session.other_row(n)),
        st.just(lambda session: session.toggle_predict()),
        st.just(lambda session: session.toggle_breakpoint()),
    ),
    max_size=12,
)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=12, deadline=None)
@given(
    look=looks, moves=steps, width=st.integers(20, 220), height=st.integers(5, 70), is_checked=st.booleans()
)
def test_a_screen_has_exactly_its_size(name, look, moves, width, height, is_checked):
    run = run_of(name)
    session = Session.open(run if is_checked else replace(run, checked=None))
    for move in moves:
        session = move(session)
    rows = screen(session, look, width, height)
    assert len(rows) == height
    assert {row_width(row) for row in rows} == {width}
    if look.alphabet is ASCII and look.language == "en":
        assert plain(rows).isascii()


def test_what_is_said_of_a_row_that_is_over_is_cut_in_ascii():
    session = Session.open(replace(run_of("states and masks given"), checked=None)).end()
    rows = screen(session, Look(language="en", alphabet=ASCII, fills="listing"), 20, 12)
    assert "row 0 of" in plain(rows)
    assert plain(rows).isascii()
