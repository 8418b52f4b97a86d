"""The mistakes in the backward pass and in the update."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from rnnstep.checking.calculation import Calculation
from rnnstep.checking.mistakes.patterns import Lines, each, first_of_each, replaced
from rnnstep.checking.slip import Slip
from rnnstep.checking.step import Fed
from rnnstep.engine.learning import Learning
from rnnstep.engine.structure import Phase
from rnnstep.equations.intervals import point
from rnnstep.equations.program import Program
from rnnstep.equations.shares import LATER
from rnnstep.equations.syntax import Apply, Expression, Line, Name, Number
from rnnstep.network.blocks import Block

Rewriting = Callable[[Program, Lines], Lines | None]


def variants(learning: Learning, phase: Phase) -> Iterator[Slip]:
    """Every slip in the backward pass, and those of the optimizer for an answer to an update, or to what follows one."""
    done = learning.epoch(0).forward(0)
    for id_, rewriting in _BACK:
        yield _slip(id_, "recurrent", rewriting)
    yield Slip("longest_chain_only", wires={"later": _last_but_one}, learns=True)
    lines = dict.fromkeys(line for block in first_of_each(done) for line in block.program.lines)
    for line in lines:
        if isinstance(line.expression, Apply) and line.expression.op == "tanh":
            yield _slip("derivative_at_preactivation", "recurrent", _at_argument(line))
    yield _slip("gradient_sign", "loss", _negative)
    yield from _of_factors(learning)
    yield from _of_reductions(learning)
    if phase != "backward":
        for id_, rewriting in _UPDATE:
            yield _slip(id_, "update", rewriting)
        yield Slip("no_zero_grad", wires={"gradient": _added_up}, learns=True)
        yield Slip("merged_bias_once", wires={"gradient": _one_bias}, learns=True)


def _slip(id_: str, kind: str, rewriting: Rewriting) -> Slip:
    def rewrite(phase: Phase, block: Block, lines: Lines) -> Lines:
        if phase == "forward" or block.kind != kind:
            return lines
        return rewriting(block.program, lines) or lines

    return Slip(id_, rewrite, learns=True)


# ── back ─────────────────────────────────────────────────────────────────────────────


def _at_argument(line: Line) -> Rewriting:
    """`1 − a²` in the place of `1 − tanh(a)²`."""
    assert isinstance(line.expression, Apply)
    argument = line.expression.args[0]

    def other(part: Expression) -> Expression | None:
        match part:
            case Apply(op="sub", args=(Number() as one, Apply(op="mul", args=(Name(id=y), Name(id=z))))) if (
                y == z == line.name
            ):
                return Apply("sub", (one, Apply("mul", (argument, argument))))
        return None

    return lambda _, lines: each(lines, other)


def _without_next(program: Program, lines: Lines) -> Lines:
    """δ_t without what comes from the step after."""
    nexts = {program.before(state) for state in program.states if not _is_sum(program, state)}

    def other(part: Expression) -> Expression | None:
        match part:
            case Apply(op="add", args=(kept, Name(id=name))) if name in nexts:
                return kept
            case Apply(op="add", args=(Name(id=name), kept)) if name in nexts:
                return kept
        return None

    return each(lines, other)


def _is_sum(program: Program, state: str) -> bool:
    return program.before(state).rstrip("′").endswith(LATER)


def _recurrent_without_slope(program: Program, lines: Lines) -> Lines | None:
    """∂a = ∂h_above ⊙ (1 − h²) + ∂h_next."""
    by_name = {line.name: line.expression for line in lines}
    found = lines
    for line in lines:
        match line.expression:
            case Apply(op="mul" | "passed" as op, args=(Name(id=gradient), slope)):
                match by_name.get(gradient):
                    case Apply(op="add", args=(Name() as above, Name(id=later) as from_later)) if (
                        later in program.befores
                    ):
                        found = replaced(
                            found, line.name, Apply("add", (Apply(op, (above, slope)), from_later))
                        )
    return found


def _last_share_only(program: Program, lines: Lines) -> Lines:
    """Of the sum over paths the longest one alone: the share of the step that the backward pass comes to last."""
    sums = {program.before(state) for state in program.states if _is_sum(program, state)}

    def other(part: Expression) -> Expression | None:
        match part:
            case Apply(op="add", args=(Name(id=name), share)) if name in sums:
                return share
        return None

    return each(lines, other)


def _not_transposed(program: Program, lines: Lines) -> Lines:
    """U δ in the place of Uᵀ δ."""

    def other(part: Expression) -> Expression | None:
        match part:
            case Apply(op="pullback", args=args) if all(_is_square(program, w) for w in args[::2]):
                found: Expression | None = None
                for w, g in zip(args[::2], args[1::2], strict=True):
                    product = Apply("matmul", (w, g))
                    found = product if found is None else Apply("add", (found, product))
                return found
        return None

    return each(lines, other)


def _is_square(program: Program, w: Expression) -> bool:
    if not isinstance(w, Name):
        return False
    shape = program.shapes[w.id]
    return len(shape) == 2 and shape[0] == shape[1]


def _negative(_: Program, lines: Lines) -> Lines:
    """Y − p, which is then taken for p − y."""
    last = lines[-1]
    return replaced(lines, last.name, Apply("neg", (last.expression,)))


def _without_slope(_: Program, lines: Lines) -> Lines:
    """∂a = ∂h, without 1 − h²."""

    def other(part: Expression) -> Expression | None:
        match part:
            case Apply(
                op="mul",
                args=(
                    Name() as above,
                    Apply(op="sub", args=(Number(), Apply(op="mul", args=(Name(id=y), Name(id=z))))),
                ),
            ) if y == z:
                return above
        return None

    return each(lines, other)


def _after_for_before(program: Program, lines: Lines) -> Lines:
    """∂W_hh from h_t in the place of h_{t−1}."""
    afters = {f"{name}_prev": name for name in ("h", "c") if f"{name}_prev" in program.shapes}

    def other(part: Expression) -> Expression | None:
        match part:
            case Apply(op="outer", args=(gradient, Name(id=name))) if name in afters:
                return Apply("outer", (gradient, Name(afters[name])))
        return None

    return each(lines, other)


def _last_but_one(paper: Calculation, block: Block, state: str, t: int) -> Fed:
    """Of the sum over paths the longest one through W_hh: as h_0 is nothing, that of the step after the first."""
    value, doubts = paper.later(block, state, t)
    is_last = t == paper.steps_of("backward", block)[-1]
    if is_last or not _is_sum(block.program, state):
        return value, doubts
    return point(np.zeros(np.shape(value[0]))), doubts


def _of_factors(learning: Learning) -> Iterator[Slip]:
    loss = learning.scenario.loss
    if loss is not None and loss.factor != 1:
        yield Slip("factor_forgotten", begins=1 / loss.factor, learns=True)
    elif loss is not None and loss.name == "MSELoss":
        yield Slip("half_squared_error", begins=0.5, learns=True)


def _of_reductions(learning: Learning) -> Iterator[Slip]:
    """A mean taken for a sum, or the other way round: the backward pass begun with another number."""
    loss, done = learning.scenario.loss, learning.epoch(0).forward(0)
    axis = done.axis("loss")
    rows, steps = axis.num_rows, len(axis.all_steps(done.by_key["loss"].extent))
    is_mean = loss is not None and loss.reduction == "mean"
    count = float(rows * steps)
    if count > 1:
        id_, begins = ("sum_for_mean", count) if is_mean else ("mean_for_sum", 1 / count)
        yield Slip(id_, begins=begins, learns=True)
    for size in dict.fromkeys((rows, steps)) if is_mean else ():
        if size > 1:
            yield Slip("mean_twice", begins=1 / size, learns=True)


_BACK: tuple[tuple[str, Rewriting], ...] = (
    ("no_recurrent_gradient", _without_next),
    ("recurrent_gradient_without_derivative", _recurrent_without_slope),
    ("slope_left_out", _without_slope),
    ("h_for_h_prev", _after_for_before),
    ("longest_chain_only", _last_share_only),
    ("u_for_u_transposed", _not_transposed),
)


# ── the update ───────────────────────────────────────────────────────────────────────


def _uncorrected(*names: str) -> Rewriting:
    """M or v as they are, not divided by 1 − βᵗ."""

    def rewriting(_: Program, lines: Lines) -> Lines:
        for name in names:
            lines = replaced(lines, f"{name}_hat", Name(name))
        return lines

    return rewriting


def _without_rate(_: Program, lines: Lines) -> Lines:
    """The gradient, or Adam's quotient, without the learning rate."""

    def bare(expression: Expression) -> Expression:
        match expression:
            case Apply(op="mul", args=(Number(), rest)):
                return rest
            case Apply(op="div", args=(above, below)):
                return Apply("div", (bare(above), below))
        return expression

    return tuple(
        Line(one.name, bare(one.expression), one.row) if one.name == "update" else one for one in lines
    )


