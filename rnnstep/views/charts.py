"""Plots over time: the state, and the gates of gated cells, up to the step that is computed."""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from rnnstep.engine.passes import run_steps
from rnnstep.session.place import write_prefix
from rnnstep.session.tree import Spot
from rnnstep.views.compose import Block
from rnnstep.views.plot import Axes, Series, plot
from rnnstep.views.rows import SERIES, Row
from rnnstep.views.scene import Scene

if TYPE_CHECKING:
    from rnnstep.equations.operations import Array
    from rnnstep.session.run import Run
    from rnnstep.views.alphabet import Alphabet

_MOST_LINKS = 2000
"""Steps of longer runs stand too close to be clicked."""


def names(scene: Scene) -> list[str]:
    """What can be plotted: the states, then the gates."""
    states = list(scene.scenario.cell.states)
    return [*states, *scene.scenario.cell.gates] if scene.block.kind == "recurrent" else states[:1]


def chart(scene: Scene, name: str, cells: int, height: int) -> Block:
    """Plot up to six elements of a value of the cursor's block over the steps computed so far."""
    key = scene.block.key if scene.block.kind == "recurrent" else next(iter(scene.done.runs))
    now = -1 if scene.level == "start" else scene.t
    is_hidden = now >= 0 and scene.is_hidden(name)
    done = _steps_done(scene, key, name) - is_hidden
    what = (scene.batch, key, name, scene.row)
    return list(_drawn(scene.run, what, max(0, done), now, cells, height, scene.look.alphabet))


def _steps_done(scene: Scene, key: str, name: str) -> int:
    """How many steps of a block have computed a value; they are done in order, so half of them tell of all."""
    steps = run_steps(scene.done.runs[key])
    return bisect_left(steps, True, key=lambda t: not scene.is_done(scene.forward_at(key, t, name)))


@lru_cache(maxsize=64)
def _drawn(
    run: Run,
    what: tuple[int, str, str, int],
    done: int,
    now: int,
    cells: int,
    height: int,
    alphabet: Alphabet,
) -> tuple[Row, ...]:
    """The plot itself; moving about inside a step does not change it."""
    batch, key, name, row = what
    whole = _over_time(run, batch, key, name, row)
    is_reversed = run.trace.passes[batch].runs[key].is_reversed
    steps = len(whole)
    begins, stop = (steps - done, steps if done else 0) if is_reversed else (0, done)
    values = whole[: min(stop, run.scenario.batches[batch].last_step(row) + 1)].copy()
    values[:begins] = np.nan
    prefix = write_prefix(run.tree, Spot(batch, epoch=run.epoch.index))
    axes = Axes(
        steps=steps,
        current=None if now < 0 else now,
        bounds=_bounds(run, name, whole),
        begins=begins,
        targets=[f"go {prefix}{t + 1}/{key}" for t in range(steps)] if steps <= _MOST_LINKS else (),
    )
    lines = [Series(f"{name}[{k}]", values[:, k]) for k in range(whole.shape[1])]
    return tuple(plot(lines, cells, height, axes, alphabet=alphabet))


def _bounds(run: Run, name: str, whole: Array) -> tuple[float, float]:
    """Axes that stay the same while stepping: 0 to 1 for gates, −1 to 1 or the whole run's reach for states."""
    if name in run.scenario.cell.gates:
        return (0.0, 1.0)
    finite = whole[np.isfinite(whole)]
    reach = float(np.abs(finite).max()) if finite.size else 1.0
    return (-1.0, 1.0) if reach <= 1 else (min(0.0, float(finite.min())), max(0.0, float(finite.max())))


@lru_cache(maxsize=32)
def _over_time(run: Run, batch: int, key: str, name: str, row: int) -> Array:
    """A value of one row at every step, (T, up to 6); NaN where the row is over."""
    whole = run.trace.passes[batch].runs[key].over_time(name, row)
    return np.empty((0, 0)) if whole is None else np.asarray(whole[:, :SERIES], np.float64)
