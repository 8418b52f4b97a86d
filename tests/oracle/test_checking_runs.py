"""Mistakes between steps and layers, and in writing results down, held against plain numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rnnstep.checking import Marks, inline_answers
from rnnstep.checking.answers.answer import Answer, Answers
from rnnstep.checking.answers.numbers import from_text
from rnnstep.engine.learning import Learning
from rnnstep.scenario.bundled import find
from rnnstep.scenario.file.document import Document, Limits
from rnnstep.scenario.read import read, read_text

INPUT = "[input]\nrandom = {shape = [3, 2, 3], seed = 1}\n"
WEIGHTS = "[weights]\nseed = 3\n"


class Net:
    """An nn.RNN by numpy: weights by torch's names, x of a row, states by layer and direction."""

    def __init__(self, scenario, row: int = 0) -> None:
        self.w = {name: value.astype(float) for name, value in scenario.parameters.items()}
        self.x = scenario.batches[0].values[:, row].astype(float)
        self.zeros = np.zeros(scenario.recurrent.hidden_size)

    def cell(self, x, h, layer: int = 0, end: str = "") -> np.ndarray:
        w = {name: self.w.get(f"{name}_l{layer}{end}", self.w.get(name)) for name in NAMES}
        return np.tanh(w["weight_ih"] @ x + w["bias_ih"] + w["weight_hh"] @ h + w["bias_hh"])

    def states(self, inputs, layer: int = 0, end: str = "") -> list[np.ndarray]:
        found = [self.zeros]
        for x in inputs:
            found.append(self.cell(x, found[-1], layer, end))
        return found


NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def text(*vectors) -> str:
    return ";".join(" ".join(f"{value:.4f}" for value in vector) for vector in vectors)


def last(scenario, lines: list[str], row: int = 0):
    """The status of the last answer, and the mistakes that are named."""
    found = inline_answers(lines, Limits())
    if row:
        (one,) = found.answers
        numbers = from_text(lines[0].partition("=")[2])
        answers = (Answer(one.name, numbers, one.t, row=row, line=1),)
        found = Answers(answers, Document("a", Path(), "", {}, Limits()))
    marked = Marks.of(Learning(scenario), found)
    number = len(marked.marks) - 1
    assert all(mark.status == "correct" for mark in marked.marks[:number])
    return marked.marks[number].status, [one.ids for one in marked.remarks(number).mistakes]


def test_an_upper_layer_that_reads_something_else_is_found():
    scenario = read_text(f'{INPUT}[recurrent]\nmodule = "RNN"\nhidden_size = 3\nnum_layers = 2\n{WEIGHTS}')
    net = Net(scenario)
    lower = net.states(net.x)
    upper = net.states(lower[1:], 1)
    before = [f"{t}/L0/h = {text(lower[t])}" for t in (1, 2)] + [f"1/L1/h = {text(upper[1])}"]
    assert last(scenario, [*before, f"2/L1/h = {text(upper[2])}"])[0] == "correct"
    for mistake, wrong in {
        "layer_reads_x": net.cell(net.x[1], upper[1], 1),
        "layer_reads_below_late": net.cell(lower[1], upper[1], 1),
        "h_n_first_layer": lower[2],
    }.items():
        assert last(scenario, [*before, f"2/L1/h = {text(wrong)}"]) == ("wrong", [(mistake,)])
    assert last(scenario, [f"h_n = {text(lower[3], lower[3])}"]) == ("wrong", [("h_n_first_layer",)])


def test_directions_that_are_mixed_up_are_found():
    scenario = read_text(
        f'{INPUT}[recurrent]\nmodule = "RNN"\nhidden_size = 3\nbidirectional = true\n{WEIGHTS}'
    )
    net = Net(scenario)
    forward = net.states(net.x)
    backward = net.states(net.x[::-1], end="_reverse")  # after the last step, the one before …
    unturned = net.states(net.x, end="_reverse")
    right = np.concatenate((forward[2], backward[2]))
    assert last(scenario, [f"output_2 = {text(right)}"])[0] == "correct"
    swapped = np.concatenate((backward[2], forward[2]))
    assert last(scenario, [f"output_2 = {text(swapped)}"]) == ("wrong", [("halves_swapped",)])
    wrong = np.concatenate((forward[2], unturned[2]))
    assert last(scenario, [f"output_2 = {text(wrong)}"]) == ("wrong", [("backward_not_reversed",)])
    assert last(scenario, [f"h_n = {text(forward[3], backward[3])}"])[0] == "correct"
    named = last(scenario, [f"h_n = {text(forward[3], backward[1])}"])
    assert named == ("wrong", [("backward_half_at_last_step",)])


