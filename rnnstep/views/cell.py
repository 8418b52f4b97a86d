"""A cell whole: its weights as torch stacks them, what it read, its gates and its new states.

    x_t  W_ih  b_ih │ h_prev  W_hh  b_hh │ i f g o │ c  h │ torch  Δ
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from rnnstep.language import Text
from rnnstep.session.tree import Spot
from rnnstep.views import grids, numbers, torch_column
from rnnstep.views.compose import Block, above, beside, fit, pad
from rnnstep.views.grids import Grid
from rnnstep.views.rows import Row, Span
from rnnstep.views.scene import Scene

if TYPE_CHECKING:
    from rnnstep.equations.operations import Array
    from rnnstep.session.run import Run

_LEAST_DECIMALS = 2
_NO_LIMIT = 10_000
_DIFFERENCE = 7
"""The cells of the column Δ: ` +6e-08`."""


def cell(scene: Scene, cells: int, height: int) -> Block:
    """Draw the block at the cursor in `cells` by `height`: whole if it fits, else its values as vectors."""
    if scene.known is None:
        return _over(scene, cells)
    drawn = None if scene.block.kind != "recurrent" else whole(scene, cells, height) or _two_rows(scene, cells, height)
    return drawn or values(scene, cells, height)


def whole(scene: Scene, cells: int, height: int) -> Block | None:
    """Draw a recurrent block whole in one row; None where it does not fit."""
    if scene.known is None or scene.block.kind != "recurrent":
        return None
    return _row(scene, _first(scene) + _second(scene), _results(scene), cells, height)


def values(scene: Scene, cells: int, height: int) -> Block:
    """Draw everything that the block read and computed as vectors."""
    if scene.known is None:
        return _over(scene, cells)
    program = scene.block.program
    names = [*program.inputs, *(f"{name}_prev" for name in program.states), *program.names]
    return vectors(scene, names, cells, height)


def _over(scene: Scene, cells: int) -> Block:
    text = Text("row {row} of the batch is over: its length is {length}", row=scene.row, length=_length(scene))
    return [fit((Span(scene.look.say(text), "dim"),), cells)]


def _length(scene: Scene) -> int:
    lengths = scene.done.batch.lengths
    return lengths[scene.row] if lengths else scene.done.batch.num_steps


# ── parts ────────────────────────────────────────────────────────────────────────────


def value_grid(scene: Scene, name: str, *, title: str = "") -> Grid:
    """The grid of one of the block's values, empty while it is not computed or hidden."""
    known = scene.known
    is_line = name in scene.block.program.by_name
    is_seen = known is not None and (not is_line or (scene.is_begun(name) and not scene.is_hidden(name)))
    values = known[name] if known is not None and is_seen else None
    if name == "index" and values is not None:
        values = values.reshape(1)
    shape = tuple(int(size) for size in scene.block.program.shapes[name]) or (1,)
    kind = scene.kind(name)
    place = _place(scene, name) if is_line else ""
    return Grid(
        title or shown_name(name),
        values,
        shape,
        kind,
        scene.scale(kind),
        style="changed" if is_line and is_seen and scene.has_changed(name) else "",
        cover="?" if is_line and scene.is_hidden(name) else "",
        target=(lambda y, x: f"go {place}[{y}]") if place else None,
        is_given=scene.is_given(name),
        seen=scene.elements_done(name) if is_line else None,
        changed=scene.changed_by_edit(name),
    )


def shown_name(name: str) -> str:
    """A value's name over its vector: `h_prev` → `h_prev`, `x` → `x_t`."""
    return "x_t" if name == "x" else name


def _place(scene: Scene, name: str) -> str:
    batches = f"{scene.spot.batch + 1}:" if len(scene.run.trace.passes) > 1 else ""
    return f"{batches}{scene.t + 1}/{scene.spot.key}/{name}"


def _stack(scene: Scene, torch: str) -> Grid | None:
    """One of torch's stacked parameters, its rows named by the gates; None where the cell has none."""
    stack = next((one for one in scene.scenario.cell.stacks if one.torch == torch), None)
    if stack is None or any(part not in scene.block.parameters for part in stack.parts):
        return None
    values = _stacked(scene.run, scene.spot.batch, scene.block.key, stack.parts)
    before = scene.session.before if scene.session.edits else None
    old = None if before is None else _stacked(before, scene.spot.batch, scene.block.key, stack.parts)
    kind = scene.kind(stack.parts[0])
    title = torch.replace("weight_", "W_").replace("bias_", "b_")
    return Grid(title, values, values.shape, kind, scene.scale(kind), gates=_gates(stack.parts), is_given=True, changed=None if old is None else np.asarray(old != values))


def _gates(parts: tuple[str, ...]) -> tuple[str, ...]:
    """The gates' letters of a stacked parameter; none where there is one part."""
    return tuple(part[-1] for part in parts) if len(parts) > 1 else ()


