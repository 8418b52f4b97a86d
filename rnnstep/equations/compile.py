"""A program as one Python function over numpy: the fast way to run a whole sequence.

The function is written from the plan, out of our own names only (`g3`, `w0`): no text of a
user's stands in it. It computes what does not read a state for all steps at once, then
loops over the steps, every result going into an array made beforehand. What it returns are
the lines that are kept; every other line is element by element of those, and
`Compiled.value` derives it on demand with the same operations, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from types import FunctionType
from typing import Any

import numpy as np

from rnnstep.equations.evaluate import Values, evaluate
from rnnstep.equations.operations import OPERATIONS, Array
from rnnstep.equations.plan import Group, Node, Plan, plan
from rnnstep.equations.program import Program
from rnnstep.equations.syntax import Expression, names_in

_UFUNCS = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "tanh": np.tanh,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "abs": np.absolute,
}
_NAMES: dict[str, Any] = {
    **{f"np_{name}": function for name, function in _UFUNCS.items()},
    "empty": np.empty,
    "dot": np.dot,
    "maximum": np.maximum,
    "reciprocal": np.reciprocal,
    "copyto": np.copyto,
    "zip": zip,
    **{f"op_{name}": row.forward for name, row in OPERATIONS.items()},
}
ONE_ROW, ROWS = "one row", "rows"


class Compiled:
    """A program with its functions for one row (arrays without a row axis) and for many.

    `run` gives for each kept group an array `(T, B, columns)`; `columns` says which columns of which
    array are a line's.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self._plan: Plan = plan(program)
        self.kept_groups = [group for group in self._plan.groups if group.is_kept]

    @cached_property
    def columns(self) -> Mapping[str, tuple[int, int, int]]:
        """For each kept line: the index of its array, its first column, and the one after its last."""
        found = {}
        for name in self._plan.kept:
            node = self._plan.lines[name]
            group = self._plan.group_of.get(node)
            if group is not None:
                start = group.offset(node)
                found[name] = (self.kept_groups.index(group), start, start + node.size)
        return found

    @cached_property
    def numbers_a_step(self) -> int:
        """How many numbers are kept for each row and step."""
        return sum(group.size for group in self.kept_groups)

    def prepare(self, parameters: Mapping[str, Array], dtype: np.dtype[np.floating], mode: str) -> tuple[Any, ...]:
        """Stack parameters as the function of `mode` takes them; done once for all runs."""
        return tuple(constant(parameters, dtype) for constant in self._written(mode)[1])

    def function(self, mode: str) -> FunctionType:
        """The function of `mode`: `(inputs…, states…, *prepared) -> kept arrays`."""
        return self._written(mode)[0]

    def source(self, mode: str = ROWS) -> str:
        """The text of the function, for those who want to see it."""
        return self._written(mode)[2]

    def _written(self, mode: str) -> tuple[FunctionType, list[Any], str]:
        return self._one_row if mode == ONE_ROW else self._rows

    @cached_property
    def _one_row(self) -> tuple[FunctionType, list[Any], str]:
        return _Writer(self.program, self._plan, has_rows=False).write()

    @cached_property
    def _rows(self) -> tuple[FunctionType, list[Any], str]:
        return _Writer(self.program, self._plan, has_rows=True).write()

    def derive(self, name: str, known: dict[str, Array]) -> Array:
        """Give a line from kept lines, states before, inputs and parameters in `known`, and put it there."""
        if name not in known:
            line = self.program.by_name[name]
            for needed in _names_of_lines(line.expression, self.program):
                self.derive(needed, known)
            known[name] = evaluate(line.expression, known, Values())
        return known[name]


def _names_of_lines(expression: Expression, program: Program) -> Sequence[str]:
    return [name for name in names_in(expression) if name in program.by_name]


