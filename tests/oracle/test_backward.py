"""Backpropagation through time beside a plain tape, number by number, and beside autograd in both dtypes.

The tape notes every operation of every row and step, and goes back through it with the numeric `vjp` of the table of
operations: it knows nothing of derived equations, of compiled functions, of arrays over time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import rnnstep.engine.model as model_module
import rnnstep.engine.recurrence as recurrence_module
from rnnstep.engine import Model
from rnnstep.equations.evaluate import Errors, Values, evaluate, evaluate_lines
from rnnstep.equations.expand import expand, number_of_terms
from rnnstep.equations.operations import OPERATIONS
from rnnstep.equations.pieces import reckon
from rnnstep.equations.syntax import names_in
from rnnstep.reference import run_gradients

# ── the tape ─────────────────────────────────────────────────────────────────────────────────


class Var:
    """A value, what it was made of, and how ∂L/∂ of it goes back to that."""

    def __init__(
        self, value: Any, made_of: tuple[Var, ...] = (), back: Callable[..., Any] | None = None
    ) -> None:
        self.value = np.asarray(value)
        self.made_of = made_of
        self.back = back
        self.grad = np.zeros(self.value.shape)


class Tape:
    """The reading of equations that notes what it does."""

    def __init__(self) -> None:
        self.noted: list[Var] = []

    def note(self, *args: Any) -> Var:
        self.noted.append(Var(*args))
        return self.noted[-1]

    def number(self, value: float) -> Var:
        return Var(value)

    def pick(self, base: Var, index: int) -> Var:
        return self.part(base, np.s_[[index]])

    def apply(self, op: str, args: tuple[Var, ...]) -> Var:
        values = [one.value for one in args]
        out = np.asarray(OPERATIONS[op].forward(*values))
        return self.note(out, args, lambda g: OPERATIONS[op].vjp(g, out, *values))

    def as_read(self, base: Var) -> Var:
        """The same for one reader of several, who sends back his own part of its gradient."""
        return self.part(base, np.s_[:])

    def part(self, base: Var, place: Any) -> Var:
        def back(g: np.ndarray) -> tuple[np.ndarray]:
            whole = np.zeros(base.value.shape)
            whole[place] = g
            return (whole,)

        return self.note(base.value[place], (base,), back)

    def joined(self, parts: list[Var]) -> Var:
        ends = np.cumsum([len(part.value) for part in parts])[:-1]
        return self.note(
            np.concatenate([part.value for part in parts]), tuple(parts), lambda g: np.split(g, ends)
        )

    def go_back(self, loss: Var) -> None:
        loss.grad = np.ones(loss.value.shape)
        for var in reversed(self.noted):
            if var.back is not None:
                for one, g in zip(var.made_of, var.back(var.grad), strict=True):
                    one.grad = one.grad + g


class ByHand:
    """One run of a batch, row by row and line by line, and the way back through all of it.

    `at` has the value of each (block key, name, t, row); `copies` a block's parameter as one step read it.
    """

    def __init__(self, done: Any) -> None:
        self.done, self.scenario, self.tape = done, done.scenario, Tape()
        self.steps, self.rows = done.x.shape[:2]
        self.whole = {name: Var(value) for name, value in self.scenario.parameters.items()}
        self.at: dict[tuple[str, str, int, int], Var] = {}
        self.copies: dict[tuple[str, str, int], Var] = {}
        outputs = self.model()
        entries = [one for step in self.every("loss", outputs) for one in step]
        self.loss = self.block("total", self.steps - 1, 0, self.tape.joined(entries))
        self.tape.go_back(self.loss)

    def model(self) -> list[list[Var]]:
        """The outputs by step and row; of final states one step."""
        done, recurrent = self.done, self.scenario.recurrent
        x = [[Var(done.x[t, row]) for row in range(self.rows)] for t in range(self.steps)]
        if "embedding" in done.by_key:
            x = [[self.looked_up(t, row) for row in range(self.rows)] for t in range(self.steps)]
        for layer in range(recurrent.num_layers):
            keys = [key for key, run in done.runs.items() if run.block.layer == layer]
            found = [
                [self.walk(key, [step[row] for step in x], row) for row in range(self.rows)] for key in keys
            ]
            outputs = [[[one[t] for one in by_row] for t in range(self.steps)] for by_row in found]
            x = self.every(f"join{layer}", *outputs) if len(keys) > 1 else outputs[0]
            if f"dropout{layer}" in done.by_key:
                x = self.every(f"dropout{layer}", x)
        if done.is_final:
            x = [[self.final(x, row) for row in range(self.rows)]]
        if "linear" in done.by_key:
            x = self.every("linear", x)
        return x

    def final(self, x: list[list[Var]], row: int) -> Var:
        """The final states of a row: forwards where it ends, backwards where it begins."""
        size = self.scenario.recurrent.output_size
        ends = [self.tape.part(x[self.done.batch.last_step(row)][row], np.s_[:size])]
        return self.tape.joined([*ends, self.tape.part(x[0][row], np.s_[size:])])

    def every(self, key: str, *inputs: list[list[Var]]) -> list[list[Var]]:
        first = self.steps - len(inputs[0])  # what is asked of final states stands at the last step
        return [
            [self.block(key, first + k, row, *(each[k][row] for each in inputs)) for row in range(self.rows)]
            for k in range(len(inputs[0]))
        ]

    def looked_up(self, t: int, row: int) -> Var:
        index = self.done.batch.indices[t, row]
        table = self.copy("embedding", "weight", t)
        if index == self.scenario.embedding.padding_idx:  # which does not learn
            table = Var(table.value)
        self.at["embedding", "x", t, row] = self.tape.part(table, index)
        return self.at["embedding", "x", t, row]

    def copy(self, key: str, name: str, t: int) -> Var:
        if (key, name, t) not in self.copies:
            where = self.done.by_key[key].kept_in[name]
            self.copies[key, name, t] = self.tape.part(
                self.whole[where.torch], np.s_[where.start : where.stop]
            )
        return self.copies[key, name, t]

    def block(self, key: str, t: int, row: int, *inputs: Var) -> Var:
        """A block of one step: what it reads beside its inputs is constant."""
        block = self.done.by_key[key]
        read = [name for name in block.program.inputs if name not in {"target", "counts", "mask", "share"}]
        known: dict[str, Var] = dict(zip(read, map(self.tape.as_read, inputs), strict=True))
        if "mask" in block.program.inputs:
            known["mask"] = Var(self.done.masks[key][t, row])
        if key == "loss":
            given = self.done.loss_run.known
            step = 0 if self.done.is_final else t
            known |= {name: Var(given[name][step, row]) for name in ("target", "counts") if name in given}
        if "share" in block.program.inputs:
            known["share"] = Var(self.done.loss_run.entries["share"])
        return self.lines(key, t, row, known)[block.output]

    def lines(self, key: str, t: int, row: int, known: dict[str, Var]) -> dict[str, Var]:
        block = self.done.by_key[key]
        known = known | {name: self.copy(key, name, t) for name in block.parameters}
        known |= evaluate_lines(block.program.lines, known, self.tape)
        self.at |= {(key, name, t, row): var for name, var in known.items() if name not in block.parameters}
        return known

    def walk(self, key: str, x: list[Var], row: int) -> list[Var]:
        """Step one row; give its output at each step, zeros where it is over."""
        run = self.done.runs[key]
        block, length = run.block, self.done.batch.last_step(row) + 1
        position = block.layer * self.scenario.recurrent.num_directions + run.is_reversed
        states = {}
        for name, shape in block.program.states.items():
            given = self.scenario.initial_state.get(f"{name}_0")
            states[f"{name}_prev"] = Var(np.zeros(shape) if given is None else given[position][row])
        output = [Var(np.zeros(block.program.states[block.output])) for _ in range(self.steps)]
        for t in range(length)[:: -1 if run.is_reversed else 1]:
            seen = self.lines(key, t, row, {"x": self.tape.as_read(x[t]), **states})
            states = {f"{name}_prev": self.tape.as_read(seen[name]) for name in block.program.states}
            output[t] = seen[block.output]
        return output


# ── cases ────────────────────────────────────────────────────────────────────────────────────


def classes(*shape: int, ignored: tuple[Any, ...] = ()) -> dict[str, Any]:
    found = np.random.default_rng(5).integers(0, 3, shape)
    for place in ignored:
        found[place] = -100
    return {"indices": found.tolist()}


def numbers(*shape: int, below: float = 2.0) -> dict[str, Any]:
    return {"values": np.random.default_rng(6).uniform(0, below, shape).round(3).tolist()}


def given(shape: list[int], lengths: list[int] | None = None, **more: Any) -> dict[str, Any]:
    return {"random": {"shape": shape, "seed": 1}} | ({"lengths": lengths} if lengths else {}) | more


MGU = {
    "state": ["h"],
    "parameters": {
        **{f"{name}_{gate}": f"hidden_size, {size}_size" for gate in "fn" for name, size in (("W", "input"), ("U", "hidden"))},
        **{f"b_{gate}": "hidden_size" for gate in "fn"},
        "spare": "hidden_size",
    },
    "equations": """
