"""The text of a plan as a Python function over numpy, and the function.

The text is made of our own names only (`g3`, `w0`): no word of a user's stands in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import numpy as np

from rnnstep.equations.operations import OPERATIONS, Array
from rnnstep.equations.plan import Group, Node, Plan
from rnnstep.equations.program import Program

ONE_ROW, ROWS = "one row", "rows"

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


@dataclass(frozen=True)
class Constant:
    """What a function takes beside inputs and states: numbers or stacked parameters."""

    nodes: tuple[Node, ...]
    is_transposed: bool = False  # for products with rows

    def stacked(self, values: Mapping[Node, Array], dtype: np.dtype[np.floating]) -> Array:
        """Give the values of the nodes as one array, one below the other; a number alone as 0-d."""
        with np.errstate(over="ignore"):
            parts = [np.asarray(values[node], dtype) for node in self.nodes]
        if len(parts) == 1 and parts[0].ndim == 0:
            return parts[0]  # which ufuncs take faster than a Python float
        stacked = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return np.ascontiguousarray(stacked.T if self.is_transposed else stacked)


@dataclass(frozen=True)
class Generated:
    """A function, the constants that it takes last, and its text."""

    function: FunctionType
    constants: tuple[Constant, ...]
    source: str


def generate(program: Program, plan: Plan, mode: str) -> Generated:
    """Write the function of a plan for arrays with a row axis (`ROWS`) or without (`ONE_ROW`)."""
    writer = _Writer(program, plan, has_rows=mode == ROWS)
    source = writer.write()
    scope: dict[str, Any] = dict(_NAMES)
    exec(compile(source, "<compiled equations>", "exec"), scope)  # noqa: S102 - made of our own names only
    return Generated(scope["run"], tuple(writer.constants), source)


def shared_buffers(plan: Plan) -> dict[Group, str]:
    """Name each group's array, letting a group be computed in place of an operand that nothing else reads."""
    buffer: dict[Group, str] = {}
    number = {group: index for index, group in enumerate(plan.groups)}
    for group in reversed(plan.groups):
        buffer.setdefault(group, f"g{number[group]}")
        if group.op not in OPERATIONS or OPERATIONS[group.op].kind != "elementwise":
            continue
        for position in range(len(group.members[0].args)):
            source = _replaced(plan, group, position)
            if source is not None and source not in buffer:
                buffer[source] = buffer[group]
                break
    return buffer


def _replaced(plan: Plan, group: Group, position: int) -> Group | None:
    """The group that is all of an operand of `group`, and of nothing else, or None."""
    operands = [member.args[position] for member in group.members]
    source = plan.group_of.get(operands[0])
    if source is None or source.members != operands or source.is_kept:
        return None
    is_read_here_only = all(set(operand.users) <= set(group.members) for operand in operands)
    fits = source.phase == group.phase and source.size == group.size
    return source if is_read_here_only and fits else None


