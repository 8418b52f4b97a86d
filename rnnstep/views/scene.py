"""What one frame is about: the cursor's block, step and row, and what of it is known and seen.

Views ask the scene and never the trace, so that what is not computed yet, what is hidden
and what torch says is decided in one place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from rnnstep.cells.cell import Cell
from rnnstep.engine import Block, Pass
from rnnstep.engine.backward import BackwardPass
from rnnstep.engine.epoch import UpdatePass
from rnnstep.equations.shares import D
from rnnstep.session.across import Across, across
from rnnstep.session.place import write_place, write_prefix
from rnnstep.session.session import Session
from rnnstep.session.tree import Spot
from rnnstep.views import heat
from rnnstep.views.by_run import by_run
from rnnstep.views.look import Look

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rnnstep.engine.not_finite import NotFinite
    from rnnstep.equations.operations import Array
    from rnnstep.network.blocks import Direction
    from rnnstep.reference import Checked
    from rnnstep.scenario.model import FedSequence, Scenario
    from rnnstep.session.run import SessionRun


_SOME = 16
"""About how many steps of a backward pass are looked at to know how large its gradients are."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A session as one looks at it. At start it is about the first step, with nothing computed.

    Attributes:
        elsewhere: the block and step that it is seen from; None of where the cursor is.
    """

    session: Session
    look: Look
    elsewhere: Spot | None = None

    @property
    def run(self) -> SessionRun:
        """The run."""
        return self.session.run

    @property
    def scenario(self) -> Scenario:
        """The scenario that is run."""
        return self.run.scenario

    @cached_property
    def level(self) -> str:
        """The zoom; "start" before the first step. The one step of an update is the whole of it: a pass."""
        position, level = self.session.position, self.session.level
        if position.is_start:
            return "start"
        is_update = level == "step" and self.run.tree.locate(position.path).phase == "update"
        return "pass" if is_update else level

    @cached_property
    def spot(self) -> Spot:
        """Where we are, with a block and a step always: those of the first child where the cursor is above them."""
        if self.elsewhere is not None:
            return self.elsewhere
        tree = self.run.tree
        path = self.session.position.path
        if not path:
            stage = tree.stage(Spot(0))
            first = next((block for block in stage.blocks if block.kind == "recurrent"), stage.blocks[0])
            # A second run at start may be that of a later epoch.
            return Spot(0, first.key, stage.steps[first.key][0], epoch=self.run.epoch.index)
        spot = tree.locate(path)
        while spot.phase is None:  # of a whole epoch the last batch, of a batch the forward pass
            path = (*path, 0 if len(path) == tree.level("batch") else tree.count(path) - 1)
            spot = tree.locate(path)
        while spot.key is None or spot.t is None:
            last = tree.count(path) - 1
            while last and self._is_loss(tree.locate((*path, last))):
                last -= 1
            path = (*path, last)
            spot = tree.locate(path)
        return spot if self.level in ("operation", "element", "term") else replace(spot, operation=None)

    @cached_property
    def cursor(self) -> Spot | None:
        """What the cursor is at, without what `spot` adds; None at start."""
        return self.session.spot

    def _is_loss(self, spot: Spot) -> bool:
        """Whether a forward spot is in what comes after the network."""
        return spot.phase == "forward" and spot.key in ("loss", "total")

    def done_of(self, batch: int) -> Pass:
        """The pass of a batch."""
        return self.run.trace.passes[batch]

    @property
    def batch(self) -> int:
        """The batch that is looked at."""
        assert self.spot.batch is not None
        return self.spot.batch

    @property
    def done(self) -> Pass:
        """The forward pass of the batch that the cursor is in."""
        return self.done_of(self.batch)

    @property
    def is_forward(self) -> bool:
        """Whether the cursor is in the forward pass."""
        return self.spot.phase == "forward"

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks of the pass that the cursor is in, without what comes after the network."""
        blocks = self.run.pass_of(self.spot).blocks
        return tuple(block for block in blocks if not (self.is_forward and block.kind in ("loss", "total")))

    def at(self, key: str, t: int, operation: str | None = None) -> Spot:
        """A block at a step of the pass that the cursor is in."""
        spot = self.spot
        return Spot(spot.batch, key, t, operation, phase=spot.phase, epoch=spot.epoch)

    def forward_at(self, key: str, t: int, operation: str | None = None) -> Spot:
        """A block at a step in the forward pass of the cursor's batch."""
        spot = self.spot
        return Spot(spot.batch, key, t, operation, phase="forward", epoch=spot.epoch)

    @property
    def sequence(self) -> str:
        """The sequence whose steps the block runs along; of an update, which is of none, the one that has the targets."""
        return self.scenario.scored_sequence if self.spot.phase == "update" else self.block.sequence

    @property
    def fed(self) -> FedSequence:
        """What is fed along it."""
        return self.done.batch.sequences[self.sequence]

    @property
    def num_steps(self) -> int:
        """How many steps it has."""
        return self.run.tree.num_steps(self.batch, self.sequence)

    @property
    def t(self) -> int:
        """The step, from 0."""
        assert self.spot.t is not None
        return self.spot.t

    @property
    def row(self) -> int:
        """The row of the batch."""
        return self.session.position.row

    @cached_property
    def block(self) -> Block:
        """The block that is looked at."""
        return self.run.block(self.spot)

    @property
    def forward_block(self) -> Block:
        """The block in the forward pass that has the key of the one that is looked at."""
        return self.done.by_key[self.block.key]

    @cached_property
    def known(self) -> Mapping[str, Array] | None:
        """The block's values for this row, computed or not; None when the row is over."""
        return self.known_at(self.spot)

    def known_at(self, spot: Spot) -> Mapping[str, Array] | None:
        """The values of a spot's block for this row, parameters included."""
        block = Spot(spot.batch, spot.key, spot.t, phase=spot.phase, epoch=spot.epoch)
        return _known(self.run, block, self.row)

    def is_done(self, spot: Spot) -> bool:
        """Whether a place is computed where the cursor stands."""
        path = self.run.tree.path_to(spot)
        return path is not None and self.session.is_done(path)

    def _line(self, operation: str) -> Spot:
        """A line of the block at this step."""
        spot = self.spot
        return Spot(spot.batch, spot.key, spot.t, operation, phase=spot.phase, epoch=spot.epoch)

    def is_line_done(self, name: str) -> bool:
        """Whether a line of the block is computed at this step."""
        return self.is_done(self._line(name))

    def elements_done(self, name: str) -> int | None:
        """How many elements of the line at the cursor are computed; None when all are or none is."""
        spot = self.cursor
        if spot is None or spot.element is None or spot.operation != name:
            return None
        if self.is_line_done(name) and not self.session.is_hidden:
            return None
        element = self.session.position.path[: self.run.tree.level("element")]
        is_whole = self.session.is_done(element) and not self.session.is_hidden
        return spot.element + 1 if is_whole else spot.element

    def is_begun(self, name: str) -> bool:
        """Whether a line of the block is computed, or being computed element by element."""
        return self.is_line_done(name) or self.elements_done(name) is not None

    def is_shown(self, name: str) -> bool:
        """Whether a line's value is seen, wholly or as far as `elements_done` says."""
        is_by_element = self.elements_done(name) is not None
        return self.is_begun(name) and (is_by_element or not self.is_hidden(name))

    def begins_anew(self, t: int) -> bool:
        """Whether the row that is looked at begins anew from zeros before a step, as in a recorded loop."""
        keep = self.done.batch.keep
        return keep is not None and bool(keep[t, self.row, 0] == 0)

    def is_hidden(self, name: str, spot: Spot | None = None) -> bool:
        """Whether a value is covered because the audience is to guess it."""
        if not self.session.is_hidden:
            return False
        here = spot or self.spot
        if (here.epoch, here.batch, here.phase, here.t) != (
            self.spot.epoch,
            self.spot.batch,
            self.spot.phase,
            self.spot.t,
        ):
            return False
        if self.level in ("operation", "element", "term"):
            return here.key == self.spot.key and name == self.spot.operation
        if self.level == "block":
            return here.key == self.spot.key
        return True

    def has_changed(self, name: str) -> bool:
        """Whether a line of the block is what the cursor's place computes."""
        if self.level in ("operation", "element", "term"):
            return name == self.spot.operation
        return self.level != "start" and name == self.block.output

    def seen_from(self, spot: Spot) -> Scene:
        """The same moment as seen from another block of the step."""
        return Scene(self.session, self.look, spot)

    def is_of_all_rows(self, name: str) -> bool:
        """Whether a value of the block is the same seen from each row: what belongs to a parameter."""
        done = self.run.pass_of(self.spot)
        if isinstance(done, BackwardPass):
            return done.is_of_all_rows(self.block.key, name)
        return isinstance(done, UpdatePass)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a value of the block, (n,) or (m, n)."""
        return tuple(int(size) for size in self.block.program.shapes[name]) or (1,)

    @cached_property
    def step_prefix(self) -> str:
        """What stands before a step in the forward pass: `2:target:` where there are several batches and sequences."""
        at = replace(self.spot, phase="forward", key=None, sequence=self.sequence)
        return write_prefix(self.run.tree, at)

    def place(self, operation: str) -> str:
        """An operation of the block at this step as a place is written."""
        path = self.run.tree.path_to(self._line(operation))
        return "" if path is None else write_place(self.run.tree, path)

    @property
    def update_prefix(self) -> str:
        """What stands before a parameter in the cursor's update; "" where there is none."""
        if "update" not in self.run.tree.phases:
            return ""
        return write_prefix(self.run.tree, replace(self.spot, phase="update"))

    @property
    def finding(self) -> NotFinite | None:
        """The first number of the run that is not finite, as far as was looked."""
        return self.run.learning.finding

    # ── torch ────────────────────────────────────────────────────────────────────────

    @property
    def checked(self) -> Checked | None:
        """Torch's word on the run, when it is there."""
        return self.run.checked

    @property
    def torch_losses(self) -> Sequence[float]:
        """Torch's loss of each epoch, as far as torch has trained; none while it is on its way."""
        return self.run.torch_losses

    # ── a second run ─────────────────────────────────────────────────────────────────

    @cached_property
    def across(self) -> Across | None:
        """Where the run beside this one is; None where nothing stands beside."""
        return across(self.session)

    @cached_property
    def second(self) -> Scene | None:
        """The run beside this one, at its place; None where there is none, or it has not this place."""
        found = self.across
        if found is None or found.session is None:
            return None
        return Scene(found.session, replace(self.look, torch=self.look.torch_beside))

    # ── before the last edit ─────────────────────────────────────────────────────────

    def value_before_edit(self, name: str) -> Array | None:
        """A value of the block before the last edit, where it was another one."""
        before = self.session.before
        if before is None or not self.session.edits or before.epoch.index != self.run.epoch.index:
            return None
        old = _known(before, replace(self.spot, operation=None, element=None, term=None), self.row)
        if old is None or self.known is None or name not in old:
            return None
        return None if np.array_equal(old[name], self.known[name], equal_nan=True) else old[name]

    def is_given(self, name: str) -> bool:
        """Whether a value of the block was written by a person rather than computed: weights, x, h_0."""
        if name in self.block.parameters or (self.is_forward and name in ("index", "target", "counts")):
            return True
        is_first = self.block.key == self.done.blocks[0].key or (
            self.block.layer == 0 and self.done.lookup is None
        )
        return (
            self.is_forward
            and name in self.block.program.inputs
            and is_first
            and self.block.kind in ("lookup", "recurrent")
        )

    def changed_by_edit(self, name: str) -> NDArray[np.bool_] | None:
        """Which elements of a value the last edit changed; None for none."""
        old = self.value_before_edit(name)
        return None if old is None or self.known is None else np.asarray(old != self.known[name])

    # ── colours ──────────────────────────────────────────────────────────────────────

    def kind(self, name: str) -> heat.Kind:
        """Which heat scale a value of the block belongs to."""
        if name in self.block.parameters:
            return "weight"
        if self.spot.phase == "update" and name in ("w", "w_prev"):
            return "weight"
        if self.spot.phase == "update":  # its blocks have none in the forward pass
            return "state"
        is_gate = self.block.kind == "recurrent" and name in self.gates
        return "gate" if is_gate or name in self.forward_block.program.shares else "state"

    @property
    def cell(self) -> Cell:
        """The cell of the recurrent block at the cursor; elsewhere that of the last module."""
        if self.block.kind != "recurrent":
            return self.scenario.cell
        return self.scenario.recurrent_of(self.forward_block).cell

    @property
    def gates(self) -> tuple[str, ...]:
        """The gates of that cell; none without a recurrent module."""
        return tuple(self.cell.gates) if self.scenario.recurrents else ()

    @property
    def recurrent_key(self) -> str:
        """The recurrent block at the cursor; elsewhere the first one of the last module."""
        if self.spot.key in self.done.runs:
            return self.spot.key
        last = self.scenario.recurrent.key
        return next(key for key in self.done.runs if self.done.by_key[key].module == last)

    def scale(self, kind: heat.Kind) -> float:
        """The magnitude of the strongest colour of a kind: one for the whole run."""
        if kind == "weight":
            return _weight_scale(self.run, is_table=self.block.kind == "lookup")
        return 1.0 if kind == "gate" else _state_scale(self.run)

    def scale_of(self, name: str) -> float:
        """The magnitude of the strongest colour of a value of the block.

        A gradient, and what an update makes of it, is often much smaller than states and weights: each parameter's
        has a scale of its own, and those of a block's states one together, so that one sees them vanish.
        """
        spot = self.spot
        if spot.phase == "backward" and name.startswith(D):
            base = name.removesuffix("_t").removesuffix("_later")
            is_of_parameter = base.removeprefix(D) in self.forward_block.parameters
            assert spot.key is not None
            return _gradient_scale(self.run, self.batch, spot.key, base if is_of_parameter else "")
        if spot.phase == "update" and name not in ("w", "w_prev") and name in self.block.program.shapes:
            known = self.known
            return 1.0 if known is None or name not in known else heat.scale(known[name])
        return self.scale(self.kind(name))


