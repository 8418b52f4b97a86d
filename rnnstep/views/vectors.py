"""Values as vectors: all of a block, or what each block of a step gives."""

from __future__ import annotations

from dataclasses import dataclass

from rnnstep.language import Text
from rnnstep.session.tree import Spot
from rnnstep.views import grids
from rnnstep.views.compose import Block, above, beside, fit, pad
from rnnstep.views.parts import Part, draw_parts, height_of, torch_parts, value_grid, width_of
from rnnstep.views.rows import Span
from rnnstep.views.scene import Scene

_CONFIRMED = ("recurrent", "linear")
"""Kinds of blocks beside whose output torch's stands where a step is seen block by block."""


@dataclass(frozen=True)
class _Item:
    """What stands together in a line: parts of one scene, with an arrow before them."""

    scene: Scene
    parts: list[Part]
    has_arrow: bool = False

    def width(self) -> int:
        """The cells that it takes, cut or whole."""
        return width_of(self.parts, self.scene.look.decimals) + 3 * self.has_arrow

    def draw(self, room: int) -> Block:
        """Draw it in at most `room` rows."""
        drawn = draw_parts(self.scene, self.parts, self.scene.look.decimals, room)
        arrow = [grids.operator(self.scene.look.alphabet.spell("→"), len(drawn[0]))] if self.has_arrow else []
        return beside([*arrow, *drawn], gap=0)


def values(scene: Scene, cells: int, height: int) -> Block:
    """Draw everything that the block read and computed, as many vectors side by side as fit, the rest below."""
    if scene.known is None:
        return over(scene, cells)
    program = scene.block.program
    outputs = (*program.states, scene.block.output)
    names = [*program.inputs, *(f"{name}_prev" for name in program.states), *program.names]
    items = [
        _Item(scene, [value_grid(scene, name), *(torch_parts(scene, name) if name in outputs else [])])
        for name in names
    ]
    return _packed(items, cells, height)


def over(scene: Scene, cells: int) -> Block:
    """Say that the row of the batch takes no part in this step any more."""
    lengths = scene.done.batch.lengths
    length = lengths[scene.row] if lengths else scene.done.batch.num_steps
    text = Text("row {row} of the batch is over: its length is {length}", row=scene.row, length=length)
    return [fit((Span(scene.look.say(text), "dim"),), cells)]


def flow(scene: Scene, cells: int, height: int) -> Block:
    """A step of several blocks: what each of them gives, one into the next, torch's word beside the states."""
    items: list[_Item] = []
    for block in scene.done.blocks:
        spot = Spot(scene.spot.batch, block.key, scene.t)
        if scene.run.tree.path_to(spot) is None:
            continue
        there = scene.seen_from(spot)
        title = scene.look.alphabet.spell(f"{block.key} {block.output}")
        parts: list[Part] = [value_grid(there, block.output, title=title)]
        if block.kind in _CONFIRMED:
            parts += torch_parts(there, block.output)
        items.append(_Item(there, parts, has_arrow=bool(items)))
    return _packed(items, cells, height)


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
    whole = sum(max(height_of(item.parts) for item in line) for line in lines)
    room = height if whole <= height else max(3, height // len(lines))
    drawn = [beside([item.draw(room) for item in line], gap=0) for line in lines]
    return pad(above(drawn)[:height], cells, None, items[0].scene.look.alphabet)
