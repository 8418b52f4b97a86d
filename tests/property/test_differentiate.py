"""The way back of any cell beside the slopes of its run, which a step into the complex numbers gives to the last digits.

A function f that is smooth at x has f(x + ih) = f(x) + ih·f'(x) − …, so that Im f(x + ih) / h is f'(x) with no
difference of nearly equal numbers; h may be 1e-30 (Squire and Trapp 1998).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from rnnstep.cells import cell_for
from rnnstep.equations.compile import ONE_ROW, ROWS, Compiled
from rnnstep.equations.differentiate import Backward, backward
from rnnstep.equations.evaluate import Errors, Values, evaluate, evaluate_lines
from rnnstep.equations.expand import expand, number_of_terms
from rnnstep.equations.operations import OPERATIONS
from rnnstep.equations.pieces import reckon
from rnnstep.equations.program import Program, Shape, infer, program
from rnnstep.equations.syntax import Apply, Expression, Line, Name, Number, Pick, names_in
from rnnstep.equations.write import BLACKBOARD, write, write_line

Arrays = dict[str, np.ndarray]
EVERY_ROW = "⋮"

# ── random cells ─────────────────────────────────────────────────────────────────────────────

H, I = ("hidden_size",), ("input_size",)  # noqa: E741 - the letters of torch's pages
PARAMETERS: dict[str, Shape] = {
    "A": (*H, *I), "B": (*H, *H), "C": (*I, *H), "b": H, "d": I, "k": (1,),
}  # fmt: skip
FUNCTIONS = ("tanh", "sigmoid", "relu", "abs", "exp", "neg", "sqrt", "log")
REDUCTIONS = ("sum", "mean", "max", "min", "norm")


def number(value: float) -> Number:
    return Number(value, repr(value))


def function_of(op: str, a: Expression) -> Expression:
    """A function where it has a slope: roots and logarithms of what is not negative."""
    if op in {"sqrt", "log"}:
        a = Apply("add", (Apply("mul", (a, a)), number(0.5)))
    return Apply(op, (a,))


@st.composite
def matrices(draw: st.DrawFn, names: Mapping[str, Shape], rows: Shape) -> tuple[Expression, Shape]:
    """A matrix of so many rows, plain or made of parameters, and the shape of what it is multiplied with."""
    fitting = [name for name, shape in names.items() if len(shape) == 2 and shape[:1] == rows]
    name = draw(st.sampled_from(fitting))
    plain: Expression = Name(name)
    made = draw(st.sampled_from(["plain", "plain", "plain", "scaled", "squared", "moved"]))
    if made == "scaled":
        plain = Apply("mul", (plain, Name("k")))
    if made == "squared":
        plain = Apply("mul", (plain, plain))
    if made == "moved":
        plain = Apply("sub", (number(1.0), plain))
    return plain, names[name][1:]


@st.composite
def expressions(draw: st.DrawFn, names: Mapping[str, Shape], shape: Shape, depth: int) -> Expression:
    """An expression of one shape, a vector or one of length one, from names of known shapes."""
    fitting = [name for name, found in names.items() if found == shape]
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        return Name(draw(st.sampled_from(fitting)))
    kinds = ["function", "pair", "pair", "stretched", "quotient"]
    kinds += ["product", "product", "softmax"] if shape != (1,) else ["reduction", "pick"]
    kind = draw(st.sampled_from(kinds))

    def inner(like: Shape = shape) -> Expression:
        return draw(expressions(names, like, depth - 1))

    vectors = sorted({found for found in names.values() if len(found) == 1}, key=str)
    match kind:
        case "function":
            return function_of(draw(st.sampled_from(FUNCTIONS)), inner())
        case "pair":
            return Apply(draw(st.sampled_from(["add", "sub", "mul", "mul", "lt"])), (inner(), inner()))
        case "stretched":
            numbers = [Name(name) for name, found in names.items() if found == ()]
            short = draw(st.sampled_from([number(2.0), number(0.1), *numbers, Name("k"), None])) or inner(
                (1,)
            )
            args = (short, inner()) if draw(st.booleans()) else (inner(), short)
            return Apply(draw(st.sampled_from(["add", "sub", "mul"])), args)
        case "quotient":
            return Apply("div", (inner(), Apply("add", (Apply("abs", (inner(),)), number(1.0)))))
        case "product":
            matrix, wanted = draw(matrices(names, shape))
            return Apply("matmul", (matrix, inner(wanted)))
        case "softmax":
            return Apply("softmax", (inner(),))
        case "reduction":
            return Apply(draw(st.sampled_from(REDUCTIONS)), (inner(draw(st.sampled_from(vectors))),))
    return Pick(inner(draw(st.sampled_from(vectors))), draw(st.sampled_from([0, -1])))


def cell(equations: str, states: tuple[str, ...], parameters: Mapping[str, Shape] = PARAMETERS) -> Program:
    return program(equations, inputs={"x": I}, states=dict.fromkeys(states, H), parameters=parameters)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """A small cell of one or two states, its lines of parameters alone, of x alone, and of states."""
    states = draw(st.sampled_from([("h",), ("h", "c")]))
    names: dict[str, Shape] = {**PARAMETERS, "x": I, **{f"{state}_prev": H for state in states}}
    of_parameters: dict[str, Shape] = dict(PARAMETERS)
    lines = []
    if draw(st.integers(0, 3)) == 0:
        lines.append(f"third = {draw(st.sampled_from(['0.5', '1 / 3']))}")
        names["third"] = ()
    for k in range(draw(st.integers(0, 4))):
        shape = draw(st.sampled_from([H, H, I, (1,), "matrix"]))
        is_fixed = shape == "matrix" or draw(st.integers(0, 3)) == 0
        if shape == "matrix":
            rows = draw(st.sampled_from([H, I]))
            made, wanted = draw(matrices(PARAMETERS, rows))
            shape = (*rows, *wanted)
        else:
            made = draw(expressions(of_parameters if is_fixed else names, shape, 2))
        lines.append(f"v{k} = {write(made)}")
        names[f"v{k}"] = shape
        if is_fixed:
            of_parameters[f"v{k}"] = shape
    for state in states:
        lines.append(f"{state} = {write(draw(expressions(names, H, 2)))}")
        names[state] = H
    return cell("\n".join(lines), states)


# ── a run, and its slopes ────────────────────────────────────────────────────────────────────

NEAR = 1e-7  # as close to a kink as a run may come without standing on it
LARGE = 1e4


class Complex:
    """The reading as complex numbers, each operation from its definition; at kinks the slopes of torch."""

    def __init__(self) -> None:
        self.least = np.inf  # how close a value came to a kink
        self.most = 0.0

    def number(self, value: float) -> Any:
        return np.asarray(value, np.complex128)

    def pick(self, base: Any, index: int) -> Any:
        return base[[index]]

    def apply(self, op: str, args: tuple[Any, ...]) -> Any:
        a, b = args[0], args[-1]
        if op in {"relu", "abs"}:
            self.kink(a.real)
        if op in {"lt", "gt"}:
            self.kink(np.asarray(a.real - b.real))
        if op in {"max", "min"}:
            self.kink((a.real[:, None] - a.real).reshape(-1))
        found = np.asarray(self.value(op, a, b))
        self.most = max(self.most, float(np.abs(found).max()))
        return found

    def kink(self, distance: np.ndarray) -> None:
        apart = np.abs(distance[distance != 0])
        self.least = min(self.least, float(apart.min(initial=np.inf)))

    def value(self, op: str, a: Any, b: Any) -> Any:
        match op:
            case "add" | "sub" | "mul" | "div":
                return {"add": a + b, "sub": a - b, "mul": a * b}[op] if op != "div" else a / b
            case "matmul":
                return a @ b
            case "neg":
                return -a
            case "tanh" | "exp" | "sqrt" | "log":
                return getattr(np, op)(a)
            case "sigmoid":
                return 1 / (1 + np.exp(-a))
            case "relu":
                return a * (a.real > 0)
            case "abs":
                return a * np.sign(a.real)
            case "lt" | "gt" | "not":
                return {"lt": a.real < b.real, "gt": a.real > b.real, "not": a == 0}[op] + 0j
            case "softmax":
                return np.exp(a - a.real.max()) / np.exp(a - a.real.max()).sum()
            case "sum" | "mean":
                return getattr(a, op)(keepdims=True)
            case "max" | "min":
                return a[a.real == getattr(a.real, op)()].mean(keepdims=True)
            case "norm":
                return np.sqrt((a * a).sum(keepdims=True)) if np.any(a.real) else np.zeros(1, complex)
        raise AssertionError(op)


@dataclass
class Run:
    """Some steps of some rows of a cell, and the sum of its first state at every step with weights of their own."""

    program: Program
    seed: int
    steps: int
    rows: int
    dtype: type[np.floating] = np.float64
    parameters: Arrays = field(init=False)
    given: Arrays = field(init=False)  # x (T, B, n), and the states before the first step (B, n)
    above: np.ndarray = field(init=False)  # (T, B, n)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)

        def drawn(*shape: Any) -> np.ndarray:
            return rng.normal(size=tuple(map(int, shape))).astype(self.dtype)

        self.parameters = {name: drawn(*shape) for name, shape in self.program.parameters.items()}
        self.given = {"x": drawn(self.steps, self.rows, *self.program.inputs["x"])}
        for name, shape in self.program.states.items():
            self.given[f"{name}_prev"] = drawn(self.rows, *shape)
        self.output = next(iter(self.program.states))
        self.above = drawn(self.steps, self.rows, *self.program.states[self.output])

    def loss(self, reading: Complex, along: str, direction: np.ndarray) -> complex:
        """The sum where one name has taken a step into the complex numbers."""
        known = {**self.parameters, **self.given}
        known = {name: value.astype(np.complex128) for name, value in known.items()}
        known[along] = known[along] + 1e-30j * direction
        total = 0j
        for row in range(self.rows):
            parameters = {name: known[name] for name in self.parameters}
            states = {f"{name}_prev": known[f"{name}_prev"][row] for name in self.program.states}
            for t in range(self.steps):
                seen = {**parameters, **states, "x": known["x"][t, row]}
                found = evaluate_lines(self.program.lines, seen, reading)
                states = {f"{name}_prev": found[name] for name in self.program.states}
                total += (self.above[t, row] * found[self.output]).sum()
        return total

    @cached_property
    def forward(self) -> list[list[Arrays]]:
        """All that the lines read and give, of each step and row."""
        by_row = []
        for row in range(self.rows):
            states = {f"{name}_prev": self.given[f"{name}_prev"][row] for name in self.program.states}
            steps = []
            for t in range(self.steps):
                seen = {**self.parameters, **states, "x": self.given["x"][t, row]}
                seen |= evaluate_lines(self.program.lines, seen, Values())
                states = {f"{name}_prev": seen[name] for name in self.program.states}
                steps.append(seen)
            by_row.append(steps)
        return [list(rows) for rows in zip(*by_row, strict=True)]

    def back(self, derived: Backward) -> list[tuple[list[Arrays], Arrays]]:
        """The lines of the way back worked out, from the last step on: of each row, and what belongs to all rows."""
        whole, core = derived.program, derived.core
        zeros = {
            whole.before(name): np.zeros(sizes(shape), self.dtype) for name, shape in whole.states.items()
        }
        carried = [{core.before(name): zeros[core.before(name)] for name in core.states}] * self.rows
        sums = {name: value for name, value in zeros.items() if name not in core.befores}
        of_rows = tuple(line for line in whole.lines if line.name in core.by_name)
        of_all = tuple(line for line in whole.lines if line.name not in core.by_name)
        found = []
        for t in reversed(range(self.steps)):
            rows = [
                {**self.forward[t][row], derived.above: self.above[t, row], **carried[row]}
                for row in range(self.rows)
            ]
            rows = [{**known, **evaluate_lines(of_rows, known, Values())} for known in rows]
            shared = {
                name: np.stack([known[name.removesuffix(EVERY_ROW)] for known in rows])
                for name in whole.inputs
                if name.endswith(EVERY_ROW)
            }
            shared |= {**sums, **(rows[0] if self.rows == 1 else only_fixed(rows[0], derived))}
            shared |= evaluate_lines(of_all, {**self.parameters, **shared}, Values())
            found.append((rows, shared))
            carried = [{core.before(name): known[name] for name in core.states} for known in rows]
            sums = {whole.before(name): shared[name] for name in whole.states if name not in core.states}
        return found


def sizes(shape: Shape) -> tuple[int, ...]:
    return tuple(map(int, shape))


def only_fixed(known: Arrays, derived: Backward) -> Arrays:
    """What is made of parameters alone, and so the same in every row."""
    return {line.name: known[line.name] for line in derived.fixed}


def with_way_back(
    made: Program, of: dict[str, int], seed: int, steps: int, rows: int, **more: Any
) -> tuple[Run, Backward]:
    run = Run(made.sized(of), seed, steps, rows, **more)
    return run, backward(run.program, run.output, rows=rows, is_summed=steps > 1)


SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.fixed_dictionaries({"hidden_size": st.integers(1, 4), "input_size": st.integers(1, 3)})
QUICK = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


def slope_agrees(run: Run, name: str, gradient: np.ndarray) -> bool:
    """A gradient gives the slope of the run's sum along a direction of its own; whether there is one to be trusted."""
    direction = np.random.default_rng(run.seed + 1).normal(size=gradient.shape)
    reading = Complex()
    with np.errstate(all="ignore"):
        slope = run.loss(reading, name, direction).imag / 1e-30
    if reading.least < NEAR or not reading.most < LARGE:
        return False
    size = float(np.abs(gradient * direction).sum()) + abs(slope)
    assert float((gradient * direction).sum()) == pytest.approx(slope, abs=1e-8 * size + 1e-12), name
    return True


