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
from rnnstep.views import back, side, timeline
from rnnstep.views.cell import whole
from rnnstep.views.compose import Block, beside, box, pad
from rnnstep.views.footer import footer
from rnnstep.views.header import header, message
from rnnstep.views.look import Look
from rnnstep.views.now import now
from rnnstep.views.panels import panels
from rnnstep.views.picture import is_of_blocks, is_of_epochs, picture, with_joined
from rnnstep.views.rows import Span
from rnnstep.views.scene import Scene
from rnnstep.views.vectors import values
from rnnstep.views.worked import expansion

_WIDE = 112
_TALL = 30
_LARGEST = 180
_WITHOUT_SUMMARY = 17
"""The rows of the cell whole in two lines and of the timeline, which the summary at start leaves alone."""

_TIMELINE = 6
"""Its rows with one for the losses, which at start are not there."""
_MOST_AT_START = 15
_LEAST_VALUES = 5


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
    rows = _TIMELINE if scene.scenario.has_loss and scene.level != "start" and left > _MOST_AT_START else 0
    has_timeline = left >= 10 and scene.level != "epoch"  # what an epoch came to stands above
    below = timeline.timeline(scene, width, max(rows, min(7, left // 3))) if has_timeline else []
    more = side.watches(scene)[:2] if left >= 12 else []
    middle = picture(scene, width - 2, left - len(below) - len(more))
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
    return [*top, *beside([column, panels(scene, right, rest, is_large=is_large)], gap=1)]


def _across(scene: Scene, width: int, height: int) -> Block:
    """The cell whole in one row across the screen; nothing where it does not fit, and of a whole epoch."""
    if is_of_epochs(scene):
        return []
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


def _main(scene: Scene, cells: int, height: int, *, has_whole: bool) -> Block:
    """The picture of the zoom; at a step, where the cell already stands across, its values as vectors."""
    is_flow = is_of_blocks(scene)
    is_step = scene.spot.operation is None and not is_flow
    if is_step and has_whole and scene.is_forward:
        drawn = with_joined(scene, values(scene, cells - 4, height - 2), cells - 4, height - 2)
    else:
        drawn = picture(scene, cells - 4, height - 2)
    rest = height - len(drawn) - 2
    lower = [] if is_step else _all_values(scene, cells - 4, rest - 2)
    if not lower:
        return box(drawn, _title(scene), cells, height, alphabet=scene.look.alphabet)
    upper = box(drawn, _title(scene), cells, len(drawn) + 2, alphabet=scene.look.alphabet)
    title = scene.look.say(Text("all values of this step"))
    if is_flow:
        title = scene.look.alphabet.spell(f"{scene.block.key}: {title}")
    return [*upper, *box(lower, title, cells, rest, alphabet=scene.look.alphabet)]


def _all_values(scene: Scene, cells: int, height: int) -> Block:
    """All values of the block, where there is room for them."""
    match scene.spot.phase:
        case "forward":
            return values(scene, cells, height, is_whole=True)
        case "backward" if height >= _LEAST_VALUES and scene.known is not None:
            return back.back_values(scene, cells, height)
        case "update" if height >= _LEAST_VALUES:
            return back.update_values(scene, cells, height)
    return []


def _title(scene: Scene) -> str:
    if scene.spot.operation is not None:
        return scene.look.alphabet.spell(f"{scene.spot.key} · {scene.spot.operation}")
    if is_of_epochs(scene):
        return scene.look.say(Text("epochs"))
    if scene.level == "pass" and not scene.is_forward:
        return scene.look.say(Text("gradients of the parameters"))
    if is_of_blocks(scene):
        return scene.look.say(Text("the step, block by block"))
    return scene.look.alphabet.spell(str(scene.spot.key))


def _blackboard(scene: Scene, width: int, room: int) -> Block:
    """`z`: the formula, the numbers and the picture alone, with air around them."""
    panel = _now(scene, width, min(7, max(4, room // 3)))
    drawn = picture(scene, width - 4, room - len(panel) - 1)
    tall = room - len(panel)
    above_it = max(0, (tall - len(drawn)) // 3)
    inset = max(1, (width - max((sum(len(span.text) for span in row) for row in drawn), default=0)) // 2)
    return [*panel, *([()] * above_it), *((Span(" " * inset), *row) for row in drawn)]
