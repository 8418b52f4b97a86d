"""An element with its numbers put in: `hh[0] = 0.31·0.42 − 0.07·0.88 + 0.12 = 0.1811`."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from rnnstep.equations.expand import Expansion, expand, number_of_terms
from rnnstep.equations.pieces import Token
from rnnstep.language import Text
from rnnstep.session.tree import Spot, index_of
from rnnstep.views import numbers
from rnnstep.views.compose import Block, flow
from rnnstep.views.grids import window
from rnnstep.views.rows import Span
from rnnstep.views.scene import Scene

if TYPE_CHECKING:
    from rnnstep.session.run import Run

_LEAST_TERM = 9
"""The cells that a short term takes, its sign included: ` + 0.3·0.4`."""

_MOST_TERMS = 64
"""Terms about the cursor's that are worked out of a longer sum: about what the largest screen has room for."""


def expansion(scene: Scene) -> Expansion | None:
    """Work out the element at the cursor (of an operation its first); None above operations."""
    spot = scene.spot
    if spot.operation is None or scene.known is None:
        return None
    assert spot.key is not None
    count = number_of_terms(scene.run.line(spot), scene.block.program.shapes)
    only = None if count <= _MOST_TERMS else _about(spot.term or 0, count)
    return _expanded(scene.run, replace(spot, element=spot.element or 0, term=None), scene.row, only)


def _about(term: int, count: int) -> frozenset[int]:
    """The terms about one, and the last of all, which is the bias."""
    seen = window(count, _MOST_TERMS, term)
    return frozenset((*range(seen.start, seen.stop), count - 1))


@lru_cache(maxsize=64)
def _expanded(run: Run, spot: Spot, row: int, only: frozenset[int] | None) -> Expansion | None:
    known = run.known(spot, row)
    if known is None:
        return None
    assert spot.operation is not None
    index = index_of(run.block(spot), spot.operation, spot.element or 0)
    return expand(run.line(spot), index, known, only=only)


def worked(scene: Scene, found: Expansion, cells: int, height: int) -> Block:
    """Write an expansion in at most `height` rows; a longer sum is cut around the cursor's term."""
    current = scene.session.spot.term if scene.session.spot else None
    left = f"{found.name}[{','.join(map(str, found.index))}]" if found.index else found.name
    alphabet = scene.look.alphabet
    is_hidden = scene.is_hidden(found.name)
    value = "?" if is_hidden else numbers.number(found.value, scene.look.decimals, alphabet=alphabet)
    is_unfinished = _is_unfinished(scene, found)
    if is_unfinished and not is_hidden:
        value = alphabet.ahead
    head = [Span(alphabet.spell(f"{left} = "), "label")]
    tail = [
        Span(" = ", "operator"),
        Span(value, "hidden" if is_hidden else "dim" if is_unfinished else "changed"),
    ]
    old = None if is_hidden or is_unfinished else scene.value_before_edit(found.name)
    if old is not None and found.index:
        was = numbers.number(float(old[found.index]), scene.look.decimals, alphabet=alphabet)
        tail.append(Span(f" {scene.look.say(Text('(was {value})', value=was))}", "old"))
    spans = _spans(scene, found, current)
    shown = min(len(found.terms), max(2, cells * height // _LEAST_TERM))
    while True:
        kept = _kept(found, current, shown)
        before, after = _left_out(found, kept)
        first = [_more(scene, before)] if before else []
        more = [_more(scene, after)] if after else []
        seen = [span for term, span in spans if term is None or term in kept]
        rows = flow([*head, *first, *seen, *more, *tail], cells, indent=4)
        if len(rows) <= height or shown <= 1:
            return rows[:height]
        shown = max(1, min(shown - 1, shown * height // len(rows)))


def _is_unfinished(scene: Scene, found: Expansion) -> bool:
    """Whether terms after the cursor's are not added yet."""
    done = scene.elements_done(found.name)
    return done is not None and done <= (scene.spot.element or 0) and not scene.session.is_hidden


def term_in_words(scene: Scene, found: Expansion) -> str:
    """At a term: what it comes to, and the sum so far; "" elsewhere."""
    number = scene.session.spot.term if scene.session.spot else None
    here = next((term for term in found.terms if term.number == number), None)
    if here is None or scene.session.is_hidden:
        return ""
    places, alphabet = scene.look.decimals, scene.look.alphabet
    before = [term.value for term in found.terms if term.number <= here.number]
    value = numbers.number(here.value, places, alphabet=alphabet)
    if len(before) <= here.number:  # those in between are not worked out
        return scene.look.say(Text("this term: {value}", value=value))
    so_far = numbers.number(sum(before), places, alphabet=alphabet)
    return scene.look.say(Text("this term: {value}, so far {so_far}", value=value, so_far=so_far))


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


def _spans(scene: Scene, found: Expansion, current: int | None) -> list[tuple[int | None, Span]]:
    """The right side as spans, each with its term; a term is one span, broken over lines only where it must."""
    spans: list[tuple[int | None, Span]] = []
    place = f"{scene.place(found.name)}[{found.index[0] if found.index else 0}]"
    is_by_name = scene.block.kind in ("embedding", "join")  # nothing is worked out there
    for index, token in enumerate(found.symbols if is_by_name else found.tokens):
        text = _written(scene, token, is_by_name=is_by_name)
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


def _written(scene: Scene, token: Token, *, is_by_name: bool) -> str:
    """Write one token; by its name what is only looked up or put beside another."""
    alphabet = scene.look.alphabet
    if token.kind != "value" or is_by_name:
        return alphabet.spell(token.text)
    return numbers.short(token.value, scene.look.decimals, alphabet=alphabet)
