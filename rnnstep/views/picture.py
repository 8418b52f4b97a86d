"""What the zoom is about, as a picture: the operation, the cell, a step's blocks, a pass's gradients, the epochs."""

from __future__ import annotations

from rnnstep.language import Text
from rnnstep.views import back, learning, side
from rnnstep.views.board import board
from rnnstep.views.cell import cell
from rnnstep.views.compose import RowBlock, above, beside, pad
from rnnstep.views.joined import joined, whole_height
from rnnstep.views.overview import overview
from rnnstep.views.scene import Scene
from rnnstep.views.vectors import flow
from rnnstep.views.worked import expansion

_HIGHEST_OVERVIEW = 18
_SHARE_OF_BOARD = 2 / 3
_LEAST_BELOW = 4
_WIDE = 100
_LEAST_CURVE = 6
_GOOD_CURVE = 10


def picture(scene: Scene, cells: int, height: int, air: int = 0) -> RowBlock:
    """Draw what the zoom is about in `cells` by `height` at most, matrices with `air` blank rows between their rows."""
    if height < 2:
        return []
    if scene.spot.operation is not None:
        return _operation(scene, cells, height, air)
    if is_of_epochs(scene):
        return epochs(scene, cells, height)
    match scene.spot.phase:
        case "backward" | "update" if scene.level in ("pass", "batch", "epoch"):
            return back.parameters_table(scene, cells, height)
        case "update":
            return back.update_values(scene, cells, height)
        case "backward" if is_of_blocks(scene):
            return _backward_step(scene, cells, height)
        case "backward":
            return back.back_values(scene, cells, height)
    if is_of_blocks(scene):
        return flow(scene, cells, height)
    return with_joined(scene, cell(scene, cells, height, air), cells, height)


def is_of_epochs(scene: Scene) -> bool:
    """Whether the picture is the epochs of a training."""
    return scene.level in ("epoch", "batch") and learning.is_trained(scene)


def is_of_blocks(scene: Scene) -> bool:
    """Whether the picture is a step block by block."""
    return scene.spot.operation is None and scene.level == "step" and len(scene.blocks) > 1


def has_place_for_joined(scene: Scene) -> bool:
    """Whether the picture is one that the joined form stands below."""
    return scene.is_forward and not is_of_epochs(scene) and not is_of_blocks(scene)


def _operation(scene: Scene, cells: int, height: int, air: int) -> RowBlock:
    """The operation on the blackboard, where its numbers come from and go, and its matrix as a whole."""
    drawn = board(scene, cells, height if air else _board_height(height), expansion(scene), air)
    if air:
        return with_joined(scene, drawn, cells, height)
    drawn = with_joined(scene, drawn, cells, height)
    rest = height - len(drawn) - 1
    drawn += [*([()] if rest > 0 else []), *side.comes_and_goes(scene, cells)[: max(0, rest)]]
    seen = _seen(cells, _board_height(height))
    return [*drawn, *overview(scene, seen, cells, min(height - len(drawn), _HIGHEST_OVERVIEW))]


def with_joined(scene: Scene, drawn: RowBlock, cells: int, height: int) -> RowBlock:
    """Put the joined form below where it is asked for; in place of `drawn` where it is not whole there."""
    if not scene.look.is_joined or not scene.is_forward:
        return drawn
    if height - len(drawn) < whole_height(scene, cells):
        return joined(scene, cells, height)
    return above([drawn, joined(scene, cells, height - len(drawn))])


def _board_height(height: int) -> int:
    """The rows of the board: all where there are few, else some are left for what stands below it."""
    return height if height < 20 else int(height * _SHARE_OF_BOARD)


def _seen(cells: int, height: int) -> tuple[int, int]:
    """About how many rows and columns of a matrix the board shows."""
    return max(1, height - 2), max(1, (cells - 30) // 6)


def _backward_step(scene: Scene, cells: int, height: int) -> RowBlock:
    """A step of the backward pass: what each block sends on, and below it the sums of the parameters' gradients."""
    upper = flow(scene, cells, height)
    if scene.known is None:
        return upper
    for gap in (1, 0):
        lower = back.sums(scene, cells, height - len(upper) - gap)
        if lower:
            return above([upper, lower], gap=gap)
    return upper


def epochs(scene: Scene, cells: int, height: int) -> RowBlock:
    """The loss over the epochs, and the table of those around the cursor's."""
    if cells >= _WIDE:
        half = cells // 2 - 1
        return beside(
            [learning.table(scene, half, height), learning.curve(scene, cells - half - 2, height)], gap=2
        )
    rest = height - scene.run.tree.num_epochs - 1  # the table takes no more rows than it has
    top = rest if rest >= _GOOD_CURVE else max(_LEAST_CURVE, height // 2)
    if height - top < _LEAST_BELOW:
        return learning.table(scene, cells, height)
    drawn = [*learning.table(scene, cells, height - top), *learning.curve(scene, cells, top)]
    return pad(drawn, cells, None, scene.look.alphabet)


def picture_title(scene: Scene) -> str:
    """What the picture is called."""
    if scene.spot.operation is not None:
        return scene.look.alphabet.spell(f"{scene.spot.key} · {scene.spot.operation}")
    if is_of_epochs(scene):
        return scene.look.say(Text("epochs"))
    if scene.level == "pass" and not scene.is_forward:
        return scene.look.say(Text("gradients of the parameters"))
    if is_of_blocks(scene):
        return scene.look.say(Text("the step, block by block"))
    return scene.look.alphabet.spell(str(scene.spot.key))
