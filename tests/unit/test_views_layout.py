"""Who gets room: panels by their worth, and no screen with large holes; each move into a place and out of it is seen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from rnnstep.language import Text
from rnnstep.reference import check, complete
from rnnstep.scenario import bundled
from rnnstep.scenario.read import read, read_text
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.tui.catalogue import catalogue
from rnnstep.views.alphabet import ASCII, UNICODE
from rnnstep.views.help import help_rows
from rnnstep.views.layout import Column, Panel
from rnnstep.views.look import Look
from rnnstep.views.picker import picker
from rnnstep.views.rows import Span, plain
from rnnstep.views.screen import screen

WAITING = {"embedding", "names"}  # their weights come from torch
NAMES = [name for name in bundled.names() if name not in WAITING]


@cache
def opened(name: str) -> Session:
    return Session.open(SessionRun.of(read(bundled.find(name))))


def places(session: Session) -> Iterator[tuple[str, Session]]:
    """Start, and of every pass a place of each level, in the middle of its like."""
    tree = session.tree
    yield "start", session
    if tree.num_epochs > 1:
        yield "epoch", session.jump((0,))
    for number, phase in enumerate(tree.phases):
        path = (0, 0, number)
        while path:
            yield f"{phase} {tree.levels[len(path) - 1]}", session.jump(path)
            count = tree.count(path) if len(path) < tree.depth else 0
            path = (*path, count // 2) if count else ()


# ── holes ────────────────────────────────────────────────────────────────────────────────


def filled(rows, width: int) -> np.ndarray:
    """Which cells say something: all that is no blank and no frame; inside its axes a plot says something everywhere."""
    found = np.zeros((len(rows), width), np.bool_)
    for y, row in enumerate(rows):
        x, is_in_plot = 0, False
        for span in row:
            is_frame = span.style in ("border", "focus")
            is_in_plot = not is_frame and (is_in_plot or (span.style == "axis" and span.text[-1] in "┤│└"))
            for sign in span.text:
                found[y, x] = not is_frame and (is_in_plot or sign != " ")
                x += 1
    return found


def holes(found: np.ndarray, height: int = 5, width: int = 40) -> float:
    """The share of the cells that lie in blank rectangles of at least that size."""
    sums = np.pad(np.cumsum(np.cumsum(~found, 0), 1), ((1, 0), (1, 0)))
    parts = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    in_hole = np.zeros_like(found)
    for y, x in zip(*np.nonzero(parts == height * width), strict=True):
        in_hole[y : y + height, x : x + width] = True
    return float(in_hole.mean())


# The mean over all places of these scenarios: rows without a word, share of the cells in holes. Of all bundled
# scenarios, and before room was given by worth: tests/bench/layout.py.
MOST = {
    (80, 24): (4.0, 0.20),
    (100, 45): (3.5, 0.30),
    (120, 35): (4.0, 0.20),
    (200, 60): (4.0, 0.35),
    (300, 80): (4.0, 0.30),
}
SOME = ("hello", "lstm", "mgu", "bidirectional", "rnn_cell")


def emptiness(names, size) -> tuple[list[int], list[float]]:
    """Of each place of each level: its rows without a word, and the share of its cells in holes."""
    blank, share = [], []
    for name in names:
        for _, session in places(opened(name)):
            found = filled(screen(session, Look(torch="none"), *size), size[0])[1:-1]
            blank.append(int((~found.any(1)).sum()))
            share.append(holes(found))
    return blank, share


@pytest.mark.parametrize("size", MOST, ids=str)
def test_little_room_is_left_empty(size):
    blank, share = emptiness(SOME, size)
    most_rows, most_share = MOST[size]
    assert np.mean(blank) <= most_rows
    assert np.mean(share) <= most_share
    assert max(blank) <= size[1] * 2 // 5


# ── moves are seen ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", [(80, 24), (120, 35)], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_each_move_into_a_place_and_out_of_it_is_seen(name, size):
    """Below the header, and in what is written, not in colours alone."""

    def written(session: Session) -> str:
        return plain(screen(session, Look(torch="none"), *size)[1:-1])

    tree = opened(name).tree
    for number in range(len(tree.phases)):
        session = opened(name).jump((0, 0, number))
        before = written(session)
        while session.position.zoom < tree.depth:
            deeper = session.into()
            if deeper.position == session.position:
                break
            after = written(deeper)
            assert after != before, f"{session.place} → {deeper.place}"
            session, before = deeper, after


# ── columns ──────────────────────────────────────────────────────────────────────────────


def _panel(worth: int, sign: str, wants: int, **options) -> Panel:
    return Panel(
        worth, sign, lambda cells, rows: [(Span(sign * cells),)] * min(rows, wants), frame="bare", **options
    )


def _column(panels, height: int) -> str:
    return "".join(row[0] for row in plain(Column(panels, 3, height, UNICODE).block()).split("\n") if row)


def test_what_is_worth_most_is_given_room_first_and_the_rest_is_given_up():
    panels = [_panel(2, "b", 4, least=3), _panel(1, "a", 5, least=2), _panel(3, "c", 2, least=2)]
    assert _column(panels, 11) == "bbbbaaaaacc"
    assert _column(panels, 8) == "bbbaaaaa"
    assert _column(panels, 7) == "aaaaacc"  # what does not fit leaves its room to what does
    assert _column(panels, 6) == "aaaaa"
    assert _column(panels, 2) == "aa"


def test_what_is_left_goes_to_what_grows_each_to_its_most():
    grows = {"least": 2, "grows": True}
    panels = [_panel(1, "a", 2), _panel(2, "b", 99, most=3, **grows), _panel(3, "c", 99, **grows)]
    assert _column(panels, 12) == "aabbbccccccc"
    assert _column(panels, 5) == "aabbb"


def test_what_is_kept_has_its_least_though_others_are_worth_more():
    panels = [_panel(1, "a", 9, least=2), _panel(2, "b", 9, least=3, is_kept=True, is_foot=True)]
    assert _column(panels, 7) == "aaaabbb"


# ── numbers and signs ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("place", ["3", "3/L0", "3/L0/hh", "3/L0/hh[1].2"])
@pytest.mark.parametrize("size", [(80, 24), (100, 45), (120, 35), (200, 60)], ids=str)
@pytest.mark.parametrize("look", [{}, {"is_joined": True}, {"is_blackboard": True}], ids=str)
def test_a_matrix_has_the_same_decimals_on_every_screen(place, size, look):
    text = plain(screen(opened("hello").go(place), Look(torch="none", **look), *size))
    assert "−0.4897" in text  # W_hh[1,0]
    rows = [line for line in text.split("\n") if "−0.49" in line.replace("−0.4945", "")]
    assert all("−0.4897" in line for line in rows)


@pytest.mark.parametrize(
    ("name", "size"), [("hello", (80, 24)), ("lstm_by_hand", (80, 24)), ("gru", (80, 30))]
)
def test_both_halves_of_the_joined_form_are_whole(name, size):
    session = opened(name).go("2")
    text = plain(screen(session, Look(torch="none", is_joined=True, decimals=1), *size))
    assert "joined form" in text
    assert "0–" not in text.split("step ")[1]  # no window on a part


def test_ascii_tells_products_of_matrices_from_those_of_elements():
    text = plain(screen(opened("lstm").go("2/L0"), Look(torch="none", alphabet=ASCII), 160, 48))
    assert "hh_i = W_hi @ h_prev + b_hi" in text
    assert "c = f * c_prev + i * g" in text
    back = plain(screen(opened("hello").go("backward:3/L0"), Look(torch="none", alphabet=ASCII), 120, 45))
    assert "dh_prev = W_hh^T @ dhh" in back
    stopped = opened("hello").go("3/L0/hh").toggle_breakpoint()
    shown = plain(screen(stopped, Look(torch="none", alphabet=ASCII), 120, 35))
    assert "B> hh = W_hh @ h_prev + b_hh" in shown


def test_small_gradients_have_colours_of_their_own():
    session = opened("vanishing_lstm").go("backward:30/L0")
    found = [
        int(span.style.split(":")[-1].split()[0])
        for row in screen(session, Look(torch="none"), 120, 60)
        for span in row
        if span.style.startswith("heat:state") and "e-" not in span.text
    ]
    assert max(map(abs, found)) == 8


@pytest.mark.parametrize(("watches", "title"), [([], "hh[1] over time"), (["norm(h)"], "norm(h) over time")])
def test_v_plots_a_watch_or_else_what_is_under_the_cursor(watches, title):
    session = opened("hello").go("3/L0/hh[1]")
    for text in watches:
        session = session.watch(text)
    assert title in plain(screen(session, Look(torch="none", fills="plot"), 80, 24))


def test_vectors_in_the_timeline_have_edges():
    text = plain(screen(opened("rnn_cell"), Look(torch="none"), 80, 24))
    assert "[1 0.5 −1 0]   [0 1 0.5 −0.5] [−0.5 0 1 0.5]" in text


def test_signs_stand_at_the_middle_of_what_they_join():
    """A matrix of two rows times a vector of four: all of one middle."""
    lines = plain(screen(opened("rnn_cell").go("2/L0/ih"), Look(torch="none"), 80, 24)).split("\n")
    (row,) = (number for number, line in enumerate(lines) if "·" in line and "=" in line and "┐" in line)
    assert lines[row].count("┌") == 3  # W_ih, b_ih, ih begin in this row, x above it
    assert "┌" in lines[row - 1]


@pytest.mark.parametrize("place", ["start", "3/L0/hh[1]", "backward:3/L0/∂h_prev"])
def test_the_help_in_ascii_is_ascii_and_has_the_signs_of_the_screen(place):
    session = opened("hello") if place == "start" else opened("hello").go(place)
    text = plain(help_rows(Look(torch="none", alphabet=ASCII), 100, session))
    assert text.replace("中文", "").isascii()  # what the key for Chinese is called
    assert "  B      " in text  # a breakpoint, as it stands in the listing and the timeline
    assert "@" in text


# ── what is cut says so ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", [(80, 24), (70, 25), (120, 24)], ids=str)
@pytest.mark.parametrize("place", ["3/L0/ih[0]", "3/L0/ih[3]", "backward:2/L0/∂h"])
def test_elements_of_the_timeline_that_are_not_seen_are_told_of(place, size):
    session = opened("hello").go(place)
    name = place.rpartition("/")[2].partition("[")[0]
    lines = plain(screen(session, Look(torch="none"), *size)).split("\n")
    labels = [line for line in lines if line.lstrip("│ ").startswith(f"{name}[") and " = " not in line]
    assert labels
    assert len(labels) == 4 or re.search(r"\d–\d/4|…", labels[-1])


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("size", [(80, 24), (60, 17), (100, 45)], ids=str)
def test_a_summary_of_the_list_that_is_cut_ends_in_dots(size, language):
    look = Look(language=language)
    entries = catalogue(language, None)
    for number, entry in enumerate(entries):
        rows = plain(picker(entries, number, "", look, *size)).split("\n")
        rule = max(k for k, row in enumerate(rows) if row.startswith("────"))
        about = "".join(rows[rule + 1 :]).rstrip()
        assert about.endswith("…") or "".join(about.split()) == "".join(entry.summary.split())


def test_one_long_equation_leaves_the_others_room_for_their_numbers():
    text = plain(
        screen(opened("hello_lstm").go("backward:3/L0/∂c"), Look(torch="none", fills="listing"), 80, 24)
    )
    assert re.search(r"∂tanh_c = ∂h ⊙ o +−?0\.\d{4}( +−?0\.\d{4}){3}", text)


def test_the_listing_of_an_update_says_whose_numbers_they_are():
    assert "equations · bias_hh" in plain(screen(opened("hello").go("update"), Look(torch="none"), 80, 24))


@pytest.mark.parametrize(("language", "said"), [("en", "torch is on its way"), ("zh", "torch")])
def test_the_header_says_that_autograds_numbers_are_still_to_come(language, said):
    """The way forward is compared first: until autograd's word is there, the way back is not silent."""
    run = opened("hello").run
    session = Session.open(run.with_checked(check(run.trace)))
    look = Look(language=language, torch="ready")
    assert "✓" in plain(screen(session.go("3"), look, 80, 24)).split("\n")[0]
    head = plain(screen(session.go("backward:3/L0/∂a"), look, 80, 24)).split("\n")[0]
    assert said in head
    assert "✓" not in head


