"""The gradients of a scenario with autograd's beside them: what `rnnstep.grad` gives, and every format is written from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine import Model
from rnnstep.engine.backward import BackwardPass
from rnnstep.equations.operations import Array
from rnnstep.errors import UsageError
from rnnstep.export.run import verdict
from rnnstep.language import Text
from rnnstep.network.blocks import Direction
from rnnstep.reference import ComparedGradients, Finding, check_gradients
from rnnstep.scenario.model import Scenario


class StateGradient(Mapping[str, Array]):
    """The total derivative of the loss by the states of one step: `["h"]`, `["c"]`, each (live rows, n).

    Attributes:
        t: the step, from 0.
        layer: the layer, from 0.
        direction: "forward" or "backward".
        batch: which batch, from 0.
        key: of the block, "L0←".
        rows: the live rows of a packed batch, ascending; None when all are.
    """

    def __init__(self, back: BackwardPass, key: str, t: int, whole: Mapping[str, Array]) -> None:
        block = back.done.by_key[key]
        self.t = t
        self.layer: int = block.layer
        self.direction: Direction = block.direction
        self.batch = back.index
        self.key = key
        self.rows: NDArray[np.intp] | None = back.live_rows(t)
        self._whole = whole

    def __getitem__(self, name: str) -> Array:
        found: Array = self._whole[name][self.t]
        return found if self.rows is None else found[self.rows]

    def __iter__(self) -> Iterator[str]:
        return iter(self._whole)

    def __len__(self) -> int:
        return len(self._whole)

    def __repr__(self) -> str:
        return (
            f"StateGradient(t={self.t}, layer={self.layer}, direction={self.direction!r}, states={[*self]})"
        )


class TorchGradients:
    """torch's loss and autograd's gradients; of a cell of one's own the same equations in torch's operations.

    Attributes:
        loss: the loss of torch's whole module. Of several batches a list, as all here.
        parameters: torch's name → ∂L/∂ of the parameter.
    """

    def __init__(self, comparisons: Sequence[ComparedGradients]) -> None:
        self.loss = _single([one.loss for one in comparisons])
        self.parameters = {
            name: _single([one.parameters[name] for one in comparisons]) for name in comparisons[0].parameters
        }
        self._comparisons = comparisons

    @cached_property
    def states(self) -> Sequence[StateGradient]:
        """∂L/∂ of the states, of torch's stepped cells, in the order of ours."""
        return [
            StateGradient(one.back, key, t, one.states[key])
            for one in self._comparisons
            for t, key in one.back.done.recurrent_steps()
        ]


class Gradients:
    """A scenario's loss and gradients, autograd's beside. Of several batches lists, an entry each.

    Attributes:
        scenario: what was run.
        passes: our way back through each batch, every value of it at hand.
        comparisons: each beside autograd's, every value of it at hand as well; none where torch was not asked,
            and all that is said of it is None.
        loss: the loss.
        parameters: torch's name → ∂L/∂ of the parameter, in its shape.
        reference: torch's; None of a cell of one's own, which torch does not have.
        self_check: of such a cell, the same equations in torch's operations; else None.
    """

    def __init__(self, passes: Sequence[BackwardPass], comparisons: Sequence[ComparedGradients] = ()) -> None:
        self.comparisons = tuple(comparisons)
        self.passes = tuple(passes)
        self.scenario: Scenario = self.passes[0].scenario
        self.loss = _single([back.loss for back in self.passes])
        self.parameters = {
            name: _single([back.parameters[name] for back in self.passes])
            for name in self.passes[0].parameters
        }
        beside = TorchGradients(comparisons) if comparisons else None
        is_module = not self.scenario.recurrent.is_own
        self.reference = beside if is_module else None
        self.self_check = None if is_module else beside

    @property
    def beside(self) -> TorchGradients | None:
        """`reference`, or `self_check` where there is none."""
        return self.reference if self.reference is not None else self.self_check

    def compared(self, index: int) -> ComparedGradients | None:
        """Autograd's numbers beside those of a batch."""
        return self.comparisons[index] if self.comparisons else None

    @cached_property
    def states(self) -> Sequence[StateGradient]:
        """∂L/∂ of every state after every step, in the order of the forward pass: `states[3]["h"]` is (B, H)."""
        found = []
        for back in self.passes:
            whole = {
                key: {name: back.states(key, name) for name in run.block.program.states}
                for key, run in back.done.runs.items()
            }
            found += [StateGradient(back, key, t, whole[key]) for t, key in back.done.recurrent_steps()]
        return found

    @cached_property
    def max_abs_diff(self) -> dict[str, float] | None:
        """The largest difference of `loss`, `parameters` and `states`, each program on its own run."""
        if not self.comparisons:
            return None
        kinds = self.comparisons[0].max_abs_diff
        return {kind: max(one.max_abs_diff[kind] for one in self.comparisons) for kind in kinds}

    @cached_property
    def worst(self) -> Finding | None:
        """Where a difference takes up most of what rounding may make it: of one step back from torch's own numbers."""
        found = [one.worst for one in self.comparisons if one.worst is not None]
        return max(found, key=lambda worst: worst.share, default=None)

    @property
    def tolerance(self) -> float | None:
        """What rounding may make the difference that takes up most of it."""
        if not self.comparisons:
            return None
        return self.worst.allowed if self.worst is not None else 0.0

    @property
    def agrees(self) -> bool | None:
        """Whether our gradients are autograd's, judged one step at a time."""
        return all(one.agrees for one in self.comparisons) if self.comparisons else None

    def as_dict(self) -> dict[str, Any]:
        """Give everything as plain lists and numbers, as `rnnstep grad --format json` prints it."""
        from rnnstep.export.gradient_files import gradients_dict

        return gradients_dict(self)

    def __repr__(self) -> str:
        return f"Gradients({self.scenario.name!r}, loss {self.loss}, {verdict(agrees=self.agrees)})"


def gradients(scenario: Scenario, *, is_beside: bool = True) -> Gradients:
    """Run a complete scenario from its parameters, go back from the loss, and let autograd do the same if it is to.

    Raises:
        UsageError: There is no loss to go back from.
    """
    check_loss(scenario)
    model = Model(scenario)
    passes, comparisons = [], []
    for done in model.run().passes:
        back = model.backward(done)
        assert back is not None
        passes.append(back)
        if is_beside:
            comparisons.append(check_gradients(done, back))
    return Gradients(passes, comparisons)


def check_loss(scenario: Scenario) -> None:
    """Make sure that a scenario has a loss.

    Raises:
        UsageError: It has none.
    """
    if not scenario.has_loss:
        raise UsageError(
            Text(
                "{name}: there is no loss to go back from; add what each step should answer, such as"
                ' [target] with text = "ohlol" (indices, values), and [loss] if it is not to be the usual one',
                name=scenario.name,
            )
        )


def _single(found: list[Any]) -> Any:
    return found[0] if len(found) == 1 else found
