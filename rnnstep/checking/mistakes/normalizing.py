"""The mistakes in a normalization: eps left out of the root, a variance that is divided by n − 1."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rnnstep.checking.mistakes.patterns import Lines, each
from rnnstep.checking.slip import Slip
from rnnstep.engine.passes import Pass
from rnnstep.engine.structure import Phase
from rnnstep.equations.normalizing import EPS
from rnnstep.equations.syntax import Apply, Expression, Name, Number, number
from rnnstep.network.blocks import Block

_WITH_EPS = ("normalized", "normalized_back", "standardized")  # whose last argument it is
_UNBIASED = {"normalized": "unbiased", "normalized_back": "unbiased_back"}
_NONE = Number(0.0, "0")


def variants(done: Pass) -> Iterator[Slip]:
    """Every slip that changes a line of the run, of a module's or of a cell's equations."""
    every = dict.fromkeys(line for block in done.blocks for line in block.program.lines)
    for id_, other in (("eps_left_out", _without_eps), ("unbiased_variance", _over_one_less)):
        if any(each((line,), other) != (line,) for line in every):
            yield _slip(id_, other)
    if any(_is_variance_of_batch(block) for block in done.blocks):
        yield Slip("unbiased_variance", _of_batch_over_one_less)


def _is_variance_of_batch(block: Block) -> bool:
    """Whether a block takes the variance of all steps and rows, or goes back through it."""
    return block.reads_all_rows and "mu" in block.wires


def _of_batch_over_one_less(phase: Phase, block: Block, lines: Lines) -> Lines:
    """A batch's variance over N − 1, as torch has it in the running one alone."""

    def over_one_less(part: Expression) -> Expression | None:
        match part:
            case Apply(op="div", args=(total, Name(id="N") as count)):
                return Apply("div", (total, Apply("sub", (count, number(1.0)))))
        return None

    return each(lines, over_one_less) if phase != "update" and _is_variance_of_batch(block) else lines


def _slip(id_: str, other: Callable[[Expression], Expression | None]) -> Slip:
    """A slip in every normalization, on the way back, too."""

    def rewrite(phase: Phase, _: Block, lines: Lines) -> Lines:
        return lines if phase == "update" else each(lines, other)

    return Slip(id_, rewrite, goes_back=True)


def _without_eps(part: Expression) -> Expression | None:
    match part:
        case Apply(op="layer_norm", args=(a, weight, bias)):
            return _scaled("normalized", a, _NONE, weight, bias)
        case Apply(op=op, args=(*args, Number())) if op in _WITH_EPS:
            return Apply(op, (*args, _NONE))
        case Apply(op="sqrt", args=(Apply(op="add", args=(variance, Number())),)):
            return Apply("sqrt", (variance,))
    return None


def _over_one_less(part: Expression) -> Expression | None:
    match part:
        case Apply(op="layer_norm", args=(a, weight, bias)):
            return _scaled("unbiased", a, number(EPS), weight, bias)
        case Apply(op=op, args=args) if op in _UNBIASED:
            return Apply(_UNBIASED[op], args)
    return None


def _scaled(op: str, a: Expression, eps: Expression, weight: Expression, bias: Expression) -> Expression:
    """`layer_norm` as its operations."""
    return Apply("add", (Apply("mul", (Apply(op, (a, eps)), weight)), bias))
