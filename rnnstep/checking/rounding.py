"""What honest rounding can give: intervals in which every operation's result may be rounded, or not.

A person who calculates to d decimals rounds to the nearest of them where a number is written down, and may carry
more digits where it is not. So after every operation an interval is widened to whatever rounding to d or more
decimals can make of what it holds; the products of a matrix product are written down one by one, too. A run of the
scenario's own dtype is inside the bounds as well (`as_computed`). What only mistakes hold is
read here, too: the other key of the calculator, a product along the wrong axis. Digits cut off are `mistakes.cutting`'s.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Self

import numpy as np

from rnnstep.equations import intervals
from rnnstep.equations.evaluate import evaluate
from rnnstep.equations.intervals import Bound, Interval, outward, point
from rnnstep.equations.normalizing import EPS
from rnnstep.equations.operations import OPERATIONS, Array
from rnnstep.equations.syntax import Apply, Expression, Number
from rnnstep.scenario.model import Scenario

_NEAREST = 0.55  # of a unit: rounding to d + 1 decimals and then to d goes that far
_FINER = 0.05  # of a unit: what rounding to d + 1 decimals or more moves
_MOST_IN_TURN = 32  # terms whose sums so far are followed one by one
_AT_ONCE = 1 << 20  # products that are worked out together
_STEPS = 4  # floats that a function of numpy may be off by
ON_GRID = 1e-4  # of a unit: what stands for a number of d decimals in float32 arithmetic
# The same as arrays, which numpy takes in two thirds of the time of a number.
_NEAREST_ONE, _FINER_ONE, _ON_GRID_ONE = np.array(_NEAREST), np.array(_FINER), np.array(ON_GRID)


def _both(interval: Interval) -> Bound:
    """An interval as two lower bounds in one array, (2, …): of its numbers and of what they are negated.

    The bounds are small: what counts is how often numpy is called.
    """
    low, high = interval
    shape = np.shape(low)
    if shape != np.shape(high):
        shape = np.broadcast_shapes(shape, np.shape(high))
    both = np.empty((2, *shape))
    both[0] = low
    np.negative(high, out=both[1:])
    return both


def _apart(both: Bound) -> Interval:
    """Two lower bounds as the interval that they are."""
    return both[0], -both[1]


def around(value: Array, decimals: int) -> Interval:
    """The numbers that are written as `value` with `decimals` decimals."""
    half = 0.5 * 10.0**-decimals
    slack = half * 1e-9 + np.where(np.isfinite(value), np.abs(value), 0.0) * 1e-15
    return value - half - slack, value + half + slack


def scaled(bounds: Interval, scale: float, decimals: int) -> Interval:
    """Bounds times a factor, the product written down."""
    one, other = bounds[0] * scale, bounds[1] * scale
    return Rounded(decimals).rounded((np.minimum(one, other), np.maximum(one, other)))


class Kept(tuple[Bound, Bound]):  # noqa: SLOT001 - a tuple with an attribute cannot have slots
    """Bounds that know what they are where nothing is rounded: nobody divides by what was rounded to nothing.

    Attributes:
        exact: the bounds without any rounding.
    """

    exact: Interval

    def __new__(cls, bounds: Interval, exact: Interval) -> Self:
        """Make the pair, and keep the other one."""
        pair = super().__new__(cls, bounds)
        pair.exact = exact
        return pair


def exact_of(bounds: Interval) -> Interval:
    """The bounds where nothing is rounded; themselves where that is not known."""
    return bounds.exact if isinstance(bounds, Kept) else bounds


def shown(values: Array, decimals: int) -> Interval:
    """Given numbers, such as weights, as people read them: themselves, or rounded where they are shown so."""
    exact = written = np.asarray(values, np.float64)
    if values.dtype == np.float32:  # people read 0.1, which float32 does not have
        decimal = np.array([float(str(value)) for value in values.reshape(-1)]).reshape(values.shape)
        exact, written = np.minimum(exact, decimal), np.maximum(exact, decimal)
    return Kept(Rounded(decimals).rounded((exact, written)), (exact, written))


class Rounded:
    """The reading as bounds of a calculation that may be rounded to so many decimals after each operation.

    Args:
        decimals: how many.
        keeps: whether numbers that rounding would make nothing of are kept for what divides by them.

    Attributes:
        nearest: how far writing a number down moves it, in units.
    """

    nearest = _NEAREST

    def __init__(self, decimals: int, *, keeps: bool = False) -> None:
        self.decimals = decimals
        self._keeps = keeps
        self._per_unit, self._unit = np.array(10.0**decimals), np.array(10.0**-decimals)

    def number(self, value: float) -> Interval:
        """A number, as exact."""
        return point(value)

    def pick(self, base: Interval, index: int) -> Interval:
        """One element of a vector, of length one."""
        found = _picked(base, index)
        return Kept(found, _picked(base.exact, index)) if isinstance(base, Kept) else found

    def apply(self, op: str, args: tuple[Interval, ...]) -> Interval:
        """An operation's bounds, where its result and what people write down on the way may be rounded."""
        with np.errstate(all="ignore"):
            bounds = self._applied(op, args)
            if not self._keeps or op not in OPERATIONS:
                return bounds
            return Kept(bounds, OPERATIONS[op].interval(*map(exact_of, args)))

    def _applied(self, op: str, args: tuple[Interval, ...]) -> Interval:
        written = getattr(self, f"_{op}", None)
        if written is not None:
            return written(*args)  # type: ignore[no-any-return]
        bounds = OPERATIONS[op].interval(*args)
        return bounds if op in _EXACT else self._rounded(bounds)

    def worked_out(self, expression: Expression, known: Mapping[str, Interval]) -> Interval:
        """The bounds of a line's result as it is written down; of a sum with a factor, whichever comes first."""
        bounds = self.written(expression, evaluate(expression, known, self))
        in_each = _with_the_factor_inside(expression)
        if in_each is None:
            return bounds
        both = _hull(bounds, evaluate(in_each, known, self))
        return Kept(both, bounds.exact) if isinstance(bounds, Kept) else both

    def written(self, expression: Expression, bounds: Interval) -> Interval:
        """The bounds of a line's result as it is written down: what only moves numbers is rounded there at last."""
        if isinstance(expression, Apply) and expression.op not in _EXACT:
            return bounds
        found = self.rounded(bounds)
        return Kept(found, bounds.exact) if isinstance(bounds, Kept) else found

    def rounded(self, bounds: Interval) -> Interval:
        """The bounds of what writing an interval's numbers down makes of them."""
        with np.errstate(all="ignore"):
            return self._rounded(bounds)

    def _rounded(self, bounds: Interval) -> Interval:
        return _apart(self._lowest(_both(bounds)))

    def _lowest(self, low: Bound) -> Bound:
        """The least that rounding gives, element by element: the grid's number below, where it is the nearest."""
        found: Bound = low * self._per_unit
        below = found + _ON_GRID_ONE
        np.floor(below, out=below)
        is_nearest = found - below <= _NEAREST_ONE
        found -= _FINER_ONE
        np.copyto(found, below, where=is_nearest)
        found *= self._unit
        np.fmin(found, low, out=found)  # many digits of a large number are all in the float already
        return found

    # ── what rounding to nothing would make infinite ─────────────────────────────────

    def _div(self, a: Interval, b: Interval) -> Interval:
        return self._rounded(intervals.div(a, self._not_nothing(b)))

    def _log(self, a: Interval) -> Interval:
        return self._rounded(intervals.log(self._not_nothing(a)))

    def _not_nothing(self, bounds: Interval) -> Interval:
        """The bounds without the zero that rounding made of a small number: that is kept as it is, or rounded to a unit."""
        (low, high), (least, most) = bounds, exact_of(bounds)
        unit = 10.0**-self.decimals
        low = np.where((low <= 0) & (least > 0), np.minimum(least, unit), low)
        return low, np.where((high >= 0) & (most < 0), np.maximum(most, -unit), high)

    # ── sums of products ─────────────────────────────────────────────────────────────

    def _matmul(self, w: Interval, x: Interval) -> Interval:
        low, high = x
        lot = max(1, _AT_ONCE // max(1, w[0].size))
        if low.ndim > 1 and len(low) > lot:  # the products of all rows at once would take too much memory
            parts = [self._matmul(w, (low[k : k + lot], high[k : k + lot])) for k in range(0, len(low), lot)]
            return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
        products = intervals.mul(w, (x[0][..., None, :], x[1][..., None, :]))
        return self._summed(products)

    def _summed(self, terms: Interval) -> Interval:
        """A sum, of terms that are written down each, or of sums so far that are."""
        both = _both(terms)
        total = intervals.least_sum(self._lowest(both))
        return _apart(self._lowest(np.minimum(total, self._so_far(both))))

    def _so_far(self, terms: Bound) -> Bound:
        """The least sum of terms that are not rounded, where each sum so far is."""
        count = terms.shape[-1]
        if count > _MOST_IN_TURN:  # the most that each of the sums can be off by
            off: float = self.nearest * 10.0**-self.decimals * (count - 1)
            return intervals.least_sum(terms) - off
        found: Bound = terms[..., 0]
        for k in range(1, count):
            found = intervals.below((self._lowest(found) if k > 1 else found) + terms[..., k])
        return found

    def _pullback(self, *pairs: Interval) -> Interval:
        found: Interval | None = None
        for w, g in zip(pairs[::2], pairs[1::2], strict=True):
            part = self._matmul((w[0].T, w[1].T), g)
            found = part if found is None else self._rounded(intervals.add(found, part))
        assert found is not None
        return found

    def _outer(self, g: Interval, x: Interval) -> Interval:
        each = intervals.mul(
            (g[0][..., :, None], g[1][..., :, None]), (x[0][..., None, :], x[1][..., None, :])
        )
        return self._over_rows(each, 2) if g[0].ndim > 1 else self._rounded(each)

    def _over_rows(self, each: Interval, axes: int) -> Interval:
        """A sum over all axes but the last ones: the rows, and of a bank its vectors, too."""
        low, high = (bound.reshape(-1, *bound.shape[-axes:]) for bound in self._rounded(each))
        return self._summed(_last((low, high), 0))

    def _rows(self, g: Interval) -> Interval:
        return self._over_rows(g, 1)

    def _mean(self, a: Interval) -> Interval:
        size = float(a[0].shape[-1])
        return self._div(self._sum(a), point(size))

    def _sum(self, a: Interval) -> Interval:
        return self._rounded(intervals.sum(a))

    # ── functions that people write as several operations ────────────────────────────

    def _sigmoid(self, a: Interval) -> Interval:
        """1 / (1 + exp(−a)), for those whose calculator has no key for it; or with one."""
        power = intervals.exp(intervals.neg(a))
        divisor = self._rounded(intervals.add(point(1.0), self._rounded(power)))
        low, high = self._rounded(intervals.div(point(1.0), divisor))
        return _hull(
            self._rounded(intervals.one_of(power)),
            (intervals.clipped(low, 0.0, 1.0), intervals.clipped(high, 0.0, 1.0)),
        )

    def _tanh(self, a: Interval) -> Interval:
        """With a key for it, or from powers that are written down.

        (exp(2a) − 1) / (exp(2a) + 1) is off by 2 / (exp(2a) + 1)² of what exp(2a) is off by; with exp(a) and
        exp(−a) it is 1 / cosh(a) at most.
        """
        nearest = np.maximum(np.maximum(a[0], -a[1]), 0.0)  # to zero, of the numbers in the bounds
        share = np.maximum(2.0 / (np.exp(2.0 * a[0]) + 1.0) ** 2, 1.0 / np.cosh(nearest))
        return self._off_by(intervals.tanh(a), share, -1.0)

    def _softmax(self, a: Interval) -> Interval:
        """exp(a_i) / Σ exp(a_j), each power, the sum and the quotient written down; perhaps without the largest a.

        Without it no power is above 1 and their sum not below 1: a quotient p of n is off by 1 + n·p at most. A power
        that is not rounded over a sum that is may give more than 1: 0.50004 / 0.5 is 1.0001 to four decimals. But the
        sum holds the power, too: it is less than it and the least of the others by two roundings at most.
        """
        unrounded = intervals.exp(a)
        powers = self._rounded(unrounded)
        low, high = self._rounded(intervals.sum(powers))
        low = np.maximum(low, np.minimum(intervals.sum(unrounded)[0], 10.0**-self.decimals))
        quotients = intervals.div(powers, (np.broadcast_to(low, powers[0].shape), high))
        others = powers[0].sum(axis=-1, keepdims=True) - powers[0]
        over = np.maximum(2.001 * self.nearest * 10.0**-self.decimals - others, 0.0) / low
        quotients = self._rounded((quotients[0], np.minimum(quotients[1], 1.0 + over)))
        exact = intervals.softmax(a)
        at_once = self._off_by(exact, 1.0 + a[0].shape[-1] * exact[1], 0.0)
        return _hull(quotients, at_once)

    # ── what is read whole: a bank of vectors, (B, S, n) ──────────────────────────────

    def _scored(self, bank: Interval, v: Interval) -> Interval:
        return self._summed(intervals.mul(bank, (v[0][..., None, :], v[1][..., None, :])))

    def _mixed(self, w: Interval, bank: Interval) -> Interval:
        return self._summed(_last(intervals.mul((w[0][..., None], w[1][..., None]), bank), -2))

    def _on_each(self, w: Interval, bank: Interval) -> Interval:
        return self._matmul(w, bank)

    def _over_each(self, bank: Interval) -> Interval:
        return self._summed(_last(bank, -2))

    def _live_softmax(self, a: Interval, live: Interval) -> Interval:
        """As of softmax: what is not live has no power, and is 0."""
        low, high = self._softmax((np.where(live[0], a[0], -np.inf), np.where(live[0], a[1], -np.inf)))
        return np.where(live[0], low, 0.0), np.where(live[0], high, 0.0)

    # ── what is normalized ───────────────────────────────────────────────────────────

    def _normalized(self, a: Interval, eps: Interval) -> Interval:
        """Mean, differences, squares, variance, root and quotient, each written down."""
        return self._over_root(*self._parts(a, eps, 0), np.shape(a[0])[-1])

    def _layer_norm(self, a: Interval, weight: Interval, bias: Interval) -> Interval:
        scaled = self._rounded(intervals.mul(self._normalized(a, point(EPS)), weight))
        return self._rounded(intervals.add(scaled, bias))

    def _standardized(self, a: Interval, mean: Interval, variance: Interval, eps: Interval) -> Interval:
        centred = self._rounded(intervals.sub(a, mean))
        root = self._root(variance, eps, exact_of(variance))
        return self._rounded(intervals.div(centred, root))

    def _normalized_back(self, g: Interval, a: Interval, eps: Interval) -> Interval:
        return self._back_over_root(g, a, eps, 0)

    def _parts(self, a: Interval, eps: Interval, less: int) -> tuple[Interval, Interval]:
        """What a is above its mean, and the root that it is divided by: of Σ/(n − `less`)."""
        count = np.shape(a[0])[-1] - less
        centred = self._rounded(intervals.sub(a, self._mean(a)))
        variance = self._rounded(intervals.div(self._sum(self._squared(centred)), point(float(count))))
        above = intervals.sub(exact_of(a), intervals.mean(exact_of(a)))
        least = intervals.div(intervals.sum(_squared(above)), point(float(count)))
        return centred, self._root(variance, eps, least)

    def _root(self, variance: Interval, eps: Interval, exact: Interval) -> Interval:
        """√(variance + eps); of a small one not nothing, as `_not_nothing` has it."""
        low, high = self._rounded(intervals.sqrt(self._rounded(intervals.add(_positive(variance), eps))))
        least, _ = intervals.sqrt(intervals.add(_positive(exact), eps))
        return np.where(low <= 0, np.minimum(least, 10.0**-self.decimals), low), high

    def _squared(self, a: Interval) -> Interval:
        return self._rounded(_squared(a))

    def _over_root(self, centred: Interval, root: Interval, count: int) -> Interval:
        """Their quotient, which is not further from 0 than √(n − 1), but for what the root was rounded by."""
        with np.errstate(all="ignore"):
            unit = 10.0**-self.decimals
            most = np.sqrt(max(count - 1, 1)) * (1 + unit * (2 + 1 / root[0]) / root[0]) + unit
        low, high = self._rounded(intervals.div(centred, root))
        return np.maximum(low, -most), np.minimum(high, most)

    def _back_over_root(self, g: Interval, a: Interval, eps: Interval, less: int) -> Interval:
        """What goes back through a normalization: (g − mean(g) − x·mean(g·x)) / root, each written down."""
        count = np.shape(a[0])[-1]
        centred, root = self._parts(a, eps, less)
        x = self._over_root(centred, root, count)
        along = self._rounded(intervals.div(self._sum(self._product(g, x)), point(float(count - less))))
        left = self._rounded(
            intervals.sub(self._rounded(intervals.sub(g, self._mean(g))), self._product(x, along))
        )
        return self._rounded(intervals.div(left, root))

    def _product(self, a: Interval, b: Interval) -> Interval:
        return self._rounded(intervals.mul(a, b))

    def _off_by(self, bounds: Interval, share: Bound | float, least: float) -> Interval:
        """Bounds of what comes of rounded powers, off by some share of their rounding; no result leaves `least` to 1."""
        off = self.nearest * 10.0**-self.decimals * share
        return self._rounded((np.maximum(bounds[0] - off, least), np.minimum(bounds[1] + off, 1.0)))

    def _smooth_l1(self, a: Interval, beta: Interval) -> Interval:
        """Of |a| what is below beta counts as a square, the rest as it is, each product written down."""
        size = intervals.absolute(a)
        within = np.minimum(size[0], beta[0]), np.minimum(size[1], beta[1])
        half, rest = point(0.5), self._rounded(intervals.sub(size, within))
        squares = self._rounded(intervals.mul(self._rounded(intervals.mul(within, within)), half))
        halves = self._rounded(intervals.mul(self._rounded(intervals.mul(half, within)), within))
        parts = self._rounded(intervals.div(_hull(squares, halves), beta))
        return _hull(
            self._rounded(OPERATIONS["smooth_l1"].interval(a, beta)),
            self._rounded(intervals.add(parts, (np.maximum(rest[0], 0.0), rest[1]))),
        )

    def _norm(self, a: Interval) -> Interval:
        magnitude = intervals.absolute(a)
        squares = self._rounded(intervals.mul(magnitude, magnitude))
        return self._rounded(intervals.sqrt(self._sum(squares)))

    # ── what people take in the place of the right operation ─────────────────────────

    def _unbiased(self, a: Interval, eps: Interval) -> Interval:
        """As `normalized`, of a variance that is Σ/(n − 1)."""
        return self._over_root(*self._parts(a, eps, 1), np.shape(a[0])[-1])

    def _unbiased_back(self, g: Interval, a: Interval, eps: Interval) -> Interval:
        return self._back_over_root(g, a, eps, 1)

    def _softmax_over_rows(self, a: Interval) -> Interval:
        """Of each step of the memory over the rows of the batch, (B, S)."""
        low, high = self._softmax(_last(a, -2))
        return np.moveaxis(low, -1, -2), np.moveaxis(high, -1, -2)

    def _softmax_over_steps(self, every: Interval) -> Interval:
        """Of each step of the memory over all queries, (T, B, S), of which the own stands first."""
        low, high = self._softmax(_last(every, 0))
        return low[..., 0], high[..., 0]

    def _softmax_over_one(self, a: Interval) -> Interval:
        """Over an axis of one element: exp(a)/exp(a)."""
        return point(np.ones(np.shape(a[0])))

    def _tan(self, a: Interval) -> Interval:
        """Tan of an angle; without bounds where a pole lies between."""
        low, high = outward(np.tan(a[0]), np.tan(a[1]), _STEPS)
        has_pole = np.floor(a[0] / np.pi + 0.5) != np.floor(a[1] / np.pi + 0.5)
        return self._rounded((np.where(has_pole, -np.inf, low), np.where(has_pole, np.inf, high)))

    def _tan_of_degrees(self, a: Interval) -> Interval:
        return self._tan((a[0] * (np.pi / 180), a[1] * (np.pi / 180)))

    def _log10(self, a: Interval) -> Interval:
        return self._rounded(_rising(np.log10, a))

    def _log2(self, a: Interval) -> Interval:
        return self._rounded(_rising(np.log2, a))

    def _times_columns(self, w: Interval, x: Interval) -> Interval:
        """Each element times all of its column: W ⊙ x summed over the rows."""
        low, high = self._rounded(intervals.mul(w, (x[0][..., None, :], x[1][..., None, :])))
        return self._summed((np.swapaxes(low, -1, -2), np.swapaxes(high, -1, -2)))

    def _times_rows(self, w: Interval, x: Interval) -> Interval:
        """Each element times all of its row: x_i · Σ_j W_ij."""
        return self._summed(intervals.mul(w, (x[0][..., :, None], x[1][..., :, None])))


def _picked(bounds: Interval, index: int) -> Interval:
    start = index % bounds[0].shape[-1]
    return bounds[0][..., start : start + 1], bounds[1][..., start : start + 1]


def _last(a: Interval, axis: int) -> Interval:
    """Bounds with another axis as the last one."""
    return np.moveaxis(a[0], axis, -1), np.moveaxis(a[1], axis, -1)


def _squared(a: Interval) -> Interval:
    size = intervals.absolute(a)
    return intervals.mul(size, size)


def _positive(a: Interval) -> Interval:
    return np.maximum(a[0], 0.0), np.maximum(a[1], 0.0)


def _hull(one: Interval, other: Interval) -> Interval:
    return np.minimum(one[0], other[0]), np.maximum(one[1], other[1])


def _rising(function: Callable[[Bound], Bound], a: Interval) -> Interval:
    return outward(function(np.maximum(a[0], 0.0)), function(np.maximum(a[1], 0.0)), _STEPS)


# What only moves numbers about, or asks: nothing is rounded there.
_EXACT = frozenset(
    {
        "neg",
        "relu",
        "abs",
        "max",
        "min",
        "maximum",
        "minimum",
        "lookup",
        "cat",
        "head",
        "tail",
        "chosen",
        "placed",
    }
    | {"largest", "where_largest", "passed", "part", "within", "isinf", "isfinite", "any", "all", "argmax"}
    | {"spread", "to_each", "lt", "le", "gt", "ge", "eq", "ne", "and", "or", "not", "isnan"}
)


def _with_the_factor_inside(expression: Expression) -> Expression | None:
    """`sum(0.5 * sse)` of `0.5 * sum(sse)`: people take ½ of each square, or of their sum; None of what has no factor."""
    match expression:
        case Apply(op="mul", args=(Number() as factor, Apply(op="sum" | "mean" as op, args=(each,)))):
            return Apply(op, (Apply("mul", (factor, each)),))
        case Apply(op="mul", args=(Number() as factor, Apply(op="div", args=(inner, count)))):
            inside = _with_the_factor_inside(Apply("mul", (factor, inner)))
            return None if inside is None else Apply("div", (inside, count))
    return None


def no_larger(bounds: Interval, most: float) -> Interval:
    """The part of some bounds that lies in ±`most`; the bounds themselves where none of it does."""
    low, high = bounds
    return np.where(high >= -most, np.maximum(low, -most), low), np.where(
        low <= most, np.minimum(high, most), high
    )


# ── computed in float32 ──────────────────────────────────────────────────────────────────────────

_LEAST, _SHARE = 3e-7, 7e-7  # how far a step in float32 may be off, in all and relative to the number
_MOST_DECIMALS = 7  # that say something of a float32


def as_computed(bounds: Interval, scenario: Scenario) -> Interval:
    """Bounds that a float32 run of the same step is inside of, where the scenario is one of float32."""
    if scenario.dtype != np.float32:
        return bounds
    low, high = bounds
    size = np.maximum(np.abs(low), np.abs(high))
    slack = np.where(np.isfinite(size), _LEAST + _SHARE * size, 0.0)
    return low - slack, high + slack


def told_by(scenario: Scenario, decimals: int) -> int:
    """How many of the decimals that were written say something: of 0.12345678359270096 in float32 seven."""
    return min(decimals, _MOST_DECIMALS) if scenario.dtype == np.float32 else decimals


# ── a reading that is asked the same again ───────────────────────────────────────────────────────

_MOST_REMEMBERED = 1 << 20  # numbers


class Remembering(Rounded):
    """The reading of a right calculation, and of those with a slip beside it, which mostly do the same with the same.

    What was worked out is known by the operation and by which things, not which numbers, it was worked out from. When
    that becomes much all of it is let go.
    """

    def __init__(self, decimals: int, *, keeps: bool = False) -> None:
        super().__init__(decimals, keeps=keeps)
        self._numbers: dict[tuple[float, float], Interval] = {}
        self._found: dict[
            tuple[object, ...], tuple[tuple[Interval, ...], Interval]
        ] = {}  # with what has the ids
        self._size = 0

    def number(self, value: float) -> Interval:
        """A number, as exact; the same thing each time."""
        key = value, math.copysign(1.0, value)  # 0 and −0 are equal
        if key not in self._numbers:
            self._numbers[key] = super().number(value)
        return self._numbers[key]

    def pick(self, base: Interval, index: int) -> Interval:
        """One element of a vector, of length one."""
        key = ("pick", index, id(base))
        known = self._found.get(key)
        return self._kept(key, (base,), super().pick(base, index)) if known is None else known[1]

    def apply(self, op: str, args: tuple[Interval, ...]) -> Interval:
        """An operation's bounds, worked out once."""
        key = (op, *map(id, args))
        known = self._found.get(key)
        return self._kept(key, args, super().apply(op, args)) if known is None else known[1]

    def written(self, expression: Expression, bounds: Interval) -> Interval:
        """The bounds of a line's result as it is written down, worked out once."""
        if isinstance(expression, Apply) and expression.op not in _EXACT:
            return bounds
        key = ("written", id(bounds))
        known = self._found.get(key)
        return self._kept(key, (bounds,), super().written(expression, bounds)) if known is None else known[1]

    def _kept(self, key: tuple[object, ...], args: tuple[Interval, ...], found: Interval) -> Interval:
        self._size += np.size(found[0])
        if self._size > _MOST_REMEMBERED:
            self._found.clear()
            self._size = np.size(found[0])
        self._found[key] = args, found
        return found
