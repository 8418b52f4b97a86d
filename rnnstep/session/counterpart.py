"""The place of another run that stands for the one at the cursor, so that two networks are compared by turns.

The same epoch, batch, pass and step, as far as they go there; the block of the same kind, layer and direction; the
operation of the same name, else the one that plays its part (`hh` of an RNN is `hh_g` of an LSTM and `hh_n` of a GRU:
the new content); the same element and term.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace

from rnnstep.engine import Block
from rnnstep.equations.shares import D
from rnnstep.language import Text
from rnnstep.session.session import Session, batch_of
from rnnstep.session.tree import Path, Spot, Tree, index_of, shape_of, size_of

_STANDS_FOR = {
    "f": "fz",  # what is kept of the state
    "z": "zf",
    "i": "iz",  # what of the new is let in
    "g": "gn",  # the new content, which is all that a plain RNN has
    "n": "ng",
    "o": "or",  # what of the state is shown
    "r": "ro",
    "": "gn",
}
"""For each gate, "" where a cell has none, the gates of other cells that do its work, the likest first."""

_THE_SAME = {"f": "z", "z": "f", "g": "n", "n": "g", "": "gn"}
"""The gates, "" where a cell has none, that do the same and not only stand in the same place."""

_INSTEAD = {"c": "h", "tanh_c": "h", "m": "h", "c_prev": "h_prev"}
"""Values of a cell that others do without, and what they have in their place."""

_OF_GATE = re.compile(r"(?P<stem>ih|hh|a)(?:_(?P<gate>[ifgorzn]))?|(?P<kept>[Wb]_[ih])(?P<of>[hifgorzn])")
_LAYER = re.compile(r"_l\d+(?=$|_reverse)|_reverse$")


def counterpart(tree: Tree, spot: Spot, other: Tree) -> Path:
    """Give the path of the place in `other` that is nearest to a spot of `tree`."""
    there = Spot(None, phase=None, epoch=min(spot.epoch, other.num_epochs - 1))
    if spot.batch is not None:
        there = replace(there, batch=min(spot.batch, other.num_batches - 1))
    if spot.batch is not None and spot.phase is not None:
        there = replace(there, phase=spot.phase if spot.phase in other.phases else "forward")
    if spot.t is None and spot.key is None:
        return other.path_to(there) or ()
    there = _at_a_block_and_step(tree, spot, other, there)
    whole = "block" if spot.t is None else "step" if spot.key is None else None
    if whole is not None:
        return (other.path_to(there) or ())[: other.level(whole)]
    if spot.operation is None or there.phase != spot.phase:
        return other.path_to(there) or ()
    there = _at_an_operation(spot, other, there)
    path = other.path_to(there) or ()
    if spot.element is not None:
        path = (*path, _element(tree, spot, other, there))
    if spot.term is not None and other.count(path):
        path = (*path, min(spot.term, other.count(path) - 1))
    return path


def _at_a_block_and_step(tree: Tree, spot: Spot, other: Tree, there: Spot) -> Spot:
    """The block that is most like a spot's, of a step as a whole the first recurrent one; at the step nearest to it."""
    stage = other.stage(there)
    own = None if spot.key is None else tree.block(spot)
    if own is not None and own.kind in ("update", "clip"):
        found = min(
            stage.blocks, key=lambda block: (bare_name(block.key) != bare_name(own.key), block.key != own.key)
        )
    else:
        found = min(stage.blocks, key=lambda block: _unlikeness(own, block))
    steps = stage.steps[found.key]
    wanted = spot.t
    t = steps[-1] if wanted is None else min(steps, key=lambda t: abs(t - wanted))
    return replace(there, key=found.key, t=t)


def bare_name(parameter: str) -> str:
    """Give torch's name of a parameter without its layer and direction, as a cell has it."""
    return _LAYER.sub("", parameter)


def _unlikeness(own: Block | None, block: Block) -> tuple[bool, bool, int, bool, bool]:
    if own is None:
        return block.kind != "recurrent", False, block.layer, block.direction != "forward", False
    is_other = block.kind != own.kind
    stands = {"total": "loss", "loss": "map"}.get(own.kind) == block.kind or block.kind == "recurrent"
    layers, is_turned = abs(block.layer - own.layer), block.direction != own.direction
    return is_other, is_other and not stands, layers, is_turned, block.key != own.key


