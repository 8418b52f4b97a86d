"""The four themes: what each role looks like, and the colours of the heat scale.

A theme is a handful of named colours; the roles are written once, over these
names. Whatever means something without being read (changed, the cursor, right
and wrong) differs in weight, underline or ground as well, never in hue alone.
"""

from __future__ import annotations

from functools import cache

from rich.color import Color
from rich.style import Style
from textual.theme import Theme

from rnnstep.tui.colours import Rgb, contrast, mixed
from rnnstep.tui.palettes import DARK, LIGHT, PALETTES, Palette
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
    "own": "bold {ink}",
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
