"""The whole screen as rows, at any size: what stands where, and what gives way first.

| size   | what is there                                                                     |
|--------|-----------------------------------------------------------------------------------|
| 60×17  | header, the operation with its numbers, its blackboard row, keys                    |
| 80×24  | … and the timeline                                                                |
| 120×35 | … the cell whole, the equations as a listing, a plot of the state                 |
| 200×60 | … gates over time, watches and breakpoints, where numbers come from and go        |
"""

from __future__ import annotations

from rnnstep.language import Text
from rnnstep.session.session import Session
from rnnstep.views import charts, side, timeline
from rnnstep.views.board import board
from rnnstep.views.cell import cell, whole
from rnnstep.views.compose import Block, above, beside, box, pad
from rnnstep.views.footer import footer
from rnnstep.views.header import header, message
from rnnstep.views.joined import joined
from rnnstep.views.listing import listing
from rnnstep.views.look import Look
from rnnstep.views.now import now
from rnnstep.views.overview import overview
from rnnstep.views.rows import Span
from rnnstep.views.scene import Scene
from rnnstep.views.vectors import flow, values
from rnnstep.views.worked import expansion

_WIDE = 112
_TALL = 30
_LARGEST = 180
_WITHOUT_SUMMARY = 17
"""The rows of the cell whole in two lines and of the timeline, which the summary at start leaves alone."""

_HIGHEST_OVERVIEW = 18
_SHARE_OF_BOARD = 2 / 3


def screen(session: Session, look: Look, width: int, height: int) -> Block:
    """Draw a session in exactly `width` × `height` cells (at least 20×5)."""
    scene = Scene(session, look)
    width, height = max(20, width), max(5, height)
    top = [header(scene, width)]
    # A message stands where the keys are, so that nothing else moves.
    foot = message(scene, width) or [footer(scene, width)]
    room = height - 1 - len(foot)
    if look.is_blackboard:
        middle = _blackboard(scene, width, room)
    elif width < _WIDE or height < _TALL:
        middle = _narrow(scene, width, room)
    else:
        middle = _wide(scene, width, room)
    return pad([*top, *pad(middle, width, room, look.alphabet), *foot], width, height, look.alphabet)


