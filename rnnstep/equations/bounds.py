"""Running error bounds: how far a computed value may lie from the exact one.

Each function takes the unit roundoff `u` of the dtype, the computed result `out`, and the
arguments as pairs `(value, error)`; it gives a bound of |out − exact|. The rules are the
usual first-order ones of running error analysis with the rounding of the result itself
(Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.3), in float64.
A function of numpy or torch is taken to be within 4 u of the exact one. A bound may come
out as NaN where infinities meet; who reads them takes that, and any value that is not finite, as
having no bound.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Error = NDArray[np.float64]
Pair = tuple[NDArray[np.floating], Error]

_COARSE = 2.0**-11  # how much larger the bound of a matrix product may be than its formula
FUNCTION = 4  # units u that a library's tanh, exp, … may be off


class Given(tuple[NDArray[np.floating], Error]):  # noqa: SLOT001 - what is worked out once is kept
    """The pair of a value that is given to both programs: it has no error."""

    def __new__(cls, value: NDArray[np.floating]) -> Self:
        """Make the pair of a value."""
        return super().__new__(cls, (value, np.zeros(np.shape(value))))

    @cached_property
    def size(self) -> Error:
        """|value| in float64."""
        return magnitude(self[0])

    @cached_property
    def turned(self) -> Given:
        """The same of the transpose."""
        return Given(self[0].T)

    @cached_property
    def most(self) -> float:
        """The largest |value|; NaN where there is one."""
        return float(np.maximum.reduce(np.abs(self[0]), axis=None, initial=0.0))

    @cached_property
    def summed(self) -> NDArray[np.floating]:
        """|value| in the dtype in which it can be summed along the last axis."""
        return np.asarray(np.abs(self[0], dtype=_summed_in(self[0])))

    @cached_property
    def totals(self) -> NDArray[np.floating]:
        """Σ|value| along the last axis."""
        return np.asarray(self.summed.sum(axis=-1))

    def sums(self, w: Given) -> NDArray[np.floating]:
        """Σ|W||x| of a matrix, this being x."""
        return at_once(self.summed, w.summed.T)


class GivenAnchor(Given):
    """A given value whose sums are asked for again, by others that are nearly the same."""

    @cached_property
    def _sums(self) -> dict[int, tuple[Given, NDArray[np.floating]]]:
        return {}

    def sums(self, w: Given) -> NDArray[np.floating]:
        """Σ|W||x|, taken once."""
        if id(w) not in self._sums:
            self._sums[id(w)] = w, super().sums(w)
        return self._sums[id(w)][1]


class GivenNear(Given):
    """A given value so near to another that its sums are the other's and a little more: Σ|W||x| ≤ Σ|W||x′| + most |x − x′| · Σ|W|."""

    _base: GivenAnchor

    @classmethod
    def to(cls, base: GivenAnchor, value: NDArray[np.floating]) -> GivenNear:
        """Make the pair of a value."""
        made = cls(value)
        made._base = base
        return made

    @cached_property
    def _apart(self) -> NDArray[np.floating]:
        return np.asarray(np.abs(self[0] - self._base[0]).max(axis=-1, keepdims=True))

    def sums(self, w: Given) -> NDArray[np.floating]:
        """Σ|W||x|, at most 1/2048 too large; where the two are further apart than that, its own."""
        known = self._base.sums(w)
        more = self._apart * w.totals
        return known + more if bool((more <= known * _COARSE).all()) else super().sums(w)


def magnitude(value: Any) -> Error:
    """|value| in float64."""
    return np.asarray(np.abs(value, dtype=np.float64))


def size_of(pair: Pair) -> Error:
    """|value| in float64, of what is given worked out once."""
    return pair.size if isinstance(pair, Given) else magnitude(pair[0])


def tiny(u: float) -> float:
    """What underflow may take: the smallest subnormal of the dtype that `u` belongs to."""
    return 2.0**-149 if u > 2.0**-30 else 2.0**-1074


def rounded(u: float, out: Any) -> Error:
    """What rounding the result takes, u·|out|."""
    return np.multiply(np.abs(out), u, dtype=np.float64)  # type: ignore[no-any-return]


