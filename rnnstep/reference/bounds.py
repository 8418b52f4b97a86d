"""How far a right program may be off: rounding errors read from the equations, in one step and along a run.

The error of each operation is the table's (`rnnstep.equations.bounds`). What is added here is doubt: an error
of infinity means that a value may not even be finite, because some order of its sums overflows; and
that a comparison may fall on the other side, because its operands are closer than their errors.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.equations.bounds import Pair
from rnnstep.equations.evaluate import Errors, Product
from rnnstep.equations.operations import Array

Error = NDArray[np.float64]
_COMPARISONS = frozenset(("lt", "le", "gt", "ge", "eq", "ne"))
_LOGIC = frozenset(("and", "or", "not"))


def exact(value: Array) -> Pair:
    """Give a value with no error, for what both programs are given."""
    return value, np.zeros(np.shape(value))


class Rounding(Errors):
    """The reading as `(value, error)`; an error is never NaN, and infinity where finiteness is in doubt."""

    def __init__(self, dtype: np.dtype[np.floating]) -> None:
        super().__init__(dtype)
        self._largest = float(np.finfo(dtype).max) * 0.999

    def apply(self, op: str, args: tuple[Pair, ...]) -> Pair:
        """An operation of the table, with its doubt."""
        with np.errstate(all="ignore"):
            pair = super().apply(op, args)
            out, error = pair
            if op in _COMPARISONS or op in _LOGIC:
                return out, _may_turn(op, args, np.shape(out))
            settled = self.settled(op, out, error, args)
            return Product(out, settled, pair.terms) if isinstance(pair, Product) else (out, settled)

    def settled(self, op: str, out: Array, error: Error, args: tuple[Pair, ...]) -> Error:
        """Give the error with doubt in place of what overflow and NaN make of it.

        What is not finite for certain has no error: both programs must have the same.
        """
        is_finite = np.isfinite(out)
        is_sure = all(np.isfinite(operand).all() for operand in (error, *(e for _, e in args)))
        if is_sure and is_finite.all() and self._is_small(op, args):
            return error
        doubt = _in_doubt(op, args) | (_reach(op, out, args) >= self._largest) & ~_holds_nan(op, args)
        doubt |= is_finite & (np.abs(out, dtype=np.float64) + error >= self._largest)
        settled = np.where(is_finite, np.nan_to_num(error, nan=np.inf, posinf=np.inf), 0.0)
        return np.where(doubt, np.inf, settled)

    def _is_small(self, op: str, args: tuple[Pair, ...]) -> bool:
        """Whether no order of the sums can come near overflow; a quick answer, for nearly all there is."""
        if op not in ("add", "sub", "matmul", "sum", "mean", "norm"):
            return True
        biggest = [float(np.max(np.abs(value), initial=0.0)) for value, _ in args]
        reach = biggest[0] * biggest[1] if op == "matmul" else max(biggest) ** (2 if op == "norm" else 1)
        terms = np.shape(args[0][0])[-1] if op not in ("add", "sub") else 2
        return reach * terms < self._largest


def _in_doubt(op: str, args: tuple[Pair, ...]) -> Any:
    """Where an operand's finiteness is in doubt, the result's is too."""
    doubts = [np.isinf(error) for _, error in args]
    if op == "matmul":
        return np.any(doubts[1], axis=-1, keepdims=True) | np.any(doubts[0])
    if op in ("sum", "mean", "max", "min", "norm", "softmax"):
        return np.any(doubts[0], axis=-1, keepdims=True)
    return doubts[0] if len(doubts) == 1 else doubts[0] | doubts[1]


def _holds_nan(op: str, args: tuple[Pair, ...]) -> Any:
    """Where a NaN goes into a result, so that it is NaN in whatever order."""
    holding = [np.isnan(value) for value, _ in args]
    if op == "matmul":
        return np.any(holding[1], axis=-1, keepdims=True) | np.any(holding[0], axis=-1)
    if op in ("sum", "mean", "max", "min", "norm", "softmax"):
        return np.any(holding[0], axis=-1, keepdims=True)
    return holding[0] if len(holding) == 1 else holding[0] | holding[1]


def _reach(op: str, out: Array, args: tuple[Pair, ...]) -> Any:
    """The largest that any partial result of finite operands may be; what is infinite for certain is left out."""
    sizes = [_finite_size(value) for value, _ in args]
    match op:
        case "add" | "sub":
            return sizes[0] + sizes[1]
        case "mul":
            return sizes[0] * sizes[1]
        case "matmul":
            return sizes[1] @ sizes[0].T
        case "sum" | "mean":
            return sizes[0].sum(axis=-1, keepdims=True)
        case "norm":
            return (sizes[0] ** 2).sum(axis=-1, keepdims=True)
        case "div" | "exp":
            return np.where(np.all([np.isfinite(value) for value, _ in args], axis=0), np.abs(out), 0.0)
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
    turning = [np.broadcast_to((error > 0) & (np.abs(value) <= error), shape) for value, error in pairs]
    return np.where(np.any(turning, axis=0), 1.0, 0.0)
