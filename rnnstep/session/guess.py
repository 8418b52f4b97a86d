"""A value that is said before it is shown: what was typed for the hidden number at the cursor, marked."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rnnstep.checking import MISTAKES
from rnnstep.checking.answers.numbers import NotNumbers, Numbers, from_text
from rnnstep.checking.guessing import guessed
from rnnstep.checking.marking import Mark
from rnnstep.checking.own_numbers import Place
from rnnstep.equations.expand import expand
from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.session.session import Session
from rnnstep.session.tree import index_of

MOST_WRONG = 8  # entries that are told
ENOUGH_DECIMALS = 2
"""With fewer, honest rounding on the way makes nearly any number right: then it is to be the value itself, rounded."""


@dataclass(frozen=True, slots=True)
class Guess:
    """What is to be said to a number that somebody typed for a hidden value.

    Attributes:
        is_right: whether it is.
        wrong: which entries are not, where several were given: "[0] [2]".
        hint: a hint; None where no common mistake gives it.
        mistakes: and what may have been done, the likeliest first.
        is_too_coarse: whether mistakes fit, but so would many random numbers.
        needs_decimals: whether it could be right, of so few decimals, as many other numbers could.
    """

    is_right: bool
    wrong: str = ""
    hint: Text | None = None
    mistakes: tuple[Text, ...] = ()
    is_too_coarse: bool = False
    needs_decimals: bool = False


def place_of(session: Session) -> Place | None:
    """The value that is hidden at the cursor; None where it is more than one."""
    spot = session.spot
    if spot is None or spot.key is None or spot.t is None or spot.batch is None or spot.phase is None:
        return None
    name = spot.operation
    if name is None:
        if spot.phase != "forward":
            return None
        name = session.tree.block(spot).output
    return Place(spot.epoch, spot.batch, spot.phase, spot.key, spot.t, name)


def guess(session: Session, text: str, decimals: int, *, explains: bool = True) -> Guess:
    """Mark what was typed for the value at the cursor.

    Args:
        session: at a hidden value.
        text: one number at an element, else all of the value's.
        decimals: how many are shown.
        explains: whether what may have been done is looked for, which takes its time in a large network.

    Raises:
        UsageError: it is no number, or there are not as many as there should be.
    """
    place, spot = place_of(session), session.spot
    if place is None or spot is None:
        raise UsageError(Text("go into an operation (↓) and say its value there"))
    try:
        numbers = from_text(text)
    except NotNumbers as error:
        raise UsageError(Text("`{found}` is no number", found=printable(error.found[:40]))) from None
    if numbers.is_missing:
        raise UsageError(
            Text("a number is expected, such as 0.54; of a vector all, ? for what is left blank")
        )
    block = session.tree.block(spot)
    index = None if spot.element is None else index_of(block, place.name, spot.element)
    learning = session.run.learning
    marked = guessed(learning, place, session.position.row, index, numbers, decimals)
    if marked is None:
        size = math.prod(int(one) for one in block.program.shapes[place.name])
        raise UsageError(
            Text(
                "{found} numbers: expected {count}, all of `{name}`",
                found=numbers.value.size,
                count=size,
                name=place.name,
            )
            if index is None
            else Text("one number is expected here, or all of `{name}`", name=place.name)
        )
    number = len(marked.marks) - 1
    mark = marked.marks[number]
    if mark.status != "wrong":
        is_far = decimals >= ENOUGH_DECIMALS and _is_far(mark, numbers.most_decimals)
        return Guess(is_right=not is_far, needs_decimals=is_far)
    is_one = np.count_nonzero(~np.isnan(mark.given)) == 1
    wrong = (
        "" if is_one else " ".join(str(place) for place in np.argwhere(mark.is_wrong).tolist()[:MOST_WRONG])
    )
    if not explains:
        return Guess(False, wrong)
    slip = _slip_in_sum(session, numbers) if is_one else None
    if slip is not None:
        return Guess(False, wrong, *slip)
    remarks = marked.remarks(number, is_quick=True)
    named = [MISTAKES[one.ids[0]] for one in remarks.mistakes]
    hint = named[0].hint if named else None
    explanations = tuple(one.explanation for one in named)
    return Guess(False, wrong, hint, explanations, remarks.is_too_coarse)


def _is_far(mark: Mark, decimals: int) -> bool:
    """Whether what was said with few decimals is not the value rounded to them."""
    if decimals >= ENOUGH_DECIMALS:
        return False
    given = ~np.isnan(mark.given)
    apart = np.abs(mark.given[given] - mark.expected[given])
    return bool((apart > 0.5 * 10.0**-decimals * (1 + 1e-6)).any())


def _slip_in_sum(session: Session, numbers: Numbers) -> tuple[Text, tuple[Text, ...]] | None:
    """A hint, and what was done, where one term of the element's own sum is missing or has the other sign."""
    spot = session.spot
    if spot is None or spot.operation is None or spot.element is None:
        return None
    known = session.run.known(spot, session.position.row)
    if known is None:
        return None
    index = index_of(session.tree.block(spot), spot.operation, spot.element)
    whole = expand(session.run.line(spot), index, known)
    terms = [float(term.value) for term in whole.terms]
    given, half = float(numbers.value.flat[0]), 0.5 * 10.0 ** -int(numbers.most_decimals)
    total = sum(terms)

    def is_said(value: float) -> bool:
        return abs(given - value) <= half * (1 + 1e-6) + 1e-6 * abs(value)

    is_sum = math.isclose(total, whole.value, rel_tol=1e-4, abs_tol=1e-6)  # and not inside a function
    if len(terms) < 2 or not is_sum or is_said(total):
        return None
    missing = [number for number, term in enumerate(terms, 1) if is_said(total - term)]
    turned = [number for number, term in enumerate(terms, 1) if is_said(total - 2 * term)]
    if is_said(-total):
        return Text("look at the signs"), (Text("the sum has the other sign"),)
    if len(missing) == 1:
        return Text("count the terms of the sum"), (Text("term {number} is missing", number=missing[0]),)
    if len(turned) == 1:
        return Text("look at the signs"), (Text("term {number} has the other sign", number=turned[0]),)
    return None