def test_padding_that_was_read_is_found():
    scenario = read_text(
        INPUT + 'lengths = [3, 2]\n[recurrent]\nmodule = "RNN"\nhidden_size = 3\n'
        f'[linear]\nout_features = 2\nfrom = "h_n"\n{WEIGHTS}'
    )
    net = Net(scenario, row=1)
    states = net.states(net.x)
    logits = [net.w["linear.weight"] @ h + net.w["linear.bias"] for h in states]
    assert last(scenario, [f"logits = {text(logits[2])}"], row=1)[0] == "correct"
    assert last(scenario, [f"logits = {text(logits[3])}"], row=1) == ("wrong", [("padding_walked",)])
    assert last(scenario, [f"h_n = {text(states[3])}"], row=1) == ("wrong", [("padding_walked",)])


@pytest.fixture(scope="module")
def hello():
    scenario = read(find("hello"))
    return scenario, Net(scenario)


def test_a_right_result_in_the_wrong_place_is_found(hello):
    scenario, net = hello
    h = net.states(net.x)
    assert last(scenario, [f"h_2 = {text(h[3])}"]) == ("wrong", [("step_off_by_one",)])
    assert last(scenario, [f"h_3 = {text(h[2])}"]) == ("wrong", [("step_off_by_one",)])
    exchanged = h[2][[3, 1, 2, 0]]
    assert last(scenario, [f"h_2 = {text(exchanged)}"]) == ("wrong", [("swapped_entries",)])
    assert last(scenario, [f"h_2 = {text(h[2] * [1, 1, 1, -1])}"]) == ("wrong", [("sign_slip",)])


def test_another_letter_is_found(hello):
    scenario, net = hello
    assert last(scenario, [f"h_1 = {text(net.cell(np.eye(4)[3], net.zeros))}"]) == (
        "wrong",
        [("wrong_index",)],
    )


def test_two_mistakes_at_once_are_tried_and_told_as_weaker(hello):
    scenario, net = hello
    h = net.states(net.x)
    both = np.tanh(net.w["weight_ih"] @ net.x[1] + net.w["weight_hh"].T @ h[1])
    lines = [f"h_1 = {text(h[1])}", f"h_2 = {text(both)}"]
    assert last(scenario, lines) == ("wrong", [("no_bias", "transposed_hh")])
    marked = Marks.of(Learning(scenario), inline_answers(lines, Limits()))
    assert {one.explains for one in marked.remarks(1).mistakes} == {"consistent"}


def test_mistakes_that_the_data_cannot_tell_apart_come_with_what_would(hello):
    """Of a c that is positive, relu gives what no tanh at all does."""
    scenario = read_text(
        '[input]\nrandom = {shape = [3, 2], seed = 4}\n[recurrent]\nmodule = "LSTM"\nhidden_size = 3\n'
        f"{WEIGHTS}bias_ih_l0 = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]\nbias_hh_l0 = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]\n"
    )
    learning = Learning(scenario)
    done = learning.epoch(0).forward(0)
    values = {name: value[0].astype(float) for name, value in done.values("L0", 0).items()}

    def remarks(wrong):
        return Marks.of(learning, inline_answers([f"h_1 = {text(wrong)}"], Limits())).remarks(0)

    exchanged = remarks(values["o"] * np.tanh(values["f"] * values["g"]))  # i and f
    assert [one.ids for one in exchanged.mistakes] == [("gates_i_f_swapped",)]
    alike = remarks(values["o"] * values["i"] * values["g"])  # no tanh; or relu: no c is negative
    assert {("h_without_tanh",), ("relu_for_tanh",)} <= {one.ids for one in alike.mistakes}
    assert alike.why_alike is not None
    assert alike.advice is not None
    assert alike.advice.label == "tanh_c_1"


def test_gradients_of_a_batch_whose_first_row_ends_early_are_marked():
    scenario = read_text(
        INPUT + 'lengths = [2, 3]\n[recurrent]\nmodule = "RNN"\nhidden_size = 3\nbidirectional = true\n'
        f'[linear]\nout_features = 2\nfrom = "h_n"\n{WEIGHTS}[target]\nindices = [0, 1]\n'
    )
    back = Learning(scenario).epoch(0).backward(0)
    for name in ("weight_hh_l0", "weight_hh_l0_reverse", "bias_ih_l0_reverse", "linear.weight"):
        gradient = np.atleast_2d(back.parameters[name].astype(float))
        assert last(scenario, [f"grad.{name} = {text(*gradient)}"])[0] == "correct"