def slopes_agree(run: Run, derived: Backward) -> bool:
    """The gradients of all that the run reads are the slopes of its sum; whether there are any to be trusted."""
    with np.errstate(all="ignore"):
        steps = run.back(derived)
    last_rows, last_shared = steps[-1]
    found = {
        name: last_shared.get(f"∂{name}", np.zeros_like(value)) for name, value in run.parameters.items()
    }
    for name in run.program.states:
        found[f"{name}_prev"] = np.array([known[f"∂{name}_prev"] for known in last_rows])
    x = run.given["x"]
    by_step = [[known.get("∂x", np.zeros(x.shape[2:])) for known in rows] for rows, _ in steps[::-1]]
    found["x"] = np.array(by_step)
    return all(slope_agrees(run, name, gradient) for name, gradient in found.items())


ANY_CELL = {
    "made": programs(),
    "of": SIZES,
    "seed": SEEDS,
    "steps": st.integers(1, 3),
    "rows": st.sampled_from([1, 3]),
}


@given(**ANY_CELL)
@QUICK
def test_way_back_of_any_cell_gives_the_slopes(
    made: Program, of: dict[str, int], seed: int, steps: int, rows: int
) -> None:
    assume(slopes_agree(*with_way_back(made, of, seed, steps, rows)))


