"""What is asked of every way back: its slopes, its names, its worked elements, and its compiled function."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from rnnstep.equations.compile import ONE_ROW, Compiled
from rnnstep.equations.differentiate import Backward
from rnnstep.equations.evaluate import Values, evaluate, evaluate_lines
from rnnstep.equations.expand import expand, number_of_terms
from rnnstep.equations.operations import OPERATIONS
from rnnstep.equations.pieces import reckon
from rnnstep.equations.program import Shape, infer
from rnnstep.equations.syntax import Apply, Expression, Line, Name, Pick, names_in
from rnnstep.equations.write import write_line
from rnnstep.reference.judge.bounds import Rounding
from tests.property.cell_runs import Arrays, Complex, Run, sizes

# ── slopes ───────────────────────────────────────────────────────────────────────────────────

NEAR = 1e-7  # as close to a kink as a run may come without standing on it
LARGE = 1e4


def slope_agrees(run: Run, name: str, gradient: np.ndarray) -> bool:
    """A gradient gives the slope of the run's sum along a direction of its own; whether there is one to be trusted."""
    direction = np.random.default_rng(run.seed + 1).normal(size=gradient.shape)
    reading = Complex()
    with np.errstate(all="ignore"):
        slope = run.loss(reading, name, direction).imag / 1e-30
    if reading.least < NEAR or not reading.most < LARGE:
        return False
    size = float(np.abs(gradient * direction).sum()) + abs(slope)
    assert float((gradient * direction).sum()) == pytest.approx(slope, abs=1e-8 * size + 1e-12), name
    return True


def slopes_agree(run: Run, derived: Backward) -> bool:
    """The gradients of all that the run reads are the slopes of its sum; whether there are any to be trusted."""
    with np.errstate(all="ignore"):
        steps = run.back(derived)
    last_rows, last_shared = steps[-1]
    found = {
        name: last_shared.get(f"∂{name}", np.zeros_like(value)) for name, value in run.parameters.items()
    }
    for name in run.program.states:
        found[f"{name}_prev"] = np.array([known[f"∂{name}_prev"] for known in last_rows])
    x = run.given["x"]
    by_step = [[known.get("∂x", np.zeros(x.shape[2:])) for known in rows] for rows, _ in steps[::-1]]
    found["x"] = np.array(by_step)
    return all(slope_agrees(run, name, gradient) for name, gradient in found.items())


# ── names ────────────────────────────────────────────────────────────────────────────────────


def names_agree(run: Run, derived: Backward) -> None:
    for whole in (derived.program, derived.core):
        given_ = [*whole.inputs, *whole.befores, *whole.parameters]
        fixed = {line.name for line in derived.fixed}
        assert len({*given_, *whole.names}) == len(given_) + len(whole.lines)
        known = {*given_, *(fixed if whole is derived.program else ())}
        for line in whole.lines:
            assert known.issuperset(names_in(line.expression)), write_line(line)
            shape = infer(line.expression, whole.shapes)
            assert shape in (whole.shapes[line.name], ()), write_line(line)
            known.add(line.name)
        assert known.issuperset(whole.states)


# ── elements worked out ──────────────────────────────────────────────────────────────────────


def works_out(line: Line, known: Arrays, shapes: Mapping[str, Shape], *, skip: bool) -> None:
    value = np.asarray(known[line.name])
    exact = {name: (known[name], np.zeros(np.shape(known[name]))) for name in names_in(line.expression)}
    with np.errstate(all="ignore"):
        _, bound = evaluate(line.expression, exact, Rounding(np.dtype(np.float64)))
    for element in np.ndindex(value.shape):
        expansion = expand(line, element, known, skip_zeros=skip)
        assert expansion.value == value[element] or np.isnan(value[element])
        assert len(expansion.terms) + expansion.zero_terms == number_of_terms(line, shapes)
        allowed = 4 * float(np.broadcast_to(bound, value.shape)[element])
        if np.isfinite(allowed) and np.isfinite(expansion.value):
            assert abs(reckon(expansion.piece) - expansion.value) <= allowed, write_line(line)


# ── compiled ─────────────────────────────────────────────────────────────────────────────────


def compiled_agrees(run: Run, derived: Backward, mode: str, *, has_large_steps: bool, keeps: str) -> None:
    core = derived.core
    needed = {name for uses in derived.contributions.values() for use in uses for name in names_in(use)}
    keep = {"states": set(), "what parameters need": needed, "all": set(core.names)}[keeps]
    compiled = Compiled(core, keep, is_reversed=True, has_large_steps=has_large_steps)
    read = {
        name: np.array([[known[name] for known in rows] for rows in run.forward])
        for name in core.inputs
        if name != derived.above
    }
    read[derived.above] = run.above
    ends = [np.zeros((run.rows, *sizes(shape)), run.dtype) for shape in core.states.values()]
    fed = [*(read[name] for name in core.inputs), *(end[None] for end in ends)]
    fed = [array[:, 0] if mode == ONE_ROW else array for array in fed]
    fed[len(read) :] = [end[0] for end in fed[len(read) :]]
    prepared = compiled.prepare(run.parameters, np.dtype(run.dtype), mode)
    with np.errstate(all="ignore"):
        arrays = compiled.function(mode)(*fed, *prepared)
    assert all(array.dtype == run.dtype for array in arrays)
    kept = {
        name: (arrays[index][:, None] if mode == ONE_ROW else arrays[index])[..., a:b]
        for name, (index, a, b) in compiled.columns.items()
    }
    if keeps == "all":  # what is a copy of what was given needs no keeping
        copies = {line.name for line in core.lines if isinstance(line.expression, Name)}
        assert kept.keys() | copies == core.by_name.keys()
    for t in range(run.steps):
        known = {name: value[t] for name, value in read.items()}
        for name, end in zip(core.states, ends, strict=True):
            known[core.before(name)] = kept[name][t + 1] if t + 1 < run.steps else end
        here = {name: np.ascontiguousarray(value[t]) for name, value in kept.items()}
        step_agrees(compiled, run.parameters, known, here)


def step_agrees(compiled: Compiled, parameters: Arrays, known: Arrays, kept: Arrays) -> None:
    """What is kept of a step, and what is derived of that, is what the lines give, row by row, within their bounds."""
    core = compiled.program
    shown = {**parameters, **known, **kept}
    for name in core.names:
        compiled.derive(name, shown)
    dtype = next(iter(kept.values())).dtype
    for row in range(len(next(iter(kept.values())))):
        read = {**parameters, **{name: value[row] for name, value in known.items()}}
        exact = {name: (value, np.zeros(np.shape(value))) for name, value in read.items()}
        with np.errstate(all="ignore"):
            for name, (value, bound) in evaluate_lines(core.lines, exact, Rounding(dtype)).items():
                here = np.asarray(shown[name][row], np.float64)
                is_near = np.abs(here - value) <= 2 * bound
                is_same = (here == value) | (
                    np.isnan(here) & np.isnan(value)
                )  # infinity is itself, and NaN NaN
                assert np.all(is_near | is_same | np.isinf(bound)), name
    for name, value in kept.items():
        if is_elementwise(core.by_name[name].expression):
            again = evaluate(core.by_name[name].expression, shown, Values())
            np.testing.assert_array_equal(np.broadcast_to(again, value.shape), value)


def is_elementwise(expression: Expression) -> bool:
    match expression:
        case Apply(op=op, args=args):
            return OPERATIONS[op].kind == "elementwise" and all(map(is_elementwise, args))
        case Pick(base=base):
            return is_elementwise(base)
    return True
