"""The canvas: paints rows, only those that changed, and tells what was clicked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from rich.cells import get_character_cell_size
from rich.color import Color
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.widgets import Static

from rnnstep.tui.canvas import Canvas
from rnnstep.tui.palettes import PALETTES
from rnnstep.tui.themes import textual_theme, theme_name
from rnnstep.views.compose import text_row
from rnnstep.views.rows import Row, Span, is_plainly_narrow


class CanvasApp(App[None]):
    def __init__(self, theme: str = "dark", *, ansi_color: bool | None = None) -> None:
        super().__init__(ansi_color=ansi_color)
        for palette in PALETTES.values():
            self.register_theme(textual_theme(palette))
        self.theme = theme_name(theme)
        self.heard: list[object] = []

    def compose(self) -> ComposeResult:
        yield Canvas()

    @property
    def canvas(self) -> Canvas:
        return self.screen_stack[0].query_one(Canvas)

    def on_canvas_clicked(self, message: Canvas.Clicked) -> None:
        self.heard.append((message.target, message.count))

    def on_canvas_scrolled(self, message: Canvas.Scrolled) -> None:
        self.heard.append((message.direction, message.target))

    def on_canvas_resized(self, message: Canvas.Resized) -> None:
        self.heard.append(message.size)


@asynccontextmanager
async def running(app: CanvasApp) -> AsyncIterator[Pilot[None]]:
    """Run the app on 20 × 4 cells, with nothing heard so far."""
    async with app.run_test(size=(20, 4)) as pilot:
        await pilot.pause()
        app.heard.clear()
        yield pilot


def painted(app: CanvasApp) -> list[str]:
    return [strip.text for strip in app.canvas.render_lines(app.canvas.size.region)]


ROWS: list[Row] = [text_row("one"), (Span("two "), Span("go", "link", "go 2"), Span(" 三", "", "go 3"))]


async def test_rows_fill_the_canvas_and_the_rest_is_blank() -> None:
    app = CanvasApp()
    async with running(app):
        app.canvas.show([*ROWS, text_row("x" * 30)])
        assert painted(app) == ["one" + " " * 17, "two go 三" + " " * 11, "x" * 19 + "…", " " * 20]


async def test_only_changed_rows_are_painted_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    app = CanvasApp()
    async with running(app) as pilot:
        app.canvas.show([text_row(str(y)) for y in range(4)])
        await pilot.pause()
        before = app.canvas.render_lines(app.canvas.size.region)
        regions: list[Region] = []
        monkeypatch.setattr(Canvas, "refresh", lambda _, *changed: regions.extend(changed))
        app.canvas.show([text_row(text) for text in "0xy3"])
        assert regions == [Region(0, 1, 20, 2)]
        after = app.canvas.render_lines(app.canvas.size.region)
        assert [new is old for new, old in zip(after, before, strict=True)] == [True, False, False, True]
        regions.clear()
        app.canvas.show([text_row(text) for text in "0xy3"])
        assert regions == []
        app.canvas.show([text_row("0")])
        assert regions == [Region(0, 1, 20, 3)]


async def test_a_click_tells_the_target_under_the_pointer() -> None:
    app = CanvasApp()
    async with running(app) as pilot:
        app.canvas.show(ROWS)
        await pilot.click(offset=(5, 1))
        await pilot.click(offset=(8, 1))
        await pilot.click(offset=(0, 0))
        await pilot.click(offset=(3, 3))
        assert [target for target, _ in app.heard] == ["go 2", "go 3"]  # type: ignore[misc]


async def test_the_wheel_is_told_with_its_direction() -> None:
    app = CanvasApp()
    async with running(app) as pilot:
        app.canvas.show(ROWS)
        await pilot._post_mouse_events([_wheel("Down")], Canvas, (4, 1))
        await pilot._post_mouse_events([_wheel("Up")], Canvas, (0, 0))
        await pilot.pause()
        assert app.heard == [(1, "go 2"), (-1, "")]


def _wheel(direction: str) -> type:
    from textual import events

    return getattr(events, f"MouseScroll{direction}")  # type: ignore[no-any-return]


async def test_another_size_is_told_and_loses_nothing() -> None:
    app = CanvasApp()
    async with running(app) as pilot:
        app.canvas.show(ROWS)
        await pilot.resize_terminal(30, 5)
        await pilot.pause(1 / 50)  # the app waits a little for the size that comes last
        assert app.heard == [(30, 5)]
        assert painted(app)[1] == "two go 三" + " " * 21


async def test_markup_in_a_text_is_text() -> None:
    app = CanvasApp()
    async with running(app):
        app.canvas.show([text_row("[@click=app.quit]x")])
        assert painted(app)[0] == "[@click=app.quit]x  "
        assert not any(segment.style and segment.style.meta for segment in app.canvas.render_line(0))


@pytest.mark.parametrize(
    "text", ["\x1b[31mred", "a\tb\rc", "\x9b1m", "a\u202eb", "👩\u200d🔬 ok", "x\ufe0fy", "\U0001f3fbz"]
)
async def test_nothing_that_moves_the_cursor_is_painted(text: str) -> None:
    app = CanvasApp()
    async with running(app):
        app.canvas.show([text_row(text)])
        strip = app.canvas.render_line(0)
        assert strip.text.isprintable()
        assert sum(segment.cell_length for segment in strip) == strip.cell_length == 20


async def test_another_theme_paints_in_its_colours() -> None:
    app = CanvasApp()
    async with running(app) as pilot:
        app.canvas.show(ROWS)
        await pilot.pause()
        for name, palette in PALETTES.items():
            app.theme = theme_name(name)
            await pilot.pause()
            style = app.canvas.render_line(1)._segments[1].style
            assert style is not None
            assert style.color == Color.parse(palette.accent)


async def test_on_a_coloured_ground_a_role_adds_weight_but_no_colour() -> None:
    app = CanvasApp()
    async with running(app):
        app.canvas.show([(Span("1", "heat:weight:8"), Span("2", "heat:weight:8 changed"))])
        plain, changed = [segment.style for segment in app.canvas.render_line(0)][:2]
        assert plain is not None
        assert changed is not None
        assert changed.underline
        assert (changed.color, changed.bgcolor) == (plain.color, plain.bgcolor)


async def test_a_role_that_is_none_is_a_fault() -> None:
    app = CanvasApp()
    async with running(app):
        with pytest.raises(KeyError):
            app.canvas._current_styles()["no-such-role"]


async def test_no_color_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = CanvasApp("16", ansi_color=True)
    async with running(app):
        app.canvas.show([(Span("a", "changed"), Span("b", "heat:weight:8"), Span("c", "cursor"))])
        for segment in app.canvas.render_line(0):
            assert segment.style is not None
            assert segment.style.color is None or segment.style.color.is_default
            assert segment.style.bgcolor is None or segment.style.bgcolor.is_default


async def test_a_modal_over_chinese_text_keeps_every_line_whole() -> None:
    class Over(ModalScreen[None]):
        DEFAULT_CSS = "Over Static { width: 7; height: 1; offset: 5 0; }"

        def compose(self) -> ComposeResult:
            yield Static("modal")

    app = CanvasApp()
    async with running(app) as pilot:
        app.canvas.show([text_row("隐藏状态隐藏状态隐藏")])
        await app.push_screen(Over())
        await pilot.pause()
        lines = app.screen._compositor.render_strips()
        assert "modal" in lines[0].text
        assert [sum(segment.cell_length for segment in line) for line in lines] == [20] * 4


def test_what_is_plainly_narrow_takes_one_cell_for_textual_too() -> None:
    narrow = [
        chr(code) for code in range(0x110000) if is_plainly_narrow(chr(code)) and chr(code).isprintable()
    ]
    assert len(narrow) > 1000
    assert {get_character_cell_size(character) for character in narrow} == {1}
