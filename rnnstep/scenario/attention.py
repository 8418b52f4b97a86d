"""Attention in [[layers]]: how it scores, and whether what it compares goes together."""

from __future__ import annotations

from typing import cast

from rnnstep.language import Text
from rnnstep.modules.attention import SCORES, Attention, ScoreName
from rnnstep.scenario.chain import ChainLayer
from rnnstep.scenario.file.document import Document, Table, shown
from rnnstep.scenario.wired_modules import Modules, Sizes, size_of
from rnnstep.scenario.wiring import ATTENDS


def read_attention(document: Document, layer: ChainLayer, modules: Modules, given: Sizes) -> Attention | None:
    """Give attention, or None where something is wrong.

    Args:
        document: as `chain.as_tables` gave it.
        layer: it.
        modules: those that it reads, and others.
        given: how many numbers each x_t of a sequence has; None where it has indices, or it is not known.
    """
    table = Table(document, layer.place, dict(layer.options))
    for name in table.keys():
        if name not in ("score", "size"):
            table.unknown(name, ("score", "size", *ATTENDS))
    if not table.has("score"):
        table.missing("score", Text("one of {choices}", choices=", ".join(f'"{one}"' for one in SCORES)))
    score = table.choice("score", SCORES)
    is_additive = score == "additive"
    if is_additive and not table.has("size"):
        table.missing("size", Text("a whole number ≥ {minimum}", minimum=1))
    if score is not None and not is_additive and table.has("size"):
        table.problem("size", Text('`size`: only of score = "additive"'))
    hidden = table.integer("size", minimum=1) if is_additive else 0
    asked = [size_of(document, layer, "query", one, modules, given) for one in layer.reads.inputs or ()]
    query = asked[0] if asked else None
    sizes = [
        size_of(document, layer, key, one, modules, given)
        for key, one in zip(ATTENDS[1:], layer.reads.banks, strict=False)
    ]
    known = [size for size in sizes if size is not None]
    if score is None or hidden is None or query is None or not known or len(known) < len(sizes):
        return None
    if score in ("dot", "scaled_dot") and query != known[0]:
        text = Text(
            "`score`: {score} multiplies query and memory: `query` = {query} gives {query_size} numbers, `memory` = {memory} {size}",
            score=shown(score),
            query=str((layer.reads.inputs or ("",))[0]),
            query_size=query,
            memory=str(layer.reads.banks[0]),
            size=known[0],
        )
        document.problem((*layer.place, "score"), text)
        return None
    return Attention(
        cast(ScoreName, score), query, known[0], known[-1], hidden, has_values=len(known) > 1, key=layer.name
    )