@given(**ANY_CELL)
@QUICK
def test_shares_of_all_rows_and_steps_at_once_come_to_the_last_sum(
    made: Program, of: dict[str, int], seed: int, steps: int, rows: int
) -> None:
    run, derived = with_way_back(made, of, seed, steps, rows)
    with np.errstate(all="ignore"):
        by_step = run.back(derived)
        every = [known for rows_of_step, _ in by_step for known in rows_of_step]
        known = {
            name: np.stack([one[name] for one in every])
            for name in every[0]
            if name not in run.parameters and np.ndim(every[0][name]) == 1
        }
        known |= {**run.parameters, **only_fixed(every[0], derived)}
        known |= evaluate_lines(derived.gathered, known, Values())
        for name, uses in derived.contributions.items():
            total = sum(np.asarray(evaluate(use, known, Values())) for use in uses)
            expected = by_step[-1][1][f"∂{name}"]
            np.testing.assert_allclose(total, expected, rtol=1e-9, atol=1e-9 * size_of(expected))
    whole = set(derived.program.names)
    assert {f"∂{name}" for name in derived.contributions} == whole & {f"∂{name}" for name in run.parameters}


def size_of(value: np.ndarray) -> float:
    return float(np.nan_to_num(np.abs(value), posinf=0).max(initial=1e-300))


