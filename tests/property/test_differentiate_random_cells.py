"""The way back of any cell: the slopes of its run, lines that can be read and worked out, and its compiled function."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, example, given
from hypothesis import strategies as st

from rnnstep.engine.backward_equations import BackwardEquations
from rnnstep.engine.block_backward import RecurrentBackward
from rnnstep.engine.recurrence import BlockRun
from rnnstep.equations.compile import ONE_ROW, ROWS
from rnnstep.equations.evaluate import Values, evaluate, evaluate_lines
from rnnstep.equations.program import Program
from rnnstep.network.blocks import Block, Where
from rnnstep.network.time import TimeAxis
from tests.property.cell_runs import Arrays, only_fixed, with_way_back
from tests.property.random_cells import ANY_CELL, QUICK, cell
from tests.property.way_back_checks import compiled_agrees, names_agree, slopes_agree, works_out


@given(**ANY_CELL)
@QUICK
def test_way_back_of_any_cell_gives_the_slopes(
    made: Program, of: dict[str, int], seed: int, steps: int, rows: int
) -> None:
    assume(slopes_agree(*with_way_back(made, of, seed, steps, rows)))


@given(**ANY_CELL)
@QUICK
def test_shares_of_all_rows_and_steps_at_once_come_to_the_last_sum(
    made: Program, of: dict[str, int], seed: int, steps: int, rows: int
) -> None:
    run, derived = with_way_back(made, of, seed, steps, rows)
    with np.errstate(all="ignore"):
        by_step = run.back(derived)
        rounding = rounding_of(by_step)
        every = [known for rows_of_step, _ in by_step for known in rows_of_step]
        known = {
            name: np.stack([one[name] for one in every])
            for name in every[0]
            if name not in run.parameters and np.ndim(every[0][name]) == 1
        }
        known |= {**run.parameters, **only_fixed(every[0], derived)}
        known |= evaluate_lines(derived.gathered, known, Values())
        for name, uses in derived.contributions.items():
            total = sum(np.asarray(evaluate(use, known, Values())) for use in uses)
            expected = by_step[-1][1][f"∂{name}"]
            np.testing.assert_allclose(total, expected, rtol=1e-9, atol=1e-9 * size_of(expected) + rounding)
    whole = set(derived.program.names)
    assert {f"∂{name}" for name in derived.contributions} == whole & {f"∂{name}" for name in run.parameters}


def size_of(value: np.ndarray) -> float:
    return float(np.nan_to_num(np.abs(value), posinf=0).max(initial=1e-300))


def rounding_of(by_step: list[tuple[list[Arrays], Arrays]]) -> float:
    """What sums of a way back may be off by where all cancels: those of a softmax's slopes come to 0, or to a few 1e-17."""
    every = [known for of_rows, shared in by_step for known in (*of_rows, shared)]
    slopes = [value for known in every for name, value in known.items() if name.startswith("∂")]
    return 16 * float(np.finfo(np.float64).eps) * max(map(size_of, slopes), default=0.0)


@given(**ANY_CELL)
@QUICK
def test_lines_read_what_is_there_and_no_name_is_set_twice(
    made: Program, of: dict[str, int], seed: int, steps: int, rows: int
) -> None:
    names_agree(*with_way_back(made, of, seed, steps, rows))


@given(**ANY_CELL, skip=st.booleans())
@QUICK
def test_element_of_every_line_is_worked_out(
    made: Program,
    of: dict[str, int],
    seed: int,
    steps: int,
    rows: int,
    skip: bool,  # noqa: FBT001 - drawn
) -> None:
    run, derived = with_way_back(made, of, seed, steps, rows)
    run.given["x"][..., 0] = 0.0
    with np.errstate(all="ignore"):
        of_rows, shared = run.back(derived)[-1]
    for line in derived.program.lines:
        known = of_rows[-1] if line.name in derived.core.by_name else {**run.parameters, **shared}
        works_out(line, known, derived.program.shapes, skip=skip)


OVERFLOWS = cell("h = exp(b + h_prev)\nc = b", ("h", "c"))


@example(
    made=OVERFLOWS,
    of={"hidden_size": 3, "input_size": 1},
    seed=1,
    steps=3,
    rows=1,
    dtype=np.float32,
    has_large_steps=False,
    keeps="states",
)
@given(
    **ANY_CELL,
    dtype=st.sampled_from([np.float32, np.float64]),
    has_large_steps=st.booleans(),
    keeps=st.sampled_from(["states", "what parameters need", "all"]),
)
@QUICK
def test_compiled_way_back_gives_what_its_lines_give(
    made: Program,
    of: dict[str, int],
    seed: int,
    steps: int,
    rows: int,
    dtype: type[np.floating],
    has_large_steps: bool,  # noqa: FBT001 - drawn
    keeps: str,
) -> None:
    run, derived = with_way_back(made, of, seed, steps, rows, dtype=dtype)
    for mode in (ONE_ROW, ROWS) if rows == 1 else (ROWS,):
        compiled_agrees(run, derived, mode, has_large_steps=has_large_steps, keeps=keeps)


ALL_CANCELS = cell("h = softmax(b + k)", ("h",))
ONE_MATRIX = cell("h = tanh(W @ cat(x, h_prev))", ("h",), {"W": ("hidden_size", 5)})


@given(**ANY_CELL)
@example(made=ONE_MATRIX, of={"hidden_size": 3, "input_size": 2}, seed=0, steps=2, rows=3)
@example(made=ALL_CANCELS, of={"hidden_size": 2, "input_size": 1}, seed=0, steps=2, rows=1)
@QUICK
def test_the_engine_goes_back_as_the_lines_do(
    made: Program, of: dict[str, int], seed: int, steps: int, rows: int
) -> None:
    run, derived = with_way_back(made, of, seed, steps, rows)
    kept_in = {name: Where(name, 0, len(value)) for name, value in run.parameters.items()}
    block = Block("L0", "recurrent", 0, "forward", run.program, run.parameters, kept_in)
    prepared = block.compiled.prepare(run.parameters, np.dtype(run.dtype), ONE_ROW if rows == 1 else ROWS)
    first = tuple(run.given[before] for before in run.program.befores)
    with np.errstate(all="ignore"):
        done = BlockRun(block, prepared, run.given["x"], first, TimeAxis(steps, rows))
        way = RecurrentBackward(done, BackwardEquations(block, rows, is_summed=steps > 1), [run.above])
        by_step = run.back(derived)
    (of_rows, shared), rounding = by_step[-1], rounding_of(by_step)
    for name, value in run.parameters.items():
        expected = shared.get(f"∂{name}", np.zeros_like(value))
        atol = 1e-9 * size_of(expected) + rounding
        np.testing.assert_allclose(way.gradients[name], expected, rtol=1e-9, atol=atol)
    for row, known in enumerate(of_rows):
        expected = known.get("∂x", np.zeros_like(run.given["x"][0, row]))
        atol = 1e-9 * size_of(expected) + rounding
        np.testing.assert_allclose(way.gradient("x")[0, row], expected, rtol=1e-9, atol=atol)
