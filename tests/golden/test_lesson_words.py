"""What the bundled lessons say is so: every number in their words, in both languages, and the room that the words take."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest

from rnnstep.engine.trainer import Record
from rnnstep.language import LANGUAGES
from rnnstep.reference import complete
from rnnstep.scenario import bundled
from rnnstep.scenario.lesson import Lesson, read_lesson
from rnnstep.scenario.read import read
from rnnstep.scenario.stops import Stop
from rnnstep.session.guess import guess
from rnnstep.session.lesson import Following, at_stop, epoch_of
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.session.tree import index_of
from rnnstep.views.compose import wrap
from rnnstep.views.look import Look
from rnnstep.views.markdown import plain_markdown
from rnnstep.views.rows import width
from rnnstep.views.screen import screen
from tests.golden.lessons import claims_of_first_lessons, claims_of_later_lessons

CLAIMS = {**claims_of_first_lessons.CLAIMS, **claims_of_later_lessons.CLAIMS}
NAMES = tuple(bundled.lessons())
CELLS = 76  # of a line in the box of a stop, at 80 columns
MOST_LINES = 5
MOST_WITH_QUESTION = 8

_NUMBER = re.compile(r"(?<![\w.∂\[])[−-]?\d+(?:\.\d+)?(?:e[−-]?\d+)?(?![\w])")

pytestmark = pytest.mark.usefixtures("unhurried")


@cache
def lesson_of(name: str) -> Lesson:
    found = read_lesson(bundled.lessons()[name])
    assert found is not None
    return found


@cache
def opened(scenario: str, *, is_cure: bool = False) -> Session:
    found = complete(read(bundled.find(scenario)))
    return Session.open(SessionRun.of(complete(found.cure) if is_cure and found.cure else found))


def session_at(scenario: str, place: str, *, is_cure: bool = False) -> Session:
    session = opened(scenario, is_cure=is_cure)
    session.run.learning.reach(epoch_of(session, Stop(None, place, lesson_of(NAMES[0]).title)), math.inf)
    return session.at(place)


def value(place: str, scenario: str, *, cure: bool = False) -> Any:
    """The number at a place, or all of a value where the place names no element."""
    session = session_at(scenario, place, is_cure=cure)
    spot = session.spot
    assert spot is not None
    block = session.tree.block(spot)
    name = spot.operation or block.output
    known = session.run.known(spot, session.position.row)
    assert known is not None
    found = np.asarray(known[name], np.float64)
    if spot.element is None:
        return found if found.size > 1 else float(found.reshape(-1)[0])
    index = index_of(block, name, spot.element)
    return (
        float(found[index]) if index and len(index) == found.ndim else float(found.reshape(-1)[spot.element])
    )


def record(scenario: str, epoch: str) -> Record:
    """What became of an epoch, from 1."""
    session = opened(scenario)
    session.run.learning.reach(int(epoch), math.inf)
    return session.run.learning.record(int(epoch) - 1)


def name_of(stop: Stop) -> str:
    assert stop.scenario is not None
    name = bundled.name_of(stop.scenario)
    assert name is not None
    return name


def claimed(claim: str, stop: Stop) -> Any:
    """What a claim says that a number is."""
    kind, _, what = claim.partition(" ")
    scenario = name_of(stop)
    row = re.search(r"@row\d+$", stop.at)
    match kind:
        case "value":
            return value(what if "@" in what or row is None else what + row[0], scenario)
        case "epochs":
            return opened(scenario).tree.num_epochs
        case "steps":
            return opened(scenario).tree.num_steps(0)
        case "hidden_size":
            return opened(scenario).run.scenario.recurrent.hidden_size
        case "loss":
            return record(scenario, what).loss
        case "accuracy":
            return 100 * record(scenario, what).accuracy
        case "test_accuracy":
            return 100 * record(scenario, what).test_accuracy
    assert kind == "expr", claim

    def v(place: str, other: str = scenario, *, cure: bool = False) -> Any:
        return value(place, other, cure=cure)

    names = {
        "v": v,
        "tanh": math.tanh,
        "exp": math.exp,
        "log": math.log,
        "sqrt": math.sqrt,
        "sum": np.sum,
        "abs": abs,
        "max": np.max,
    }
    names["sigmoid"] = lambda a: 1 / (1 + math.exp(-a))
    return eval(what, {"__builtins__": {}}, names)


def is_rounded(text: str, number: float) -> bool:
    """Whether a number that is written is another one, rounded to its digits."""
    mantissa, _, exponent = text.replace("−", "-").partition("e")
    decimals = len(mantissa.partition(".")[2])
    half = 0.5 * 10.0 ** (int(exponent or 0) - decimals)
    return abs(float(text.replace("−", "-")) - number) <= half * (1 + 1e-6)


def words(stop: Stop, language: str) -> Iterator[str]:
    yield stop.say.into(language)
    yield stop.ask.into(language)
    if stop.answer is not None:  # the others may say what is not so
        yield stop.options[stop.answer - 1].into(language)


def numbers(stop: Stop, language: str) -> set[str]:
    """The numbers in the words of a stop; what stands in code is no number but a name, a key or a place."""
    return {
        number
        for text in words(stop, language)
        for number in _NUMBER.findall(re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", " ", text))
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_number_in_the_words_is_so(name):
    """Each is claimed to be something, and is it; what is claimed stands there."""
    found: list[str] = []
    for number, stop in enumerate(lesson_of(name).stops, 1):
        claims = CLAIMS[name].get(number, {})
        for language in LANGUAGES:
            found += [
                f"{number} {language}: {one} is not claimed"
                for one in numbers(stop, language) - claims.keys()
            ]
        every = " ".join([*words(stop, "en"), *(option.into("en") for option in stop.options)])
        found += [f"{number}: {one} is nowhere" for one in claims if one not in every]
        for text, claim in claims.items():
            kind, _, what = claim.partition(" ")
            if kind == "count":
                assert what, (name, number, text)
            elif kind == "said":
                is_there = all(text in stop.say.into(language) for language in LANGUAGES)
                if not is_there or record(name_of(stop), what).prediction != (text,):
                    found.append(f"{number}: {text} is not said in epoch {what}")
            elif not is_rounded(text, actual := float(claimed(claim, stop))):
                found.append(f"{number}: {text} is {actual} ({claim})")
    assert not found


@pytest.mark.parametrize("name", NAMES)
def test_both_languages_have_the_same_numbers(name):
    for stop in lesson_of(name).stops:
        assert stop.say.en
        assert stop.say.zh
        assert numbers(stop, "en") == numbers(stop, "zh"), stop.at


@pytest.mark.parametrize("name", NAMES)
def test_what_is_asked_can_be_answered(name):
    """The number itself, with two decimals or four, is right; and the words do not give it away."""
    lesson = lesson_of(name)
    for number, stop in enumerate(lesson.stops):
        if not stop.asks_value:
            continue
        session_at(name_of(stop), stop.at)
        session = at_stop(opened(name_of(stop)), Following(lesson, number))
        right = np.atleast_1d(value(stop.at, name_of(stop)))
        for decimals in (2, 4):
            typed = " ".join(f"{one:.{decimals}f}" for one in right)
            assert guess(session, typed, 4).is_right, (number + 1, typed)
        given = {
            one for one in numbers(stop, "en") if "." in one and len(right) == 1 and is_rounded(one, right[0])
        }
        assert not given, number + 1


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_the_words_leave_room_for_what_they_are_about(name, language):
    for number, stop in enumerate(lesson_of(name).stops, 1):
        said = wrap(plain_markdown(stop.say.into(language)), CELLS)
        asked = wrap(plain_markdown(stop.ask.into(language)), CELLS) if stop.options else []
        options = sum(width(option.into(language)) + 5 for option in stop.options)
        assert len(said) <= MOST_LINES, number
        assert len(said) + len(asked) + -(-options // CELLS) <= MOST_WITH_QUESTION, number


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_all_words_of_a_stop_are_seen_at_80_by_24(name, language):
    """Nothing of them is cut off: the last word of what is said and every option stand on the screen."""
    lesson = lesson_of(name)
    for number, stop in enumerate(lesson.stops):
        session_at(name_of(stop), stop.at)
        following = Following(lesson, number)
        session = at_stop(opened(name_of(stop)), following)
        rows = screen(session, Look(torch="none", language=language), 80, 24, following)
        shown = "".join("".join(span.text for span in row) for row in rows).replace("│", "").replace(" ", "")
        for text in (stop.say, stop.ask, *stop.options):
            end = "".join(plain_markdown(text.into(language)).split())[-12:]
            assert end in shown, (number + 1, end)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_the_plot_of_a_stop_is_seen_at_80_by_24(name, language):
    """The words leave it its room, before the question is answered and after."""
    lesson = lesson_of(name)
    for number, stop in enumerate(lesson.stops):
        if "plot" not in stop.show:
            continue
        session_at(name_of(stop), stop.at)
        for following in (Following(lesson, number), Following(lesson, number).ending("right")):
            session = at_stop(opened(name_of(stop)), following)
            rows = screen(session, Look(torch="none", language=language, shows=stop.show), 80, 24, following)
            is_drawn = any("\u2800" <= sign <= "\u28ff" for row in rows for span in row for sign in span.text)
            assert is_drawn, (number + 1, following.end)


def test_every_lesson_is_claimed_and_every_claim_has_its_stop():
    assert set(CLAIMS) == set(NAMES) == set(bundled.LESSON_ORDER)
    for name, by_stop in CLAIMS.items():
        assert by_stop.keys() <= set(range(1, len(lesson_of(name).stops) + 1))
