"""Plots over time, up to the step that is computed: states, gates, the element at the cursor, and what is watched.

Every one of them takes (scene, …, cells, height) and gives exactly so many rows and cells, or no row where there is
nothing to draw. An axis fits the values of the whole run, so that it stays while one steps.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rnnstep.cells.cell import Cell
from rnnstep.equations.operations import OPERATIONS
from rnnstep.equations.syntax import Apply, Name
from rnnstep.language import Text
from rnnstep.session.place import write_element, write_prefix
from rnnstep.session.tree import Spot, size_of
from rnnstep.session.watching import PassWatch
from rnnstep.views.by_run import by_run
from rnnstep.views.plot import Axes, Series, plot, reach
from rnnstep.views.rows import SERIES, Row
from rnnstep.views.scene import Scene

if TYPE_CHECKING:
    from rnnstep.equations.operations import Array
    from rnnstep.equations.program import Program
    from rnnstep.session.run import SessionRun
    from rnnstep.views.alphabet import Alphabet
    from rnnstep.views.compose import RowBlock

GATES = "gates"
"""The name of the plot of all gates of one element."""

_MOST_LINKS = 2000
"""Steps of longer runs stand too close to be clicked."""

_MOST_TOGETHER = 256
"""Values of more elements are not kept for every step."""

_MOST_ALONE = 400
"""Where each step is computed alone, as in the backward pass, an element of more of them is not plotted."""


def names(scene: Scene) -> list[str]:
    """What can be plotted: the states, all gates of one element together, each gate, then the sums inside."""
    if not scene.scenario.recurrents:
        return []
    program = scene.cell.program
    states, gates = list(program.states), list(gates_of(program))
    sums = [name for name in reversed(program.names) if name not in (*states, *gates)]
    return [*states, *([GATES] if len(gates) > 1 else []), *gates, *sums]


def title(scene: Scene, name: str) -> str:
    """What a plot of `names` is called."""
    if name == GATES:
        return scene.look.say(Text("gates of element {number} over time", number=_element(scene)))
    count = size_of(scene.done.by_key[scene.recurrent_key], name)
    if count > SERIES:
        first = _first(scene)
        drawn = scene.look.alphabet.spell(f"{name}[{first}–{min(count, first + SERIES) - 1}]")
        return scene.look.say(Text("{drawn} of {count} over time", drawn=drawn, count=count))
    return scene.look.say(Text("{name} over time", name=name))


def gates_of(program: Program) -> tuple[str, ...]:
    """The values that are a function of a sum, gates and candidates: `i f g o` of an LSTM, `r z n` of a GRU."""
    found = []
    for line in program.lines:
        match line.expression:
            case Apply(op=op, args=(argument,)) if line.name not in program.states:
                is_function = OPERATIONS[op].kind == "elementwise" and not OPERATIONS[op].symbol
                is_of_state = isinstance(argument, Name) and argument.id in program.states
                if is_function and not is_of_state:
                    found.append(line.name)
    return tuple(found)


# ── values of a block ────────────────────────────────────────────────────────────────────


def chart(scene: Scene, name: str, cells: int, height: int) -> RowBlock:
    """Plot a value of the cursor's block: up to six of its elements, those around the cursor; or its `gates`."""
    spot = _forward(scene, scene.recurrent_key)
    if name == GATES:
        lines = _gates(scene.run, spot, scene.row, _element(scene))
    else:
        lines = _elements(scene.run, spot, scene.row, name, _first(scene))
    return _plotted(scene, spot, lines, cells, height)


def element(scene: Scene, cells: int, height: int) -> RowBlock:
    """Plot the element at the cursor, or the first of the operation, over all steps of its pass; none of an update."""
    spot = _at_cursor(scene)
    lines = None if spot is None else _element_alone(scene.run, spot, scene.row, scene.look.alphabet)
    return [] if spot is None or lines is None else _plotted(scene, spot, lines, cells, height)


