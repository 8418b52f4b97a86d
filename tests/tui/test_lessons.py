"""A lesson that is followed on the screen: with Tab, with a presenter's remote, with digits and numbers."""

from __future__ import annotations

import pytest
from textual.events import Key

from rnnstep.scenario import bundled
from rnnstep.tui.stop_list import StopList
from rnnstep.tui.unsaved import Unsaved
from tests.lesson_files import LESSON, OWN_STOPS


@pytest.fixture
def lesson(tmp_path):
    path = tmp_path / "lesson.toml"
    path.write_text(LESSON, "utf-8")
    return path


def stop_of(screen) -> int | None:
    """The number of the stop, from 1."""
    following = screen.debugger.state.following
    return None if following is None else following.number + 1


async def at_stop(screen, number: int) -> None:
    await screen.until(lambda: stop_of(screen) == number and not screen.debugger.files.is_reading)


async def test_tab_goes_from_stop_to_stop(opened, lesson):
    async with opened(lesson) as screen:
        await at_stop(screen, 1)
        assert "stop 1/4 · Trying" in screen.text
        assert "One RNNCell reads hello." in screen.text
        await screen.press("shift+tab")
        assert "this is the first stop" in screen.text
        await screen.press("tab")
        assert screen.session.place == "3/L0/hh[1]"
        assert "What is it? Type the number" in screen.text
        await screen.press("tab")  # shows it first
        assert stop_of(screen) == 2
        assert "−0.5776" in screen.text
        await screen.press("tab", "tab", "tab")
        await at_stop(screen, 4)
        assert screen.session.run.scenario.name == "rnn_cell"
        await screen.press("tab")
        assert "this is the last stop" in screen.text
        await screen.press("shift+tab", "shift+tab")
        await at_stop(screen, 2)
        assert not screen.session.is_hidden  # a question that has ended is not asked again


async def test_a_remote_goes_from_stop_to_stop(opened, lesson):
    async with opened(lesson, is_remote=True) as screen:
        await at_stop(screen, 1)
        await screen.press("pagedown")
        assert (stop_of(screen), screen.session.is_hidden) == (2, True)
        await screen.press("pagedown")
        assert (stop_of(screen), screen.session.is_hidden) == (2, False)
        await screen.press("pagedown")
        assert stop_of(screen) == 3
        await screen.press("pageup")
        assert stop_of(screen) == 2
        await screen.press("f5")
        assert stop_of(screen) == 1
        assert screen.session.place == "start"


async def test_a_number_is_typed(opened, lesson):
    async with opened(lesson, stop=2) as screen:
        await at_stop(screen, 2)
        await screen.press("-")
        await screen.until(lambda: screen.app.focused is not None and screen.app.focused.id != "canvas")
        screen.app.focused.value = "-0.5"  # with one decimal all the way nearly anything would be honest
        await screen.press("enter")
        assert "say it with two decimals" in screen.text
        screen.app.focused.value = "-0.52"
        await screen.press("enter")
        assert "not right" in screen.text
        screen.app.focused.value = "-0.58"
        await screen.press("enter")
        assert screen.debugger.state.following.end == "right"
        assert "✓ answered right" in screen.text
        await screen.press("tab")
        assert stop_of(screen) == 3


async def test_a_digit_chooses_an_option(opened, lesson):
    async with opened(lesson, stop=3) as screen:
        await at_stop(screen, 3)
        await screen.press("1")
        assert "× W_ih @ x" in screen.text
        assert "not this one" in screen.text
        await screen.press("2")
        assert "✓ W_hh @ h_prev" in screen.text
        await screen.press("0")  # a digit does what it did before
        assert screen.debugger.state.following.end == "right"


async def test_reveal_ends_a_question_too(opened, lesson):
    async with opened(lesson, stop=2) as screen:
        await at_stop(screen, 2)
        await screen.press("full_stop")
        assert screen.debugger.state.following.end == "shown"
        await screen.press("tab", "full_stop")
        assert stop_of(screen) == 3
        assert screen.debugger.state.following.end == "shown"


async def test_moves_and_edits_do_not_lose_the_lesson(opened, lesson):
    async with opened(lesson, stop=3) as screen:
        await at_stop(screen, 3)
        await screen.press("2", "left", "left", "down", "plus")
        assert screen.session.edits
        assert "at 3/L0/h; now elsewhere" in screen.text
        edited = screen.session.run.scenario
        await screen.press("tab")
        await at_stop(screen, 4)
        assert screen.session.run.scenario.name == "rnn_cell"
        await screen.press("shift+tab")
        await at_stop(screen, 3)
        assert screen.session.run.scenario is edited
        assert screen.session.has_unsaved_edits