f = sigmoid(W_f @ x + U_f @ h_prev + b_f)
n = tanh(W_n @ x + U_n @ (f * h_prev) + b_n)
h = (1 - f) * h_prev + f * n
""",
}  # fmt: skip
OF_PARAMETERS = {
    "state": {"h": "hidden_size", "c": "hidden_size"},
    "parameters": {
        "W": "hidden_size, input_size",
        "U": "hidden_size, hidden_size",
        "b": "hidden_size",
        "k": "1",
    },
    "equations": """
twice = 2 * b
V = U * 0.5 + U * U
w = V @ tanh(twice)
a = W @ x + V @ h_prev + twice / 3 + w
c = c_prev * k + a * w - b[1] * a[0]
h = tanh(c) * softmax(a) + norm(a) * max(x)
""",
}
LINEAR, FINAL = {"out_features": 3}, {"out_features": 3, "from": "h_n"}
SUMMED, TOGETHER = {"over_time": "sum"}, {"over_time": "together"}
H_0 = {"h_0": [[[0.5, -0.5], [1.0, 0.2]]], "c_0": [[[2.0, 0.1], [-1.0, 0.3]]]}
# What goes into `make`: module, its options, the tables.
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "RNNCell": ("RNNCell", {}, {"target": classes(5, 3)}),
    "LSTMCell": ("LSTMCell", {}, {"target": classes(5, 3), "linear": LINEAR}),
    "GRUCell": ("GRUCell", {"bias": False}, {"target": classes(5, 3), "loss": TOGETHER}),
    "one row": ("LSTMCell", {"shape": [4, 1, 2]}, {"target": classes(4, 1), "linear": LINEAR}),
    "one row, one step": ("GRU", {"shape": [1, 1, 2]}, {"target": classes(1, 1)}),
    "one step": ("LSTM", {"shape": [1, 3, 2]}, {"target": classes(1, 3), "linear": LINEAR}),
    "cell, packed": (
        "LSTMCell",
        {},
        {"input": given([6, 3, 2], [2, 5, 4]), "target": classes(6, 3, ignored=((0, 1), (5, 0)))},
    ),
    "RNN": ("RNN", {"nonlinearity": "relu"}, {"target": classes(5, 3)}),
    "LSTM": ("LSTM", {"bias": False}, {"target": classes(5, 3), "loss": {"reduction": "sum"}}),
    "GRU": ("GRU", {"batch_first": True, "shape": [3, 5, 4]}, {"target": classes(3, 5), "loss": SUMMED, "linear": LINEAR}),
    "both ways": ("GRU", {"bidirectional": True}, {"target": classes(5, 3), "linear": LINEAR}),
    "both ways, one row": ("RNN", {"bidirectional": True, "shape": [4, 1, 2]}, {"target": classes(4, 1)}),
    "deep, both ways, packed": (
        "LSTM",
        {"num_layers": 2, "bidirectional": True},
        {
            "input": given([6, 4, 3], [2, 5, 1, 5]),
            "linear": LINEAR,
            "target": classes(6, 4, ignored=((5, 1), (2, 2))),
        },
    ),
    "projected": ("LSTM", {"proj_size": 3, "num_layers": 2}, {"target": classes(5, 3)}),
    "projected, both ways, packed, final": (
        "LSTM",
        {"num_layers": 2, "bidirectional": True, "proj_size": 2},
        {"input": given([5, 3, 3], [5, 2, 4]), "linear": FINAL, "target": classes(3)},
    ),
    "dropped": ("RNN", {"num_layers": 3, "dropout": 0.4, "mode": "train"}, {"target": classes(5, 3)}),
    "dropped, both ways, packed, final": (
        "GRU",
        {"num_layers": 2, "bidirectional": True, "dropout": 0.4, "mode": "train"},
        {"input": given([5, 3, 3], [3, 5, 1]), "linear": FINAL, "target": classes(3, ignored=(1,))},
    ),
    "final, padding walked over": (
        "RNN",
        {},
        {"input": given([5, 3, 3], [3, 5, 1], packed=False), "linear": FINAL, "target": classes(3)},
    ),
    "embedding": (
        "GRU",
        {"num_layers": 2},
        {
            "input": {"indices": [[1, 0, 2], [0, 0, 1], [2, 1, 1]]},
            "embedding": {"num_embeddings": 4, "embedding_dim": 3, "padding_idx": 0},
            "linear": LINEAR,
            "target": classes(3, 3),
        },
    ),
    "embedding, one row, both ways": (
        "LSTM",
        {"bidirectional": True},
        {
            "input": {"indices": [3, 0, 3, 1]},
            "embedding": {"num_embeddings": 4, "embedding_dim": 3},
            "target": classes(4),
        },
    ),
    "embedding, packed": (
        "RNN",
        {},
        {
            "input": {"indices": [[1, 2, 0], [3, 1, 1], [0, 2, 0]], "lengths": [2, 3, 1]},
            "embedding": {"num_embeddings": 4, "embedding_dim": 3, "padding_idx": 0},
            "target": classes(3, 3),
        },
    ),
    "unbatched": ("LSTM", {"num_layers": 2}, {"input": numbers(5, 3), "target": classes(5)}),
    "unbatched cell": ("GRUCell", {}, {"input": numbers(5, 3), "target": classes(5)}),
    "initial state": (
        "LSTM",
        {"hidden_size": 2},
        {"initial_state": H_0, "input": given([4, 2, 3]), "linear": LINEAR, "target": classes(4, 2)},
    ),
    "MSE": ("RNN", {}, {"target": numbers(5, 3, 4), "loss": {"name": "MSELoss"}}),
    "MSE, summed": (
        "GRUCell",
        {},
        {"target": numbers(5, 3, 3), "linear": LINEAR, "loss": {"name": "MSELoss", "reduction": "sum"}},
    ),
    "BCE": (
        "LSTM",
        {"bidirectional": True},
        {"target": numbers(5, 3, 8, below=1), "loss": {"name": "BCEWithLogitsLoss", **SUMMED}},
    ),
    "BCE, final": (
        "RNN",
        {},
        {"target": numbers(3, 3, below=1), "linear": FINAL, "loss": {"name": "BCEWithLogitsLoss"}},
    ),
    "several batches": (
        "GRU",
        {},
        {
            "input": {"values": np.linspace(-1, 1, 9).round(3).tolist(), "windows": {"length": 3, "batch_size": 4}},
            "linear": LINEAR,
            "target": classes(3, 9),
        },
    ),
    "a cell of one's own": ("mine", {}, {"cell": {"mine": MGU}, "linear": LINEAR, "target": classes(5, 3)}),
    "a cell with lines of parameters alone": (
        "mine",
        {},
        {"cell": {"mine": OF_PARAMETERS}, "input": given([5, 3, 3], [3, 4, 1]), "target": classes(5, 3)},
    ),
    "the same, one row": (
        "mine",
        {"shape": [4, 1, 3]},
        {"cell": {"mine": OF_PARAMETERS}, "target": classes(4, 1)},
    ),
    "a softmax too many": (
        "RNN",
        {},
        {"target": classes(5, 3), "training": {"mistake": "softmax_before_cross_entropy"}},
    ),
}  # fmt: skip
every_case = pytest.mark.parametrize("case", CASES)


def backs_of(make, case: str, dtype: str = "float64") -> list[Any]:
    """The ways back of all batches."""
    module, options, tables = CASES[case]
    model = Model(make(module, dtype=dtype, tables=tables, **options))
    return [model.backward(model.run_batch(index)) for index in range(len(model.scenario.batches))]


def steps_of(back: Any, key: str) -> range:
    """A block's steps in the order of the way back."""
    done = back.done
    if key == "total" or (done.is_final and key in {"linear", "loss"}):
        return range(done.batch.num_steps - 1, done.batch.num_steps)
    last = (
        max(done.batch.last_step(row) for row in range(done.batch.num_rows)) + 1
        if key in done.runs
        else done.batch.num_steps
    )
    return range(last) if key.endswith("←") else range(last - 1, -1, -1)


