"""Lessons: what their files may say, how they are followed, and the command that prints and tries them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnnstep.errors import ScenarioError, UsageError
from rnnstep.language import LANGUAGES
from rnnstep.reference import complete
from rnnstep.scenario import bundled
from rnnstep.scenario.lesson import Lesson, own_lesson, read_lesson
from rnnstep.scenario.localized import Localized
from rnnstep.scenario.read import read
from rnnstep.scenario.stops import Stop
from rnnstep.scenario.template import LESSON as TEMPLATE
from rnnstep.scenario.template import template
from rnnstep.session.lesson import Following, at_stop, check_stops, numbered
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from tests.lesson_files import LESSON, OWN_STOPS
from tests.unit.command_line import run


@pytest.fixture
def written(tmp_path):
    def write(text: str = LESSON, name: str = "lesson.toml") -> Path:
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return write


def lesson_of(path: Path) -> Lesson:
    found = read_lesson(path)
    assert found is not None
    return found


def session_of(path: Path) -> Session:
    return Session.open(SessionRun.of(read(path)))


def mistakes(path: Path) -> list[str]:
    """Each mistake of a lesson as `LINE:COLUMN: message`."""
    with pytest.raises(ScenarioError) as caught:
        check_stops(lesson_of(path), session_of, complete)
    return [line.removeprefix(f"{path}:") for line in caught.value.into("en").split("\n")]


# ── what a file says ─────────────────────────────────────────────────────────────────────────


def test_stops_are_read_in_order(written):
    lesson = lesson_of(written())
    assert lesson.name == "lesson"
    assert lesson.title == Localized("Trying", "试一试")
    first, value, choice, last = lesson.stops
    assert first.scenario == value.scenario == choice.scenario == bundled.find("hello")
    assert last.scenario == bundled.find("rnn_cell")
    assert [stop.at for stop in lesson.stops] == ["start", "3/L0/hh[1]", "3/L0/h", "2/L0/h"]
    assert first.say.into("zh") == "一个 `RNNCell` 读 **hello**。"
    assert (value.asks_value, choice.asks_value) == (True, False)
    assert [option.into("zh") for option in choice.options] == ["W_ih @ x", "W_hh @ h_prev", "没有"]
    assert choice.answer == 2
    assert last.show == ("plot",)


def test_a_place_stays_where_none_is_named(written):
    stops = lesson_of(written(LESSON + '\n[[stop]]\nsay = "Look again."\n')).stops
    assert stops[-1].at == stops[-2].at == "2/L0/h"


def test_a_scenario_is_named_beside_the_lesson(written):
    other = written(bundled.find("hello").read_text("utf-8"), "mine.toml")
    lesson = lesson_of(written('[[stop]]\nscenario = "mine.toml"\nsay = "."\n'))
    assert lesson.stops[0].scenario == other


def test_a_scenario_is_no_lesson(written):
    text = bundled.find("hello").read_text("utf-8")
    assert read_lesson(bundled.find("hello")) is None
    path = written(text + OWN_STOPS)
    assert read_lesson(path) is None
    own = own_lesson(read(path))
    assert own is not None
    assert own.is_own
    assert [stop.at for stop in own.stops] == ["1/L0/h", "2/L0/h"]


STOP = '[[stop]]\nscenario = "hello"\nsay = "."\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('title = "x"\nstop = []\n', "2:1: `stop`: found a list of length 0, expected tables: [[stop]] with"),
        (
            '[[stop]]\nsay = "."\n',
            "1:1: `scenario` is missing: expected a bundled scenario, or a path beside",
        ),
        (
            '[[stop]]\nscenario = "helo"\nsay = "."\n',
            '2:1: `scenario`: found "helo", expected a bundled scenario',
        ),
        ('[[stop]]\nscenario = "no.toml"\nsay = "."\n', '2:1: `scenario`: there is no file "no.toml"'),
        ('[[stop]]\nscenario = "../x.toml"\nsay = "."\n', '2:1: `scenario`: "../x.toml" lies outside'),
        ('[[stop]]\nscenario = "hello"\n', "1:1: `say` is missing: expected what is said at this stop"),
        ('[[stop]]\nscenario = "hello"\nsay = 3\n', "3:1: `say`: found 3, expected a string, or {en"),
        (STOP + "at = 3\n", "4:1: `at`: found 3, expected a string"),
        (STOP + 'tell = "x"\n', "4:1: `tell`: unknown key"),
        (
            STOP + 'ask = "why"\n',
            '4:1: `ask`: expected "value", or `options` and `answer` beside the question',
        ),
        (STOP + 'options = ["a", "b"]\n', "4:1: `options`: nothing is asked here; `ask` asks"),
        (
            STOP + 'ask = "value"\nanswer = 1\n',
            '5:1: `answer`: with ask = "value" the place\'s own numbers are',
        ),
        (
            STOP + 'ask = "w"\noptions = ["a"]\nanswer = 1\n',
            "5:1: `options`: found a list of length 1, expected 2 to 9",
        ),
        (
            STOP + 'ask = "w"\noptions = ["a", 2]\nanswer = 1\n',
            "5:17: `options[1]`: found 2, expected a string",
        ),
        (
            STOP + 'ask = "w"\noptions = ["a", "b"]\n',
            "1:1: `answer` is missing: expected which option is right",
        ),
        (
            STOP + 'ask = "w"\noptions = ["a", "b"]\nanswer = 0\n',
            "6:1: `answer`: found 0, expected a whole number",
        ),
        (STOP + 'ask = {}\noptions = ["a", "b"]\nanswer = 1\n', '4:1: `ask`: expected "value", or `options`'),
        ('[[stop]]\nscenario = "hello"\nsay = {}\n', "1:1: `say` is missing: expected what is said"),
        ('[[stop]]\nscenario = "hello"\nsay = {zh = ""}\n', "1:1: `say` is missing: expected what is said"),
        (
            STOP + 'show = ["plot", "plots"]\n',
            '4:17: `show[1]`: found "plots", expected one of "plot", "equations"',
        ),
        (
            STOP + 'show = ["beside"]\n',
            '4:1: `show`: "beside" shows a second run, and no `beside` says which',
        ),
        (STOP + 'beside = "helo"\n', '4:1: `beside`: found "helo", expected a bundled scenario'),
        (
            '[[stop]]\nscenario = "hello.toml"\nsay = "."\n',
            '2:1: `scenario`: found "hello.toml", expected a bundled',
        ),
        ("[[stop]]\nscenario = “hello”\n", "2:12: not valid TOML: found “: a string stands between straight"),
        (
            STOP + 'ask = "w"\noptions = ["a", "b"]\nanswer = 3\n',
            "6:1: `answer`: found 3, expected one of the 2",
        ),
        (
            STOP + 'show = ["plots"]\n',
            '4:9: `show[0]`: found "plots", expected one of "plot", "equa',
        ),
        (
            STOP + 'beside = "dtyp=float64"\n',
            "4:1: `beside`: --beside: `dtyp=float64`: did you mean `dtype=…`?",
        ),
        (STOP + 'beside = "weights=/etc/passwd"\n', '4:1: `beside`: "/etc/passwd" lies outside'),
        (STOP + 'beside = "hello_lst"\n', '4:1: `beside`: found "hello_lst", expected a bundled scenario'),
        (STOP + "[extra]\n", "4:1: `extra`: unknown key"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(written, text, told):
    path = written(text)
    with pytest.raises(ScenarioError) as caught:
        read_lesson(path)
    (line,) = caught.value.into("en").split("\n")
    assert line.removeprefix(f"{path}:").startswith(told)


def test_a_scenarios_own_stops_name_none(written):
    path = written(bundled.find("hello").read_text("utf-8") + '[[stop]]\nscenario = "hello"\nsay = "."\n')
    with pytest.raises(ScenarioError, match="`scenario`: the stops of a scenario are in itself"):
        read(path)


# ── whether each stop can be reached ─────────────────────────────────────────────────────────


def test_all_places_that_are_not_there_are_told(written):
    text = STOP + 'at = "9/L0/h"\n' + STOP + 'at = "2/L7/h"\n' + STOP + 'at = "2/L0"\n'
    first, second = mistakes(written(text))
    assert first.startswith("4:1: `at`: ")
    assert "5" in first  # which steps there are
    assert second.startswith("8:1: `at`: ")
    assert "L0" in second


BATCH = """\
vocabulary = ["a", "b"]
input.text = ["ab", "ba"]
recurrent = {module = "RNNCell", hidden_size = 2}
weights.seed = 0
"""


def test_a_stop_is_at_one_place_whichever_way_one_comes(written):
    """Where `at` names no row or no step, the first is meant: the words are about it, wherever one was."""
    path = written(BATCH + '[[stop]]\nat = "2/L0/h@row1"\nsay = "."\n[[stop]]\nat = "hh"\nsay = "."\n')
    session = session_of(path)
    lesson = own_lesson(session.run.scenario)
    assert lesson is not None
    first = at_stop(session, Following(lesson))
    assert (first.place_and_row, first.position.row) == ("2/L0/h@row1", 1)
    then = at_stop(first, Following(lesson).at(1))
    assert then.place_and_row == at_stop(session, Following(lesson).at(1)).place_and_row == "1/L0/hh"
    assert not Following(lesson).at(1).is_at(then.other_row(1))


def test_what_is_wrong_with_a_scenario_is_told_where_it_stands(written):
    other = written(BATCH.replace("hidden_size", "hiden_size"), "mine.toml")
    lesson = lesson_of(written('[[stop]]\nscenario = "mine.toml"\nsay = "."\n'))
    with pytest.raises(ScenarioError) as caught:
        check_stops(lesson, session_of, complete)
    assert f"{other}:3:" in str(caught.value)
    assert "did you mean `hidden_size`?" in str(caught.value)


def test_weights_beside_that_do_not_fit_are_told(written, tmp_path):
    torch.save(torch.nn.RNNCell(5, 4).state_dict(), tmp_path / "w.pt")
    (told,) = mistakes(written(STOP + 'beside = "weights=w.pt"\n'))
    assert told.startswith("4:1: `beside`: ")
    assert '"weight_ih" has shape (4, 5)' in told


def test_a_file_beside_is_meant_by_its_name_alone(written):
    written(BATCH, "mine.toml")
    with pytest.raises(ScenarioError, match=r'did you mean "mine\.toml"'):
        read_lesson(written('[[stop]]\nscenario = "mine"\nsay = "."\n'))


@pytest.mark.parametrize("text", ["", 'title = "x"\n', '[[stops]]\nsay = "."\n'])
def test_a_file_without_stops_that_is_meant_as_a_lesson_is_told_so(written, capsys, text):
    status, _, told = run(capsys, "lesson", str(written(text)), "--check")
    assert status == 2
    assert "stop" in told
    assert "[input]" not in told


def test_what_is_asked_is_one_value(written):
    (told,) = mistakes(written(STOP + 'at = "start"\nask = "value"\n'))
    assert told.startswith("5:1: `ask`: no single value stands at start")


def test_what_cannot_stand_beside_is_told(written):
    (told,) = mistakes(written(STOP + 'at = "1"\nbeside = "epoch=99"\n'))
    assert told.startswith("5:1: `beside`: ")
    (told,) = mistakes(written(STOP + 'at = "1"\nbeside = "cure"\n'))
    assert told.startswith("5:1: `beside`: ")


def test_a_scenario_with_mistakes_is_told_once(written):
    bad = written("[recurrent]\n", "bad.toml")
    told = mistakes(written('[[stop]]\nscenario = "bad.toml"\nsay = "."\n[[stop]]\nat = "1"\nsay = "."\n'))
    keys = [line.partition(" is missing")[0] for line in told]
    assert keys == [f"{bad}:1:1: {key}" for key in ("`[input]`", "`module`", "`hidden_size`")]


@pytest.mark.parametrize("name", bundled.lessons())
def test_every_stop_of_the_bundled_lessons_can_be_reached(name):
    lesson = lesson_of(bundled.lessons()[name])
    check_stops(lesson, lambda path: Session.open(SessionRun.of(complete(read(path)))), complete)
    assert len(lesson.stops) >= 8


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_template_can_be_followed(written, language):
    check_stops(lesson_of(written(template(TEMPLATE, language))), session_of, complete)


# ── following ────────────────────────────────────────────────────────────────────────────────


def test_the_numbers_that_are_asked_for_are_hidden_at_their_place_alone(written):
    lesson = lesson_of(written())
    session = at_stop(session_of(bundled.find("hello")), Following(lesson, 1))
    assert session.place == "3/L0/hh[1]"
    assert session.is_hidden
    assert not session.right().is_hidden
    assert session.right().left().is_hidden
    assert not session.reveal().is_hidden
    assert not session.reveal().right().left().is_hidden


def test_predicting_is_independent_of_what_is_asked(written):
    lesson = lesson_of(written())
    predicting = session_of(bundled.find("hello")).right().toggle_predict()
    at_value = at_stop(predicting, Following(lesson, 1))
    assert at_value.is_predicting
    assert at_value.is_hidden
    revealed = at_value.reveal()
    assert not revealed.is_hidden
    assert revealed.right().is_hidden  # what the next move computes, as ever


def test_an_edit_leaves_what_is_asked(written):
    lesson = lesson_of(written())
    session = at_stop(session_of(bundled.find("hello")), Following(lesson, 1)).edit_text("W_hh[1,0] = 0.5")
    assert session.is_hidden
    assert session.undo().is_hidden


def test_a_question_ends_once(written):
    following = Following(lesson_of(written()), 2)
    assert following.has_choice
    wrong = following.choose(1).choose(3).choose(1)
    assert wrong.tried == (1, 3)
    right = wrong.choose(2)
    assert (right.end, right.is_open) == ("right", False)
    assert right.ending("shown").end == "right"
    assert right.at(3).at(2).end == "right"  # it is not asked again


@given(st.lists(st.sampled_from(["next", "back", "show", 1, 2, 3]), max_size=30))
def test_a_lesson_is_never_left_by_its_own_keys(keys):
    asked = Stop(None, "1", Localized("."), ask=Localized("?"), options=(Localized("a"),) * 3, answer=2)
    stops = (Stop(None, "start", Localized(".")), Stop(None, "1", Localized("."), asks_value=True), asked)
    following = Following(Lesson("x", None, Localized(), Localized(), stops))
    for key in keys:
        if key == "next" and following.number < len(stops) - 1:
            following = following.at(following.number + 1)
        elif key == "back" and following.number:
            following = following.at(following.number - 1)
        elif key == "show":
            following = following.ending("shown")
        elif isinstance(key, int) and following.has_choice:
            following = following.choose(key)
        assert 0 <= following.number < len(stops)
        assert following.is_open == (following.stop.asks and following.end is None)
        assert following.stop.answer not in following.tried


def test_the_command_line_names_a_stop_from_1(written):
    following = Following(lesson_of(written()))
    assert numbered(following, None).number == 0
    assert numbered(following, 4).number == 3
    with pytest.raises(UsageError, match="there is no stop 5: lesson has 4"):
        numbered(following, 5)


# ── the command ──────────────────────────────────────────────────────────────────────────────


def test_without_a_terminal_the_stops_are_printed(written, capsys):
    path = str(written())
    status, text, _ = run(capsys, "lesson", path)
    assert status == 0
    assert "stop 2/4  hello  3/L0/hh[1]\n  What does the memory add to this unit?\n  What is it?" in text
    assert "    2 W_hh @ h_prev\n" in text
    assert run(capsys, path) == (0, text, "")
    _, chinese, _ = run(capsys, "lesson", path, "--stop", "3", "--language", "zh")
    assert chinese.startswith("第 3/4 站  hello  3/L0/h\n")


def test_check_says_that_all_is_well_or_what_is_not(written, capsys):
    path = str(written())
    assert run(capsys, "lesson", path, "--check") == (0, "lesson: every stop can be reached, 4 in all\n", "")
    written(STOP + 'at = "77"\n')
    status, text, told = run(capsys, "lesson", path, "--check")
    assert (status, text) == (2, "")
    assert ":4:1: `at`: " in told


def test_check_tells_words_that_are_not_seen_whole_and_no_mistake(written, capsys):
    path = str(written(f'[[stop]]\nscenario = "hello"\nsay = "{"word " * 100}"\n'))
    assert run(capsys, "lesson", path, "--check") == (0, "lesson: every stop can be reached, 1 in all\n", "")
    written(f'[[stop]]\nscenario = "hello"\nsay = {{en = ".", zh = "{"字 " * 300}"}}\n')
    status, _, told = run(capsys, "lesson", path, "--check")
    assert status == 0
    assert told.startswith(f"{path}:3:1: `say`: ")


def test_a_scenarios_own_stops_are_a_lesson(written, capsys):
    path = written(bundled.find("hello").read_text("utf-8") + OWN_STOPS)
    status, text, _ = run(capsys, "lesson", str(path), "--check")
    assert status == 0
    assert "every stop can be reached, 2 in all" in text
    status, _, told = run(capsys, "lesson", "hello", "--check")
    assert status == 2
    assert "there is no [[stop]] in this file" in told


def test_the_bundled_lessons_are_listed(capsys):
    status, text, _ = run(capsys, "lesson", "--list")
    assert status == 0
    assert tuple(text.split()) == tuple(bundled.lessons())


def test_a_name_that_is_no_lesson(capsys):
    status, _, told = run(capsys, "lesson", "nothing_of_the_kind")
    assert status == 2
    assert "`rnnstep lesson --list` names them" in told
    status, _, told = run(capsys, "lesson")
    assert status == 2
    assert "NAME is missing" in told


def test_a_stop_that_names_no_row_is_in_the_first(written):
    path = written(
        '[[stop]]\nscenario = "packed"\nat = "1"\nsay = "."\n[[stop]]\nat = "1/L0/hh@row1"\nsay = "."\n'
    )
    session = session_of(bundled.find("packed")).right().other_row(1)
    assert session.position.row == 1
    lesson = lesson_of(path)
    assert at_stop(session, Following(lesson, 0)).position.row == 0
    there = at_stop(session, Following(lesson, 1))
    assert there.position.row == 1
    assert Following(lesson, 1).is_at(there)
    assert not Following(lesson, 0).is_at(there)