async def test_edits_in_a_scenario_that_was_left_are_asked_about(opened, lesson):
    async with opened(lesson, stop=3) as screen:
        await at_stop(screen, 3)
        await screen.press("2", "left", "left", "down", "plus", "tab")
        await at_stop(screen, 4)
        await screen.press("q")
        assert isinstance(screen.app.screen, Unsaved)
        assert screen.session.run.scenario.name == "hello"
        await screen.press("enter")
    assert screen.app.return_code == 0


async def test_quitting_says_what_comes_back(opened, lesson):
    async with opened(lesson, stop=2) as screen:
        await at_stop(screen, 2)
        await screen.press("q")
    assert screen.app.farewell == f"rnnstep lesson {lesson} --stop 2"


async def test_a_stop_that_is_not_there(opened, lesson):
    async with opened(lesson, stop=9, is_waited_for=False) as screen:
        await screen.until(lambda: screen.app.problem is not None)
    assert screen.app.problem == "there is no stop 9: lesson has 4"


async def test_another_scenario_keeps_the_lesson(opened, lesson):
    async with opened(lesson, "rnn") as screen:
        await at_stop(screen, 1)
        await screen.press("N")
        await screen.until(lambda: screen.session.run.scenario.name == "rnn")
        assert "stop 1/4: Tab goes on" in screen.text
        await screen.press("tab")
        assert stop_of(screen) == 2
        assert screen.session.run.scenario.name == "hello"


async def test_the_list_of_stops(opened, lesson):
    async with opened(lesson) as screen:
        await at_stop(screen, 1)
        await screen.press("S")
        assert isinstance(screen.app.screen, StopList)
        assert "[question] Then tanh." in screen.text
        await screen.press("down", "down", "enter")
        assert stop_of(screen) == 3
        await screen.press("S", "x")
        assert stop_of(screen) is None
        await screen.press("pagedown")
        assert screen.session.place == "3/loss/p"  # the next place again


