"""A run as a tree of places: epoch, batch, pass, sequence, step, block, operation, element, term.

    order "time":   epoch ▸ batch ▸ pass ▸ sequence ▸ step ▸ block ▸ operation ▸ element ▸ term
    order "layer":  epoch ▸ batch ▸ pass ▸ sequence ▸ block ▸ step ▸ operation ▸ element ▸ term

A place is a path of child numbers; a longer path lies deeper. `()` is *start*, before all. A pass is forward,
backward (the step computed last comes first) or the update, which has one step. A scenario without a loss has
forward passes alone. Where there is one sequence, it is no level; of several one that has a circle of modules goes by
time, whatever the others do. Nothing is run to know the tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

from rnnstep.engine import Block
from rnnstep.engine.learning import Learning
from rnnstep.engine.structure import Phase, Stage
from rnnstep.equations.expand import number_of_terms
from rnnstep.equations.syntax import Line

Path = tuple[int, ...]
Index = tuple[int, ...]

BY_TIME = ("epoch", "batch", "pass", "sequence", "step", "block", "operation", "element", "term")
BY_LAYER = ("epoch", "batch", "pass", "sequence", "block", "step", "operation", "element", "term")

_MOST_KEPT = 4096  # places, each way


@dataclass(frozen=True, slots=True)
class Spot:
    """What a path points at; what lies deeper than the path is None. Everything counts from 0.

    Of a matrix an `element` is its number in rows, one row after the other; see `index_of`.
    """

    batch: int | None  # None: a whole epoch
    key: str | None = None  # the block's
    t: int | None = None
    operation: str | None = None  # the line's name
    element: int | None = None
    term: int | None = None
    phase: Phase | None = "forward"  # None: a whole batch
    epoch: int = 0
    sequence: str | None = None  # of several, where no block says it


class Tree:
    """The places of a training, or of a run without one, in the scenario's order of computation.

    Attributes:
        levels: The names of the levels, the widest first.
        phases: The passes of every batch.
        num_epochs: How many epochs there are.
        num_batches: How many batches an epoch has.
        sequences: The names of the sequences, in the order of computation. Where there is one, it is no level.
    """

    def __init__(self, learning: Learning) -> None:
        self._learning = learning
        self._by_time = learning.scenario.display.order == "time"
        self.phases = learning.structure.phases
        self.num_epochs = learning.num_epochs
        self.num_batches = learning.structure.num_batches
        stretches = learning.structure.stage(0, "forward").stretches
        self.sequences = tuple(dict.fromkeys(stretch.sequence for stretch in stretches))
        self.levels = _levels(len(stretches) > 1, is_by_time=self._by_time)
        self._inner = self.levels.index("sequence" if len(stretches) > 1 else "pass") + 1
        # A screen asks for the same few hundred places again and again.
        self._spots: dict[Path, Spot] = {}
        self._paths: dict[Spot, Path | None] = {}

    @property
    def depth(self) -> int:
        """The length of the longest paths."""
        return len(self.levels)

    def levels_at(self, path: Path) -> tuple[str, ...]:
        """The names of the levels on the way of a path: along a sequence of several that goes by time those of time."""
        is_by_time = self._is_by_time(path)
        return (
            self.levels
            if is_by_time is self._by_time
            else _levels(self.has_several("sequence"), is_by_time=is_by_time)
        )

    def level(self, name: str, path: Path = ()) -> int:
        """The length of a path to a place of that level, on the way of a path."""
        return self.levels_at(path).index(name) + 1

    def is_by_time(self, spot: Spot) -> bool:
        """Whether a step of what a spot is of goes through all blocks before the next one."""
        sequence = self.sequence(spot)
        if sequence is None or spot.phase == "update" or not self.has_several("sequence"):
            return self._by_time
        return self._learning.structure.is_by_time(sequence)

    def _is_by_time(self, path: Path) -> bool:
        is_inside = len(path) > self._inner - 1 and self.has_several("sequence")
        if not is_inside or self.phases[path[2]] == "update":
            return self._by_time
        stage = self.stage(self._pass_at(path))
        return self._learning.structure.is_by_time(stage.stretches[path[3]].sequence)

    def has_several(self, name: str) -> bool:
        """Whether there is more than one "epoch", "batch" in an epoch, "pass" in a batch, or "sequence" in a pass."""
        if name == "sequence":
            return name in self.levels
        return {"epoch": self.num_epochs, "batch": self.num_batches, "pass": len(self.phases)}[name] > 1

    def stage(self, spot: Spot) -> Stage:
        """The blocks of a spot's pass, and their steps; the blocks' numbers are those of the first epoch."""
        assert spot.batch is not None
        assert spot.phase is not None
        if spot.phase == "update" and (spot.epoch or spot.batch):
            return self._later_update
        return self._learning.structure.stage(spot.batch, spot.phase)

    @cached_property
    def _later_update(self) -> Stage:
        """The update after the first, whose lines may be others: buffers are there to be read."""
        blocks = self._learning.trainer.update_blocks(1)
        return Stage("update", blocks, {block.key: range(1) for block in blocks})

    # ── paths ────────────────────────────────────────────────────────────────────────

    def count(self, path: Path) -> int:
        """How many children a place has."""
        match len(path):
            case 0:
                return self.num_epochs
            case 1:
                return self.num_batches
            case 2:
                return len(self.phases)
        stage = self.stage(self._pass_at(path))
        if len(path) < self._inner:
            return len(stage.stretches)
        blocks, inside = self._blocks_at(stage, path), path[self._inner :]
        match len(inside):
            case 0:
                return len(_times(stage, blocks)) if self._is_by_time(path) else len(blocks)
            case 1 if self._is_by_time(path):
                return len(_at_step(stage, blocks, _times(stage, blocks)[inside[0]]))
            case 1:
                return len(stage.steps[blocks[inside[0]].key])
        block = self._block_at(stage, path)
        if len(inside) == 2:
            return len(block.program.lines)
        line = block.program.lines[inside[2]]
        if len(inside) == 3:
            return size_of(block, line.name)
        return number_of_terms(line, block.program.shapes) if len(inside) == 4 else 0

    def locate(self, path: Path) -> Spot:
        """Give what a path, other than start, points at."""
        if path not in self._spots:
            if len(self._spots) >= _MOST_KEPT:
                self._spots.clear()
            self._spots[path] = self._located(path)
        return self._spots[path]

    def path_to(self, spot: Spot) -> Path | None:
        """Give the path to a spot, as deep as it says; None where there is no such place."""
        if spot not in self._paths:
            if len(self._paths) >= _MOST_KEPT:
                self._paths.clear()
            self._paths[spot] = self._found(spot)
        return self._paths[spot]

    def _located(self, path: Path) -> Spot:
        if len(path) < 3:
            return Spot(path[1] if len(path) == 2 else None, phase=None, epoch=path[0])
        spot = self._pass_at(path)
        if len(path) == 3:
            return spot
        stage = self.stage(spot)
        blocks, inside = self._blocks_at(stage, path), path[self._inner :]
        key: str | None = None
        t: int | None = None
        if inside and self._is_by_time(path):
            t = _times(stage, blocks)[inside[0]]
            key = _at_step(stage, blocks, t)[inside[1]].key if len(inside) > 1 else None
        elif inside:
            key = blocks[inside[0]].key
            t = stage.steps[key][inside[1]] if len(inside) > 1 else None
        operation = self._block_at(stage, path).program.lines[inside[2]].name if len(inside) > 2 else None
        rest = (*inside[3:], None, None)
        sequence = stage.stretches[path[3]].sequence if key is None and self.has_several("sequence") else None
        return replace(
            spot, key=key, t=t, operation=operation, element=rest[0], term=rest[1], sequence=sequence
        )

    def _found(self, spot: Spot) -> Path | None:
        path = self._path_to_pass(spot)
        if path is None or len(path) < 3:
            return path
        path = self._path_to_step(spot, path)
        if path is None or spot.operation is None:
            return path
        if spot.key is None or spot.t is None:
            return None
        names = self.block(spot).program.names
        if spot.operation not in names:
            return None
        path = (*path, names.index(spot.operation))
        for number in (spot.element, spot.term):
            if number is None:
                break
            if not 0 <= number < self.count(path):
                return None
            path = (*path, number)
        return path

    def _pass_at(self, path: Path) -> Spot:
        return Spot(path[1], phase=self.phases[path[2]], epoch=path[0])

    def _blocks_at(self, stage: Stage, path: Path) -> tuple[Block, ...]:
        """The blocks of a path's stretch along one sequence; all of them where there is one sequence."""
        return stage.stretches[path[3]].blocks if self.has_several("sequence") else stage.blocks

    def _block_at(self, stage: Stage, path: Path) -> Block:
        blocks, inside = self._blocks_at(stage, path), path[self._inner :]
        if self._is_by_time(path):
            return _at_step(stage, blocks, _times(stage, blocks)[inside[0]])[inside[1]]
        return blocks[inside[0]]

    def _path_to_pass(self, spot: Spot) -> Path | None:
        if not 0 <= spot.epoch < self.num_epochs:
            return None
        if spot.batch is None:
            return (spot.epoch,)
        if not 0 <= spot.batch < self.num_batches:
            return None
        if spot.phase is None:
            return (spot.epoch, spot.batch)
        if spot.phase not in self.phases:
            return None
        return (spot.epoch, spot.batch, self.phases.index(spot.phase))

    def _path_to_step(self, spot: Spot, path: Path) -> Path | None:
        stage = self.stage(spot)
        if spot.key is None and spot.t is None and spot.sequence is None:
            return path
        if not self.has_several("sequence"):
            return self._path_inside(spot, path, stage, stage.blocks)
        for number, stretch in enumerate(stage.stretches):
            is_here = spot.sequence in (None, stretch.sequence)
            if spot.key is not None:
                is_here = any(block.key == spot.key for block in stretch.blocks)
            found = self._path_inside(spot, (*path, number), stage, stretch.blocks) if is_here else None
            if found is not None:
                return found
        return None

    def _path_inside(self, spot: Spot, path: Path, stage: Stage, blocks: tuple[Block, ...]) -> Path | None:
        """The path to a spot's step and block among some blocks of a pass."""
        if spot.key is None and spot.t is None:
            return path
        if spot.key is not None and spot.key not in stage.steps:
            return None
        if self._is_by_time(path):
            times = _times(stage, blocks)
            if spot.t is None or spot.t not in times:
                return None
            path = (*path, times.index(spot.t))
            if spot.key is None:
                return path
            at_step = [block.key for block in _at_step(stage, blocks, spot.t)]
            return (*path, at_step.index(spot.key)) if spot.key in at_step else None
        if spot.key is None:
            return None
        steps = stage.steps[spot.key]
        path = (*path, [block.key for block in blocks].index(spot.key))
        if spot.t is None:
            return path
        return (*path, steps.index(spot.t)) if spot.t in steps else None

    # ── what is there ────────────────────────────────────────────────────────────────

    def keys(self, batch: int = 0, phase: Phase = "forward", sequence: str | None = None) -> tuple[str, ...]:
        """The keys of a pass's blocks, of all or of those along a sequence, in order; none for one that is not there."""
        if not 0 <= batch < self.num_batches or phase not in self.phases:
            return ()
        blocks = self.stage(Spot(batch, phase=phase)).blocks
        return tuple(block.key for block in blocks if sequence in (None, block.sequence))

    def sequence(self, spot: Spot) -> str | None:
        """The sequence that a spot is of; None of what is wider, and where there is no such block."""
        if spot.key is None:
            return spot.sequence
        block = self.stage(spot).by_key.get(spot.key)
        return None if block is None else block.sequence

    def num_steps(self, batch: int = 0, sequence: str | None = None) -> int:
        """How many steps a sequence has in a batch; by default the one that is computed first."""
        return self._learning.scenario.batches[batch].axis(sequence or self.sequences[0]).num_reached

    def last_step(self, spot: Spot) -> int:
        """The step of a spot's block that its pass computes last."""
        assert spot.key is not None
        return self.stage(spot).steps[spot.key][-1]

    def step_before(self, spot: Spot) -> int | None:
        """The step that its pass computes before a spot's; None of the first."""
        assert spot.key is not None
        assert spot.t is not None
        steps = self.stage(spot).steps[spot.key]
        number = steps.index(spot.t)
        return steps[number - 1] if number else None

    def step_after(self, spot: Spot) -> int | None:
        """The step that its pass computes after a spot's; None of the last."""
        assert spot.key is not None
        assert spot.t is not None
        following = self.stage(spot).steps[spot.key]
        number = following.index(spot.t) + 1
        return following[number] if number < len(following) else None

    def block(self, spot: Spot) -> Block:
        """The block of a spot that names one, with the numbers of the first epoch."""
        assert spot.key is not None
        return self.stage(spot).by_key[spot.key]

    def line(self, spot: Spot) -> Line:
        """The equation of a spot that names an operation."""
        assert spot.operation is not None
        return self.block(spot).program.by_name[spot.operation]

    def batch_before(self, spot: Spot) -> Spot | None:
        """The batch whose update comes before a spot's pass, of this epoch or the one before; None of the first."""
        assert spot.batch is not None
        if spot.batch:
            return Spot(spot.batch - 1, phase=None, epoch=spot.epoch)
        return Spot(self.num_batches - 1, phase=None, epoch=spot.epoch - 1) if spot.epoch else None

    def batch_after(self, spot: Spot) -> Spot | None:
        """The batch that comes after a spot's, of this epoch or the next; None of the last."""
        assert spot.batch is not None
        if spot.batch + 1 < self.num_batches:
            return Spot(spot.batch + 1, phase=None, epoch=spot.epoch)
        return Spot(0, phase=None, epoch=spot.epoch + 1) if spot.epoch + 1 < self.num_epochs else None