@given(**ANY_CELL)
@QUICK
def test_lines_read_what_is_there_and_no_name_is_set_twice(
    made: Program, of: dict[str, int], seed: int, steps: int, rows: int
) -> None:
    names_agree(*with_way_back(made, of, seed, steps, rows))


def names_agree(run: Run, derived: Backward) -> None:
    for whole in (derived.program, derived.core):
        given_ = [*whole.inputs, *whole.befores, *whole.parameters]
        fixed = {line.name for line in derived.fixed}
        assert len({*given_, *whole.names}) == len(given_) + len(whole.lines)
        known = {*given_, *(fixed if whole is derived.program else ())}
        for line in whole.lines:
            assert known.issuperset(names_in(line.expression)), write_line(line)
            shape = infer(line.expression, whole.shapes)
            assert shape in (whole.shapes[line.name], ()), write_line(line)
            known.add(line.name)
        assert known.issuperset(whole.states)


# ── elements worked out ──────────────────────────────────────────────────────────────────────


@given(**ANY_CELL, skip=st.booleans())
@QUICK
def test_element_of_every_line_is_worked_out(
    made: Program,
    of: dict[str, int],
    seed: int,
    steps: int,
    rows: int,
    skip: bool,  # noqa: FBT001 - drawn
) -> None:
    run, derived = with_way_back(made, of, seed, steps, rows)
    run.given["x"][..., 0] = 0.0
    with np.errstate(all="ignore"):
        of_rows, shared = run.back(derived)[-1]
    for line in derived.program.lines:
        known = of_rows[-1] if line.name in derived.core.by_name else {**run.parameters, **shared}
        works_out(line, known, derived.program.shapes, skip=skip)


def works_out(line: Line, known: Arrays, shapes: Mapping[str, Shape], *, skip: bool) -> None:
    value = np.asarray(known[line.name])
    exact = {name: (known[name], np.zeros(np.shape(known[name]))) for name in names_in(line.expression)}
    with np.errstate(all="ignore"):
        _, bound = evaluate(line.expression, exact, Errors(np.dtype(np.float64)))
    for element in np.ndindex(value.shape):
        expansion = expand(line, element, known, skip_zeros=skip)
        assert expansion.value == value[element] or np.isnan(value[element])
        assert len(expansion.terms) + expansion.zero_terms == number_of_terms(line, shapes)
        allowed = 4 * float(np.broadcast_to(bound, value.shape)[element])
        if np.isfinite(allowed) and np.isfinite(expansion.value):
            assert abs(reckon(expansion.piece) - expansion.value) <= allowed, write_line(line)


# ── compiled ─────────────────────────────────────────────────────────────────────────────────


