"""An element with its numbers put in: `hh[0] = 0.31·0.42 − 0.07·0.88 + 0.12 = 0.1811`."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from rnnstep.equations.expand import Expansion, expand
from rnnstep.equations.pieces import Token
from rnnstep.language import Text
from rnnstep.views import numbers
from rnnstep.views.compose import Block, flow
from rnnstep.views.rows import Span
from rnnstep.views.scene import Scene

if TYPE_CHECKING:
    from rnnstep.session.run import Run

_MOST_TERMS = 400
"""A sum of more terms is shown around the term that is looked at."""


def expansion(scene: Scene) -> Expansion | None:
    """Work out the element at the cursor (of an operation its first); None above operations."""
    spot = scene.spot
    if spot.operation is None or scene.known is None or scene.block.kind not in ("recurrent", "linear", "dropout"):
        return None
    assert spot.key is not None
    return _expanded(scene.run, spot.batch, spot.key, scene.t, scene.row, spot.operation, spot.element or 0)


@lru_cache(maxsize=64)
def _expanded(run: Run, batch: int, key: str, t: int, row: int, operation: str, element: int) -> Expansion | None:
    from rnnstep.session.tree import Spot

    known = run.known(Spot(batch, key, t), row)
    if known is None:
        return None
    block = run.trace.passes[batch].by_key[key]
    return expand(block.program.by_name[operation], element, known)


def worked(scene: Scene, found: Expansion, cells: int, height: int) -> Block:
    """Write an expansion in at most `height` rows; a longer sum is cut around the cursor's term."""
    is_hidden = scene.is_hidden(found.name)
    current = scene.session.spot.term if scene.session.spot else None
    left = f"{found.name}[{found.index[0]}]" if found.index else found.name
    head = [Span(f"{left} = ", "label")]
    spans = _spans(scene, found, current)
    alphabet = scene.look.alphabet
    value = "?" if is_hidden else numbers.number(found.value, scene.look.decimals, alphabet=alphabet)
    tail = [Span(" = ", "operator"), Span(value, "hidden" if is_hidden else "changed")]
    rows = flow([*head, *spans, *tail], cells, indent=4)
    if len(rows) <= height:
        return rows
    return _cut(scene, found, head, tail, current, cells, height)


def _spans(scene: Scene, found: Expansion, current: int | None, terms: frozenset[int] | None = None) -> list[Span]:
    spans: list[Span] = []
    tokens = found.tokens
    place = _place(scene, found)
    for index, token in enumerate(tokens):
        if terms is not None and token.term is not None and token.term not in terms:
            continue
        text = _written(scene, token)
        style = "cursor" if token.term is not None and token.term == current else ""
        target = f"go {place}.{token.term}" if token.term is not None else ""
        is_joint = token.kind == "operator" and index > 0 and token.text.strip() in ("+", "−")
        if is_joint and token.text != token.text.strip():
            spans.append(Span(text, "operator", target))
        elif spans and (spans[-1].style, spans[-1].target) == (style, target):
            spans[-1] = spans[-1]._replace(text=spans[-1].text + text)  # a term is broken over lines only where it must
        else:
            spans.append(Span(text, style, target))
    return spans


def _place(scene: Scene, found: Expansion) -> str:
    batches = f"{scene.spot.batch + 1}:" if len(scene.run.trace.passes) > 1 else ""
    element = found.index[0] if found.index else 0
    return f"{batches}{scene.t + 1}/{scene.spot.key}/{found.name}[{element}]"


def _written(scene: Scene, token: Token) -> str:
    """Write one token."""
    alphabet = scene.look.alphabet
    if token.kind != "value":
        return alphabet.spell(token.text)
    return numbers.short(token.value, scene.look.decimals, alphabet=alphabet)


def _cut(
    scene: Scene, found: Expansion, head: list[Span], tail: list[Span], current: int | None, cells: int, height: int
) -> Block:
    """Show as many terms as fit, those around the cursor's, and say how many are left out."""
    count = len(found.terms)
    middle = current or 0
    for shown in range(min(count, _MOST_TERMS) - 1, 0, -max(1, count // 24)):
        start = min(max(0, middle - shown // 2), count - shown)
        kept = frozenset(range(start, start + shown))
        left_out = Text("… {count} more terms", count=count - shown)
        more = Span(f" {scene.look.say(left_out)}", "dim")
        rows = flow([*head, *_spans(scene, found, current, kept), more, *tail], cells, indent=4)
        if len(rows) <= height:
            return rows
    return rows[:height]
