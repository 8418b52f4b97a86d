"""Mistakes with initial states, embeddings, biases and gradients of several epochs, held against plain numpy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from rnnstep.checking import Marks, inline_answers
from rnnstep.checking.answers.answer import Answer, Answers
from rnnstep.checking.answers.numbers import Numbers
from rnnstep.checking.answers.reading import given_answers
from rnnstep.engine.learning import Learning
from rnnstep.scenario.file.document import Document, Limits
from rnnstep.scenario.read import read_text

TRAINED = """
[input]
random = {{shape = [3, 1, 2], seed = 1}}
[recurrent]
module = "RNN"
hidden_size = 3
[weights]
seed = 3
[target]
indices = [[0], [2], [1]]
[training]
optimizer = "{optimizer}"
lr = 0.1
epochs = 3
"""
EMBEDDED = """
[input]
indices = [1, 2, 0]
[embedding]
num_embeddings = 3
embedding_dim = 3
[recurrent]
module = "RNN"
hidden_size = 3
[weights]
seed = 5
"embedding.weight" = [[0.5, -1.2, 0.3], [-0.7, 0.4, 1.1], [0.9, 0.2, -0.6]]
"""
SQUARE = """
[input]
random = {shape = [2, 1, 3], seed = 1}
[recurrent]
module = "RNN"
hidden_size = 3
[weights]
seed = 3
[initial_state]
h_0 = [[[0.6, -0.4, 0.2]]]
"""
SHORT = """
[input]
random = {shape = [4, 2, 2], seed = 1}
lengths = [2, 3]
packed = true
[recurrent]
module = "LSTM"
hidden_size = 2
num_layers = 2
bidirectional = true
[weights]
seed = 3
"""
OF_EVERY_STEP = "target = {values = [[[1.0], [2.0]], [[0.5], [1.5]], [[0.0], [1.0]], [[0.0], [0.0]]]}\nlinear = {out_features = 1}"
OF_THE_END = 'target = {indices = [0, 1]}\nlinear = {out_features = 2, from = "h_n"}'
BATCHED = """
[input]
random = {shape = [2, 2, 3], seed = 1}
[recurrent]
module = "RNN"
hidden_size = 3
bidirectional = true
[linear]
out_features = 2
from = "h_n"
[weights]
seed = 3
"""


def numbers(value: object, decimals: int = 4) -> str:
    rows = np.atleast_2d(np.asarray(value))
    return ";".join(" ".join(f"{one:.{decimals}f}" for one in row) for row in rows)


def named(learning: Learning, lines: Sequence[str]) -> set[str]:
    """The mistakes of the last answer, which is wrong; all before it are right."""
    marked = Marks.of(learning, inline_answers(list(lines), Limits()))
    assert [mark.status for mark in marked.marks] == ["correct"] * (len(lines) - 1) + ["wrong"]
    return {id_ for one in marked.remarks(len(lines) - 1).mistakes for id_ in one.ids}


def weights(learning: Learning) -> dict[str, np.ndarray]:
    return {name: value.astype(float) for name, value in learning.scenario.parameters.items()}


def test_the_gradient_of_two_epochs_added_up_is_found() -> None:
    learning = Learning(read_text(TRAINED.format(optimizer="SGD")))
    first, second = (learning.epoch(epoch).backward(0).parameters["weight_hh_l0"] for epoch in (0, 1))
    assert named(learning, [f"e2: grad.weight_hh = {numbers(first + second)}"]) == {"no_zero_grad"}
    update = f"e2: update.weight_hh = {numbers(0.1 * (first + second), 5)}"
    assert "no_zero_grad" in named(learning, [f"e2: grad.weight_hh = {numbers(second, 5)}", update])


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_a_bias_that_was_left_as_it_was_is_found(optimizer: str) -> None:
    learning = Learning(read_text(TRAINED.format(optimizer=optimizer)))
    kept = weights(learning)["bias_hh_l0"]
    assert "merged_bias_once" in named(learning, [f"e1: w.bias_hh = {numbers(kept)}"])
    assert "merged_bias_once" in named(learning, ["e1: update.bias_hh = 0.0000 0.0000 0.0000"])


@pytest.mark.parametrize(("mistake", "factor"), [("sum_for_mean", 3.0), ("mean_twice", 1 / 3)])
def test_a_mean_that_is_none_is_found(mistake: str, factor: float) -> None:
    learning = Learning(read_text(TRAINED.format(optimizer="SGD")))
    done = learning.epoch(0).forward(0)
    each = [float(done.values("loss", t)["nll"].reshape(-1)[0]) for t in range(3)]
    lines = [f"nll_{t + 1} = {one:.4f}" for t, one in enumerate(each)]
    assert mistake in named(learning, [*lines, f"loss = {factor * float(np.mean(each)):.4f}"])


def test_a_column_of_the_embedding_is_found() -> None:
    learning = Learning(read_text(EMBEDDED))
    w = weights(learning)
    x = w["embedding.weight"][:, 1]
    h = np.tanh(w["weight_ih_l0"] @ x + w["bias_ih_l0"] + w["bias_hh_l0"])
    assert named(learning, [f"h_1 = {numbers(h)}"]) == {"embedding_column"}


def test_an_initial_state_that_was_ignored_is_found() -> None:
    learning = Learning(read_text(SQUARE))
    w, x = weights(learning), learning.scenario.batches[0].values[0, 0].astype(float)
    h = np.tanh(w["weight_ih_l0"] @ x + w["bias_ih_l0"] + w["bias_hh_l0"])
    assert named(learning, [f"h_1 = {numbers(h)}"]) == {"h_zero_ignored"}


def test_a_product_element_by_element_is_found() -> None:
    learning = Learning(read_text(SQUARE))
    w, x = weights(learning), learning.scenario.batches[0].values[0, 0].astype(float)
    h_0 = np.array([0.6, -0.4, 0.2])
    rows = (w["weight_ih_l0"] * x).sum(axis=0) + w["bias_ih_l0"]
    h = np.tanh(rows + w["weight_hh_l0"] @ h_0 + w["bias_hh_l0"])
    assert "elementwise_for_matmul" in named(learning, [f"h_1 = {numbers(h)}"])


def test_states_that_were_viewed_as_rows_are_found() -> None:
    learning = Learning(read_text(BATCHED))
    w, done = weights(learning), learning.epoch(0).forward(0)
    h_n = np.stack([done.values("L0", 1)["h"], done.values("L0←", 0)["h"]])  # (D, B, H)
    logits = h_n.reshape(2, -1)[0] @ w["linear.weight"].T + w["linear.bias"]
    assert named(learning, [f"logits = {numbers(logits)}"]) == {"h_n_viewed"}


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_an_update_without_lr_or_added_is_found(optimizer: str) -> None:
    learning = Learning(read_text(TRAINED.format(optimizer=optimizer)))
    update = learning.epoch(0).update(0).values("bias_ih_l0", 0)
    taken = np.asarray(update["update"], float)
    before = np.asarray(update["w_prev"], float)
    given = f"grad.bias_ih = {numbers(learning.epoch(0).backward(0).parameters['bias_ih_l0'], 5)}"
    assert named(learning, [given, f"update.bias_ih = {numbers(taken / 0.1, 5)}"]) == {"lr_left_out"}
    assert named(learning, [given, f"w.bias_ih = {numbers(before + taken, 5)}"]) == {"update_added"}


def test_mistakes_on_the_way_back_are_found() -> None:
    learning = Learning(read_text(TRAINED.format(optimizer="SGD")))
    done, back = learning.epoch(0).forward(0), learning.epoch(0).backward(0)
    h = [done.values("L0", t)["h"][0] for t in range(3)]
    a = [back.values("L0", t)["∂a"][0] for t in range(3)]
    right = [f"h_{t + 1} = {numbers(one)}" for t, one in enumerate(h)]
    above = f"grad.h_3 = {numbers(back.values('L0', 2)['∂h'][0])}"
    slopeless = f"grad.a_3 = {numbers(back.values('L0', 2)['∂h'][0])}"
    assert "slope_left_out" in named(learning, [*right, above, slopeless])
    with_h = sum(np.outer(one, state) for one, state in zip(a, h, strict=True))
    assert named(learning, [*right, f"grad.weight_hh = {numbers(with_h)}"]) == {"h_for_h_prev"}
    summed = 3 * back.parameters["bias_hh_l0"]
    assert "sum_for_mean" in named(learning, [*right, f"grad.bias_hh = {numbers(summed)}"])


def test_a_state_that_is_not_carried_on_is_found() -> None:
    learning = Learning(read_text(SQUARE.replace("RNN", "GRU")))
    known = learning.epoch(0).forward(0).known("L0", 1, 0)
    h = (1 - known["z"]) * known["n"]
    assert named(learning, [f"h_2 = {numbers(h)}"]) == {"gru_no_carry"}


def test_a_mistake_that_right_numbers_rule_out_is_not_named() -> None:
    learning = Learning(read_text(SQUARE))
    known = learning.epoch(0).forward(0).known("L0", 0, 0)
    lines = [
        f"ih_1 = {numbers(known['ih'])}",
        f"hh_1 = {numbers(known['hh'] - learning.scenario.parameters['bias_hh_l0'])}",
    ]
    assert named(learning, lines) == {"no_b_hh"}


WHOLE = {
    "batch first": 'module = "RNN"\nhidden_size = 2\nbatch_first = true',
    "time first": 'module = "RNN"\nhidden_size = 2',
    "two layers, both directions": 'module = "GRU"\nhidden_size = 2\nnum_layers = 2\nbidirectional = true',
    "projection": 'module = "LSTM"\nhidden_size = 3\nproj_size = 2\nbidirectional = true',
    "a cell": 'module = "LSTMCell"\nhidden_size = 2',
}
INPUTS = {
    "batch": "random = {shape = [3, 4, 2], seed = 1}",
    "packed": "random = {shape = [3, 4, 2], seed = 1}\nlengths = [3, 1, 2, 3]",
    "unbatched": "random = {shape = [3, 2], seed = 1}",
}


@pytest.mark.parametrize("layout", INPUTS)
@pytest.mark.parametrize("module", WHOLE)
def test_whole_values_are_answers_as_torch_prints_them(module: str, layout: str) -> None:
    given = INPUTS[layout]
    if module == "a cell" and layout == "packed":
        pytest.skip("a cell's sequences are not packed")
    if layout == "packed" and module == "batch first":
        given = given.replace("[3, 4, 2]", "[4, 3, 2]")
    scenario = read_text(f"[input]\n{given}\n[recurrent]\n{WHOLE[module]}\n[weights]\nseed = 3\n")
    done = Learning(scenario).epoch(0).forward(0)
    torch_shows = {"output": done.output, "h_n": done.h_n}
    if done.c_n is not None:
        torch_shows["c_n"] = done.c_n
    for name, value in torch_shows.items():
        numbers_ = np.round(np.asarray(value, float), 4)
        answer = Answer(name, from_data_of(numbers_), decimals=4, line=1)
        marked = Marks.of(Learning(scenario), Answers((answer,), Document("a", Path(), "", {}, Limits())))
        assert marked.marks[0].status == "correct", (module, layout, name)
        assert marked.marks[0].expected.shape == value.shape
        wrong = np.array(numbers_)
        wrong[(0,) * wrong.ndim] += 0.3
        answer = Answer(name, from_data_of(wrong), decimals=4, line=1)
        marked = Marks.of(Learning(scenario), Answers((answer,), Document("a", Path(), "", {}, Limits())))
        assert marked.marks[0].is_wrong[(0,) * wrong.ndim]


def from_data_of(values: np.ndarray) -> Numbers:
    return Numbers(values, np.full(values.shape, 4))


def test_one_set_of_weights_for_both_directions_is_found() -> None:
    """Of two sequences of which one is the other backwards, the forward h_n of the one is given as the other's backward h_n."""
    learning = Learning(
        read_text(
            "vocabulary = ['a', 'b', 'c', 'd']\n[input]\nindices = [[0, 1, 2, 3, 1], [1, 3, 2, 1, 0]]\n"
            '[recurrent]\nmodule = "RNN"\nhidden_size = 3\nbatch_first = true\nbidirectional = true\n[weights]\nseed = 0\n'
        )
    )
    h_n = np.array(learning.epoch(0).forward(0).h_n, float)
    h_n[1] = h_n[0, ::-1]
    answer = Answer("h_n", from_data_of(np.round(h_n, 4)), decimals=4, line=1)
    marked = Marks.of(learning, Answers((answer,), Document("a", Path(), "", {}, Limits())))
    assert marked.marks[0].status == "wrong"
    (mistake,) = marked.remarks(0).mistakes
    assert mistake.ids == ("directions_share_weights",)
    swapped = np.array(learning.epoch(0).forward(0).h_n, float)[::-1]
    answer = Answer("h_n", from_data_of(np.round(swapped, 4)), decimals=4, line=1)
    marked = Marks.of(learning, Answers((answer,), Document("a", Path(), "", {}, Limits())))
    assert [one.ids for one in marked.remarks(0).mistakes] == [("halves_swapped",)]


