"""The keys that take a writer's own numbers: answers beside the run, and a number for a hidden value."""

from __future__ import annotations

from textual.events import Paste

ANSWERS = "h_1 = 0.215 0.251 -0.484 -0.094 | h_2 = 0.248 0.392 0.197 -0.207"


async def asked(screen, key, text):
    await screen.press(key)
    await screen.until(lambda: screen.app.focused is not None and screen.app.focused.id != "canvas")
    screen.app.focused.value = text
    await screen.press("enter")


async def test_answers_are_put_beside_the_run(opened):
    async with opened("hello") as screen:
        await asked(screen, "A", "none.toml")
        assert "none.toml: there is no such file" in screen.text
        screen.app.focused.value = ANSWERS
        await screen.press("enter")
        assert screen.debugger.prompt is None
        assert screen.session.place == "2/L0/h[0]"
        assert "yours" in screen.text
        assert "1 of 2 right; this is the first wrong one: h_2" in screen.text
        await asked(screen, "A", "")
        assert screen.session.own is None


async def test_several_pasted_lines_are_one(opened):
    async with opened("hello") as screen:
        await screen.press("A")
        await screen.until(lambda: screen.debugger.prompt is not None)
        screen.app.focused.post_message(Paste(ANSWERS.replace(" | ", "\n") + "\n"))
        await screen.until(lambda: screen.app.focused.value == ANSWERS)
        await screen.press("enter")
        assert screen.session.place == "2/L0/h[0]"


async def test_a_digit_answers_for_a_hidden_value(opened):
    async with opened("hello", at="2/L0/hh[0]") as screen:
        await screen.press("a")
        assert screen.debugger.prompt is None  # nothing is hidden yet
        await screen.press("p", "right")
        assert screen.session.is_hidden
        await screen.press("-")
        await screen.until(lambda: screen.debugger.prompt is not None)
        assert screen.app.focused.value == "-"
        screen.app.focused.value = "0.32"
        await screen.press("enter")
        assert "not right" in screen.text
        await screen.press("enter")
        await screen.press("enter")
        assert "perhaps: the sum has the other sign" in screen.text
        screen.app.focused.value = "-0.32"
        await screen.press("enter")
        assert screen.debugger.prompt is None
        assert not screen.session.is_hidden
        assert "-0.32 is right" in screen.text


async def test_a_number_that_is_typed_at_once_or_pasted_is_whole(opened):
    async with opened("hello", at="2/L0/hh[0]") as screen:
        await screen.press("p", "right")
        await screen.press(*"-0.9", "backspace", "8")
        await screen.until(lambda: screen.app.focused is not None and screen.app.focused.id != "canvas")
        assert screen.app.focused.value == "-0.8"
        await screen.press("escape")
        await screen.until(lambda: screen.debugger.prompt is None)
        screen.app.post_message(Paste("-0.123\n"))
        await screen.until(lambda: screen.app.focused is not None and screen.app.focused.id != "canvas")
        assert screen.app.focused.value == "-0.123"


async def test_a_long_paste_is_taken_whole(opened):
    numbers = " ".join(["0.25"] * 200)
    async with opened("hello") as screen:
        await screen.press("A")
        await screen.until(lambda: screen.debugger.prompt is not None)
        screen.app.focused.post_message(Paste(f"h_1 = {numbers}"))
        await screen.until(lambda: screen.app.focused.value == f"h_1 = {numbers}")


async def test_the_full_stop_still_reveals(opened):
    async with opened("hello", at="2/L0/hh[0]") as screen:
        await screen.press("p", "right")
        assert screen.session.is_hidden
        await screen.press("full_stop")
        assert screen.debugger.prompt is None
        assert not screen.session.is_hidden
