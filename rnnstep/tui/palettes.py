"""The colours of the four themes, by name."""

from __future__ import annotations

from typing import NamedTuple


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