def test_of_a_whole_output_each_step_is_held_against_the_one_before_alone() -> None:
    """A number between what follows from one's own wrong state and what the run has is no right one."""
    learning = Learning(read_text(SQUARE))
    output = np.round(np.array(learning.epoch(0).forward(0).output, float), 4)
    output[0] += 0.4
    w, x = weights(learning), learning.scenario.batches[0].values[1, 0].astype(float)
    follows = np.tanh(
        w["weight_ih_l0"] @ x + w["bias_ih_l0"] + w["weight_hh_l0"] @ output[0, 0] + w["bias_hh_l0"]
    )
    output[1, 0] = np.round((output[1, 0] + follows) / 2, 4)
    answer = Answer("output", from_data_of(output), decimals=4, line=1)
    mark = Marks.of(learning, Answers((answer,), Document("a", Path(), "", {}, Limits()))).marks[0]
    assert mark.is_wrong.all()


@pytest.mark.parametrize("rest", [OF_EVERY_STEP, OF_THE_END])
def test_a_loss_of_packed_rows_that_all_end_before_the_last_step_is_marked(rest: str) -> None:
    learning = Learning(read_text(f"{rest}\n{SHORT}"))
    done, back = learning.epoch(0).forward(0), learning.epoch(0).backward(0)
    assert back is not None
    gradient = numbers(back.parameters["weight_hh_l0_reverse"], 5)
    lines = [f"loss = {done.loss:.5f}", f"grad.weight_hh_l0_reverse = {gradient}"]
    marked = Marks.of(learning, inline_answers(lines, Limits()))
    assert [mark.status for mark in marked.marks] == ["correct", "correct"]
    marked = Marks.of(learning, inline_answers([f"loss = {done.loss + 0.1:.5f}", lines[1]], Limits()))
    assert [mark.status for mark in marked.marks] == ["wrong", "correct"]


