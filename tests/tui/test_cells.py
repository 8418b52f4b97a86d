"""What is written to the terminal is the difference, and has the effect of the whole."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from rnnstep.tui.cells import Cells
from tests.tui.emulator import Emulator

WIDTH, HEIGHT = 16, 4
HOME = "\x1b[1;1H"
CONSOLE = Console(force_terminal=True, color_system="truecolor", width=WIDTH)

texts = st.text(st.sampled_from("0123 .│·⣿ab三状e\u0301"), min_size=1, max_size=8)
whole = texts.filter(lambda text: text[0] != "\u0301")  # no mark without its letter
colours = st.sampled_from([None, "#102030", "#ffffff", "red", "bright_blue", "color(200)", "default"])
styles = st.builds(
    Style,
    color=colours,
    bgcolor=colours,
    bold=st.sampled_from([None, True]),
    dim=st.sampled_from([None, True]),
    underline=st.sampled_from([None, True]),
    reverse=st.sampled_from([None, True]),
)

at_leisure = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def repaints(draw: st.DrawFn, texts: st.SearchStrategy[str] = texts) -> str:
    """Draw what Textual writes for some rows: as a whole, or from a column on."""
    places = st.tuples(st.integers(0, HEIGHT - 1), st.integers(0, WIDTH - 1))
    rows = draw(st.lists(places, min_size=1, max_size=4, unique_by=lambda place: place[0]))
    parts = []
    for y, x in rows:
        room = WIDTH - x
        segments = [
            Segment(text, style) for text, style in draw(st.lists(st.tuples(texts, styles), max_size=4))
        ]
        strip = Strip(segments).crop(0, room)
        parts.append(f"\x1b[{y + 1};{x + 1}H{strip.render(CONSOLE)}")
    return "\n".join(parts) + HOME


elsewhere = st.sampled_from(
    ["\x1b[?2026h", "\x1b[?2026l", "\x07", "\x1b]52;c;eA==\x07", "\x1b[?1049h", "\x1b[2J??"]
)


@at_leisure
@given(st.lists(st.one_of(repaints(), repaints(), elsewhere), max_size=12))
def test_the_terminal_stands_as_if_all_had_been_written(written: list[str]) -> None:
    whole, spared = Emulator(WIDTH, HEIGHT), Emulator(WIDTH, HEIGHT)
    cells = Cells()
    for one in written:
        whole.feed(one)
        spared.feed(cells.changes(one))
        assert spared.rows == whole.rows
        assert spared.modes == whole.modes


@at_leisure
@given(repaints(whole), repaints(whole))
def test_what_stands_already_is_not_written_again(first: str, second: str) -> None:
    cells = Cells()
    for one in (first, second, first):
        cells.changes(one)
    assert cells.changes(first) == HOME


def row(text: str, style: str = "#e0e0e0 on #101010") -> str:
    return f"{HOME}{Strip([Segment(text, Style.parse(style))]).render(CONSOLE)}{HOME}"


def test_a_digit_that_changes_is_written_alone() -> None:
    cells = Cells()
    cells.changes(row("h = 0.1234 + 0.9"))
    changed = cells.changes(row("h = 0.1254 + 0.9"))
    assert changed == f"\x1b[1;9H\x1b[38;2;224;224;224;48;2;16;16;16m5\x1b[m{HOME}"


def test_a_style_says_what_is_new_in_it() -> None:
    cells = Cells()
    cells.changes(HOME + " " * 4 + HOME)
    one, other = Style.parse("bold #010203 on #101010"), Style.parse("#010203 on #202020")
    strip = Strip([Segment("a", one), Segment("b", one), Segment("c", other), Segment("d")])
    styled = "\x1b[1;38;2;1;2;3;48;2;16;16;16mab\x1b[22;48;2;32;32;32mc\x1b[md"
    assert cells.changes(f"{HOME}{strip.render(CONSOLE)}{HOME}") == f"{HOME}{styled}{HOME}"


def test_what_somebody_else_wrote_is_written_over() -> None:
    cells = Cells()
    cells.changes(row("standing"))
    assert "standing" not in cells.changes(row("standing"))
    cells.changes("wall: the machine goes down\r\n")
    assert "standing" in cells.changes(row("standing"))
    cells.forget()
    assert "standing" in cells.changes(row("standing"))