@lru_cache(maxsize=64)
def _stacked(run: Run, batch: int, key: str, parts: tuple[str, ...]) -> Array:
    parameters = run.trace.passes[batch].by_key[key].parameters
    return parameters[parts[0]] if len(parts) == 1 else np.concatenate([parameters[part] for part in parts])


def _first(scene: Scene) -> list[Grid | str]:
    """What acts on x_t."""
    return [grid for grid in (value_grid(scene, "x"), _stack(scene, "weight_ih"), _stack(scene, "bias_ih")) if grid]


def _second(scene: Scene) -> list[Grid | str]:
    """What acts on h_prev."""
    found = [value_grid(scene, "h_prev"), _stack(scene, "weight_hh"), _stack(scene, "bias_hh")]
    return ["│", *(replace(grid, gates=()) for grid in found if grid)]


def _results(scene: Scene) -> list[Grid | str]:
    """The gates, the new states, and torch's word on them."""
    cell_of = scene.scenario.cell
    gates: list[Grid | str] = ["│"] if len(scene.block.program.lines) > 4 else []
    gates += [value_grid(scene, name) for name in gate_names(scene)]
    found: list[Grid | str] = [*gates, "│"]
    for state in reversed(tuple(cell_of.states)):
        found.append(value_grid(scene, state))
        found += _torch(scene, state)
    return found


def gate_names(scene: Scene) -> list[str]:
    """What the activations of the sums give: i f g o, r z n; nothing for an RNN."""
    names = scene.block.program.by_name
    return [name.removeprefix("a_") for name in names if name.startswith("a_") and name.removeprefix("a_") in names]


def _torch(scene: Scene, name: str) -> list[Grid | str]:
    """Torch's value, and the difference with ✓ or ✗ in its title."""
    if not scene.is_line_done(name) or scene.is_hidden(name):
        return []
    shape = tuple(int(size) for size in scene.block.program.shapes[name])
    found: list[Grid | str] = list(torch_column.grids_of(scene, name, shape))
    gap = torch_column.difference(scene, name)
    if gap is not None:
        found.append(_difference(scene, name, gap))
    return found


def _difference(scene: Scene, name: str, gap: Array) -> Grid:
    alphabet = scene.look.alphabet
    verdict = torch_column.agrees(scene, name)
    sign = "" if verdict is None else f" {alphabet.check if verdict else alphabet.wrong}"
    return Grid(f"{alphabet.spell('Δ')}{sign}", gap, gap.shape, style="dim" if verdict else "bad", is_plain=True)


# ── rows ─────────────────────────────────────────────────────────────────────────────


def _row(scene: Scene, operands: list[Grid | str], results: list[Grid | str], cells: int, height: int) -> Block | None:
    """Put grids side by side, operands with fewer decimals where they must; None if they do not fit whole."""
    decimals = _fitting(scene, [operands], cells - _results_width(scene, results))
    if decimals is None or _height([*operands, *results]) > height:
        return None
    drawn = _drawn(scene, operands, decimals, height) + _drawn(scene, results, scene.look.decimals, height)
    return pad(beside(drawn, gap=0), cells)


def _two_rows(scene: Scene, cells: int, height: int) -> Block | None:
    """`W_ih x_t + b_ih` above `W_hh h_prev + b_hh`, the results at their right."""
    first, second, results = _first(scene), _second(scene)[1:], _results(scene)
    decimals = _fitting(scene, [first, second], cells - _results_width(scene, results))
    if decimals is None or _height(first) + _height(second) > height or _height(results) > height:
        return None
    left = above([beside(_drawn(scene, parts, decimals, height), gap=0) for parts in (first, second)])
    side = beside(_drawn(scene, results, scene.look.decimals, len(left)), gap=0)
    return pad(beside([left, side], gap=0), cells)


def _fitting(scene: Scene, rows: list[list[Grid | str]], cells: int) -> int | None:
    """The most decimals, of those asked for and less, with which every row fits; None if none does."""
    most = scene.look.decimals
    choices = range(most, min(_LEAST_DECIMALS, most) - 1, -1)
    return next((decimals for decimals in choices if all(_width(row, decimals) <= cells for row in rows)), None)


def _height(parts: list[Grid | str]) -> int:
    return 1 + max(part.rows for part in parts if isinstance(part, Grid))


def _results_width(scene: Scene, results: list[Grid | str]) -> int:
    """The cells that results take, with room for torch's columns before they are there, so that nothing moves."""
    shown = _width(results, scene.look.decimals)
    titles = {part.title for part in results if isinstance(part, Grid)}
    coming = [name for name in scene.scenario.cell.states if name in titles and not _torch(scene, name)]
    if not coming or scene.look.torch in ("none", "failed"):
        return shown
    column = Grid("torch", None, (1,), is_plain=True)
    return shown + len(coming) * (grids.grid_width(column, scene.look.decimals) + 1 + _DIFFERENCE + 1)


