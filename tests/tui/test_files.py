"""Opening, reading again, and choosing scenarios; what is wrong with one never closes another."""

from __future__ import annotations

import os
from functools import cache

import pytest

from rnnstep.folders import state_folder
from rnnstep.scenario import bundled
from rnnstep.scenario.bundled import COURSE, KEYWORDS, course
from rnnstep.tui.catalogue import catalogue, found_by
from rnnstep.tui.page import PageScreen
from rnnstep.tui.picker import Picker
from rnnstep.tui.remembered import NAME


@cache
def entries(language):
    """What a search looks through; every file is read for it."""
    return catalogue(language)


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
        screen.debugger.files.look_at_disk()
        await screen.press("R")
        await screen.until(lambda: "hiden_size" in screen.text)
        assert screen.session.run is old
        assert "changed on disk" not in screen.text
        await screen.press("right")
        assert "hiden_size" not in screen.text
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
        await screen.press("o", *["down"] * len(bundled.lessons()), "down", "down", "up", "enter")
        await screen.until(lambda: screen.session.run.scenario.name == course()[0][1][1])


async def test_a_lesson_is_picked(opened):
    async with opened(is_waited_for=False) as screen:
        await screen.until(lambda: isinstance(screen.app.screen, Picker))
        await screen.press("enter")
        await screen.until(lambda: screen.debugger.state.following is not None)
        assert screen.debugger.state.following.lesson.name == "rnn_by_hand"


def test_the_list_is_a_course_of_every_bundled_scenario():
    names = [entry.name for entry in catalogue("en")]
    lessons = list(bundled.lessons())
    assert names[: len(lessons)] == lessons
    assert names[len(lessons)] == "hello"
    assert sorted(names[len(lessons) :]) == sorted(bundled.names())
    assert course() == COURSE
    assert set(KEYWORDS) == {*bundled.names(), *lessons}


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("vanish", "vanishing"),
        ("lstm", "lstm"),
        ("LSTM", "lstm"),
        ("gru", "gru"),
        ("hand", "rnn_by_hand"),
        ("zero_grad", "pitfalls/no_zero_grad"),
        ("typo", "pitfalls/typo_in_data"),
        ("names", "names"),
        ("cell", "rnn_cell"),
        ("hello lst", "hello_lstm"),
        ("bptt", "back_through_time"),
        ("gradient", "back_through_time"),
    ],
)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_name_is_found_before_what_only_tells_of_it(typed, found, language):
    assert found_by(entries(language), typed)[0].name == found


@pytest.mark.parametrize("entry", entries("en"), ids=lambda entry: entry.name)
def test_every_name_finds_its_scenario_first(entry):
    assert found_by(entries("zh"), entry.name)[0].name == entry.name


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("bptt", {"back_through_time", "hello", "vanishing", "exploding"}),
        ("随时间反向传播", {"back_through_time", "hello"}),
        ("backprop", {"back_through_time", "hello"}),
        ("细胞状态", {"gates", "lstm"}),
        ("pitfalls", {"eight_mistakes", "pitfalls/oholo"}),
        ("梯度", {"back_through_time", "vanishing", "exploding", "pitfalls/no_zero_grad"}),
        ("nan", {"exploding", "relu"}),
        ("遗忘门", {"lstm_by_hand", "vanishing_lstm"}),
        ("gradient", {"back_through_time", "vanishing", "exploding"}),
        ("padding", {"packed"}),
        ("填充", {"packed"}),
        ("shapes", {"rnn", "multilayer"}),
    ],
)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_words_find_in_both_languages(typed, found, language):
    assert found <= {entry.name for entry in found_by(entries(language), typed)}


async def test_headings_stand_in_the_list_and_not_in_what_was_found(opened):
    async with opened(size=(80, 60)) as screen:
        await screen.until(lambda: isinstance(screen.app.screen, Picker))
        for heading in ("First steps", "Layers and shapes", "Gates", "Learning", "Pitfalls"):
            assert heading in screen.text
        await screen.type("lstm")
        assert "First steps" not in screen.text


@pytest.mark.parametrize("size", [(80, 24), (60, 17)])
@pytest.mark.parametrize(("language", "words"), [("en", "every number of"), ("zh", "每一个数")])
async def test_first_picker_says_what_the_program_is_and_what_to_do(opened, size, language, words):
    async with opened(size=size, language=language) as screen:
        await screen.until(lambda: isinstance(screen.app.screen, Picker))
        head = screen.text.split("\n")[0]
        assert "rnnstep" in head
        assert words in head
        assert "?" in "".join(screen.text.split("\n")[-3:])


