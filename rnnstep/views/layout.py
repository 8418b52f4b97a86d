"""Who gets the room of a column: panels have a worth, a least size, and some grow; nothing here knows what they show.

In the order of worth each panel gets what it can use, if that is at least its least; else it is given up. What is left
goes to those that grow, in equal shares.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rnnstep.views.compose import RowBlock, box, pad
from rnnstep.views.rows import Span, width

if TYPE_CHECKING:
    from rnnstep.views.alphabet import Alphabet

Frame = Literal["box", "rule", "bare"]
_EDGES: dict[Frame, int] = {"box": 2, "rule": 1, "bare": 0}
_SIDES: dict[Frame, int] = {"box": 4, "rule": 2, "bare": 0}


@dataclass(frozen=True)
class Panel:
    """What may stand on the screen.

    Attributes:
        worth: its rank; 1 is given room first.
        title: its name in the frame, or ""; or what gives the name, of the rows that are drawn.
        draw: draws it in so many cells and at most so many rows; one that grows uses them all.
        least: the rows, frame not counted, below which it tells too little.
        most: the rows it may take, frame not counted.
        grows: whether it uses whatever room there is.
        is_kept: whether its least rows are kept free for it while those of more worth are given theirs.
        frame: a box around it, a rule with its title above it, or nothing.
        is_foot: whether it stands at the foot of its column.
    """

    worth: int
    title: str | Callable[[int], str]
    draw: Callable[[int, int], RowBlock]
    least: int = 1
    most: int = 10_000
    grows: bool = False
    is_kept: bool = False
    frame: Frame = "box"
    is_foot: bool = False

    @property
    def needs(self) -> int:
        """The rows without which it is given up."""
        return self.least + self.edge

    @property
    def edge(self) -> int:
        """The rows of its frame."""
        return _EDGES[self.frame]


class Column:
    """Panels under each other in so many cells by rows; those that do not grow are drawn, `spare` rows are left."""

    def __init__(self, panels: Sequence[Panel], cells: int, height: int, alphabet: Alphabet) -> None:
        self._cells, self._height, self._alphabet = cells, height, alphabet
        self._panels = tuple(panels)
        self._drawn: dict[int, RowBlock] = {}
        self._growing: list[int] = []
        self.spare = height
        self._lay_out()

    def _lay_out(self) -> None:
        order = sorted(range(len(self._panels)), key=lambda number: self._panels[number].worth)
        self.spare -= sum(panel.needs for panel in self._panels if panel.is_kept)
        left_out: list[int] = []
        for number in order:
            panel = self._panels[number]
            self.spare += panel.needs if panel.is_kept else 0
            if not self._give(number):
                left_out.append(number)
        for number in left_out:  # some of the others took less than they might have
            self._give(number)

    def _give(self, number: int) -> bool:
        """Give a panel its room, if it can have its least."""
        panel = self._panels[number]
        if panel.needs > self.spare and not (panel.is_kept and self.spare > panel.edge):
            return False
        if panel.grows:
            self._growing.append(number)
            self.spare -= panel.needs
        else:
            self._draw(number)
        return True

    def _draw(self, number: int) -> None:
        panel = self._panels[number]
        rows = panel.draw(self._inner(panel), min(panel.most, self.spare - panel.edge))
        if rows:
            self._drawn[number] = rows
            self.spare -= len(rows) + panel.edge

    def _inner(self, panel: Panel) -> int:
        return self._cells - _SIDES[panel.frame]

    @property
    def grown(self) -> int:
        """How many panels share the spare rows."""
        return len(self._growing)

    def block(self, more: Sequence[Panel] = ()) -> RowBlock:
        """Give exactly `height` rows; `more` are panels that grow, for which there is room in what is spare."""
        growing = [self._panels[number] for number in sorted(self._growing)] + list(more)
        spare = self.spare - sum(panel.needs for panel in more)
        sizes: dict[int, int] = {}
        for index, panel in enumerate(sorted(growing, key=lambda panel: panel.most - panel.least)):
            share = min(spare // (len(growing) - index), panel.most - panel.least)
            sizes[id(panel)] = panel.least + share
            spare -= share
        upper: RowBlock = []
        foot: RowBlock = []
        standing = [*self._panels, *more]
        is_first = True
        for number, panel in enumerate(standing):
            if number in self._drawn:
                rows = self._drawn[number]
            elif id(panel) in sizes:
                rows = panel.draw(self._inner(panel), sizes[id(panel)])
            else:
                continue
            tall = len(rows)
            if (
                is_first and spare and not panel.is_foot
            ):  # what nobody can use is air below what is worth most
                tall += spare
            is_first = False
            (foot if panel.is_foot else upper).extend(self._framed(panel, rows, tall))
        gap: RowBlock = [()] * (self._height - len(upper) - len(foot))
        return pad([*upper, *gap, *foot], self._cells, self._height, self._alphabet)

    def _framed(self, panel: Panel, rows: RowBlock, tall: int) -> RowBlock:
        title = panel.title if isinstance(panel.title, str) else panel.title(len(rows))
        if panel.frame == "box":
            return box(rows, title, self._cells, tall + 2, alphabet=self._alphabet)
        moved = [(Span(" "), *row) for row in rows] if panel.frame == "rule" else rows
        inner = pad(moved, self._cells, tall, self._alphabet)
        return [rule(title, self._cells, self._alphabet), *inner] if panel.frame == "rule" else inner


def rule(title: str, cells: int, alphabet: Alphabet) -> tuple[Span, ...]:
    """Give a line across with a title: ` h over time ─────`."""
    head = f" {title} "
    return (Span(head, "title"), Span(alphabet.horizontal * max(0, cells - width(head)), "border"))


def shared(columns: Sequence[Column], panels: Sequence[Panel]) -> list[list[Panel]]:
    """Deal panels that grow out to columns, the first ones to those that have most room for one more."""
    dealt: list[list[Panel]] = [[] for _ in columns]
    for panel in panels:
        rooms = [
            (column.spare - sum(one.needs for one in mine))
            for column, mine in zip(columns, dealt, strict=True)
        ]
        fitting = [number for number, room in enumerate(rooms) if room >= panel.needs]
        if not fitting:
            break
        best = max(
            fitting,
            key=lambda number: (
                columns[number].spare / (len(dealt[number]) + columns[number].grown + 1),
                -number,
            ),
        )
        dealt[best].append(panel)
    return dealt
