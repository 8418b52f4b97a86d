"""The backward pass through one block, derived and compiled once: its lines, and how its parameters' gradients are gathered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np

from rnnstep.equations.compile import Compiled
from rnnstep.equations.compile_lines import straight
from rnnstep.equations.differentiate import Backward, D, backward
from rnnstep.equations.evaluate import Values, evaluate
from rnnstep.equations.operations import Array
from rnnstep.equations.program import Program
from rnnstep.equations.syntax import Apply, Expression, Name, names_in
from rnnstep.network.blocks import Block, Where, joined_parts

LARGE = 4096  # numbers of a state, from where on a step's arrays no longer stay in the fastest cache


@dataclass(frozen=True, slots=True)
class ParameterRows:
    """Rows `start:stop` of one of torch's parameters whose shares lie side by side.

    Attributes:
        start: The first row.
        stop: The one after the last.
        columns: Where ∂L/∂(W x) of these rows lies: array, first column, the one after the last.
        x: The name of what the weights are multiplied with; None of a bias.
    """

    start: int
    stop: int
    columns: tuple[int, int, int]
    x: str | None


@lru_cache(maxsize=128)
def _compiled(
    core: Program, left_out: frozenset[str], kept: frozenset[str], *, has_large_steps: bool
) -> Compiled:
    if left_out:
        core = replace(core, lines=tuple(line for line in core.lines if line.name not in left_out))
    return Compiled(core, kept, is_reversed=True, has_large_steps=has_large_steps)


class BackwardEquations:
    """A block's backward pass, which serves every run of it.

    Attributes:
        derived: The equations.
        compiled: The lines that are vectors, as one function that begins at the last step.
        from_outside: The inputs that are gradients given from outside of the block, that of the output first.
    """

    def __init__(
        self,
        block: Block,
        rows: int,
        *,
        is_summed: bool,
        is_read_below: bool = True,
        given: Iterable[str] = (),
    ) -> None:
        self.rows = rows
        self._is_read_below = is_read_below
        self.derived: Backward = backward(
            block.program,
            block.output,
            rows=rows,
            is_summed=is_summed,
            constant=block.constant,
            given=given,
        )
        self.from_outside = (self.derived.above, *self.derived.given.values())
        self._inputs = tuple(block.program.inputs)
        self._kept_in = block.learnt_in
        self._parameters = frozenset(block.kept_in)
        self._shapes = {name: block.parameters[name].shape for name in self._kept_in}

    def block(self, forward: Block) -> Block:
        """The backward pass as a block to step through, under the key of the forward one."""
        return replace(forward, program=self.derived.program)

    @cached_property
    def gathered(self) -> Callable[[Mapping[str, Array]], dict[str, Array]]:
        """What reaches values of parameters alone, over however many rows and steps."""
        return straight(self.derived.gathered)

    @cached_property
    def fixed(self) -> Callable[[Mapping[str, Array]], dict[str, Array]]:
        """The forward values that are made of parameters alone."""
        return straight(self.derived.fixed)

    @cached_property
    def compiled(self) -> Compiled:
        """The vectors of a step as one fast function; made when it is first needed."""
        used = [_plainly(one) for uses in self.derived.contributions.values() for one in uses]
        kept = {plain[0] for plain in used if plain is not None and plain[0] in self.derived.core.by_name}
        kept |= {f"{D}{name}" for name in self._inputs} if self._is_read_below else set()
        core = self.derived.core
        # ∂x that nothing reads is derived where it is looked at
        ending = frozenset() if self._is_read_below else frozenset(f"{D}{name}" for name in self._inputs)
        largest = max((int(shape[0]) for shape in core.states.values()), default=0)
        has_large_steps = self.rows * largest >= LARGE
        return _compiled(core, ending, frozenset(kept), has_large_steps=has_large_steps)

    @cached_property
    def forward_names(self) -> tuple[str, ...]:
        """The forward values that the vectors and the parameters' shares read."""
        core = self.derived.core
        read = dict.fromkeys(name for name in core.inputs if name not in self.from_outside)
        for expression in self._expressions():
            read.update(dict.fromkeys(names_in(expression)))
        other = {
            *core.by_name,
            *self._parameters,
            *self.from_outside,
            *(line.name for line in self.derived.gathered),
        }
        return tuple(name for name in read if name not in other)

    def _expressions(self) -> Iterator[Expression]:
        for line in self.derived.gathered:
            yield line.expression
        for used in self.derived.contributions.values():
            yield from used

    def gradients(self, known: Mapping[str, Array], kept: Sequence[Array] = ()) -> dict[str, Array]:
        """Sum the shares of rows and steps, under torch's names and in its shapes.

        Args:
            known: every value that a share reads, (N, n) for N rows and steps, and the parameters.
            kept: what the compiled function gave, flattened in the same way; what lies side by side there is one product.
        """
        found: dict[str, Array] = {}
        sums: dict[tuple[object, ...], Array] = {}
        for torch, runs in self._plan.items() if kept else ():
            parts = []
            for run in runs:
                key = (run.columns, run.x)
                if key not in sums:  # both biases have the same share
                    index, a, b = run.columns
                    g = kept[index][..., a:b].reshape(-1, b - a)
                    sums[key] = g.sum(axis=0) if run.x is None else np.dot(g.T, known[run.x])
                parts.append(sums[key])
            found[torch] = parts[0] if len(parts) == 1 else np.concatenate(parts)
        rest = {where.torch for where in self._kept_in.values()} - found.keys()
        if rest:
            found.update(self._one_by_one(known, rest))
        return found

    def _one_by_one(self, known: Mapping[str, Array], names: set[str]) -> dict[str, Array]:
        """The same for parameters that are used in another way: each share as its equation says."""
        found: dict[str, list[tuple[Where, Array]]] = {}
        known = {**known, **self.gathered(known)}
        for part, where in self._kept_in.items():
            if where.torch not in names:
                continue
            dtype = next(iter(known.values())).dtype
            total: Array = np.zeros(self._shapes[part], dtype)
            for one in self.derived.contributions.get(part, ()):
                value = np.asarray(evaluate(one, known, Values(is_silenced=True)))
                total = total + value.reshape(self._shapes[part])
            found.setdefault(where.torch, []).append((where, total))
        return {name: joined_parts(parts) for name, parts in found.items()}

    def of_banks(self, known: Mapping[str, Array]) -> dict[str, Array]:
        """Sum what reaches each bank over the steps, (B, S, n).

        Args:
            known: every value that a share reads, (T, B, n); banks (B, S, n); and the parameters.
        """
        found = {}
        for name, shares in self.derived.of_banks.items():
            like = known[name]
            total: Array = np.zeros_like(like)
            for share in shares:
                total = total + _over_steps(share, known, like.shape)
            found[name] = total
        return found

    def split(self, gradients: Mapping[str, Array]) -> dict[str, Array]:
        """Give sums that are under torch's names the names by which the equations read them, each its rows."""
        program = self.derived.program
        befores = {state: program.before(state) for state in program.states}
        return {
            befores[f"{D}{part}"]: where.of(gradients[where.torch])
            for part, where in self._kept_in.items()
            if f"{D}{part}" in befores
        }

    def split_of_banks(self, gradients: Mapping[str, Array]) -> dict[str, Array]:
        """Give sums over steps the names by which the equations read them."""
        program = self.derived.program
        return {
            program.before(f"{D}{name}"): value
            for name, value in gradients.items()
            if f"{D}{name}" in program.states
        }

    @cached_property
    def has_plan_for_all(self) -> bool:
        """Whether all gradients come from what the compiled function gives."""
        return {where.torch for where in self._kept_in.values()} <= self._plan.keys()

    @cached_property
    def _plan(self) -> dict[str, tuple[ParameterRows, ...]]:
        """Torch's parameters whose parts are each used once, in a product or as a bias."""
        by_torch: dict[str, list[ParameterRows] | None] = {}
        columns = self.compiled.columns
        for part, where in self._kept_in.items():
            used = self.derived.contributions.get(part, ())
            runs = by_torch.setdefault(where.torch, [])
            plain = _plainly(used[0]) if len(used) == 1 else None
            is_kept = plain is not None and plain[0] in columns and plain[1] not in self.derived.core.by_name
            if runs is None or plain is None or not is_kept:
                by_torch[where.torch] = None
                continue
            runs.append(ParameterRows(where.start, where.stop, columns[plain[0]], plain[1]))
        return {name: _joined(runs) for name, runs in by_torch.items() if runs}


