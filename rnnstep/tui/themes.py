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
    """Give the palette of a Textual theme; of one that is not the program's, the one of its lightness."""
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


# ── arithmetic of colours: how well one reads on another, and what lies between two ──────────────


Rgb = tuple[float, float, float]


def contrast(one: Rgb, other: Rgb) -> float:
    """Give the contrast ratio of two colours (0–255), 1 to 21 (WCAG 2.2, relative luminance)."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Rgb) -> float:
    red, green, blue = (_linear(part / 255) for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)


def mixed(start: Rgb, end: Rgb, share: float) -> Rgb:
    """Mix two colours, `share` of the way, in OKLab, where equal steps look equal (B. Ottosson, 2020)."""
    one, other = _to_oklab(start), _to_oklab(end)
    light, a, b = (first + (second - first) * share for first, second in zip(one, other, strict=True))
    l_, m_, s_ = (
        (light + 0.3963377774 * a + 0.2158037573 * b) ** 3,
        (light - 0.1055613458 * a - 0.0638541728 * b) ** 3,
        (light - 0.0894841775 * a - 1.2914855480 * b) ** 3,
    )
    return (
        _encoded(4.0767416621 * l_ - 3.3077115913 * m_ + 0.2309699292 * s_),
        _encoded(-1.2684380046 * l_ + 2.6097574011 * m_ - 0.3413193965 * s_),
        _encoded(-0.0041960863 * l_ - 0.7034186147 * m_ + 1.7076147010 * s_),
    )


def _to_oklab(colour: Rgb) -> Rgb:
    red, green, blue = (_linear(part / 255) for part in colour)
    l_, m_, s_ = (
        (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3),
        (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3),
        (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3),
    )
    return (
        0.2104542553 * l_ + 0.7936177850 * m_ - 0.0040720468 * s_,
        1.9779984951 * l_ - 2.4285922050 * m_ + 0.4505937099 * s_,
        0.0259040371 * l_ + 0.7827717662 * m_ - 0.8086757660 * s_,
    )


def _encoded(linear: float) -> float:
    linear = min(1.0, max(0.0, linear))
    part = 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
    return float(round(255 * part))
