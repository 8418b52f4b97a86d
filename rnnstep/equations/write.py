"""Trees as text: as they are typed, as they stand on a blackboard, and in LaTeX."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from rnnstep.equations.operations import OPERATIONS
from rnnstep.equations.slopes import LAYER_NORM_EPS
from rnnstep.equations.syntax import Apply, Expression, Line, Name, Number, Pick

_TIGHT = 9  # the precedence of what never needs brackets
_PRODUCT = OPERATIONS["mul"].precedence
_SUM = OPERATIONS["add"].precedence
_WITH_EPS = ("normalized", "normalized_back")


SPELT = {"largest": "max"}
"""Functions that are written under another name than the table's."""


@dataclass(frozen=True, slots=True)
class Notation:
    """How operators are spelt; the rest is the same everywhere."""

    matmul: str
    mul: str
    sub: str
    neg: str
    times: str  # between a number and what it scales

    def symbol(self, op: str) -> str:
        """The spelling of an infix or prefix operator."""
        own: str | None = getattr(self, op, None)
        return own if own is not None else OPERATIONS[op].symbol


SOURCE = Notation(matmul="@", mul="*", sub="-", neg="-", times="*")
BLACKBOARD = Notation(matmul="·", mul="⊙", sub="−", neg="−", times="·")


def write(expression: Expression, notation: Notation = SOURCE) -> str:
    """Give an expression as text; read again (`SOURCE`) it gives the same tree."""
    return _write(expression, notation)[0]


def write_line(line: Line, notation: Notation = SOURCE) -> str:
    """Give `name = expression`."""
    return f"{line.name} = {write(line.expression, notation)}"


def is_number(expression: Expression) -> bool:
    """Whether an expression is made of numbers alone: what it multiplies is scaled as a whole."""
    match expression:
        case Number():
            return True
        case Apply(args=args):
            return all(map(is_number, args))
    return False


def _write(expression: Expression, notation: Notation) -> tuple[str, int]:
    match expression:
        case Number(text=text, value=value):
            return (text, OPERATIONS["neg"].precedence) if value < 0 else (text, _TIGHT)
        case Name(id=name):
            return name, _TIGHT
        case Pick(base=base, index=index):
            return f"{_bracketed(base, notation, _TIGHT)}[{index}]", _TIGHT
        case Apply(op=op, args=args):
            return _write_operation(op, args, notation)


def written_out(op: str, args: tuple[Expression, ...]) -> Apply | None:
    """Give what an operation is in others, where it stands so on a blackboard.

    `passed(g, a)`, the slope of relu, is `g ⊙ (a > 0)`; `standardized(a, m, v, eps)` is `(a − m) / sqrt(v + eps)`.
    """
    match op, args:
        case "where_largest", (g, k, *several):
            return Apply("mul", (g, Apply("eq", (Apply("argmax", tuple(several)), k))))
        case "passed", (g, a):
            return Apply("mul", (g, Apply("gt", (a, Number(0.0, "0")))))
        case "standardized", (a, mean, variance, eps):
            root = Apply("sqrt", (Apply("add", (variance, eps)),))
            return Apply("div", (Apply("sub", (a, mean)), root))
    return None


def written_args(op: str, args: tuple[Expression, ...]) -> tuple[Expression, ...]:
    """Give the arguments that are written: of a normalization not its eps where that is torch's default."""
    return args[:-1] if op in _WITH_EPS and args[-1] == LAYER_NORM_EPS else args


def _write_operation(op: str, args: tuple[Expression, ...], notation: Notation) -> tuple[str, int]:
    row, args = OPERATIONS[op], written_args(op, args)
    other = written_out(op, args)
    if other is not None:
        return _write(other, notation)
    symbol = notation.times if op == "mul" and any(map(is_number, args)) else notation.symbol(op)
    if row.kind == "inner":
        return _write_inner(op, args, notation)
    if not row.symbol:
        op = SPELT.get(op, op)
        return f"{op}({', '.join(write(argument, notation) for argument in args)})", _TIGHT
    if row.arity == 1:
        space = " " if symbol.isalpha() else ""
        return f"{symbol}{space}{_bracketed(args[0], notation, row.precedence)}", row.precedence
    # Comparisons do not chain here, so both their sides are bracketed when they are comparisons too.
    left_needs = row.precedence + 1 if row.precedence == OPERATIONS["lt"].precedence else row.precedence
    left = _bracketed(args[0], notation, left_needs)
    right = _bracketed(args[1], notation, row.precedence + 1)
    return f"{left} {symbol} {right}", row.precedence


# What users do not write: a form, how tightly it binds, and how tightly its arguments must.
_INNER: Mapping[str, tuple[str, int, int]] = {
    "lookup": ("{0}[{1}]", _TIGHT, 0),
    "cat": ("[{0}; {1}]", _TIGHT, 0),
    "head": ("{0}[: {1}]", _TIGHT, _TIGHT),
    "tail": ("{0}[{1} :]", _TIGHT, _TIGHT),
    "chosen": ("{0}[{1}]", _TIGHT, _TIGHT),
    "part": ("{0}[{1}:{2}]", _TIGHT, _TIGHT),
    "within": ("{0} from [{1}]", _PRODUCT, _PRODUCT),
    "normalized_back": ("", _TIGHT, 0),  # as functions that users call
    "placed": ("{0} at [{1}]", _PRODUCT, _PRODUCT),
    "outer": ("{0}{dot}{1}ᵀ", _PRODUCT, _PRODUCT + 1),
    "rows": ("Σ {0}", _PRODUCT, _PRODUCT),
    "spread": ("{0}", 0, 0),
    "scatter": ("{0} at row [{1}]", _PRODUCT, _PRODUCT),
    "scored": ("{0} {at} {1}", _PRODUCT, _PRODUCT + 1),
    "mixed": ("{0} {at} {1}", _PRODUCT, _PRODUCT + 1),
    "on_each": ("{0} {at} {1}", _PRODUCT, _PRODUCT + 1),
    "over_each": ("Σₛ {0}", _PRODUCT, _PRODUCT),
    "products": ("{0}{dot}{1}ᵀ", _PRODUCT, _PRODUCT + 1),
    "live_softmax": ("softmax({0} where {1})", _TIGHT, 0),
}


