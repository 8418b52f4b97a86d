"""Settings of the user's own on the screen, and what the program remembers from one start to the next."""

from __future__ import annotations

import json

import pytest

from rnnstep.folders import CONFIG, config_file, state_folder
from rnnstep.scenario import bundled
from rnnstep.settings import read_settings
from rnnstep.tui.remembered import MOST_FILES, NAME, Remembered, recall, remember


def write(text):
    config_file(CONFIG).parent.mkdir(parents=True, exist_ok=True)
    config_file(CONFIG).write_text(text, "utf-8")
    return read_settings()


async def test_settings_speak_for_the_screen(opened):
    settings = write('language = "zh"\ntheme = "light"\ndecimals = 2\nedit_step = 0.5\n')
    async with opened("hello", settings=settings) as screen:
        assert screen.look.language == "zh"
        assert screen.look.decimals == 2
        assert screen.app.theme == "rnnstep-light"


async def test_plus_adds_the_step_that_is_set(opened):
    settings = write("edit_step = 0.5\n")
    async with opened("hello", at="1/L0/hh[0].0", settings=settings) as screen:
        before = screen.session.run.scenario.parameters["weight_hh"]
        await screen.press("plus")
        changed = screen.session.run.scenario.parameters["weight_hh"] - before
        assert changed[0, 0] == pytest.approx(0.5)
        await screen.press("minus", "minus")
        changed = screen.session.run.scenario.parameters["weight_hh"] - before
        assert changed[0, 0] == pytest.approx(-0.5)


async def test_an_option_beats_the_scenario_and_the_scenario_the_file(opened, tmp_path):
    settings = write("decimals = 2\n")
    mine = tmp_path / "mine.toml"
    mine.write_text(bundled.find("hello").read_text("utf-8") + "\n[display]\ndecimals = 3\n", "utf-8")
    async with opened(mine, settings=settings) as screen:
        assert screen.look.decimals == 3
    async with opened(mine, settings=settings, decimals=5) as screen:
        assert screen.look.decimals == 5


async def test_broken_settings_are_told_and_the_rest_used(opened):
    settings = write('theme = "light"\ndecimals = "two"\n')
    async with opened("hello", settings=settings, size=(120, 35)) as screen:
        assert screen.app.theme == "rnnstep-light"
        await screen.until(lambda: "`decimals`: found" in screen.words.replace("▌ ", ""))


def test_what_is_remembered_is_read_again():
    found = Remembered({}).at(bundled.find("hello"), "3/L0/hh[1]")
    remember(found)
    assert recall() == found
    assert recall().place(bundled.find("hello")) == "3/L0/hh[1]"


def test_the_file_that_was_open_last_comes_first_and_there_are_not_too_many(tmp_path):
    found = Remembered({})
    for number in range(MOST_FILES + 5):
        found = found.at(tmp_path / f"{number}.toml", "2")
    found = found.at(tmp_path / "20.toml", "3")
    assert len(found.places) == MOST_FILES
    assert next(iter(found.places)) == tmp_path / "20.toml"


@pytest.mark.parametrize(
    "text", ["", "[", "[]", "3", '{"files": 3}', '{"files": [3, {"path": 3}]}', "[" * 100000, "\x00"]
)
def test_a_broken_file_is_as_none(text):
    state_folder().mkdir(parents=True, exist_ok=True)
    (state_folder() / NAME).write_text(text, "utf-8")
    assert recall().places == {}


def test_a_folder_that_takes_nothing_stops_nobody(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    remember(Remembered({}).at(tmp_path / "x.toml", "2"))
    assert recall().places == {}


async def test_where_one_was_is_offered_the_next_time_and_not_forced(opened):
    async with opened("hello") as screen:
        await screen.press("right", "right", "q")
    assert json.loads((state_folder() / NAME).read_text("utf-8"))["files"][0]["place"] == "2"
    async with opened("hello") as screen:
        assert screen.session.place == "start"
        assert "where you last were: 2" in screen.words
        await screen.press("backspace")
        assert screen.session.place == "2"
    async with opened("hello", at="3") as screen:
        assert screen.session.place == "3"


async def test_a_file_that_was_changed_offers_nothing(opened):
    remember(Remembered({}).at(bundled.find("hello"), "99/L7/none"))
    async with opened("hello") as screen:
        assert screen.session.place == "start"
        assert screen.session.note is None