def element_name(scene: Scene) -> str:
    """`hh[1]`, of a matrix `∂W_hh[1,0]`: what `element` plots; "" where it plots nothing."""
    spot = _at_cursor(scene)
    return "" if spot is None else _written(scene.run, spot, scene.look.alphabet)


def has_element(scene: Scene) -> bool:
    """Whether there is an element at the cursor to be plotted; nothing is computed to know it."""
    spot = _at_cursor(scene)
    if spot is None or spot.key is None:
        return False
    is_whole = spot.phase == "forward" and scene.block.kind == "recurrent"
    return is_whole or len(scene.run.tree.stage(spot).steps[spot.key]) <= _MOST_ALONE


def over_time(scene: Scene) -> Array | None:
    """Give the element at the cursor at every step of its pass, (T,), NaN where its row is over.

    None where the cursor is at no operation, in an update, and in a backward pass of very many steps.
    """
    spot = _at_cursor(scene)
    return None if spot is None else _element_over_time(scene.run, spot, scene.row)


def watch(scene: Scene, watched: PassWatch, cells: int, height: int) -> RowBlock:
    """Plot an expression over the steps of the forward pass, up to six of its elements; of a question 1 where it holds."""
    stage = scene.run.tree.stage(replace(scene.spot, phase="forward"))
    fitting = [
        block.key for block in stage.blocks if block.kind == "recurrent" and block.key in watched.watch.blocks
    ]
    if watched.phase != "forward" or not fitting:
        return []
    spot = _forward(scene, scene.spot.key if scene.spot.key in fitting else fitting[0])
    lines = _watched(scene.run, watched, spot, scene.row)
    return [] if lines is None else _plotted(scene, spot, lines, cells, height)


# ── what they share ──────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, eq=False)
class _Lines:
    """Lines of a plot with the ends of its axis, and the value whose being computed they wait for; made once."""

    series: tuple[Series, ...]
    bounds: tuple[float, float] | None
    name: str


def _forward(scene: Scene, key: str | None) -> Spot:
    """A recurrent block of the cursor's batch in the forward pass."""
    return Spot(scene.batch, key, epoch=scene.run.epoch.index)


def _at_cursor(scene: Scene) -> Spot | None:
    """The element at the cursor, or the first of the operation, at no step."""
    spot = scene.spot
    if spot.operation is None or spot.phase not in ("forward", "backward"):
        return None
    return replace(spot, t=None, element=spot.element or 0, term=None)


def _written(run: SessionRun, spot: Spot, alphabet: Alphabet) -> str:
    return alphabet.spell(f"{spot.operation}{write_element(run.tree, spot)}")


def _element(scene: Scene) -> int:
    """The cursor's element, where it is one of a vector as long as the state; else the first."""
    spot = scene.cursor
    if spot is None or spot.element is None or spot.operation is None or spot.key not in scene.done.runs:
        return 0
    block = scene.done.by_key[spot.key]
    of_forward = size_of(block, next(iter(block.program.states)))
    return spot.element if size_of(scene.block, spot.operation) == of_forward else 0


def _first(scene: Scene) -> int:
    """The first of the elements that are drawn together, among them the cursor's."""
    return _element(scene) // SERIES * SERIES


def _plotted(scene: Scene, spot: Spot, lines: _Lines, cells: int, height: int) -> RowBlock:
    is_here = scene.level != "start" and spot.phase == scene.spot.phase
    now = scene.t if is_here else None
    done = _done(scene, replace(spot, operation=lines.name))
    place = replace(spot, operation=None, element=None)
    return list(_drawn(scene.run, place, scene.row, lines, done, now, cells, height, scene.look.alphabet))


def _done(scene: Scene, spot: Spot) -> int:
    """How many steps of a block have computed a value; they are done in order, so half of them tell of all."""
    assert spot.key is not None
    assert spot.operation is not None
    steps = scene.run.tree.stage(spot).steps[spot.key]
    count = bisect_left(steps, True, key=lambda t: not scene.is_done(replace(spot, t=t)))
    is_here = scene.level != "start" and spot.phase == scene.spot.phase
    return max(0, count - (is_here and scene.is_hidden(spot.operation)))


