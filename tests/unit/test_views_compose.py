"""Blocks of rows."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rnnstep.views.alphabet import ASCII, UNICODE, alphabet
from rnnstep.views.compose import above, beside, box, bracket, clip, cut, fit, flow, pad, text_row, wrap
from rnnstep.views.markdown import plain_markdown, styled_markdown
from rnnstep.views.rows import Row, Span, plain, row_width, width


def lines(*texts: str) -> list[Row]:
    return [text_row(text) for text in texts]


def test_clipping_says_so_and_keeps_style_and_target() -> None:
    row = (Span("abc", "bold", "go 1"), Span("defg", "dim", "go 2"))
    assert clip(row, 7) == row
    assert clip(row, 5) == (Span("abc", "bold", "go 1"), Span("d…", "dim", "go 2"))
    assert clip(row, 3) == (Span("ab…", "bold", "go 1"),)
    assert plain([clip(row, 5, ASCII)]) == "ab..."


def test_cutting_off_nothing_but_blanks_needs_no_word() -> None:
    assert plain([clip((Span("ab"), Span("    ")), 3)]) == "ab"
    assert row_width(clip((Span("ab"), Span("    ")), 3)) == 3


def test_a_chinese_character_is_never_cut_in_half() -> None:
    assert plain([clip(text_row("隐藏状态"), 6)]) == "隐藏…"
    assert row_width(fit(text_row("隐藏状态"), 6)) == 6
    assert cut("隐藏", 3) == "隐"


def test_combining_marks_stay_with_their_letter() -> None:
    assert width("e\u0301a") == 2
    assert cut("e\u0301a", 1) == "e\u0301"


def test_blocks_stand_beside_each_other_at_top_middle_or_bottom() -> None:
    blocks = [lines("1", "2", "3"), lines("+")]
    assert plain(beside(blocks)) == "1 +\n2\n3"
    assert plain(beside(blocks, align="middle")) == "1\n2 +\n3"
    assert plain(beside(blocks, gap=0, align="bottom")) == "1\n2\n3+"
    assert beside([]) == []


def test_blocks_stand_above_each_other_at_one_width() -> None:
    block = above([lines("a"), lines("long"), []], gap=1)
    assert plain(block) == "a\n\nlong"
    assert {row_width(row) for row in block} == {4}


def test_a_box_names_what_is_in_it() -> None:
    assert plain(box(lines("x"), "now", 16, 3, right_title="L0")) == (
        "╭ now ──── L0 ─╮\n│ x            │\n╰──────────────╯"
    )


def test_a_box_in_ascii() -> None:
    assert plain(box(lines("x"), "now", 9, 3, alphabet=ASCII)) == "+ now --+\n| x     |\n+-------+"


def test_a_box_counts_the_rows_it_cannot_show() -> None:
    assert plain(box(lines("1", "2", "3", "4"), "", 12, 4)).split("\n")[-1] == "╰──── ↓ 2 ─╯"


def test_a_box_too_narrow_for_its_titles_cuts_the_left_and_drops_the_right() -> None:
    assert plain(box([], "隐藏状态", 8, 2, right_title="L0")).split("\n")[0] == "╭ 隐藏…╮"


def test_brackets_fit_the_number_of_rows() -> None:
    assert plain(bracket(lines("1", "22", "3"))) == "┌1 ┐\n│22│\n└3 ┘"
    assert plain(bracket(lines("1", "2"))) == "┌1┐\n└2┘"
    assert plain(bracket(lines("1"))) == "[1]"
    assert plain(bracket(lines("1", "2"), ASCII)) == "[1]\n[2]"
    assert bracket([]) == []


def test_text_wraps_between_words_and_between_chinese_characters() -> None:
    assert wrap("carry the memory one step on", 12) == ["carry the", "memory one", "step on"]
    assert wrap("把隐藏状态乘以权重", 8) == ["把隐藏状", "态乘以权", "重"]
    assert wrap("", 8) == [""]
    assert wrap("a\n\nb", 8) == ["a", "", "b"]


def test_chinese_signs_do_not_begin_or_end_a_line_wrongly() -> None:
    wrapped = wrap("一个单元（门）向前走，再走一步。“记忆”就在", 10)
    assert "".join(wrapped) == "一个单元（门）向前走，再走一步。“记忆”就在"
    assert not any(line[0] in "，。）”" or line[-1] in "（“" for line in wrapped)


def test_a_word_longer_than_a_line_is_cut() -> None:
    assert wrap("weight_hh_l0_reverse x", 8) == ["weight_h", "h_l0_rev", "erse x"]


def test_spans_flow_over_rows_and_break_only_between_them() -> None:
    spans = [Span("hh[0] ="), Span(" 0.31·0.42", "", "go 1"), Span(" − 0.07·0.88", "", "go 2")]
    rows = flow(spans, 20, indent=2)
    assert plain(rows) == "hh[0] = 0.31·0.42\n  − 0.07·0.88"
    assert rows[1][1].target == "go 2"


def test_padding_makes_the_size_asked() -> None:
    block = pad(lines("abcdef", "b"), 4, 3)
    assert plain(block) == "abc…\nb\n"
    assert [row_width(row) for row in block] == [4, 4, 4]


def test_running_text_is_spelt_in_ascii_where_asked() -> None:
    assert ASCII.spell("✓ torch ≤ 6e-8 → Δ") == "ok torch <= 6e-8 -> diff"
    assert ASCII.spell("∂a₄ = ∂a₉ + ∂b_a₃") == "da_4 = da_9 + db_a_3"
    assert UNICODE.spell("≤") == "≤"
    assert alphabet(is_ascii=True) is ASCII


@pytest.mark.parametrize("name", [name for name in UNICODE.__slots__ if name != "is_ascii"])
def test_ascii_has_a_plain_sign_for_every_sign(name: str) -> None:
    assert getattr(ASCII, name).isascii()
    if name not in {"ellipsis", "check", "wrong", "half"}:
        assert width(getattr(ASCII, name)) == width(getattr(UNICODE, name))


def test_markdown_in_styles_is_the_plain_text_broken_elsewhere() -> None:
    text = "The state `h_n[0, 1]` of **every** step, `nn.Linear(4, 2)` behind it; `a` is not a."
    rows = styled_markdown(text, 24)
    assert "".join(plain(rows).split()) == "".join(plain_markdown(text).split())
    assert all(row_width(row) <= 24 for row in rows)
    spans = [span for row in rows for span in row]
    assert ("every", "bold") in [(span.text, span.style) for span in spans]
    assert ("nn.Linear(4, 2)", "label") in [(span.text, span.style) for span in spans]  # code is not broken
    assert [span.style for span in spans if "not a." in span.text] == [""]


def test_code_in_strong_words_is_code_and_the_words_go_on_strong() -> None:
    (row,) = styled_markdown("**is `h` or** not", 40)
    assert [(span.text, span.style) for span in row] == [
        ("is ", "bold"),
        ("h", "label"),
        (" or", "bold"),
        (" not", ""),
    ]


@given(st.text(alphabet="ab *`_[(\\\n好，", max_size=60), st.integers(4, 40))
@example("\\**[**", 4)
@example("a**_b_**", 4)
def test_markdown_in_styles_loses_nothing(text, cells) -> None:
    rows = styled_markdown(text, cells)
    assert "".join(plain(rows).split()) == "".join(plain_markdown(text).split())
    assert all(row_width(row) <= cells for row in rows)
