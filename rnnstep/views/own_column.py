"""A writer's own numbers beside the engine's and torch's, and what is to be said of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rnnstep.language import Text
from rnnstep.views.grids import Grid
from rnnstep.views.rows import Row, Span
from rnnstep.views.scene import Scene

if TYPE_CHECKING:
    from rnnstep.checking import Mark
    from rnnstep.equations.operations import Array

YOURS = Text("yours")


@dataclass(frozen=True, eq=False)
class GivenNumbers:
    """What the writer gave of a line: the mark, its number among all, the numbers, NaN where blank, and which are wrong."""

    mark: Mark
    number: int
    values: Array
    wrong: NDArray[np.bool_]


def given(scene: Scene, name: str) -> GivenNumbers | None:
    """What was given of a line of the block at this step and row; None where nothing was.

    Several answers may give some of its entries each: the mark is then the first wrong one's.
    """
    own, spot = scene.session.own, scene.spot
    if own is None or spot.phase is None or spot.batch is None:
        return None
    from rnnstep.checking.own_numbers import Place

    place = Place(spot.epoch, spot.batch, spot.phase, scene.block.key, scene.t, name)
    pieces = [
        GivenNumbers(mark, number, np.asarray(values), np.asarray(wrong))
        for mark, number, values, wrong in own.at(scene.run.learning, place, scene.row)
        if not np.isnan(values).all()
    ]
    if not pieces:
        return None
    told = next((piece for piece in pieces if piece.wrong.any()), pieces[0])
    merged = pieces[0].values
    for piece in pieces[1:]:
        merged = np.where(np.isnan(merged), piece.values, merged)
    return replace(told, values=merged, wrong=np.logical_or.reduce([piece.wrong for piece in pieces]))


def _is_wrong(scene: Scene, name: str, wrong: NDArray[np.bool_]) -> bool:
    """Whether the number at the cursor is wrong, or any of the line's."""
    element = scene.spot.element
    if scene.spot.operation == name and element is not None and element < wrong.size:
        return bool(wrong.reshape(-1)[element])
    return bool(wrong.any())


def grids_of(scene: Scene, name: str) -> list[Grid]:
    """The writer's numbers as a grid beside the others; nothing where there are none."""
    found = given(scene, name)
    if found is None:
        return []
    alphabet = scene.look.alphabet
    sign = alphabet.wrong if found.wrong.any() else alphabet.check
    if found.mark.status == "unmarkable":
        sign = "?"
    title = f"{scene.look.say(YOURS)} {sign}"
    shape = scene.shape(name)
    values = found.values.reshape(shape)
    return [Grid(title, values, shape, style="own", is_plain=True, has_blanks=True)]


def words(scene: Scene, name: str) -> Row:
    """`yours ✗ b_hh left out`: how the writer's numbers of a line stand, for a row of text."""
    found = given(scene, name)
    if found is None:
        return ()
    say, alphabet = scene.look.say, scene.look.alphabet
    is_wrong = _is_wrong(scene, name, found.wrong)
    verdict = Span(alphabet.wrong, "bad") if is_wrong else Span(alphabet.check, "ok")
    if found.mark.status == "unmarkable":
        verdict = Span("?", "dim")
    head = (Span(f"{say(YOURS)} ", "own"), verdict)
    return (*head, Span(f" {alphabet.spell(_told(scene, found, is_wrong=is_wrong))}", "dim"))


def is_told_wrong(row: Row) -> bool:
    """Whether such a row says that a number is wrong."""
    return any(span.style == "bad" for span in row)


def _told(scene: Scene, found: GivenNumbers, *, is_wrong: bool) -> str:
    say = scene.look.say
    own = scene.session.own
    marked = None if own is None else own.marked(scene.run.learning)
    if marked is None:
        return ""
    from rnnstep.checking import MISTAKES, TOO_COARSE, followed, not_marked

    if found.mark.status == "unmarkable":
        return say(not_marked(marked, found.mark))
    if found.mark.status == "follow-through":
        return say(followed(marked, found.number))
    if not is_wrong:
        return ""
    remarks = marked.remarks(found.number, is_quick=True)
    if remarks.is_too_coarse:
        return say(TOO_COARSE)
    if not remarks.mistakes:
        return say(Text("no common mistake gives these numbers"))
    likeliest = remarks.mistakes[0]
    explanation = MISTAKES[likeliest.ids[0]].explanation
    if likeliest.is_named:
        return say(explanation)
    return say(
        Text("possible, 1 in {count} by chance: {mistake}", count=likeliest.one_in, mistake=explanation)
    )
