"""Random answers are hardly ever explained, and the chance that is told is what random answers come to."""

from __future__ import annotations

import random

import numpy as np
import pytest

from rnnstep.checking import MISTAKES, Marks, inline_answers
from rnnstep.checking.chance import NAMED, Tries, at_least, once_in
from rnnstep.checking.mistakes.catalogue import USUAL_FIRST
from rnnstep.engine.learning import Learning
from rnnstep.scenario.file.document import Limits
from rnnstep.scenario.read import read_text
from tests.oracle.by_hand import Pen, run
from tests.oracle.random_answers import drawn
from tests.oracle.test_checking import scenario_of

SEEDS = 3


@pytest.mark.parametrize("decimals", range(1, 7))
@pytest.mark.parametrize("entries", ["one", "all"])
def test_random_answers_are_hardly_ever_named(entries: str, decimals: int) -> None:
    """A sample; `tests/bench/random_answers.py` measures thousands."""
    rng = random.Random(f"{entries} {decimals}")
    named = 0
    for _ in range(SEEDS):
        marked, _ = drawn(rng, decimals, is_one=entries == "one")
        named += any(one.is_named for one in marked.remarks(0, is_quick=True).mistakes)
    assert named <= 1


@pytest.mark.parametrize("decimals", [2, 3])
def test_the_chance_is_that_of_random_numbers(decimals: int) -> None:
    """Of one number, that of its lattice which fits what was tried up to a mistake, counted one by one."""
    scenario, pen = scenario_of("RNN", 3), Pen(decimals)
    learning = Learning(scenario)
    values = run(scenario, pen, "no_b_hh", range(1, 2))
    lines = [f"h_1 = {pen.written(values[0]['h'])}"]
    given = values[1]["h"][0]
    marked = Marks.of(learning, inline_answers([*lines, f"h_2[0] = {given:.{decimals}f}"], Limits()))
    if marked.marks[1].status != "wrong":
        pytest.skip("the mistake does not show")
    tried = marked._tried_of(1, 20_000)
    found = next(one for one in tried.fitting if one.ids == ("no_b_hh",))
    earlier = set(tried.up_to(("no_b_hh",)))
    fits = wrong = 0
    unit = 10**-decimals
    low, high = marked.marks[1].low[0], marked.marks[1].high[0]
    for number in range(-(10**decimals), 10**decimals + 1)[:: max(1, 10**decimals // 40)]:
        value = number * unit
        if low - 1e-9 <= value <= high + 1e-9:
            continue
        wrong += 1
        answers = inline_answers([*lines, f"h_2[0] = {value:.{decimals}f}"], Limits())
        other = Marks.of(learning, answers, marked.sheet.catalogue)
        fits += any(one.ids in earlier for one in other._tried_of(1, 20_000).fitting)
    assert fits / wrong == pytest.approx(found.chance, abs=3 * np.sqrt(found.chance / wrong) + 0.01)


def test_the_union_of_what_was_tried_is_counted_once() -> None:
    right, ranges = (np.array([0.2]), np.array([0.3])), (np.array([-1.0]), np.array([1.0]))
    tries = Tries(np.array([0.5]), 1, right, ranges)
    assert tries.add((np.array([0.5]), np.array([0.6]))) == pytest.approx(
        2 / 19
    )  # of 21 but two that are right
    assert tries.add((np.array([0.6]), np.array([0.7]))) == pytest.approx(3 / 19)
    assert tries.add((np.array([0.1]), np.array([0.3]))) == pytest.approx(4 / 19)  # 0.1; the others are right
    assert tries.add((np.array([0.55]), np.array([0.65]))) == pytest.approx(4 / 19)
    assert tries.add((np.array([2.0]), np.array([3.0]))) == pytest.approx(4 / 19)  # outside of the range


def test_chances_of_several_numbers_are_those_of_a_die() -> None:
    """Two sixes of three dice: 16 of 216."""
    assert at_least(2, [1 / 6] * 3) == pytest.approx(16 / 216)
    assert at_least(0, [0.5]) == 1.0
    assert once_in(3, 1 / 6) == pytest.approx(91 / 216)
    assert once_in(3, 1.0) == 1.0


def test_half_a_loss_to_four_places_is_named() -> None:
    scenario = read_text(
        '[input]\nvalues = [[0.1], [0.2], [0.3]]\n[recurrent]\nmodule = "RNN"\nhidden_size = 1\nbias = false\n'
        "[weights]\nweight_ih_l0 = [[0.5]]\nweight_hh_l0 = [[0.5]]\n[target]\nvalues = [[0.2], [0.4], [0.6]]\n"
        '[loss]\nname = "MSELoss"\n'
    )
    learning = Learning(scenario)
    h = np.tanh([0.05, 0.1 + np.tanh(0.05) / 2, 0.15 + np.tanh(0.1 + np.tanh(0.05) / 2) / 2])
    half = float(np.mean((h - [0.2, 0.4, 0.6]) ** 2)) / 2
    marked = Marks.of(learning, inline_answers([f"loss = {half:.4f}"], Limits()))
    (mistake,) = marked.remarks(0).mistakes
    assert (mistake.ids, mistake.explains) == (("half_squared_error",), "all")
    assert mistake.chance < NAMED


def test_every_mistake_stands_in_the_order_and_every_one_in_it_has_words() -> None:
    assert len(set(USUAL_FIRST)) == len(USUAL_FIRST)
    assert set(USUAL_FIRST) == set(MISTAKES)
