"""The mistakes in attention: no softmax, one over another axis, padding that is looked at, keys for values, the query of another step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rnnstep.checking.calculation import Calculation
from rnnstep.checking.mistakes.patterns import Lines, each, one, replaced
from rnnstep.checking.slip import AT_EVERY_STEP, Slip
from rnnstep.checking.step import Fed
from rnnstep.engine.passes import Pass
from rnnstep.engine.structure import Phase
from rnnstep.equations.shares import D
from rnnstep.equations.syntax import Apply, Expression, Line, Name
from rnnstep.network.blocks import Block
from rnnstep.network.graph import Graph
from rnnstep.network.wires import When

Rewriting = Callable[[Block, Lines], Lines | None]
Weighing = Callable[[Expression, Expression | None], Expression]
"""Makes weights of scores, and of which of them a row has; None where all."""

_SOFTMAX, _LIVE_SOFTMAX = "softmax", "live_softmax"


def variants(done: Pass) -> Iterator[Slip]:
    """Every slip of what looks at all steps of another block."""
    every = [block for block in done.blocks if block.attends]
    if not every:
        return
    is_padded = any(_softmax_of(block.program.lines, _LIVE_SOFTMAX) is not None for block in every)
    yield _without_softmax(every, lambda scores, _: scores)
    if is_padded:
        yield _without_softmax(every, _of_live)
        yield _slip("attention_padding", _weighed(lambda scores, _: Apply(_SOFTMAX, (scores,))))
        yield _slip("attention_padding", _weighed(_masked_behind))
    if done.batch.num_rows > 1:
        yield _slip("attention_wrong_axis", _weighed(_over("softmax_over_rows")))
    yield _slip("attention_wrong_axis", _weighed(_over("softmax_over_one")))
    if any(_asks_all_at_once(block, done.graph) for block in every):
        yield _slip("attention_wrong_axis", _over_queries(done.graph))
    if any(len(_read_whole(block)) > 1 for block in every):
        yield _slip("attention_keys_for_values", _keys_as_values)
        yield _slip("attention_keys_for_values", _values_as_keys)
    yield Slip("attention_late_query", wires={"query": _of_another_step}, goes_back=True)


def _slip(id_: str, rewriting: Rewriting) -> Slip:
    """A slip in the blocks that look at all steps of another one; the same lines where its pattern is not there."""

    def rewrite(phase: Phase, block: Block, lines: Lines) -> Lines:
        if phase != "forward" or not block.attends:
            return lines
        return rewriting(block, lines) or lines

    return Slip(id_, rewrite, goes_back=True)


# ── the softmax ──────────────────────────────────────────────────────────────────────


def _softmax_of(lines: Lines, *ops: str) -> Line | None:
    """The line that makes weights of scores."""
    ops = ops or (_SOFTMAX, _LIVE_SOFTMAX)
    return next(
        (line for line in lines if isinstance(line.expression, Apply) and line.expression.op in ops), None
    )


def _scores_of(line: Line) -> tuple[Expression, Expression | None]:
    """What it makes them of, and which of them a row has, where that is asked."""
    assert isinstance(line.expression, Apply)
    scores, *live = line.expression.args
    return scores, live[0] if live else None


def _weighed(weights: Weighing) -> Rewriting:
    """What is taken for the weights."""

    def rewriting(_: Block, lines: Lines) -> Lines | None:
        line = _softmax_of(lines)
        return None if line is None else replaced(lines, line.name, weights(*_scores_of(line)))

    return rewriting


def _without_softmax(every: Sequence[Block], weights: Weighing) -> Slip:
    """The scores as weights; and on the way back what reaches the weights is what goes on to the scores."""
    made = {block.key: line for block in every if (line := _softmax_of(block.program.lines)) is not None}

    def rewrite(phase: Phase, block: Block, lines: Lines) -> Lines:
        line = made.get(block.key)
        if line is None or phase == "update":
            return lines
        scores, live = _scores_of(line)
        if phase == "forward":
            return replaced(lines, line.name, weights(scores, live))
        assert isinstance(scores, Name)
        return replaced(lines, f"{D}{scores.id}", weights(Name(f"{D}{line.name}"), live))

    return Slip("attention_no_softmax", rewrite, goes_back=True)


def _of_live(weights: Expression, live: Expression | None) -> Expression:
    """Zero where a row has no step."""
    return weights if live is None else Apply("mul", (weights, live))


def _masked_behind(scores: Expression, live: Expression | None) -> Expression:
    """The padding takes part in the sum of the softmax, and is set to zero when that is done."""
    return _of_live(Apply(_SOFTMAX, (scores,)), live)


def _over(op: str) -> Weighing:
    return lambda scores, live: _of_live(Apply(op, (scores,)), live)


def _over_queries(graph: Graph) -> Rewriting:
    """Of each step of the memory over all queries, where these are there at once."""

    def over(scores: Expression, live: Expression | None) -> Expression:
        assert isinstance(scores, Name)
        return _of_live(Apply("softmax_over_steps", (Name(f"{scores.id}{AT_EVERY_STEP}"),)), live)

    def rewriting(block: Block, lines: Lines) -> Lines | None:
        return _weighed(over)(block, lines) if _asks_all_at_once(block, graph) else None

    return rewriting


def _asks_all_at_once(block: Block, graph: Graph) -> bool:
    """Whether no query waits for what was looked at before, and there are several."""
    return block.key not in graph.loop_of and not block.extent.is_single


# ── keys and values ──────────────────────────────────────────────────────────────────


def _read_whole(block: Block) -> tuple[str, ...]:
    """The names of what is read whole: the memory, and the values where they are others."""
    return tuple(name for name, shape in block.program.banks.items() if len(shape) > 1)


def _keys_as_values(block: Block, lines: Lines) -> Lines | None:
    """The memory is mixed, in the place of the values."""
    names = _read_whole(block)
    if len(names) < 2:
        return None
    keys, values = names
    return each(lines, lambda part: Name(keys) if part == Name(values) else None)


def _values_as_keys(block: Block, lines: Lines) -> Lines | None:
    """The query is held against the values."""
    names = _read_whole(block)
    if len(names) < 2:
        return None
    keys, values = names
    return one(lines, lines[0].name, lambda part: Name(values) if part == Name(keys) else None)


# ── the query ────────────────────────────────────────────────────────────────────────


def _of_another_step(paper: Calculation, block: Block, t: int) -> Fed:
    """The query of this step where it is that of the step before; and of the step before where it is this one's."""
    parts = paper.done.graph.origins(block.key, next(iter(block.program.inputs)))
    if len(parts) != 1 or not parts[0].wire.block:
        return paper.query(block, t)
    wire = parts[0].wire
    match wire.when:
        case When.BEFORE:  # which what is looked at goes into: it is taken as it stands on the sheet
            return (paper.base or paper).given(wire.block, t, wire.value)
        case When.SAME if t:
            return paper.given(wire.block, t - 1, wire.value)
    return paper.query(block, t)