class _Writer:
    """Writes the function: a head for all steps at once, and a loop over the steps."""

    def __init__(self, program: Program, plan: Plan, *, has_rows: bool) -> None:
        self._program = program
        self._plan = plan
        self._has_rows = has_rows
        self._inputs = {name: f"x{k}" for k, name in enumerate(program.inputs)}
        self._states = {f"{name}_prev": f"p{k}" for k, name in enumerate(program.states)}
        self._buffer = shared_buffers(plan)
        self._over_time = {
            self._buffer[group] for group in plan.groups if group.is_kept or group.phase == "static"
        }
        self._head: list[str] = []
        self._loop: list[str] = []
        self._walked: dict[str, str] = {}  # array or slice that the loop walks over → its name inside
        self.constants: list[Constant] = []

    def write(self) -> str:
        """Give the whole text."""
        self._allocate()
        for group in self._plan.groups:
            is_step = group.phase == "step"
            (self._loop if is_step else self._head).extend(self._computed(group, is_step=is_step))
        for name in self._program.states:
            value = self._operand([self._plan.lines[name]], is_step=True)
            self._loop.append(f"{self._states[f'{name}_prev']} = {value}")
        constants = (f"w{k}" for k in range(len(self.constants)))
        arguments = ", ".join([*self._inputs.values(), *self._states.values(), *constants])
        lines = [f"def run({arguments}):", *(f"    {line}" for line in self._head)]
        if self._program.states:
            lines.append(f"    for {', '.join(self._walked.values())}, in zip({', '.join(self._walked)}):")
            lines += [f"        {line}" for line in self._loop]
        kept = "".join(f"{self._buffer[group]}, " for group in self._plan.groups if group.is_kept)
        return "\n".join([*lines, f"    return ({kept})"])

    def _allocate(self) -> None:
        first = next(iter(self._inputs.values()))
        self._head.append(f"steps = len({first})")
        if self._has_rows:
            self._head.append(f"rows = {first}.shape[1]")
        self._head.append(f"dtype = {first}.dtype")
        rows = "rows, " if self._has_rows else ""
        for buffer, size in {self._buffer[group]: group.size for group in self._plan.groups}.items():
            steps = "steps, " if buffer in self._over_time else ""
            self._head.append(f"{buffer} = empty(({steps}{rows}{size},), dtype)")

    def _computed(self, group: Group, *, is_step: bool) -> list[str]:
        """The statements that compute a group."""
        out = self._buffer[group]
        if is_step and out in self._over_time:
            out = self._walk(out)
        if group.op == "matmul":
            return [self._product(group, out, is_step=is_step)]
        args = zip(*(member.args for member in group.members), strict=True)
        operands = [self._operand(list(nodes), is_step=is_step) for nodes in args]
        match group.op:
            case "pick":
                index = int(group.members[0].label)
                return [f"copyto({out}, {operands[0]}[..., {index}:{index + 1}])"]
            case "copy":
                return [f"copyto({out}, {operands[0]})"]
            case "sigmoid":
                return [
                    f"np_neg({operands[0]}, {out})",
                    f"np_exp({out}, {out})",
                    f"np_add({out}, {self._number(1.0)}, {out})",
                    f"reciprocal({out}, {out})",
                ]
            case "relu":
                return [f"maximum({operands[0]}, {self._number(0.0)}, out={out})"]
            case op if op in _UFUNCS:
                return [f"np_{op}({', '.join(operands)}, {out})"]
        return [f"copyto({out}, op_{group.op}({', '.join(operands)}))"]

    def _product(self, group: Group, out: str, *, is_step: bool) -> str:
        vector = self._operand([group.members[0].args[1]], is_step=is_step)
        matrices = tuple(member.args[0] for member in group.members)
        if is_step and not self._has_rows:
            weight = self._constant(Constant(matrices))
            self._once(f"dot_{weight} = {weight}.dot")
            return f"dot_{weight}({vector}, {out})"
        weight = self._constant(Constant(matrices, is_transposed=True))
        if self._has_rows and not is_step:  # all rows of all steps as one matrix: BLAS takes no more axes
            vector = f"{vector}.reshape(-1, {group.members[0].args[1].size})"
            out = f"{out}.reshape(-1, {group.size})"
        return f"dot({vector}, {weight}, {out})"

    def _operand(self, nodes: list[Node], *, is_step: bool) -> str:
        """The text that stands for nodes lying side by side."""
        node = nodes[0]
        match node.op:
            case "number":
                return self._constant(Constant((node,)))
            case "fixed":
                return self._constant(Constant(tuple(nodes)))
            case "previous":
                return self._states[node.label]
            case "input":
                name = self._inputs[node.label]
                return self._walk(name) if is_step else name
        group = self._plan.group_of[node]
        start = group.offset(node)
        stop = start + sum(member.size for member in nodes)
        buffer = name = self._buffer[group]
        if (start, stop) != (0, group.size):
            name = f"{buffer}_{start}_{stop}"
            self._once(f"{name} = {buffer}[..., {start}:{stop}]")
        return self._walk(name) if is_step and buffer in self._over_time else name

    def _once(self, line: str) -> None:
        """Put a line before the loop unless it stands there."""
        if line not in self._head:
            self._head.append(line)

    def _walk(self, name: str) -> str:
        return self._walked.setdefault(name, f"{name}_t")

    def _number(self, value: float) -> str:
        return self._constant(Constant((self._plan.number(value),)))

    def _constant(self, constant: Constant) -> str:
        if constant not in self.constants:
            self.constants.append(constant)
        return f"w{self.constants.index(constant)}"
