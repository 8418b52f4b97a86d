"""Every command of the table does what its sentence says, by its key."""

from __future__ import annotations

import os

import pytest
from textual.command import CommandPalette

from rnnstep.tui.actions import ACTIONS
from rnnstep.tui.commands import LOOKS, MOVES
from rnnstep.tui.page import PageScreen
from rnnstep.tui.picker import Picker
from rnnstep.views.commands import COMMANDS

AT = "3/L0/hh[1]"

# Where the cursor ends after the key was pressed at AT.
PLACES = {
    "right": "3/L0/hh[2]",
    "left": "3/L0/hh[0]",
    "into": "3/L0/hh[1].0",
    "out": "3/L0/hh",
    "next_step": "4/L0/hh[1]",
    "previous_step": "2/L0/hh[1]",
    "home": "start",
    "end": "e15:update:bias_hh/w[3]",
    "follow": "2/L0/h[0]",
    "resume": "e15:update:bias_hh/w[3]",
    "resume_back": "start",
}

# What must be true of the screen after the key was pressed at AT.
EFFECTS = {
    "next_row": lambda screen: screen.session.note is not None,  # hello has one row
    "previous_row": lambda screen: screen.session.note is not None,
    "back": lambda screen: screen.session.position.is_start,
    "not_finite": lambda screen: "every number of this run is finite" in screen.session.note.into("en"),
    "go": lambda screen: screen.debugger.prompt is not None,
    "play": lambda screen: screen.debugger.player.is_playing and screen.look.playing == 1.0,
    "faster": lambda screen: screen.debugger.player.speed == 2.0,
    "slower": lambda screen: screen.debugger.player.speed == 0.5,
    "breakpoint": lambda screen: [str(one) for one in screen.session.breakpoints] == ["L0/hh"],
    "break_when": lambda screen: screen.debugger.prompt is not None,
    "watch": lambda screen: screen.debugger.prompt is not None,
    "unwatch": lambda screen: screen.session.watches == (),
    "cure": lambda screen: "no mistake" in str(screen.session.note),
    "answers": lambda screen: screen.debugger.prompt is not None,
    "guess": lambda screen: "nothing is hidden" in screen.look.message.into("en"),
    "predict": lambda screen: screen.session.is_predicting,
    "reveal": lambda screen: screen.session.is_revealed,
    "edit": lambda screen: screen.debugger.prompt.question.value.startswith("W_hh[1,0] = "),
    "increase": lambda screen: [edit.target.shown for edit in screen.session.edits] == ["W_hh[1,0]"],
    "decrease": lambda screen: len(screen.session.edits) == 1,
    "zero": lambda screen: screen.session.edits[0].value == 0.0,
    "undo": lambda screen: "no edit" in screen.session.note.into("en"),
    "redo": lambda screen: "no edit" in screen.session.note.into("en"),
    "save": lambda screen: "nothing was edited" in screen.look.message.into("en"),
    "blackboard": lambda screen: screen.look.is_blackboard,
    "beside": lambda screen: "dtype=float64" in screen.words,
    "view": lambda screen: screen.look.fills == "plot",
    "close": lambda screen: "nothing is open" in screen.look.message.into("en"),
    "copy": lambda screen: screen.app.clipboard.startswith("hh[1] = "),
    "copy_latex": lambda screen: screen.app.clipboard.startswith(r"\mathrm{hh}_t[1] = "),
    "joined": lambda screen: screen.look.is_joined,
    "info": lambda screen: isinstance(screen.app.screen, PageScreen),
    "more_decimals": lambda screen: screen.look.decimals == 5,
    "fewer_decimals": lambda screen: screen.look.decimals == 3,
    "language": lambda screen: screen.look.language == "zh",
    "theme": lambda screen: screen.app.theme == "rnnstep-light",
    "help": lambda screen: isinstance(screen.app.screen, PageScreen),
    "palette": lambda screen: isinstance(screen.app.screen, CommandPalette),
    "open": lambda screen: isinstance(screen.app.screen, Picker),
    "next_stop": lambda screen: "no stops" in screen.look.message.into("en"),
    "previous_stop": lambda screen: "no stops" in screen.look.message.into("en"),
    "stops": lambda screen: "no stops" in screen.look.message.into("en"),
    "next_scenario": lambda screen: screen.session.run.scenario.name == "rnn",
    "previous_scenario": lambda screen: screen.look.message is not None,
    "quit": lambda screen: screen.app.farewell == "rnnstep hello --at '3/L0/hh[1]'",
}


def test_every_command_is_in_exactly_one_table():
    tables = [set(MOVES), set(LOOKS), set(ACTIONS)]
    assert set.union(*tables) == {command.id for command in COMMANDS}
    assert sum(map(len, tables)) == len(COMMANDS)