LONG_NAMES = """
input = {random = {shape = [3, 1, 2], seed = 1}}
recurrent = {module = "own", hidden_size = 2}
weights = {seed = 1}
[cell.own]
state = ["h"]
parameters = {W = "hidden_size, input_size", U = "hidden_size, hidden_size"}
equations = \"\"\"
what_the_input_brings_in = W @ x
what_is_remembered = U @ h_prev
h = tanh(what_the_input_brings_in + what_is_remembered)
\"\"\"
"""


@pytest.mark.parametrize(
    ("session", "size"),
    [
        (lambda: opened("hello_lstm").go("3/L0/c"), (300, 80)),
        (lambda: opened("hello_gru").go("3/L0"), (200, 60)),
        (lambda: Session.open(SessionRun.of(read_text(LONG_NAMES))).go("2/L0/what_is_remembered"), (120, 40)),
    ],
    ids=["lstm", "gru", "long names"],
)
def test_the_number_of_an_element_is_seen_beside_every_row_of_values(session, size):
    text = plain(screen(session(), Look(torch="none"), *size))
    labels = re.findall(r"[│ ] {1,2}([\w…]+(?:\[\d?)?)[\] ] *−?\d\.\d{4} +(?:−?\d\.\d{4}|·)", text)
    assert [one for one in labels if "[" in one]
    told = re.findall(r"[\w…]+\[\d+(?!\d|,|:|\])", text)
    assert not told  # a bracket that was cut off