def close(found: Any, expected: Any, of: str) -> None:
    expected = np.asarray(expected)
    size = float(np.abs(expected).max(initial=0))
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12 * max(size, 1e-3), err_msg=of)


# ── number by number ─────────────────────────────────────────────────────────────────────────


@every_case
def test_loss_and_gradients_are_those_of_the_tape(make, case) -> None:
    for back in backs_of(make, case):
        by_hand = ByHand(back.done)
        assert back.loss == pytest.approx(by_hand.loss.value.item(), rel=1e-13)
        assert list(back.parameters) == list(back.scenario.parameters)
        for name, gradient in back.parameters.items():
            assert gradient.shape == back.scenario.parameters[name].shape
            close(gradient, by_hand.whole[name].grad, name)


@every_case
def test_every_value_of_every_step_is_that_of_the_tape(make, case) -> None:
    for back in backs_of(make, case):
        by_hand = ByHand(back.done)
        for key in back.by_key:
            forward = back.done.by_key[key].program
            made_of_parameters = {line.name for line in back.way_back(key).derived.fixed}
            names = {*forward.inputs, *forward.befores, *forward.names} - {
                "target",
                "counts",
                "mask",
                "share",
                "index",
            }
            for t in steps_of(back, key):
                values = back.values(key, t)
                rows = [row for row in range(back.batch.num_rows) if back.row_index(key, t, row) is not None]
                for name in sorted(names):
                    tape = [
                        by_hand.at[key, name, t, row].grad for row in rows[: 1 if key == "total" else None]
                    ]
                    found = values.get(f"∂{name}", np.zeros_like(tape))  # where nothing goes back to it
                    if name in made_of_parameters:
                        close(found, np.sum(tape, axis=0), f"{key}/∂{name} at {t}")
                    else:
                        assert len(found) == len(tape)
                        for row, expected in enumerate(tape):
                            close(
                                found[back.row_index(key, t, rows[row])],
                                expected,
                                f"{key}/∂{name} at {t}, {row}",
                            )