@pytest.mark.parametrize("key", ["question_mark", "f1", "？"])
async def test_picker_has_help(opened, key):
    async with opened(size=(80, 40)) as screen:
        await screen.until(lambda: isinstance(screen.app.screen, Picker))
        await screen.press(key)
        await screen.until(lambda: isinstance(screen.app.screen, PageScreen))
        assert "The list" in screen.text
        await screen.press("L")
        await screen.until(lambda: isinstance(screen.app.screen, Picker))
        assert "入门" in screen.text
        await screen.type("lstm?")
        assert isinstance(screen.app.screen, Picker)


async def test_files_that_were_open_last_stand_after_the_lessons(opened, mine):
    async with opened(mine) as screen:
        await screen.press("right", "down", "down", "q")
    async with opened() as screen:
        await screen.until(lambda: isinstance(screen.app.screen, Picker))
        assert "Open last" in screen.text
        assert "1/L0/ih" in screen.text
        await screen.press(*["down"] * len(bundled.lessons()), "enter")
        await screen.until(lambda: screen.session is not None)
        assert screen.session.run.scenario.name == "mine"


async def test_a_first_start_is_greeted_once_and_the_key_does_its_work(opened):
    (state_folder() / NAME).unlink()
    async with opened("hello") as screen:
        assert "first time here" in screen.words
        await screen.press("right")
        assert screen.session.place == "1"
        assert "first time here" not in screen.words
    async with opened("hello") as screen:
        assert "first time here" not in screen.words


@pytest.mark.parametrize("key", ["question_mark", "g", "o", "space"])
async def test_the_card_goes_with_any_key(opened, key):
    (state_folder() / NAME).unlink()
    async with opened("hello") as screen:
        await screen.press(key)
        await screen.press("escape")
        assert "first time here" not in screen.words


@pytest.mark.parametrize("language", ["en", "zh"])
def test_summaries_of_the_list_hold_no_markdown(language):
    for entry in catalogue(language):
        assert "`" not in entry.summary
        assert "**" not in entry.summary
    assert "*hello*" not in catalogue(language)[0].summary


async def test_picker_tells_how_much_is_not_seen(opened):
    async with opened("hello") as screen:
        await screen.press("o")
        await screen.until(lambda: isinstance(screen.app.screen, Picker))
        head = screen.text.split("\n")[0]
        assert "↓" in head
        assert "↑" not in head
        await screen.press(*["pagedown"] * 9)
        head = screen.text.split("\n")[0]
        assert "↑" in head
        assert "↓" not in head


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


@pytest.mark.parametrize("key", ["escape", "q", "ctrl+c", "ctrl+q"])
async def test_first_picker_is_left_with_the_program(opened, key):
    async with opened() as screen:
        await screen.until(lambda: isinstance(screen.app.screen, Picker))
        assert "q quits" in screen.words
        await screen.press(key)
        await screen.until(lambda: screen.app._exit)
        assert (screen.app.return_code or 0, screen.app.problem) == (0, None)


@pytest.mark.parametrize("key", ["escape", "q"])
async def test_picker_over_a_scenario_is_closed_alone(opened, key):
    async with opened("hello") as screen:
        await screen.press("o")
        await screen.until(lambda: isinstance(screen.app.screen, Picker))
        await screen.press(key)
        assert screen.debugger.is_current
        assert not screen.app._exit


async def test_q_is_a_letter_where_something_is_typed_and_ctrl_c_still_quits(opened):
    async with opened("hello") as screen:
        await screen.press("o")
        await screen.until(lambda: isinstance(screen.app.screen, Picker))
        await screen.type("sq")
        assert screen.app.focused.value == "sq"
        await screen.press("ctrl+c")
        assert screen.app.farewell == "rnnstep hello"


async def test_bad_scenario_from_the_first_picker_leads_back_to_it(opened, mine):
    rewrite(mine, "hidden_size", "hiden_size")
    async with opened() as screen:
        await screen.until(lambda: isinstance(screen.app.screen, Picker))
        screen.app.focused.value = str(mine)
        await screen.press("enter")
        await screen.until(lambda: "hiden_size" in screen.text)
        assert isinstance(screen.app.screen, Picker)
        screen.app.focused.value = "lstm_by"
        await screen.press("enter")
        await screen.until(lambda: screen.session is not None)


# ── several files ────────────────────────────────────────────────────────────────────────


async def test_coming_back_to_a_scenario_finds_its_place_and_row(opened):
    async with opened("rnn_cell_batch", "hello") as screen:
        await screen.press("right", "right", "right_curly_bracket", "down", "down")
        place = screen.session.place_and_row
        assert place.endswith("@row1")
        await screen.press("N")
        await screen.until(lambda: screen.session.run.scenario.name == "hello")
        await screen.press("home", "right", "P")
        await screen.until(lambda: screen.session.run.scenario.name == "rnn_cell_batch")
        assert screen.session.place_and_row != place
        await screen.press("backspace")
        assert screen.session.place_and_row == place


