"""What is held: an edit keeps what was changed and the run before it, not all that was ever computed."""

from __future__ import annotations

import gc
import tracemalloc
import weakref

import pytest

from rnnstep.scenario import bundled
from rnnstep.scenario.read import read
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.views.look import Look
from rnnstep.views.screen import screen

PLACES = ("1/L0/hh[0]", "2", "3/L0", "start", "backward:3")


def opened(name: str) -> Session:
    return Session.open(SessionRun.of(read(bundled.find(name))))


@pytest.mark.parametrize("name", ["hello", "hello_lstm"])
def test_runs_before_the_last_edit_are_let_go(name: str) -> None:
    session = opened(name).at("1/L0")
    weight = next(iter(session.run.block(session.spot).kept_in))
    look = Look()
    runs = [weakref.ref(session.run)]
    for count in range(10):
        session = session.edit_text(f"{weight}[0,{count % 2}] = {count / 100 + 0.001}")
        runs.append(weakref.ref(session.run))
        for place in PLACES:
            screen(session.go(place), look, 200, 60)
    for _ in range(5):
        session = session.undo()
        runs.append(weakref.ref(session.run))
        screen(session, look, 120, 35)
    gc.collect()
    held = {id(run()) for run in runs if run() is not None}
    assert held == {id(session.run), id(session.before)}


def test_two_hundred_edits_grow_by_little_more_than_themselves() -> None:
    session = opened("hello").at("1/L0/hh[0]")
    for count in range(220):
        session = session.edit_text(f"W_hh[0,{count % 3}] = {count / 100 + 0.001}")
        if count == 20:
            gc.collect()
            tracemalloc.start()
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert grown < 200 * 1_000 + 150_000  # bytes: the edits, and a run or two that stand where others stood


def test_the_value_before_the_edit_is_still_there_after_many() -> None:
    session = opened("hello").at("1/L0/hh[0]")
    for count in range(20):
        session = session.edit_text(f"W_ih[0,{count % 3}] = {count / 100 + 0.001}")
    assert session.before is not None
    assert session.before.value(session.spot, "hh") is not None
    for _ in range(20):
        session = session.undo()
    assert not session.edits
    assert (
        session.run.scenario.parameters["weight_ih"].tolist()
        == opened("hello").run.scenario.parameters["weight_ih"].tolist()
    )
