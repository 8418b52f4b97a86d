"""The number under the cursor: what it is made of, where that was computed, and changing it."""

from __future__ import annotations

from collections.abc import Iterator

from rnnstep.equations.expand import Factor, expand
from rnnstep.language import Text
from rnnstep.session.edits import Edit, Target, current, target_at
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


def targets_at(session: Session) -> Iterator[Target]:
    """Give what can be edited among the factors of the number under the cursor, each once."""
    seen = set()
    for spot, factor in factors_at(session):
        block = session.tree.block(spot)
        target = target_at(session.run.scenario, block, spot, session.position.row, factor.name, factor.index)
        if target is not None and target not in seen:
            seen.add(target)
            yield target


def edit_prompt(session: Session) -> str:
    """Give `W_hh[0,2] = 0.31` for the number under the cursor, to be typed over; "" where there is none."""
    target = next(targets_at(session), None)
    if target is None:
        return ""
    return f"{target.shown} = {_short(current(session.run.scenario, target))}"


def nudge(session: Session, by: float | None) -> Session:
    """Add `by` to the number under the cursor, or set it to zero when it is None."""
    target = next(targets_at(session), None)
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
