"""The number under the cursor: what it is made of, where that was computed, and changing it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rnnstep.equations.expand import Factor, expand
from rnnstep.equations.shares import ROWS
from rnnstep.errors import RnnstepError
from rnnstep.language import Text
from rnnstep.session.edits import Edit, EditTarget, current, read_value, target_at, where_to_edit
from rnnstep.session.findings import Operand
from rnnstep.session.provenance import Origin, source
from rnnstep.session.readers import names_read
from rnnstep.session.session import Session
from rnnstep.session.tree import Spot, index_of, shape_of

SHOWN_DIGITS = 7  # a float32 stepped by 0.1 is to read 0.41, not 0.40999999642


def focus(session: Session) -> Spot:
    """Give the operation and element that a key means where the cursor looks at more than one.

    That is the first element of the operation; of a block or step its first operation; at start
    the run's first.
    """
    path = session.position.path
    wanted = session.tree.level("element")
    return session.tree.locate(path + (0,) * (wanted - len(path)))


def factors_at(session: Session) -> Iterator[tuple[Spot, Factor]]:
    """Give what the number under the cursor is computed from, in the order of its equation.

    On a term, that term's factors alone; for a step or block, those of all its operations.
    """
    spot = focus(session)
    operations = [spot.operation]
    block = session.run.block(spot)
    if session.level not in ("operation", "element", "term"):
        operations = list(block.program.names)
    known = session.run.known(spot, session.position.row)
    if known is None:
        return
    for operation in operations:
        assert operation is not None
        place = replace(spot, operation=operation)
        only = None if place.term is None else {place.term}
        index = index_of(block, operation, place.element or 0)
        worked = expand(block.program.by_name[operation], index, known, only=only)
        for term in worked.terms:
            for factor in term.factors:
                yield place, factor


def target_of(session: Session) -> EditTarget | None:
    """Give what `+`, `-`, `0` and `e` edit: a factor of the term at the cursor, or of the element's first.

    A weight or bias goes before the x or h_0 that it is multiplied with. None where all is computed,
    and where the cursor looks at more than one element; a weight that was learnt is computed.
    """
    found = [target for spot, target in _targets(session) if where_to_edit(session.run, spot, target) is None]
    return next((one for one in found if one.store == "parameters"), next(iter(found), None))


def _targets(session: Session) -> Iterator[tuple[Spot, EditTarget]]:
    """What the number under the cursor is made of that stands in the scenario."""
    if not _is_at_a_number(session):
        return
    for spot, factor in factors_at(session):
        target = target_at(session.run, spot, session.position.row, factor.name, factor.index)
        if target is not None:
            yield spot, target


def _is_at_a_number(session: Session) -> bool:
    return session.level in ("element", "term") and not session.position.is_start


def edit_prompt(session: Session) -> str:
    """Give `W_hh[0,2] = 0.31` for the number under the cursor, to be typed over; "" where there is none."""
    target = target_of(session)
    if target is None:
        return ""
    return f"{target.shown} = {_short(current(session.run.scenario, target))}"


def edit_typed(session: Session, text: str) -> Session:
    """Edit as it is typed, `W_hh[0,2] = 0.5`; a bare number is for the number under the cursor."""
    target = None if set("[]=＝") & set(text) or not text.strip() else target_of(session)
    if target is None:
        return session.edit_text(text)
    try:
        return session.edit(Edit(target, read_value(text, session.run.scenario)))
    except RnnstepError as error:
        return session.say(error.message)


def nudge(session: Session, by: float | None) -> Session:
    """Add `by` to the number under the cursor, or set it to zero when it is None."""
    if not _is_at_a_number(session):
        return session.say(Text("go to an element or a term first (↓)"))
    target = target_of(session)
    if target is None:
        learnt = next((where_to_edit(session.run, *found) for found in _targets(session)), None)
        return session.say(learnt or Text("nothing here can be edited: all of it is computed"))
    value = 0.0 if by is None else float(_short(current(session.run.scenario, target) + by))
    return session.edit(Edit(target, value))


def _short(value: float) -> str:
    return f"{value:.{SHOWN_DIGITS}g}"


def follow(session: Session) -> Session:
    """`Enter`: go to where a factor of the number under the cursor was computed; to that of a weight last.

    What is not finite goes before all else: of that, what was computed first.
    """
    strange = [
        (spot, factor)
        for spot, factor in factors_at(session)
        if not math.isfinite(factor.value) and not _is_outside(session, spot, factor)
    ]
    found = _earliest_origin(session, strange) if strange else _origin(session)
    if found is None and strange:
        return session.say(
            Text(
                "{operand} is given so, not computed: there is nothing to follow",
                operand=_shown(session, *strange[0]),
            )
        )
    if found is None:
        return session.say(Text("this is given, not computed: there is nothing to follow"))
    row = None if found.row == session.position.row else found.row
    # From an operation as a whole, to an operation as a whole.
    depth = session.tree.depth if session.level in ("element", "term") else session.tree.level("operation")
    return session.jump(found.path[:depth], row)


def _is_outside(session: Session, spot: Spot, factor: Factor) -> bool:
    """Whether a factor is what stands where a window has no step: −∞ beside the numbers of a pool."""
    wire = (
        session.tree.block(replace(spot, phase="forward")).windows.get(factor.name)
        if spot.phase != "update"
        else None
    )
    return wire is not None and wire.outside == factor.value


def _earliest_origin(session: Session, factors: Sequence[tuple[Spot, Factor]]) -> Origin | None:
    """Where the one of the factors was computed that was computed first; None where all are given."""
    origins = [
        source(session.run, spot, factor.name, factor.index, session.position.row) for spot, factor in factors
    ]
    return min((one for one in origins if one is not None), key=lambda one: one.path, default=None)


def _shown(session: Session, spot: Spot, factor: Factor) -> str:
    """A factor with its index and value: `W_hg[57,3] = ∞`."""
    is_number = not session.tree.block(spot).program.shapes[factor.name]
    return str(Operand(factor.name.removesuffix(ROWS), () if is_number else factor.index, factor.value))


def _origin(session: Session) -> Origin | None:
    """Where the first factor that was computed was; of weights only where nothing else was."""
    weight: Origin | None = None
    for spot, factor in factors_at(session):
        origin = source(session.run, spot, factor.name, factor.index, session.position.row)
        if origin is None:
            continue
        if factor.name not in session.tree.block(spot).parameters:
            return origin
        weight = weight or origin
    return weight or _origin_of_whole(session)


def _origin_of_whole(session: Session) -> Origin | None:
    """Of an operation whose first element is nothing but zero: where the first value that it reads was computed."""
    if session.level != "operation":
        return None
    spot = focus(session)
    block = session.tree.block(spot)
    for name in names_read(session.tree.line(spot)):
        index = (0,) * len(shape_of(block, name))
        origin = source(session.run, spot, name, index, session.position.row)
        if origin is not None:
            return origin
    return None
