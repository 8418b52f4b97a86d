"""Sizes, languages, themes, the mouse, playing, a presenter's remote, pages: what a room needs."""

from __future__ import annotations

import pytest

from rnnstep.scenario import bundled
from rnnstep.tui.page import PageScreen
from rnnstep.views.commands import COMMANDS, GROUPS
from rnnstep.views.rows import width

SIZES = [(80, 24), (20, 5), (1, 1), (200, 60), (60, 17), (120, 35), (3, 40), (240, 2), (80, 24)]


async def test_resizing_through_all_sizes_loses_nothing(opened):
    async with opened("lstm", at="2/L1/hh_f[3]") as screen:
        before = screen.session
        for size in SIZES:
            await screen.resize(*size)
            assert screen.debugger.canvas.size == size
        assert screen.session is before
        assert "L1" in screen.text


@pytest.mark.parametrize("key", ["g", "e", "question_mark", "i", "o", "ctrl+p"])
async def test_what_opens_in_the_smallest_terminal_closes_again(opened, key):
    async with opened("hello", at="2/L0/hh[1]", size=(20, 5)) as screen:
        await screen.press(key)
        await screen.press("escape")
        assert screen.debugger.is_current
        assert screen.debugger.prompt is None


@pytest.mark.parametrize("name", bundled.names())
async def test_every_bundled_scenario_is_stepped_on_the_screen(opened, name):
    waits = name in {"embedding", "names"}
    async with opened(name, is_waited_for=not waits) as screen:
        if waits:
            await screen.until(lambda: "torch" in screen.text)
            return
        await screen.press("right", "down", "down", "down", "down", "end", "left", "L", "z")
        assert not screen.session.position.is_start


@pytest.mark.parametrize("size", [(60, 17), (80, 24), (100, 45), (120, 35), (200, 60)])
@pytest.mark.parametrize("language", ["en", "zh"])
async def test_v_gives_the_screen_to_the_plot_then_to_the_equations_then_to_all(opened, size, language):
    plot = {"en": "over time", "zh": "随时间"}[language]
    async with opened("hello", at="3/L0/hh[1]", size=size, language=language) as screen:
        before = screen.text
        await screen.press("v")
        lines = screen.text.splitlines()
        assert f"hh[1] {plot}" in lines[1]
        assert sum("│" in line for line in lines) >= size[1] - 8
        await screen.press("right")  # stepping goes on
        assert screen.session.place == "3/L0/hh[2]"
        assert screen.look.fills == "plot"
        await screen.press("left", "v")
        assert "▶ hh = W_hh · h_prev + b_hh" in screen.text
        await screen.press("v")
        assert screen.text.splitlines()[1:-1] == before.splitlines()[1:-1]


async def test_z_and_j_are_seen_where_a_plot_fills_the_screen(opened):
    async with opened("hello", at="3/L0/hh", size=(80, 24)) as screen:
        await screen.press("v", "z")
        assert (screen.look.fills, screen.look.is_blackboard) == ("", True)
        await screen.press("z", "v", "j")
        assert (screen.look.fills, screen.look.is_blackboard, screen.look.is_joined) == ("", False, True)
        assert "joined form" in screen.text
        await screen.press("v", "j")
        assert screen.look.is_joined
        await screen.press("j")
        assert not screen.look.is_joined


@pytest.mark.parametrize(
    ("name", "at"),
    [("hello", "update:weight_hh"), ("hello", "e3:"), ("hello_lstm", "2"), ("hello", "backward:2/L0")],
)
async def test_j_says_so_where_there_is_no_joined_form(opened, name, at):
    async with opened(name, at=at, size=(100, 45)) as screen:
        await screen.press("j")
        assert screen.look.is_joined
        assert "joined form stands in a recurrent block" in screen.text
        await screen.press("j")
        assert "joined form stands" not in screen.text


@pytest.mark.parametrize("keys", [["v"], ["v", "v"], ["z"], ["z", "v"]])
async def test_escape_leaves_what_fills_the_screen(opened, keys):
    async with opened("hello", at="3/L0/hh[1]") as screen:
        before = screen.text.splitlines()[1:-1]
        await screen.press(*keys)
        assert screen.text.splitlines()[1:-1] != before
        assert "Esc close" in screen.words
        await screen.press("escape")
        assert screen.text.splitlines()[1:-1] == before


