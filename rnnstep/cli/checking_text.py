"""Marks as text: an answer after the other, what is wrong with it, and the score."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from rnnstep.checking import MISTAKES, TOO_COARSE, Mark, Marks, NamedMistake, Remarks, followed, not_marked
from rnnstep.cli.page import TextPage, module_words
from rnnstep.equations.operations import Array
from rnnstep.language import Text
from rnnstep.views.numbers import number

MOST_ENTRIES = 8  # that are told of one answer


def marked_pieces(marked: Marks, page: TextPage, *, with_hints: bool = False) -> Iterator[str]:
    """Give the whole text, line by line; with hints nothing gives an answer away."""
    for line in _lines(marked, page, with_hints=with_hints):
        yield line + "\n"


def _lines(marked: Marks, page: TextPage, *, with_hints: bool) -> Iterator[str]:
    scenario = marked.sheet.learning.scenario
    title = " ".join(scenario.title.into(page.language).split())
    yield page.heading(page.dot.join([title or scenario.name, module_words(scenario)]))
    for index, mark in enumerate(marked.marks):
        yield ""
        yield from _answer(marked, index, mark, page, with_hints=with_hints)
    right, count = marked.score
    yield ""
    yield page.heading(page.say(Text("{right} of {count} right", right=right, count=count)))


def _answer(marked: Marks, index: int, mark: Mark, page: TextPage, *, with_hints: bool) -> Iterator[str]:
    decimals = marked.sheet.decimals(index)
    name = page.alphabet.spell(mark.label)
    if mark.status == "missing":
        yield f"? {name}  {page.say(Text('left blank'))}"
        return
    given = _numbers(mark.given, marked.sheet.laid[index].numbers.decimals, page)
    if mark.status == "unmarkable":
        yield f"? {name} = {given}"
        yield f"    {page.say(not_marked(marked, mark))}"
        return
    yield f"{page.mark(agrees=mark.is_right)} {name} = {given}"
    if mark.status == "follow-through":
        yield f"    {page.say(followed(marked, index))}"
    if mark.is_right and mark.tells_nothing:
        yield f"    {page.say(_anything(mark, decimals, page))}"
    if mark.status != "wrong":
        return
    yield from (f"    {line}" for line in _wrong(marked, index, page, with_hints=with_hints))
    yield from (f"    {line}" for line in _remarks(marked, index, page, with_hints=with_hints))


def _numbers(values: Array, decimals: NDArray[np.int64], page: TextPage) -> str:
    """Numbers as they were written: each with its own decimals."""
    flat = zip(values.reshape(-1).tolist(), decimals.reshape(-1).tolist(), strict=True)
    return " ".join("?" if np.isnan(value) else _as_written(value, places, page) for value, places in flat)


def _as_written(value: float, decimals: int, page: TextPage) -> str:
    """A number with its decimals, all of those that were written."""
    if not np.isfinite(value):
        return number(value, decimals, alphabet=page.alphabet)
    return f"{Decimal(repr(value)):.{decimals}f}".replace("-", page.alphabet.minus)


def _wrong(marked: Marks, index: int, page: TextPage, *, with_hints: bool) -> Iterator[str]:
    """Which entries are wrong, as they were written, and between which numbers they should lie."""
    mark, decimals = marked.marks[index], marked.sheet.decimals(index)
    written = marked.sheet.laid[index].numbers.decimals
    is_from_own = not with_hints and marked.sheet.is_from_own(index)
    places = np.argwhere(mark.is_wrong)
    for place in places[:MOST_ENTRIES]:
        at = tuple(place.tolist())
        where = "" if mark.given.size == 1 else f"[{', '.join(map(str, at))}] "
        found = _as_written(float(mark.given[at]), int(written[at]), page)
        if with_hints:
            yield page.say(Text("{where}{found} is wrong", where=where, found=found))
            continue
        low, high, expected = (
            _bound(float(values[at]), max(decimals, int(written[at])) + 1, page)
            for values in (mark.low, mark.high, mark.expected)
        )
        told = {"where": where, "found": found, "low": low, "high": high, "expected": expected}
        yield page.say(_reason(told, is_exact=low == high, is_from_own=is_from_own))
    if len(places) > MOST_ENTRIES:
        yield page.say(Text("and {count} more", count=len(places) - MOST_ENTRIES))


def _reason(told: dict[str, str], *, is_exact: bool, is_from_own: bool) -> Text:
    """What a number should have been, and whether that comes of other numbers that were given."""
    if is_exact and is_from_own:
        return Text("{where}{found} is wrong: your own numbers give {low}; the run has {expected}", **told)
    if is_exact:
        return Text("{where}{found} is wrong: the run has {expected}", **told)
    if is_from_own:
        return Text(
            "{where}{found} is wrong: honest rounding gives {low} to {high} from your own numbers; the run has"
            " {expected}",
            **told,
        )
    return Text(
        "{where}{found} is wrong: honest rounding gives {low} to {high}; the run has {expected}", **told
    )


def _anything(mark: Mark, decimals: int, page: TextPage) -> Text:
    at = np.unravel_index(int(np.argmin(np.isnan(mark.given))), mark.given.shape)
    low, high = (_bound(float(values[at]), decimals + 1, page) for values in (mark.low, mark.high))
    return Text(
        "so few decimals tell nothing: anything from {low} to {high} would be right", low=low, high=high
    )


def _bound(value: float, decimals: int, page: TextPage) -> str:
    """A bound of what is right: what directed rounding makes of a zero is one."""
    nothing = abs(value) < 0.05 * 10.0**-decimals
    return number(0.0 if nothing else value, decimals, alphabet=page.alphabet)


def _remarks(marked: Marks, index: int, page: TextPage, *, with_hints: bool) -> Iterator[str]:
    remarks = marked.remarks(index)
    if marked.marks[index].fewer_decimals is not None:
        fewer = marked.marks[index].fewer_decimals
        yield page.say(
            Text("right with fewer decimals: if you rounded to {count}, say decimals = {count}", count=fewer)
        )
        return
    if not remarks.was_searched:
        yield page.say(Text("not looked into: so many answers before it are wrong"))
        return
    if remarks.is_too_coarse:
        yield page.say(TOO_COARSE)
        yield page.say(
            Text("write more decimals, or more numbers")
            if remarks.advice is None
            else Text(
                "work out {name} next, or write more decimals", name=_next(marked, index, remarks, page)
            )
        )
        return
    if not remarks.mistakes:
        yield page.say(Text("no common mistake gives these numbers: look for a slip in the arithmetic"))
        return
    if with_hints:
        hints = [MISTAKES[id_].hint for one in remarks.mistakes for id_ in one.ids]
        yield from dict.fromkeys(page.say(Text("hint: {hint}", hint=hint)) for hint in hints)
        return
    for one in remarks.mistakes:
        yield from _mistake(one, page)
    if remarks.why_alike is not None:
        yield page.say(Text("these give the same numbers here: {why}", why=remarks.why_alike))
    elif len({one.ids for one in remarks.mistakes}) > 1:
        yield page.say(Text("these give the same numbers here"))
    if remarks.advice is not None:
        name = _next(marked, index, remarks, page)
        yield page.say(
            Text("work out {name} next: it tells them apart", name=name)
            if remarks.advice.is_enough
            else Text("work out {name} next: it tells some of them apart", name=name)
        )


def _next(marked: Marks, index: int, remarks: Remarks, page: TextPage) -> str:
    """What to work out next, by name."""
    assert remarks.advice is not None
    name = page.alphabet.spell(remarks.advice.label)
    is_own = remarks.advice.label == marked.marks[index].label  # some of its entries were left blank
    return page.say(Text("the rest of {name}", name=name)) if is_own else name


def _mistake(one: NamedMistake, page: TextPage) -> Iterator[str]:
    names = " + ".join(page.say(MISTAKES[id_].name) for id_ in one.ids)
    told = {"names": names, "count": one.one_in}
    if not one.is_named:
        text = Text("possible: {names}; 1 in {count} random answers would fit as well", **told)
    elif one.is_against_others:
        text = Text("may be: {names}; right numbers of the same step speak against it", **told)
    elif len(one.ids) > 1:
        text = Text("two mistakes at once: {names}", **told)
    else:
        text = Text("mistake: {names}", **told)
    yield page.say(text)
    for id_ in one.ids:
        yield f"  {page.say(MISTAKES[id_].explanation)}"