@every_case
def test_shares_and_running_sums_are_those_of_the_tape(make, case) -> None:
    for back in backs_of(make, case):
        by_hand = ByHand(back.done)
        for key, block in back.by_key.items():
            so_far: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(()))
            last: dict[str, np.ndarray] = {}
            for t in steps_of(back, key):
                values = back.values(key, t)
                for name in block.parameters:
                    copy = by_hand.copies.get((key, name, t))
                    share = np.zeros(block.parameters[name].shape) if copy is None else copy.grad
                    before = block.program.before(f"∂{name}")
                    if before in block.program.befores:
                        close(values[before], so_far[name] + np.zeros(share.shape), f"{key}/{before} at {t}")
                    so_far[name] = so_far[name] + share
                    if f"∂{name}_t" in values:
                        close(values[f"∂{name}_t"], share, f"{key}/∂{name}_t at {t}")
                    if f"∂{name}" in values:
                        close(values[f"∂{name}"], so_far[name], f"{key}/∂{name} at {t}")
                        last[name] = values[f"∂{name}"]
            for name, where in back.done.by_key[key].kept_in.items():
                whole = back.parameters[where.torch][where.start : where.stop]
                close(last.get(name, np.zeros(whole.shape)), whole, f"{key}/∂{name}")


@every_case
def test_states_have_their_total_derivatives(make, case) -> None:
    for back in backs_of(make, case):
        by_hand = ByHand(back.done)
        for key, run in back.done.runs.items():
            for name, (size,) in run.block.program.states.items():
                whole = back.states(key, name)
                assert whole.shape == (back.batch.num_steps, back.batch.num_rows, size)
                for t in range(back.batch.num_steps):
                    for row in range(back.batch.num_rows):
                        var = by_hand.at.get((key, name, t, row))
                        expected = np.zeros(size) if var is None else var.grad  # where a packed row is over
                        close(whole[t, row], expected, f"{key}/∂{name} at {t}, row {row}")


