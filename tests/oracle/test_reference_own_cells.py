"""Cells of one's own: the same equations in torch's operations, called a self-check and nothing more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rnnstep.engine import Model
from rnnstep.equations.operations import OPERATIONS
from rnnstep.reference import check, compare, run_reference
from rnnstep.reference.run.equations import TorchValues
from tests.oracle.cases import MGU

EVERYTHING = {
    "state": {"h": "hidden_size", "c": "hidden_size"},
    "parameters": {"W": "hidden_size, input_size", "U": "hidden_size, hidden_size", "b": "hidden_size"},
    "equations": """
twice = 2 * b
a = W @ x + U @ h_prev + twice / 3
s = softmax(a)
size = norm(a) + sum(abs(a)) - mean(a) + max(a) * min(a)
root = sqrt(exp(-a) + 0.1)
shut = (a > 0.01) * (c_prev < 5) + (a[0] <= 1 and not (a[-1] >= 2 or isnan(a[1])))
c = c_prev * 0.5 + shut * log(1 + s * s) - root / (1 + size)
h = relu(c) + tanh(c) * (s == s) * (a != 0.5)
""",
}


def own(make, cell, **options):
    return make("mine", tables={"cell": {"mine": cell}, "linear": {"out_features": 2}}, **options)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("cell", [MGU, EVERYTHING], ids=["mgu", "everything"])
def test_the_self_check_agrees(make, cell, rows, dtype):
    checked = check(Model(own(make, cell, shape=[20, rows, 4], dtype=dtype)).run())
    assert checked.faults == ()
    assert not checked.is_module
    assert "self-check" in str(checked.explanation)
    comparison = checked.comparisons[0]
    assert not comparison.is_module_confirmed("L0", "h")
    assert comparison.is_module_confirmed("linear", "logits")
    assert comparison.reference.whole is None
    assert comparison.reference.c_n is None or comparison.reference.c_n.shape == (rows, 4)
    np.testing.assert_allclose(checked.output, comparison.done.output, atol=1e-5)


def test_a_packed_batch_of_an_own_cell_agrees(make):
    tables = {
        "cell": {"mine": MGU},
        "input": {"random": {"shape": [5, 3, 4], "seed": 1}, "lengths": [2, 5, 3]},
    }
    assert check(Model(make("mine", tables=tables)).run()).faults == ()


def test_an_altered_self_check_is_caught(make):
    done = Model(own(make, MGU)).run_batch(0)
    reference = run_reference(done)
    states = {"L0": {"h": reference.states["L0"]["h"].copy()}}
    states["L0"]["h"][3, 0, 0] += 1e-4
    assert not compare(done, replace(reference, states=states)).agrees


def test_every_operation_that_users_have_is_written_with_torchs_own(make):
    known = set(TorchValues(np.dtype("float32"))._table)
    assert known >= {name for name, row in OPERATIONS.items() if row.is_public}