class _Writer:
    """Writes the function of a plan, for arrays with a row axis or without."""

    def __init__(self, program: Program, planned: Plan, *, has_rows: bool) -> None:
        self._program = program
        self._plan = planned
        self._has_rows = has_rows
        self._constants: list[Any] = []
        self._head: list[str] = []
        self._loop: list[str] = []
        self._walked: dict[str, str] = {}  # array or slice that the loop walks over → its name inside
        self._slices: dict[tuple[str, int, int], str] = {}
        self._bound: dict[str, str] = {}
        self._number = {group: index for index, group in enumerate(planned.groups)}
        self._buffer = self._shared_buffers()
        self._states = {planned.lines[name]: name for name in program.states}

    def write(self) -> tuple[FunctionType, list[Any], str]:
        self._allocate()
        for group in self._plan.groups:
            if group.phase == "static":
                self._emit(group, self._head)
        for group in self._plan.groups:
            if group.phase == "step":
                self._emit(group, self._loop)
        for name in self._program.states:
            self._loop.append(f"p_{name} = {self._step_value(self._plan.lines[name])}")
        inputs = [f"x_{name}" for name in self._program.inputs]
        states = [f"p_{name}" for name in self._program.states]
        arguments = ", ".join([*inputs, *states, *(f"w{index}" for index in range(len(self._constants)))])
        kept = "".join(f"{self._buffer[group]}, " for group in self._plan.groups if group.is_kept)
        lines = [f"def run({arguments}):", *(f"    {line}" for line in self._head)]
        if self._program.states:
            lines.append(f"    for {', '.join(self._walked.values())}, in zip({', '.join(self._walked)}):")
            lines += [f"        {line}" for line in self._loop]
        lines.append(f"    return ({kept})")
        source = "\n".join(lines)
        scope: dict[str, Any] = dict(_NAMES)
        exec(compile(source, "<compiled equations>", "exec"), scope)  # noqa: S102 - written from our own names only
        return scope["run"], self._constants, source

    def _shared_buffers(self) -> dict[Group, str]:
        """Let a group be computed in place of an operand that nothing else reads."""
        buffer: dict[Group, str] = {}
        for group in reversed(self._plan.groups):
            buffer.setdefault(group, f"g{self._number[group]}")
            if group.op not in OPERATIONS or OPERATIONS[group.op].kind != "elementwise":
                continue
            for position in range(len(group.members[0].args)):
                operands = [member.args[position] for member in group.members]
                source = self._plan.group_of.get(operands[0])
                if (
                    source is not None
                    and source.members == operands
                    and source.phase == group.phase
                    and not source.is_kept
                    and source not in buffer
                    and all(set(operand.users) <= set(group.members) for operand in operands)
                    and source.size == group.size
                ):
                    buffer[source] = buffer[group]
                    break
        return buffer

    def _allocate(self) -> None:
        first = next(iter(self._program.inputs))
        self._head.append(f"steps = len(x_{first})")
        rows = "rows, " if self._has_rows else ""
        if self._has_rows:
            self._head.append(f"rows = x_{first}.shape[1]")
        self._head.append(f"dtype = x_{first}.dtype")
        made: dict[str, str] = {}
        for group in self._plan.groups:
            if group.phase == "fixed":
                continue
            over_time = group.is_kept or group.phase == "static"
            if over_time or self._buffer[group] not in made:
                shape = f"({'steps, ' if over_time else ''}{rows}{group.size},)"
                made[self._buffer[group]] = f"{self._buffer[group]} = empty({shape}, dtype)"
        self._over_time = {
            self._buffer[group] for group in self._plan.groups if group.is_kept or group.phase == "static"
        }
        self._head.extend(made.values())

    def _emit(self, group: Group, lines: list[str]) -> None:
        is_step = lines is self._loop
        out = self._walk(self._buffer[group]) if is_step and self._buffer[group] in self._over_time else self._buffer[group]
        if group.op == "matmul":
            lines.append(self._product(group, out, is_step=is_step))
            return
        arity = len(group.members[0].args)
        operands = [self._operand([member.args[k] for member in group.members], is_step=is_step) for k in range(arity)]
        joined = ", ".join(operands)
        if group.op == "pick":
            index = int(group.members[0].label)
            lines.append(f"copyto({out}, {operands[0]}[..., {index}:{index + 1}])")
        elif group.op == "copy":
            lines.append(f"copyto({out}, {operands[0]})")
        elif group.op == "sigmoid":
            one = self._constant(_number_constant(1.0))
            lines += [
                f"np_neg({operands[0]}, {out})",
                f"np_exp({out}, {out})",
                f"np_add({out}, {one}, {out})",
                f"reciprocal({out}, {out})",
            ]
        elif group.op == "relu":
            lines.append(f"maximum({operands[0]}, {self._constant(_number_constant(0.0))}, {out})")
        elif group.op in _UFUNCS:
            lines.append(f"np_{group.op}({joined}, {out})")
        else:
            lines.append(f"copyto({out}, op_{group.op}({joined}))")

    def _product(self, group: Group, out: str, *, is_step: bool) -> str:
        vector = self._operand([group.members[0].args[1]], is_step=is_step)
        matrices = [member.args[0] for member in group.members]
        if is_step and not self._has_rows:
            weight = self._constant(_stacked(matrices))
            bound = self._bound.setdefault(weight, f"dot_{weight}")
            if f"{bound} = {weight}.dot" not in self._head:
                self._head.append(f"{bound} = {weight}.dot")
            return f"{bound}({vector}, {out})"
        weight = self._constant(_stacked(matrices, is_transposed=True))
        if self._has_rows and not is_step:  # all rows of all steps as one matrix: BLAS takes no more axes
            vector, out = f"{vector}.reshape(-1, {group.members[0].args[1].size})", f"{out}.reshape(-1, {group.size})"
        return f"dot({vector}, {weight}, {out})"

    def _operand(self, nodes: list[Node], *, is_step: bool) -> str:
        """The text that stands for nodes lying side by side."""
        node = nodes[0]
        if node.op == "number":
            return self._constant(_number_constant(node.value))
        if node.op == "fixed":
            return self._constant(_stacked(nodes))
        if node.op == "previous":
            return f"p_{node.label.removesuffix('_prev')}"
        if node.op == "input":
            return self._walk(f"x_{node.label}") if is_step else f"x_{node.label}"
        group = self._plan.group_of[node]
        start = group.offset(node)
        stop = start + sum(member.size for member in nodes)
        return self._sliced(self._buffer[group], start, stop, group.size, is_step=is_step)

    def _sliced(self, buffer: str, start: int, stop: int, size: int, *, is_step: bool) -> str:
        name = buffer
        if (start, stop) != (0, size):
            name = self._slices.setdefault((buffer, start, stop), f"{buffer}_{start}_{stop}")
            line = f"{name} = {buffer}[..., {start}:{stop}]"
            if line not in self._head:
                self._head.append(line)
        return self._walk(name) if is_step and buffer in self._over_time else name

    def _walk(self, name: str) -> str:
        return self._walked.setdefault(name, f"{name}_t")

    def _step_value(self, node: Node) -> str:
        return self._operand([node], is_step=True)

    def _constant(self, make: Any) -> str:
        for index, known in enumerate(self._constants):
            if known == make:
                return f"w{index}"
        self._constants.append(make)
        return f"w{len(self._constants) - 1}"


class _number_constant:
    """A number of an equation as a 0-d array, which ufuncs take faster than a Python float."""

    def __init__(self, value: float) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _number_constant) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __call__(self, parameters: Mapping[str, Array], dtype: np.dtype[np.floating]) -> Array:
        return np.asarray(self._value, dtype)


class _stacked:
    """Fixed nodes as one array, one below the other; transposed for products with rows."""

    def __init__(self, nodes: list[Node], *, is_transposed: bool = False) -> None:
        self._nodes = nodes
        self._is_transposed = is_transposed

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _stacked)
            and other._nodes == self._nodes
            and other._is_transposed == self._is_transposed
        )

    def __hash__(self) -> int:
        return hash(tuple(map(id, self._nodes)))

    def __call__(self, parameters: Mapping[str, Array], dtype: np.dtype[np.floating]) -> Array:
        parts = [np.asarray(evaluate(node.fixed, parameters, Values()), dtype) for node in self._nodes if node.fixed]
        stacked = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return np.ascontiguousarray(stacked.T if self._is_transposed else stacked)