async def test_a_place_that_a_changed_file_has_no_more_is_forgotten(opened, mine):
    async with opened(mine, "hello", at="5") as screen:
        await screen.press("N")
        await screen.until(lambda: screen.session.run.scenario.name == "hello")
        rewrite(mine, 'text = "hello"', 'text = "hel"')
        rewrite(mine, "ohlol", "ohl")
        await screen.press("P")
        await screen.until(lambda: screen.session.run.scenario.name == "mine")
        assert screen.session.position.is_start


async def test_a_bad_file_among_good_ones_is_told_and_passed_over(opened, mine):
    rewrite(mine, "hidden_size", "hiden_size")
    async with opened(mine, "hello", "rnn", size=(120, 35)) as screen:
        assert screen.session.run.scenario.name == "hello"
        assert "did you mean `hidden_size`" in screen.words
        await screen.press("N")
        await screen.until(lambda: screen.session.run.scenario.name == "rnn")
        assert "hiden_size" not in screen.text


async def test_a_bad_file_reached_by_its_key_is_told_and_passed_over(opened, mine):
    rewrite(mine, "hidden_size", "hiden_size")
    async with opened("hello", mine, "rnn", size=(120, 35)) as screen:
        await screen.press("N")
        await screen.until(lambda: "hiden_size" in screen.text)
        assert screen.session.run.scenario.name == "hello"
        await screen.press("N")
        await screen.until(lambda: screen.session.run.scenario.name == "rnn")


async def test_nothing_but_bad_files_leave_with_all_their_messages(opened, mine, tmp_path):
    rewrite(mine, "hidden_size", "hiden_size")
    other = tmp_path / "other.toml"
    other.write_text("=", "utf-8")
    async with opened(mine, other, is_waited_for=False) as screen:
        await screen.until(lambda: screen.app.problem is not None)
        assert f"{mine}:" in screen.app.problem
        assert f"{other}:" in screen.app.problem
        assert screen.app.return_code == 2


async def test_names_from_a_file_are_never_markup(opened, mine):
    rewrite(mine, "hello → ohlol: one RNNCell", "[@click=app.exit()]boom[/]")
    async with opened(mine) as screen:
        assert "[@click=app.exit()]" in screen.text


async def test_two_files_are_compared_by_turns(opened):
    async with opened("hello", "hello_lstm", at="3/L0/hh[1]", size=(120, 35)) as screen:
        await screen.press("N")
        await screen.until(lambda: screen.look and screen.session.run.scenario.name == "hello_lstm")
        assert screen.session.place == "3/L0/hh_g[1]"
        assert "3/L0/hh_g[1] stands for 3/L0/hh[1]" in screen.words
        await screen.press("P")
        await screen.until(lambda: screen.session.run.scenario.name == "hello")
        assert screen.session.place == "3/L0/hh[1]"
        await screen.press("N")
        await screen.until(lambda: screen.session.run.scenario.name == "hello_lstm")
        await screen.press("up", "down")
        assert screen.session.place == "3/L0/hh_g[1]"


async def test_a_turn_without_a_move_returns_to_the_very_place(opened):
    async with opened("hello_lstm", "hello", at="3/L0/i[1]", size=(120, 35)) as screen:
        await screen.press("N")
        await screen.until(lambda: screen.session.run.scenario.name == "hello")
        assert screen.session.place == "3/L0/h[1]"
        await screen.press("P")
        await screen.until(lambda: screen.session.run.scenario.name == "hello_lstm")
        assert screen.session.place == "3/L0/i[1]"


async def test_backspace_after_a_turn_goes_to_where_one_was_last_in_that_file(opened):
    async with opened("hello", "hello_lstm", at="3/L0", size=(120, 35)) as screen:
        await screen.press("N")
        await screen.until(lambda: screen.session.run.scenario.name == "hello_lstm")
        await screen.press("P")
        await screen.until(lambda: screen.session.run.scenario.name == "hello")
        await screen.press("g", *"1/ih", "enter", "N")
        await screen.until(lambda: screen.session.run.scenario.name == "hello_lstm")
        assert screen.session.place == "1/L0/ih_g"
        assert "Backspace goes to 3/L0" in screen.words
        await screen.press("backspace")
        assert screen.session.place == "3/L0"


async def test_at_start_the_other_file_is_at_start_and_says_what_it_is_about(opened):
    async with opened("hello", "hello_lstm", size=(120, 35)) as screen:
        await screen.press("N")
        await screen.until(lambda: screen.session.run.scenario.name == "hello_lstm")
        assert screen.session.place == "start"
        assert screen.text.splitlines()[-3].startswith(" hello_lstm: ")


async def test_running_back_has_a_key(opened):
    async with opened("hello", at="2/L0/hh") as screen:
        await screen.press("b", "end", "C")
        assert screen.session.place.endswith("L0/hh")
        await screen.press("home", "C")
        assert "this is the start" in screen.words
