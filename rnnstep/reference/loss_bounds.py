"""The loss from given outputs, forth and back, each line with what it may be off by."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from rnnstep.engine.loss import LossBlocks
from rnnstep.equations.bounds import Pair
from rnnstep.equations.evaluate import evaluate, evaluate_lines
from rnnstep.equations.syntax import Apply, Expression, Name, Number
from rnnstep.reference.bounds import Rounding, exact
from rnnstep.reference.derived import D, derived
from rnnstep.reference.loss_lines import given_by_row

# torch.nn.BCEWithLogitsLoss is (1 − y)·s − ln σ(s), which is off by more where s is large: both must have room.
_BCE_OF_TORCH: Expression = Apply(
    "sub",
    (
        Apply("mul", (Apply("sub", (Number(1.0, "1"), Name("target"))), Name("logits"))),
        Apply("neg", (Apply("softplus", (Apply("neg", (Name("logits"),)),)),)),
    ),
)


class LossBounds:
    """A batch's loss from outputs and their errors, (T, B, n); of the final state (1, B, n).

    Attributes:
        blocks: the loss.
        outputs: what it compares with the target.
    """

    def __init__(self, blocks: LossBlocks, outputs: Pair) -> None:
        self.blocks = blocks
        self.outputs = outputs
        self._reading = Rounding(outputs[0].dtype)

    @cached_property
    def lines(self) -> dict[str, Pair]:
        """All that the block `loss` reads and gives, (T, B, n)."""
        program = self.blocks.loss.program
        known: dict[str, Pair] = {next(iter(program.inputs)): self.outputs}
        known |= {name: exact(value) for name, value in given_by_row(self.blocks).items()}  # type: ignore[arg-type]
        # Of scores that are not finite torch's formulas may give infinity where ours give NaN.
        is_beyond = ~np.isfinite(self.outputs[0]).all(axis=-1, keepdims=True)
        for line in program.lines:
            value, error = evaluate(line.expression, known, self._reading)
            if line.name == "bce_each":
                error = np.fmax(error, evaluate(_BCE_OF_TORCH, known, self._reading)[1])
            known[line.name] = value, np.where(is_beyond, np.inf, error)
        return known

    @cached_property
    def entries(self) -> dict[str, Pair]:
        """All that the block `total` reads and gives, (N,) and (1,)."""
        program = self.blocks.total.program
        each = next(iter(program.inputs))
        value, error = self.lines[each]
        known = {each: (value.reshape(-1), np.broadcast_to(error, value.shape).reshape(-1))}
        for name, weight in self.blocks.weights.items():  # they are rounded themselves
            known[name] = weight, np.abs(weight, dtype=np.float64) * float(np.finfo(weight.dtype).eps)
        return {**known, **evaluate_lines(program.lines, known, self._reading)}

    @property
    def loss(self) -> Pair:
        """The one number, (1,)."""
        return self.entries["loss"]

    @cached_property
    def back(self) -> Mapping[str, Pair]:
        """∂L/∂ of the lines of `loss` and of its outputs, (T, B, n)."""
        one = np.ones(1, self.outputs[0].dtype)
        total, loss = derived(self.blocks.total), derived(self.blocks.loss)
        entries = evaluate_lines(total.core.lines, {**self.entries, total.above: exact(one)}, self._reading)
        value, error = entries[f"{D}{next(iter(self.blocks.total.program.inputs))}"]
        shape = (*self.outputs[0].shape[:2], 1)
        above = value.reshape(shape), np.broadcast_to(error, value.shape).reshape(shape)
        found = evaluate_lines(loss.core.lines, {**self.lines, loss.above: above}, self._reading)
        return {loss.above: above, **found}