def _over_steps(share: Expression, known: Mapping[str, Array], shape: tuple[int, ...]) -> Array:
    """The sum of a bank's share over the steps, (B, S, n); of g vᵀ as one product a row."""
    match share:
        case Apply(op="products", args=(Name(id=g), Name(id=x))) if known[x].ndim == 3:
            return np.asarray(np.matmul(known[g].transpose(1, 2, 0), known[x].swapaxes(0, 1)))
    value = np.asarray(evaluate(share, known, Values(is_silenced=True)))
    return np.asarray(value.sum(axis=tuple(range(value.ndim - len(shape)))))


def _plainly(contribution: Expression) -> tuple[str, str | None] | None:
    """The names in `outer(∂hh, h_prev)`, or in `rows(∂hh)` and None; None for any other expression."""
    match contribution:
        case Apply(op="outer", args=(Name(id=g), Name(id=x))):
            return g, x
        case Apply(op="rows", args=(Name(id=g),)):
            return g, None
    return None


def _joined(runs: list[ParameterRows]) -> tuple[ParameterRows, ...]:
    """Join neighbours: rows that follow each other, of columns that do."""
    joined = [runs[0]]
    for before, after in pairwise(runs):
        last = joined[-1]
        (index, _, stop), (other, start, end) = last.columns, after.columns
        if index == other and stop == start and last.stop == after.start and before.x == after.x:
            joined[-1] = ParameterRows(last.start, after.stop, (index, last.columns[1], end), last.x)
        else:
            joined.append(after)
    return tuple(joined)
