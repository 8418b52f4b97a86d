"""An element with its numbers put in: `hh[0] = 0.31·0.42 − 0.07·0.88 + 0.12 = 0.1811`.

`=` stands where the numbers that are shown add up to the result that is shown. Where they do not for their last
digit, they get a digit or two more that make them do (`0.40884 − 0.22917 = 0.1797`), if all of the line still
has its place; else `≈` stands there. Terms that have no place on the screen count as they would be shown.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, NamedTuple

from rnnstep.equations.adding_up import adds_up
from rnnstep.equations.expand import Expansion, expand, number_of_terms
from rnnstep.equations.pieces import Applied, Token, total
from rnnstep.language import Text
from rnnstep.session.tree import Spot, index_of
from rnnstep.views import numbers
from rnnstep.views.alphabet import ASCII
from rnnstep.views.by_run import by_run
from rnnstep.views.commands import BY_ID
from rnnstep.views.compose import RowBlock, flow
from rnnstep.views.grids import window
from rnnstep.views.rows import Row, Span
from rnnstep.views.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rnnstep.equations.expand import Term
    from rnnstep.session.run import SessionRun

_LEAST_TERM = 9
"""The cells that a short term takes, its sign included: ` + 0.3·0.4`."""

_MOST_TERMS = 64
"""Terms about the cursor's that are worked out of a longer sum: about what the largest screen has room for."""

_LARGEST = {"float32": "3.4e38", "float64": "1.8e308"}
_MOST_GUARDS = 4
"""Digits more than the matrices beside have; the third and fourth only in small numbers, which have few."""


class Worked(NamedTuple):
    """A worked line.

    Attributes:
        rows: as they are shown.
        guard: how many digits more its numbers have than elsewhere.
        is_rounded: whether it says `≈`.
    """

    rows: RowBlock
    guard: int = 0
    is_rounded: bool = False


def expansion(scene: Scene) -> Expansion | None:
    """Work out the element at the cursor (of an operation its first); None above operations."""
    spot = scene.spot
    if spot.operation is None or scene.known is None:
        return None
    assert spot.key is not None
    count = number_of_terms(scene.run.line(spot), scene.block.program.shapes)
    only = None if count <= _MOST_TERMS else _about(spot.term or 0, count)
    return _expanded(scene.run, _of_element(spot), scene.row, only)


def _of_element(spot: Spot) -> Spot:
    """The element that a place is about; of an operation its first."""
    return replace(spot, element=spot.element or 0, term=None)


def _about(term: int, count: int) -> frozenset[int]:
    """The terms about one, and the last of all, which is the bias."""
    seen = window(count, _MOST_TERMS, term)
    return frozenset((*range(seen.start, seen.stop), count - 1))


@by_run(64)
def _expanded(run: SessionRun, spot: Spot, row: int, only: frozenset[int] | None) -> Expansion | None:
    known = run.known(spot, row)
    if known is None:
        return None
    assert spot.operation is not None
    index = index_of(run.block(spot), spot.operation, spot.element or 0)
    return expand(run.line(spot), index, known, only=only)


def worked(scene: Scene, found: Expansion, cells: int, height: int) -> Worked:
    """Write an expansion in at most `height` rows; a longer sum is cut around the cursor's term."""
    guard = _guard_of(scene, found)
    if guard is not None:
        laid = _laid(scene, found, cells, height, "=", guard)
        if not guard or laid.is_whole:
            return Worked(laid.rows, guard)
    return Worked(_laid(scene, found, cells, height, "≈", 0).rows, is_rounded=True)


def _guard_of(scene: Scene, found: Expansion) -> int | None:
    """How many digits more make an element add up; of a sum that is not worked out whole whether it does without."""
    if _is_by_name(scene, found):
        return 0
    decimals = scene.look.decimals
    if not found.cut_terms:
        return _guard(found, decimals)
    return 0 if _adds_up_whole(scene.run, _of_element(scene.spot), scene.row, decimals) else None


@lru_cache(maxsize=64)
def _guard(found: Expansion, decimals: int) -> int | None:
    """How many digits more make the numbers of an element add up: 0 in most; None where a few do not."""
    result = numbers.number(found.value, decimals)
    for guard in range(_MOST_GUARDS + 1):
        if adds_up(found.piece, _written_with(decimals, guard), result):
            return guard
    return None


def _written_with(decimals: int, guard: int = 0) -> Callable[[float], str]:
    """How the numbers of a line are written, the zeros included that `short` drops."""
    return partial(numbers.number, decimals=decimals, guard=guard, alphabet=ASCII)


