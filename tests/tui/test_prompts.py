"""Prompts: what is typed is done, what is wrong with it is told and can be mended, Esc closes."""

from __future__ import annotations

import pytest

BAD = [
    ("g", "9/L0", "no step 9"),
    ("g", "hh[[", "is not a place"),
    ("g", "3/L0/hz", "did you mean"),
    ("e", "W_hh[0,2]", "an edit is written"),
    ("e", "W_hh[0,9] = 1", "outside W_hh"),
    ("e", "hh[0] = 1", "is computed here"),
    ("e", "W_hh[0,2] = wide", "not a number"),
    ("w", "norm(hq)", "did you mean"),
    ("w", "__import__('os')", "`"),
    ("B", "max(abs(h)) >", ""),
]


async def asked(screen, key, text):
    await screen.press(key)
    await screen.until(lambda: screen.app.focused is not None and screen.app.focused.id != "canvas")
    screen.app.focused.value = text
    await screen.press("enter")


@pytest.mark.parametrize(("key", "text", "told"), BAD)
async def test_bad_entry_is_told_and_the_prompt_stays(opened, key, text, told):
    async with opened("hello", at="3/L0/hh[1]") as screen:
        before = screen.session
        await asked(screen, key, text)
        assert screen.debugger.prompt is not None
        assert told in screen.text
        assert screen.session is before
        await screen.press("escape")
        assert screen.debugger.prompt is None


async def test_mended_entry_is_taken(opened):
    async with opened("hello") as screen:
        await asked(screen, "g", "9")
        screen.app.focused.value = "4/L0/hh[2]"
        await screen.press("enter")
        assert screen.debugger.prompt is None
        assert screen.session.place == "4/L0/hh[2]"
        await screen.press("left")
        assert screen.session.place == "4/L0/hh[1]"


async def test_letters_typed_in_a_prompt_are_no_commands(opened):
    async with opened("hello") as screen:
        await screen.press("g")
        await screen.type("nsup3")
        assert screen.session.position.is_start
        assert screen.app.focused.value == "nsup3"
        await screen.press("down", "pagedown", "f5", "ctrl+s")
        assert screen.session.position.is_start


async def test_escape_never_quits(opened):
    async with opened("hello") as screen:
        await screen.press("escape", "escape", "escape")
        assert screen.app.is_running
        assert screen.debugger.is_current


async def test_edit_prompt_holds_the_number_selected(opened):
    async with opened("hello", at="3/L0/hh[1].2") as screen:
        await screen.press("e")
        await screen.until(lambda: screen.app.focused.id != "canvas")
        await screen.type("0.5")
        await screen.press("enter")
        (edit,) = screen.session.edits
        assert (edit.target.shown, edit.value) == ("W_hh[1,2]", 0.5)


async def test_edit_understands_the_signs_of_a_chinese_keyboard(opened):
    async with opened("hello", at="3/L0/hh[1]") as screen:
        await asked(screen, "e", "W_hh[0，2] ＝ −0.5")
        assert [edit.value for edit in screen.session.edits] == [-0.5]


async def test_watch_and_condition_are_taken(opened):
    async with opened("hello") as screen:
        await asked(screen, "w", "norm(h)")
        assert [watch.text for watch in screen.session.watches] == ["norm(h)"]
        await asked(screen, "B", "t == 2")
        await screen.press("c")
        assert screen.session.spot.t == 2


async def test_prompts_speak_the_language_of_the_screen(opened):
    async with opened("hello", language="zh") as screen:
        await screen.press("g")
        await screen.until(lambda: "转到" in screen.text)
        await screen.type("99")
        await screen.press("enter")
        assert screen.debugger.prompt is not None


async def test_a_click_beside_a_prompt_leaves_it_the_keys(opened):
    async with opened("hello") as screen:
        await screen.press("g")
        await screen.until(lambda: screen.debugger.prompt.has_focus_within)
        await screen.pilot.click(offset=(40, 3))
        await screen.type("4")
        await screen.press("enter")
        assert screen.session.place == "4"


async def test_words_are_found_in_the_help(opened):
    async with opened("hello", at="3/L0/hh", size=(80, 24)) as screen:
        await screen.press("question_mark")
        await screen.until(lambda: "Under the cursor: 3/L0/hh" in screen.text)
        await screen.press("slash", *"0-2", "backspace", "backspace", "backspace", *"hx")
        assert "torch's argument hx holds" in screen.words
        await screen.press("escape")
        assert "hx" in screen.text
        await screen.press("escape")
        assert screen.session.place == "3/L0/hh"
        assert "Under the cursor" not in screen.text


async def test_an_operation_alone_is_that_of_this_step_and_tab_completes(opened):
    async with opened("hello", at="3/L0/a[1]") as screen:
        await screen.press("g", *"hh[2]", "enter")
        assert screen.session.place == "3/L0/hh[2]"
        await screen.press("g", *"back", "tab")
        assert screen.debugger.prompt.query_one("PromptLine").value == "backward:"
        await screen.press(*"2/", "tab")
        assert "L0" in screen.text
        await screen.press(*"L", "tab", *"/d.a", "enter")
        assert screen.session.place == "backward:2/L0/∂a"


async def test_a_line_is_copied_and_said(opened):
    async with opened("hello", at="3/L0/hh[1]", size=(120, 35)) as screen:
        await screen.press("y")
        assert f"copied to the clipboard: {screen.app.clipboard[:20]}" in screen.words
        await screen.press("up", "Y")
        assert "pmatrix" in screen.app.clipboard
        await screen.press("home", "y")
        assert "go to an operation" in screen.words
