"""The backward pass and the update as pictures: gradients as vectors, torch's beside them, parameters' as small matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rnnstep.engine.backward import BackwardPass
from rnnstep.engine.epoch import UpdatePass
from rnnstep.equations.differentiate import ABOVE, NEXT
from rnnstep.equations.shares import D
from rnnstep.language import Text
from rnnstep.views import grids, numbers
from rnnstep.views.compose import RowBlock, above, beside, fit, pad
from rnnstep.views.grids import Grid
from rnnstep.views.parts import PanelPart, torch_parts, value_grid
from rnnstep.views.prose import columns
from rnnstep.views.rows import Row, Span, plain
from rnnstep.views.scene import Scene
from rnnstep.views.vectors import Item, drawn_lines, height_of_lines, in_lines, over

_GOOD_HEIGHT = 6
"""Matrices in less tell too little."""

_LEAST_CELLS = 20
"""A matrix in less than this tells too little."""


_BESIDE = 36
"""From so many cells on matrices may stand at the right of vectors: four numbers of a row."""


def back_values(scene: Scene, cells: int, height: int) -> RowBlock:
    """A block of the backward pass: what reaches it and what it sends on, then its parameters' sums and shares."""
    if scene.known is None:
        return over(scene, cells)
    upper = _vectors(scene, _of_rows(scene), cells, height)
    names = _of_parameters(scene)
    sums_alone = [name for name in names if not name.endswith("_t")]
    for shown, gap in ((names, 1), (sums_alone, 1), (sums_alone, 0)):
        rest = height - len(upper) - gap
        grids_of = [value_grid(scene, name) for name in shown]
        if shown and _is_whole(scene, grids_of, cells, rest):
            return above([upper, matrices(scene, grids_of, cells, rest)], gap=gap)
    gap = int(height - len(upper) > _GOOD_HEIGHT)
    rest = height - len(upper) - gap
    if not sums_alone:
        return upper
    if rest < _GOOD_HEIGHT:
        used = max((len(line.rstrip()) for line in plain(upper).split("\n")), default=0)
        if cells - used - 2 >= _BESIDE:  # tall vectors leave the room at their right
            narrow = pad(upper, used, None, scene.look.alphabet)
            grids_of = [value_grid(scene, name) for name in sums_alone]
            return beside([narrow, matrices(scene, grids_of, cells - used - 2, height)], gap=2)
    if rest < 1:
        return upper
    if rest < _GOOD_HEIGHT:
        return [*upper, *[()] * gap, _left_out(scene, sums_alone, cells)]
    return above(
        [upper, matrices(scene, [value_grid(scene, name) for name in sums_alone], cells, rest)], gap=gap
    )


def _vectors(scene: Scene, names: list[str], cells: int, height: int) -> RowBlock:
    """Gradients of this row as vectors; those that say most, where there would be no room for anything else."""
    first = [name for name in names if _is_first(scene, name)] or names
    choices = [in_lines([_vector(scene, name) for name in shown], cells) for shown in (names, first) if shown]
    if not choices:
        return []
    heights = [height_of_lines(lines) for lines in choices]
    good = next((k for k, high in enumerate(heights) if height - high >= _GOOD_HEIGHT - 1), None)
    if good is None:
        good = next((k for k, high in enumerate(heights) if high <= height), None)
    if good is None:
        return _as_many(scene, first, cells, height)
    return drawn_lines(choices[good], cells, min(height, heights[good]))


def _as_many(scene: Scene, names: list[str], cells: int, height: int) -> RowBlock:
    """The first of some vectors, as many as stand there whole; cut to windows where not even one does."""
    lines = in_lines([_vector(scene, name) for name in names], cells)
    for count in range(len(names) - 1, 0, -1):
        fewer = in_lines([_vector(scene, name) for name in names[:count]], cells)
        if height_of_lines(fewer) <= height:
            lines = fewer
            break
    return drawn_lines(lines, cells, min(height, height_of_lines(lines)))


def _vector(scene: Scene, name: str) -> Item:
    is_state = name.removeprefix(D) in scene.forward_block.program.states
    parts: list[PanelPart] = [value_grid(scene, name), *(torch_parts(scene, name) if is_state else [])]
    return Item(scene, parts)


def _of_rows(scene: Scene) -> list[str]:
    """What is a gradient for each row of the batch, in the order of the backward pass; what only passes on is left out."""
    program, forward = scene.block.program, scene.forward_block.program
    found: list[str] = []
    for name in (*program.inputs, *program.befores, *program.names):
        value = name.removeprefix(D)
        if not name.startswith(D) or len(program.shapes[name]) > 1 or name.endswith("⋮"):
            continue
        is_of_parameter = any(value in (one, f"{one}_t", f"{one}_later") for one in forward.parameters)
        if not is_of_parameter and value.partition("_")[0] not in ("ih", "hh"):
            found.append(name)
    return found


