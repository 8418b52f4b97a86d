"""The four themes: what each role looks like, and the colours of the heat scale.

A theme is a handful of named colours; the roles are written once, over these
names. Whatever means something without being read (changed, the cursor, right
and wrong) differs in weight, underline or ground as well, never in hue alone.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from rich.color import Color
from rich.style import Style
from textual.theme import Theme

from rnnstep.tui.colours import Rgb, contrast, mixed
from rnnstep.views.rows import SERIES

HIGHEST = 8
"""Levels of the heat scale run from −HIGHEST to HIGHEST, as in `rnnstep.views.heat`."""

# Grounds that mean something are reversed, not only coloured: NO_COLOR keeps that.
_ROLES = {
    "dim": "{soft}",
    "bold": "bold {ink}",
    "label": "{teal}",
    "title": "bold {accent}",
    "header": "bold {ink} on {bar}",
    "changed": "bold underline {gold}",
    "cursor": "bold reverse {cursor} on {cursor_ink}",
    "read": "bold underline {ink}",
    "now": "bold {gold}",
    "selected": "bold reverse {soft} on {background}",
    "ok": "bold {green}",
    "bad": "bold {red}",
    "warn": "bold {gold}",
    "old": "italic {soft}",
    "pending": "italic {soft}",
    "hidden": "{soft} on {bar}",
    "torch": "{violet}",
    "says": "bold {teal}",
    "wants": "bold {violet}",
    "link": "underline {accent}",
    "breakpoint": "bold {red}",
    "border": "{line}",
    "focus": "{accent}",
    "bracket": "{soft}",
    "operator": "bold {ink}",
    "axis": "{soft}",
    "key": "bold {accent}",
}


class Palette(NamedTuple):
    """A theme's colours by name, as `#rrggbb` or as one of the terminal's sixteen.

    Attributes:
        name: What `--theme` calls it.
        is_dark: Whether light text stands on a dark ground.
        background: The ground.
        ink: Text.
        soft: What stands back; still at least 4.5 : 1, for the back row.
        line: Frames.
        bar: The ground of the header.
        cursor: The ground of the cursor.
        cursor_ink: The text of the cursor.
        accent: Titles, keys, links.
        gold: What has changed, what is being computed.
        green: Agrees.
        red: Disagrees.
        violet: What torch says.
        teal: Names of quantities.
        series: The lines of plots.
        cold: Level −8 of the heat scale.
        neutral: Level 0.
        hot: Level 8.
        nan: The ground of NaN.
    """

    name: str
    is_dark: bool
    background: str
    ink: str
    soft: str
    line: str
    bar: str
    cursor: str
    cursor_ink: str
    accent: str
    gold: str
    green: str
    red: str
    violet: str
    teal: str
    series: tuple[str, ...]
    cold: str
    neutral: str
    hot: str
    nan: str

    @property
    def has_sixteen_colours(self) -> bool:
        """Whether the colours are the terminal's own, by name."""
        return not self.background.startswith("#")


DARK = Palette(
    name="dark",
    is_dark=True,
    background="#12161d",
    ink="#dde3ea",
    soft="#8d98a8",
    line="#5d6979",
    bar="#242c38",
    cursor="#ffd166",
    cursor_ink="#12161d",
    accent="#7cb7ff",
    gold="#ffc857",
    green="#7ddb93",
    red="#ff7a70",
    violet="#c9a6ff",
    teal="#79d5d0",
    series=("#7cb7ff", "#ff9a5c", "#7ddb93", "#d6a2f0", "#79d5d0", "#ffd166"),
    cold="#1f66d6",
    neutral="#232a34",
    hot="#cf3d1b",
    nan="#8a2bb8",
)

LIGHT = Palette(
    name="light",
    is_dark=False,
    background="#fbfaf6",
    ink="#1b2027",
    soft="#5c6470",
    line="#8b8f96",
    bar="#e6e9ee",
    cursor="#1d4f91",
    cursor_ink="#ffffff",
    accent="#1b56a7",
    gold="#9a4a00",
    green="#1c6e35",
    red="#b3261e",
    violet="#6b35a8",
    teal="#0b6670",
    series=("#1b56a7", "#b84a00", "#1c6e35", "#8a3a9a", "#0b6670", "#7a5c00"),
    cold="#2a6bd0",
    neutral="#efede7",
    hot="#d5411d",
    nan="#8a2bb8",
)

HIGH_CONTRAST = Palette(
    name="high-contrast",
    is_dark=True,
    background="#000000",
    ink="#ffffff",
    soft="#c4ccd6",
    line="#aeb8c4",
    bar="#30363f",
    cursor="#ffee00",
    cursor_ink="#000000",
    accent="#8fd0ff",
    gold="#ffdd33",
    green="#6dff8f",
    red="#ff8d85",
    violet="#e0c2ff",
    teal="#7ff5ee",
    series=("#8fd0ff", "#ffab73", "#6dff8f", "#e8b3ff", "#7ff5ee", "#ffee66"),
    cold="#0a5ff0",
    neutral="#1c1c1c",
    hot="#d93400",
    nan="#a020d8",
)