CARRIED = """
[input]
values = [0.3, -0.8, 0.5, 0.9, -0.4, 0.1, 0.7, -0.6, 0.2, 0.4]
windows = {length = 2, batch_size = 2, horizon = 1}
[recurrent]
module = "RNN"
hidden_size = 2
carry = true
[linear]
out_features = 1
[weights]
weight_ih_l0 = [[0.6], [-0.9]]
weight_hh_l0 = [[0.7, -0.4], [0.3, 0.8]]
bias_ih_l0 = [0.1, 0.2]
bias_hh_l0 = [-0.2, 0.3]
linear.weight = [[0.5, -0.5]]
linear.bias = [0.1]
[display]
dtype = "float64"
"""


def step_by_hand(w: dict[str, np.ndarray], x: float, h: np.ndarray) -> np.ndarray:
    return np.tanh(w["weight_ih_l0"][:, 0] * x + w["bias_ih_l0"] + w["weight_hh_l0"] @ h + w["bias_hh_l0"])


def given(steps: Sequence[tuple[int, int, np.ndarray]], decimals: int = 4) -> Answers:
    """Answers for h at steps of sequences, all batches one after the other: (step, sequence, h)."""
    lines = [
        f"[[answer]]\nstep = {step}\nbatch = {sequence}\nname = 'h'\nvalue = {h.round(decimals).tolist()}"
        for step, sequence, h in steps
    ]
    text = "\n".join([f"decimals = {decimals}", *lines])
    return given_answers(text.encode(), "answers.toml", Limits())


