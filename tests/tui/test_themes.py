"""The themes: every role has its look, and everything can be read."""

import pytest
from rich.color import Color
from rich.style import Style
from rich.terminal_theme import TerminalTheme

from rnnstep.tui.palettes import PALETTES, Palette
from rnnstep.tui.themes import (
    HIGHEST,
    contrast,
    heat_grounds,
    heat_style,
    palette_of,
    role_styles,
    textual_theme,
    theme_name,
)
from rnnstep.views import heat
from rnnstep.views.rows import ROLES, SERIES

# The terminal's sixteen colours as xterm and as the Linux console have them.
XTERM = [(0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205)]
XTERM_BRIGHT = [(127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255), (255, 0, 255)]
CONSOLE = [(0, 0, 0), (170, 0, 0), (0, 170, 0), (170, 85, 0), (0, 0, 170), (170, 0, 170), (0, 170, 170)]
CONSOLE_BRIGHT = [(85, 85, 85), (255, 85, 85), (85, 255, 85), (255, 255, 85), (85, 85, 255), (255, 85, 255)]
TERMINALS = [
    TerminalTheme(
        (0, 0, 0),
        (229, 229, 229),
        [*XTERM, (229, 229, 229)],
        [*XTERM_BRIGHT, (0, 255, 255), (255, 255, 255)],
    ),
    TerminalTheme(
        (0, 0, 0),
        (170, 170, 170),
        [*CONSOLE, (170, 170, 170)],
        [*CONSOLE_BRIGHT, (85, 255, 255), (255, 255, 255)],
    ),
]
EVERY_THEME = pytest.mark.parametrize("palette", PALETTES.values(), ids=PALETTES.keys())
EVERY_TERMINAL = pytest.mark.parametrize("terminal", TERMINALS, ids=["xterm", "console"])


def ratio(style: Style, palette: Palette, terminal: TerminalTheme) -> float:
    ground = style.bgcolor or Color.parse(palette.background)
    ink = style.color or Color.parse(palette.ink)
    return contrast(ink.get_truecolor(terminal), ground.get_truecolor(terminal))


@EVERY_THEME
def test_every_role_has_a_style_and_no_style_is_without_a_role(palette: Palette) -> None:
    lines = {f"series:{index}" for index in range(SERIES)}
    assert role_styles(palette).keys() == ROLES.keys() | lines


@EVERY_THEME
@EVERY_TERMINAL
def test_every_role_can_be_read(palette: Palette, terminal: TerminalTheme) -> None:
    for role, style in role_styles(palette).items():
        assert ratio(style, palette, terminal) >= (3.0 if role == "border" else 4.5), role


@EVERY_THEME
@EVERY_TERMINAL
def test_what_stands_in_the_header_can_be_read(palette: Palette, terminal: TerminalTheme) -> None:
    styles = role_styles(palette)
    for role in ("ok", "bad", "warn", "dim", "key", "torch", "pending", "changed"):
        assert ratio(styles["header"] + styles[role], palette, terminal) >= 4.5, role


@EVERY_THEME
@EVERY_TERMINAL
def test_the_number_on_every_level_of_heat_can_be_read(palette: Palette, terminal: TerminalTheme) -> None:
    grounds = heat_grounds(palette)
    assert grounds.keys() == {str(level) for level in range(-HIGHEST, HIGHEST + 1)} | {"nan"}
    for level, (ground, text) in grounds.items():
        assert text.get_truecolor(terminal) in {(0, 0, 0), (255, 255, 255)}
        assert contrast(text.get_truecolor(terminal), ground.get_truecolor(terminal)) >= 4.5, level


@EVERY_THEME
def test_negative_is_bluer_and_positive_redder(palette: Palette) -> None:
    grounds = {
        level: ground.get_truecolor(TERMINALS[0]) for level, (ground, _) in heat_grounds(palette).items()
    }
    for level in (6, 7, 8):
        cold, hot = grounds[str(-level)], grounds[str(level)]
        assert cold.blue > cold.red
        assert hot.red > hot.blue


@EVERY_THEME
def test_what_matters_differs_without_colour(palette: Palette) -> None:
    styles = role_styles(palette)
    assert styles["changed"].underline
    assert styles["changed"].bold
    assert styles["link"].underline
    assert styles["cursor"].reverse
    assert styles["selected"].reverse
    assert styles["bad"].bold


def test_heat_has_as_many_levels_as_the_views_give() -> None:
    assert HIGHEST == heat.HIGHEST
    palette = PALETTES["dark"]
    for level in (*range(-heat.HIGHEST, heat.HIGHEST + 1), heat.NAN):
        assert heat_style(palette, heat.style("weight", level)).bgcolor is not None


def test_a_half_block_shows_the_upper_value_in_front() -> None:
    palette = PALETTES["dark"]
    grounds = heat_grounds(palette)
    style = heat_style(palette, "heat:state:-8:8")
    assert (style.color, style.bgcolor) == (grounds["-8"][0], grounds["8"][0])


def test_a_level_that_is_none_is_an_error() -> None:
    with pytest.raises(KeyError):
        heat_style(PALETTES["dark"], "heat:state:9")


@EVERY_THEME
def test_every_theme_is_one_for_textual(palette: Palette) -> None:
    theme = textual_theme(palette)
    assert theme.name == theme_name(palette.name)
    assert theme.to_color_system().generate()["background"]
    assert palette_of(theme.name) is palette


def test_a_theme_of_textual_gets_the_palette_of_its_lightness() -> None:
    assert palette_of("textual-light", is_dark=False).name == "light"
    assert palette_of("nord", is_dark=True).name == "dark"


def test_contrast_is_that_of_wcag() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((119, 119, 119), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)
