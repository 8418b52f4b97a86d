"""A cell whole: its weights as torch stacks them, what it read, its gates and its new states.

x_t  W_ih  b_ih │ h_prev  W_hh  b_hh │ i f g o │ c  h │ torch  Δ
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from rnnstep.views.compose import Block, above, beside, pad
from rnnstep.views.grids import Grid
from rnnstep.views.parts import (
    RULE,
    Part,
    draw_parts,
    height_of,
    torch_parts,
    torch_width,
    value_grid,
    width_of,
)
from rnnstep.views.scene import Scene
from rnnstep.views.vectors import values

if TYPE_CHECKING:
    from rnnstep.equations.operations import Array
    from rnnstep.session.run import Run

_LEAST_DECIMALS = 2


def cell(scene: Scene, cells: int, height: int) -> Block:
    """Draw the block at the cursor in `cells` by `height`: whole if it fits, else its values as vectors."""
    return whole(scene, cells, height) or _two_rows(scene, cells, height) or values(scene, cells, height)


def whole(scene: Scene, cells: int, height: int) -> Block | None:
    """Draw a cell of torch's whole in one row; None where it does not fit."""
    if not _is_whole_cell(scene):
        return None
    operands, results = [*_first(scene), RULE, *_second(scene)], _results(scene)
    decimals = _fitting(scene, [operands], cells - _results_width(scene, results))
    if decimals is None or height_of([*operands, *results]) > height:
        return None
    drawn = draw_parts(scene, operands, decimals, height)
    drawn += draw_parts(scene, results, scene.look.decimals, height)
    return pad(beside(drawn, gap=0), cells)


def _two_rows(scene: Scene, cells: int, height: int) -> Block | None:
    """`W_ih x_t + b_ih` above `W_hh h_prev + b_hh`, the results at their right."""
    if not _is_whole_cell(scene):
        return None
    first, second, results = _first(scene), _second(scene), _results(scene)
    decimals = _fitting(scene, [first, second], cells - _results_width(scene, results))
    if decimals is None or max(height_of(first) + height_of(second), height_of(results)) > height:
        return None
    left = above([beside(draw_parts(scene, parts, decimals, height), gap=0) for parts in (first, second)])
    side = beside(draw_parts(scene, results, scene.look.decimals, len(left)), gap=0)
    return pad(beside([left, side], gap=0), cells)


def _is_whole_cell(scene: Scene) -> bool:
    """Whether there is a cell of torch's here: one's own may have any shape."""
    is_cell = scene.block.kind == "recurrent" and scene.is_forward
    return scene.known is not None and is_cell and not scene.scenario.recurrent.is_own


def _first(scene: Scene) -> list[Part]:
    """What acts on x_t."""
    return [value_grid(scene, "x"), *_stacks(scene, "weight_ih", "bias_ih")]


def _second(scene: Scene) -> list[Part]:
    """What acts on h_prev, and the other states before."""
    others = [name for name in scene.scenario.cell.states if name != "h"]
    matrices = [replace(grid, gates=()) for grid in _stacks(scene, "weight_hh", "bias_hh")]
    return [value_grid(scene, "h_prev"), *matrices, *(value_grid(scene, f"{name}_prev") for name in others)]


def _results(scene: Scene) -> list[Part]:
    """The gates, the new states, and torch's word on them."""
    gates = [value_grid(scene, name) for name in _gate_names(scene)]
    found: list[Part] = [RULE, *gates, RULE] if gates else [RULE]
    for state in reversed(tuple(scene.scenario.cell.states)):
        found += [value_grid(scene, state), *torch_parts(scene, state)]
    return found


def _gate_names(scene: Scene) -> list[str]:
    """What the activations of the sums give: i f g o, r z n; nothing for an RNN."""
    names = scene.block.program.by_name
    return [
        name.removeprefix("a_")
        for name in names
        if name.startswith("a_") and name.removeprefix("a_") in names
    ]


def _stacks(scene: Scene, *names: str) -> list[Grid]:
    """Torch's stacked parameters, their rows named by the gates; without those that the cell does not have."""
    found = {stack.torch: stack.parts for stack in scene.scenario.cell.stacks}
    return [_stack(scene, name, found[name]) for name in names if name in found]


def _stack(scene: Scene, torch: str, parts: tuple[str, ...]) -> Grid:
    stacked = _stacked(scene.run, scene.batch, scene.block.key, parts)
    before = scene.session.before if scene.session.edits else None
    if before is not None and before.epoch.index != scene.run.epoch.index:
        before = None
    old = None if before is None else _stacked(before, scene.batch, scene.block.key, parts)
    return Grid(
        torch.replace("weight_", "W_").replace("bias_", "b_"),
        stacked,
        stacked.shape,
        "weight",
        scene.scale("weight"),
        gates=tuple(part[-1] for part in parts) if len(parts) > 1 else (),
        is_given=True,
        changed=None if old is None else np.asarray(old != stacked),
    )


@lru_cache(maxsize=64)
def _stacked(run: Run, batch: int, key: str, parts: tuple[str, ...]) -> Array:
    parameters = run.trace.passes[batch].by_key[key].parameters
    return parameters[parts[0]] if len(parts) == 1 else np.concatenate([parameters[part] for part in parts])


def _fitting(scene: Scene, rows: list[list[Part]], cells: int) -> int | None:
    """The most decimals, of those asked for and less, with which every row fits; None if none does."""
    most = scene.look.decimals
    choices = range(most, min(_LEAST_DECIMALS, most) - 1, -1)
    return next(
        (decimals for decimals in choices if all(width_of(row, decimals) <= cells for row in rows)), None
    )


def _results_width(scene: Scene, results: list[Part]) -> int:
    """The cells that results take, with room for torch's columns before they are there, so that nothing moves."""
    shown = width_of(results, scene.look.decimals)
    if scene.look.torch in ("none", "failed"):
        return shown
    coming = [name for name in scene.scenario.cell.states if not torch_parts(scene, name)]
    return shown + len(coming) * torch_width(scene.look.decimals)