def _width(parts: list[Grid | str], decimals: int) -> int:
    return sum(2 if isinstance(part, str) else _grid_width(part, decimals) + 1 for part in parts)


def _grid_width(grid: Grid, decimals: int) -> int:
    return _difference_width(grid) if grid.style in ("dim", "bad") else grids.grid_width(grid, decimals)


def _difference_width(grid: Grid) -> int:
    return max(_DIFFERENCE, len(grid.title) + 1)


def _drawn(scene: Scene, parts: list[Grid | str], decimals: int, height: int) -> list[Block]:
    tallest = max((grid.rows for grid in parts if isinstance(grid, Grid)), default=1)
    rows = min(height, tallest + 1)
    alphabet = scene.look.alphabet
    drawn: list[Block] = []
    for part in parts:
        if isinstance(part, str):
            drawn.append([(Span(f"{alphabet.vertical} ", "border"),)] * rows)
        elif part.style in ("dim", "bad"):
            drawn.append(_drawn_difference(scene, part, height))
        else:
            drawn.append([(*row, Span(" ")) for row in grids.draw(part, decimals, height, _NO_LIMIT, alphabet=alphabet)])
    return drawn


def _drawn_difference(scene: Scene, grid: Grid, height: int) -> Block:
    """Differences in one significant digit, with their sign, beside the rows that are seen."""
    assert grid.values is not None
    style = "ok" if grid.style == "dim" else "bad"
    seen = grids.window(grid.rows, height - 1, None)
    head: Block = [(Span(f" {grid.title}", style),)]
    if not seen.is_whole:
        seen = grids.window(grid.rows, height - 2, None)
        head.append(())
    alphabet = scene.look.alphabet
    lines = [(Span(f" {numbers.difference(float(gap), alphabet=alphabet)}", grid.style),) for gap in grid.values[seen.start : seen.stop]]
    return pad([*head, *lines], _difference_width(grid))


@dataclass(frozen=True)
class _Item:
    """What stands together in a line: grids of one scene, with an arrow before them."""

    scene: Scene
    grids: list[Grid | str]
    has_arrow: bool = False

    @property
    def height(self) -> int:
        """The rows that it takes whole."""
        return _height(self.grids)

    def width(self) -> int:
        """The cells that it takes, cut or whole."""
        decimals = self.scene.look.decimals
        return _width(self.grids, decimals) + 3 * self.has_arrow

    def draw(self, room: int) -> Block:
        """Draw it in at most `room` rows."""
        drawn = _drawn(self.scene, self.grids, self.scene.look.decimals, room)
        arrow = [grids.operator(self.scene.look.alphabet.spell("→"), len(drawn[0]))] if self.has_arrow else []
        return beside([*arrow, *drawn], gap=0)


def vectors(scene: Scene, names: list[str], cells: int, height: int) -> Block:
    """Draw values as vectors, as many side by side as fit, the rest below; torch's word beside the states."""
    outputs = (*scene.block.program.states, scene.block.output)
    items = [
        _Item(scene, [value_grid(scene, name), *(_torch(scene, name) if name in outputs else [])]) for name in names
    ]
    return _packed(items, cells, height)


def flow(scene: Scene, cells: int, height: int) -> Block:
    """A step of several blocks: what each of them gives, one into the next, torch's word beside the states."""
    items: list[_Item] = []
    for block in scene.done.blocks:
        spot = Spot(scene.spot.batch, block.key, scene.t)
        if scene.run.tree.path_to(spot) is None:
            continue
        there = _at(scene, spot)
        found: list[Grid | str] = [value_grid(there, block.output, title=scene.look.alphabet.spell(f"{block.key} {block.output}"))]
        if block.kind in ("recurrent", "linear"):
            found += _torch(there, block.output)
        items.append(_Item(there, found, has_arrow=bool(items)))
    return _packed(items, cells, height)


def _at(scene: Scene, spot: Spot) -> Scene:
    """The scene as seen from another block of the same step."""
    other = Scene(scene.session, scene.look)
    other.__dict__["spot"] = spot
    return other


def _packed(items: list[_Item], cells: int, height: int) -> Block:
    """Put items in lines of `cells`; where the lines are too high together, each is cut to its share."""
    lines: list[list[_Item]] = [[]]
    used = 0
    for item in items:
        size = item.width()
        if used + size > cells and lines[-1]:
            lines.append([])
            used = 0
        lines[-1].append(item)
        used += size
    whole = sum(max(item.height for item in line) for line in lines if line)
    room = height if whole <= height else max(3, height // len(lines))
    drawn = [beside([item.draw(room) for item in line], gap=0) for line in lines if line]
    return pad(above(drawn)[:height], cells, None, items[0].scene.look.alphabet)