@given(
    **ANY_CELL,
    dtype=st.sampled_from([np.float32, np.float64]),
    has_large_steps=st.booleans(),
    keeps=st.sampled_from(["states", "what parameters need", "all"]),
)
@QUICK
def test_compiled_way_back_gives_what_its_lines_give(
    made: Program,
    of: dict[str, int],
    seed: int,
    steps: int,
    rows: int,
    dtype: type[np.floating],
    has_large_steps: bool,  # noqa: FBT001 - drawn
    keeps: str,
) -> None:
    run, derived = with_way_back(made, of, seed, steps, rows, dtype=dtype)
    for mode in (ONE_ROW, ROWS) if rows == 1 else (ROWS,):
        compiled_agrees(run, derived, mode, has_large_steps=has_large_steps, keeps=keeps)


def compiled_agrees(run: Run, derived: Backward, mode: str, *, has_large_steps: bool, keeps: str) -> None:
    core = derived.core
    needed = {name for uses in derived.contributions.values() for use in uses for name in names_in(use)}
    keep = {"states": set(), "what parameters need": needed, "all": set(core.names)}[keeps]
    compiled = Compiled(core, keep, is_reversed=True, has_large_steps=has_large_steps)
    read = {
        name: np.array([[known[name] for known in rows] for rows in run.forward])
        for name in core.inputs
        if name != derived.above
    }
    read[derived.above] = run.above
    ends = [np.zeros((run.rows, *sizes(shape)), run.dtype) for shape in core.states.values()]
    fed = [*(read[name] for name in core.inputs), *(end[None] for end in ends)]
    fed = [array[:, 0] if mode == ONE_ROW else array for array in fed]
    fed[len(read) :] = [end[0] for end in fed[len(read) :]]
    prepared = compiled.prepare(run.parameters, np.dtype(run.dtype), mode)
    with np.errstate(all="ignore"):
        arrays = compiled.function(mode)(*fed, *prepared)
    assert all(array.dtype == run.dtype for array in arrays)
    kept = {
        name: (arrays[index][:, None] if mode == ONE_ROW else arrays[index])[..., a:b]
        for name, (index, a, b) in compiled.columns.items()
    }
    if keeps == "all":  # what is a copy of what was given needs no keeping
        copies = {line.name for line in core.lines if isinstance(line.expression, Name)}
        assert kept.keys() | copies == core.by_name.keys()
    for t in range(run.steps):
        known = {name: value[t] for name, value in read.items()}
        for name, end in zip(core.states, ends, strict=True):
            known[core.before(name)] = kept[name][t + 1] if t + 1 < run.steps else end
        here = {name: np.ascontiguousarray(value[t]) for name, value in kept.items()}
        step_agrees(compiled, run.parameters, known, here)


def step_agrees(compiled: Compiled, parameters: Arrays, known: Arrays, kept: Arrays) -> None:
    """What is kept of a step, and what is derived of that, is what the lines give, row by row, within their bounds."""
    core = compiled.program
    shown = {**parameters, **known, **kept}
    for name in core.names:
        compiled.derive(name, shown)
    dtype = next(iter(kept.values())).dtype
    for row in range(len(next(iter(kept.values())))):
        read = {**parameters, **{name: value[row] for name, value in known.items()}}
        exact = {name: (value, np.zeros(np.shape(value))) for name, value in read.items()}
        with np.errstate(all="ignore"):
            for name, (value, bound) in evaluate_lines(core.lines, exact, Errors(dtype)).items():
                off = np.abs(np.asarray(shown[name][row], np.float64) - value)
                assert np.all((off <= 2 * bound) | np.isinf(bound)), name
    for name, value in kept.items():
        if is_elementwise(core.by_name[name].expression):
            again = evaluate(core.by_name[name].expression, shown, Values())
            np.testing.assert_array_equal(np.broadcast_to(again, value.shape), value)


def is_elementwise(expression: Expression) -> bool:
    match expression:
        case Apply(op=op, args=args):
            return OPERATIONS[op].kind == "elementwise" and all(map(is_elementwise, args))
        case Pick(base=base):
            return is_elementwise(base)
    return True


# ── cells that are in the contract, or are trouble ───────────────────────────────────────────

