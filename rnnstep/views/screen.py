"""The whole screen as rows, at any size: who gets room, in the order of worth, and what is given up first.

Room is given from the top of this table down; a line whose least size does not fit any more is given up. What then is
left goes, from the top again, to those that can use more, and at last to the plots, which grow.

| worth | what                                              | least rows                | uses                        |
|-------|---------------------------------------------------|---------------------------|-----------------------------|
| –     | header; keys, or a message in their place         | 1 each                    | the same                    |
| –     | the operation in words and numbers, torch's word  | 5; 6 from 60 rows by …    | a summary at start: all     |
| 1     | the picture of the zoom                           | 3                         | all it needs                |
| 2     | the timeline                                      | its rows, 7 at most       | + the value at the cursor   |
| 3     | watches and breakpoints                           | 1 or 2                    | 6                           |
| 4     | the plot that the pass is about                   | 8; 6 in one column        | what is left                |
| 5     | the equations as a listing                        | 4                         | a row a line                |
| 6     | all values of the step                            | 5                         | whole or not at all         |
| 7     | the other values of the block, step by step       | 5                         | whole values                |
| 8     | further plots, the epochs                         | 8                         | what is left                |

Up to 111 cells it is one column. From 112 there are two (worth 3, 4, 5 and 8 at the right), from 220 three, and the cell
whole stands across above them, where it leaves them enough. A second run stands first, above all of it: its numbers and
the difference, from 120 cells both pictures side by side, in place of the one. `z` and `v` give the whole screen to one thing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from rnnstep.language import Text
from rnnstep.scenario.stops import Shown
from rnnstep.session.lesson import Following
from rnnstep.session.session import Session
from rnnstep.views.blackboard import blackboard
from rnnstep.views.cell import is_whole, whole
from rnnstep.views.compose import RowBlock, beside, box, pad
from rnnstep.views.footer import footer
from rnnstep.views.header import header, message
from rnnstep.views.layout import Column, Frame, Panel, rule, shared
from rnnstep.views.lesson import stop_box
from rnnstep.views.look import Look
from rnnstep.views.now import now
from rnnstep.views.pair import is_paired, pair, side_by_side
from rnnstep.views.panels import (
    listing_panels,
    plots,
    steps_panel,
    table_panels,
    telling_plot,
    values_panels,
    watches_panels,
)
from rnnstep.views.picture import is_of_blocks, is_of_epochs, picture, picture_title
from rnnstep.views.rows import Span
from rnnstep.views.scene import Scene
from rnnstep.views.worked import expansion

_TWO_COLUMNS = 112
_THREE_COLUMNS = 220
_SIDE_BY_SIDE = 120
_MOST_OF_PAIR = 9
_LEAST_COLUMN = 16
"""Columns of fewer rows tell less than one across."""
_TITLED = 34
"""From here on panels of one column have their titles above them."""
_LEAST_BELOW = 16
_LEAST_WITH_PICTURE = 24
"""The rows that the columns keep below the cell whole, where it is the picture and where they have another."""
_LOW = 20
"""Up to here the operation has a row less."""
_HIGH = 45
_LEAST_SHARE = 14
_LEAST_NOW = 2
"""The rows of the operation where a stop of a lesson gives the room to something else: the formula and its numbers."""
_WIDE_PLOT, _HIGH_PLOT = 96, 20
"""The size from which on several plots stand beside each other where they have the whole screen."""


def screen(
    session: Session, look: Look, width: int, height: int, following: Following | None = None
) -> RowBlock:
    """Draw a session in exactly `width` × `height` cells (at least 20×5), below what a lesson says there."""
    scene = Scene(session, look)
    width, height = max(20, width), max(5, height)
    top = [header(scene, width)]
    if following is not None:
        top += stop_box(following, session, look, width, height - 2)
    room = height - 1 - len(top)
    if look.fills:
        middle = _filled(scene, width, room)
    elif look.is_blackboard:
        middle = blackboard(scene, width, room)
    else:
        # At start it says what the scenario is about; in a lesson the stop does.
        has_words = following is not None and following.is_in(session)
        if has_words and scene.level == "start":
            panel = []
        elif has_words and look.shows and room < _LOW - 4:
            panel = _inset(now(scene, expansion(scene), width - 2, _LEAST_NOW))  # without its frame
        else:
            panel = _now(scene, width, room)
        draw = _shown if look.shows else _below
        middle = [*panel, *draw(scene, width, room - len(panel))]
    has_stops = following is not None or bool(session.run.scenario.stops)
    has_choice = following is not None and following.has_choice and following.is_in(session)
    options = len(following.stop.options) if following is not None and has_choice else 0
    # A message stands where the keys are, a long one before what is above them, too: so nothing else moves.
    foot = message(scene, width)[: height - 1] or [footer(scene, width, has_stops=has_stops, options=options)]
    upper = [*top, *pad(middle, width, room, look.alphabet)]
    return pad([*upper[: height - len(foot)], *foot], width, height, look.alphabet)


def _filled(scene: Scene, width: int, room: int) -> RowBlock:
    """`v`: the plot alone, of several as many as are still large; or the equations, with their values."""
    alphabet = scene.look.alphabet
    if scene.look.fills == "listing":
        found = [
            *listing_panels(scene, 1, "box", room),
            *values_panels(scene, 2, "box"),
            *table_panels(scene, 3, "box"),
        ]
        return Column(found, width, room, alphabet).block()
    if scene.second is not None:
        return Column(telling_plot(scene, 1, "box"), width, room, alphabet).block()
    pictures = plots(scene, 1, "box")
    across = max(1, min(len(pictures), width // _WIDE_PLOT))
    down = max(1, min(-(-len(pictures) // across), room // _HIGH_PLOT))
    rows: RowBlock = []
    for line in range(down):
        height = (room - len(rows)) // (down - line)
        shown = pictures[line * across : (line + 1) * across]
        size = (width - len(shown) + 1) // max(1, len(shown))
        rows += beside([Column([panel], size, height, alphabet).block() for panel in shown], gap=1)
    return rows


def _shown(scene: Scene, width: int, room: int) -> RowBlock:
    """What a stop of a lesson gives the room; on a wide screen with the picture and the steps beside it."""
    alphabet = scene.look.alphabet
    is_wide = width >= _TWO_COLUMNS
    if is_wide and "beside" in scene.look.shows and is_paired(scene):
        return _with_second(scene, width, room)
    cells = width // 2 if is_wide else width
    found = [
        panel
        for worth, name in enumerate(scene.look.shows, 1)
        for panel in _panels_of(scene, name, worth, cells, room)
    ]
    if not found:
        return _below(scene, width, room)
    shown = Column(found, cells, room, alphabet).block()
    if not is_wide:
        return shown
    return beside([_one_column(scene, width - cells - 1, room, scene.look.shows), shown])


def _panels_of(scene: Scene, name: Shown, worth: int, cells: int, room: int) -> list[Panel]:
    match name:
        case "plot":
            return telling_plot(scene, worth, "box")
        case "equations":
            return [*listing_panels(scene, worth, "box", room), *values_panels(scene, worth, "box")]
        case "cell":
            return [Panel(worth, picture_title(scene), partial(picture, scene), 3, room)]
        case "timeline":
            return [steps_panel(scene, worth, "box", room, cells - 4)]
        case "beside":
            title = scene.look.say(Text("both runs"))
            both = Panel(worth, title, partial(pair, scene), 3, frame="rule")
            return [both, steps_panel(scene, 9, "bare", room, cells)] if is_paired(scene) else []


def _now(scene: Scene, width: int, room: int) -> RowBlock:
    """The operation just computed, in as many rows as its zoom may need, so that nothing moves from place to place."""
    if scene.level == "start":
        title, most = Text("what this is about"), max(3, min(room // 2, room - 17))
    else:
        title, most = Text("now"), 3 if room < _LOW else 6 if room > _HIGH else 4
    rows = now(scene, expansion(scene), width - 4, most)
    least = 4 if scene.spot.operation is not None else 3
    height = min(most, max(least, len(rows)))
    return box(rows, scene.look.say(title), width, height + 2, "focus", alphabet=scene.look.alphabet)


def _below(scene: Scene, width: int, room: int) -> RowBlock:
    """All that stands below the operation."""
    if is_paired(scene):
        return _with_second(scene, width, room)
    if width < _TWO_COLUMNS or room < _LEAST_COLUMN:
        return _one_column(scene, width, room)
    across = _across(scene, width, room)
    return [*across, *_columns(scene, width, room - len(across), has_cell=bool(across))]


def _with_second(scene: Scene, width: int, room: int) -> RowBlock:
    """Two runs: their numbers above each other; where there is room the picture of each, side by side, on top."""
    alphabet = scene.look.alphabet
    rows: RowBlock = []
    is_wide = width >= _SIDE_BY_SIDE and room >= _LEAST_COLUMN
    if is_wide:
        rows += side_by_side(scene, width, max(_LEAST_SHARE - 4, room * 2 // 5))
    title = scene.look.say(Text("both runs"))
    most = max(3, min(_MOST_OF_PAIR, room - len(rows) - 2))
    rows += [rule(title, width, alphabet), *_inset(pair(scene, width - 2, most))]
    left = room - len(rows)
    if is_wide and left >= _LEAST_COLUMN:
        return [*rows, *_columns(scene, width, left, has_picture=False, has_cell=False)]
    return [*rows, *_one_column(scene, width, left, has_picture=not is_wide)] if left > 0 else rows[:room]


def _one_column(
    scene: Scene, width: int, room: int, left_out: Sequence[Shown] = (), *, has_picture: bool = True
) -> RowBlock:
    """One idea at a time: the picture on top, the timeline at the foot, between them what there is room for."""
    drawn = Panel(
        1,
        "",
        lambda cells, rows: _inset(picture(scene, cells - 2, rows)),
        3,
        _most_of_picture(scene, room),
        frame="bare",
    )
    frame: Frame = "rule" if room >= _TITLED else "bare"
    steps = steps_panel(scene, 2, frame, room, width - (2 if frame == "rule" else 0))
    found = [
        *([drawn] if has_picture else []),
        *values_panels(
            scene, 6, "rule", is_shown=_has_values(scene, width - 2, _most_of_picture(scene, room))
        ),
        *table_panels(scene, 7, "rule"),
        *([] if "plot" in left_out else telling_plot(scene, 4, "rule")),
        *([] if "equations" in left_out else listing_panels(scene, 5, "rule", room)),
        *([] if scene.level == "epoch" or "timeline" in left_out else [steps]),
        *watches_panels(scene, 3, "bare"),
    ]
    return Column(found, width, room, scene.look.alphabet).block()


def _columns(scene: Scene, width: int, room: int, *, has_cell: bool, has_picture: bool = True) -> RowBlock:
    """The picture, its values and the steps at the left, the listing and plots at the right."""
    alphabet = scene.look.alphabet
    has_three = width >= _THREE_COLUMNS
    right = (width * 3 // 5 - 2) // 2 if has_three else min(84, max(42, width * 3 // 8))
    left = width - right - 1 - (right + 1 if has_three else 0)
    is_shown = has_cell and scene.spot.operation is None and scene.is_forward and not is_of_blocks(scene)
    zoomed = Panel(1, picture_title(scene), partial(picture, scene), 3, _most_of_picture(scene, room))
    first = Column(
        [
            *([] if is_shown or not has_picture else [zoomed]),
            *values_panels(
                scene,
                1 if is_shown else 6,
                "box",
                is_shown=not is_shown and _has_values(scene, left - 4, _most_of_picture(scene, room)),
            ),
            *([] if has_three else table_panels(scene, 7, "box")),
            steps_panel(scene, 2, "box", room, left - 4),
        ],
        left,
        room,
        alphabet,
    )
    pictures = [*telling_plot(scene, 4, "box"), *plots(scene, 4, "box")[1:]]
    second = Column(
        [*watches_panels(scene, 3, "box"), *listing_panels(scene, 5, "box", room - 14), *pictures[:1]],
        right,
        room,
        alphabet,
    )
    others = [second, Column(table_panels(scene, 7, "box"), right, room, alphabet)] if has_three else [second]
    dealt = shared([*others, first], pictures[1:])
    drawn = [column.block(more) for column, more in zip([*others, first], dealt, strict=True)]
    return beside([drawn[-1], *drawn[:-1]], gap=1)


def _has_values(scene: Scene, cells: int, height: int) -> bool:
    """Whether the picture is of all values of the block."""
    is_of_block = scene.spot.operation is None and scene.is_forward and not is_of_blocks(scene)
    return is_of_block and not is_whole(scene, cells, height)


def _most_of_picture(scene: Scene, room: int) -> int:
    """The rows of the picture at most: what is larger is seen in a window, and others have their room, too."""
    return room if is_of_epochs(scene) else max(_LEAST_SHARE, room * 3 // 5)


def _across(scene: Scene, width: int, room: int) -> RowBlock:
    """The cell whole across the screen; nothing where it does not fit or leaves too little, and of a whole epoch."""
    is_of_joined = scene.look.is_joined and scene.is_forward  # which is part of the picture
    if is_of_epochs(scene) or is_of_blocks(scene) or is_of_joined:
        return []
    kept = _LEAST_BELOW if scene.spot.operation is None else _LEAST_WITH_PICTURE
    drawn = whole(scene, width - 2, room - kept - 1)
    if drawn is None:
        return []
    title = scene.look.alphabet.spell(str(scene.spot.key))
    return [rule(title, width, scene.look.alphabet), *_inset(drawn)]


def _inset(rows: RowBlock) -> RowBlock:
    return [(Span(" "), *row) for row in rows]
