"""The loss as two blocks: what each row of each step is off by, and the one number that all of it comes to.

| loss              | block `loss`, each step and row                                                          |
|-------------------|------------------------------------------------------------------------------------------|
| CrossEntropyLoss  | `p = softmax(logits)`, `log_p = log_softmax(logits)`, `nll = -log_p[target]`                |
| NLLLoss           | `nll = -logits[target]`                                                                     |
| MSELoss           | `difference = output - target`, `square = difference * difference`, `mse = mean(square)`  |
| L1Loss            | `difference = output - target`, `distance = abs(difference)`, `mae = mean(distance)`      |
| SmoothL1Loss      | `difference = output - target`, `smooth_each = smooth_l1(difference, beta)`, `smooth = mean(smooth_each)` |
| BCEWithLogitsLoss | `p = sigmoid(logits)`, `bce_each = softplus(logits) - target * logits`, `bce = mean(bce_each)` |

`log_p` is ln p without the detour over a p that may underflow, and softplus(s) − y·s is
−y ln σ(s) − (1−y) ln(1−σ(s)) likewise. The block `total` takes the mean or sum over rows and steps as
`reduction` and `over_time` say, times the `factor`; what `ignore_index` names counts for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.equations.operations import Array
from rnnstep.equations.program import Program, Shape, check
from rnnstep.equations.syntax import Apply, Expression, Line, Name, number, parse_lines
from rnnstep.network.blocks import Block, Extent
from rnnstep.network.wires import When, Wire, data
from rnnstep.scenario.model import Batch, Loss, Scenario

SOFTMAX_FIRST = "softmax_before_cross_entropy"


@dataclass(frozen=True, eq=False)
class LossBlocks:
    """The two blocks of one batch's loss, and what they are given beside the model's output.

    Attributes:
        loss: The block of each step.
        total: The block of the last step, of one row.
        given: What `loss` reads beside its first input, each (T, B) or (T, B, n); (1, B, …) of the final state.
        weights: What `total` reads beside the entries, where they do not all weigh the same: `share`, (N,), and `empty`.
    """

    loss: Block
    total: Block
    given: Mapping[str, NDArray[Any]]
    weights: Mapping[str, Array]


def loss_blocks(scenario: Scenario, batch: Batch, scored: Block) -> LossBlocks | None:
    """Make the blocks of a batch's loss on what a block gives; None where there is nothing to compare with."""
    loss, target = scenario.loss, batch.target
    if loss is None or target is None:
        return None
    is_once = scored.extent.is_single or loss.at == "last"
    target = target[None] if is_once else target
    size = int(scored.program.shapes[scored.output][0])
    if loss.kind.has_classes:
        counted = target != loss.ignore_index
        given: dict[str, NDArray[Any]] = {"target": np.where(counted, target, 0).astype(np.intp)}
        if not counted.all():
            given["counts"] = counted.astype(scenario.dtype)
        lines = [] if loss.name == "NLLLoss" else _log_p(is_twice=_is_softmax_first(scenario))
        program = _of_classes(size, lines, has_ignored="counts" in given)
    else:
        given = {"target": target}
        counted = np.ones(target.shape[:2], np.bool_)
        program = _of_numbers(loss, size)
    is_picked = is_once and not scored.extent.is_single
    entering = (Wire(scored.key, scored.output, When.ROW_END if is_picked else When.SAME),)
    wires = {name: data(name) for name in given} | {next(iter(program.inputs)): entering}
    extent = Extent.FINAL if is_once else Extent.EVERY
    block = Block(
        "loss",
        "loss",
        scored.layer,
        "forward",
        program,
        {},
        {},
        wires=wires,
        extent=extent,
        constant=("target", "counts"),
        module="loss",
        sequence=scored.sequence,
    )
    ending, weights = _total(loss, block.output, counted, scenario.dtype)
    every = {name: data(name) for name in weights} | {block.output: (Wire("loss", block.output, When.ALL),)}
    total = Block(
        "total",
        "total",
        scored.layer,
        "forward",
        ending,
        {},
        {},
        wires=every,
        extent=Extent.ONCE,
        constant=("share", "empty"),
        module="loss",
        sequence=scored.sequence,
    )
    return LossBlocks(block, total, given, weights)


def _is_softmax_first(scenario: Scenario) -> bool:
    return scenario.training is not None and scenario.training.mistake == SOFTMAX_FIRST


def _log_p(*, is_twice: bool) -> list[Line]:
    """The logarithms of the probabilities, which CrossEntropyLoss makes of the scores itself."""
    scores = Name("s" if is_twice else "logits")
    return [
        *([Line("s", Apply("softmax", (Name("logits"),)))] if is_twice else []),
        Line("p", Apply("softmax", (scores,))),
        Line("log_p", Apply("log_softmax", (scores,))),
    ]


