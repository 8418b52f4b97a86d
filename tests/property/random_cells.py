"""Random cells with slopes, small ones of one or two states, and the sizes and runs that are drawn for them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from rnnstep.equations.program import Program, Shape, program
from rnnstep.equations.syntax import Apply, Expression, Name, Number, Pick
from rnnstep.equations.write import write

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
    kinds += ["product", "product", "softmax", "beside"] if shape != (1,) else ["reduction", "pick"]
    kind = draw(st.sampled_from(kinds))

    def inner(like: Shape = shape) -> Expression:
        return draw(expressions(names, like, depth - 1))

    kinds += ["normalized"] if shape != (1,) else []
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
        case "normalized":
            return Apply("layer_norm", (inner(), *(Name(draw(st.sampled_from(fitting))) for _ in range(2))))
        case "beside":
            return draw(beside(inner, shape))
        case "reduction":
            return Apply(draw(st.sampled_from(REDUCTIONS)), (inner(draw(st.sampled_from(vectors))),))
    return Pick(inner(draw(st.sampled_from(vectors))), draw(st.sampled_from([0, -1])))


@st.composite
def beside(draw: st.DrawFn, inner: Callable[[Shape], Expression], shape: Shape) -> Expression:
    """A vector out of two side by side."""
    (word,) = shape
    known, zero = Number(math.nan, str(word)), Number(0.0, "")
    (other,) = draw(st.sampled_from([one for one in (H, I) if one != shape]))
    is_first = draw(st.booleans())
    both = Apply("cat", (inner(shape), inner((other,))) if is_first else (inner((other,)), inner(shape)))
    if draw(st.booleans()):  # a part of a part, of all of it
        both = Apply("part", (both, Number(0.0, "0"), zero))
    return Apply("part", (both, zero, known) if is_first else (both, Number(math.nan, str(other)), zero))


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


ANY_CELL = {
    "made": programs(),
    "of": st.fixed_dictionaries({"hidden_size": st.integers(1, 4), "input_size": st.integers(1, 3)}),
    "seed": st.integers(0, 2**32 - 1),
    "steps": st.integers(1, 3),
    "rows": st.sampled_from([1, 3]),
}
QUICK = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
