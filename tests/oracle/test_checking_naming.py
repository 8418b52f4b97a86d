"""Mistakes are found where only some of the numbers, or only the last of them, were given."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from rnnstep.checking import Marks, inline_answers
from rnnstep.engine.learning import Learning
from rnnstep.scenario.file.document import Limits
from rnnstep.scenario.read import read_text
from tests.oracle.by_hand import Pen, run
from tests.oracle.test_checking import scenario_of

EMBEDDED = """
[input]
indices = {indices}
[embedding]
num_embeddings = 4
embedding_dim = 3
[recurrent]
module = "GRU"
hidden_size = 3
bidirectional = {both}
[weights]
seed = 5
"embedding.weight" = [[0.5, -1.2, 0.3], [-0.7, 0.4, 1.1], [0.9, 0.2, -0.6], [-0.3, -0.8, 0.1]]
"""
LARGE = """
[input]
random = {shape = [3, 30, 4], seed = 1}
[recurrent]
module = "LSTM"
hidden_size = 4
[weights]
seed = 2
"""


def ids(marked: Marks, number: int) -> set[str]:
    return {id_ for one in marked.remarks(number).mistakes for id_ in one.ids}


def written(value: np.ndarray, decimals: int = 3) -> str:
    return " ".join(f"{one:.{decimals}f}" for one in value)


@pytest.mark.parametrize("mistake", ["no_b_ih", "sigmoid_for_tanh", "transposed_hh"])
def test_a_blank_does_not_hide_a_mistake_made_at_every_step(mistake: str) -> None:
    scenario, pen = scenario_of("RNN", 3, sizes=(3, 4)), Pen(3)
    values = run(scenario, pen, mistake)
    lines = [f"h_{t + 1} = ? {pen.written(values[t]['h'][1:])}" for t in range(3)]
    marked = Marks.of(Learning(scenario), inline_answers(lines, Limits()))
    wrong = [number for number, mark in enumerate(marked.marks) if mark.status == "wrong"]
    assert len(wrong) > 1
    assert all(mistake in ids(marked, number) for number in wrong)


@pytest.mark.parametrize("both", ["false", "true"])
def test_an_index_that_was_looked_up_wrongly_once_is_found_from_the_last_state(both: str) -> None:
    learning = Learning(read_text(EMBEDDED.format(indices=[1, 2, 3], both=both)))
    other = Learning(read_text(EMBEDDED.format(indices=[1, 0, 3], both=both)))
    last = other.epoch(0).forward(0).values("L0", 2)["h"][0]
    marked = Marks.of(learning, inline_answers([f"h_3 = {written(last)}"], Limits()))
    assert marked.marks[0].status == "wrong"
    assert ids(marked, 0) == {"wrong_index"}


def test_a_row_of_a_large_batch_is_searched_alone() -> None:
    learning = Learning(read_text(LARGE))
    known = learning.epoch(0).forward(0).known("L0", 1, 17)
    assert known is not None
    lines = [f"h_2 = {written(known['o'] * known['c'])}"]  # without the tanh
    answers = inline_answers(lines, Limits())
    of_row = replace(answers, answers=tuple(replace(one, row=17) for one in answers.answers))
    marked = Marks.of(learning, of_row)
    assert marked.marks[0].status == "wrong"
    assert ids(marked, 0) == {"h_without_tanh"}


DEEP = """
[input]
random = {shape = [2, 1, 2], seed = 1}
[recurrent]
module = "GRU"
hidden_size = 2
num_layers = 120
bidirectional = true
[linear]
out_features = 2
from = "h_n"
[weights]
seed = 1
[target]
indices = [0]
"""


def test_a_hundred_layers_are_no_deep_recursion() -> None:
    learning = Learning(read_text(DEEP))
    logits = learning.epoch(0).forward(0).values("linear", 1)["logits"][0]
    lines = [f"logits = {written(logits)}", f"grad.bias_ih_l0 = {'0 ' * 6}"]
    marks = Marks.of(learning, inline_answers(lines, Limits())).marks
    assert marks[0].status == "correct"


class Knife(Pen):
    """Cuts off what stands behind the last digit of each number."""

    def __call__(self, value: float) -> float:
        unit = 10**-self.decimals  # a thousandth of it is what float32 made of a number of so many decimals
        return math.trunc(value / unit + math.copysign(1e-3, value)) * unit


@pytest.mark.parametrize("module", ["RNN", "LSTM"])
@pytest.mark.parametrize("decimals", [3, 4])
def test_one_who_cuts_digits_is_told_so(module: str, decimals: int) -> None:
    pen = Knife(decimals)
    told = []
    for seed in range(8):
        scenario = scenario_of(module, seed)
        steps = run(scenario, pen, None, range(3))
        lines = [f"h_{t + 1} = {pen.written(values['h'])}" for t, values in enumerate(steps)]
        marked = Marks.of(Learning(scenario), inline_answers(lines, Limits()))
        wrong = [number for number, mark in enumerate(marked.marks) if mark.status == "wrong"]
        told += ["digits_cut" in ids(marked, number) for number in wrong[:1]]
    assert told
    assert all(told)