async def test_language_is_switched_on_the_spot(opened):
    async with opened("hello", at="2") as screen:
        assert "next" in screen.text
        await screen.press("L")
        assert "下一处" in screen.text
        await screen.press("L")
        assert "next" in screen.text


async def test_language_of_the_option_goes_before_the_environment(opened, monkeypatch):
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    async with opened("hello", language="en") as screen:
        assert screen.look.language == "en"
    async with opened("hello") as screen:
        assert screen.look.language == "zh"


@pytest.mark.parametrize(
    "keys",
    [(), ("right", "down", "down"), ("z",), ("question_mark",), ("o",), ("right", "down", "e"), ("ctrl+p",)],
)
async def test_ascii_means_ascii(opened, keys):
    async with opened("hello", is_ascii=True, size=(120, 35)) as screen:
        await screen.press(*keys)
        if keys == ("ctrl+p",):
            await screen.until(lambda: "to the next place" in screen.text)
        assert [sign for sign in screen.text if not sign.isascii()] == []


async def test_no_color_leaves_no_colour(opened, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened("hello", at="2/L0/hh[1]") as screen:
        colours = [
            segment.style.color.triplet
            for strip in screen.app.screen._compositor.render_strips()
            for segment in strip
            if segment.style is not None and segment.style.color is not None and segment.style.color.triplet
        ]
        assert all(triplet.red == triplet.green == triplet.blue for triplet in colours)


@pytest.mark.parametrize("theme", ["dark", "light", "high-contrast", "16"])
async def test_themes_by_name_and_by_key(opened, theme):
    async with opened("hello", theme=theme) as screen:
        assert screen.app.theme == f"rnnstep-{theme}"
        for _ in range(4):
            await screen.press("t")
        assert screen.app.theme == f"rnnstep-{theme}"


# ── the mouse ────────────────────────────────────────────────────────────────────────


def place_of(screen, target):
    """Where a span with this target stands."""
    for y in range(screen.debugger.canvas.size.height):
        for x in range(screen.debugger.canvas.size.width):
            if screen.debugger.canvas.target_at(x, y) == target:
                return x, y
    raise AssertionError(target)


async def test_click_goes_to_a_number_and_a_second_click_into_it(opened):
    async with opened("hello", at="3/L0/hh", size=(120, 35)) as screen:
        spot = place_of(screen, "go 3/L0/hh[2]")
        await screen.pilot.click(offset=spot)
        await screen.pilot.pause()
        assert screen.session.place == "3/L0/hh[2]"


async def test_a_click_leaves_no_key_in_the_header(opened):
    async with opened("hello", at="3/L0/hh", size=(120, 35)) as screen:
        await screen.press("right")
        assert screen.look.last_key == "→"
        await screen.pilot.click(offset=place_of(screen, "go 3/L0/a[2]"))
        await screen.pilot.pause()
        assert screen.session.place == "3/L0/a[2]"
        assert screen.look.last_key == ""
        await screen.press("left")
        await screen.pilot.click(offset=place_of(screen, "press right"))
        await screen.pilot.pause()
        assert screen.look.last_key == ""


async def test_click_on_a_key_presses_it(opened):
    async with opened("hello") as screen:
        await screen.pilot.click(offset=place_of(screen, "press right"))
        await screen.pilot.pause()
        assert screen.session.place == "1"


async def test_wheel_steps(opened):
    async with opened("hello") as screen:
        canvas = screen.debugger.canvas
        canvas.post_message(canvas.Scrolled(1, ""))
        await screen.pilot.pause()
        assert screen.session.place == "1"
        canvas.post_message(canvas.Scrolled(-1, ""))
        await screen.pilot.pause()
        assert screen.session.position.is_start


# ── playing ──────────────────────────────────────────────────────────────────────────


async def test_play_goes_on_and_any_key_stops_and_does_nothing_else(opened):
    async with opened("hello") as screen:
        for _ in range(4):
            await screen.press("greater_than_sign")
        await screen.press("space")
        assert screen.look.playing == 16.0
        await screen.until(lambda: not screen.session.position.is_start)
        await screen.press("less_than_sign")
        assert screen.look.playing == 8.0
        await screen.press("L")
        assert screen.look.playing == 0.0
        assert screen.look.language == "en"


async def test_play_stops_at_the_end(opened):
    async with opened("hello", at="e15:backward:2") as screen:
        for _ in range(4):
            await screen.press("greater_than_sign")
        await screen.press("space")
        await screen.until(lambda: not screen.debugger.player.is_playing)
        assert screen.session.place == "e15:update:"


async def test_a_page_stops_playing(opened):
    async with opened("hello") as screen:
        await screen.press("space")
        screen.debugger.run("help")
        await screen.pilot.pause()
        assert not screen.debugger.player.is_playing


# ── a presenter's remote ─────────────────────────────────────────────────────────────


async def test_remote_steps_starts_and_blanks(opened):
    async with opened("hello", is_remote=True) as screen:
        await screen.press("pagedown", "pagedown", "pageup")
        assert screen.session.place == "1"
        await screen.press("b")
        assert screen.text.strip() == ""
        await screen.press("pagedown")
        assert screen.session.place == "1"
        assert "hello" in screen.text
        await screen.press("full_stop")
        assert screen.text.strip() == ""
        await screen.press("x", "f5")
        assert screen.session.position.is_start


@pytest.mark.parametrize("is_remote", [True, False])
async def test_footer_and_help_name_the_keys_that_are_left(opened, is_remote):
    async with opened("hello", at="2/L0/hh", size=(160, 90), is_remote=is_remote) as screen:
        assert (" b break " in screen.words) is not is_remote
        await screen.press("p", "right")
        assert "= reveal" in screen.words if is_remote else ". reveal" in screen.words
        await screen.press("equals_sign")
        assert not screen.session.is_hidden
        await screen.press("question_mark")
        assert (" b break set a breakpoint" in screen.words) is not is_remote


async def test_without_remote_b_sets_a_breakpoint(opened):
    async with opened("hello", at="2/L0/hh") as screen:
        await screen.press("b")
        assert len(screen.session.breakpoints) == 1


# ── pages ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_help_names_every_command_and_scrolls(opened, language):
    async with opened("hello", size=(120, 35), language=language) as screen:
        await screen.press("question_mark")
        seen = screen.text
        for _ in range(6):
            await screen.press("pagedown")
            seen += screen.text
        for command in COMMANDS:
            assert command.name.into(language) in seen
            assert command.id in seen
        for group in GROUPS.values():
            assert group.into(language) in seen
        await screen.press("home")
        assert all(width(line) == 120 for line in screen.text.split("\n"))


@pytest.mark.parametrize("key", ["escape", "q", "question_mark", "enter"])
async def test_page_is_closed_by_its_key(opened, key):
    async with opened("hello") as screen:
        await screen.press("question_mark")
        assert isinstance(screen.app.screen, PageScreen)
        await screen.press(key)
        assert screen.debugger.is_current
        assert screen.app.is_running


async def test_click_on_a_key_in_the_help_presses_it(opened):
    async with opened("hello") as screen:
        await screen.press("question_mark")
        row = next(row for row, line in enumerate(screen.text.split("\n")) if line.startswith("  →"))
        await screen.pilot.click(offset=(2, row))
        await screen.pilot.pause()
        assert screen.debugger.is_current
        assert screen.session.place == "1"


async def test_palette_finds_a_command_by_its_name(opened):
    async with opened("hello", size=(120, 35)) as screen:
        await screen.press("ctrl+p")
        await screen.type("blackb")
        await screen.until(lambda: "fill the screen" in screen.text)
        await screen.press("enter")
        await screen.until(lambda: screen.look.is_blackboard)


async def test_ctrl_q_leaves_from_any_page(opened):
    async with opened("hello") as screen:
        await screen.press("question_mark", "ctrl+q")
        await screen.until(lambda: screen.app.farewell == "rnnstep hello")