@every_case
def test_every_line_is_what_it_says_and_can_be_worked_out(make, case) -> None:
    for back in backs_of(make, case):
        for key, block in back.by_key.items():
            for t in steps_of(back, key)[:2]:
                for row in (0, back.batch.num_rows - 1):
                    known = back.known(key, t, row)
                    for line in block.program.lines if known is not None else ():
                        works_out(line, known, block.program.shapes)


def works_out(line: Any, known: dict[str, np.ndarray], shapes: Any) -> None:
    value = np.asarray(known[line.name])
    again = np.asarray(evaluate(line.expression, known, Values()))
    np.testing.assert_allclose(
        np.broadcast_to(again, value.shape), value, rtol=1e-10, atol=1e-14, err_msg=line.name
    )
    exact = {name: (known[name], np.zeros(np.shape(known[name]))) for name in names_in(line.expression)}
    with np.errstate(all="ignore"):
        _, bound = evaluate(line.expression, exact, Errors(np.dtype(np.float64)))
    for element in list(np.ndindex(value.shape))[:3]:
        expansion = expand(line, element, known)
        assert len(expansion.terms) == number_of_terms(line, shapes)
        allowed = 4 * float(np.broadcast_to(bound, value.shape)[element]) + 1e-10 * abs(expansion.value)
        assert abs(reckon(expansion.piece) - expansion.value) <= allowed, line.name