MGU = """
f = sigmoid(W_f @ x + U_f @ h_prev + b_f)
n = tanh(W_n @ x + U_n @ (f * h_prev) + b_n)
h = (1 - f) * h_prev + f * n
"""
MGU_PARAMETERS = {"W_f": (*H, *I), "U_f": (*H, *H), "b_f": H, "W_n": (*H, *I), "U_n": (*H, *H), "b_n": H}
LIKE_MARKS = """
h_next = tanh(W @ x + W_t * h_prev)
h_above = h_next * c_prev + W_later
c_next = h_above - h_prev_t
h_t = W @ x + h_above
h = tanh(h_t) * h_next + c_next
c = h_above * h
"""
MARKED_PARAMETERS = {"W": (*H, *I), "W_t": H, "W_later": H, "h_prev_t": H}
NAMED: dict[str, tuple[str, tuple[str, ...], Mapping[str, Shape]]] = {
    "minimal gated unit": (MGU, ("h",), MGU_PARAMETERS),
    "names like the marks of gradients": (LIKE_MARKS, ("h", "c"), MARKED_PARAMETERS),
    "values named like a parameter's marks": (
        "b_t = b * x[0]\nb_later = tanh(b_t)\nb_above = b_later * h_prev\nh = b_above + b_t + b",
        ("h",),
        PARAMETERS,
    ),
    "state equal to the one before": ("h = h_prev", ("h",), PARAMETERS),
    "states that change places": ("h = c_prev\nc = h_prev", ("h", "c"), PARAMETERS),
    "state that nothing reads": ("c = tanh(A @ x)\nh = A @ x + b", ("h", "c"), PARAMETERS),
    "state of parameters alone": ("h = tanh(b)", ("h",), PARAMETERS),
    "state that is a parameter": ("h = b", ("h",), PARAMETERS),
    "second state of parameters alone": ("c = tanh(b)\nh = c * h_prev + c_prev", ("h", "c"), PARAMETERS),
    "line that is a number": ("two = 2\nhalf = 1 / two\nh = half * h_prev + two * b", ("h",), PARAMETERS),
    "matrix of parameters alone": ("V = (B + 1) * 2\nh = tanh(V @ h_prev + A @ x)", ("h",), PARAMETERS),
    "matrix that is scaled by a parameter": ("h = tanh((A * k) @ x)", ("h",), PARAMETERS),
    "matrix that is used twice": ("h = tanh(B @ (B @ h_prev) + B @ b)", ("h",), PARAMETERS),
    "parameter in many places": ("h = tanh(b * (b + h_prev)) - b / (2 + b * b)", ("h",), PARAMETERS),
    "product of parameters alone": ("w = B @ tanh(b)\nh = w * h_prev + A @ (C @ w)", ("h",), PARAMETERS),
    "product with a sum": ("h = tanh(A @ (x * sum(x)))", ("h",), PARAMETERS),
    "product with a pick": ("h = tanh(A @ (x * x[0]) + b[-1])", ("h",), PARAMETERS),
    "product with a softmax": ("h = B @ softmax(h_prev)", ("h",), PARAMETERS),
    "product with parameters in it": ("h = tanh(A @ (x * d + d))", ("h",), PARAMETERS),
    "one line under two names": ("a = A @ x\ne = a\nf = tanh(a)\ng = tanh(a)\nh = e * f + g", ("h",), PARAMETERS),
    "subtracted more than once": ("h = b - h_prev - (b - h_prev - x[0]) * h_prev", ("h",), PARAMETERS),
    "reductions": ("h = softmax(h_prev) * max(h_prev) - min(x) + mean(x) * norm(h_prev) * sum(b)", ("h",), PARAMETERS),
    "comparisons": ("h = (h_prev > 0) * h_prev + (not h_prev > 0) * b", ("h",), PARAMETERS),
    "nothing that learns": ("h = x[0] * h_prev + 1", ("h",), {}),
}  # fmt: skip


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("name", NAMED)
def test_way_back_of_a_cell_of_the_list_is_right(name: str, rows: int) -> None:
    made = cell(*NAMED[name])
    for of in ({"hidden_size": 3, "input_size": 2}, {"hidden_size": 1, "input_size": 1}):
        for steps in (1, 3):
            run, derived = with_way_back(made, of, 1, steps, rows)
            names_agree(run, derived)
            assert slopes_agree(run, derived)
            for mode in (ONE_ROW, ROWS) if rows == 1 else (ROWS,):
                for has_large_steps in (True, False):
                    compiled_agrees(run, derived, mode, has_large_steps=has_large_steps, keeps="states")


# ── as it stands on the blackboard ───────────────────────────────────────────────────────────

