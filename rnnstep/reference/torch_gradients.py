"""torch's number for each value that a way back shows, under the names of our blocks."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from rnnstep.engine import Block
from rnnstep.engine.backward import BackwardPass
from rnnstep.equations.differentiate import ROWS, D
from rnnstep.equations.operations import Array
from rnnstep.equations.program import Program
from rnnstep.equations.syntax import Apply, Name
from rnnstep.reference.gradients import ReferenceGradients
from rnnstep.reference.layout import alive, initial, joined, keys_of, previous


class TorchGradients:
    """torch's numbers along its stepped run, forth and back, as our way back names them."""

    def __init__(self, back: BackwardPass, reference: ReferenceGradients) -> None:
        self._back = back
        self._done = back.done
        self._reference = reference

    def value(self, key: str, name: str, t: int) -> Array | None:
        """One value of a block at a step, in the shape of ours; None where there is none."""
        block = self._back.by_key[key]
        bare = name.removesuffix(ROWS)
        if name == bare and self._back.is_of_all_rows(key, name):
            return self._of_parameter(block, name, t)
        whole = self._whole(block, bare)
        if whole is None:
            return None
        found: Array = whole[0 if len(whole) == 1 else t]
        rows = self._done.live_rows(t) if block.kind == "recurrent" else None
        if rows is None:
            return found
        if name == bare:
            return found[rows]
        of_all = np.zeros_like(found)  # zeros where a row is over, as in ours
        of_all[rows] = found[rows]
        return of_all

    def is_of_module(self, key: str, name: str) -> bool:
        """Whether a value is torch.nn's own, and no self-check."""
        if not self._reference.is_module or name.endswith(ROWS):
            return False
        block = self._done.by_key[key]
        bare = name.removeprefix(D)
        if block.kind in ("loss", "total"):
            scores = next(iter(self._done.by_key["loss"].program.inputs))
            return name == "loss" or (block.kind == "loss" and bare == scores)
        if block.kind != "recurrent":
            return bare in (*block.program.inputs, block.output)
        if bare == name:
            return name in (*block.program.inputs, *block.program.states, *block.program.befores)
        is_state = bare in block.program.states and bare not in self._reference.self_checked
        return is_state or bare in block.program.inputs or name == self._above(block)

    def _whole(self, block: Block, name: str) -> Array | None:
        """A value over all steps, (T, B, n); (1, …) of what is there once."""
        match block.kind:
            case "recurrent":
                return self._recurrent(self._done.by_key[block.key], name)
            case "loss":
                return self._of_loss(name)
            case "total":
                return self._of_total(name)
        whole = self._between(self._done.by_key[block.key], name)
        return whole if whole is None or whole.ndim == 3 else whole[None]

    # ── recurrent blocks ─────────────────────────────────────────────────────────────

    def _recurrent(self, block: Block, name: str) -> Array | None:
        gradients, key = self._reference.gradients, block.key
        if not name.startswith(D):
            return self._forward(block, name)
        bare = name.removeprefix(D)
        if bare in gradients.states[key]:
            return gradients.states[key][bare]
        if bare in block.program.inputs:
            return gradients.x[key]
        if name == self._above(block):
            return gradients.output[key]
        inner = self._reference.inner.get(key, {})
        program = self._back.by_key[key].program
        for before in block.program.befores:
            if program.before(f"{D}{before}") == name and before in inner:
                first = np.zeros(inner[before].shape[1:], inner[before].dtype)
                return previous(inner[before], first, None, is_reversed=block.direction != "backward")
        return inner.get(bare)

    def _forward(self, block: Block, name: str) -> Array | None:
        values, key = self._reference.values, block.key
        if name in values.states[key]:
            return values.states[key][name]
        if name in block.program.inputs:
            return values.x[key]
        for state in block.program.states:
            if block.program.before(state) == name:
                first = initial(self._done.scenario, block, state, self._done.batch.num_rows)
                is_reversed = block.direction == "backward"
                return previous(
                    values.states[key][state], first, alive(self._done.batch), is_reversed=is_reversed
                )
        return self._reference.lines.get(key, {}).get(name)

    def _above(self, block: Block) -> str:
        """The name of what comes from above, which the way back alone reads."""
        program = self._back.by_key[block.key].program
        start = f"{D}{block.output}_above"
        return next((name for name in program.inputs if name.startswith(start)), start)

    # ── other blocks ─────────────────────────────────────────────────────────────────

    def _between(self, block: Block, name: str) -> Array | None:
        """What stands between blocks: (T, B, n), or (B, n) of the final state."""
        along = self._reference.gradients if name.startswith(D) else self._reference.values
        bare = name.removeprefix(D)
        match block.kind, bare:
            case "linear", "logits":
                return along.logits
            case "linear", _ if bare in block.program.inputs:
                return along.features
            case "embedding", "x":
                return along.entered[0]
            case "join", "forward":
                return along.output[f"L{block.layer}"]
            case "join", "backward":
                return along.output[f"L{block.layer}←"]
            case ("join", "output") | ("dropout", "h"):
                keys = keys_of(self._done.blocks, block.layer)
                return joined(self._done.blocks, block.layer, {key: along.output[key] for key in keys})
            case "dropout", "output":
                return along.entered[block.layer + 1]
        return None

    def _of_loss(self, name: str) -> Array | None:
        run = self._done.loss_run
        assert run is not None
        along = self._reference.gradients if name.startswith(D) else self._reference.values
        if name.removeprefix(D) == next(iter(run.blocks.loss.program.inputs)):
            return along.logits.reshape(run.outputs.shape)
        if name.startswith(D):
            return self._reference.loss_inner.get(name.removeprefix(D))
        return self._reference.loss_lines.get(name)

    def _of_total(self, name: str) -> Array | None:
        run = self._done.loss_run
        assert run is not None
        known = {f"{D}loss": 1.0, "loss": self._reference.stepped_loss}.get(name)
        if known is not None:
            return np.full((1, 1, 1), known, run.outputs.dtype)
        lines = self._reference.loss_inner if name.startswith(D) else self._reference.loss_lines
        found = lines.get(name.removeprefix(D))
        is_each = name.removeprefix(D) == next(iter(run.blocks.total.program.inputs))
        return found.reshape(1, 1, -1) if found is not None and is_each else None

    # ── parameters ───────────────────────────────────────────────────────────────────

    def _of_parameter(self, block: Block, name: str, t: int) -> Array | None:
        """The share of a step, or the sum of those that come before it on the way back, with it or without."""
        known = self._parts.get(block.key, {}).get(name)
        if known is None:
            return None
        part, kind = known
        shares = self._reference.shares.get(block.key, {}).get(part)
        if shares is None:
            return None
        k = 0 if len(shares) == 1 else t
        if kind == "share":
            return np.asarray(shares[k])
        is_from_start = block.direction == "backward"
        with_it = 1 if kind == "sum" else 0
        some = shares[: k + with_it] if is_from_start else shares[k + 1 - with_it :]
        return np.asarray(some.sum(axis=0), shares.dtype)

    @cached_property
    def _parts(self) -> dict[str, dict[str, tuple[str, str]]]:
        """What each name of a parameter's gradient stands for: the parameter, and "share", "sum" or "later"."""
        return {
            block.key: {
                name: (part, kind)
                for part in block.kept_in
                for name, kind in _names(block.program, f"{D}{part}")
            }
            for block in self._back.blocks
        }


def _names(program: Program, total: str) -> list[tuple[str, str]]:
    """The names of a parameter's share in a step, and of its sums."""
    line = program.by_name.get(total)
    if line is None:
        return []
    if total not in program.states:
        return [(total, "share")]
    found = [(total, "sum"), (program.before(total), "later")]
    match line.expression:
        case Apply(op="add", args=(_, Name(id=share))):
            found.append((share, "share"))
    return found