def _is_first(scene: Scene, name: str) -> bool:
    """Whether a gradient is among those that stay where there is little room: of states, and what goes on."""
    forward = scene.forward_block.program
    value = name.removeprefix(D)
    kept = (*forward.states, *forward.befores, *forward.inputs, scene.forward_block.output)
    return value in kept or value.endswith((ABOVE, NEXT))


def _of_parameters(scene: Scene) -> list[str]:
    """The parameters' sums, then the shares of this step; the matrices first."""
    names = scene.block.program.names
    parameters = scene.forward_block.program.parameters
    sums = [f"{D}{one}" for one in parameters if f"{D}{one}" in names]
    shares = [f"{D}{one}_t" for one in parameters if f"{D}{one}_t" in names]
    shapes = scene.block.program.shapes
    return sorted(sums, key=lambda name: -len(shapes[name])) + sorted(
        shares, key=lambda name: -len(shapes[name])
    )


def sums(scene: Scene, cells: int, height: int) -> RowBlock:
    """The sums of the parameters' gradients as far as they have come; nothing where they would tell too little."""
    names = [name for name in _of_parameters(scene) if not name.endswith("_t")]
    shown = [value_grid(scene, name) for name in names]
    if not shown or (height < _GOOD_HEIGHT and not _is_whole(scene, shown, cells, height)):
        return []
    return matrices(scene, shown, cells, height)


# ── matrices in little room ──────────────────────────────────────────────────────────────