async def test_a_scenarios_own_stops_begin_with_tab(opened, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(bundled.find("hello").read_text("utf-8") + OWN_STOPS, "utf-8")
    async with opened(path) as screen:
        assert stop_of(screen) is None
        await screen.press("pagedown")
        assert screen.session.place == "1"  # → as ever
        await screen.press("tab")
        assert stop_of(screen) == 1
        assert screen.session.place == "1/L0/h"
        await screen.press("pagedown")
        assert stop_of(screen) == 2
        path.write_text(path.read_text("utf-8").replace("The second one.", "The second state."), "utf-8")
        await screen.press("R")
        await screen.until(lambda: "The second state." in screen.text)
        assert stop_of(screen) == 2
        await screen.press("q")
    assert screen.app.farewell == f"rnnstep {path} --stop 2"


async def test_a_lesson_is_read_again(opened, lesson):
    async with opened(lesson, stop=4) as screen:
        await at_stop(screen, 4)
        lesson.write_text(LESSON.replace("Another scenario.", "Said otherwise."), "utf-8")
        await screen.press("R")
        await screen.until(lambda: "Said otherwise." in screen.text)
        lesson.write_text(LESSON.replace("Another", "[[").replace("say", "sya"), "utf-8")
        await screen.press("R")
        await screen.until(lambda: "not opened" in screen.text)
        assert stop_of(screen) == 4


async def test_a_place_that_is_not_there_is_told(opened, tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(LESSON.replace('3/L0/h"', '9/L0/h"'), "utf-8")
    async with opened(path, stop=2) as screen:
        await at_stop(screen, 2)
        await screen.press("tab", "tab")
        assert stop_of(screen) == 2
        assert "bad.toml:13:1: `at`: " in screen.words


async def test_a_scenario_without_stops_says_so(opened):
    async with opened("hello") as screen:
        await screen.press("tab")
        assert "this scenario has no stops" in screen.text
        await screen.press("S")
        assert "this scenario has no stops" in screen.text


@pytest.mark.parametrize("size", [(80, 24), (120, 35), (200, 60)])
@pytest.mark.parametrize("language", ["en", "zh"])
async def test_the_words_stand_beside_the_place_at_every_size(opened, lesson, size, language, snapshot):
    async with opened(lesson, stop=3, size=size, language=language) as screen:
        await at_stop(screen, 3)
        assert "\n" + screen.text == snapshot
        await screen.press("z")
        assert "Then tanh." in screen.text
        await screen.press("v")
        assert "Then tanh." in screen.text


async def test_a_remote_goes_on_while_an_answer_is_typed(opened, lesson):
    async with opened(lesson, stop=2) as screen:
        await at_stop(screen, 2)
        await screen.press("-")
        await screen.until(lambda: screen.debugger.prompt is not None)
        await screen.press("pagedown")
        assert screen.debugger.prompt is None
        assert screen.debugger.state.following.end == "shown"
        await screen.press("pagedown")
        assert stop_of(screen) == 3


async def test_read_again_it_is_at_the_stop_as_the_file_says_now(opened, lesson):
    async with opened(lesson, stop=2) as screen:
        await at_stop(screen, 2)
        text = LESSON.replace('at = "3/L0/hh[1]"', 'at = "4/L0/h"\nshow = ["timeline"]')
        lesson.write_text(text, "utf-8")
        await screen.until(lambda: "changed on disk" in screen.text)
        await screen.press("b", "R")
        await screen.until(lambda: screen.session.place == "4/L0/h")
        assert screen.debugger.state.look.shows == ("timeline",)
        assert screen.session.is_hidden
        assert screen.session.breakpoints  # they stay
        await screen.press("right")
        await screen.press("R")
        await at_stop(screen, 2)
        assert screen.session.place != "4/L0/h"  # elsewhere one stays there


async def test_a_scenarios_own_stop_is_read_again(opened, tmp_path):
    path = tmp_path / "own.toml"
    text = bundled.find("hello").read_text("utf-8") + OWN_STOPS
    path.write_text(text, "utf-8")
    async with opened(path) as screen:
        await screen.press("tab")
        assert screen.session.place == "1/L0/h"
        path.write_text(text.replace('at = "1/L0/h"', 'at = "3/L0/a"'), "utf-8")
        await screen.press("R")
        await screen.until(lambda: screen.session.place == "3/L0/a")
        assert stop_of(screen) == 1


async def test_tab_goes_back_to_a_number_before_it_shows_it(opened, lesson):
    async with opened(lesson, stop=2) as screen:
        await at_stop(screen, 2)
        await screen.press("left", "tab")
        assert (stop_of(screen), screen.session.place) == (2, "3/L0/hh[1]")
        assert "−0.5776" not in screen.text
        await screen.press("tab")
        assert "−0.5776" in screen.text


@pytest.mark.parametrize(
    ("typed", "told"),
    [("0.5776", "the sum has the other sign"), ("-0.3857", "term 5 is missing")],
)
async def test_a_slip_in_the_sum_is_named(opened, lesson, typed, told):
    """hh[1] is a sum of four products and a bias of −0.1919, −0.5776 in all."""
    async with opened(lesson, stop=2) as screen:
        await at_stop(screen, 2)
        await screen.press("a")
        await screen.until(lambda: screen.app.focused is not None and screen.app.focused.id != "canvas")
        screen.app.focused.value = typed
        await screen.press("enter", "enter")
        assert "hint: " in screen.text
        await screen.press("enter")
        assert f"perhaps: {told}" in screen.text


async def test_tab_shows_a_number_while_the_line_is_open(opened, lesson):
    async with opened(lesson, stop=2) as screen:
        await at_stop(screen, 2)
        await screen.press("a")
        await screen.until(lambda: screen.app.focused is not None and screen.app.focused.id != "canvas")
        await screen.press("tab")
        await screen.until(lambda: screen.debugger.state.following.end == "shown")
        assert screen.debugger.prompt is None


@pytest.mark.parametrize("key", ["－", "２"])
async def test_signs_of_a_chinese_keyboard_answer(opened, lesson, key):
    async with opened(lesson, stop=2 if key == "－" else 3) as screen:
        await at_stop(screen, 2 if key == "－" else 3)
        name = "fullwidth_hyphen_minus" if key == "－" else key  # as a terminal's driver calls it
        screen.app.post_message(Key(name, key))
        await screen.pilot.pause()
        if key == "－":
            await screen.until(lambda: screen.debugger.prompt is not None)
            assert not screen.session.edits
        else:
            assert screen.debugger.state.following.end == "right"


async def test_what_is_typed_after_a_wrong_number_takes_its_place(opened, lesson):
    async with opened(lesson, stop=2) as screen:
        await at_stop(screen, 2)
        await screen.press("-")
        await screen.until(lambda: screen.app.focused is not None and screen.app.focused.id != "canvas")
        await screen.press(*"0.52", "enter", *"-0.58")
        assert screen.app.focused.value == "-0.58"
