"""How far a right program may be off: rounding errors read from the equations, in one step and along a run.

The error of each operation is the table's (`rnnstep.equations.bounds`). What is added here is what a sum onto a
bias may cost more, and doubt: an error of infinity means that a value may not even be finite, because some order of
its sums overflows; and that a comparison may fall on the other side, because its operands are closer than their errors.
Where an overflow may come, but only to one side, the error is `A_NUMBER`: finite or infinite, but not NaN.
"""

from __future__ import annotations

import math
from functools import cached_property, reduce
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rnnstep.equations.bounds import Given, Pair, at_once
from rnnstep.equations.evaluate import Values
from rnnstep.equations.operations import OPERATIONS, Array

Error = NDArray[np.float64]
A_NUMBER = float(np.finfo(np.float64).max)
"""The error of what may be finite or infinite, but is a number in whatever order it is summed."""

_DECIMAL_ROUNDING = 2.0**-53  # of a number's decimals to the nearest float64
_FAR = 4
"""How far below overflow the other side of a sum stays, so that what is added on the way does not matter."""

_COMPARISONS = frozenset(("lt", "le", "gt", "ge", "eq", "ne"))
_LOGIC = frozenset(("and", "or", "not", "any", "all"))
_OVER_ELEMENTS = frozenset(
    ("sum", "mean", "max", "min", "norm", "softmax", "log_softmax", "argmax", "normalized")
)
_NORMALIZING = frozenset(("layer_norm", "normalized", "normalized_back"))  # which square what they are given
_MOVED = frozenset(
    ("lookup", "cat", "head", "tail", "part", "within", "chosen", "placed", "spread", "to_each")
)  # numbers that change their place
_GATHERED = frozenset(("outer", "rows", "scatter"))  # sums over rows
_BANK_PRODUCTS = frozenset(("scored", "mixed", "on_each"))
_OF_BANKS = _BANK_PRODUCTS | {"products", "over_each", "live_softmax"}
_SUMS = (
    frozenset(
        (
            "add",
            "sub",
            "standardized",
            "matmul",
            "pullback",
            "sum",
            "mean",
            "norm",
            "log_softmax",
            "over_each",
        )
    )
    | _BANK_PRODUCTS
    | _GATHERED
    | _NORMALIZING
)


class Sized(tuple[Array, Error]):  # noqa: SLOT001 - what is worked out once is kept
    """A pair with what its numbers do not pass; where the operands did not tell, it is measured when it is asked for.

    Attributes:
        is_told: whether the operands told; then all is finite.
    """

    is_told = False

    @cached_property
    def most(self) -> float:
        """No |value| is larger; NaN where one may be NaN."""
        return _largest(self[0])

    @cached_property
    def most_off(self) -> float:
        """No error is larger; NaN where one may be NaN."""
        return _largest(self[1])


def _largest(numbers: Any) -> float:
    return float(np.maximum.reduce(np.abs(numbers), axis=None, initial=0.0))


def _sizes(pair: Pair) -> tuple[float, float]:
    """What no |value|, and what no error of a pair passes."""
    if isinstance(pair, Given):
        return pair.most, 0.0
    return (pair.most, pair.most_off) if isinstance(pair, Sized) else (_largest(pair[0]), _largest(pair[1]))


class DifferenceOfOne(Sized):
    """The pair of what one number is above another: of what else a root is taken is not below zero."""


class Product(Sized):
    """The pair of a matrix product: what is added to it may have been in its sums from the first of its terms on.

    Attributes:
        terms: how many products each of its elements is the sum of.
    """

    terms: int

    def __new__(cls, value: Array, error: Error, terms: int) -> Self:
        """Make the pair, and keep the number of its terms."""
        pair = super().__new__(cls, (value, error))
        pair.terms = terms
        return pair


