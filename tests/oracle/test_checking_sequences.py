"""Mistakes in what is fed along a sequence, and in what a decoder begins with, held against plain Python."""

from __future__ import annotations

import random
from functools import cache

import numpy as np
import pytest

from rnnstep.checking import Marks
from rnnstep.checking.answers.answer import Answer, Answers
from rnnstep.checking.answers.numbers import Numbers
from rnnstep.checking.mistakes.catalogue import Catalogue
from rnnstep.engine.learning import Learning
from rnnstep.reference import complete
from rnnstep.scenario.file.document import Document, Limits
from rnnstep.scenario.read import read_text
from tests.oracle.by_hand import Pen, Vector
from tests.oracle.by_hand_network import Letters, letters_text, looking_decoder, loop_text


@cache
def known_of(seed: int, *, both: bool, has_embedding: bool) -> tuple[Learning, Catalogue]:
    learning = Learning(complete(read_text(letters_text(seed, both=both, has_embedding=has_embedding))))
    return learning, Catalogue(learning)


def sheet(known: tuple[Learning, Catalogue], states: list[Vector], pen: Pen, row: int) -> Marks:
    """The decoder's states of a row, marked."""
    answers = []
    for t, h in enumerate(states):
        given = Numbers(np.array(h).round(pen.decimals), np.full(len(h), pen.decimals))
        answers.append(Answer("h", given, t, row=row, decimals=pen.decimals, line=1, block="decoder"))
    learning, catalogue = known
    return Marks.of(learning, Answers(tuple(answers), Document("a", None, "", {}, Limits())), catalogue)


def first_named(got: Marks) -> tuple[int, set[str]]:
    """The first wrong step, and what is named of it."""
    number = next(k for k, mark in enumerate(got.marks) if mark.status == "wrong")
    return number, {id_ for one in got.remarks(number).mistakes for id_ in one.ids}


CASES = [(both, has_embedding) for both in (False, True) for has_embedding in (False, True)]


@pytest.mark.parametrize(("both", "has_embedding"), CASES)
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_no_honest_rounding_is_wrong(share: float, *, both: bool, has_embedding: bool) -> None:
    for seed in range(4):
        known, pen = known_of(seed, both=both, has_embedding=has_embedding), Pen(2 + seed % 3, share, seed)
        for row, states in enumerate(Letters(known[0].scenario, pen).run()):
            assert {mark.status for mark in sheet(known, states, pen, row).marks} == {"correct"}


@pytest.mark.parametrize(("both", "has_embedding"), CASES)
@pytest.mark.parametrize(("mistake", "first"), [("wanted", 0), ("further back", 1)])
def test_a_decoder_that_is_fed_another_step_is_found(
    mistake: str, first: int, *, both: bool, has_embedding: bool
) -> None:
    for seed in range(3):
        known, pen = known_of(seed, both=both, has_embedding=has_embedding), Pen(4)
        states = Letters(known[0].scenario, pen, mistake).run()
        number, ids = first_named(sheet(known, states[0], pen, 0))
        assert number == first
        assert "teacher_off_by_one" in ids
        assert not ids & {"x_of_next_step", "x_of_previous_step"}


@pytest.mark.parametrize(("both", "has_embedding"), CASES)
def test_another_letter_that_is_fed_to_a_decoder_is_found(*, both: bool, has_embedding: bool) -> None:
    """Along the second sequence, at one step."""
    for seed in range(3):
        known, pen = known_of(seed, both=both, has_embedding=has_embedding), Pen(4)
        states = Letters(known[0].scenario, pen, "letter").run()
        number, ids = first_named(sheet(known, states[0], pen, 0))
        assert (number, "wrong_index" in ids) == (1, True)


@pytest.mark.parametrize("has_embedding", [False, True])
@pytest.mark.parametrize(
    ("both", "mistake", "row"),
    [(False, "last", 1), (True, "last", 1), (True, "last", 0), (True, "own last", 1)],
)
def test_a_decoder_that_begins_with_the_last_output_is_found(
    mistake: str, row: int, *, both: bool, has_embedding: bool
) -> None:
    count = 0
    for seed in range(3):
        known, pen = known_of(seed, both=both, has_embedding=has_embedding), Pen(4)
        states = Letters(known[0].scenario, pen, mistake).run()
        number, ids = first_named(sheet(known, states[row], pen, row))
        assert number == 0
        count += "encoder_last_for_h_n" in ids
    assert count >= 2


@pytest.mark.parametrize("decimals", [1, 2, 3, 4])
def test_random_states_of_a_decoder_are_hardly_ever_named(decimals: int) -> None:
    rng, count = random.Random(decimals), 0
    for seed in range(8):
        known = known_of(seed % 3, both=False, has_embedding=bool(seed % 2))
        got = sheet(known, [[rng.uniform(-1, 1) for _ in range(3)]], Pen(decimals), rng.randrange(2))
        found = got.remarks(0, is_quick=True).mistakes if got.marks[0].status == "wrong" else ()
        count += any(one.is_named for one in found)
    assert count <= 1


@pytest.mark.parametrize(("is_fed", "is_before"), [(True, True), (False, True), (False, False)])
@pytest.mark.parametrize("asked", ["scores", "context"])
def test_the_query_of_another_step_is_found(asked: str, *, is_fed: bool, is_before: bool) -> None:
    """In a decoder loop, too, where the right state of this step stands on the sheet."""
    way = {"is_fed": is_fed, "is_before": is_before}
    count = 0
    for seed in range(3):
        learning = Learning(complete(read_text(loop_text(seed, **way))))
        pen, row = Pen(4), seed % 2
        right = looking_decoder(learning.scenario, pen, row, **way, is_wrong=False)
        wrong = looking_decoder(learning.scenario, pen, row, **way, is_wrong=True)
        given = [("h", "decoder", t, right[t]["h"]) for t in range(3)]
        given += [(asked, "attention", t, (wrong if t == 1 else right)[t][asked]) for t in (0, 1)]
        answers = tuple(
            Answer(
                name,
                Numbers(np.array(values).round(4), np.full(len(values), 4)),
                t,
                row=row,
                decimals=4,
                line=1,
                block=block,
            )
            for name, block, t, values in given
        )
        got = Marks.of(learning, Answers(answers, Document("a", None, "", {}, Limits())))
        statuses = [mark.status for mark in got.marks]
        assert (statuses[0], statuses[3], statuses[4]) == ("correct", "correct", "wrong")
        count += "attention_late_query" in {id_ for one in got.remarks(4).mistakes for id_ in one.ids}
    assert count >= 2