RNN = """
∂h = ∂h_above + ∂h_next
∂a = ∂h ⊙ (1 − h ⊙ h)
∂hh = ∂a
∂W_hh_t = ∂hh·h_prevᵀ
∂W_hh = ∂W_hh_later + ∂W_hh_t
∂h_prev = W_hhᵀ·∂hh
∂b_hh = ∂b_hh_later + ∂hh
∂ih = ∂a
∂W_ih_t = ∂ih·xᵀ
∂W_ih = ∂W_ih_later + ∂W_ih_t
∂x = W_ihᵀ·∂ih
∂b_ih = ∂b_ih_later + ∂ih
"""
RNN_OF_SEVERAL_ROWS = """
∂h = ∂h_above + ∂h_next
∂a = ∂h ⊙ (1 − h ⊙ h)
∂hh = ∂a
∂W_hh_t = ∂hh⋮ᵀ·h_prev⋮
∂W_hh = ∂W_hh_later + ∂W_hh_t
∂h_prev = W_hhᵀ·∂hh
∂b_hh_t = Σ ∂hh⋮
∂b_hh = ∂b_hh_later + ∂b_hh_t
∂ih = ∂a
∂W_ih_t = ∂ih⋮ᵀ·x⋮
∂W_ih = ∂W_ih_later + ∂W_ih_t
∂x = W_ihᵀ·∂ih
∂b_ih_t = Σ ∂ih⋮
∂b_ih = ∂b_ih_later + ∂b_ih_t
"""
RNN_OF_ONE_STEP = """
∂h = ∂h_above + ∂h_next
∂a = ∂h ⊙ (a > 0)
∂hh = ∂a
∂W_hh = ∂hh·h_prevᵀ
∂h_prev = W_hhᵀ·∂hh
∂ih = ∂a
∂W_ih = ∂ih·xᵀ
∂x = W_ihᵀ·∂ih
"""
LSTM = """
∂tanh_c = ∂h ⊙ o
∂c = ∂c_next + ∂tanh_c ⊙ (1 − tanh_c ⊙ tanh_c)
∂c_prev = ∂c ⊙ f
∂o = ∂h ⊙ tanh_c
∂a_o = ∂o ⊙ (o ⊙ (1 − o))
∂hh_o = ∂a_o
∂W_ho_t = ∂hh_o·h_prevᵀ
∂W_ho = ∂W_ho_later + ∂W_ho_t
∂b_ho = ∂b_ho_later + ∂hh_o
∂ih_o = ∂a_o
∂W_io_t = ∂ih_o·xᵀ
∂W_io = ∂W_io_later + ∂W_io_t
∂b_io = ∂b_io_later + ∂ih_o
∂g = ∂c ⊙ i
∂a_g = ∂g ⊙ (1 − g ⊙ g)
∂hh_g = ∂a_g
∂W_hg_t = ∂hh_g·h_prevᵀ
∂W_hg = ∂W_hg_later + ∂W_hg_t
∂b_hg = ∂b_hg_later + ∂hh_g
∂ih_g = ∂a_g
∂W_ig_t = ∂ih_g·xᵀ
∂W_ig = ∂W_ig_later + ∂W_ig_t
∂b_ig = ∂b_ig_later + ∂ih_g
∂f = ∂c ⊙ c_prev
∂a_f = ∂f ⊙ (f ⊙ (1 − f))
∂hh_f = ∂a_f
∂W_hf_t = ∂hh_f·h_prevᵀ
∂W_hf = ∂W_hf_later + ∂W_hf_t
∂b_hf = ∂b_hf_later + ∂hh_f
∂ih_f = ∂a_f
∂W_if_t = ∂ih_f·xᵀ
∂W_if = ∂W_if_later + ∂W_if_t
∂b_if = ∂b_if_later + ∂ih_f
∂i = ∂c ⊙ g
∂a_i = ∂i ⊙ (i ⊙ (1 − i))
∂hh_i = ∂a_i
∂W_hi_t = ∂hh_i·h_prevᵀ
∂W_hi = ∂W_hi_later + ∂W_hi_t
∂h_prev = W_hiᵀ·∂hh_i + W_hfᵀ·∂hh_f + W_hgᵀ·∂hh_g + W_hoᵀ·∂hh_o
∂b_hi = ∂b_hi_later + ∂hh_i
∂ih_i = ∂a_i
∂W_ii_t = ∂ih_i·xᵀ
∂W_ii = ∂W_ii_later + ∂W_ii_t
∂x = W_iiᵀ·∂ih_i + W_ifᵀ·∂ih_f + W_igᵀ·∂ih_g + W_ioᵀ·∂ih_o
∂b_ii = ∂b_ii_later + ∂ih_i
"""
PROJECTED = """
∂h = ∂h_above + ∂h_next
∂W_hr_t = ∂h·mᵀ
∂W_hr = ∂W_hr_later + ∂W_hr_t
∂m = W_hrᵀ·∂h
"""
GRU = """
∂h = ∂h_above + ∂h_next
∂n = ∂h ⊙ (1 − z)
∂a_n = ∂n ⊙ (1 − n ⊙ n)
∂hh_n = ∂a_n ⊙ r
∂W_hn_t = ∂hh_n·h_prevᵀ
∂W_hn = ∂W_hn_later + ∂W_hn_t
∂b_hn = ∂b_hn_later + ∂hh_n
∂ih_n = ∂a_n
∂W_in_t = ∂ih_n·xᵀ
∂W_in = ∂W_in_later + ∂W_in_t
∂b_in = ∂b_in_later + ∂ih_n
∂z = ∂h ⊙ h_prev − ∂h ⊙ n
∂a_z = ∂z ⊙ (z ⊙ (1 − z))
∂hh_z = ∂a_z
∂W_hz_t = ∂hh_z·h_prevᵀ
∂W_hz = ∂W_hz_later + ∂W_hz_t
∂b_hz = ∂b_hz_later + ∂hh_z
∂ih_z = ∂a_z
∂W_iz_t = ∂ih_z·xᵀ
∂W_iz = ∂W_iz_later + ∂W_iz_t
∂b_iz = ∂b_iz_later + ∂ih_z
∂r = ∂a_n ⊙ hh_n
∂a_r = ∂r ⊙ (r ⊙ (1 − r))
∂hh_r = ∂a_r
∂W_hr_t = ∂hh_r·h_prevᵀ
∂W_hr = ∂W_hr_later + ∂W_hr_t
∂h_prev = W_hrᵀ·∂hh_r + W_hzᵀ·∂hh_z + W_hnᵀ·∂hh_n + ∂h ⊙ z
∂b_hr = ∂b_hr_later + ∂hh_r
∂ih_r = ∂a_r
∂W_ir_t = ∂ih_r·xᵀ
∂W_ir = ∂W_ir_later + ∂W_ir_t
∂x = W_irᵀ·∂ih_r + W_izᵀ·∂ih_z + W_inᵀ·∂ih_n
∂b_ir = ∂b_ir_later + ∂ih_r
"""


