"""The compiled function, the derived lines and the worked elements of any cell, against its lines read one by one."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rnnstep.cells import cell_for
from rnnstep.checking.rounding import Rounded
from rnnstep.equations.compile import ONE_ROW, ROWS, Compiled
from rnnstep.equations.evaluate import Values, evaluate, evaluate_lines
from rnnstep.equations.expand import expand, number_of_terms
from rnnstep.equations.operations import OPERATIONS, Interval
from rnnstep.equations.program import Program, Shape, program
from rnnstep.equations.syntax import Apply, Expression, Name, Number, Pick, names_in
from rnnstep.equations.write import write
from rnnstep.reference.judge.bounds import Rounding

Arrays = dict[str, np.ndarray]

MGU = """
f = sigmoid(W_f @ x + U_f @ h_prev + b_f)
n = tanh(W_n @ x + U_n @ (f * h_prev) + b_n)
h = (1 - f) * h_prev + f * n
"""
MGU_PARAMETERS: dict[str, Shape] = {
    "W_f": ("hidden_size", "input_size"), "U_f": ("hidden_size", "hidden_size"), "b_f": ("hidden_size",),
    "W_n": ("hidden_size", "input_size"), "U_n": ("hidden_size", "hidden_size"), "b_n": ("hidden_size",),
}  # fmt: skip
PARAMETERS: dict[str, Shape] = {
    "A": ("hidden_size", "input_size"),
    "B": ("hidden_size", "hidden_size"),
    "C": ("input_size", "hidden_size"),
    "b": ("hidden_size",),
    "d": ("input_size",),
    "k": (1,),
}


def own(
    equations: str, states: tuple[str, ...] = ("h",), parameters: Mapping[str, Shape] = PARAMETERS
) -> Program:
    return program(
        equations,
        inputs={"x": ("input_size",)},
        states=dict.fromkeys(states, ("hidden_size",)),
        parameters=parameters,
    )


# ── random cells ─────────────────────────────────────────────────────────────────────

SMOOTH = ("tanh", "sigmoid", "relu", "abs", "exp", "neg")
REDUCTIONS = ("sum", "mean", "max", "min", "norm")


def number(value: float) -> Number:
    return Number(value, repr(value))


@st.composite
def expressions(draw: st.DrawFn, names: Mapping[str, Shape], shape: Shape, depth: int) -> Expression:
    """An expression of one shape from names of known shapes: a vector, or one of length one."""
    fitting = [name for name, found in names.items() if found == shape]
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        return Name(draw(st.sampled_from(fitting)))
    kinds = ["function", "pair", "pair", "scaled", "quotient"]
    kinds += ["product", "softmax"] if shape != (1,) else ["reduction", "pick"]
    kind = draw(st.sampled_from(kinds))

    def inner(like: Shape = shape) -> Expression:
        return draw(expressions(names, like, depth - 1))

    other = draw(st.sampled_from(sorted({found for found in names.values() if len(found) == 1}, key=str)))
    match kind:
        case "function":
            return Apply(draw(st.sampled_from(SMOOTH)), (inner(),))
        case "pair":
            return Apply(draw(st.sampled_from(["add", "sub", "mul", "lt"])), (inner(), inner()))
        case "scaled":
            scalar = draw(
                st.sampled_from(
                    [Name("k"), number(2.0), number(0.1), Apply("sub", (number(1.0), number(0.3)))]
                )
            )
            args = (scalar, inner()) if draw(st.booleans()) else (inner(), scalar)
            return Apply(draw(st.sampled_from(["add", "sub", "mul"])), args)
        case "quotient":
            return Apply("div", (inner(), Apply("add", (Apply("abs", (inner(),)), number(1.0)))))
        case "product":
            matrices = [name for name, found in names.items() if len(found) == 2 and found[0] == shape[0]]
            matrix = draw(st.sampled_from(matrices))
            return Apply("matmul", (Name(matrix), inner((names[matrix][1],))))
        case "softmax":
            return Apply("softmax", (inner(),))
        case "reduction":
            return Apply(draw(st.sampled_from(REDUCTIONS)), (inner(other),))
    return Pick(inner(other), draw(st.sampled_from([0, -1])))


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """A small cell: one or two states, lines of parameters alone, of x alone, of states."""
    states = draw(st.sampled_from([("h",), ("h", "c")]))
    names: dict[str, Shape] = {**PARAMETERS, "x": ("input_size",)}
    names |= {f"{state}_prev": ("hidden_size",) for state in states}
    lines = []
    for k in range(draw(st.integers(0, 4))):
        shape = draw(st.sampled_from([("hidden_size",), ("hidden_size",), ("input_size",), (1,)]))
        usable = dict(PARAMETERS) if draw(st.integers(0, 4)) == 0 else names
        lines.append(f"v{k} = {write(draw(expressions(usable, shape, 2)))}")
        names[f"v{k}"] = shape
    for state in states:
        lines.append(f"{state} = {write(draw(expressions(names, ('hidden_size',), 2)))}")
        names[state] = ("hidden_size",)
    return own("\n".join(lines), states)


# ── running ──────────────────────────────────────────────────────────────────────────


class Run:
    """A compiled run, with every value of every step at hand as it is shown to users."""

    def __init__(
        self,
        cell: Program,
        seed: int,
        steps: int,
        rows: int,
        dtype: type[np.floating],
        mode: str,
        **how: Any,
    ) -> None:
        rng = np.random.default_rng(seed)
        self.program = cell
        self.compiled = Compiled(cell, **how)
        self.dtype = np.dtype(dtype)
        self.parameters: Arrays = {
            name: rng.normal(size=tuple(map(int, shape))).astype(dtype) * dtype(0.7)
            for name, shape in cell.parameters.items()
        }
        (size,) = cell.inputs["x"]
        self.x = rng.normal(size=(steps, rows, int(size))).astype(dtype)
        self.initial = [rng.normal(size=(rows, int(n))).astype(dtype) for (n,) in cell.states.values()]
        self.mode = mode
        self.prepared = self.compiled.prepare(self.parameters, self.dtype, mode)
        self.kept = self.call()

    def call(self) -> tuple[np.ndarray, ...]:
        function = self.compiled.function(self.mode)
        with np.errstate(all="ignore"):
            if self.mode == ONE_ROW:
                found = function(self.x[:, 0], *(state[0] for state in self.initial), *self.prepared)
                return tuple(array[:, None] for array in found)
            return function(self.x, *self.initial, *self.prepared)

    def stored(self, name: str) -> np.ndarray:
        index, start, stop = self.compiled.columns[name]
        return self.kept[index][..., start:stop]

    def given(self, t: int) -> Arrays:
        """What the lines of a step read: parameters, x, and the states before."""
        known = {**self.parameters, "x": self.x[t]}
        for state, initial in zip(self.program.states, self.initial, strict=True):
            known[f"{state}_prev"] = np.ascontiguousarray(self.stored(state)[t - 1]) if t else initial
        return known

    def shown(self, t: int) -> Arrays:
        """Every line of a step, kept or derived."""
        known = self.given(t)
        known |= {name: np.ascontiguousarray(self.stored(name)[t]) for name in self.compiled.columns}
        return {name: self.compiled.derive(name, known) for name in self.program.names}


RUNS = st.tuples(
    st.integers(0, 2**32 - 1),
    st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from([np.float32, np.float64]),
)
SIZES = st.fixed_dictionaries({"hidden_size": st.integers(1, 4), "input_size": st.integers(1, 3)})
QUICK = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def modes(rows: int) -> tuple[str, ...]:
    return (ONE_ROW, ROWS) if rows == 1 else (ROWS,)


def agrees(run: Run) -> None:
    """Every value of every step and row is what its line gives, within the bound of both."""
    reading = Rounding(run.dtype)
    for t in range(len(run.x)):
        shown = run.shown(t)
        for row in range(run.x.shape[1]):
            given = {
                name: value if name in run.parameters else value[row] for name, value in run.given(t).items()
            }
            exact = {name: (value, np.zeros(value.shape)) for name, value in given.items()}
            with np.errstate(all="ignore"):
                expected = evaluate_lines(run.program.lines, exact, reading)
            for name, (value, bound) in expected.items():
                is_of_every_row = np.ndim(shown[name]) == np.ndim(value)  # made of parameters alone
                found = shown[name] if is_of_every_row else shown[name][row]
                with np.errstate(all="ignore"):
                    off = np.abs(np.asarray(found, np.float64) - np.asarray(value, np.float64))
                    is_near = (off <= 2 * bound) | np.isinf(bound)
                # An infinity that is certain is off by nothing, and its difference NaN.
                assert np.all(is_near | np.equal(found, value)), (name, found, value, bound)


@given(cell=programs(), sizes=SIZES, run=RUNS)
@QUICK
def test_compiled_cell_gives_what_its_lines_give(cell: Program, sizes: dict[str, int], run: tuple) -> None:
    seed, steps, rows, dtype = run
    for mode in modes(rows):
        agrees(Run(cell.sized(sizes), seed, steps, rows, dtype, mode))


@given(cell=programs(), sizes=SIZES, run=RUNS)
@QUICK
def test_values_have_the_dtype_of_the_run(cell: Program, sizes: dict[str, int], run: tuple) -> None:
    seed, steps, rows, dtype = run
    made = Run(cell.sized(sizes), seed, steps, rows, dtype, ROWS)
    assert {array.dtype for array in made.kept} == {made.dtype}
    for name, value in made.shown(0).items():
        assert np.ndim(value) == 0 or value.dtype == dtype, name


@given(cell=programs(), sizes=SIZES, run=RUNS)
@QUICK
def test_derived_lines_give_the_kept_ones_bit_for_bit(
    cell: Program, sizes: dict[str, int], run: tuple
) -> None:
    seed, steps, rows, dtype = run
    for mode in modes(rows):
        recomputed_is_kept(Run(cell.sized(sizes), seed, steps, rows, dtype, mode))


@given(cell=programs(), sizes=SIZES, run=RUNS, has_large_steps=st.booleans(), share=st.floats(0, 1))
@QUICK
def test_cell_that_keeps_more_and_waits_for_its_steps_gives_the_same(
    cell: Program,
    sizes: dict[str, int],
    run: tuple,
    has_large_steps: bool,  # noqa: FBT001 - drawn
    share: float,
) -> None:
    seed, steps, rows, dtype = run
    sized = cell.sized(sizes)
    keep = [name for k, name in enumerate(sized.names) if k % 7 < share * 7]
    for mode in modes(rows):
        made = Run(sized, seed, steps, rows, dtype, mode, keep=keep, has_large_steps=has_large_steps)
        agrees(made)
        recomputed_is_kept(made)
        leaves = {line.name for line in sized.lines if is_leaf(line.expression, sized)}
        assert made.compiled.columns.keys() >= set(keep) - leaves


def is_leaf(expression: Expression, cell: Program) -> bool:
    """Whether it is given, or made of parameters alone, so that there is nothing to keep."""
    if isinstance(expression, Name) and expression.id in cell.by_name:
        return is_leaf(cell.by_name[expression.id].expression, cell)
    if isinstance(expression, Name):
        return True
    return all(
        name in cell.parameters or (name in cell.by_name and is_fixed(name, cell))
        for name in names_in(expression)
    )


def is_fixed(name: str, cell: Program) -> bool:
    return all(
        one in cell.parameters or (one in cell.by_name and is_fixed(one, cell))
        for one in names_in(cell.by_name[name].expression)
    )


@given(cell=programs(), sizes=SIZES, run=RUNS)
@QUICK
def test_run_from_the_last_step_is_that_of_x_read_backwards(
    cell: Program, sizes: dict[str, int], run: tuple
) -> None:
    seed, steps, rows, dtype = run
    for mode in modes(rows):
        plain = Run(cell.sized(sizes), seed, steps, rows, dtype, mode)
        turned = Run(cell.sized(sizes), seed, steps, rows, dtype, mode, is_reversed=True)
        turned.x = np.ascontiguousarray(plain.x[::-1])
        for array, back in zip(plain.kept, turned.call(), strict=True):
            np.testing.assert_allclose(back[::-1], array, rtol=1e-5, atol=1e-6)


def recomputed_is_kept(run: Run) -> None:
    """Kept lines that are element by element of others come out the same when computed from the shown ones."""
    plain = [
        line
        for line in run.program.lines
        if line.name in run.compiled.columns and is_elementwise(line.expression)
    ]
    for t in range(len(run.x)):
        known = {**run.given(t), **run.shown(t)}
        for line in plain:
            again = np.broadcast_to(evaluate(line.expression, known, Values()), known[line.name].shape)
            np.testing.assert_array_equal(again, known[line.name], strict=True)


def is_elementwise(expression: Expression) -> bool:
    match expression:
        case Apply(op=op, args=args):
            return OPERATIONS[op].kind == "elementwise" and all(map(is_elementwise, args))
        case Pick(base=base):
            return is_elementwise(base)
    return True


# ── cells that have been trouble, or are in the contract ─────────────────────────────

NAMED = {
    "minimal gated unit": (MGU, ("h",), MGU_PARAMETERS),
    "state equal to the one before": ("h = h_prev", ("h",), PARAMETERS),
    "states that change places": ("h = c_prev\nc = h_prev", ("h", "c"), PARAMETERS),
    "two states of one line": ("a = tanh(A @ x)\nh = a\nc = a", ("h", "c"), PARAMETERS),
    "state of parameters alone": ("h = tanh(b)", ("h",), PARAMETERS),
    "state that is a parameter": ("h = b", ("h",), PARAMETERS),
    "state of x alone": ("h = tanh(A @ x + b)", ("h",), PARAMETERS),
    "lines of parameters alone": ("n = norm(b)\nw = b / n\np = B @ w\nh = tanh(p + h_prev)", ("h",), PARAMETERS),
    "matrix of parameters alone": ("V = (B + 1) * 2\nh = tanh(V @ h_prev + A @ x)", ("h",), PARAMETERS),
    "line that is a number": ("two = 2\nhalf = 1 / two\nh = half * h_prev", ("h",), PARAMETERS),
    "state that overflows": ("h = exp(h_prev + k) * 40", ("h",), PARAMETERS),
    "number in float32": ("h = (1 - 0.9) * h_prev + 0.1 * b", ("h",), PARAMETERS),
    "reductions": ("m = max(h_prev) - min(x)\nh = softmax(h_prev) * m + mean(x)", ("h",), PARAMETERS),
    "picks": ("h = h_prev * x[0] + h_prev[-1] * b[0]", ("h",), PARAMETERS),
    "lines that nothing reads": ("a = A @ x\nq = tanh(a) * 2\ns = sum(h_prev)\nh = a + h_prev", ("h",), PARAMETERS),
    "the same product twice": ("a = B @ h_prev\ne = B @ h_prev + b\nh = tanh(a + e)", ("h",), PARAMETERS),
    "sum that is read twice": ("a = A @ x + b\ne = a * a\nh = tanh(e) * a + e", ("h",), PARAMETERS),
    "product of a product": ("h = tanh(B @ (B @ h_prev) + A @ (C @ b))", ("h",), PARAMETERS),
    "comparisons": ("h = (h_prev > 0) * h_prev + (not h_prev > 0) * b", ("h",), PARAMETERS),
    "state by its other's new value": ("c = tanh(A @ x + c_prev)\nh = c * h_prev", ("h", "c"), PARAMETERS),
    "name with letters of its own": ("状态 = A @ x\nh = tanh(状态) + h_prev", ("h",), PARAMETERS),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("name", NAMED)
def test_cell_of_the_list_gives_what_its_lines_give(name: str, rows: int, dtype: type[np.floating]) -> None:
    for sizes in ({"hidden_size": 3, "input_size": 2}, {"hidden_size": 1, "input_size": 1}):
        cell = own(*NAMED[name]).sized(sizes)
        for mode in modes(rows):
            run = Run(cell, 1, 4, rows, dtype, mode)
            agrees(run)
            recomputed_is_kept(run)


STACKED = {
    "gates of one sum": "i = sigmoid(a[0:3])\nh = i * tanh(a[3:6]) + (1 - i) * h_prev",
    "a part that is read twice": "h = tanh(a[0:3]) * a[0:3] + a[3:6] - a[0:3]",
    "a part of what is changed in place": "e = tanh(a)\nh = e[0:3] * a[3:6] + e[3:6]",
    "neighbours": "u = exp(a[0:3])\nv = exp(a[3:6])\nh = u / (v + 1)",
    "a part in a product": "h = tanh(B @ a[0:3] + B @ a[3:6]) + a[0:3]",
    "a part that is kept": "r = a[2:5]\nh = tanh(r) + h_prev * r",
    "a part of a part": "r = a[1:6]\nh = tanh(r[1:4]) + r[-3:]",
    "a part of a part in one line": "h = tanh(a[1:6][1:4]) + a[1:6][1:5][-3:]",
    "a part that is read after the loop": "v = tanh(a[0:3])\nh = a[0:3] + b",
    "a part of a part that is read after the loop": "v = tanh(a[1:6][0:3])\nh = a[1:6][0:3] + a[1:6][1:4]",
    "a part of a part that is read after the loop alone": "v = tanh(a[1:6][0:3])\nh = a[1:6][1:4] + b",
    "a part of a state": "h = tanh(cat(h_prev[1:3], h_prev[0:1])) + a[3:6]",
    "a part of what is normalized": "n = layer_norm(a, cat(b, b), cat(b, b))\nh = sigmoid(n[0:3]) * n[3:6]",
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("first", ["cat(A @ x, B @ h_prev)", "cat(A @ x + b, h_prev * b)", "cat(A @ x, b)"])
@pytest.mark.parametrize("name", STACKED)
def test_parts_of_a_vector_are_read_where_it_stands(
    name: str, first: str, rows: int, dtype: type[np.floating]
) -> None:
    """Of a line, which is kept, and of what a line computes on its way, which the next step overwrites."""
    for equations in (f"a = {first}\n{STACKED[name]}", re.sub(r"\ba\b", first, STACKED[name])):
        cell = own(equations).sized({"hidden_size": 3, "input_size": 2})
        for mode in modes(rows):
            run = Run(cell, 1, 4, rows, dtype, mode)
            agrees(run)
            recomputed_is_kept(run)


def test_state_before_a_step_is_the_one_after_the_last() -> None:
    run = Run(own("h = h_prev + 1").sized({"hidden_size": 2, "input_size": 1}), 1, 3, 2, np.float64, ROWS)
    for t in range(3):
        np.testing.assert_allclose(run.stored("h")[t], run.initial[0] + t + 1)


def test_long_chain_of_parameters_is_planned_in_no_time() -> None:
    chain = "".join(f"p{k} = p{k - 1} + p{k - 1}\n" for k in range(1, 190))
    cell = own(f"p0 = b * 1e-30\n{chain}h = p189 * h_prev").sized({"hidden_size": 2, "input_size": 1})
    run = Run(cell, 1, 2, 1, np.float64, ONE_ROW)
    np.testing.assert_allclose(run.shown(0)["p189"], run.parameters["b"] * 1e-30 * 2.0**189)


def test_same_text_is_computed_once() -> None:
    cell = own(NAMED["the same product twice"][0]).sized({"hidden_size": 3, "input_size": 2})
    assert Compiled(cell).source(ROWS).count("dot(") == 1


def test_no_word_of_a_user_stands_in_the_function() -> None:
    cell = own("secret = A @ x\nh = secret + h_prev").sized({"hidden_size": 3, "input_size": 2})
    for mode in (ONE_ROW, ROWS):
        assert "secret" not in Compiled(cell).source(mode)


# ── torch's cells ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("hidden", [1, 2, 3, 5, 7, 16, 33])
@pytest.mark.parametrize(("module", "proj"), [("RNN", 0), ("LSTM", 0), ("LSTM", 1), ("GRU", 0)])
def test_gates_recomputed_give_the_kept_states_exactly(
    module: str, proj: int, hidden: int, dtype: type[np.floating]
) -> None:
    if proj >= hidden:
        proj = 0
    cell = cell_for(module, proj_size=proj)
    sized = cell.program.sized(cell.sizes(3, hidden, proj))
    for rows in range(1, 6):
        for steps in (1, 4):
            for mode in modes(rows):
                recomputed_is_kept(Run(sized, hidden + rows, steps, rows, dtype, mode))


@pytest.mark.parametrize("module", ["RNN", "LSTM", "GRU"])
def test_run_leaves_its_arguments_alone_and_shares_no_memory(module: str) -> None:
    cell = cell_for(module)
    for mode in (ONE_ROW, ROWS):
        run = Run(cell.program.sized(cell.sizes(3, 4)), 1, 3, 1, np.float32, mode)
        arguments = [run.x, *run.initial, *run.parameters.values(), *run.prepared]
        before = [array.copy() for array in arguments]
        again = run.call()
        for array, copy in zip(arguments, before, strict=True):
            np.testing.assert_array_equal(array, copy)
        for first, second in zip(run.kept, again, strict=True):
            np.testing.assert_array_equal(first, second)
            assert not np.shares_memory(first, second)
            assert not any(np.shares_memory(first, argument) for argument in arguments)


def test_numbers_a_step_of_an_lstm_are_ten_times_its_size() -> None:
    cell = cell_for("LSTM")
    assert Compiled(cell.program.sized(cell.sizes(3, 8))).numbers_a_step == 10 * 8


# ── other readings of any cell ───────────────────────────────────────────────────────


def reckoned(text: str, dtype: np.dtype[np.floating]) -> float:
    """Reckon a written element in its dtype, in the order in which it is written."""
    value = dtype.type
    functions = {
        name: OPERATIONS[name].forward for name in ("tanh", "sigmoid", "relu", "exp", "log", "sqrt", "isnan")
    }
    scope = {**functions, "abs": abs, "max": lambda *a: max(a), "min": lambda *a: min(a), "v": value}
    with np.errstate(all="ignore"):
        return float(eval(text, {"__builtins__": {}}, scope))


@given(cell=programs(), sizes=SIZES, run=RUNS, skip=st.booleans())
@QUICK
def test_worked_element_reckons_to_the_value_of_its_line(
    cell: Program,
    sizes: dict[str, int],
    run: tuple,
    skip: bool,  # noqa: FBT001 - drawn
) -> None:
    seed, steps, rows, dtype = run
    sized = cell.sized(sizes)
    made = Run(sized, seed, steps, rows, dtype, ROWS)
    made.x[:, :, 0] = 0
    made.kept = made.call()
    shown = made.shown(steps - 1)
    row = {
        name: value if name in made.parameters else value[0] for name, value in made.given(steps - 1).items()
    }
    row |= {name: value if np.ndim(value) < 2 else value[0] for name, value in shown.items()}
    exact = {name: (value, np.zeros(np.shape(value))) for name, value in row.items()}
    for line in sized.lines:
        if "'lt'" in repr(line.expression):
            continue  # a truth value is no number to Python's own arithmetic
        with np.errstate(all="ignore"):
            _, bound = evaluate(line.expression, exact, Rounding(made.dtype))
        for element in range(np.size(row[line.name])):
            expansion = expand(line, element, row, skip_zeros=skip)
            count = number_of_terms(line, sized.shapes)
            assert len(expansion.terms) + expansion.zero_terms == count
            allowed = 4 * float(np.broadcast_to(bound, np.shape(row[line.name])).reshape(-1)[element])
            if not math.isfinite(allowed) or not math.isfinite(expansion.value):
                continue
            text = "".join(
                f"v({token.value!r})" if token.kind == "value" else spelt(token.text)
                for token in expansion.tokens
            )
            assert abs(reckoned(text, made.dtype) - expansion.value) <= allowed, text


def spelt(text: str) -> str:
    return text.replace("·", "*").replace("−", "-")


class Unrounded(Rounded):
    """The table's own intervals: nothing is written down on the way."""

    def apply(self, op: str, args: tuple[Interval, ...]) -> Interval:
        """Bounds of an operation's value."""
        with np.errstate(all="ignore"):
            return OPERATIONS[op].interval(*args)