# Most of all time goes into the next four: they write over what is theirs already, and leave out errors that are zero.


def add(u: float, out: Any, a: Pair, b: Pair) -> Error:
    error = rounded(u, out)
    for pair in (a, b):
        if not isinstance(pair, Given):
            error += pair[1]
    return np.asarray(error)


sub = add


def mul(u: float, out: Any, a: Pair, b: Pair) -> Error:
    error = rounded(u, out)
    error += tiny(u)
    if not isinstance(a, Given):
        error += np.abs(b[0]) * a[1]
    if not isinstance(b, Given):
        reach = size_of(a) if isinstance(a, Given) else np.abs(a[0]) + a[1]
        error += reach * b[1]
    return np.asarray(error)


def _times(value: Any, error: Any) -> Error:
    """|value| · error, where an unbounded error of an exact zero stays unbounded."""
    return np.where(np.isinf(error), np.inf, magnitude(value) * error)


def div(u: float, out: Any, a: Pair, b: Pair) -> Error:
    room = magnitude(b[0]) - b[1]
    carried = (a[1] + _times(out, b[1])) / room
    return np.where(room > 0, carried + u * magnitude(out) + tiny(u), np.inf)


def matmul(u: float, out: Any, w: Pair, x: Pair) -> Error:
    """Σ|W|·err_x + Σ err_W·(|x| + err_x) + n·u·Σ|W||x| for a sum in any order."""
    bound = _rounded_sums(u, w, x)
    if not isinstance(x, Given) and x[1].any():
        bound += _over(each(x), size_of(w))
    if not isinstance(w, Given) and w[1].any():
        bound += at_once(size_of(x) + x[1], each(w).T)
    return np.asarray(bound)


def _rounded_sums(u: float, w: Pair, x: Pair) -> Error:
    """n·u·Σ|W||x|, and what underflow takes.

    The sum itself is taken in the dtype of the numbers, in half the time of float64. That may be n·u too little, and the
    bound is larger by twice as much (Higham 2002, section 3.1). Where it overflows, other orders may, too.
    """
    w, x = (pair if isinstance(pair, Given) else Given(pair[0]) for pair in (w, x))
    terms, sums = w[0].shape[-1], x.sums(w)
    margin = 1 + (terms + 4) * float(np.finfo(sums.dtype).eps)
    bound = np.multiply(sums, terms * u * margin, dtype=np.float64)
    bound += terms * tiny(u) * margin
    return bound  # type: ignore[no-any-return]


def _summed_in(value: NDArray[np.floating]) -> type[np.floating]:
    """The dtype of a value; float64 where as many sums of it would be off by more than 1/2048."""
    is_coarse = value.shape[-1] * np.finfo(value.dtype).eps > _COARSE
    return np.float64 if is_coarse else value.dtype.type


def at_once(x: NDArray[Any], w: NDArray[Any]) -> NDArray[Any]:
    """Give x @ w as one product of matrices, whatever axes x has before its last: numpy makes one of each step."""
    return np.asarray(x @ w if x.ndim < 3 else (x.reshape(-1, x.shape[-1]) @ w).reshape(*x.shape[:-1], -1))


def _over(error: Error, size: Error) -> Error:
    """Σ|W|·err, where an unbounded error makes its sums unbounded even through a zero weight."""
    if np.isfinite(error).all():
        return at_once(error, size.T)
    finite = at_once(np.where(np.isfinite(error), error, 0.0), size.T)
    return np.where(np.isfinite(error).all(axis=-1, keepdims=True), finite, np.inf)


def neg(u: float, out: Any, a: Pair) -> Error:
    return a[1]


relu = abs = neg


def tanh(u: float, out: Any, a: Pair) -> Error:
    error = np.minimum(a[1], 2.0)
    error += FUNCTION * u
    return np.asarray(error)


def sigmoid(u: float, out: Any, a: Pair) -> Error:
    error = np.minimum(a[1] / 4, 1.0)
    error += FUNCTION * u
    return np.asarray(error)


def exp(u: float, out: Any, a: Pair) -> Error:
    grown = magnitude(out) * (1 + FUNCTION * u) + tiny(u)
    return np.where(a[1] > 0, grown * np.expm1(a[1]), 0.0) + FUNCTION * u * grown + tiny(u)


