"""What stands beside: watches, breakpoints, and where the number at the cursor goes next."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rnnstep.language import Text
from rnnstep.session.place import write_place, write_row
from rnnstep.session.provenance import Origin, source
from rnnstep.session.readers import readers
from rnnstep.session.tree import Spot
from rnnstep.session.watching import PassWatch, is_read_in
from rnnstep.views import numbers
from rnnstep.views.compose import RowBlock, flow
from rnnstep.views.rows import Row, Span
from rnnstep.views.scene import Scene
from rnnstep.views.worked import expansion

_MOST_LINKS = 8


def watches(scene: Scene) -> RowBlock:
    """A row for each watch, with its value for this row at this step once it is computed."""
    rows: RowBlock = []
    for watch in scene.session.watches:
        rows.append((Span(f" {watch.text} = ", "label"), Span(_value(scene, watch), "bold")))
    for one in scene.session.breakpoints:
        rows.append((Span(f" {scene.look.alphabet.breakpoint} ", "breakpoint"), Span(str(one))))
    return rows


def _value(scene: Scene, watch: PassWatch) -> str:
    if scene.session.is_hidden:
        return "?"
    spot = _watched(scene, watch)
    if spot is None:
        return scene.look.say(Text("does not fit here"))
    block = scene.run.block(spot)
    last = replace(spot, operation=block.program.names[-1])
    if scene.level == "start" or not scene.is_done(last):
        return scene.look.alphabet.ahead
    assert spot.t is not None
    value = watch.value(block, scene.run.pass_of(spot).values(block.key, spot.t), spot.t)
    if value is None:
        return scene.look.say(Text("does not fit here"))
    index = scene.run.row_index(spot, scene.row)
    row = value[index] if value.ndim > 1 and index is not None and len(value) > 1 else value
    flat = np.asarray(row, np.float64).reshape(-1)
    if watch.watch.is_question:
        return scene.look.say(Text("true") if flat.any() else Text("false"))
    shown = " ".join(
        numbers.number(float(one), scene.look.decimals, alphabet=scene.look.alphabet) for one in flat[:8]
    )
    return shown + (f" {scene.look.alphabet.ellipsis}" if len(flat) > 8 else "")


def _watched(scene: Scene, watch: PassWatch) -> Spot | None:
    """Where a watch is looked at: in the cursor's block or the first that it may be read in, at the cursor's step."""
    stage = scene.run.tree.stage(replace(scene.spot, phase=watch.phase))
    fitting = [block.key for block in stage.blocks if is_read_in(watch.phase, block)]
    is_here = watch.phase == scene.spot.phase and scene.spot.key in fitting
    key = scene.spot.key if is_here else fitting[0]
    assert key is not None
    t = scene.t if scene.t in stage.steps[key] else stage.steps[key][-1]
    return replace(scene.at(key, t), phase=watch.phase)


def comes_and_goes(scene: Scene, cells: int) -> RowBlock:
    """Where the element at the cursor came from and where it goes, each a link."""
    spot = scene.cursor
    if spot is None or spot.operation is None:
        return []
    rows: RowBlock = []
    sources = _sources(scene)
    if sources:
        rows += flow([Span(scene.look.say(Text("from ")), "dim"), *_links(scene, sources)], cells, indent=2)
    goes = [
        Origin(path, scene.row)
        for one in readers(scene.run, spot, scene.row, most=_MOST_LINKS + 1)
        if (path := scene.run.tree.path_to(one)) is not None
    ]
    if goes:
        rows += flow([Span(scene.look.say(Text("goes to ")), "dim"), *_links(scene, goes)], cells, indent=2)
    return rows


def _sources(scene: Scene) -> list[Origin]:
    found = expansion(scene)
    if found is None:
        return []
    term = scene.cursor.term if scene.cursor else None
    paths: list[Origin] = []
    for one in found.terms:
        if term is not None and one.number != term:
            continue
        if len(paths) > _MOST_LINKS:
            break
        for factor in one.factors:
            path = source(scene.run, scene.spot, factor.name, factor.index, scene.row)
            if path is not None and path not in paths:
                paths.append(path)
    return paths


def _links(scene: Scene, paths: list[Origin]) -> Row:
    spans: list[Span] = []
    for path, row in paths[:_MOST_LINKS]:
        text = write_place(scene.run.tree, path) + (write_row(row) if row != scene.row else "")
        spans += [Span(scene.look.alphabet.spell(text), "link", f"go {text}"), Span("  ")]
    if len(paths) > _MOST_LINKS:
        spans.append(Span(scene.look.alphabet.ellipsis, "dim"))
    return tuple(spans)
