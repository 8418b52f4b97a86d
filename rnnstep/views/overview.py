"""A matrix too large for its place, seen whole: a heat map of two values a character, and where the window lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rnnstep.equations.expand import provenance
from rnnstep.language import Text
from rnnstep.views import grids, heat
from rnnstep.views.by_run import by_run
from rnnstep.views.compose import RowBlock, beside
from rnnstep.views.rows import Span

if TYPE_CHECKING:
    from rnnstep.session.run import SessionRun
    from rnnstep.views.alphabet import Alphabet
    from rnnstep.views.scene import Scene

_LEAST_HEIGHT = 5
_MINIMAP = (16, 6)


def overview(scene: Scene, seen: tuple[int, int], cells: int, height: int) -> RowBlock:
    """Draw the line's matrix in `cells` by `height` where it is larger than `seen` rows and columns; else nothing."""
    name = _matrix(scene)
    if name is None or height < _LEAST_HEIGHT or cells < _MINIMAP[0] * 2:
        return []
    rows, columns = scene.block.parameters[name].shape
    if rows <= seen[0] and columns <= seen[1]:
        return []
    alphabet = scene.look.alphabet
    room = cells - _MINIMAP[0] - 3
    lines = height - 2
    picture = _picture(scene.run, scene.batch, scene.block.key, name, lines, room, alphabet)
    spot = scene.cursor
    down = grids.window(rows, seen[0], spot.element if spot else None)
    across = grids.window(columns, seen[1], spot.term if spot else None)
    window = (down.start, down.stop - down.start, across.start, across.stop - across.start)
    small = heat.minimap((rows, columns), window, (_MINIMAP[0], min(_MINIMAP[1], lines)), alphabet)
    title = Text("{name} whole, {rows}×{columns}", name=name, rows=rows, columns=columns)
    head = (
        Span(scene.look.say(title), "dim"),
        Span("  "),
        *heat.legend("weight", scene.scale("weight"), alphabet=alphabet),
    )
    return [(), head, *beside([list(picture), small], gap=2)]


def _matrix(scene: Scene) -> str | None:
    """The matrix that the line at the cursor reads."""
    line = scene.run.line(scene.spot)
    found = [
        name
        for name in provenance(line)
        if name in scene.block.parameters and scene.block.parameters[name].ndim == 2
    ]
    return found[0] if found else None


@by_run(16)
def _picture(
    run: SessionRun, batch: int, key: str, name: str, lines: int, room: int, alphabet: Alphabet
) -> tuple[tuple[Span, ...], ...]:
    """The heat map; weights do not change from step to step, so it is drawn once."""
    matrix = run.trace.passes[batch].by_key[key].parameters[name]
    values = heat.shrink(matrix, lines * (2 if alphabet.half else 1), room)
    return tuple(heat.picture(values, "weight", heat.scale(matrix), alphabet=alphabet))
