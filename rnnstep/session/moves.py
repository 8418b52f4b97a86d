"""The moves, as functions from position to position; None is a refusal: there is no such place.

A position is a path with its zoom. At start the path is empty and the zoom says where `→`
will go; everywhere else the path is as long as the zoom is deep.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from rnnstep.session.tree import Path, Tree


@dataclass(frozen=True, slots=True)
class Position:
    """Where the cursor is: a path, how deep it looks, the row of the batch, and what `↑` and `↓` left."""

    path: Path
    zoom: int
    row: int = 0
    left: tuple[Path, ...] = ()  # paths that `↑` came out of, the last one last
    entered: tuple[Path, ...] = ()  # paths that `↓` went into, the last one last
    wanted_row: int = 0  # `row`, but where a batch has fewer rows: there it is the last one

    @property
    def is_start(self) -> bool:
        """Whether nothing is computed yet."""
        return not self.path


def next_place(tree: Tree, position: Position) -> Position | None:
    """`→`: the next place at this zoom, carrying over into the next parent."""
    path = position.path
    while path:
        parent, number = path[:-1], path[-1] + 1
        if number < tree.count(parent):
            return _moved(position, first_below((*parent, number), position.zoom))
        path = parent
    return _moved(position, first_below((), position.zoom)) if position.is_start else None


def previous_place(tree: Tree, position: Position) -> Position | None:
    """`←`: the mirror of `→`; before the first place is start."""
    path = position.path
    if not path:
        return None
    while path:
        parent, number = path[:-1], path[-1] - 1
        if number >= 0:
            return _moved(position, last_below(tree, (*parent, number), position.zoom))
        path = parent
    return start(position)


def into(tree: Tree, position: Position) -> Position | None:
    """`↓`: the first child, or the one just left by `↑`; only children are passed over.

    At start, from a zoom on what is wider than a step: the zoom before `↑`, or the next narrower one.
    """
    if position.is_start:
        wider = _wider_zooms(tree)
        if position.zoom not in wider:
            return None
        narrower = [zoom for zoom in (*wider, tree.level("step")) if zoom > position.zoom]
        zoom = len(position.left[-1]) if position.left else narrower[0]
        return replace(position, zoom=zoom, left=position.left[:-1])
    if position.left:
        return _into(position, position.left[-1], position.left[:-1])
    path = position.path
    while len(path) < tree.depth:
        is_only = tree.count(path) == 1
        path = (*path, 0)
        if not is_only:
            return _into(position, path, ())
    return None


def _into(position: Position, path: Path, left: tuple[Path, ...]) -> Position:
    return replace(position, path=path, zoom=len(path), left=left, entered=(*position.entered, position.path))


def out(tree: Tree, position: Position) -> Position | None:
    """`↑`: the parent; a parent that is an only child is the same place as its own, and passed over.

    At start: start, with the zoom on whole passes, batches or epochs where there are several.
    """
    if position.is_start:
        wider = [zoom for zoom in _wider_zooms(tree) if zoom < position.zoom]
        if not wider:
            return None
        left = (*position.left, first_below((), position.zoom))
        return replace(position, zoom=wider[-1], left=left, entered=())
    entered = position.entered
    if entered:
        path = entered[-1]
    else:
        path = _without_only_children(tree, _without_only_children(tree, position.path)[:-1])
    if not path:
        return None
    left = (*position.left, position.path)
    return replace(position, path=path, zoom=len(path), left=left, entered=entered[:-1])


def _without_only_children(tree: Tree, path: Path) -> Path:
    while path and tree.count(path[:-1]) == 1:
        path = path[:-1]
    return path


def _wider_zooms(tree: Tree) -> list[int]:
    """The zooms on more than a step that start may be looked at with, the widest first."""
    return [tree.level(name) for name in ("epoch", "batch", "pass", "sequence") if tree.has_several(name)]


def same_place(tree: Tree, position: Position, steps: int) -> Position | None:
    """`]` and `[`: the same operation and element `steps` steps on (in order of computation).

    Of a whole pass, batch or epoch, and in an update, which has one step: the same in another epoch.
    """
    path = position.path
    if not path:
        return None
    if is_by_epoch(tree, path):
        return _in_another_epoch(tree, position, path[0] + steps)
    level = tree.level("step", path)
    if len(path) < level:
        return None
    number = path[level - 1] + steps
    if not 0 <= number < tree.count(path[: level - 1]):
        return None
    there = (*path[: level - 1], number)
    if len(path) > level and tree.levels_at(path)[level] == "block":
        # A block may be another child there: the last step has a linear layer more.
        wanted = tree.locate(path[: level + 1]).key
        keys = [tree.locate((*there, child)).key for child in range(tree.count(there))]
        if wanted not in keys:
            return None
        there = (*there, keys.index(wanted))
    return _moved(position, (*there, *path[len(there) :]))


def is_by_epoch(tree: Tree, path: Path) -> bool:
    """Whether `]` and `[` lead to other epochs."""
    whole = tree.level("pass")
    return bool(path) and (len(path) <= whole or tree.locate(path[:whole]).phase == "update")


def _in_another_epoch(tree: Tree, position: Position, epoch: int) -> Position | None:
    if not 0 <= epoch < tree.num_epochs:
        return None
    path = (epoch, *position.path[1:])
    # The first update may have fewer terms than those after it.
    return _moved(position, path) if path[-1] < tree.count(path[:-1]) else None


def end(tree: Tree, position: Position) -> Position:
    """The last place at this zoom."""
    return _moved(position, last_below(tree, (), position.zoom))


def start(position: Position) -> Position:
    """The place before all others, keeping the zoom."""
    return _moved(position, ())


def jump(position: Position, path: Path) -> Position:
    """Any place; the zoom becomes as deep as it is."""
    return replace(_moved(position, path), zoom=len(path) or position.zoom)


def _moved(position: Position, path: Path) -> Position:
    return replace(position, path=path, left=(), entered=())


def first_below(path: Path, depth: int) -> Path:
    """The first place of a depth inside `path`."""
    return path + (0,) * (depth - len(path))


def last_below(tree: Tree, path: Path, depth: int) -> Path:
    """The last place of a depth inside `path`."""
    while len(path) < depth:
        path = (*path, tree.count(path) - 1)
    return path


def is_done(tree: Tree, position: Position, path: Path) -> bool:
    """Whether the place `path` is computed when the cursor stands at `position`."""
    now = position.path
    if not now:
        return False
    shared = min(len(path), len(now))
    if path[:shared] != now[:shared]:
        return path[:shared] < now[:shared]
    # Inside the cursor's place all is done; a place around it is done with its last member.
    return all(number == tree.count(now[:depth]) - 1 for depth, number in enumerate(now[shared:], shared))