def test_no_key_belongs_to_two_commands():
    keys = [key for command in COMMANDS for key in command.keys]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("command", sorted(PLACES))
async def test_key_moves_the_cursor(opened, command):
    (key,) = [one.keys[0] for one in COMMANDS if one.id == command]
    async with opened("hello", at=AT) as screen:
        await screen.press(key)
        assert screen.session.place == PLACES[command]


@pytest.mark.parametrize("command", sorted(EFFECTS))
async def test_key_has_its_effect(opened, command):
    (key,) = [one.keys[0] for one in COMMANDS if one.id == command]
    async with opened("hello", "rnn", at=AT) as screen:
        await screen.press(key)
        await screen.until(lambda: EFFECTS[command](screen))


def test_every_command_has_its_test():
    assert {command.id for command in COMMANDS} == {*PLACES, *EFFECTS, "picture", "reload"}


async def test_all_keys_of_a_command_do_the_same(opened):
    async with opened("hello") as screen:
        for key in ("n", "pagedown", "right"):
            before = screen.session.position
            await screen.press(key)
            assert screen.session.position != before


@pytest.mark.parametrize(
    ("character", "place"), [("】", "4/L0/hh[1]"), ("【", "2/L0/hh[1]"), ("。", AT), ("》", AT)]
)
async def test_full_width_signs_do_what_plain_ones_do(opened, character, place):
    async with opened("hello", at=AT) as screen:
        await screen.press(character)
        assert screen.session.place == place
        assert screen.look.last_key != ""


async def test_picture_is_saved_under_a_free_name(opened, tmp_path, monkeypatch):
    (here := tmp_path / "here").mkdir()
    monkeypatch.chdir(here)
    async with opened("hello") as screen:
        screen.debugger.run("picture")
        screen.debugger.run("picture")
        assert sorted(os.listdir()) == ["rnnstep-1.svg", "rnnstep-2.svg"]


async def test_picture_follows_no_link(opened, tmp_path, monkeypatch):
    (here := tmp_path / "here").mkdir()
    monkeypatch.chdir(here)
    os.symlink("elsewhere.svg", "rnnstep-1.svg")
    async with opened("hello") as screen:
        screen.debugger.run("picture")
        assert sorted(os.listdir()) == ["rnnstep-1.svg", "rnnstep-2.svg"]
        assert os.readlink("rnnstep-1.svg") == "elsewhere.svg"


async def test_picture_that_cannot_be_written_is_told(opened, tmp_path, monkeypatch):
    (here := tmp_path / "here").mkdir()
    monkeypatch.chdir(here)
    async with opened("hello") as screen:
        here.rmdir()
        screen.debugger.run("picture")
        assert "cannot write rnnstep-1.svg" in str(screen.look.message)


async def test_last_key_is_shown_to_the_audience(opened):
    async with opened("hello") as screen:
        await screen.press("right")
        assert screen.look.last_key == "→"


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("full_stop", "nothing is hidden"),
        ("greater_than_sign", "2 places a second"),
        ("W", "nothing is watched"),
    ],
)
async def test_a_key_that_does_nothing_says_so_in_place_of_an_older_refusal(opened, key, told):
    async with opened("hello") as screen:
        await screen.press("left")
        assert "this is the start" in screen.text
        await screen.press(key)
        assert told in screen.text
        assert "this is the start" not in screen.text


async def test_a_command_of_the_screen_clears_an_older_refusal(opened):
    async with opened("hello") as screen:
        await screen.press("left", "D")
        assert "this is the start" not in screen.text


async def test_predicting_is_seen_in_the_footer_while_it_lasts(opened):
    async with opened("hello", size=(60, 17)) as screen:
        await screen.press("p", "right")
        assert "predict ✓" in screen.words
        await screen.press("p", "right")
        assert "predict ✓" not in screen.words


async def test_out_at_start_of_several_batches_says_what_next_does(opened):
    async with opened("windows") as screen:
        await screen.press("up")
        assert "whole batches" in screen.text
        await screen.press("down")
        assert "→ computes the first place" in screen.text
        await screen.press("up", "right")
        assert screen.session.place == "1:"


async def test_conditions_are_taken_away_where_they_were_set(opened):
    async with opened("hello") as screen:
        for text, left in (("t == 2", ["t == 2"]), ("t==2", []), ("t == 1", ["t == 1"]), ("", [])):
            await screen.press("B")
            await screen.until(lambda: screen.app.focused is not None and screen.app.focused.id != "canvas")
            screen.app.focused.value = text
            await screen.press("enter")
            assert screen.debugger.prompt is None
            assert [str(one) for one in screen.session.breakpoints] == left
        assert "all conditions removed" in screen.text