def _narrow(scene: Scene, width: int, room: int) -> Block:
    """One idea at a time: the operation on top, what it works on, the timeline below."""
    talk = min(4, max(3, room // 5)) if scene.level != "start" else min(7, max(3, room - _WITHOUT_SUMMARY))
    panel = _now(scene, width, talk + 2)
    left = room - len(panel)
    below = timeline.timeline(scene, width, min(7, left // 3)) if left >= 10 else []
    more = side.watches(scene)[:2] if left >= 12 else []
    middle = _picture(scene, width - 2, left - len(below) - len(more))
    middle = [(Span(" "), *row) for row in middle]
    gap = max(0, left - len(middle) - len(below) - len(more))
    return [*panel, *middle, *([()] * gap), *below, *more]


def _wide(scene: Scene, width: int, room: int) -> Block:
    """The cell whole across, the operation and the timeline at the left, the listing and plots at the right."""
    is_large = width >= _LARGEST
    right = min(84, max(46, width * 2 // 5)) if is_large else max(42, width * 3 // 8)
    left = width - right - 1
    top = [*_now(scene, width, 6 if room < 40 else 8), *_across(scene, width, 7 if room < 45 else room // 2)]
    below = timeline.timeline(scene, left - 4, 7 if room < 40 and len(scene.done.runs) < 3 else 9)
    lower = box(below, scene.look.say(Text("timeline")), left, len(below) + 2, alphabet=scene.look.alphabet)
    rest = room - len(top)
    column = [*_main(scene, left, rest - len(lower), has_whole=len(top) > 8), *lower]
    return [*top, *beside([column, _side(scene, right, rest, is_large=is_large)], gap=1)]


def _across(scene: Scene, width: int, height: int) -> Block:
    """The cell whole in one row across the screen; nothing where it does not fit."""
    drawn = whole(scene, width - 1, height - 2)
    if drawn is None:
        return []
    title = scene.look.alphabet.spell(f" {scene.spot.key} {scene.look.alphabet.horizontal}")
    rule = Span(title + scene.look.alphabet.horizontal * (width - len(title)), "border")
    return [(rule,), *((Span(" "), *row) for row in drawn)]


def _now(scene: Scene, width: int, height: int) -> Block:
    found = expansion(scene)
    rows = now(scene, found, width - 4, height - 2)
    title = Text("what this is about") if scene.level == "start" else Text("now")
    return box(rows, scene.look.say(title), width, height, "focus", alphabet=scene.look.alphabet)


def _picture(scene: Scene, cells: int, height: int) -> Block:
    """What the zoom is about: the operation, the cell, or the step's blocks."""
    if height < 2:
        return []
    if scene.spot.operation is not None:
        drawn = board(scene, cells, _board_height(height), expansion(scene))
        drawn = _with_joined(scene, drawn, cells, height)
        rest = height - len(drawn) - 1
        drawn += [*([()] if rest > 0 else []), *side.comes_and_goes(scene, cells)[: max(0, rest)]]
        return [
            *drawn,
            *overview(
                scene, _seen(cells, _board_height(height)), cells, min(height - len(drawn), _HIGHEST_OVERVIEW)
            ),
        ]
    if scene.level == "step" and len(scene.done.blocks) > 1:
        return flow(scene, cells, height)
    return _with_joined(scene, cell(scene, cells, height), cells, height)


def _with_joined(scene: Scene, drawn: Block, cells: int, height: int) -> Block:
    """Put the joined form below, where it is asked for and fits."""
    return above([drawn, joined(scene, cells, height - len(drawn))]) if scene.look.is_joined else drawn


def _board_height(height: int) -> int:
    """The rows of the board: all where there are few, else some are left for what stands below it."""
    return height if height < 20 else int(height * _SHARE_OF_BOARD)


def _seen(cells: int, height: int) -> tuple[int, int]:
    """About how many rows and columns of a matrix the board shows."""
    return max(1, height - 2), max(1, (cells - 30) // 6)


def _main(scene: Scene, cells: int, height: int, *, has_whole: bool) -> Block:
    """The picture of the zoom; at a step, where the cell already stands across, its values as vectors."""
    is_step = scene.spot.operation is None and (scene.level != "step" or len(scene.done.blocks) == 1)
    if is_step and has_whole:
        drawn = _with_joined(scene, values(scene, cells - 4, height - 2), cells - 4, height - 2)
    else:
        drawn = _picture(scene, cells - 4, height - 2)
    rest = height - len(drawn) - 2
    is_flow = scene.spot.operation is None and not is_step
    lower = [] if is_step else values(scene, cells - 4, rest - 2, is_whole=True)
    if not lower:
        return box(drawn, _title(scene), cells, height, alphabet=scene.look.alphabet)
    upper = box(drawn, _title(scene), cells, len(drawn) + 2, alphabet=scene.look.alphabet)
    title = scene.look.say(Text("all values of this step"))
    if is_flow:
        title = scene.look.alphabet.spell(f"{scene.block.key}: {title}")
    return [*upper, *box(lower, title, cells, rest, alphabet=scene.look.alphabet)]


def _title(scene: Scene) -> str:
    if scene.spot.operation is not None:
        return scene.look.alphabet.spell(f"{scene.spot.key} · {scene.spot.operation}")
    if scene.level == "step" and len(scene.done.blocks) > 1:
        return scene.look.say(Text("the step, block by block"))
    return scene.look.alphabet.spell(str(scene.spot.key))


def _side(scene: Scene, cells: int, height: int, *, is_large: bool) -> Block:
    """The listing on top, plots below, watches where there are any."""
    say, alphabet = scene.look.say, scene.look.alphabet
    lines = len(scene.block.program.lines)
    watching = side.watches(scene)[:6]
    watched = (
        box(watching, say(Text("watches and breakpoints")), cells, len(watching) + 2, alphabet=alphabet)
        if watching
        else []
    )
    spare = height - len(watched)
    listed = max(4, min(lines + 2, max(8, spare - 12)))
    upper = box(
        listing(scene, cells - 4, listed - 2), say(Text("equations")), cells, listed, alphabet=alphabet
    )
    rest = spare - listed
    names = charts.names(scene)
    count = max(1, min(len(names), rest // (9 if is_large else 12))) if rest >= 6 else 0
    plots: list[Block] = []
    for index in range(count):
        size = rest // count + (1 if index < rest % count else 0)
        plots.append(
            box(
                charts.chart(scene, names[index], cells - 4, size - 2),
                _over_time(scene, names[index]),
                cells,
                size,
                alphabet=alphabet,
            )
        )
    return pad([*watched, *upper, *(row for plot in plots for row in plot)], cells, height, alphabet)


def _over_time(scene: Scene, name: str) -> str:
    return scene.look.say(Text("{name} over time", name=name))


def _blackboard(scene: Scene, width: int, room: int) -> Block:
    """`z`: the formula, the numbers and the picture alone, with air around them."""
    panel = _now(scene, width, min(7, max(4, room // 3)))
    drawn = _picture(scene, width - 4, room - len(panel) - 1)
    tall = room - len(panel)
    above_it = max(0, (tall - len(drawn)) // 3)
    inset = max(1, (width - max((sum(len(span.text) for span in row) for row in drawn), default=0)) // 2)
    return [*panel, *([()] * above_it), *((Span(" " * inset), *row) for row in drawn)]
