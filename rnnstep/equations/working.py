"""The arithmetic of one element, made from its equation: the tree that is written, and its terms."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from rnnstep.equations.evaluate import Values, evaluate
from rnnstep.equations.operations import OPERATIONS, Array
from rnnstep.equations.pieces import (
    Applied,
    Factor,
    Index,
    MarkedTerm,
    Piece,
    WrittenPiece,
    factors,
    joined,
    reckon,
    total,
    whole_number,
)
from rnnstep.equations.program import Shape, infer
from rnnstep.equations.slopes import LAYER_NORM_EPS
from rnnstep.equations.syntax import Apply, Expression, Name, Number, Pick
from rnnstep.equations.write import BLACKBOARD, is_number, write, written_out

NOTHING = WrittenPiece("0", 0.0)
_MOVING = frozenset(  # of one element each, or two
    {"lookup", "cat", "head", "tail", "part", "within", "chosen", "placed", "spread", "to_each", "products"}
)

_SUMS = frozenset({"pullback", "outer", "rows", "scatter", "scored", "mixed", "on_each", "over_each"})
_NORMALIZING = frozenset({"layer_norm", "normalized", "normalized_back"})


@dataclass(frozen=True, slots=True)
class Term:
    """One place to stand on inside an element.

    Attributes:
        number: its place among all terms of the element, from 0, those left out included.
        sign: 1, or −1 where the equation subtracts it.
        factors: every number it reads, from left to right: weight and operand of a product, a bias
            alone, `(z[0], n[0])` of `(1 − z[0])·n[0]`.
        piece: the term's arithmetic.
    """

    number: int
    sign: int
    factors: tuple[Factor, ...]
    piece: Piece = field(default=NOTHING, compare=False, repr=False)

    @property
    def value(self) -> float:
        """What it comes to, its sign included; reckoned in float64, for reading."""
        return self.sign * reckon(self.piece)


def is_passed_through(op: str) -> bool:
    """Whether the sum inside an operation of one argument is still the outermost one."""
    return op != "not" and OPERATIONS[op].kind == "elementwise"


def is_sum(expression: Expression) -> bool:
    """Whether an expression is a sum of its elements, so that its terms are still terms where it is scaled."""
    match expression:
        case Apply(op="sum" | "mean"):
            return True
        case Apply(op="mul", args=(scale, inner)) | Apply(op="div", args=(inner, scale)):
            return is_number(scale) and is_sum(inner)
    return False


def num_rows(g: Expression, shapes: Mapping[str, Shape]) -> int:
    """How many rows are gathered: those of (B, n), the vectors of a bank, or the one of (n,)."""
    return math.prod(int(size) for size in infer(g, shapes)[:-1])


def length(vector: Expression, shapes: Mapping[str, Shape]) -> int:
    """How many elements a vector has."""
    return int(infer(vector, shapes)[0])


class Work:
    """Makes the tree of one element, and notes its terms on the way."""

    def __init__(self, arrays: Mapping[str, Array], *, skip_zeros: bool, only: Container[int] | None) -> None:
        self._arrays = arrays
        self._shapes: dict[str, Shape] = {name: array.shape for name, array in arrays.items()}
        self._skip_zeros = skip_zeros
        self._only = only
        self._inner: dict[Expression, tuple[str, Array]] = {}
        self.terms: list[Term] = []
        self.zero_terms = 0
        self.cut_terms = 0

    def outermost(self, expression: Expression, index: Index, sign: int) -> Piece | None:
        """Expand what belongs to the outermost sum; None where all its terms were left out."""
        match expression:
            case Apply(op="add" | "sub" as op, args=(left, right)):
                first = self.outermost(left, index, sign)
                second = self.outermost(right, index, sign if op == "add" else -sign)
                return joined(op, first, second)
            case Apply(op="neg", args=(argument,)):
                return joined("sub", None, self.outermost(argument, index, -sign))
            case Apply(op="matmul", args=(matrix, vector)):
                row = self._row(matrix, index)
                zeros = self._zero_products(matrix, vector, row) if self._skip_zeros else ()
                products = partial(self._product, matrix, vector, row)
                return self._terms(length(vector, self._shapes), products, sign, zeros)
            case Apply(op="sum", args=(vector,)):
                return self._terms(length(vector, self._shapes), partial(self._element, vector), sign)
            case Apply(op="mean", args=(vector,)):
                size = length(vector, self._shapes)
                whole = self._terms(size, partial(self._element, vector), sign)
                return None if whole is None else Applied("div", (whole, whole_number(size)))
            case Apply(op="mul", args=(scale, inner)) if is_number(scale) and is_sum(inner):
                whole = self.outermost(inner, index, 1)
                return None if whole is None else Applied("mul", (self._piece(scale, ()), whole))
            case Apply(op="div", args=(inner, scale)) if is_number(scale) and is_sum(inner):
                whole = self.outermost(inner, index, 1)
                return None if whole is None else Applied("div", (whole, self._piece(scale, ())))
            case Apply(op=op, args=args) if op in _SUMS:
                return self._terms(*self._summed(op, args, index), sign)
            case Apply(op="spread", args=(inner, _)):
                return self.outermost(inner, index if infer(inner, self._shapes) else (), sign)
            case Apply(op=op, args=(argument,)) if is_passed_through(op):
                return Applied(op, (self.outermost(argument, index, 1) or WrittenPiece("0", 0.0),))
            case Pick(base=base, index=place):
                return self.outermost(base, self._place(base, place), sign)
        return self._terms(1, lambda _: self._piece(expression, index), sign)

    def _terms(
        self, count: int, make: Callable[[int], Piece], sign: int, zeros: Container[int] = ()
    ) -> Piece | None:
        """Make and note `count` terms, without those that are left out."""
        start = len(self.terms) + self.zero_terms + self.cut_terms
        marked: list[Piece] = []
        for k in range(count):
            if k in zeros:
                self.zero_terms += 1
            elif self._only is not None and start + k not in self._only:
                self.cut_terms += 1
            else:
                piece = make(k)
                self.terms.append(Term(start + k, sign, _factors(piece), piece))
                marked.append(MarkedTerm(start + k, piece))
        return total(marked) if marked else None

    def _zero_products(self, matrix: Expression, vector: Expression, row: int) -> frozenset[int]:
        """Which products of a row are zero for sure: zero times infinity is not."""
        weights = evaluate(matrix, self._arrays, Values())[row]
        operands = evaluate(vector, self._arrays, Values())
        is_zero = ((weights == 0) | (operands == 0)) & np.isfinite(weights) & np.isfinite(operands)
        return frozenset(np.flatnonzero(is_zero).tolist())

    def _piece(self, expression: Expression, index: Index, *, is_inside: bool = False) -> Piece:
        """Expand one element; `is_inside` a product or reduction, others there stand for their value."""
        match expression:
            case Number(text=text, value=value):
                return WrittenPiece(text, value)
            case Name(id=name):
                return _factor(name, self._arrays[name], index)
            case Pick(base=base, index=place):
                return self._piece(base, self._place(base, place), is_inside=is_inside)
            case Apply(op=op, args=args) if op in _MOVING:
                return self._moved(op, args, index, is_inside=is_inside)
            case Apply(op="smooth_l1", args=(inner, beta)):
                return _smooth(self._piece(inner, index, is_inside=is_inside), self._piece(beta, ()))
            case Apply() as each if OPERATIONS[each.op].kind == "elementwise":
                each = written_out(each.op, each.args) or each
                return Applied(
                    each.op, tuple(self._piece(one, index, is_inside=is_inside) for one in each.args)
                )
            case Apply(op="argmax", args=args) if len(args) > 1:  # of several vectors, element by element
                several = (self._piece(one, index, is_inside=is_inside) for one in args)
                return Applied("argmax", tuple(several))
            case _ if is_inside:
                return self._by_value(expression, index)
            case Apply(op=op, args=args) if op in _NORMALIZING:
                return self._normalizing(op, args, index)
            case Apply(op="matmul", args=(matrix, vector)):
                row = self._row(matrix, index)
                return total([self._product(matrix, vector, row, k) for k in self._range(vector)])
            case Apply(op=op, args=args) if op in _SUMS:
                count, term = self._summed(op, args, index)
                return total([term(k) for k in range(count)])
            case Apply(op=op, args=args):
                return self._reduction(op, args, index)
        raise AssertionError(expression)

    def _moved(self, op: str, args: tuple[Expression, ...], index: Index, *, is_inside: bool) -> Piece:
        """One element of what only moves elements about."""
        first = args[0]
        match op:
            case "lookup":
                assert isinstance(first, Name)
                return _factor(first.id, self._arrays[first.id], (self._whole(args[1]), *index))
            case "cat":
                size = length(first, self._shapes)
                if index[0] >= size:
                    return self._piece(args[1], (index[0] - size,))
            case "tail":
                start = length(first, self._shapes) - length(args[1], self._shapes)
                index = (index[0] + start,)
            case "part":
                index = (index[0] + self._whole(args[1]) % length(first, self._shapes),)
            case "within":
                start = self._whole(args[1]) % length(args[2], self._shapes)
                if not 0 <= index[0] - start < length(first, self._shapes):
                    return NOTHING
                index = (index[0] - start,)
            case "chosen":
                index = (self._whole(args[1]),)
            case "placed":
                if self._whole(args[1]) != index[0]:
                    return NOTHING
                index = (0,)
            case "spread" | "to_each":
                index = index[len(index) - len(infer(first, self._shapes)) :]
            case "products":
                pair = zip(args, index, strict=True)
                return Applied("mul", tuple(self._element(one, place) for one, place in pair))
        return self._piece(first, index, is_inside=is_inside)

    def _product(self, matrix: Expression, vector: Expression, row: int, k: int) -> Piece:
        return Applied("mul", (self._piece(matrix, (row, k), is_inside=True), self._element(vector, k)))

    def _summed(
        self, op: str, args: tuple[Expression, ...], index: Index
    ) -> tuple[int, Callable[[int], Piece]]:
        """How many terms an element of a sum has, and the k-th of them."""
        if op == "pullback":
            return self._products_back(args, index)
        if op in ("outer", "rows", "scatter"):
            return num_rows(args[0], self._shapes), partial(self._of_row, op, args, index)
        return self._of_bank(op, args, index)

    def _products_back(
        self, args: tuple[Expression, ...], index: Index
    ) -> tuple[int, Callable[[int], Piece]]:
        """How many products Wᵀ g has in an element, and the k-th of them."""
        places = [
            (matrix, vector, k)
            for matrix, vector in zip(args[::2], args[1::2], strict=True)
            for k in range(int(infer(vector, self._shapes)[-1]))
        ]

        def product(number: int) -> Piece:
            matrix, vector, k = places[number]
            weight = self._piece(matrix, (k, index[-1]), is_inside=True)
            return Applied("mul", (weight, self._piece(vector, (*index[:-1], k), is_inside=True)))

        return len(places), product

    def _of_bank(
        self, op: str, args: tuple[Expression, ...], index: Index
    ) -> tuple[int, Callable[[int], Piece]]:
        """How many terms an element of a product with a bank has, or of the sum of its vectors, and the k-th of them."""
        left = args[0]
        shape = infer(left, self._shapes)
        count = int(shape[0] if op in ("mixed", "over_each") else shape[-1])

        def term(k: int) -> Piece:
            match op:
                case "over_each":
                    return self._piece(left, (k, *index), is_inside=True)
                case "scored":
                    places: tuple[Index, Index] = ((index[0], k), (k,))
                case "mixed":
                    places = ((k,), (k, index[0]))
                case _:
                    places = ((index[1], k), (index[0], k))
            pair = zip(args, places, strict=True)
            return Applied("mul", tuple(self._piece(one, place, is_inside=True) for one, place in pair))

        return count, term

    def _of_row(self, op: str, args: tuple[Expression, ...], index: Index, row: int) -> Piece:
        """What one row of the batch adds to an element of a parameter's share."""
        shape = tuple(int(size) for size in infer(args[0], self._shapes)[:-1])
        at: Index = tuple(int(place) for place in np.unravel_index(row, shape)) if shape else ()
        match op:
            case "outer":
                g, x = args
                pair = (
                    self._piece(g, (*at, index[0]), is_inside=True),
                    self._piece(x, (*at, index[1]), is_inside=True),
                )
                return Applied("mul", pair)
            case "scatter":
                places = np.asarray(evaluate(args[1], self._arrays, Values())).reshape(-1)
                if int(places[row]) != index[0]:
                    return NOTHING
                return self._piece(args[0], (*at, index[1]), is_inside=True)
        return self._piece(args[0], (*at, index[0]), is_inside=True)

    def _element(self, vector: Expression, k: int) -> Piece:
        return self._piece(vector, (k,), is_inside=True)

    def _reduction(self, op: str, args: tuple[Expression, ...], index: Index) -> Piece:
        if op == "live_softmax":
            return self._live_softmax(args[0], args[1], index)
        (vector,) = args
        elements = [self._element(vector, k) for k in self._range(vector)]
        match op:
            case "sum":
                return total(elements)
            case "mean":
                return Applied("div", (total(elements), whole_number(len(elements))))
            case "norm":
                return Applied("sqrt", (total([Applied("mul", (one, one)) for one in elements]),))
            case "softmax" | "log_softmax":
                largest, powers = self._powers(vector, range(len(elements)))
                own = index[0] if len(powers) > 1 else 0
                if op == "softmax":
                    return Applied("div", (powers[own], total(powers)))
                shifted = Applied("sub", (elements[own], largest))
                return Applied("sub", (shifted, Applied("log", (total(powers),))))
        return Applied(op, tuple(elements))

    def _powers(self, vector: Expression, places: Sequence[int]) -> tuple[Piece, list[Piece]]:
        """The largest of some elements, and exp of each less that, as softmax is computed: exp of a large number has no value."""
        elements = [self._element(vector, k) for k in places]
        values = np.asarray(evaluate(vector, self._arrays, Values()))[list(places)]
        largest = elements[int(np.argmax(values))]
        return largest, [Applied("exp", (Applied("sub", (one, largest)),)) for one in elements]

    def _live_softmax(self, vector: Expression, live: Expression, index: Index) -> Piece:
        """As softmax of the live elements alone."""
        is_live = np.broadcast_to(
            evaluate(live, self._arrays, Values()) != 0, (length(vector, self._shapes),)
        )
        if not is_live[index[0]]:
            return NOTHING
        places = np.flatnonzero(is_live).tolist()
        _, powers = self._powers(vector, places)
        return Applied("div", (powers[places.index(index[0])], total(powers)))

    def _normalizing(self, op: str, args: tuple[Expression, ...], index: Index) -> Piece:
        if op == "normalized_back":
            return self._normalized_back(*args, index=index)
        if op == "normalized":
            return self._normalized(*args, index=index)
        normal = self._normalized(args[0], LAYER_NORM_EPS, index=index)
        weight, bias = (self._piece(one, index, is_inside=True) for one in args[1:])
        return Applied("add", (Applied("mul", (normal, weight)), bias))

    def _normalized(self, inner: Expression, eps: Expression, *, index: Index) -> Piece:
        """(a − mean) / √(var + eps) of one element; mean and variance stand for their values."""
        less = Applied("sub", (self._piece(inner, index, is_inside=True), self._mean(inner)))
        return Applied("div", (less, self._root(inner, eps)))

    def _normalized_back(self, g: Expression, inner: Expression, eps: Expression, *, index: Index) -> Piece:
        normal = Apply("normalized", (inner, eps))
        along = Applied("mul", (self._by_value(normal, index), self._mean(Apply("mul", (g, normal)))))
        less = Applied("sub", (self._piece(g, index, is_inside=True), self._mean(g)))
        return Applied("div", (Applied("sub", (less, along)), self._root(inner, eps)))

    def _mean(self, vector: Expression) -> Piece:
        return self._by_value(Apply("mean", (vector,)), (0,))

    def _root(self, inner: Expression, eps: Expression) -> Piece:
        less = Apply("sub", (inner, Apply("mean", (inner,))))
        variance = self._mean(Apply("mul", (less, less)))
        return Applied("sqrt", (Applied("add", (variance, self._piece(eps, ()))),))

    def _by_value(self, expression: Expression, index: Index) -> Factor:
        if expression not in self._inner:
            text = write(Pick(expression, 0), BLACKBOARD).removesuffix("[0]")
            self._inner[expression] = text, evaluate(expression, self._arrays, Values())
        return _factor(*self._inner[expression], index)

    def _whole(self, place: Expression) -> int:
        """An index, as its number."""
        return int(np.asarray(evaluate(place, self._arrays, Values())).item())

    def _place(self, base: Expression, place: int) -> Index:
        return (place % length(base, self._shapes),)

    def _range(self, vector: Expression) -> range:
        return range(length(vector, self._shapes))

    def _row(self, matrix: Expression, index: Index) -> int:
        """The row of a product's matrix; one of a single row is broadcast."""
        return index[0] if infer(matrix, self._shapes)[0] != 1 else 0


def _factors(piece: Piece) -> tuple[Factor, ...]:
    """The numbers that a term reads, from left to right; but the largest of several first, which it comes to."""
    match piece:
        case Applied(op="largest", args=args):
            first = int(np.argmax([reckon(one) for one in args]))
            ordered = (args[first], *args[:first], *args[first + 1 :])
            return tuple(factor for one in ordered for factor in factors(one))
    return tuple(factors(piece))


def _smooth(inner: Piece, beta: Piece) -> Piece:
    """The case of the smooth L1 loss that an element falls under."""
    half, size = WrittenPiece("0.5", 0.5), abs(reckon(inner))
    if size < reckon(beta):
        return Applied("div", (Applied("mul", (Applied("mul", (half, inner)), inner)), beta))
    return Applied("sub", (Applied("abs", (inner,)), Applied("mul", (half, beta))))


def _factor(name: str, array: Array, index: Index) -> Factor:
    """Read an element; along an axis of length one every index is its only element."""
    place = tuple(0 if size == 1 else k for size, k in zip(array.shape, index[-array.ndim :], strict=False))
    return Factor(name, place, float(array.item(*place)))
