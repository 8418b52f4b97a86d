"""The number under the cursor: what it is made of, where that was computed, and changing it."""

from __future__ import annotations

from collections.abc import Iterator

from rnnstep.equations.expand import Factor, expand
from rnnstep.errors import RnnstepError
from rnnstep.language import Text
from rnnstep.session.edits import Edit, Target, current, read_value, target_at
from rnnstep.session.provenance import source
from rnnstep.session.session import Session
from rnnstep.session.tree import Path, Spot

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
    if session.level not in ("operation", "element", "term"):
        operations = list(session.tree.block(spot).program.names)
    for operation in operations:
        place = Spot(spot.batch, spot.key, spot.t, operation, spot.element, spot.term)
        known = session.run.known(place, session.position.row)
        if known is None:
            return
        only = None if place.term is None else {place.term}
        worked = expand(session.tree.line(place), place.element or 0, known, only=only)
        for term in worked.terms:
            for factor in term.factors:
                yield place, factor


def target_of(session: Session) -> Target | None:
    """Give what `+`, `-`, `0` and `e` edit: a factor of the term at the cursor, or of the element's first.

    A weight or bias goes before the x or h_0 that it is multiplied with. None where all is computed,
    and where the cursor looks at more than one element.
    """
    if not _is_at_a_number(session):
        return None
    found = []
    for spot, factor in factors_at(session):
        block = session.tree.block(spot)
        found.append(
            target_at(session.run.scenario, block, spot, session.position.row, factor.name, factor.index)
        )
    targets = [target for target in found if target is not None]
    return next((one for one in targets if one.store == "parameters"), next(iter(targets), None))


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
        return session.say(Text("nothing here can be edited: all of it is computed"))
    value = 0.0 if by is None else float(_short(current(session.run.scenario, target) + by))
    return session.edit(Edit(target, value))


def _short(value: float) -> str:
    return f"{value:.{SHOWN_DIGITS}g}"


def follow(session: Session) -> Session:
    """`Enter`: go to where a factor of the number under the cursor was computed."""
    path = next(_sources(session), None)
    if path is None:
        return session.say(Text("this is given, not computed: there is nothing to follow"))
    return session.jump(path)


def _sources(session: Session) -> Iterator[Path]:
    for spot, factor in factors_at(session):
        path = source(
            session.run, spot, factor.name, factor.index[0] if factor.index else 0, session.position.row
        )
        if path is not None:
            # From an operation as a whole, to an operation as a whole.
            yield path if session.level in ("element", "term") else path[: session.tree.level("operation")]
