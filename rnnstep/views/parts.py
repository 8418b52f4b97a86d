"""What a row of a panel is made of: grids of values, torch's beside them, differences, and rules between."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rnnstep.views import grids, numbers, own_column, torch_column
from rnnstep.views.compose import RowBlock, pad
from rnnstep.views.grids import Grid
from rnnstep.views.rows import Span
from rnnstep.views.scene import Scene

if TYPE_CHECKING:
    from rnnstep.equations.operations import Array

RULE = "│"
"""A rule between groups of grids."""

_NO_LIMIT = 10_000
_DIFFERENCE = 7
"""The cells of the column Δ: ` +6e-08`."""


@dataclass(frozen=True, eq=False)
class Difference:
    """The column Δ: the engine's minus torch's, (n,), and whether torch agrees."""

    title: str
    values: Array
    is_agreed: bool
    air: int = 0

    @property
    def rows(self) -> int:
        """How many numbers it has."""
        return len(self.values)

    @property
    def tall(self) -> int:
        """How many rows of text they take."""
        return self.rows * (1 + self.air) - self.air


PanelPart = Grid | Difference | str


def value_grid(scene: Scene, name: str, *, title: str = "") -> Grid:
    """The grid of one of the block's values, empty while it is not computed or hidden."""
    known = scene.known
    is_line = name in scene.block.program.by_name
    is_seen = known is not None and (not is_line or scene.is_shown(name))
    values = known[name] if known is not None and is_seen else None
    if name == "index" and values is not None:
        values = values.reshape(1)
    kind = scene.kind(name)
    return Grid(
        title or shown_name(name),
        values,
        scene.shape(name),
        kind,
        scene.scale_of(name),
        style="changed" if is_line and is_seen and scene.has_changed(name) else "",
        cover="?" if is_line and scene.is_hidden(name) else "",
        target=element_target(scene, name) if is_line else None,
        is_given=scene.is_given(name),
        seen=scene.elements_done(name) if is_line else None,
        changed=scene.changed_by_edit(name),
    )


def element_target(scene: Scene, name: str) -> grids.TargetAt:
    """A click on an element of a line's value goes there."""
    return grids.ElementTarget(scene.place(name), scene.shape(name))


def shown_name(name: str) -> str:
    """A value's name over its vector: `x` is `x_t`."""
    return "x_t" if name == "x" else name


def torch_parts(scene: Scene, name: str) -> list[PanelPart]:
    """Torch's value and the difference, with ✓ or ✗ in its title; nothing while either is not there."""
    if not scene.is_line_done(name) or scene.is_hidden(name):
        return []
    found: list[PanelPart] = list(torch_column.grids_of(scene, name))
    gap = torch_column.difference(scene, name)
    if gap is not None:
        verdict = torch_column.agrees(scene, name)
        alphabet = scene.look.alphabet
        # A ✓ beside a large difference along the run would say what it does not mean.
        is_silent = verdict is None or (verdict and torch_column.has_parted(scene))
        known = None if scene.known is None else scene.known[name]
        sign = "" if is_silent else f" {torch_column.sign(scene, known, agrees=verdict is True).text}"
        found.append(Difference(alphabet.spell("Δ") + sign, gap, is_agreed=verdict is not False))
    return [*found, *own_column.grids_of(scene, name)]


def torch_width(decimals: int, beside_it: tuple[str, ...] = ("torch", "Δ")) -> int:
    """The cells that torch's value and the difference take beside a state."""
    torch = grids.grid_width(Grid("torch ✓", None, (1,), is_plain=True), decimals) + 1
    return torch * ("torch" in beside_it) + (_DIFFERENCE + 1) * ("Δ" in beside_it)


def aired(parts: Iterable[PanelPart], air: int) -> list[PanelPart]:
    """Parts with blank rows between their rows."""
    return [part if isinstance(part, str) else replace(part, air=air) for part in parts]


def height_of(parts: list[PanelPart]) -> int:
    """The rows that parts take whole, title included."""
    return 1 + max((part.tall for part in parts if not isinstance(part, str)), default=1)


def width_of(parts: list[PanelPart], decimals: int) -> int:
    """The cells that parts take side by side."""
    return sum(_width(part, decimals) for part in parts)


def _width(part: PanelPart, decimals: int) -> int:
    if isinstance(part, str):
        return 2
    if isinstance(part, Difference):
        return max(_DIFFERENCE, len(part.title) + 1) + 1
    return grids.grid_width(part, decimals) + 1


def draw_parts(scene: Scene, parts: list[PanelPart], decimals: int, height: int) -> list[RowBlock]:
    """Draw parts in at most `height` rows, each a block with a blank at its right."""
    alphabet = scene.look.alphabet
    rows = min(height, height_of(parts))
    drawn: list[RowBlock] = []
    for part in parts:
        if isinstance(part, str):
            drawn.append([(Span(f"{alphabet.vertical} ", "border"),)] * rows)
        elif isinstance(part, Difference):
            drawn.append(_draw_difference(scene, part, height))
        else:
            block = grids.draw(part, decimals, height, _NO_LIMIT, alphabet=alphabet)
            drawn.append([(*row, Span(" ")) for row in block])
    return drawn


def _draw_difference(scene: Scene, part: Difference, height: int) -> RowBlock:
    """Differences in one significant digit, with their sign, beside the rows that are seen."""
    seen = grids.window(part.rows, (height - 1 + part.air) // (1 + part.air), None)
    head: RowBlock = [(Span(f" {part.title}", "ok" if part.is_agreed else "bad"),)]
    if not seen.is_whole:
        seen = grids.window(part.rows, (height - 2 + part.air) // (1 + part.air), None)
        head.append(())
    style = "dim" if part.is_agreed else "bad"
    lines: RowBlock = [
        (Span(f" {numbers.difference(float(gap), alphabet=scene.look.alphabet)}", style),)
        for gap in part.values[seen.start : seen.stop]
    ]
    lines = [row for line in lines for row in (line, *[()] * part.air)]
    return pad([*head, *lines], _width(part, 0))
