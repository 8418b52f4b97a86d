"""The mistakes in a loss: another logarithm, a softmax too many, a sum for a mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rnnstep.checking.mistakes.patterns import Lines, each, replaced
from rnnstep.checking.slip import Slip
from rnnstep.engine.passes import Pass
from rnnstep.engine.structure import Phase
from rnnstep.equations.syntax import Apply, Expression, Name, Number
from rnnstep.network.blocks import Block

Rewriting = Callable[[Lines], Lines | None]


def variants(done: Pass) -> Iterator[Slip]:
    """Every slip of the loss."""
    for id_, kind, rewriting in _REWRITINGS:
        yield _slip(id_, kind, rewriting)
    loss = done.scenario.loss
    if loss is not None and loss.factor != 1:
        yield _slip("factor_forgotten", "total", _divided(loss.factor))
    elif loss is not None and loss.name == "MSELoss":
        for kind in ("loss", "total"):  # of each step; or of all, where the steps' own are given
            yield _slip("half_squared_error", kind, _divided(2))
    for count in dict.fromkeys((done.batch.num_rows, done.axis("loss").num_steps)):
        if count > 1 and loss is not None and loss.reduction == "mean":
            yield _slip("mean_twice", "total", _divided(count))


def _slip(id_: str, kind: str, rewriting: Rewriting) -> Slip:
    def rewrite(phase: Phase, block: Block, lines: Lines) -> Lines:
        return (rewriting(lines) or lines) if phase == "forward" and block.kind == kind else lines

    return Slip(id_, rewrite)


def _has(lines: Lines, name: str) -> bool:
    return any(line.name == name for line in lines)


def _softmax_twice(lines: Lines) -> Lines | None:
    if not _has(lines, "log_p"):
        return None
    return replaced(lines, "p", Apply("softmax", (Apply("softmax", (Name("logits"),)),)))


def _logarithm(op: str) -> Rewriting:
    def other(part: Expression) -> Expression | None:
        return Apply(op, part.args) if isinstance(part, Apply) and part.op == "log" else None

    return lambda lines: each(lines, other)


def _one_minus_p(lines: Lines) -> Lines | None:
    if not _has(lines, "nll"):
        return None
    chosen = Apply("chosen", (Name("p"), Name("target")))
    return replaced(lines, "nll", Apply("sub", (Number(1.0, "1"), chosen)))


def _called(old: str, new: str) -> Rewriting:
    def other(part: Expression) -> Expression | None:
        return Apply(new, part.args) if isinstance(part, Apply) and part.op == old else None

    return lambda lines: each(lines, other)


def _divided(count: float) -> Rewriting:
    def rewriting(lines: Lines) -> Lines:
        last = lines[-1]
        number = Number(float(count), f"{count:g}")
        return replaced(lines, last.name, Apply("div", (last.expression, number)))

    return rewriting


_REWRITINGS: tuple[tuple[str, str, Rewriting], ...] = (
    ("softmax_twice", "loss", _softmax_twice),
    ("log10", "loss", _logarithm("log10")),
    ("log2", "loss", _logarithm("log2")),
    ("one_minus_p", "loss", _one_minus_p),
    ("sum_for_mean", "total", _called("mean", "sum")),
    ("mean_for_sum", "total", _called("sum", "mean")),
    ("sum_for_mean", "loss", _called("mean", "sum")),
    ("mean_for_sum", "loss", _called("sum", "mean")),
)
