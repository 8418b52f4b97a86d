"""A second run on the screen: `|`, its prompt, edits beside it, and the line that comes back."""

from __future__ import annotations

import pytest

from rnnstep.scenario.bundled import find


def names(screen):
    pair = screen.session.beside
    return None if pair is None else tuple(map(str, pair.names(screen.session.run)))


async def stands(screen, *expected):
    await screen.until(lambda: screen.session is not None and names(screen) == (expected or None))


async def test_it_opens_with_what_the_command_line_puts_beside(opened):
    async with opened("hello", beside="hello_lstm") as screen:
        await stands(screen, "hello", "hello_lstm")
        await screen.press("right", "right", "down", "down")
        assert "hh_g" not in screen.text
        await screen.press("right")
        assert "hello_lstm" in screen.text
        assert "hh_g" in screen.text


@pytest.mark.parametrize("key", ["vertical_line", "｜"])
async def test_the_key_asks_and_takes_away(opened, key):
    async with opened("hello") as screen:
        await screen.press(key)
        assert screen.app.debugger.prompt is not None
        await screen.press(*"epoch=15", "enter")
        await stands(screen, "epoch 1", "epoch 15")
        await screen.press(key)
        await stands(screen)
        assert "both runs" not in screen.text


async def test_a_bad_value_is_told_in_the_prompt_and_stays_to_be_mended(opened):
    async with opened("hello") as screen:
        await screen.press("vertical_line", *"dtype=half", "enter")
        assert screen.app.debugger.prompt is not None
        await screen.press(*["backspace"] * 4, *"float64", "enter")
        await stands(screen, "float32", "float64")


async def test_the_run_before_an_edit_comes_first(opened):
    async with opened("hello", at="3/hh[1]") as screen:
        await screen.press("plus", "vertical_line")
        await stands(screen, "after", "before")
        await screen.press("u", "U", "plus")
        await stands(screen, "after", "before")


async def test_then_the_cure(opened):
    async with opened("pitfalls/oholo") as screen:
        await screen.press("vertical_line")
        await stands(screen, "mistake", "cure")
        await screen.press("m")
        await stands(screen, "cure", "mistake")


async def test_what_is_not_there_is_told_and_changes_nothing(opened):
    async with opened("hello", beside="hello_gru") as screen:
        await stands(screen, "hello", "hello_gru")
        screen.app.debugger.second.put("epoch=99")
        await screen.until(lambda: "epochs 1 to 15" in screen.text)
        assert names(screen) == ("hello", "hello_gru")


async def test_the_other_files_keep_it_and_a_chosen_one_does_not(opened):
    async with opened("hello", "hello_gru", beside="hello_lstm") as screen:
        await stands(screen, "hello", "hello_lstm")
        await screen.press("N")
        await stands(screen, "hello_gru", "hello_lstm")


async def test_torch_is_asked_about_the_second_run_and_its_process_ends_with_it(opened):
    async with opened("hello", beside="hello_lstm") as screen:
        await stands(screen, "hello", "hello_lstm")
        assert len(screen.workers) == 2
        assert screen.workers[1].requests[-1][1].name == "hello_lstm"
        assert "| …" in screen.text.split("\n")[0]
        await screen.press("vertical_line")
        assert screen.workers[1].is_closed


@pytest.mark.parametrize("text", ["hello_lstm", "dtype=float64", "epoch=15"])
async def test_the_line_that_comes_back_has_it(opened, text):
    async with opened("hello", beside=text) as screen:
        await screen.until(lambda: screen.session.beside is not None)
        await screen.press("right", "q")
    assert f"rnnstep hello --beside {text} --at 1" in screen.app.farewell


async def test_what_comes_after_another_file_was_opened_is_dropped(opened):
    async with opened("hello", "rnn") as screen:
        screen.debugger.second.put("dtype=float64")
        screen.debugger.files.open(screen.debugger.files.sources[1])
        await screen.until(lambda: screen.session.run.scenario.name == "rnn")
        await screen.pilot.pause(0.5)
        assert names(screen) is None


async def test_reading_the_file_again_reads_what_stands_beside_again(opened, tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(find("hello").read_text("utf-8"), "utf-8")
    async with opened(path, beside="epoch=3") as screen:
        await stands(screen, "epoch 1", "epoch 3")
        path.write_text(path.read_text("utf-8").replace("epochs = 15", "epochs = 2"), "utf-8")
        await screen.press("R")
        await screen.until(lambda: "epochs 1 to 2" in screen.words)
        assert names(screen) is None
