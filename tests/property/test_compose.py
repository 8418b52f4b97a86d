"""Laws of composing: the width asked for is the width given, whatever the text."""

from hypothesis import given
from hypothesis import strategies as st

from rnnstep.views.alphabet import ASCII, UNICODE
from rnnstep.views.compose import above, beside, block_width, box, bracket, clip, cut, fit, flow, pad, wrap
from rnnstep.views.rows import Row, Span, character_width, row_width, width

TEXT = st.text(
    st.one_of(
        st.sampled_from("ab c·−│隐藏，。（）“”e\u0301\u200b́▀⣿✓Ａ"),
        st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")),
    ),
    max_size=30,
)
SPAN = st.builds(Span, TEXT, st.sampled_from(["", "dim", "heat:weight:3"]), st.sampled_from(["", "go 1"]))
ROW = st.lists(SPAN, max_size=5).map(tuple)
BLOCK = st.lists(ROW, max_size=5)
ALPHABET = st.sampled_from([UNICODE, ASCII])


@given(TEXT)
def test_width_is_the_sum_of_the_characters(text: str) -> None:
    assert width(text) == sum(map(character_width, text))


@given(ROW, st.integers(0, 60), ALPHABET)
def test_fit_gives_exactly_the_width(row: Row, cells: int, alphabet: object) -> None:
    assert row_width(fit(row, cells, alphabet)) == cells  # type: ignore[arg-type]


@given(ROW, st.integers(0, 60))
def test_clip_never_goes_over_and_is_short_by_one_cell_at_most(row: Row, cells: int) -> None:
    clipped = clip(row, cells)
    whole = row_width(row)
    if whole <= cells:
        assert clipped == row
    else:
        assert cells - 1 <= row_width(clipped) <= cells


@given(TEXT, st.integers(0, 20))
def test_cut_gives_the_longest_beginning(text: str, cells: int) -> None:
    beginning = cut(text, cells)
    assert text.startswith(beginning)
    assert width(beginning) <= cells
    rest = text[len(beginning) :]
    assert not rest or width(beginning) + width(rest[0]) > cells


@given(st.lists(BLOCK, max_size=4), st.integers(0, 3), st.sampled_from(["top", "middle", "bottom"]))
def test_blocks_beside_each_other_make_a_rectangle(blocks: list[list[Row]], gap: int, align: str) -> None:
    joined = beside(blocks, gap, align)  # type: ignore[arg-type]
    wanted = sum(map(block_width, blocks)) + gap * max(0, len(blocks) - 1)
    assert {row_width(row) for row in joined} <= {wanted}
    assert len(joined) == max(map(len, blocks), default=0)


@given(st.lists(BLOCK, max_size=4))
def test_blocks_above_each_other_make_a_rectangle(blocks: list[list[Row]]) -> None:
    stacked = above(blocks)
    assert {row_width(row) for row in stacked} <= {max(map(block_width, blocks), default=0)}
    assert len(stacked) == sum(map(len, blocks))


@given(BLOCK, TEXT, TEXT, st.integers(4, 50), st.integers(2, 8), ALPHABET)
def test_a_box_has_exactly_its_size(
    rows: list[Row], title: str, right: str, cells: int, height: int, alphabet: object
) -> None:
    framed = box(rows, title, cells, height, right_title=right, alphabet=alphabet)  # type: ignore[arg-type]
    assert [row_width(row) for row in framed] == [cells] * height


@given(BLOCK, st.integers(0, 40), st.integers(0, 8))
def test_padding_gives_exactly_its_size(rows: list[Row], cells: int, height: int) -> None:
    assert [row_width(row) for row in pad(rows, cells, height)] == [cells] * height


@given(BLOCK)
def test_brackets_add_two_cells(rows: list[Row]) -> None:
    assert {row_width(row) for row in bracket(rows)} <= {block_width(rows) + 2}


@given(TEXT, st.integers(2, 20))
def test_wrapped_lines_fit_and_lose_nothing_but_blanks(text: str, cells: int) -> None:
    lines = wrap(text, cells)
    assert all(width(line) <= cells for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


@given(st.lists(SPAN, max_size=8), st.integers(4, 30), st.integers(0, 2))
def test_flowing_spans_fit_and_lose_nothing_but_blanks(spans: list[Span], cells: int, indent: int) -> None:
    rows = flow(spans, cells, indent)
    assert all(row_width(row) <= cells for row in rows)
    shown = "".join(span.text for row in rows for span in row)
    assert "".join(shown.split()) == "".join("".join(span.text for span in spans).split())
