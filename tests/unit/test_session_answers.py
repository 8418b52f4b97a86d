"""Answers beside a run, and numbers said before they are shown."""

from __future__ import annotations

import pytest

from rnnstep.errors import ScenarioError, UsageError
from rnnstep.scenario.bundled import find
from rnnstep.scenario.read import read
from rnnstep.session.guess import guess
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.views.look import Look
from rnnstep.views.screen import screen

LINES = "h_1 = 0.215 0.251 -0.484 -0.094 | h_2 = 0.248 0.392 0.197 -0.207 | h_3 = 0.266 -0.134 0.073 ?"


def session_of(name: str = "hello") -> Session:
    return Session.open(SessionRun.of(read(find(name))))


def shown(session: Session, size: tuple[int, int] = (80, 24), language: str = "en") -> str:
    rows = screen(session, Look(language=language), *size)
    return "\n".join("".join(span.text for span in row) for row in rows)


def test_answers_stand_beside_the_run_and_the_first_wrong_one_is_gone_to():
    session = session_of().with_answers(LINES)
    assert session.place == "2/L0/h[0]"
    assert str(session.note) == "2 of 3 right; this is the first wrong one: h_2"
    page = shown(session)
    assert "yours ✗" in page
    assert "0.3920" in page
    assert "yours ✗ The bias b_hh was not added to W_hh h_{t−1}." in page
    assert "你的 ✗" in shown(session, language="zh")


@pytest.mark.parametrize("size", [(80, 24), (120, 35), (200, 60)])
def test_a_column_of_ones_own_fits_at_every_size(size):
    for place in ("2/L0", "2/L0/h", "3/L0", "3/L0/h[3]"):
        rows = screen(session_of().with_answers(LINES).go(place), Look(), *size)
        text = ["".join(span.text for span in row) for row in rows]
        assert any("yours" in line for line in text)
        assert all(len(line) <= size[0] for line in text)


def test_blanks_and_what_follows_are_told():
    session = session_of().with_answers(LINES)
    assert "?" in shown(session.go("3/L0/h"))
    assert "yours ✓ right, from your own earlier numbers" in shown(session.go("3/L0/h"))
    assert "yours" not in shown(session.go("4/L0/h"))


def test_answers_stay_through_an_edit_and_go_with_an_empty_line():
    session = session_of().with_answers(LINES)
    edited = session.edit_text("W_hh[0,0] = 2")
    assert edited.own is session.own
    assert "yours" in shown(edited.go("2/L0/h"))
    assert edited.with_answers("").own is None


def test_what_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(UsageError):
        session_of().with_answers(str(tmp_path / "none.toml"))
    with pytest.raises(ScenarioError):
        session_of().with_answers("h_9 = 1 2 3 4")


@pytest.mark.parametrize(
    ("place", "typed", "is_right"),
    [
        ("2/L0/hh[0]", "0.239", True),
        ("2/L0/hh[0]", "0.2391", True),
        ("2/L0/hh[0]", "0.24", True),
        ("2/L0/hh[0]", "0.27", False),
        ("2/L0/h", "0.439 0.219 0.089 -0.450", True),
        ("2/L0/h", "0.439 ? ? -0.45", True),
        ("5/loss/nll[0]", "1.305", True),
        ("5/total/loss[0]", "7.037", True),
        ("backward:4/L0/∂h[1]", "-0.043", True),
        ("backward:4/L0/∂h[1]", "0.043", False),
        ("backward:3/L0/∂W_hh[1,0]", "0.123", True),
        ("update:weight_hh/w[1,0]", "-0.39", True),
        ("update:weight_hh/m[0,0]", "0.046", True),
        ("e5:2/L0/h[0]", "0.0998", True),
        ("e5:2/L0/h[0]", "0.35", False),
    ],
)
def test_a_value_said_before_it_is_shown_is_marked(place, typed, is_right):
    session = session_of().go(place)
    found = guess(session, typed, 4)
    assert found.is_right is is_right


def test_a_wrong_one_is_given_a_hint_and_then_told():
    session = session_of().go("2/L0/h")
    found = guess(session, "0.616 0.555 0.522 0.381", 4)  # the sigmoid of what goes into tanh
    assert not found.is_right
    assert "tanh" in str(found.hint)
    assert "sigmoid" in str(found.mistakes[0])


def test_what_is_no_number_is_told():
    session = session_of().go("2/L0/h")
    for typed in ("", "abc", "1 2", "?"):
        with pytest.raises(UsageError):
            guess(session, typed, 4)


def test_a_right_entry_of_a_wrong_vector_is_right_at_the_cursor():
    session = session_of().with_answers("h_1 = 0.215 0.251 -0.484 -0.094 | h_2 = 0.439 0.120 0.088 -0.451")
    assert "yours ✗ no common mistake gives these numbers" in shown(session.go("2/L0/h[1]"))
    page = shown(session.go("2/L0/h[0]"))
    assert "no common mistake" not in page
    assert "yours ✗" in page  # the column's head, of all four
    assert "yours ✓" in page


@pytest.mark.parametrize("size", [(120, 35), (200, 60)])
def test_a_matrix_of_ones_own_stands_beside_the_gradient(size):
    rows = ["0.101 0.2 0.3 0.4", "0.1 0.2 0.3 0.4", "0.1 0.2 0.3 0.4", "0.1 0.2 0.3 0.4"]
    session = session_of().with_answers(f"grad.weight_hh = {';'.join(rows)}")
    page = shown(session, size)
    assert "yours ✗" in page
    assert "0.1010" in page


def test_the_reason_stays_where_one_row_is_left():
    session = session_of().with_answers("h_1 = 0.215 0.251 -0.484 -0.094 | hh_2 = 0.019 -0.128 0.062 0.127")
    assert "yours ✗ The bias b_hh was not added" in shown(session.go("2/L0/hh[1]"))