def _at_an_operation(spot: Spot, other: Tree, there: Spot) -> Spot:
    """The operation of the same name or part; else what the block gives on."""
    assert spot.operation is not None
    names = other.block(there).program.names
    found = next((name for name in parts_like(spot.operation) if name in names), None)
    if found is None:
        output = other.block(there).output
        found = output if output in names else names[-1]
    return replace(there, operation=found)


def parts_like(name: str) -> Iterator[str]:
    """Give the names under which other cells have a value, the likest first; its own before all."""
    return _under_names(name, _likes)


def same_part(name: str, names: Collection[str]) -> str | None:
    """Give the one of some names under which a cell has what another calls `name`: its own, or that of the same part.

    What is kept of a state (`f`, `z`), and the sums of the new content (`hh`, `hh_g`, `hh_n`); None where there is none.
    """
    return next((like for like in _under_names(name, _alikes) if like in names), None)


def _under_names(name: str, likes: Callable[[str], Iterator[str]]) -> Iterator[str]:
    yield name
    sign = D if name.startswith(D) else ""
    tail = "_t" if name.endswith("_t") else ""
    bare = name.removeprefix(D).removesuffix("_t")
    for like in likes(bare):
        yield f"{sign}{like}{tail}"
        if tail:
            yield f"{sign}{like}"
    if tail:
        yield f"{sign}{bare}"


def _likes(bare: str) -> Iterator[str]:
    if bare in _STANDS_FOR:
        yield from (*_STANDS_FOR[bare], *"gn", "h")
    elif bare in _INSTEAD:
        yield _INSTEAD[bare]
    else:
        yield from _of_gates(bare, lambda gate: (*_STANDS_FOR[gate], *"gn"))


def _alikes(bare: str) -> Iterator[str]:
    if bare in _THE_SAME:
        yield from _THE_SAME[bare]
    else:
        yield from _of_gates(bare, lambda gate: _THE_SAME.get(gate, ""), _THE_SAME[""])


def _of_gates(bare: str, stand_for: Callable[[str], Iterable[str]], plain: str = "") -> Iterator[str]:
    """A sum or a weight of a gate under the names that it has of others, at last of a cell without gates.

    Where `plain` names gates, those alone have something in common with what belongs to none.
    """
    match = _OF_GATE.fullmatch(bare)
    if match is None:
        return
    gate = (match["gate"] or "") if match["stem"] else match["of"].replace("h", "")
    for like in stand_for(gate):
        yield f"{match['stem']}_{like}" if match["stem"] else f"{match['kept']}{like}"
    if not plain or gate in plain:
        yield match["stem"] or f"{match['kept']}h"


def _element(tree: Tree, spot: Spot, other: Tree, there: Spot) -> int:
    """The same element, by its index where both are matrices; or the last one that is there."""
    assert spot.operation is not None
    assert spot.element is not None
    assert there.operation is not None
    block = other.block(there)
    shape = shape_of(block, there.operation)
    index = index_of(tree.block(spot), spot.operation, spot.element)
    if len(shape) == 2 and len(index) == 2:
        i, j = (min(k, size - 1) for k, size in zip(index, shape, strict=True))
        return i * shape[1] + j
    return min(spot.element, max(0, size_of(block, there.operation) - 1))


def turned_to(session: Session, came_from: Session, last: str | None) -> Session:
    """Open a run at the counterpart of the place that one comes from; Backspace goes to where one last was in it.

    Args:
        session: the run that is turned to, at start.
        came_from: the other run, at the place that one comes from.
        last: where one was in `session`'s file, as it is written; None where one has not been.
    """
    spot = came_from.spot
    if spot is None:
        return session.having_been_at(last)
    moved = session
    for epoch in dict.fromkeys((spot.epoch, 0)):  # what is not trained so far cannot be gone to at once
        path = counterpart(came_from.tree, replace(spot, epoch=epoch), session.tree)
        row = min(came_from.position.wanted_row, session.run.num_rows(batch_of(session.tree, path)) - 1)
        moved = session.jump(path, row)
        if not moved.position.is_start:
            break
    told = _told(moved, came_from)
    moved = replace(moved, past=None).having_been_at(last or "start")
    if last is None or last == moved.place_and_row:
        return moved.say(told)
    return moved.say(Text("{told}; Backspace goes to {last}, where you were last", told=told, last=last))


def _told(moved: Session, came_from: Session) -> Text:
    names = {"name": moved.run.scenario.name, "here": moved.place, "there": came_from.place}
    if names["here"] == names["there"]:
        return Text("{name}, at the same place", name=names["name"])
    return Text("{name}: {here} stands for {there}", **names)
