"""What may stand beside and below the picture of the zoom, each as a panel: steps, equations, values, plots."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from rnnstep.language import Text
from rnnstep.views import back, charts, gradients, learning, side, timeline
from rnnstep.views.compose import RowBlock, beside
from rnnstep.views.layout import Column, Frame, Panel
from rnnstep.views.listing import listing, listing_title
from rnnstep.views.pair import names
from rnnstep.views.picture import is_of_blocks, is_of_epochs
from rnnstep.views.scene import Scene
from rnnstep.views.vectors import values

LEAST_PLOT = 8
"""The rows in which a plot tells something."""

LEAST_PLOT_ALONE = 6
"""Where nothing else could have the room, a flat one is better than none."""

_LEAST_LISTING = 4
_LEAST_VALUES = 5
_LEAST_TABLE = 5
_MOST_WATCHES = 6
_ROOMY = 40
"""From so many rows on the value at the cursor is told over the steps before others are."""
_LONGEST_LISTING = 24
"""Longer listings are seen in a window about the current line."""


def steps_panel(scene: Scene, worth: int, frame: Frame, room: int, cells: int) -> Panel:
    """The timeline: what goes in, how far each layer is, what comes out; the value at the cursor where there is room."""
    full = timeline.full_height(scene, cells)
    least = min(timeline.base_height(scene, cells), 7) if room < _ROOMY else full
    return Panel(
        worth,
        scene.look.say(Text("timeline")),
        partial(timeline.timeline, scene),
        least,
        max(least, full),
        grows=True,
        is_kept=True,
        frame=frame,
        is_foot=True,
    )


def watches_panels(scene: Scene, worth: int, frame: Frame) -> list[Panel]:
    """Watches and breakpoints, where there are any."""
    rows = side.watches(scene)[:_MOST_WATCHES]
    if not rows:
        return []
    title = scene.look.say(Text("watches and breakpoints"))
    least = min(len(rows), 2)
    return [
        Panel(
            worth,
            title,
            lambda _, height: rows[:height],
            least,
            is_kept=True,
            frame=frame,
            is_foot=frame == "bare",
        )
    ]


def listing_panels(scene: Scene, worth: int, frame: Frame, most: int) -> list[Panel]:
    """The equations of the block, in at most so many rows; none of whole epochs."""
    if is_of_epochs(scene):
        return []
    count = min(len(scene.block.program.lines), _LONGEST_LISTING, max(_LEAST_LISTING, most))
    title = partial(listing_title, scene)
    return [Panel(worth, title, partial(listing, scene), min(count, _LEAST_LISTING), count, frame=frame)]


def values_panels(scene: Scene, worth: int, frame: Frame, *, is_shown: bool = False) -> list[Panel]:
    """All values of the block as vectors, whole or not at all; none where the picture has them."""
    if scene.level == "start" or is_of_epochs(scene) or is_shown:
        return []
    title = scene.look.say(Text("all values of this step"))
    if is_of_blocks(scene):
        title = scene.look.say(Text("{name}: {what}", name=scene.block.key, what=title))
    return [Panel(worth, title, partial(_all_values, scene), _LEAST_VALUES, frame=frame)]


def _all_values(scene: Scene, cells: int, height: int) -> RowBlock:
    match scene.spot.phase:
        case "forward":
            return values(scene, cells, height, is_whole=True)
        case "backward" if scene.known is not None and not _is_of_block(scene):
            return back.back_values(scene, cells, height)
        case "update" if scene.spot.operation is not None:
            return back.update_values(scene, cells, height)
    return []


def _is_of_block(scene: Scene) -> bool:
    """Whether the picture shows the values of the block already."""
    return scene.spot.operation is None and not is_of_blocks(scene) and scene.level != "pass"


def table_panels(scene: Scene, worth: int, frame: Frame) -> list[Panel]:
    """The other values of the block over the steps."""
    title = scene.look.say(Text("the other values, step by step"))
    return [Panel(worth, title, partial(timeline.table, scene), _LEAST_TABLE, frame=frame)]


def plots(scene: Scene, worth: int, frame: Frame) -> list[Panel]:
    """What can be plotted, the most telling first."""
    least = LEAST_PLOT if frame == "box" else LEAST_PLOT_ALONE
    return [Panel(worth, title, draw, least, grows=True, frame=frame) for title, draw in _plots(scene)]


def telling_plot(scene: Scene, worth: int, frame: Frame) -> list[Panel]:
    """The most telling plot; of two runs that of each, above each other where they are high enough, else side by side."""
    found, second = plots(scene, worth, frame)[:1], scene.second
    others = [] if second is None else plots(second, worth, "box")[:1]
    if not found or not others:
        return found
    pair = [
        replace(panel, title=f"{name}  {panel.title}", frame="box")
        for name, panel in zip(names(scene), (*found, *others), strict=True)
    ]
    draw = partial(_both, scene, pair)
    return [Panel(worth, "", draw, LEAST_PLOT_ALONE + pair[0].edge, grows=True, frame="bare")]


def _both(scene: Scene, pair: list[Panel], cells: int, height: int) -> RowBlock:
    alphabet, edge = scene.look.alphabet, pair[0].edge
    pair = [replace(panel, least=1) for panel in pair]
    if height >= 2 * (LEAST_PLOT + edge):
        upper = height // 2
        sizes = (upper, height - upper)
        return [
            row
            for panel, rows in zip(pair, sizes, strict=True)
            for row in Column([panel], cells, rows, alphabet).block()
        ]
    left = (cells - 1) // 2
    sizes = (left, cells - left - 1)
    drawn = [Column([panel], size, height, alphabet).block() for panel, size in zip(pair, sizes, strict=True)]
    return beside(drawn, gap=1)


def _plots(scene: Scene) -> Iterator[tuple[str, partial[RowBlock]]]:
    """The names of all plots, and what draws them in cells by rows."""
    say = scene.look.say
    charted = charts.names(scene)
    here = scene.spot.operation
    is_whole = scene.level == "operation" and scene.is_forward and here in charted
    if here is not None and is_whole:  # what the cursor is at stands first
        charted.insert(0, charted.pop(charted.index(here)))
    values = [(charts.title(scene, name), partial(charts.chart, scene, name)) for name in charted]
    at_cursor = [*_watched(scene)]
    if not is_whole and charts.has_element(scene):
        title = say(Text("{name} over time", name=charts.element_name(scene)))
        at_cursor.append((title, partial(charts.element, scene)))  # what was asked for stands first
    training = []
    if learning.is_trained(scene) and learning.told(scene):
        training = [
            (say(Text("loss over the epochs")), partial(learning.curve, scene)),
            (say(Text("epochs")), partial(learning.table, scene)),
        ]
    norms = []
    if "backward" in scene.run.tree.phases and scene.scenario.recurrents:
        norms = [(gradients.title(scene), partial(gradients.gradients, scene))]
    if is_of_epochs(scene):  # the picture is of the epochs already
        yield from (*norms, *values)
    elif scene.spot.phase == "backward":
        yield from (*norms, *at_cursor, *values[:1], *training, *values[1:])
    elif scene.spot.phase == "update":
        yield from (*training, *norms, *values)
    else:
        yield from (*at_cursor, *values[:1], *training[:1], *values[1:], *training[1:])


def _watched(scene: Scene) -> Iterator[tuple[str, partial[RowBlock]]]:
    """A plot of each watch that has a value at every step."""
    for watch in scene.session.watches:
        if watch.phase == "forward" and any(key in watch.watch.blocks for key in scene.done.runs):
            title = scene.look.say(Text("{name} over time", name=scene.look.alphabet.spell(watch.text)))
            yield title, partial(charts.watch, scene, watch)