SIXTEEN = Palette(
    name="16",
    is_dark=True,
    background="black",
    ink="bright_white",
    soft="white",
    line="white",
    bar="black",
    cursor="bright_yellow",
    cursor_ink="black",
    accent="bright_cyan",
    gold="bright_yellow",
    green="bright_green",
    red="bright_red",
    violet="bright_magenta",
    teal="cyan",
    series=("bright_cyan", "bright_red", "bright_green", "bright_magenta", "cyan", "bright_yellow"),
    cold="blue",
    neutral="black",
    hot="red",
    nan="magenta",
)

PALETTES = {palette.name: palette for palette in (DARK, LIGHT, HIGH_CONTRAST, SIXTEEN)}
"""The palettes by what `--theme` calls them."""


def theme_name(name: str) -> str:
    """Give the Textual name of what `--theme` calls `dark`, `light`, `high-contrast` or `16`."""
    return f"rnnstep-{name}"


def palette_of(name: str, *, is_dark: bool = True) -> Palette:
    """Give the palette of a Textual theme; of one that is not ours, the one of its lightness."""
    ours = PALETTES.get(name.removeprefix("rnnstep-")) if name.startswith("rnnstep-") else None
    return ours or (DARK if is_dark else LIGHT)


def textual_theme(palette: Palette) -> Theme:
    """Give the palette as a Textual theme, for modals, inputs and the command palette."""

    def colour(name: str) -> str:
        return f"ansi_{name}" if palette.has_sixteen_colours else name

    raised = palette.background if palette.has_sixteen_colours else palette.bar
    return Theme(
        name=theme_name(palette.name),
        ansi=palette.has_sixteen_colours,
        dark=palette.is_dark,
        primary=colour(palette.accent),
        secondary=colour(palette.teal),
        accent=colour(palette.gold),
        warning=colour(palette.gold),
        error=colour(palette.red),
        success=colour(palette.green),
        foreground=colour(palette.ink),
        background=colour(palette.background),
        surface=colour(palette.background),
        panel=colour(raised),
        variables={
            "border": colour(palette.accent),
            "border-blurred": colour(palette.line),
            "text-muted": colour(palette.soft),
            "block-cursor-background": colour(palette.cursor),
            "block-cursor-foreground": colour(palette.cursor_ink),
            "input-selection-background": colour(palette.soft),
            "input-selection-foreground": colour(palette.background),
            "footer-key-foreground": colour(palette.accent),
            # Textual's own style sheets ask for these two in themes of the terminal's colours.
            "ansi-background": colour(palette.background),
            "ansi-foreground": colour(palette.ink),
        },
    )


@cache
def role_styles(palette: Palette) -> dict[str, Style]:
    """Give the style of every plain role and of the lines of plots."""
    names = palette._asdict()
    styles = {role: Style.parse(written.format_map(names)) for role, written in _ROLES.items()}
    for index in range(SERIES):
        styles[f"series:{index}"] = Style.parse(palette.series[index])
    return styles


def heat_style(palette: Palette, role: str) -> Style:
    """Give the style of `heat:KIND:LEVEL` (text on a ground) or `heat:KIND:UPPER:LOWER` (two halves).

    Raises:
        KeyError: If the role's levels are none.
    """
    grounds = heat_grounds(palette)
    levels = role.split(":")[2:]
    if len(levels) == 1:
        ground, text = grounds[levels[0]]
        return Style(color=text, bgcolor=ground, bold=True if levels[0] == "nan" else None)
    return Style(color=grounds[levels[0]][0], bgcolor=grounds[levels[1]][0])


@cache
def heat_grounds(palette: Palette) -> dict[str, tuple[Color, Color]]:
    """Give for each level, "-8" to "8" and "nan", its ground and the text on it: black or white."""
    if palette.has_sixteen_colours:
        return _sixteen_grounds(palette)
    grounds = {}
    for level in range(-HIGHEST, HIGHEST + 1):
        end = palette.cold if level < 0 else palette.hot
        grounds[str(level)] = mixed(_rgb(palette.neutral), _rgb(end), abs(level) / HIGHEST)
    grounds["nan"] = _rgb(palette.nan)
    return {
        level: (Color.from_rgb(*ground), Color.from_rgb(*_text_on(ground, palette)))
        for level, ground in grounds.items()
    }


def _sixteen_grounds(palette: Palette) -> dict[str, tuple[Color, Color]]:
    """Give the five grounds that sixteen colours allow; the number on it tells the rest."""
    steps = ((5, palette.cold, "bright_white"), (2, "cyan", "black"))
    warm = ((5, palette.hot, "bright_white"), (2, "bright_yellow", "black"))
    grounds = {"nan": (Color.parse(palette.nan), Color.parse("bright_white"))}
    for level in range(-HIGHEST, HIGHEST + 1):
        found = (palette.neutral, "bright_white")
        for least, ground, text in reversed(steps if level < 0 else warm):
            if abs(level) >= least:
                found = (ground, text)
        grounds[str(level)] = (Color.parse(found[0]), Color.parse(found[1]))
    return grounds


def _text_on(ground: Rgb, palette: Palette) -> Rgb:
    """Give the palette's natural text, white or black, where it reads at 4.5 : 1, else the other.

    One of the two always does: the product of a colour's contrasts with both is 21.
    """
    white, black = (255.0, 255.0, 255.0), (0.0, 0.0, 0.0)
    natural, other = (white, black) if palette.is_dark else (black, white)
    return natural if contrast(natural, ground) >= 4.5 else other


def _rgb(colour: str) -> Rgb:
    return tuple(Color.parse(colour).get_truecolor())  # type: ignore[return-value] # a triplet is three
