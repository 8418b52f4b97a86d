"""What stands at the steps of the way back: lines that can be worked out, and the same whether a run kept them or not."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import rnnstep.engine.model as model_module
import rnnstep.engine.recurrence as recurrence_module
from rnnstep.equations.evaluate import Values, evaluate
from rnnstep.equations.expand import expand, number_of_terms
from rnnstep.equations.pieces import reckon
from rnnstep.equations.syntax import names_in
from rnnstep.reference.judge.bounds import Rounding
from tests.oracle.way_back_cases import backs_of, close, every_case, steps_of


@every_case
def test_every_line_is_what_it_says_and_can_be_worked_out(make, case) -> None:
    for back in backs_of(make, case):
        for key, block in back.by_key.items():
            for t in steps_of(back, key)[:2]:
                for row in (0, back.batch.num_rows - 1):
                    known = back.known(key, t, row)
                    for line in block.program.lines if known is not None else ():
                        works_out(line, known, block.program.shapes)


def works_out(line: Any, known: dict[str, np.ndarray], shapes: Any) -> None:
    value = np.asarray(known[line.name])
    again = np.asarray(evaluate(line.expression, known, Values()))
    np.testing.assert_allclose(
        np.broadcast_to(again, value.shape), value, rtol=1e-10, atol=1e-14, err_msg=line.name
    )
    exact = {name: (known[name], np.zeros(np.shape(known[name]))) for name in names_in(line.expression)}
    with np.errstate(all="ignore"):
        _, bound = evaluate(line.expression, exact, Rounding(np.dtype(np.float64)))
    for element in list(np.ndindex(value.shape))[:3]:
        expansion = expand(line, element, known)
        assert len(expansion.terms) == number_of_terms(line, shapes)
        allowed = 4 * float(np.broadcast_to(bound, value.shape)[element]) + 1e-10 * abs(expansion.value)
        assert abs(reckon(expansion.piece) - expansion.value) <= allowed, line.name


@every_case
def test_rows_together_are_the_rows_each_in_its_place(make, case) -> None:
    for back in backs_of(make, case):
        for key, block in back.by_key.items():
            together = [name for name in block.program.inputs if name.endswith("⋮")]
            assert (
                bool(together) == (back.batch.num_rows > 1 and bool(block.parameters))
                or key not in back.done.runs
            )
            for t in steps_of(back, key) if together else ():
                values = back.values(key, t)
                for name in together:
                    for row in range(back.batch.num_rows):
                        index = back.row_index(key, t, row)
                        of_row = (
                            0 if index is None else values[name.removesuffix("⋮")][index]
                        )  # 0 where it is over
                        np.testing.assert_array_equal(
                            values[name][row], of_row + np.zeros_like(values[name][row])
                        )


@every_case
def test_what_goes_on_from_a_step_is_what_the_next_one_reads(make, case) -> None:
    for back in backs_of(make, case):
        for key, run in back.done.runs.items():
            program = back.by_key[key].program
            steps = steps_of(back, key)
            for earlier, t in pairwise(steps):
                given_on, read = back.values(key, earlier), back.values(key, t)
                for name in run.block.program.states:
                    before = f"∂{run.block.program.before(name)}"
                    for row in range(back.batch.num_rows):
                        one, other = back.row_index(key, earlier, row), back.row_index(key, t, row)
                        if other is not None:
                            expected = (
                                np.zeros(run.block.program.states[name])
                                if one is None
                                else given_on[before][one]
                            )
                            np.testing.assert_array_equal(read[program.before(before)][other], expected)


# ── runs that keep their states alone ────────────────────────────────────────────────────────

LONG = ["RNNCell", "one row", "deep, both ways, packed", "projected, both ways, packed, final", "both ways, one row",
        "embedding", "initial state", "a cell of one's own", "a cell with lines of parameters alone", "dropped"]  # fmt: skip


@pytest.mark.parametrize("segment_bytes", [1, 2000])
@pytest.mark.parametrize("case", LONG)
def test_run_that_forgets_goes_back_as_one_that_keeps(make, case, segment_bytes, monkeypatch) -> None:
    [whole] = backs_of(make, case)
    monkeypatch.setattr(model_module, "KEPT_BYTES", 0)
    monkeypatch.setattr(recurrence_module, "SEGMENT_BYTES", segment_bytes)
    [again] = backs_of(make, case)
    assert not any(run.is_kept for run in again.done.runs.values())
    if segment_bytes == 1:
        assert all(len(run.segments) >= run.num_steps - 1 for run in again.done.runs.values())
    assert again.loss == pytest.approx(whole.loss, rel=1e-14)
    for name, gradient in whole.parameters.items():
        close(again.parameters[name], gradient, name)
    for key, run in whole.done.runs.items():
        for name in run.block.program.states:
            close(again.states(key, name), whole.states(key, name), f"{key}/∂{name}")
    for key in whole.by_key:
        for t in steps_of(whole, key):
            values = again.values(key, t)
            assert values.keys() == whole.values(key, t).keys()
            for name, value in whole.values(key, t).items():
                close(values[name], value, f"{key}/{name} at {t}")


def test_steps_may_be_looked_at_in_any_order(make, monkeypatch) -> None:
    monkeypatch.setattr(model_module, "KEPT_BYTES", 0)
    monkeypatch.setattr(recurrence_module, "SEGMENT_BYTES", 1)
    [there], [back] = backs_of(make, "deep, both ways, packed"), backs_of(make, "deep, both ways, packed")
    forwards = {t: there.values("L1←", t) for t in range(5)}
    for t in (4, 0, 2, 2, 1, 3):
        for name, value in back.values("L1←", t).items():
            np.testing.assert_array_equal(forwards[t][name], value)