_BOTH_HELD = ("outer", "products", "scored", "mixed", "on_each")


def _write_inner(op: str, args: tuple[Expression, ...], notation: Notation) -> tuple[str, int]:
    if op in ("spread", "to_each"):
        return _write(args[0], notation)
    dot = notation.matmul if notation.matmul == "·" else f" {notation.matmul} "
    if op == "normalized_back" or (OPERATIONS[op].is_public and (op != "cat" or notation is SOURCE)):
        return f"{op}({', '.join(write(argument, notation) for argument in args)})", _TIGHT
    if op == "part":
        start, stop = (one.text for one in args[1:] if isinstance(one, Number))
        return f"{_bracketed(args[0], notation, _TIGHT)}[{start}:{stop}]", _TIGHT
    if op == "pullback":
        pairs = zip(args[::2], args[1::2], strict=True)
        terms = [
            f"{_bracketed(w, notation, _TIGHT)}ᵀ{dot}{_bracketed(g, notation, _PRODUCT + 1)}"
            for w, g in pairs
        ]
        return " + ".join(terms), _PRODUCT if len(terms) == 1 else _SUM
    form, precedence, needs = _INNER[op]
    if op == "outer" and isinstance(args[0], Name) and args[0].id.endswith("⋮"):  # of (B, m) and (B, n)
        form = "{0}ᵀ{dot}{1}"
    if op in ("head", "tail"):
        lengths = f"len({write(args[1], notation)})"
        return form.format(
            _bracketed(args[0], notation, needs), lengths if op == "head" else f"-{lengths}"
        ), precedence
    held = [_bracketed(argument, notation, needs) for argument in args]
    return form.format(*held, dot=dot, at=notation.matmul), precedence


def _bracketed(expression: Expression, notation: Notation, needs: int) -> str:
    text, precedence = _write(expression, notation)
    return text if precedence >= needs else f"({text})"


def latex(expression: Expression) -> str:
    r"""Give an expression in LaTeX's mathematics, `h_prev` as `h_{t-1}`."""
    return _latex(expression)[0]


def latex_line(line: Line) -> str:
    """Give `name = expression` in LaTeX's mathematics."""
    return f"{latex_name(line.name)} = {latex(line.expression)}"


def _latex(expression: Expression) -> tuple[str, int]:
    match expression:
        case Number(text=text):
            return text, _TIGHT
        case Name(id=name):
            return latex_name(name), _TIGHT
        case Pick(base=base, index=index):
            return f"{{{_held(base, _TIGHT)}}}_{{[{index}]}}", _TIGHT
        case Apply(op=op, args=args) if (other := written_out(op, args)) is not None:
            return _latex(other)
        case Apply(op=op, args=args) if op in _WITH_EPS and len(written_args(op, args)) == len(args):
            text, precedence = _latex(Apply(op, (*args[:-1], LAYER_NORM_EPS)))
            return rf"{text}_{{\varepsilon={latex(args[-1])}}}", precedence
        case Apply(op="largest" | "argmax" as op, args=args) if len(args) > 1:
            several = ", ".join(latex(one) for one in args)
            return OPERATIONS[op].latex.format(several), _TIGHT
        case Apply(op=op, args=args):
            row = OPERATIONS[op]
            if op == "pullback":
                pairs = zip(args[::2], args[1::2], strict=True)
                terms = [rf"{{{_held(w, _TIGHT)}}}^\top {_held(g, _PRODUCT + 1)}" for w, g in pairs]
                return " + ".join(terms), _PRODUCT if len(terms) == 1 else _SUM
            if op == "to_each":
                return _latex(args[0])
            if op in _INNER:
                _, precedence, needs = _INNER[op]
                first, *others = args  # the others say where: an index, a length
                rest = [_held(one, needs) if op in _BOTH_HELD else latex(one) for one in others]
                return row.latex.format(_held(first, needs), *rest), precedence
            precedence = _PRODUCT if op == "ratio" else row.precedence
            is_written_between = bool(row.symbol) or op == "ratio"
            held = [_held(one, precedence + k if is_written_between else 0) for k, one in enumerate(args)]
            return row.latex.format(*held), precedence


def _held(expression: Expression, needs: int) -> str:
    text, precedence = _latex(expression)
    return text if precedence >= needs else rf"\left({text}\right)"


def latex_name(name: str) -> str:
    r"""Give a name: `W_ih` → `W_{ih}`, `h_prev` → `h_{t-1}`, `x` → `x_t`, `tanh_c` → `\tanh c_t`."""
    if name == "tanh_c":
        return r"\tanh c_t"
    if name.startswith("∂"):
        return rf"\partial {latex_name(name[1:])}"
    if name.endswith("⋮"):
        return latex_name(name[:-1])
    base, _, index = name.partition("_")
    if index == "prev":
        return f"{base}_{{t-1}}"
    if index:
        shown = re.sub("_", r"\\_", index)
        letters = rf"\mathrm{{{base}}}" if len(base) > 1 else base
        return f"{letters}_{{{shown}}}"
    if len(base) > 1:
        return rf"\mathrm{{{base}}}_t"
    return f"{base}_t"
