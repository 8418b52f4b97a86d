"""A writer's own numbers beside ours and torch's, and what is to be said of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rnnstep.language import Text
from rnnstep.views.grids import Grid
from rnnstep.views.rows import Row, Span
from rnnstep.views.scene import Scene

if TYPE_CHECKING:
    from rnnstep.checking import Mark
    from rnnstep.equations.operations import Array

YOURS = Text("yours")


@dataclass(frozen=True, eq=False)
class Given:
    """What the writer gave of a line: the mark, its number among all, and the numbers, NaN where left blank."""

    mark: Mark
    number: int
    values: Array


def given(scene: Scene, name: str) -> Given | None:
    """What was given of a line of the block at this step and row; None where nothing was.

    Several answers may give some of its entries each: the mark is then the first wrong one's.
    """
    own, spot = scene.session.own, scene.spot
    if own is None or spot.phase is None or spot.batch is None:
        return None
    from rnnstep.checking.own import Place

    place = Place(spot.epoch, spot.batch, spot.phase, scene.block.key, scene.t, name)
    pieces = [
        Given(mark, number, np.asarray(values))
        for mark, number, values in own.at(scene.run.learning, place, scene.row)
        if mark.status != "missing"
    ]
    if not pieces:
        return None
    told = next((piece for piece in pieces if not piece.mark.is_right), pieces[0])
    merged = pieces[0].values
    for piece in pieces[1:]:
        merged = np.where(np.isnan(merged), piece.values, merged)
    return replace(told, values=merged)


def grids_of(scene: Scene, name: str) -> list[Grid]:
    """The writer's numbers as a grid beside the others; nothing where there are none."""
    found = given(scene, name)
    if found is None:
        return []
    alphabet = scene.look.alphabet
    sign = alphabet.check if found.mark.is_right else alphabet.wrong
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
    is_right = found.mark.is_right
    head = (
        Span(f"{say(YOURS)} ", "own"),
        Span(alphabet.check if is_right else alphabet.wrong, "ok" if is_right else "bad"),
    )
    return (*head, Span(f" {alphabet.spell(_told(scene, found))}", "dim"))


def _told(scene: Scene, found: Given) -> str:
    say = scene.look.say
    match found.mark.status:
        case "correct":
            return ""
        case "follow-through":
            return say(Text("right, from your own earlier numbers"))
    from rnnstep.checking import MISTAKES

    own = scene.session.own
    marked = None if own is None else own.marked(scene.run.learning)
    if marked is None:
        return ""
    mistakes = marked.remarks(found.number, is_quick=True).mistakes
    if not mistakes:
        return say(Text("no common mistake gives these numbers"))
    return say(MISTAKES[mistakes[0].ids[0]].explanation)
