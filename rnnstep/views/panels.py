"""What stands at the right on a wide screen: the equations, then plots of what the cursor's pass is about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from rnnstep.language import Text
from rnnstep.views import charts, gradients, learning, side
from rnnstep.views.compose import Block, box, pad
from rnnstep.views.listing import listing, listing_title
from rnnstep.views.scene import Scene

_LEAST_PANEL = 6
_ROOM_FOR_THREE = 30


class _Panel(NamedTuple):
    """A framed picture: its title, and what draws it in cells by rows."""

    title: str
    draw: Callable[[int, int], Block]


def panels(scene: Scene, cells: int, height: int, *, is_large: bool) -> Block:
    """Watches where there are any, the listing, and as many plots below as there is room for."""
    say, alphabet = scene.look.say, scene.look.alphabet
    watching = side.watches(scene)[:6]
    found: Block = []
    if watching:
        title = say(Text("watches and breakpoints"))
        found += box(watching, title, cells, len(watching) + 2, alphabet=alphabet)
    spare = height - len(found)
    lines = len(scene.block.program.lines)
    below = 12 if scene.is_forward or not is_large else _ROOM_FOR_THREE
    listed = max(4, min(lines + 2, max(8, spare - below)))
    if scene.level != "epoch":
        equations = listing(scene, cells - 4, listed - 2)
        found += box(equations, listing_title(scene, listed - 2), cells, listed, alphabet=alphabet)
    rest = height - len(found)
    shown = list(_plots(scene, is_large=is_large))
    least = 9 if is_large else 8 if learning.is_trained(scene) else 12
    count = max(1, min(len(shown), rest // least)) if rest >= _LEAST_PANEL else 0
    for index, panel in enumerate(shown[:count]):
        size = rest // count + (1 if index < rest % count else 0)
        found += box(panel.draw(cells - 4, size - 2), panel.title, cells, size, alphabet=alphabet)
    return pad(found, cells, height, alphabet)


def _plots(scene: Scene, *, is_large: bool) -> Iterator[_Panel]:
    """What can be plotted, the most telling first."""
    say = scene.look.say
    values = [
        _Panel(charts.title(scene, name), partial(charts.chart, scene, name)) for name in charts.names(scene)
    ]
    training = []
    if learning.is_trained(scene):
        training = [_Panel(say(Text("loss over the epochs")), partial(learning.curve, scene))]
        if is_large:
            training.append(_Panel(say(Text("epochs")), partial(learning.table, scene)))
    way_back = []
    if "backward" in scene.run.tree.phases:
        way_back = [_Panel(gradients.title(scene), partial(gradients.gradients, scene))]
    if scene.level == "epoch":
        yield from (*way_back, *values)
    elif scene.spot.phase == "backward":
        yield from (*way_back, *training, *values)
    elif scene.spot.phase == "update":
        yield from (*training, *way_back, *values)
    else:
        yield from (*values[:1], *training, *values[1:])