class Rounding:
    """The reading as `(value, error)`: what is computed, and how far off it may be.

    An error is never NaN, and infinity where finiteness is in doubt.
    """

    def __init__(self, dtype: np.dtype[np.floating]) -> None:
        self._dtype = np.dtype(dtype)
        self._roundoff = float(np.finfo(dtype).eps) / 2
        self._largest = float(np.finfo(dtype).max) * 0.999
        self._values = Values(is_silenced=True)

    def number(self, value: float) -> Pair:
        """A number, and how far its rounding to the dtype may take it."""
        # A number written in decimals is rounded twice: to Python's float, and to the dtype.
        with np.errstate(over="ignore"):
            rounding = abs(float(self._dtype.type(value)) - value)
        if not value.is_integer():
            rounding += abs(value) * _DECIMAL_ROUNDING
        return value, np.float64(rounding)  # type: ignore[return-value]

    def pick(self, base: Pair, index: int) -> Pair:
        """One element of a vector, of length one."""
        start = index % base[0].shape[-1]
        return base[0][..., start : start + 1], base[1][..., start : start + 1]

    def apply(self, op: str, args: tuple[Pair, ...]) -> Pair:
        """An operation's value, and its error with what its arguments' brought along."""
        with np.errstate(all="ignore"):
            values = tuple([value for value, _ in args])
            out = at_once(values[1], values[0].T) if op == "matmul" else self._values.apply(op, values)
            if op in _COMPARISONS or op in _LOGIC:
                return out, _may_turn(op, args, np.shape(out))
            error = np.asarray(OPERATIONS[op].error(self._roundoff, out, *args), dtype=np.float64)
            if op in ("add", "sub"):
                error += self.onto(args)
            if error.shape != np.shape(out):
                error = np.broadcast_to(error, np.shape(out))
            told = self._told(op, args)
            if told is None and not self._is_plain(op, out, error, args):
                error = self._in_doubt(op, out, error, args)
        made = _pair(op, out, error, args)
        if told is not None:
            made.most, made.most_off, made.is_told = *told, True
        return made

    def _told(self, op: str, args: tuple[Pair, ...]) -> tuple[float, float] | None:
        """What result and error do not pass, by what the operands do not.

        None where the operation does not tell, or something may be in doubt; what is told needs no more questions.
        """
        if op not in _TELLING:
            return None
        u, (value, error), (other, its_error) = self._roundoff, _sizes(args[0]), _sizes(args[-1])
        for k in range(len(args) - 2):  # of a pullback: more pairs, none of which is larger than all together
            size, off = _sizes(args[k + 1])
            value, error, other, its_error = value + size, error + off, other + size, its_error + off
        terms = 1
        match op:
            case "add" | "sub":
                most = value + other
                off = error + its_error + u * (1 + _num_terms(args[0]) + _num_terms(args[1])) * most
            case "mul":
                most = value * other
                off = value * its_error + error * (other + its_error) + u * most + 1.0
            case "matmul" | "pullback" | "outer":
                terms = _num_products(op, args)
                most = terms * value * other
                off = terms * (value * its_error + error * (other + its_error) + 4 * u * most + 1.0)
            case "sum" | "rows":
                terms = _terms(op, args)
                most = terms * value
                off = terms * (error + u * most)
            case "tanh" | "sigmoid":
                most, off = 2.0, 3.0
            case _:
                most, off = value, error
        # What is computed was rounded once a term and once more, and so was what is told here.
        grown = 1 + 4 * u * terms
        most, off = most * grown, off * grown
        # A sum of numbers one of which is infinite or NaN is not less than anything.
        is_sure = value + other + error + its_error + most + off < self._largest
        return (most, off) if is_sure else None

    def _in_doubt(self, op: str, out: Array, error: Error, args: tuple[Pair, ...]) -> Error:
        # A value that overflowed may belong anywhere, and ∞ − ∞ inside a rule says nothing either.
        error = np.where(np.isnan(error) | ~np.isfinite(out), np.inf, error)
        settled = self.settled(op, out, error, args)
        if not np.isinf(settled).any():
            return settled
        is_sure = np.isinf(settled) & self._is_a_number(op, args)
        return np.where(is_sure, _of_a_number(op), settled)

    def onto(self, args: tuple[Pair, ...]) -> Any:
        """What summing onto a bias costs more than adding it last: a library may begin with it.

        Every one of the n partial sums then holds it, so n·u·|b| comes on top (Higham 2002, section 4.2).
        """
        more: Any = 0.0
        for one, other in (args, args[::-1]):
            if terms := _num_terms(one):
                more = more + self._roundoff * (terms * np.abs(other[0]))
        return more

    def settled(self, op: str, out: Array, error: Error, args: tuple[Pair, ...]) -> Error:
        """Give the error with doubt in place of what overflow and NaN make of it.

        What is not finite for certain has no error: both programs must have the same.
        """
        if self._is_plain(op, out, error, args):
            return error
        is_finite = np.isfinite(out)
        doubt = _doubted(op, args) | (_reach(op, out, args) >= self._largest) & ~_holds_nan(op, args)
        doubt = doubt | is_finite & (np.abs(out, dtype=np.float64) + error >= self._largest)
        settled = np.where(is_finite, np.nan_to_num(error, nan=np.inf, posinf=np.inf), 0.0)
        return np.where(doubt, np.inf, settled)

    def _is_plain(self, op: str, out: Array, error: Error, args: tuple[Pair, ...]) -> bool:
        """Whether nothing here is in doubt, as nearly everywhere."""
        return (
            bool(np.isfinite(error).all() and np.isfinite(out).all())
            and all(isinstance(pair, Given) or np.isfinite(pair[1]).all() for pair in args)
            and self._is_small(op, args)
        )

    def _is_a_number(self, op: str, args: tuple[Pair, ...]) -> Any:
        """Where a result in doubt is not NaN, whatever its sums' order: all that overflows does so to one side."""
        values = [np.asarray(value, np.float64) for value, _ in args]
        errors = [np.broadcast_to(error, np.shape(value)) for value, error in args]
        is_known = ~_reached(
            op, args, [np.isnan(v) | np.isinf(e) for v, e in zip(values, errors, strict=True)]
        )
        if op in _OF_ONE_NUMBER:
            return is_known
        room = self._largest / _FAR
        may_be_infinite = [~(np.abs(v) + e < room) for v, e in zip(values, errors, strict=True)]
        match op:
            case "add" | "sub":  # one of them alone is infinite, or both are finite
                is_finite = [np.isfinite(v) & (e < A_NUMBER) for v, e in zip(values, errors, strict=True)]
                return is_known & (~(may_be_infinite[0] & may_be_infinite[1]) | (is_finite[0] & is_finite[1]))
            case "mul":  # neither is zero beside an infinity
                is_apart = [np.abs(v) > e for v, e in zip(values, errors, strict=True)]
                is_far = [(e >= A_NUMBER) & (np.abs(v) > 0) for v, e in zip(values, errors, strict=True)]
                nonzero = [apart | far for apart, far in zip(is_apart, is_far, strict=True)]
                return is_known & (~(may_be_infinite[0] | may_be_infinite[1]) | (nonzero[0] & nonzero[1]))
            case (
                "matmul"
                | "pullback"
                | "outer"
                | "rows"
                | "sum"
                | "mean"
                | "over_each"
                | "scored"
                | "mixed"
                | "on_each"
            ):
                strange = [~np.isfinite(v) | (e >= A_NUMBER) for v, e in zip(values, errors, strict=True)]
                above, below = _both_sides(op, values)
                return is_known & ~_reached(op, args, strange) & ((above < room) | (below < room))
        return np.zeros((), np.bool_)

    def _is_small(self, op: str, args: tuple[Pair, ...]) -> bool:
        """Whether no order of the sums can come near overflow; a quick answer, for nearly all there is."""
        if op == "sqrt":
            return not isinstance(args[0], DifferenceOfOne) or bool(
                np.all(np.asarray(args[0][0]) >= args[0][1])
            )
        if op not in _SUMS:
            return True
        biggest = [pair.most if isinstance(pair, Given) else _largest(pair[0]) for pair in args]
        if op == "scatter":  # its other arguments are places, and a table to be like
            return biggest[0] * max(1, np.size(args[1][0])) < self._largest
        reach = max(biggest) ** (2 if op == "norm" or op in _NORMALIZING else 1)
        if op in ("matmul", "pullback", "outer", *_BANK_PRODUCTS):
            reach = max(a * b for a, b in zip(biggest[::2], biggest[1::2], strict=True)) * (len(args) // 2)
        return reach * _terms(op, args) < self._largest


def _pair(op: str, out: Array, error: Error, args: tuple[Pair, ...]) -> Sized:
    """The pair of a result, with what those that read it ask for."""
    if op == "matmul":
        return Product(out, error, args[0][0].shape[-1])
    return DifferenceOfOne((out, error)) if op == "sub" else Sized((out, error))


def _num_products(op: str, args: tuple[Pair, ...]) -> int:
    """How many products an element of a product of matrices is the sum of, at most."""
    if op == "outer":  # one of the two may have more rows: where the other is a bank
        return max(math.prod(np.shape(value)[:-1]) for value, _ in args)
    return _terms(op, args) * max(1, len(args) // 2)


def _num_terms(pair: Pair) -> int:
    """How many terms each element is the sum of, in an order that is not known; 0 of what is no such sum."""
    return pair.terms if isinstance(pair, (Product, Sum)) else 0


_TELLING = frozenset(
    (
        "add",
        "sub",
        "mul",
        "matmul",
        "pullback",
        "outer",
        "sum",
        "rows",
        "tanh",
        "sigmoid",
        "neg",
        "relu",
        "abs",
    )
)
"""The operations whose results are as large as their operands say."""

_OF_ONE_NUMBER = frozenset(
    ("neg", "abs", "relu", "tanh", "sigmoid", "cat", "head", "tail", "spread", "passed")
)
"""What is a number wherever its operands are."""


def _of_a_number(op: str) -> float:
    """What a result may be off by whose operands are numbers."""
    return {"tanh": 2.0, "sigmoid": 1.0}.get(op, A_NUMBER)


def _both_sides(op: str, values: list[Error]) -> tuple[Any, Any]:
    """What the positive, and what the negative terms of a sum come to."""
    up, down = ([np.maximum(sign * value, 0.0) for value in values] for sign in (1, -1))
    match op:
        case "matmul":
            return up[1] @ up[0].T + down[1] @ down[0].T, up[1] @ down[0].T + down[1] @ up[0].T
        case "pullback" | "outer" | "scored" | "mixed" | "on_each":
            of = [
                OPERATIONS[op].forward(*_alternating(one, other))
                for one, other in ((up, up), (down, down), (up, down), (down, up))
            ]
            return of[0] + of[1], of[2] + of[3]
    forward = OPERATIONS["sum" if op == "mean" else op].forward
    return forward(up[0]), forward(down[0])


def _alternating(one: list[Error], other: list[Error]) -> list[Error]:
    """The first of each pair of operands from one list, the second from the other."""
    return [one[k] if k % 2 == 0 else other[k] for k in range(len(one))]


def _terms(op: str, args: tuple[Pair, ...]) -> int:
    """How many numbers, or products, an element of a sum is the sum of."""
    shape = np.shape(args[0][0])
    match op:
        case "add" | "sub" | "standardized" | "log_softmax":
            return 2
        case "pullback":
            return int(max(np.shape(w)[0] for w, _ in args[::2]))
        case "outer" | "rows":
            return math.prod(shape[:-1])
        case "over_each":
            return int(shape[-2])
    return int(shape[-1])


def _doubted(op: str, args: tuple[Pair, ...]) -> Any:
    """Where an operand's finiteness is in doubt, the result's is too."""
    doubt = _reached(op, args, [error >= A_NUMBER for _, error in args])
    if op == "sqrt" and isinstance(
        args[0], DifferenceOfOne
    ):  # another program's may be below zero, its root NaN
        doubt = doubt | (np.asarray(args[0][1]) > np.abs(args[0][0]))
    return doubt


def _holds_nan(op: str, args: tuple[Pair, ...]) -> Any:
    """Where a NaN goes into a result, so that it is NaN in whatever order."""
    return _reached(op, args, [np.isnan(value) for value, _ in args])


def _reached(op: str, args: tuple[Pair, ...], marks: list[Any]) -> Any:
    """Where the result of an operation holds anything of the operands' marked elements."""
    marks = [np.broadcast_to(mark, np.shape(value)) for mark, (value, _) in zip(marks, args, strict=True)]
    if op == "matmul":
        return np.any(marks[1], axis=-1, keepdims=True) | np.any(marks[0], axis=-1)
    if op == "pullback":
        found: Any = False
        for w, g in zip(marks[::2], marks[1::2], strict=True):
            found = found | np.any(g, axis=-1, keepdims=True) | np.any(w, axis=0)
        return found
    if op == "outer":
        g, x = (np.any(mark, axis=tuple(range(mark.ndim - 1))) for mark in marks)
        return g[:, None] | x
    if op == "rows":
        return np.any(marks[0], axis=tuple(range(marks[0].ndim - 1)))
    if op in _OF_BANKS:
        return _reached_of_banks(op, args, marks)
    if op == "scatter":
        return np.broadcast_to(np.any(marks[0]), np.shape(args[2][0]))
    if op == "layer_norm":
        return np.any(marks[0], axis=-1, keepdims=True) | marks[1] | marks[2]
    if op == "normalized_back":
        return np.any(marks[0], axis=-1, keepdims=True) | np.any(marks[1], axis=-1, keepdims=True)
    if op in _OVER_ELEMENTS:
        return np.any(marks[0], axis=-1, keepdims=True)
    if op in _MOVED:
        return _moved(op, args, marks) != 0
    return reduce(np.logical_or, marks)


def _reached_of_banks(op: str, args: tuple[Pair, ...], marks: list[Any]) -> Any:
    """The same of an operation with a bank."""
    match op:
        case "scored":
            return np.any(marks[0], axis=-1) | np.any(marks[1], axis=-1, keepdims=True)
        case "mixed":
            return np.any(marks[0], axis=-1, keepdims=True) | np.any(marks[1], axis=-2)
        case "on_each":
            return np.any(marks[1], axis=-1, keepdims=True) | np.any(marks[0], axis=-1)
        case "products":
            return marks[0][..., :, None] | marks[1][..., None, :]
        case "over_each":
            return np.any(marks[0], axis=-2)
    is_live = np.asarray(args[1][0]) != 0
    return np.any(marks[0] & is_live, axis=-1, keepdims=True) & is_live


def _moved(op: str, args: tuple[Pair, ...], others: list[Any]) -> Error:
    """Let other numbers in the operands' places move as the operands do; what says where to stays as it is."""
    places = {"lookup": (1,), "chosen": (1,), "placed": (1,), "part": (1, 2), "within": (1,)}.get(op, ())
    given = [args[k][0] if k in places else np.asarray(other, np.float64) for k, other in enumerate(others)]
    return np.asarray(OPERATIONS[op].forward(*given), np.float64)


def _reach(op: str, out: Array, args: tuple[Pair, ...]) -> Any:
    """The largest that any partial result of finite operands may be; what is infinite for certain is left out."""
    sizes = [_finite_size(value) for value, _ in args]
    match op:
        case "add" | "sub" | "standardized":
            return sizes[0] + sizes[1]
        case "mul":
            return sizes[0] * sizes[1]
        case "matmul":
            return sizes[1] @ sizes[0].T
        case "pullback" | "outer" | "rows" | "scored" | "mixed" | "on_each" | "over_each" | "products":
            return OPERATIONS[op].forward(*sizes)
        case "scatter":
            return OPERATIONS[op].forward(sizes[0], args[1][0], sizes[2])
        case "sum" | "mean":
            return sizes[0].sum(axis=-1, keepdims=True)
        case "log_softmax":
            return sizes[0] + sizes[0].max(axis=-1, keepdims=True)
        case "norm" | "layer_norm" | "normalized":
            return (sizes[0] ** 2).sum(axis=-1, keepdims=True)
        case "normalized_back":
            return (sizes[1] ** 2).sum(axis=-1, keepdims=True) + sizes[0].sum(axis=-1, keepdims=True)
        case "smooth_l1":  # its square, where there is one
            return np.where(sizes[0] - args[0][1] < sizes[1] + args[1][1], (sizes[0] + args[0][1]) ** 2, 0.0)
        case "div" | "ratio" | "exp":
            finite = [np.isfinite(value) for value, _ in args]
            return np.where(finite[0] & finite[-1], np.abs(out), 0.0)
    return np.zeros(())


def _finite_size(value: Any) -> Error:
    size = np.abs(np.asarray(value, np.float64))
    return np.where(np.isfinite(size), size, 0.0)


def _may_turn(op: str, args: tuple[Pair, ...], shape: tuple[int, ...]) -> Error:
    """1 where a comparison, or a value taken for true, may fall on the other side."""
    if op in _COMPARISONS:
        (a, error_a), (b, error_b) = args
        pairs = [(np.subtract(a, b, dtype=np.float64), error_a + error_b)]
    else:
        pairs = list(args)
    if op in ("any", "all"):
        value, error = pairs[0]
        turns = np.broadcast_to((error > 0) & (np.abs(value) <= error), np.shape(value))
        return np.where(np.any(turns, axis=-1, keepdims=True), 1.0, 0.0)
    turning = [np.broadcast_to((error > 0) & (np.abs(value) <= error), shape) for value, error in pairs]
    return np.where(np.any(turning, axis=0), 1.0, 0.0)


class Gathering(Rounding):
    """The reading where sums over rows are parts of longer ones, over `terms` rows and steps in any order."""

    def __init__(self, dtype: np.dtype[np.floating], terms: int) -> None:
        super().__init__(dtype)
        self._all = terms

    def apply(self, op: str, args: tuple[Pair, ...]) -> Pair:
        """An operation of the table; what is gathered may lose more than its own rows say."""
        value, error = super().apply(op, args)
        if op not in _GATHERED:
            return value, error
        sizes = tuple(np.abs(np.asarray(part, np.float64)) for part, _ in args[: 2 if op == "outer" else 1])
        rest = () if op != "scatter" else (args[1][0], args[2][0])
        with np.errstate(all="ignore"):
            more = np.nan_to_num(OPERATIONS[op].forward(*sizes, *rest), nan=0.0, posinf=0.0)
        return value, error + self._all * self._roundoff * more


class Sum(Sized):
    """The pair of what is added up in a gradient, where autograd may have begun with any of the terms.

    Attributes:
        size: Σ|term|.
        terms: how many.
        brought: Σ of the terms' own errors.
    """

    size: Error
    terms: int
    brought: Error

    def __new__(cls, value: Array, error: Error, size: Error, terms: int, brought: Error) -> Self:
        """Make the pair, and keep what it is the sum of."""
        pair = super().__new__(cls, (value, error))
        pair.size, pair.terms, pair.brought = size, terms, brought
        return pair

    @classmethod
    def of(cls, pair: Pair) -> Sum:
        """A pair as the sum of itself alone."""
        if isinstance(pair, Sum):
            return pair
        value, error = pair
        return Sum(value, error, np.abs(np.asarray(value, np.float64)), 1, error)


class Accumulating(Rounding):
    """The reading of gradients: what reaches a value from several places is added up in any order."""

    def apply(self, op: str, args: tuple[Pair, ...]) -> Pair:
        """An operation of the table; n terms in any order lose up to (n − 1)·u·Σ|term| (Higham 2002, section 4.2)."""
        pair = super().apply(op, args)
        value, error = pair
        is_told = isinstance(pair, Sized) and pair.is_told
        if op == "mul" and not is_told and np.isnan(value).any():
            # ∞ · 0, where torch's rule of a function may leave out what it multiplies by 0: relu's does.
            may_be_zero = [np.abs(np.asarray(operand)) <= brought for operand, brought in args]
            return value, np.where(np.isnan(value) & (may_be_zero[0] | may_be_zero[1]), np.inf, error)
        if op in _COMPARISONS and any(np.isnan(operand).any() for operand, _ in args):
            return value, np.where(
                _holds_nan(op, args), 1.0, error
            )  # as many rules let a NaN through as do not
        if op not in ("add", "sub"):
            return pair
        one, other = (Sum.of(argument) for argument in args)
        size, terms, brought = one.size + other.size, one.terms + other.terms, one.brought + other.brought
        if terms > 2:
            error = np.fmax(error, brought + (terms - 1) * self._roundoff * size)
        return Sum(value, error, size, terms, brought)