def on_the_blackboard(derived: Backward) -> list[str]:
    return [write_line(line, BLACKBOARD) for line in derived.program.lines]


@pytest.mark.parametrize(
    ("module", "options", "how", "expected"),
    [
        ("RNN", {}, {}, RNN),
        ("RNN", {}, {"rows": 3}, RNN_OF_SEVERAL_ROWS),
        ("RNN", {"nonlinearity": "relu", "bias": False}, {"is_summed": False}, RNN_OF_ONE_STEP),
        ("LSTM", {}, {}, "∂h = ∂h_above + ∂h_next" + LSTM),
        ("LSTM", {"proj_size": 2}, {}, PROJECTED + LSTM.replace("∂h ⊙", "∂m ⊙").strip()),
        ("GRU", {}, {}, GRU),
    ],
)
def test_way_back_of_torchs_cells_is_written(module: str, options: dict, how: dict, expected: str) -> None:
    of = cell_for(module, **options)
    derived = backward(of.program.sized(of.sizes(3, 4, options.get("proj_size", 0))), "h", **how)
    assert on_the_blackboard(derived) == expected.strip().splitlines()


def test_states_and_sums_are_told_with_the_names_they_are_read_by() -> None:
    of = cell_for("RNN")
    whole = backward(of.program.sized(of.sizes(3, 4)), "h").program
    assert {name: whole.before(name) for name in whole.states} == {
        "∂h_prev": "∂h_next",
        "∂W_hh": "∂W_hh_later",
        "∂b_hh": "∂b_hh_later",
        "∂W_ih": "∂W_ih_later",
        "∂b_ih": "∂b_ih_later",
    }
    assert (whole.shapes["∂W_ih_later"], whole.shapes["∂W_ih_t"]) == ((4, 3), (4, 3))


def test_names_that_a_cell_has_itself_are_primed() -> None:
    made = cell(LIKE_MARKS, ("h", "c"), MARKED_PARAMETERS).sized({"hidden_size": 3, "input_size": 2})
    derived = backward(made, "h")
    whole = derived.program
    assert (derived.above, whole.before("∂h_prev"), whole.before("∂c_prev")) == (
        "∂h_above′",
        "∂h_next′",
        "∂c_next′",
    )
    assert (whole.before("∂W"), whole.before("∂W_t")) == ("∂W_later′", "∂W_t_later")
    assert "∂W_t′" in whole.names


# ── blocks without states ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("equations", "rows", "is_summed", "expected"),
    [
        ("y = W @ x + b", 1, True, ["∂W_t = ∂y·xᵀ", "∂W = ∂W_later + ∂W_t", "∂x = Wᵀ·∂y", "∂b = ∂b_later + ∂y"]),
        ("y = W @ x + b", 1, False, ["∂W = ∂y·xᵀ", "∂x = Wᵀ·∂y", "∂b = ∂y"]),
        ("y = W @ x + b", 2, False, ["∂W = ∂y⋮ᵀ·x⋮", "∂x = Wᵀ·∂y", "∂b = Σ ∂y⋮"]),
        ("y = m * x", 2, True, ["∂x = ∂y ⊙ m"]),
        ("d = x - m\ns = d * d\ny = mean(s)", 1, True, ["∂s = ∂y / 2", "∂d = ∂s ⊙ d + ∂s ⊙ d", "∂x = ∂d"]),
        ("y = x[-1] * x", 1, True, ["∂x = sum(∂y ⊙ x) at [1] + ∂y ⊙ x[-1]"]),
    ],
)  # fmt: skip
def test_output_of_a_block_without_states_is_given_whole(
    equations: str,
    rows: int,
    is_summed: bool,  # noqa: FBT001 - of a row of the list
    expected: list[str],
) -> None:
    made = program(equations, inputs={"x": (2,), "m": (2,)}, states={}, parameters={"W": (3, 2), "b": (3,)})
    derived = backward(made, "y", rows=rows, is_summed=is_summed, constant=("m",))
    assert derived.above == "∂y"
    assert on_the_blackboard(derived) == expected
