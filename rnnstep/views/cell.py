"""A cell whole: its weights as torch stacks them, what it read, its gates and its new states.

x_t  W_ih  b_ih │ h_prev  W_hh  b_hh │ i f g o │ c  h │ torch  Δ
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from rnnstep.views.by_run import by_run
from rnnstep.views.compose import RowBlock, above, beside, pad
from rnnstep.views.grids import Grid
from rnnstep.views.parts import (
    RULE,
    Difference,
    PanelPart,
    aired,
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
    from rnnstep.session.run import SessionRun


def cell(scene: Scene, cells: int, height: int, air: int = 0) -> RowBlock:
    """Draw the block at the cursor in `cells` by `height`: whole if it fits, else its values as vectors."""
    return whole(scene, cells, height, air) or values(scene, cells, height)


def whole(scene: Scene, cells: int, height: int, air: int = 0) -> RowBlock | None:
    """Draw a cell of torch's whole, in one row or in two; None where it does not fit.

    Decimals are never given up, so that a matrix reads the same on every screen. The differences from torch's
    numbers go first, then the row becomes two, then torch's numbers go; the panel above has torch's word, too.
    `air` is the blank rows between its rows.
    """
    if not _is_whole_cell(scene):
        return None
    first, second = aired(_first(scene), air), aired(_second(scene), air)
    if max(height_of(first), height_of(second)) > height:
        return None
    results, seen = aired(_results(scene), air), ("torch", "Δ")
    for beside_it in (seen, seen[:1], ()):
        shown = [part for part in results if _is_among(part, beside_it)]
        if beside_it == seen[:1]:
            shown = _judged(scene, shown, results)
        coming = _coming(scene, beside_it)
        for form in (_one_row, _two_rows):
            drawn = form(scene, (first, second, shown), coming, cells, height)
            if drawn is not None:
                return drawn
    return None


_Parts = tuple[list[PanelPart], list[PanelPart], list[PanelPart]]
"""What acts on x, what acts on the states, and what comes of it."""


def _one_row(scene: Scene, parts: _Parts, coming: int, cells: int, height: int) -> RowBlock | None:
    """Everything side by side; `coming` cells are kept for what torch has not said yet."""
    first, second, results = parts
    row, decimals = [*first, RULE, *second, *results], scene.look.decimals
    if width_of(row, decimals) + coming - 1 > cells or height_of(row) > height:
        return None
    return pad(beside(draw_parts(scene, row, decimals, height), gap=0), cells)


def _two_rows(scene: Scene, parts: _Parts, coming: int, cells: int, height: int) -> RowBlock | None:
    """`W_ih x_t + b_ih` above `W_hh h_prev + b_hh`, the results at their right."""
    first, second, results = parts
    decimals = scene.look.decimals
    wide = max(width_of(first, decimals), width_of(second, decimals)) + width_of(results, decimals)
    tall = max(height_of(first) + height_of(second), height_of(results))
    if wide + coming - 1 > cells or tall > height:
        return None
    left = above([beside(draw_parts(scene, row, decimals, height), gap=0) for row in (first, second)])
    side = beside(draw_parts(scene, results, decimals, len(left)), gap=0)
    return pad(beside([left, side], gap=0), cells)


def is_whole(scene: Scene, cells: int, height: int) -> bool:
    """Whether the block at the cursor is drawn whole, with its weights."""
    return whole(scene, cells, height) is not None


def _is_whole_cell(scene: Scene) -> bool:
    """Whether there is a cell of torch's here: one's own may have any shape."""
    is_cell = scene.block.kind == "recurrent" and scene.is_forward
    return is_cell and scene.known is not None and not scene.scenario.recurrent_of(scene.block).is_own


def _first(scene: Scene) -> list[PanelPart]:
    """What acts on x_t."""
    return [value_grid(scene, "x"), *_stacks(scene, "weight_ih", "bias_ih")]


def _second(scene: Scene) -> list[PanelPart]:
    """What acts on h_prev, and the other states before."""
    h, *others = map(scene.block.program.read_for, scene.cell.states)
    matrices = [replace(grid, gates=()) for grid in _stacks(scene, "weight_hh", "bias_hh")]
    return [value_grid(scene, h), *matrices, *(value_grid(scene, name) for name in others)]


def _results(scene: Scene) -> list[PanelPart]:
    """The gates, the new states, and torch's word on them."""
    gates = [value_grid(scene, name) for name in _gate_names(scene)]
    found: list[PanelPart] = [RULE, *gates, RULE] if gates else [RULE]
    for state in reversed(tuple(scene.cell.states)):
        found += [value_grid(scene, state), *torch_parts(scene, state)]
    return found


def _is_among(part: PanelPart, beside_it: tuple[str, ...]) -> bool:
    """Whether a part stays where of torch's columns only some do."""
    if isinstance(part, Difference):
        return "Δ" in beside_it
    return isinstance(part, str) or part.style != "torch" or "torch" in beside_it


def _judged(scene: Scene, shown: list[PanelPart], results: list[PanelPart]) -> list[PanelPart]:
    """Torch's columns with the ✓ or ✗ that the difference after them had."""
    signs = iter(part.title for part in results if isinstance(part, Difference))
    delta = scene.look.alphabet.spell("Δ")
    return [
        replace(part, title=part.title + next(signs, "").removeprefix(delta))
        if isinstance(part, Grid) and part.style == "torch"
        else part
        for part in shown
    ]


def _coming(scene: Scene, beside_it: tuple[str, ...]) -> int:
    """The cells that torch's columns will take before they are there, so that nothing moves."""
    if scene.look.torch in ("none", "failed"):
        return 0
    coming = [name for name in scene.cell.states if not torch_parts(scene, name)]
    return len(coming) * torch_width(scene.look.decimals, beside_it)


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
    found = {stack.torch: stack.parts for stack in scene.cell.stacks}
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


@by_run(64)
def _stacked(run: SessionRun, batch: int, key: str, parts: tuple[str, ...]) -> Array:
    parameters = run.trace.passes[batch].by_key[key].parameters
    return parameters[parts[0]] if len(parts) == 1 else np.concatenate([parameters[part] for part in parts])
