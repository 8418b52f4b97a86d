"""Plots over time: the state, and the gates of gated cells, up to the step that is computed."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from rnnstep.session.tree import Spot
from rnnstep.views.compose import Block
from rnnstep.views.plot import Axes, Series, plot
from rnnstep.views.rows import SERIES
from rnnstep.views.scene import Scene

if TYPE_CHECKING:
    from rnnstep.equations.operations import Array
    from rnnstep.session.run import Run

_MOST_STEPS = 2000
"""Gates of longer runs are computed anew step by step, which a plot must not wait for."""


def names(scene: Scene) -> list[str]:
    """What can be plotted: the states, then the gates."""
    states = list(scene.scenario.cell.states)
    return [*states, *scene.scenario.cell.gates] if scene.block.kind == "recurrent" else states[:1]


def chart(scene: Scene, name: str, cells: int, height: int) -> Block:
    """Plot up to six elements of a value of the cursor's block over the steps computed so far."""
    key = scene.block.key if scene.block.kind == "recurrent" else next(iter(scene.done.runs))
    whole = _over_time(scene.run, scene.spot.batch, key, name, scene.row)
    done = scene.done.runs[key]
    seen = np.array([scene.is_done(Spot(scene.spot.batch, key, t, name)) for t in range(len(whole))])
    values = np.where(seen[:, None], whole, np.nan) if len(whole) else whole
    if scene.is_hidden(name) and scene.level != "start":
        values = values.copy()
        values[scene.t] = np.nan
    stop = int(seen.nonzero()[0].max()) + 1 if seen.any() else 0
    begins = int(seen.nonzero()[0].min()) if done.is_reversed and seen.any() else 0
    lines = [Series(f"{name}[{k}]", values[:stop, k]) for k in range(min(values.shape[1], SERIES))]
    prefix = f"{scene.spot.batch + 1}:" if len(scene.run.trace.passes) > 1 else ""
    axes = Axes(
        steps=len(whole),
        current=None if scene.level == "start" else scene.t,
        bounds=_bounds(scene, name, whole),
        begins=begins,
        targets=[f"go {prefix}{t + 1}/{key}" for t in range(len(whole))] if len(whole) <= _MOST_STEPS else (),
    )
    return plot(lines, cells, height, axes, alphabet=scene.look.alphabet)


def _bounds(scene: Scene, name: str, whole: Array) -> tuple[float, float]:
    """Axes that stay the same while stepping: 0 to 1 for gates, −1 to 1 or the whole run's reach for states."""
    if name in scene.scenario.cell.gates:
        return (0.0, 1.0)
    finite = whole[np.isfinite(whole)]
    reach = float(np.abs(finite).max()) if finite.size else 1.0
    return (-1.0, 1.0) if reach <= 1 else (min(0.0, float(finite.min())), max(0.0, float(finite.max())))


@lru_cache(maxsize=32)
def _over_time(run: Run, batch: int, key: str, name: str, row: int) -> Array:
    """A value of one row at every step, (T, up to 6); NaN where the row is over."""
    done = run.trace.passes[batch].runs[key]
    if name in done.block.program.states:
        whole = np.array(done.state(name)[:, row, :SERIES], np.float64)
        for t in range(len(whole)):
            if run.row_index(Spot(batch, key, t), row) is None:
                whole[t] = np.nan
        return whole
    if done.num_steps > _MOST_STEPS:
        return np.empty((0, 1))
    values = []
    for t in range(done.num_steps):
        index = run.row_index(Spot(batch, key, t), row)
        size = int(done.block.program.shapes[name][0])
        values.append(np.full(min(size, SERIES), np.nan) if index is None else done.value(name, t)[index, :SERIES])
    return np.asarray(values, np.float64)