@every_case
def test_rows_together_are_the_rows_each_in_its_place(make, case) -> None:
    for back in backs_of(make, case):
        for key, block in back.by_key.items():
            together = [name for name in block.program.inputs if name.endswith("⋮")]
            assert (
                bool(together) == (back.batch.num_rows > 1 and bool(block.parameters))
                or key not in back.done.runs
            )
            for t in steps_of(back, key) if together else ():
                values = back.values(key, t)
                for name in together:
                    for row in range(back.batch.num_rows):
                        index = back.row_index(key, t, row)
                        of_row = (
                            0 if index is None else values[name.removesuffix("⋮")][index]
                        )  # 0 where it is over
                        np.testing.assert_array_equal(
                            values[name][row], of_row + np.zeros_like(values[name][row])
                        )


@every_case
def test_what_goes_on_from_a_step_is_what_the_next_one_reads(make, case) -> None:
    for back in backs_of(make, case):
        for key, run in back.done.runs.items():
            program = back.by_key[key].program
            steps = steps_of(back, key)
            for earlier, t in pairwise(steps):
                given_on, read = back.values(key, earlier), back.values(key, t)
                for name in run.block.program.states:
                    before = f"∂{run.block.program.before(name)}"
                    for row in range(back.batch.num_rows):
                        one, other = back.row_index(key, earlier, row), back.row_index(key, t, row)
                        if other is not None:
                            expected = (
                                np.zeros(run.block.program.states[name])
                                if one is None
                                else given_on[before][one]
                            )
                            np.testing.assert_array_equal(read[program.before(before)][other], expected)


# ── autograd ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@every_case
def test_gradients_are_autograds(make, case, dtype) -> None:
    unit = float(np.finfo(dtype).eps)
    for back in backs_of(make, case, dtype):
        found = run_gradients(back.done)
        assert back.loss == pytest.approx(found.loss, rel=16 * unit)
        for name, gradient in found.parameters.items():
            assert back.parameters[name].dtype == np.dtype(dtype)
            size = float(np.abs(gradient).max(initial=1e-3))
            np.testing.assert_allclose(
                back.parameters[name], gradient, rtol=0, atol=64 * unit * size, err_msg=name
            )
        for key, states in found.states.items():
            for name, gradient in states.items():
                size = float(np.abs(gradient).max(initial=1e-3))
                np.testing.assert_allclose(back.states(key, name), gradient, rtol=0, atol=64 * unit * size)


# ── runs that keep their states alone ────────────────────────────────────────────────────────

LONG = ["RNNCell", "one row", "deep, both ways, packed", "projected, both ways, packed, final", "both ways, one row",
        "embedding", "initial state", "a cell of one's own", "a cell with lines of parameters alone", "dropped"]  # fmt: skip


@pytest.mark.parametrize("segment_bytes", [1, 2000])
@pytest.mark.parametrize("case", LONG)
def test_run_that_forgets_goes_back_as_one_that_keeps(make, case, segment_bytes, monkeypatch) -> None:
    [whole] = backs_of(make, case)
    monkeypatch.setattr(model_module, "KEPT_BYTES", 0)
    monkeypatch.setattr(recurrence_module, "SEGMENT_BYTES", segment_bytes)
    [again] = backs_of(make, case)
    assert not any(run.is_kept for run in again.done.runs.values())
    if segment_bytes == 1:
        assert all(len(run.segments) >= run.num_steps - 1 for run in again.done.runs.values())
    assert again.loss == pytest.approx(whole.loss, rel=1e-14)
    for name, gradient in whole.parameters.items():
        close(again.parameters[name], gradient, name)
    for key, run in whole.done.runs.items():
        for name in run.block.program.states:
            close(again.states(key, name), whole.states(key, name), f"{key}/∂{name}")
    for key in whole.by_key:
        for t in steps_of(whole, key):
            values = again.values(key, t)
            assert values.keys() == whole.values(key, t).keys()
            for name, value in whole.values(key, t).items():
                close(values[name], value, f"{key}/{name} at {t}")