@given(cell=programs(), sizes=SIZES, run=RUNS)
@QUICK
def test_intervals_of_exact_values_hold_what_is_computed(
    cell: Program, sizes: dict[str, int], run: tuple
) -> None:
    seed, steps, rows, _ = run
    made = Run(cell.sized(sizes), seed, steps, rows, np.float64, ROWS)
    given_ = {name: value if name in made.parameters else value[0] for name, value in made.given(0).items()}
    exact = {name: (value, np.zeros(np.shape(value))) for name, value in given_.items()}
    points = {name: (value, value) for name, value in given_.items()}
    with np.errstate(all="ignore"):
        bounds = evaluate_lines(made.program.lines, exact, Rounding(made.dtype))
    intervals = evaluate_lines(made.program.lines, points, Unrounded(decimals=0))
    has_comparison = {line.name for line in made.program.lines if "lt" in repr(line.expression)}
    for line in made.program.lines:
        if line.name in has_comparison or not has_comparison.isdisjoint(names_in(line.expression)):
            has_comparison.add(line.name)  # which side a comparison falls on is not bounded
            continue
        value, error = bounds[line.name]
        low, high = intervals[line.name]
        with np.errstate(all="ignore"):
            fits = (low - error <= value) & (value <= high + error)
        assert np.all(fits | np.isinf(error))