@by_run(256)
def _known(run: SessionRun, spot: Spot, row: int) -> Mapping[str, Array] | None:
    return run.known(spot, row)


@by_run(4)
def _weight_scale(run: SessionRun, *, is_table: bool) -> float:
    """Rows that are looked up are values, many times as large as weights: they have a scale of their own."""
    tables = {
        where.torch
        for block in run.tree.stage(Spot(0)).blocks
        if block.kind == "lookup"
        for where in block.kept_in.values()
    }
    parameters = run.scenario.parameters.items()
    return heat.scale(*(value for name, value in parameters if (name in tables) is is_table))


@by_run(4)
def _state_scale(run: SessionRun) -> float:
    # Where batches are learnt from, one after the other, the first tells enough.
    batches = 1 if "update" in run.tree.phases else 8
    return heat.scale(*(done.features for done in run.trace.passes[:batches]))


@by_run(64)
def _gradient_scale(run: SessionRun, batch: int, key: str, name: str) -> float:
    """The largest gradient of a parameter, or of all states and sums of a block, over its steps; of many steps some."""
    done = run.epoch.backward(batch)
    assert done is not None
    block = done.by_key[key]
    of_states = [
        one for one in block.program.names if one.startswith(D) and len(block.program.shapes[one]) < 2
    ]
    steps = run.tree.stage(Spot(batch, phase="backward", epoch=run.epoch.index)).steps[key]
    some = steps[:: max(1, len(steps) // _SOME)] if not name else steps[-1:]
    return heat.scale(*(done.value(key, one, t) for t in some for one in ([name] if name else of_states)))


def layer_name(layer: int, direction: Direction, *, is_bidirectional: bool) -> str:
    """Give `L0`, or `L0→` and `L0←` where there are two directions."""
    if not is_bidirectional:
        return f"L{layer}"
    return f"L{layer}{'←' if direction == 'backward' else '→'}"