def log(u: float, out: Any, a: Pair) -> Error:
    relative = a[1] / magnitude(a[0])
    return np.where(relative < 1, -np.log1p(-relative), np.inf) + FUNCTION * u * (magnitude(out) + 1)


def sqrt(u: float, out: Any, a: Pair) -> Error:
    """The change of √a to either side, written without a difference of nearly equal numbers."""
    value = np.maximum(np.asarray(a[0], dtype=np.float64), 0.0)
    root = np.sqrt(value)
    down = np.minimum(a[1], value) / (root + np.sqrt(np.maximum(value - a[1], 0.0)))
    up = a[1] / (root + np.sqrt(value + a[1]))
    carried = np.where(a[1] > 0, np.fmax(down, up), 0.0)
    return np.asarray(carried + 2 * u * magnitude(out))


def softmax(u: float, out: Any, a: Pair) -> Error:
    """A change of at most e in every argument changes an element by a factor within exp(±2e)."""
    most = np.max(each(a), axis=-1, keepdims=True)
    terms = np.shape(out)[-1]
    reach = np.max(magnitude(a[0]), axis=-1, keepdims=True)
    rounding = (terms + 3 * FUNCTION + 2 * reach) * u * magnitude(out) + tiny(u)
    return np.asarray(np.where(most > 0, (magnitude(out) + tiny(u)) * np.expm1(2 * most), 0.0) + rounding)


def sum(u: float, out: Any, a: Pair) -> Error:
    terms = np.shape(a[0])[-1]
    total = magnitude(a[0]).sum(axis=-1, keepdims=True)
    return np.asarray(each(a).sum(axis=-1, keepdims=True) + terms * u * total)


def each(a: Pair) -> Error:
    """The error of every element, where one error may stand for all."""
    value, error = a
    return error if np.shape(error) == np.shape(value) else np.broadcast_to(error, np.shape(value))


def mean(u: float, out: Any, a: Pair) -> Error:
    return np.asarray(sum(u, out, a) / np.shape(a[0])[-1] + u * magnitude(out) + tiny(u))


def max(u: float, out: Any, a: Pair) -> Error:
    return np.asarray(each(a).max(axis=-1, keepdims=True))


min = max


def norm(u: float, out: Any, a: Pair) -> Error:
    """‖error‖, the rounding of squares, sum and root, and √ of what the squares lose by underflow."""
    terms = np.shape(a[0])[-1]
    most = max(u, out, a)  # errors are scaled by it, so that their squares do not underflow
    shares = np.where(most > 0, each(a) / most, 0.0)
    carried = most * np.sqrt((shares**2).sum(axis=-1, keepdims=True))
    lost = terms * tiny(u)
    return np.asarray(carried + (terms + 3) * u * magnitude(out) + lost / (magnitude(out) + np.sqrt(lost)))


def lookup(u: float, out: Any, w: Pair, i: Pair) -> Error:
    return np.asarray(each(w)[i[0]])


def cat(u: float, out: Any, a: Pair, b: Pair) -> Error:
    rows = np.broadcast_shapes(np.shape(a[0])[:-1], np.shape(b[0])[:-1])
    sides = [np.broadcast_to(each(one), (*rows, np.shape(one[0])[-1])) for one in (a, b)]
    return np.concatenate(sides, axis=-1)


def argmax(u: float, out: Any, a: Pair) -> Error:
    """How far the index may be off: to the first or the last of those that errors may make the largest."""
    value, error = np.asarray(a[0], np.float64), each(a)
    low, high = value - error, value + error
    may_be = ~(high < np.max(low, axis=-1, keepdims=True))  # of NaN any may be
    places = np.arange(value.shape[-1])
    return np.asarray(np.where(may_be, np.abs(places - np.asarray(out)), 0.0).max(axis=-1, keepdims=True))


def exact(u: float, out: Any, *args: Pair) -> Error:
    """Comparisons and logic give 0 or 1: no rounding (which side they fall on is not bounded)."""
    return np.zeros(np.shape(out))
