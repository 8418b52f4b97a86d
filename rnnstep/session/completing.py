"""What a place that is being typed may go on with: steps, blocks, operations, elements, passes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rnnstep.session.place import PHASES
from rnnstep.session.session import Session
from rnnstep.session.tree import Spot, Tree, shape_of

_TYPED = re.compile(r"(?P<head>(?:[^/\[]*[:/\[])*)(?P<stem>[^/:\[]*)")
_MOST_ELEMENTS = 100


def completions(session: Session, text: str) -> list[str]:
    """Give the texts that `text` may be the beginning of, each a place or the beginning of one."""
    match = _TYPED.fullmatch(text)
    if match is None:
        return []
    head, stem = match["head"], match["stem"]
    return [
        head + name for name in dict.fromkeys(_names(session, head)) if name.startswith(stem) and name != stem
    ]


def _names(session: Session, head: str) -> Iterator[str]:
    """What may stand behind `head`, which ends after a `:`, `/` or `[`, or is empty."""
    tree = session.tree
    prefix, _, rest = head.rpartition(":")
    words = [word for word in prefix.split(":") if word]
    typed = next((PHASES[word] for word in words if word in PHASES), None)
    sequence = next((word for word in words if word in tree.sequences), None)
    here = session.spot
    phase = typed or (here.phase if here is not None and not rest else None) or "forward"
    batch = next((int(word) - 1 for word in words if word.isdigit()), 0)
    if not 0 <= batch < tree.num_batches or phase not in tree.phases:
        return
    spot = Spot(batch, phase=phase, sequence=sequence)
    segments = rest.replace("[", "/").split("/")[:-1]
    if head.endswith("["):
        yield from _elements(tree, spot, segments)
    elif not segments:
        yield from _first(session, spot, is_prefixed=bool(words))
    else:
        yield from _below(tree, spot, segments)


def _first(session: Session, spot: Spot, *, is_prefixed: bool) -> Iterator[str]:
    tree = session.tree
    keys = _keys(tree, spot)
    if spot.phase != "update":
        yield from (str(t + 1) for t in range(tree.num_steps(spot.batch or 0, spot.sequence)))
    yield from keys
    here = session.spot
    own = [] if here is None or here.key is None or is_prefixed else [here.key]
    for key in dict.fromkeys((*(key for key in own if key in keys), *keys)):
        yield from tree.block(Spot(spot.batch, key, phase=spot.phase)).program.names
    if not is_prefixed:
        yield "start"
        if tree.num_batches > 1:
            yield from (f"{batch + 1}:" for batch in range(tree.num_batches))
        yield from (f"{phase}:" for phase in tree.phases if phase != "forward")
    if spot.sequence is None and spot.phase != "update" and tree.has_several("sequence"):
        yield from (f"{sequence}:" for sequence in tree.sequences)


def _keys(tree: Tree, spot: Spot) -> tuple[str, ...]:
    """The keys of the blocks that may follow."""
    return tree.keys(spot.batch or 0, spot.phase or "forward", spot.sequence)


def _below(tree: Tree, spot: Spot, segments: list[str]) -> Iterator[str]:
    keys = _keys(tree, spot)
    last = segments[-1]
    if last in keys:
        yield from tree.block(Spot(spot.batch, last, phase=spot.phase)).program.names
    elif last.isdigit() and len(segments) == 1:
        yield from keys
        for key in keys:
            yield from tree.block(Spot(spot.batch, key, phase=spot.phase)).program.names


def _elements(tree: Tree, spot: Spot, segments: list[str]) -> Iterator[str]:
    *before, operation = segments
    keys = [key for key in _keys(tree, spot) if key in before]
    for key in keys or _keys(tree, spot):
        block = tree.block(Spot(spot.batch, key, phase=spot.phase))
        if operation not in block.program.names:
            continue
        shape = shape_of(block, operation)
        if len(shape) == 1:
            yield from (f"{element}]" for element in range(min(shape[0], _MOST_ELEMENTS)))
        return