def test_a_listing_that_is_cut_by_others_says_which_lines_are_seen():
    """However few rows are left to it: the title is made of what is drawn."""
    text = plain(screen(opened("exploding").go("backward:10"), Look(torch="none"), 80, 24))
    (title,) = re.findall(r"equations (\d+)–(\d+)/14", text)
    drawn = [line for line in text.split("\n") if re.match(r" {4}∂\w+ = ", line)]
    assert len(drawn) == int(title[1]) - int(title[0]) + 1


def test_what_is_left_out_of_a_sum_is_left_out_within_its_brackets():
    lines = plain(screen(opened("mgu").go("2/L0/n"), Look(torch="none"), 80, 24)).split("\n")
    start = next(k for k, line in enumerate(lines) if "n[0] = " in line)
    text = "".join(line.strip("│ ") for line in lines[start : start + 2])
    assert "more terms" in text
    assert re.search(r"more terms\)+ = ", text)
    assert text.count("(") == text.count(")")


def test_tall_gradients_leave_what_is_beside_them_to_the_parameters():
    session = Session.open(SessionRun.of(complete(read(bundled.find("embedding"))))).go(
        "backward:2/embedding"
    )
    text = plain(screen(session, Look(torch="none"), 80, 24))
    assert "∂weight 4×10" in text


