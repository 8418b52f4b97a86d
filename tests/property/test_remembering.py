"""What is remembered of a calculation by hand is to the bit what is worked out anew, and does not grow without end."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnstep.checking import rounding
from rnnstep.checking.rounding import Kept, Remembering, Rounded, exact_of
from rnnstep.equations.evaluate import evaluate
from rnnstep.equations.syntax import Apply, Name, Number, Pick

UNARY = ("tanh", "sigmoid", "neg", "exp", "sum", "max")
BINARY = ("add", "sub", "mul", "div")


def expressions():
    """Of vectors a, b, c and the matrix w, with numbers and elements picked, 0 among them."""
    leaves = st.sampled_from([Name("a"), Name("b"), Name("c")])
    numbers = st.sampled_from([0.0, 0.5, 2.0]).map(lambda value: Number(value, str(value)))

    def larger(inner):
        return st.one_of(
            st.builds(lambda op, one: Apply(op, (one,)), st.sampled_from(UNARY), inner),
            st.builds(lambda op, one, other: Apply(op, (one, other)), st.sampled_from(BINARY), inner, inner),
            st.builds(lambda one: Apply("matmul", (Name("w"), one)), leaves),
            st.builds(
                lambda op, one, factor: Apply(op, (one, factor)),
                st.sampled_from(["mul", "add"]),
                inner,
                numbers,
            ),
            st.builds(Pick, leaves, st.integers(-2, 2)),
        )

    return st.recursive(leaves, larger, max_leaves=5)


def given_values(seed: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(seed)
    found = {}
    for name, shape in (("a", (2, 3)), ("b", (2, 3)), ("c", (3,)), ("w", (3, 3))):
        value = rng.normal(size=shape)
        found[name] = Kept((value - 0.01, value + 0.01), (value, value))
    return found


def bits(bounds):
    return [(np.shape(one), np.asarray(one).tobytes()) for one in (*bounds, *exact_of(bounds))]


@settings(max_examples=60, deadline=None)
@given(st.lists(expressions(), min_size=1, max_size=6), st.integers(0, 99), st.booleans())
def test_what_is_remembered_is_what_is_worked_out_anew(asked, seed, keeps):
    known = given_values(seed)
    remembering = Remembering(3, keeps=keeps)
    for expression in (*asked, *asked):
        found = remembering.worked_out(expression, known)
        assert bits(found) == bits(Rounded(3, keeps=keeps).worked_out(expression, known))
        assert remembering.worked_out(expression, known) is found


def test_other_things_with_the_same_name_are_worked_out_anew():
    remembering, product = Remembering(3), Apply("tanh", (Apply("mul", (Name("a"), Number(0.5, "0.5"))),))
    for seed in range(50):  # each lets the one before go, whose ids come again
        known = given_values(seed)
        assert bits(evaluate(product, known, remembering)) == bits(evaluate(product, known, Rounded(3)))


@pytest.mark.parametrize("most", [1, 40, 1 << 20])
def test_what_is_remembered_is_let_go_when_it_is_much(monkeypatch, most):
    monkeypatch.setattr(rounding, "_MOST_REMEMBERED", most)
    remembering, known = Remembering(3), given_values(0)
    for factor in range(1, 60):
        product = Apply("mul", (Name("a"), Number(float(factor), str(factor))))
        assert bits(remembering.worked_out(product, known)) == bits(Rounded(3).worked_out(product, known))
        kept = sum(np.size(found[0]) for _, found in remembering._found.values())
        assert kept <= max(most, 6)
