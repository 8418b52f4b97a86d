"""Opening, reading again, and choosing scenarios; what is wrong with one never closes another."""

from __future__ import annotations

import os

import pytest

from rnnstep.scenario import bundled
from rnnstep.tui.picker import Picker


@pytest.fixture
def mine(tmp_path):
    copy = tmp_path / "mine.toml"
    copy.write_text(bundled.find("hello").read_text("utf-8"), "utf-8")
    return copy


def rewrite(path, old, new):
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    later = path.stat().st_mtime + 5
    os.utime(path, (later, later))


async def test_first_frame_stands_before_the_scenario_is_read(opened):
    async with opened("hello", is_waited_for=False) as screen:
        assert "hello" in screen.text
        await screen.until(lambda: screen.session is not None)


async def test_bad_scenario_at_opening_leaves_with_its_message(opened, mine):
    rewrite(mine, "hidden_size", "hiden_size")
    async with opened(mine, is_waited_for=False) as screen:
        await screen.until(lambda: screen.app.problem is not None)
        assert f"{mine}:" in screen.app.problem
        assert "did you mean `hidden_size`" in screen.app.problem
        assert screen.app.return_code == 2


async def test_bad_place_at_opening_leaves_with_its_message(opened):
    async with opened("hello", at="9/L0", is_waited_for=False) as screen:
        await screen.until(lambda: screen.app.problem is not None)
        assert "no step 9" in screen.app.problem


async def test_reading_again_stays_at_the_place(opened, mine):
    async with opened(mine, at="3/L0/hh[1]") as screen:
        rewrite(mine, "seed = 2", "seed = 3")
        before = screen.session.run.scenario.parameters["weight_hh"][0, 0]
        await screen.press("R")
        await screen.until(lambda: screen.session.run.scenario.parameters["weight_hh"][0, 0] != before)
        assert screen.session.place == "3/L0/hh[1]"
        assert len(screen.workers[0].requests) == 2


async def test_bad_edit_on_disk_is_told_and_the_old_run_kept(opened, mine):
    async with opened(mine, at="3/L0/hh[1]", size=(120, 35)) as screen:
        old = screen.session.run
        rewrite(mine, "hidden_size", "hiden_size")
        await screen.press("R")
        await screen.until(lambda: "hiden_size" in screen.text)
        assert screen.session.run is old
        await screen.press("right")
        assert screen.session.place == "3/L0/hh[2]"


async def test_change_on_disk_is_noticed(opened, mine):
    async with opened(mine) as screen:
        rewrite(mine, "seed = 2", "seed = 3")
        screen.debugger.files.look_at_disk()
        await screen.pilot.pause()
        assert "changed on disk" in screen.text


async def test_several_scenarios_are_walked(opened):
    async with opened("hello", "rnn", "lstm") as screen:
        for name in ("rnn", "lstm"):
            await screen.press("N")
            await screen.until(lambda name=name: screen.session.run.scenario.name == name)
        await screen.press("N")
        assert "no other scenario" in screen.text
        await screen.press("P")
        await screen.until(lambda: screen.session.run.scenario.name == "rnn")


async def test_picker_opens_what_is_typed(opened):
    async with opened() as screen:
        await screen.until(lambda: isinstance(screen.app.screen, Picker))
        await screen.type("lstm_by")
        await screen.press("enter")
        await screen.until(lambda: screen.session is not None)
        assert screen.session.run.scenario.name == "lstm_by_hand"


async def test_picker_goes_down_and_up(opened):
    async with opened("hello") as screen:
        await screen.press("o", "down", "down", "up", "enter")
        await screen.until(lambda: screen.session.run.scenario.name == bundled.names()[1])


async def test_picker_finds_titles_in_the_language(opened):
    async with opened("hello", language="zh") as screen:
        await screen.press("o")
        await screen.until(lambda: isinstance(screen.app.screen, Picker))
        assert "打开场景" in screen.text


async def test_picker_opens_a_path_and_tells_a_wrong_one(opened, mine):
    async with opened("hello") as screen:
        await screen.press("o")
        await screen.until(lambda: isinstance(screen.app.screen, Picker))
        screen.app.focused.value = str(mine.with_name("nine.toml"))
        await screen.press("enter")
        assert "there is no such file" in screen.words
        screen.app.focused.value = str(mine)
        await screen.press("enter")
        await screen.until(lambda: screen.session.run.scenario.name == "mine")


async def test_bad_scenario_from_the_picker_keeps_the_old_one(opened, mine):
    rewrite(mine, "hidden_size", "hiden_size")
    async with opened("hello", at="2", size=(120, 35)) as screen:
        await screen.press("o")
        await screen.until(lambda: isinstance(screen.app.screen, Picker))
        screen.app.focused.value = str(mine)
        await screen.press("enter")
        await screen.until(lambda: "hiden_size" in screen.text)
        assert screen.session.run.scenario.name == "hello"
        assert screen.debugger.is_current


async def test_escape_in_the_first_picker_does_not_quit(opened):
    async with opened() as screen:
        await screen.until(lambda: isinstance(screen.app.screen, Picker))
        await screen.press("escape")
        assert screen.app.is_running
        assert "open" in screen.text
        await screen.press("right", "e", "i", "z", "c")
        assert screen.app.is_running


async def test_names_from_a_file_are_never_markup(opened, mine):
    rewrite(mine, "hello → ohlol: one RNNCell", "[@click=app.exit()]boom[/]")
    async with opened(mine) as screen:
        assert "[@click=app.exit()]" in screen.text