def _of_classes(size: int, lines: list[Line], *, has_ignored: bool) -> Program:
    """What the right class got of what the lines give last; without lines the scores are logarithms already."""
    log_p = Name(lines[-1].name if lines else "logits")
    nll: Expression = Apply("neg", (Apply("chosen", (log_p, Name("target"))),))
    if has_ignored:
        nll = Apply("mul", (Name("counts"), nll))
    lines = [*lines, Line("nll", nll)]
    inputs: dict[str, Shape] = {"logits": (size,), "target": ()}
    if has_ignored:
        inputs["counts"] = ()
    return _program(lines, inputs)


def _of_numbers(loss: Loss, size: int) -> Program:
    difference, target = Name("difference"), Name("target")
    each: Expression
    match loss.name:
        case "MSELoss":
            each, names = Apply("mul", (difference, difference)), ("square", "mse", "sse")
        case "SmoothL1Loss" if loss.beta > 0:
            each = Apply("smooth_l1", (difference, number(loss.beta)))
            names = "smooth_each", "smooth", "smooth"
        case "L1Loss" | "SmoothL1Loss":  # without a beta they are the same, in torch too
            each, names = Apply("abs", (difference,)), ("distance", "mae", "sae")
        case _:
            return _of_logits(loss, size)
    entry, mean, total = names
    lines = [Line("difference", Apply("sub", (Name("output"), target))), Line(entry, each)]
    ending = mean if loss.reduction == "mean" else total
    lines.append(Line(ending, Apply(loss.reduction, (Name(entry),))))
    return _program(lines, {"output": (size,), "target": (size,)})


def _of_logits(loss: Loss, size: int) -> Program:
    logits, target = Name("logits"), Name("target")
    lines = [
        Line("p", Apply("sigmoid", (logits,))),
        Line("bce_each", Apply("sub", (Apply("softplus", (logits,)), Apply("mul", (target, logits))))),
        Line("bce", Apply(loss.reduction, (Name("bce_each"),))),
    ]
    return _program(lines, {"logits": (size,), "target": (size,)})


def _program(lines: list[Line], inputs: Mapping[str, Shape]) -> Program:
    return check(tuple(lines), inputs, {}, {})


def _total(
    loss: Loss, name: str, counted: NDArray[np.bool_], dtype: np.dtype[np.floating]
) -> tuple[Program, Mapping[str, Array]]:
    """The program of the total over entries of `counted` (T, B), and what it reads beside them."""
    steps, rows = counted.shape
    is_whole = bool(counted.all())
    is_step_by_step = loss.over_time == "sum" and steps > 1
    weights: dict[str, Array] = {}
    if loss.reduction == "sum":
        text = f"loss = sum({name})"
    elif is_whole and not is_step_by_step:
        text = f"loss = mean({name})"
    elif is_whole:
        text = f"loss = sum({name})" + (f" / {rows}" if rows > 1 else "")
    elif counted.any() and not is_step_by_step:
        text = f"loss = sum({name}) / {int(counted.sum())}"
    else:  # each call has its own mean, over as many entries as count in it
        counts = counted.sum(axis=1 if is_step_by_step else None, keepdims=True)
        each = np.where(counts > 0, 1 / np.maximum(counts, 1), 0)
        weights["share"] = np.broadcast_to(each, counted.shape).reshape(-1).astype(dtype)
        text = f"loss = sum(share * {name})"
        if not counts.all():  # the mean of nothing is NaN, and nothing goes back through it (torch)
            weights["empty"] = np.full(1, np.nan, dtype)
            text += " + empty"
    inputs: dict[str, Shape] = {name: (counted.size,), **{key: value.shape for key, value in weights.items()}}
    (line,) = parse_lines(text)
    if loss.factor != 1:
        line = Line(line.name, Apply("mul", (number(loss.factor), line.expression)))
    return check((line,), inputs, {}, {}), weights


class LossRun:
    """The loss of one run of a batch, every value of it at hand."""

    def __init__(self, blocks: LossBlocks, outputs: Array) -> None:
        """Take the model's outputs, (T, B, n); of the final state (1, B, n)."""
        self.blocks = blocks
        self.outputs = outputs

    @cached_property
    def known(self) -> dict[str, Array]:
        """All that the block `loss` reads and gives, (T, B) or (T, B, n)."""
        program = self.blocks.loss.program
        known: dict[str, Any] = {next(iter(program.inputs)): self.outputs, **self.blocks.given}
        if "counts" in known:
            known["counts"] = known["counts"][..., None]
        return {**known, **program.at_once(known)}

    @cached_property
    def entries(self) -> dict[str, Array]:
        """All that the block `total` reads and gives, (N,) and (1,)."""
        program = self.blocks.total.program
        each = next(iter(program.inputs))
        known = {each: self.known[each].reshape(-1), **self.blocks.weights}
        return {**known, **program.at_once(known)}

    @property
    def loss(self) -> float:
        """The one number."""
        return float(self.entries["loss"][0])