def test_steps_may_be_looked_at_in_any_order(make, monkeypatch) -> None:
    monkeypatch.setattr(model_module, "KEPT_BYTES", 0)
    monkeypatch.setattr(recurrence_module, "SEGMENT_BYTES", 1)
    [there], [back] = backs_of(make, "deep, both ways, packed"), backs_of(make, "deep, both ways, packed")
    forwards = {t: there.values("L1←", t) for t in range(5)}
    for t in (4, 0, 2, 2, 1, 3):
        for name, value in back.values("L1←", t).items():
            np.testing.assert_array_equal(forwards[t][name], value)


# ── what is so of every run ──────────────────────────────────────────────────────────────────


def test_both_biases_have_one_gradient_but_in_the_n_of_a_gru(make) -> None:
    for module in ("RNN", "LSTM", "GRU"):
        model = Model(make(module, num_layers=2, bidirectional=True, tables={"target": classes(5, 3)}))
        back = model.backward(model.run_batch())
        for name, gradient in back.parameters.items():
            if name.startswith("bias_ih"):
                other = back.parameters[name.replace("ih", "hh")]
                equal = slice(None, 8) if module == "GRU" else slice(None)  # r and z, four units each
                np.testing.assert_array_equal(gradient[equal], other[equal])
                assert module != "GRU" or (gradient[8:] != other[8:]).all()
                assert gradient.any()


def test_a_parameter_that_nothing_reads_has_a_gradient_of_zeros(make) -> None:
    [back] = backs_of(make, "a cell of one's own")
    assert not back.parameters["spare"].any()
    assert back.parameters["b_n"].all()


def test_row_of_the_padding_does_not_learn(make) -> None:
    [back] = backs_of(make, "embedding")
    gradient = back.parameters["embedding.weight"]
    assert not gradient[0].any()
    assert gradient[1:3].all()
    assert not gradient[3].any()  # which was not looked up


def test_blocks_come_in_the_order_of_the_way_back(make) -> None:
    [back] = backs_of(make, "dropped, both ways, packed, final")
    assert back.phase == "backward"
    assert [block.key for block in back.blocks] == [
        *("total", "loss", "linear", "join1", "L1←", "L1", "dropout0", "join0", "L0←", "L0"),
    ]
    assert list(back.recurrent_steps()) == list(back.done.recurrent_steps())[::-1]


def test_what_stands_in_the_padding_of_a_packed_batch_does_not_matter(make) -> None:
    [clean] = backs_of(make, "deep, both ways, packed")
    batch = clean.batch
    values = batch.values.copy()
    values[~(np.arange(batch.num_steps)[:, None] < np.array(batch.lengths))] = np.nan
    model = Model(replace(clean.scenario, batches=(replace(batch, values=values),)))
    strange = model.backward(model.run_batch())
    for name, gradient in clean.parameters.items():
        np.testing.assert_array_equal(strange.parameters[name], gradient)


def test_gradients_that_overflow_are_kept_and_warn_nobody(make) -> None:
    model = Model(
        make(
            "RNN",
            nonlinearity="relu",
            scale=1e30,
            tables={"target": numbers(5, 3, 4), "loss": {"name": "MSELoss"}},
        )
    )
    back = model.backward(model.run_batch())
    assert not all(np.isfinite(gradient).all() for gradient in back.parameters.values())
    for key in back.by_key:
        for t in steps_of(back, key):
            back.values(key, t)


def test_the_way_back_serves_other_numbers_too(make) -> None:
    [first] = backs_of(make, "deep, both ways, packed")
    model = Model(first.scenario)
    model.backward(model.run_batch())
    scaled = {name: value * 2 for name, value in first.scenario.parameters.items()}
    other = model.with_parameters(scaled)
    back, anew = other.backward(other.run_batch()), Model(first.scenario.with_parameters(scaled))
    for name, gradient in anew.backward(anew.run_batch()).parameters.items():
        np.testing.assert_array_equal(back.parameters[name], gradient)
        assert not np.array_equal(first.parameters[name], gradient)
