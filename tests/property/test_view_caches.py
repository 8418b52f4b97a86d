"""What is kept from screen to screen changes nothing: a long walk shows what a fresh start at each place does."""

from __future__ import annotations

import importlib
import pkgutil
import random

import pytest

import rnnstep.views
from rnnstep.scenario import bundled
from rnnstep.scenario.read import read
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.views.look import Look
from rnnstep.views.screen import screen

MOVES = (
    "right",
    "right",
    "right",
    "left",
    "into",
    "out",
    "same_place",
    "back",
    "toggle_predict",
    "reveal",
    "undo",
)
MODULES = [
    importlib.import_module(f"rnnstep.views.{found.name}")
    for found in pkgutil.iter_modules(rnnstep.views.__path__)
]


def forget() -> None:
    """Empty every cache of the views."""
    for module in MODULES:
        for value in vars(module).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()


def anew(session: Session) -> Session:
    """The same session of a run that nobody has looked at."""
    fresh = Session.open(SessionRun.of(session.run.scenario, session.run.revision))
    return Session(
        fresh.run,
        session.position,
        note=session.note,
        is_predicting=session.is_predicting,
        is_revealed=session.is_revealed,
        before=session.before,
        unedited=session.unedited,
        edits=session.edits,
        undone=session.undone,
    )


@pytest.mark.parametrize(
    ("name", "seed"), [("hello", 1), ("hello_lstm", 2), ("bidirectional", 3), ("windows", 4)]
)
def test_a_walk_shows_what_a_fresh_start_shows(name: str, seed: int) -> None:
    draws = random.Random(seed)
    session = Session.open(SessionRun.of(read(bundled.find(name))))
    look = Look()
    for count in range(60):
        move = draws.choice(MOVES)
        session = session.same_place(1) if move == "same_place" else getattr(session, move)()
        if session.run.epoch.index:  # of which a fresh run knows no losses yet
            session = session.home()
        if count % 15 == 9:
            session = session.edit_text(f"b_ih[0] = {draws.random()}").edit_text(
                f"b_ii[0] = {draws.random()}"
            )
        size = draws.choice(((80, 24), (120, 35), (200, 60)))
        walked = screen(session, look, *size)
        if count % 2:
            forget()
            assert screen(anew(session), look, *size) == walked
