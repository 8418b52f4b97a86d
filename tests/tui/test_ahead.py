"""The law of drawing ahead: in whatever rhythm keys come, the screen shows what its state says."""

from __future__ import annotations

import random

import pytest

from rnnstep.tui.drawing_ahead import PAUSE
from rnnstep.views.rows import plain
from rnnstep.views.screen import screen as drawn

KEYS = (*["right"] * 4, "left", "right_square_bracket", "down", "up", *"DLzvpbu")


def of_state(screen) -> str:
    state = screen.debugger.state
    return plain(drawn(state.session, state.look, *screen.debugger.canvas.size))


def shown(screen) -> str:
    return "\n".join(line.rstrip() for line in screen.text.split("\n"))


def is_drawn_ahead(screen) -> bool:
    """Whether what may follow the state that is seen is drawn, and no longer what might have followed an earlier one."""
    return {drawn.before for drawn in screen.debugger.ahead._drawn} == {screen.debugger.state}


@pytest.fixture
def taken(monkeypatch):
    """Count the screens that stood ready when their key came."""
    from rnnstep.tui.drawing_ahead import Ahead

    found, rows = [], Ahead.rows

    def counted(self, state, size):
        given = rows(self, state, size)
        found.append(given is not None)
        return given

    monkeypatch.setattr(Ahead, "rows", counted)
    return found


@pytest.mark.parametrize("name", ["hello", "hello_lstm"])
@pytest.mark.parametrize("seed", range(2))
async def test_the_screen_shows_what_its_state_says(opened, taken, name, seed):
    chance = random.Random(seed)
    async with opened(name, size=(120, 35)) as screen:
        await screen.press("right", "down", "down", "down")
        key = "right"
        for _ in range(40):
            key = key if chance.random() < 0.5 else chance.choice(KEYS)
            await screen.press(key)
            if chance.random() < 0.7:
                await screen.pilot.pause(2 * PAUSE)
            assert shown(screen) == of_state(screen)
    assert any(taken)


async def test_a_further_step_stands_ready(opened, taken):
    async with opened("hello") as screen:
        await screen.press("right", "down", "down", "right")
        await screen.until(lambda: is_drawn_ahead(screen))
        taken.clear()
        await screen.press("right")
        assert taken == [True]
        assert shown(screen) == of_state(screen)


@pytest.mark.parametrize("between", ["language", "size", "edit", "training", "theme"])
async def test_what_was_drawn_ahead_goes_when_anything_else_happens(opened, between):
    async with opened("hello") as screen:
        await screen.press("right", "down", "down", "right")
        await screen.until(lambda: is_drawn_ahead(screen))
        (before,) = screen.debugger.ahead._drawn
        match between:
            case "language":
                await screen.press("L")
            case "size":
                await screen.pilot.resize_terminal(100, 30)
            case "edit":
                await screen.press("plus")
            case "training":
                screen.debugger.training._told()
            case "theme":
                await screen.press("t")
        await screen.pilot.pause()
        await screen.press("right")
        assert screen.debugger.state is not before.after or between in ("size", "theme")
        assert shown(screen) == of_state(screen)


async def test_nothing_is_drawn_ahead_that_would_have_to_be_computed_first(opened):
    async with opened("hello") as screen:
        await screen.press("right", "right")
        await screen.until(lambda: is_drawn_ahead(screen))
        while screen.session.right().spot.phase == "forward":
            await screen.press("right")
        await screen.pilot.pause(4 * PAUSE)
        assert screen.session.spot.phase == "forward"
        assert not screen.debugger.ahead._drawn


async def test_the_next_step_stands_ready_after_any_key(opened, taken):
    async with opened("hello") as screen:
        await screen.press("right", "down", "D")
        await screen.until(lambda: is_drawn_ahead(screen))
        taken.clear()
        await screen.press("right")
        assert taken == [True]
        assert shown(screen) == of_state(screen)
