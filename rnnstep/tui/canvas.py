"""The widget that paints rows: one for the whole debugger area.

Rows come in by `show`; only those that differ from what stands there are painted
anew. A row becomes segments in one step, with styles looked up by role, because
a key has to be on the screen within a frame at 240×67.
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len, get_character_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from rnnstep.tui.cells import read_ahead
from rnnstep.tui.palettes import Palette
from rnnstep.tui.themes import heat_style, palette_of, role_styles
from rnnstep.views.compose import fit
from rnnstep.views.rows import Row, character_width, is_plainly_narrow, row_width, width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.color import Color
    from textual.filter import LineFilter

_SCREENS_AHEAD = 2
"""So many screens that may come next are kept painted."""


class Canvas(Widget, can_focus=True):
    """Paints rows of styled text and tells what was clicked."""

    DEFAULT_CSS = """
    Canvas {
        width: 1fr;
        height: 1fr;
        background: $background;
        color: $foreground;
    }
    """
    ALLOW_SELECT: ClassVar[bool] = False

    class Clicked(Message):
        """A span with a target was clicked; `count` is 2 for a double click."""

        def __init__(self, target: str, count: int) -> None:
            super().__init__()
            self.target = target
            self.count = count

    class Scrolled(Message):
        """The wheel was turned: `direction` is −1 up, 1 down; `target` is what stands under the pointer."""

        def __init__(self, direction: int, target: str) -> None:
            super().__init__()
            self.direction = direction
            self.target = target

    class Resized(Message):
        """The canvas has another size; rows for it are wanted."""

        def __init__(self, size: Size) -> None:
            super().__init__()
            self.size = size

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[Row] = []
        self._strips: dict[int, Strip] = {}
        self._prepared: deque[dict[int, tuple[Row, Strip]]] = deque(maxlen=_SCREENS_AHEAD)
        self._styles: _Styles | None = None

    def show(self, rows: Sequence[Row]) -> None:
        """Paint rows; those beyond the height are not seen, missing ones are blank."""
        old, new = self._rows, list(rows)
        self._rows = new
        height = max(len(old), len(new), self.size.height)
        changed = [y for y in range(height) if _row_at(old, y) != _row_at(new, y)]
        for y in changed:
            self._strips.pop(y, None)
        if changed:
            self.refresh(*_regions(changed, self.size.width))

    def prepare(self, rows: Sequence[Row]) -> None:
        """Paint rows that may be shown next, aside; they are taken where `show` gets the same objects."""
        styles, console = self._current_styles(), self.app.console
        prepared: dict[int, tuple[Row, Strip]] = {}
        for y, row in enumerate(rows[: self.size.height]):
            if row != _row_at(self._rows, y):
                strip = _painted(row, self.size.width, styles)
                read_ahead(strip.render(console))  # which is kept in it
                prepared[id(row)] = (row, strip)
        self._prepared.append(prepared)

    def target_at(self, x: int, y: int) -> str:
        """Give the target of the span at a cell, or ""."""
        for text, _, target in _row_at(self._rows, y):
            x -= width(text)
            if x < 0:
                return target
        return ""

    def render_line(self, y: int) -> Strip:
        """Give a line as Textual wants it; painted lines are kept."""
        return self._strip(y, self._current_styles())

    def render_lines(self, crop: Region) -> list[Strip]:
        """Give all lines of a region at once: several times as fast as line by line with CSS."""
        styles = self._current_styles()
        strips = [self._strip(y, styles) for y in crop.line_range]
        if crop.column_span != (0, self.size.width):
            return [strip.crop(*crop.column_span) for strip in strips]
        return strips

    def _strip(self, y: int, styles: _Styles) -> Strip:
        strip = self._strips.get(y)
        if strip is None:
            row = _row_at(self._rows, y)
            strip = self._strips[y] = self._strip_ahead(row) or _painted(row, self.size.width, styles)
        return strip

    def _strip_ahead(self, row: Row) -> Strip | None:
        for prepared in self._prepared:
            found = prepared.get(id(row))
            if found is not None and found[0] is row and found[1].cell_length == self.size.width:
                return found[1]
        return None

    def _current_styles(self) -> _Styles:
        """Give the styles of the theme as it is now; another theme or filter means another set."""
        app = self.app
        base = self.visual_style.rich_style
        filters = tuple(app.get_line_filters())
        styles = self._styles
        if styles is None or styles.made_from != (app.theme, base, filters):
            palette = palette_of(app.theme, is_dark=app.current_theme.dark)
            styles = _Styles((app.theme, base, filters), palette, self.background_colors[1])
            self._styles = styles
            self._strips.clear()
            self._prepared.clear()
        return styles

    def on_resize(self, event: events.Resize) -> None:
        """Drop what was painted for the old size and ask for rows of the new one."""
        self._strips.clear()
        self.post_message(self.Resized(event.size))

    def on_click(self, event: events.Click) -> None:
        """Tell what was clicked, where it does something."""
        target = self.target_at(event.x, event.y)
        if target:
            self.post_message(self.Clicked(target, event.chain))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Tell that the wheel was turned up."""
        event.stop()
        self.post_message(self.Scrolled(-1, self.target_at(event.x, event.y)))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Tell that the wheel was turned down."""
        event.stop()
        self.post_message(self.Scrolled(1, self.target_at(event.x, event.y)))


class _Styles(dict[str, Style]):
    """Styles by a span's roles, filters applied; each is made when it is first asked for.

    Textual applies line filters (NO_COLOR is one) to whole lines, at every paint. They look at
    nothing but a segment's style, so it is enough to apply them once to each style.
    """

    def __init__(
        self, made_from: tuple[str, Style, tuple[LineFilter, ...]], palette: Palette, background: Color
    ) -> None:
        super().__init__()
        self.made_from = made_from
        self._palette = palette
        self._background = background

    def __missing__(self, roles: str) -> Style:
        _, style, filters = self.made_from
        table = role_styles(self._palette)
        is_heat = False
        for role in roles.split():
            if role.startswith("heat:"):
                style += heat_style(self._palette, role)
                is_heat = True
                continue
            added = table[role]
            # On a coloured ground only the ground's own black or white is sure to be readable.
            style += added.without_color if is_heat and added.bgcolor is None else added
        segments = [Segment("x", style)]
        for line_filter in filters:
            segments = line_filter.apply(segments, self._background)
        self[roles] = style = segments[0].style or Style.null()
        return style


def _row_at(rows: list[Row], y: int) -> Row:
    return rows[y] if 0 <= y < len(rows) else ()


def _regions(lines: list[int], cells: int) -> list[Region]:
    """Give the regions that cover the lines, neighbours together."""
    regions: list[Region] = []
    start = end = lines[0]
    for y in [*lines[1:], -1]:
        if y == end + 1:
            end = y
        else:
            regions.append(Region(0, start, cells, end - start + 1))
            start = end = y
    return regions


def _painted(row: Row, cells: int, styles: _Styles) -> Strip:
    """Give a row as a strip of exactly `cells` cells; neighbours of one style become one segment."""
    row = fit(row, cells)
    text = "".join([span[0] for span in row])
    if not text.isprintable() or (not is_plainly_narrow(text) and cell_len(text) != row_width(row)):
        row = fit(tuple([span._replace(text=_safe(span.text)) for span in row]), cells)
    segments: list[Segment] = []
    pending, roles = "", None
    for text, span_roles, _ in row:
        if span_roles == roles:
            pending += text
        else:
            if pending:
                segments.append(Segment(pending, styles[roles or ""]))
            pending, roles = text, span_roles
    if pending:
        segments.append(Segment(pending, styles[roles or ""]))
    return Strip(segments, cells)


@lru_cache(maxsize=1024)
def _safe(text: str) -> str:
    """Give the text without what moves the cursor or what terminals count differently, cell for cell.

    Files are read with control characters escaped; this is the last door, whatever came in before.
    """
    return "".join(
        character
        if character.isprintable() and get_character_cell_size(character) == character_width(character) > 0
        else "?" * character_width(character)
        for character in text
    )