def _added(_: Program, lines: Lines) -> Lines:
    """W_prev + update."""
    return tuple(
        Line(one.name, Apply("add", one.expression.args), one.row)
        if one.name == "w" and isinstance(one.expression, Apply)
        else one
        for one in lines
    )


_UPDATE: tuple[tuple[str, Rewriting], ...] = (
    ("lr_left_out", _without_rate),
    ("update_added", _added),
    ("adam_no_correction", _uncorrected("m", "v")),
    ("adam_only_v_corrected", _uncorrected("m")),
    ("adam_only_m_corrected", _uncorrected("v")),
)


def _added_up(paper: Calculation, torch: str) -> Fed:
    """The gradients of all updates so far, which were not set to zero."""
    sheet = paper.sheet
    assert sheet is not None
    found, doubts = paper.gradient(torch)
    batches = len(sheet.learning.scenario.batches)
    for number in range(paper.epoch * batches + paper.done.index):
        epoch, batch = divmod(number, batches)
        before, _ = sheet.gradient(sheet.of_batch(epoch, batch, paper.reading.decimals), torch)
        found = paper.reading.apply("add", (found, before))
    return found, doubts


def _one_bias(paper: Calculation, torch: str) -> Fed:
    """Both biases have the gradient; one of them is left as it was."""
    value, doubts = paper.gradient(torch)
    return (point(np.zeros(value[0].shape)) if torch.startswith("bias_hh") else value), doubts