def matrices(scene: Scene, shown: Sequence[Grid], cells: int, height: int) -> RowBlock:
    """Draw grids in rows, whole if they fit; else as many as are whole, or the first of them, each in a window.

    Which are left out is said.
    """
    decimals = scene.look.decimals
    if _is_whole(scene, shown, cells, height):
        return above(
            [_drawn(scene, line, decimals, cells, height) for line in _rows_of(shown, cells, decimals)]
        )
    kept = list(shown)
    while len(kept) > 1 and not _is_whole(scene, kept, cells, height - 1):
        kept.pop()
    if len(kept) == 1 and not _is_whole(scene, kept, cells, height - 1):
        kept = list(shown)[: max(1, cells // _LEAST_CELLS)]
        lines = [kept]
    else:
        lines = _rows_of(kept, cells, decimals)
    drawn = above([_drawn(scene, line, decimals, cells, height - 1) for line in lines])
    left_out = len(shown) - len(kept)
    if not left_out:
        return pad(drawn[:height], cells, None, scene.look.alphabet)
    row = _left_out(scene, [grid.title for grid in shown[len(kept) :]], cells)
    return [*pad(drawn[: height - 1], cells, None, scene.look.alphabet), row]


def _left_out(scene: Scene, names: Sequence[str], cells: int) -> Row:
    """What there was no room for."""
    shown = ", ".join(names[:4]) + (" …" if len(names) > 4 else "")
    note = Text("… {names}: step into the block with ↓", names=shown)
    return fit((Span(scene.look.alphabet.spell(scene.look.say(note)), "dim"),), cells, scene.look.alphabet)


def _is_whole(scene: Scene, shown: Sequence[Grid], cells: int, height: int) -> bool:
    """Whether all grids fit whole."""
    decimals = scene.look.decimals
    is_narrow = all(grids.grid_width(grid, decimals) <= cells for grid in shown)
    return is_narrow and sum(map(_tallest, _rows_of(shown, cells, decimals))) <= height


def _rows_of(shown: Sequence[Grid], cells: int, decimals: int) -> list[list[Grid]]:
    lines: list[list[Grid]] = [[]]
    used = 0
    for grid in shown:
        size = grids.grid_width(grid, decimals) + 1
        if used + size > cells and lines[-1]:
            lines.append([])
            used = 0
        lines[-1].append(grid)
        used += size
    return lines


def _tallest(line: Sequence[Grid]) -> int:
    return 1 + max((grid.rows for grid in line), default=0)


def _drawn(scene: Scene, line: Sequence[Grid], decimals: int, cells: int, height: int) -> RowBlock:
    """Grids side by side, each whole if all fit, else in its share of the cells."""
    alphabet = scene.look.alphabet
    sizes = [grids.grid_width(grid, decimals) for grid in line]
    share = cells if sum(sizes) + len(line) <= cells else max(8, cells // len(line) - 1)
    has_caption = any(grids.is_cut(grid, decimals, height, share) for grid in line)
    return beside(
        [
            grids.draw(grid, decimals, height, share, has_caption=has_caption, alphabet=alphabet)
            for grid in line
        ],
        gap=1,
    )


# ── the update ───────────────────────────────────────────────────────────────────────────


def update_values(scene: Scene, cells: int, height: int) -> RowBlock:
    """A parameter before its update, its gradient, what is taken off, and the parameter after."""
    program = scene.block.program
    if scene.block.kind == "clip":
        names = [*program.inputs, *program.names]
    else:
        between = [name for name in ("m", "v", "buf") if name in program.by_name]
        names = ["w_prev", "grad", "update", "w", *between]
    return matrices(scene, [value_grid(scene, name) for name in names], cells, height)


@dataclass(frozen=True)
class _Line:
    """A parameter in the table of a pass."""

    name: str
    shape: tuple[int, ...]
    gradient: float
    moved: float | None


def parameters_table(scene: Scene, cells: int, height: int) -> RowBlock:
    """Every parameter with the norm of its gradient; after an update how far it moved as well."""
    lines = _lines_of(scene)
    say = scene.look.say
    has_torch = any(_torch(scene, one.name) for one in lines)
    head: Row = (
        Span(say(Text("parameter")), "label"),
        Span(say(Text("shape")), "label"),
        Span(say(Text("‖gradient‖")), "label"),
        *(
            (Span(say(Text("moved by at most")), "label"),)
            if any(one.moved is not None for one in lines)
            else ()
        ),
        *((Span("torch", "torch"),) if has_torch else ()),
    )
    room = max(1, height - 2) if len(lines) > height - 1 else len(lines)
    rows: list[Row] = [head]
    for one in lines[:room]:
        place = f"{scene.update_prefix}{one.name}" if scene.update_prefix else ""
        moved = () if one.moved is None else (Span(_short(scene, one.moved)),)
        rows.append(
            (
                Span(one.name, "link" if place else "", f"go {place}" if place else ""),
                Span(f"({', '.join(map(str, one.shape))})", "dim"),
                Span(_short(scene, one.gradient)),
                *moved,
                *_torch(scene, one.name),
            )
        )
    spelt = [tuple(span._replace(text=scene.look.alphabet.spell(span.text)) for span in row) for row in rows]
    drawn = columns(spelt, cells)
    if room < len(lines):
        drawn.append((Span(say(Text("… {count} more", count=len(lines) - room)), "dim"),))
    return [fit(row, cells, scene.look.alphabet) for row in drawn][:height]


def _torch(scene: Scene, name: str) -> Row:
    """Torch's word on a parameter: `✓ ≤ 6e-8`; nothing where it has none yet."""
    found = None if scene.session.is_hidden else _apart(scene, name)
    if found is None:
        return ()
    largest, agrees = found
    alphabet = scene.look.alphabet
    reach = f"≤ {numbers.brief(largest, 1)}" if largest else scene.look.say(Text("exactly"))
    return (Span(f"{alphabet.check if agrees else alphabet.wrong} {reach}", "ok" if agrees else "bad"),)


def _apart(scene: Scene, name: str) -> tuple[float, bool] | None:
    """How far the engine's and torch's gradient of a parameter are apart, or the parameter after its update; and whether they agree."""
    if scene.checked is None:
        return None
    done = scene.run.pass_of(scene.spot)
    if isinstance(done, BackwardPass):
        back = scene.checked.backward[scene.batch]
        if back is None:
            return None
        gap = np.abs(np.asarray(done.parameters[name], np.float64) - back.parameters[name])
        return float(np.nanmax(gap, initial=0.0)), back.agrees_on("parameters", name)
    update = scene.checked.updates[scene.batch]
    found = None if update is None else update.difference(name, "w")
    if update is None or found is None:
        return None
    return float(np.nanmax(found, initial=0.0)), update.agrees_at(name, "w") is not False


def _lines_of(scene: Scene) -> list[_Line]:
    done = scene.run.pass_of(scene.spot)
    if isinstance(done, BackwardPass):
        return [_Line(name, value.shape, _norm(value), None) for name, value in done.parameters.items()]
    assert isinstance(done, UpdatePass)
    found = []
    for block in done.blocks:
        if block.kind == "update":
            known = done.values(block.key)
            moved = np.asarray(known["w"], np.float64) - np.asarray(known["w_prev"], np.float64)
            found.append(
                _Line(
                    block.key, known["w"].shape, _norm(known["grad"]), float(np.abs(moved).max(initial=0.0))
                )
            )
    return found


def _norm(value: object) -> float:
    return float(np.linalg.norm(np.asarray(value, np.float64)))


def _short(scene: Scene, value: float) -> str:
    return numbers.brief(value, 3, alphabet=scene.look.alphabet)
