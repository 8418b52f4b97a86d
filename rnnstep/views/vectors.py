"""Values as vectors: all of a block, or what each block of a step gives."""

from __future__ import annotations

from dataclasses import dataclass

from rnnstep.equations.expand import provenance
from rnnstep.equations.shares import D
from rnnstep.language import Text
from rnnstep.views import grids
from rnnstep.views.compose import RowBlock, above, beside, fit, pad
from rnnstep.views.parts import PanelPart, draw_parts, height_of, torch_parts, value_grid, width_of
from rnnstep.views.rows import Span
from rnnstep.views.scene import Scene

_GOOD_HEIGHT = 6
"""A line of less than this tells too little of its vectors, where others could give way."""

_LEAST_HEIGHT = 3
"""A title, the name of a window, and one number."""

_CONFIRMED = ("recurrent", "map")
"""Kinds of blocks beside whose output torch's stands where a step is seen block by block."""


@dataclass(frozen=True)
class Item:
    """What stands together in a line: parts of one scene, with an arrow before them."""

    scene: Scene
    parts: list[PanelPart]
    has_arrow: bool = False

    def width(self) -> int:
        """The cells that it takes, cut or whole."""
        return width_of(self.parts, self.scene.look.decimals) + 3 * self.has_arrow

    def draw(self, room: int) -> RowBlock:
        """Draw it in at most `room` rows."""
        drawn = draw_parts(self.scene, self.parts, self.scene.look.decimals, room)
        arrow = [grids.operator(self.scene.look.alphabet.spell("→"), len(drawn[0]))] if self.has_arrow else []
        return beside([*arrow, *drawn], gap=0)


def values(scene: Scene, cells: int, height: int, *, is_whole: bool = False) -> RowBlock:
    """Draw what the block read and computed, as many vectors side by side as fit, the rest below.

    Where there is no room for all, the sums inside the gates are left out first, and that is
    said. With `is_whole` it is all or nothing.
    """
    if scene.known is None:
        return over(scene, cells)
    items = [_vector(scene, name) for name in _names(scene)]
    lines = in_lines(items, cells)
    if is_whole:
        return drawn_lines(lines, cells, height) if height_of_lines(lines) <= height else []
    if height_of_lines(lines) <= height or _GOOD_HEIGHT * len(lines) <= height:
        return drawn_lines(lines, cells, height)
    names = [name for name in _names(scene) if not _is_inner(scene, name)]
    lines = in_lines([_vector(scene, name) for name in names], cells)
    if _LEAST_HEIGHT * len(lines) > height - 1:  # what the step is for stands first, and what fits beside it
        names.sort(key=lambda name: not _is_output(scene, name))
        lines = in_lines([_vector(scene, name) for name in names], cells)[
            : max(1, (height - 1) // _LEAST_HEIGHT)
        ]
    note = scene.look.say(Text("… the sums inside: step into the block with ↓"))
    return [*drawn_lines(lines, cells, height - 1), fit((Span(note, "dim"),), cells, scene.look.alphabet)][
        :height
    ]


def _names(scene: Scene) -> list[str]:
    """All values of the block, in the order in which they are read and computed."""
    program = scene.block.program
    return [*program.inputs, *program.befores, *program.names]


def _is_inner(scene: Scene, name: str) -> bool:
    """Whether a value is a sum on the way to a gate or state: what only one line of the block reads."""
    block = scene.block
    if name not in block.program.by_name or name in (*block.program.states, block.output):
        return False
    is_plain = name.partition("_")[0] in ("ih", "hh", "a")
    return is_plain and sum(name in provenance(line) for line in block.program.lines) == 1


def _vector(scene: Scene, name: str) -> Item:
    return Item(
        scene, [value_grid(scene, name), *(torch_parts(scene, name) if _is_output(scene, name) else [])]
    )


def _is_output(scene: Scene, name: str) -> bool:
    return name in (*scene.block.program.states, scene.block.output)


def over(scene: Scene, cells: int) -> RowBlock:
    """Say that the row of the batch takes no part in this step any more."""
    length = scene.fed.true_lengths[scene.row]
    text = Text("row {row} of the batch is over: its length is {length}", row=scene.row, length=length)
    return [fit((Span(scene.look.say(text), "dim"),), cells, scene.look.alphabet)]


def flow(scene: Scene, cells: int, height: int) -> RowBlock:
    """A step of several blocks: what each of them gives, one into the next, torch's word beside the states."""
    items: list[Item] = []
    for block in scene.blocks:
        spot = scene.at(block.key, scene.t)
        if block.sequence != scene.sequence or scene.run.tree.path_to(spot) is None:
            continue
        there = scene.seen_from(spot)
        for number, name in enumerate(_sent_on(there)):
            title = scene.look.alphabet.spell(name if number else f"{block.key} {name}")
            parts: list[PanelPart] = [value_grid(there, name, title=title)]
            if block.kind in _CONFIRMED:
                parts += torch_parts(there, name)
            is_on = there.is_forward or number in (0, len(there.forward_block.program.states))
            has_arrow = bool(items) and is_on and (block.direction == "forward" or bool(number))
            items.append(Item(there, parts, has_arrow=has_arrow))
    if not items:
        return []
    lines = in_lines(items, cells)
    room = max(1, height // _LEAST_HEIGHT)
    if len(lines) <= room:
        return drawn_lines(lines, cells, height)
    here = next((k for k, line in enumerate(lines) for item in line if item.scene.block is scene.block), 0)
    seen = grids.window(len(lines), max(1, (height - 1) // _LEAST_HEIGHT), here)
    note = scene.look.say(Text("… other blocks: step into the step with ↓"))
    drawn = drawn_lines(lines[seen.start : seen.stop], cells, height - 1)
    return [*drawn, fit((Span(note, "dim"),), cells, scene.look.alphabet)]


def _sent_on(scene: Scene) -> list[str]:
    """What a block gives to the next: its output; in the backward pass what reaches its state, and what goes on."""
    block = scene.block
    if scene.is_forward:
        return [block.output]
    forward = scene.forward_block.program
    if block.kind != "recurrent":
        names = [f"{D}{name}" for name in forward.inputs]
    else:
        names = [f"{D}{state}" for state in forward.states] + [f"{D}{name}" for name in forward.befores]
    return [name for name in names if name in block.program.by_name]


def in_lines(items: list[Item], cells: int) -> list[list[Item]]:
    """Put items in lines of `cells`."""
    lines: list[list[Item]] = [[]]
    used = 0
    for item in items:
        size = item.width()
        if used + size > cells and lines[-1]:
            lines.append([])
            used = 0
        lines[-1].append(item)
        used += size
    return lines


def height_of_lines(lines: list[list[Item]]) -> int:
    """The rows that lines take whole."""
    return sum(max(height_of(item.parts) for item in line) for line in lines)


def drawn_lines(lines: list[list[Item]], cells: int, height: int) -> RowBlock:
    """Draw lines; where they are too high together, each item is cut to its share."""
    room = height if height_of_lines(lines) <= height else max(_LEAST_HEIGHT, height // len(lines))
    drawn = [beside([item.draw(room) for item in line], gap=0) for line in lines]
    return pad(above(drawn)[:height], cells, None, lines[0][0].scene.look.alphabet)