@by_run(64)
def _drawn(
    run: SessionRun,
    spot: Spot,
    row: int,
    lines: _Lines,
    done: int,
    now: int | None,
    cells: int,
    height: int,
    alphabet: Alphabet,
) -> tuple[Row, ...]:
    """The plot itself; moving about inside a step does not change it."""
    assert spot.key is not None
    assert spot.batch is not None
    order = run.tree.stage(spot).steps[spot.key]
    steps = max(order, default=-1) + 1
    is_reversed = len(order) > 1 and order[0] > order[-1]
    begins, stop = (steps - done, steps if done else 0) if is_reversed else (0, done)
    shown = []
    axis = run.scenario.batches[spot.batch].axis(run.tree.block(spot).sequence)
    end = min(stop, axis.last_step(row) + 1)
    for line in lines.series:
        values = np.array(line.values[:end], np.float64)
        values[:begins] = np.nan
        shown.append(Series(line.name, values))
    prefix = write_prefix(run.tree, spot)
    axes = Axes(
        steps=steps,
        current=now,
        bounds=lines.bounds,
        is_known=np.arange(steps) >= begins,
        targets=[f"go {prefix}{t + 1}/{spot.key}" for t in range(steps)] if steps <= _MOST_LINKS else (),
    )
    return tuple(plot(shown, cells, height, axes, alphabet=alphabet))


def _fitted(shown: Sequence[Series]) -> tuple[float, float] | None:
    """From the lowest to the highest value, zero included where that costs at most half of the room."""
    found = reach(*(np.asarray(line.values, np.float64) for line in shown))
    if found is None:
        return None
    low, high = found
    widened = min(0.0, low), max(0.0, high)
    return widened if widened[1] / 2 - widened[0] / 2 <= high - low or low == high else found


# ── the lines ────────────────────────────────────────────────────────────────────────────


@by_run(32)
def _elements(run: SessionRun, spot: Spot, row: int, name: str, first: int) -> _Lines:
    """Up to six elements of a value; of a gate the axis is at least 0 to 1."""
    whole = _over_time(run, spot, name, row)
    shown = tuple(
        Series(f"{name}[{k}]", whole[:, k]) for k in range(first, min(whole.shape[1], first + SERIES))
    )
    return _Lines(shown, _of_gates(run, spot, [name], _fitted(shown)), name)


@by_run(32)
def _gates(run: SessionRun, spot: Spot, row: int, element: int) -> _Lines:
    """One element of every gate."""
    named = gates_of(_cell_at(run, spot).program)[:SERIES]
    wholes = [_over_time(run, spot, name, row) for name in named]
    shown = tuple(
        Series(name, whole[:, element])
        for name, whole in zip(named, wholes, strict=True)
        if whole.shape[1] > element
    )
    return _Lines(shown, _of_gates(run, spot, named, _fitted(shown)), named[-1])


@by_run(16)
def _element_alone(run: SessionRun, spot: Spot, row: int, alphabet: Alphabet) -> _Lines | None:
    assert spot.operation is not None
    whole = _element_over_time(run, spot, row)
    if whole is None:
        return None
    shown = (Series(_written(run, spot, alphabet), whole),)
    named = [spot.operation] if spot.phase == "forward" else []
    return _Lines(shown, _of_gates(run, spot, named, _fitted(shown)), spot.operation)