@by_run(64)
def _adds_up_whole(run: SessionRun, spot: Spot, row: int, decimals: int) -> bool:
    """Whether an element adds up, the terms that are not worked out for the screen included."""
    known = run.known(spot, row)
    assert known is not None
    assert spot.operation is not None
    found = expand(run.line(spot), index_of(run.block(spot), spot.operation, spot.element or 0), known)
    return adds_up(found.piece, _written_with(decimals), numbers.number(found.value, decimals))


class _Laid(NamedTuple):
    rows: RowBlock
    is_whole: bool  # no term was left out


def _laid(scene: Scene, found: Expansion, cells: int, height: int, sign: str, guard: int) -> _Laid:
    """Lay an expansion out in at most `height` rows."""
    current = scene.cursor.term if scene.cursor else None
    alphabet = scene.look.alphabet
    head, tail = _left_side(scene, found), _right_side(scene, found, sign)
    spans = _spans(scene, found, current, guard)
    shown = min(len(found.terms), max(2, cells * height // _LEAST_TERM))
    while True:
        kept = _kept(found, current, shown)
        before, after = _left_out(found, kept)
        first = [_more(scene, before)] if before else []
        more = [_more(scene, after)] if after else []
        lead, seen, trail = _around(spans, kept)
        rows = flow([*head, *lead, *first, *seen, *more, *trail, *tail], cells, indent=4)
        if len(rows) <= height:
            return _Laid(rows, not before and not after)
        if shown <= 1:
            return _Laid(
                _shortened(
                    [*head, *lead, *first], seen, [*more, *trail, *tail], cells, height, alphabet.ellipsis
                ),
                False,
            )
        shown = max(1, min(shown - 1, shown * height // len(rows)))


def _around(
    spans: Sequence[tuple[int | None, Span]], kept: frozenset[int]
) -> tuple[list[Span], list[Span], list[Span]]:
    """What stands before the terms that are written, these, and what stands behind them: `tanh(` and `)`."""
    places = [place for place, (term, _) in enumerate(spans) if term in kept]
    start, stop = (places[0], places[-1] + 1) if places else (len(spans), len(spans))
    lead = [span for term, span in spans[:start] if term is None]
    seen = [span for term, span in spans[start:stop] if term is None or term in kept]
    return lead, seen, [span for term, span in spans[stop:] if term is None]


def _shortened(
    head: list[Span], seen: list[Span], tail: list[Span], cells: int, height: int, ellipsis: str
) -> RowBlock:
    """Flow as many spans as leave room for what stands behind them, the result: a single long term, as of a softmax."""

    def rows(count: int) -> RowBlock:
        return flow([*head, *seen[:count], Span(f" {ellipsis}", "dim"), *tail], cells, indent=4)

    fits = bisect_left(range(len(seen)), True, key=lambda count: len(rows(count)) > height)
    return rows(max(0, fits - 1))[:height]


def _left_side(scene: Scene, found: Expansion) -> list[Span]:
    left = f"{found.name}[{','.join(map(str, found.index))}]" if found.index else found.name
    return [Span(scene.look.alphabet.spell(f"{left} = "), "label")]


def _right_side(scene: Scene, found: Expansion, sign: str) -> list[Span]:
    """The result behind its sign; what it was before an edit."""
    alphabet, decimals = scene.look.alphabet, scene.look.decimals
    is_hidden = scene.is_hidden(found.name)
    is_unfinished = _is_unfinished(scene, found) and not is_hidden
    value = "?" if is_hidden else numbers.number(found.value, decimals, alphabet=alphabet)
    if is_unfinished:
        value = alphabet.ahead
    style = "hidden" if is_hidden else "dim" if is_unfinished else "changed"
    tail = [Span(alphabet.spell(f" {sign} "), "operator"), Span(value, style)]
    old = None if is_hidden or is_unfinished else scene.value_before_edit(found.name)
    if old is not None and found.index:
        was = numbers.number(float(old[found.index]), decimals, alphabet=alphabet)
        tail.append(Span(f" {scene.look.say(Text('(was {value})', value=was))}", "old"))
    return tail


def _is_unfinished(scene: Scene, found: Expansion) -> bool:
    """Whether terms after the cursor's are not added yet."""
    done = scene.elements_done(found.name)
    return done is not None and done <= (scene.spot.element or 0) and not scene.session.is_hidden


def term_in_words(scene: Scene, found: Expansion, guard: int) -> str:
    """At a term: what it comes to, and the sum so far, from numbers with `guard` digits more; "" elsewhere."""
    number = scene.cursor.term if scene.cursor else None
    here = next((term for term in found.terms if term.number == number), None)
    if here is None or scene.session.is_hidden:
        return ""
    before = [term for term in found.terms if term.number <= here.number]
    value = _result(scene, [here], guard)
    if len(before) <= here.number:  # those in between are not worked out
        return scene.look.say(Text("this term {value}", value=value))
    return scene.look.say(
        Text("this term {value}, so far {so_far}", value=value, so_far=_result(scene, before, guard))
    )


def _result(scene: Scene, terms: Sequence[Term], guard: int) -> str:
    """What terms come to, behind the sign that it needs."""
    decimals, alphabet = scene.look.decimals, scene.look.alphabet
    value = sum(term.value for term in terms)
    signed = [term.piece if term.sign > 0 else Applied("neg", (term.piece,)) for term in terms]
    is_exact = adds_up(total(signed), _written_with(decimals, guard), numbers.number(value, decimals))
    return f"{'=' if is_exact else '≈'} {numbers.number(value, decimals, alphabet=alphabet)}"


def rounding_in_words(scene: Scene, found: Expansion, done: Worked) -> Row:
    """What `≈` says, or why numbers have more digits than elsewhere; nothing of a line that is plain."""
    look = scene.look
    are_finite = all(math.isfinite(token.value) for token in found.tokens if token.kind == "value")
    if done.is_rounded and are_finite and not math.isfinite(found.value):
        name = scene.scenario.dtype.name
        text = Text("larger than the largest number of {dtype}, {most}", dtype=name, most=_LARGEST[name])
    elif done.is_rounded and not are_finite and math.isfinite(found.value):  # relu, whose sum is not above 0
        text = Text("what is not finite does not get through here")
    elif done.is_rounded and not are_finite:
        return ()
    elif done.is_rounded:
        key = look.key(BY_ID["more_decimals"])
        text = Text("≈ about equal: all numbers are rounded; {key} shows more", key=key)
    elif done.guard and _most_decimals(scene, found, done.guard) == look.decimals + 1:
        text = Text("one more digit here, so that it adds up")
    elif done.guard:
        text = Text("a few more digits here, so that it adds up")
    else:
        return ()
    return (Span(look.say(text), "dim"),)


def _most_decimals(scene: Scene, found: Expansion, guard: int) -> int:
    """The decimals of the longest of an element's numbers as they are written: small ones have more than others."""
    texts = (
        _written(scene, token, guard, is_by_name=False) for token in found.tokens if token.kind == "value"
    )
    return max((len(text.partition(".")[2]) for text in texts), default=0)


def _kept(found: Expansion, current: int | None, shown: int) -> frozenset[int]:
    """The numbers of the terms that are written: `shown` of them, those about the cursor's."""
    middle = next((k for k, term in enumerate(found.terms) if term.number == current), 0)
    seen = window(len(found.terms), shown, middle)
    return frozenset(term.number for term in found.terms[seen.start : seen.stop])


def _left_out(found: Expansion, kept: frozenset[int]) -> tuple[int, int]:
    """How many terms are not written before the first that is, and after it."""
    count = len(found.terms) + found.cut_terms + found.zero_terms
    before = min(kept, default=0)
    return before, count - before - len(kept)


def _more(scene: Scene, count: int) -> Span:
    return Span(f" {scene.look.say(Text('… {count} more terms', count=count))}", "dim")


def _is_by_name(scene: Scene, found: Expansion) -> bool:
    """Whether an element is only looked up or put beside another: it is shown where, there is nothing to work out."""
    return scene.block.kind in ("lookup", "join") and len(found.tokens) == 1


def _spans(scene: Scene, found: Expansion, current: int | None, guard: int) -> list[tuple[int | None, Span]]:
    """The right side as spans, each with its term; a term is one span, broken over lines only where it must."""
    spans: list[tuple[int | None, Span]] = []
    place = f"{scene.place(found.name)}[{found.index[0] if found.index else 0}]"
    is_by_name = _is_by_name(scene, found)
    for index, token in enumerate(found.symbols if is_by_name else found.tokens):
        text = _written(scene, token, guard, is_by_name=is_by_name)
        term = token.term
        style = "cursor" if term is not None and term == current else ""
        if term is not None and current is not None and term > current:
            style = "dim"  # not added yet
        target = f"go {place}.{term}" if term is not None else ""
        if token.kind == "operator" and index > 0 and token.text in (" + ", " − "):
            spans.append((term, Span(text, "operator", target)))
        elif spans and spans[-1][0] == term and (spans[-1][1].style, spans[-1][1].target) == (style, target):
            before = spans[-1][1]
            spans[-1] = (term, before._replace(text=before.text + text))
        else:
            spans.append((term, Span(text, style, target)))
    return spans


def _written(scene: Scene, token: Token, guard: int, *, is_by_name: bool) -> str:
    """Write one token; by its name what is only looked up or put beside another."""
    alphabet = scene.look.alphabet
    if token.kind != "value" or is_by_name:
        return alphabet.spell(token.text)
    return numbers.short(token.value, scene.look.decimals, guard=guard, alphabet=alphabet)