def _levels(has_sequences: bool, *, is_by_time: bool) -> tuple[str, ...]:  # noqa: FBT001
    every = BY_TIME if is_by_time else BY_LAYER
    return tuple(name for name in every if name != "sequence" or has_sequences)


def _times(stage: Stage, blocks: Sequence[Block]) -> range:
    """The steps of some blocks of a pass, in the order of computation: those of the block that has most."""
    return max((stage.steps[block.key] for block in blocks), key=len)


def _at_step(stage: Stage, blocks: Sequence[Block], t: int) -> Sequence[Block]:
    return [block for block in blocks if t in stage.steps[block.key]]


# ── elements ─────────────────────────────────────────────────────────────────────────────


def shape_of(block: Block, name: str) -> tuple[int, ...]:
    """The shape of a value of a block: (n,), (m, n), or () of a number."""
    return tuple(int(size) for size in block.program.shapes[name])


def size_of(block: Block, name: str) -> int:
    """How many elements a value of a block has."""
    return prod(shape_of(block, name))


def index_of(block: Block, name: str, element: int) -> Index:
    """Give the index of an element by its number: `(i,)`, of a matrix `(i, j)`, of more axes as many, of a number `()`."""
    index: Index = ()
    for size in reversed(shape_of(block, name)[1:]):
        element, last = divmod(element, size)
        index = (last, *index)
    return (element, *index) if shape_of(block, name) else ()


def number_of(block: Block, name: str, index: Index) -> int | None:
    """Give the number of an element by its index; None where a value has no such element."""
    shape = shape_of(block, name)
    if len(index) != len(shape or (1,)) or any(k >= size for k, size in zip(index, shape, strict=False)):
        return None
    number = 0
    for k, size in zip(index, shape or (1,), strict=True):
        number = number * size + k
    return number