@by_run(16)
def _watched(run: SessionRun, watched: PassWatch, spot: Spot, row: int) -> _Lines | None:
    """A watched expression at every step of a recurrent block."""
    assert spot.batch is not None
    assert spot.key is not None
    done = run.trace.passes[spot.batch].runs[spot.key]
    values: dict[str, Array] = {}
    for name in watched.watch.names_read:
        if name in done.block.program.shapes and name not in done.block.parameters:
            over_steps = done.over_time(name, row)
            if over_steps is None:
                return None
            values[name] = over_steps
    found = np.array(watched.watch.over_steps(done.block, values, done.num_steps), np.float64)
    axis = run.scenario.batches[spot.batch].axis(done.block.sequence)
    found[axis.last_step(row) + 1 :] = np.nan
    count = found.shape[1]
    names_of = [watched.text] if count == 1 else [f"[{k}]" for k in range(min(SERIES, count))]
    shown = tuple(Series(text, found[:, k]) for k, text in enumerate(names_of))
    return _Lines(
        shown, (0.0, 1.0) if watched.watch.is_question else _fitted(shown), done.block.program.names[-1]
    )


def _cell_at(run: SessionRun, spot: Spot) -> Cell:
    """The cell of a spot's block, or of the last recurrent module."""
    block = run.tree.block(replace(spot, phase="forward"))
    return run.scenario.recurrent_of(block).cell if block.program.states else run.scenario.cell


def _of_gates(
    run: SessionRun, spot: Spot, named: Sequence[str], fitted: tuple[float, float] | None
) -> tuple[float, float] | None:
    """Widen an axis to 0 … 1 where a gate is on it."""
    if not run.scenario.recurrents or not set(named) & set(_cell_at(run, spot).gates):
        return fitted
    return (0.0, 1.0) if fitted is None else (min(0.0, fitted[0]), max(1.0, fitted[1]))


# ── values over time ─────────────────────────────────────────────────────────────────────


@by_run(32)
def _over_time(run: SessionRun, spot: Spot, name: str, row: int) -> Array:
    """A value of one row at every step of a block in the forward pass, (T, n); NaN where the row is over."""
    assert spot.batch is not None
    assert spot.key is not None
    whole = run.trace.passes[spot.batch].runs[spot.key].over_time(name, row)
    return np.empty((0, 0)) if whole is None else np.asarray(whole, np.float64)


@by_run(16)
def _element_over_time(run: SessionRun, spot: Spot, row: int) -> Array | None:
    """The element of a spot at every step of its pass, (T,), NaN where there is none."""
    assert spot.batch is not None
    assert spot.key is not None
    assert spot.operation is not None
    assert spot.element is not None
    steps = run.tree.stage(spot).steps[spot.key]
    found = np.full(max(steps) + 1, np.nan)
    is_recurrent = run.tree.block(spot).kind == "recurrent"
    if spot.phase == "forward" and is_recurrent:
        whole = _over_time(run, replace(spot, operation=None, element=None), spot.operation, row)
        if whole.shape[1] > spot.element:
            found[:] = whole[: len(found), spot.element]
            return found
    if len(steps) > _MOST_ALONE:
        return None
    place = replace(spot, operation=None, element=None)
    size = size_of(run.tree.block(spot), spot.operation)
    if size > _MOST_TOGETHER:
        for t in steps:
            known = run.known(replace(spot, t=t), row)
            if known is not None:
                found[t] = np.asarray(known[spot.operation], np.float64).reshape(-1)[spot.element]
        return found
    whole = _alone(run, place, row)[spot.operation]
    found[:] = whole[: len(found), spot.element]
    return found


@by_run(4)
def _alone(run: SessionRun, spot: Spot, row: int) -> Mapping[str, Array]:
    """All smaller values of a block at every step, each (T, n), where each step is computed alone: at once, for all."""
    assert spot.key is not None
    block = run.tree.block(spot)
    steps = run.tree.stage(spot).steps[spot.key]
    names = [name for name in block.program.names if size_of(block, name) <= _MOST_TOGETHER]
    found = {name: np.full((max(steps) + 1, size_of(block, name)), np.nan) for name in names}
    for t in steps:
        known = run.known(replace(spot, t=t), row)
        if known is not None:
            for name in names:
                found[name][t] = np.asarray(known[name]).reshape(-1)
    return found
