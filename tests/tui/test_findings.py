"""What is not finite is found beside the screen, and stands in the header without a key being pressed."""

from __future__ import annotations

import pytest

from tests.unit.command_line import NAN_IN_DATA


@pytest.fixture
def case(tmp_path):
    path = tmp_path / "case.toml"
    path.write_text(NAN_IN_DATA, "utf-8")
    return path


@pytest.mark.parametrize("key", ["exclamation_mark", "！"])
async def test_it_is_told_at_once_and_the_key_goes_there(opened, case, key):
    async with opened(case) as screen:
        await screen.until(lambda: "NaN from step 2" in screen.text.split("\n")[0])
        assert screen.session.position.is_start
        await screen.press(key)
        assert screen.session.place == "2/L0/ih_i[0]"
        assert "2/L0/ih_i[0] is the first NaN: x[0] = NaN is given so" in screen.text


async def test_leaving_says_where_the_first_is(opened, case):
    async with opened(case, at="3") as screen:
        await screen.until(lambda: screen.session.run.learning.finding is not None)
        await screen.press("q")
    first, second = screen.app.farewell.split("\n")
    assert first == f"rnnstep {case} --at 3"
    assert second == f"the first NaN: rnnstep {case} --at '2/L0/ih_i[0]'"


async def test_a_number_that_is_edited_to_infinity_is_a_finding(opened):
    async with opened("hello", at="3/L0/hh[1].0") as screen:
        await screen.press("e", "ctrl+u", *"inf", "enter")
        await screen.until(lambda: "NaN from step 1 · L0 hh[1]" in screen.text)
        await screen.press("u")
        await screen.until(lambda: "NaN" not in screen.text)


async def test_the_info_page_says_it_beside_torch_s_word(opened, case):
    async with opened(case) as screen:
        await screen.until(lambda: screen.session.run.learning.finding is not None)
        await screen.press("i")
        page = screen.app.screen
        rows = page.query_one("Canvas") if page.query("Canvas") else page
        assert rows is not None


async def test_conditions_on_what_is_not_finite_stop_there(opened, case):
    async with opened(case) as screen:
        await screen.press("B", *"isnan(h)", "enter", "c")
        await screen.until(lambda: screen.session.place.startswith("2/L0"))