@pytest.mark.parametrize("row", [0, 1])
def test_a_state_that_begins_anew_at_a_window_is_found(row: int) -> None:
    learning = Learning(read_text(CARRIED))
    x = float(learning.scenario.batches[1].values[0, row, 0])
    marks = Marks.of(learning, given([(1, 2 + row, step_by_hand(weights(learning), x, np.zeros(2)))]))
    assert {one for mistake in marks.remarks(0).mistakes for one in mistake.ids} == {"state_not_carried"}


def test_a_wrong_state_is_followed_into_the_next_window() -> None:
    learning = Learning(read_text(CARRIED))
    w, (before, batch) = weights(learning), learning.scenario.batches[:2]
    wrong = step_by_hand(w, float(before.values[1, 0, 0]), np.zeros(2))  # h_2 from zeros
    then = step_by_hand(w, float(batch.values[0, 0, 0]), wrong)
    marks = Marks.of(learning, given([(2, 0, wrong), (1, 2, then)])).marks
    assert [mark.status for mark in marks] == ["wrong", "follow-through"]


def test_right_states_are_right_in_every_window() -> None:
    learning = Learning(read_text(CARRIED))
    steps = [
        (2, 2 * number + row, done.values("L0", 1)["h"][row])
        for number, done in enumerate(learning.epoch(0).trace.passes)
        for row in range(2)
    ]
    assert {mark.status for mark in Marks.of(learning, given(steps, 3)).marks} == {"correct"}