@pytest.mark.parametrize("size", [(80, 24), (60, 17), (120, 35)], ids=str)
def test_a_long_message_is_read_whole_and_nothing_else_moves(size):
    words = [f"word{number}" for number in range(24)]
    session, look = opened("hello").go("3/L0/hh"), Look(torch="none")
    before = plain(screen(session, look, *size)).split("\n")
    after = plain(screen(session, replace(look, message=Text(" ".join(words))), *size)).split("\n")
    assert len(after) == len(before)
    told = [line for line in after if "word" in line]
    assert " ".join(" ".join(told).split()) == " ".join(words)
    assert after[: -len(told)] == before[: -len(told)]
    assert len(told) <= 3


def test_no_number_of_a_listing_is_cut_in_its_digits():
    places = {"hello_lstm": "3/L0/c", "weather": "2/L0", "gru": "2/L0/h", "vanishing": "backward:3/L0/∂a"}
    for name, place in places.items():
        session = opened(name).go(place)
        for width in range(60, 140):
            for decimals in (2, 4):
                look = Look(torch="none", fills="listing", decimals=decimals)
                text = plain(screen(session, look, width, 24)[1:])
                assert not re.search(r"\d…", text), (name, width)


@pytest.mark.parametrize(
    ("place", "seen"), [("3/L0/hh_g[1]", 9), ("3/L0/o", 12), ("3/L0/a_f[3]", 7), ("3/L0", 0)]
)
def test_a_window_of_the_joined_form_is_about_the_row_at_the_cursor(place, seen):
    text = plain(screen(opened("hello_lstm").go(place), Look(torch="none", is_joined=True), 80, 24))
    windows = re.findall(r"(\d+)–(\d+)/16", text)
    assert windows
    assert all(int(start) <= seen <= int(stop) for start, stop in windows)
    assert re.search(rf"┌{'ifgo'[int(windows[0][0]) // 4]} ", text)  # whose rows they are


OVERFLOWING = """
input = {values = [[1.0]]}
recurrent = {module = "RNN", hidden_size = 1, nonlinearity = "relu"}
weights = {weight_ih_l0 = [[1e30]], weight_hh_l0 = [[0]], bias_ih_l0 = [0]}
target = {values = [[0.0]]}
loss = {name = "MSELoss"}
"""


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "larger than the largest number of float32, 3.4e38"), ("zh", "float32 的最大数 3.4e38")],
)
def test_an_overflow_is_not_called_rounding(language, said):
    session = Session.open(SessionRun.of(read_text(OVERFLOWING))).go("1/loss/square[0]")
    text = plain(screen(session, Look(torch="none", language=language), 80, 24))
    assert "≈ inf" in text
    assert said in text
    assert "about equal" not in text


@pytest.mark.parametrize("name", ["hello", "hello_lstm", "exploding", "vanishing_lstm"])
@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_the_norms_of_the_sums_are_not_cut_in_their_digits(name, width):
    text = plain(screen(opened(name).go("backward:2"), Look(torch="none"), width, 30))
    (told,) = [line for line in text.split("\n") if "the sums so far" in line]
    assert not re.search(r"[\d.]…|= …", told)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_singular_value_below_one_is_not_written_as_one(language):
    session = opened("pitfalls/typo_in_data").go("backward:3")
    text = plain(screen(session, Look(torch="none", language=language, fills="plot"), 120, 35))
    assert re.search(r"W_hh (的最大奇异值 )?0\.99\d+ < 1", text)
