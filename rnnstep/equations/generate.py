"""The text of a plan as a Python function over numpy, and the function.

The text is made of our own names only (`g3`, `w0`): no word of a user's stands in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

from rnnstep.equations.compile_lines import run_of
from rnnstep.equations.inner_values import bounds_of_part
from rnnstep.equations.nodes import Group, Home, Node
from rnnstep.equations.normalizing import layer_norm_into
from rnnstep.equations.operations import OPERATIONS, Array
from rnnstep.equations.plan import Plan
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
    "layer_norm_into": layer_norm_into,
    **{f"op_{name}": row.forward for name, row in OPERATIONS.items()},
}


@dataclass(frozen=True)
class Generated:
    """A function, the constants that it takes last, and its text."""

    function: FunctionType
    constants: tuple[Constant, ...]
    source: str


def generate(program: Program, plan: Plan, mode: str, *, is_reversed: bool = False) -> Generated:
    """Write the function of a plan for arrays with a row axis (`ROWS`) or without (`ONE_ROW`).

    With `is_reversed` it begins at the last step; the arrays stay in the order of the steps.
    """
    writer = _Writer(program, plan, has_rows=mode == ROWS, is_reversed=is_reversed)
    source = writer.write()
    return Generated(run_of(source, _NAMES), tuple(writer.constants), source)


class _Writer:
    """Writes the function: a head for all steps at once, and a loop over the steps."""

    def __init__(self, program: Program, plan: Plan, *, has_rows: bool, is_reversed: bool) -> None:
        self._turn = "[::-1]" if is_reversed else ""
        self._program = program
        self._plan = plan
        self._has_rows = has_rows
        self._inputs = {name: f"x{k}" for k, name in enumerate(program.inputs)}
        self._states = {name: f"p{k}" for k, name in enumerate(program.befores)}
        self._buffer = shared_buffers(plan)
        self._runs = self._neighbours()
        self._absorbed = {one for last, run in self._runs.items() for one in run if one is not last}
        self._over_time = self._stored()
        self._views: dict[Group, _Window] = {}
        for group in plan.groups:  # a part of a part after that
            if (window := self._seen_through(group)) is not None:
                self._views[group] = window
        self._head: list[str] = []
        self._loop: list[str] = []
        self._tail: list[str] = []
        self._walked: dict[str, str] = {}  # array or slice that the loop walks over → its name inside
        self.constants: list[Constant] = []

    def write(self) -> str:
        """Give the whole text."""
        self._allocate()
        parts = {"static": self._head, "step": self._loop, "after": self._tail}
        for group in self._plan.groups:
            if group not in self._absorbed and group not in self._views:
                parts[group.phase].extend(self._computed(group, is_step=group.phase == "step"))
        for name in self._program.states:
            value = self._operand([self._plan.lines[name]], is_step=True)
            self._loop.append(f"{self._states[self._program.before(name)]} = {value}")
        constants = (f"w{k}" for k in range(len(self.constants)))
        given = (f"{name}=None" for name in self._kept_arrays())
        arguments = ", ".join([*self._inputs.values(), *self._states.values(), *constants, *given])
        lines = [f"def run({arguments}):", *(f"    {line}" for line in self._head)]
        if self._program.states:
            arrays = ", ".join(name + self._turn for name in self._walked)
            lines.append(f"    for {', '.join(self._walked.values())}, in zip({arrays}):")
            lines += [f"        {line}" for line in self._loop]
        lines += [f"    {line}" for line in self._tail]
        kept = "".join(f"{name}, " for name in self._kept_arrays())
        return "\n".join([*lines, f"    return ({kept})"])

    def _kept_arrays(self) -> list[str]:
        """The arrays that are given back: a home whole."""
        homes = {group: home_name(self._plan, home) for group, home in self._plan.home_of.items()}
        return [homes.get(one, self._buffer[one]) for one in self._plan.kept_places]

    def _stored(self) -> set[str]:
        """The arrays that hold all steps: what is kept, what is computed outside of the loop, and what that reads."""
        stored: set[str] = set()
        for group in self._plan.groups:
            if group.is_kept or group.phase in ("static", "after"):
                stored.add(self._buffer[group])
            if group.phase == "after":
                read = (self._plan.group_of.get(node) for member in group.members for node in member.args)
                stored |= {self._buffer[one] for one in read if one is not None}
        for home in set(self._plan.home_of.values()):
            names = {self._buffer[group] for group in home.groups}
            stored |= names if names & stored else set()
        return stored

    def _allocate(self) -> None:
        first = next(iter(self._inputs.values()))
        self._head.append(f"steps = len({first})")
        if self._has_rows:
            self._head.append(f"rows = {first}.shape[1]")
        self._head.append(f"dtype = {first}.dtype")
        sizes = {self._buffer[group]: group.size for group in self._plan.groups if group not in self._views}
        for home in dict.fromkeys(self._plan.home_of.values()):
            name = home_name(self._plan, home)
            self._head.append(self._empty(name, home.size, self._buffer[home.groups[0]] in self._over_time))
            for group in home.groups:
                start = home.offset(group)
                place = self._buffer[group]
                self._head.append(f"{place} = {name}[..., {start}:{start + group.size}]")
                del sizes[place]
        for buffer, size in sizes.items():
            self._head.append(self._empty(buffer, size, buffer in self._over_time))

    def _empty(self, name: str, size: int, is_over_time: bool) -> str:  # noqa: FBT001
        steps, rows = "steps, " if is_over_time else "", "rows, " if self._has_rows else ""
        given = f" if {name} is None else {name}" if name in self._kept_arrays() else ""
        return f"{name} = empty(({steps}{rows}{size},), dtype){given}"

    def _computed(self, group: Group, *, is_step: bool) -> list[str]:
        """The statements that compute a group, or a run of neighbours of one kind."""
        if group in self._runs:
            return [self._at_once(self._runs[group], is_step=is_step)]
        out = self._buffer[group]
        if is_step and out in self._over_time:
            out = self._walk(out)
        if group.op == "matmul":
            return [self._product(group, out, is_step=is_step)]
        if group.op == "pullback":
            return self._sum_of_products(group.members[0], out, is_step=is_step)
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
            case "layer_norm":
                return [f"layer_norm_into({', '.join(operands)}, {out})"]
            case "part" if (bounds := _bounds_of(group)) is not None:
                return [f"copyto({out}, {operands[0]}[..., {bounds[0]}:{bounds[1]}])"]
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

    def _neighbours(self) -> dict[Group, list[Group]]:
        """Homes whose groups are one operation on neighbours: the group that is computed last, and all of them."""
        found: dict[Group, list[Group]] = {}
        number = {group: index for index, group in enumerate(self._plan.groups)}
        for home in dict.fromkeys(self._plan.home_of.values()):
            run = home.groups
            if len({(one.op, one.phase) for one in run}) > 1 or run[0].op not in _UFUNCS:
                continue
            operands = zip(*(one.members[0].args for one in run), strict=True)
            last = max(run, key=number.__getitem__)
            users = [self._plan.group_of[user] for one in run for node in one.members for user in node.users]
            is_last = all(number[one] > number[last] for one in users)
            if not is_last or any(len(one.members) > 1 for one in run):
                continue
            if all(self._lie_beside(run, list(nodes)) for nodes in operands):
                found[last] = run
        return found

    def _lie_beside(self, run: list[Group], nodes: list[Node]) -> bool:
        """Whether operands lie as their results do: in the same places, or side by side in a home of their own."""
        groups = [self._plan.group_of.get(node) for node in nodes]
        if any(group is None for group in groups):
            return False
        if [self._buffer[one] for one in groups if one is not None] == [self._buffer[one] for one in run]:
            return True
        return all(self._is_beside(a, b) for a, b in pairwise(nodes))

    def _at_once(self, run: list[Group], *, is_step: bool) -> str:
        """One operation on a whole home."""
        out = self._side_by_side([one.members[0] for one in run], is_step=is_step)
        operands = []
        for nodes in zip(*(one.members[0].args for one in run), strict=True):
            is_in_place = all(
                self._buffer[self._plan.group_of[node]] == self._buffer[one]
                for node, one in zip(nodes, run, strict=True)
            )
            operands.append(out if is_in_place else self._side_by_side(list(nodes), is_step=is_step))
        return f"np_{run[0].op}({', '.join(operands)}, {out})"

    def _sum_of_products(self, node: Node, out: str, *, is_step: bool) -> list[str]:
        """One product for each run of vectors that lie side by side, added up."""
        runs: list[tuple[list[Node], list[Node]]] = []
        for matrix, vector in zip(node.args[::2], node.args[1::2], strict=True):
            if runs and self._is_beside(runs[-1][1][-1], vector):
                runs[-1][0].append(matrix)
                runs[-1][1].append(vector)
            else:
                runs.append(([matrix], [vector]))
        if not is_step and self._has_rows:
            out = f"{out}.reshape(-1, {node.size})"
        found = []
        for number, (matrices, vectors) in enumerate(runs):
            weight = self._constant(Constant(tuple(matrices)))
            operand = self._side_by_side(vectors, is_step=is_step)
            if not is_step and self._has_rows:
                operand = f"{operand}.reshape(-1, {sum(one.size for one in vectors)})"
            if number == 0:
                found.append(f"dot({operand}, {weight}, {out})")
            else:
                found.append(f"np_add({out}, dot({operand}, {weight}), {out})")
        return found

    def _is_beside(self, before: Node, after: Node) -> bool:
        first, second = (self._plan.group_of.get(node) for node in (before, after))
        if first is None or second is None:
            return False
        if first is second:
            return first.offset(after) == first.offset(before) + before.size
        home = self._plan.home_of.get(first)
        if home is None or self._plan.home_of.get(second) is not home:
            return False
        start = home.offset(first) + first.offset(before) + before.size
        return start == home.offset(second) + second.offset(after)

    def _side_by_side(self, nodes: list[Node], *, is_step: bool) -> str:
        """The text that stands for vectors lying side by side, in one group or at home in one array."""
        first = self._plan.group_of.get(nodes[0])
        if first is None or all(self._plan.group_of.get(node) is first for node in nodes):
            return self._operand(nodes, is_step=is_step)
        home = self._plan.home_of[first]
        name = home_name(self._plan, home)
        is_over_time = self._buffer[first] in self._over_time
        start = home.offset(first) + first.offset(nodes[0])
        stop = start + sum(node.size for node in nodes)
        if (start, stop) != (0, home.size):
            whole, name = name, f"{name}_{start}to{stop}"
            self._once(f"{name} = {whole}[..., {start}:{stop}]")
        return self._walk(name) if is_step and is_over_time else name

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
        if group in self._views:
            return self._view(group, is_step=is_step)
        start = group.offset(node)
        stop = start + sum(member.size for member in nodes)
        buffer = name = self._buffer[group]
        if (start, stop) != (0, group.size):
            name = f"{buffer}_{start}_{stop}"
            self._once(f"{name} = {buffer}[..., {start}:{stop}]")
        return self._walk(name) if is_step and buffer in self._over_time else name

    def _seen_through(self, group: Group) -> _Window | None:
        """The elements of another group's array that a part is, where it is read there; None where it has to be copied."""
        is_apart = not group.is_kept and group not in self._plan.home_of
        if group.op != "part" or not is_apart or (bounds := _bounds_of(group)) is None:
            return None
        base, first = self._plan.group_of.get(group.members[0].args[0]), 0
        if base in self._views:
            base, first, _ = self._views[base]
        if base is None or len(base.members) > 1 or base.phase != group.phase or base in self._plan.home_of:
            return None
        users = {self._plan.group_of.get(user) for user in group.members[0].users}
        is_read_after = any(user is not None and user.phase != group.phase for user in users)
        if group.phase == "step" and is_read_after and self._buffer[base] not in self._over_time:
            return None  # the array is written to at every step
        # What stands in the array at the end has to be the base's, from when it is computed on.
        *_, last = (one for one in self._plan.groups if self._buffer[one] == self._buffer[base])
        together = {one for run in self._runs.values() for one in run}
        is_read_alone = not users & together and all(user is None or len(user.members) == 1 for user in users)
        return _Window(base, first + bounds[0], first + bounds[1]) if last is base and is_read_alone else None

    def _view(self, group: Group, *, is_step: bool) -> str:
        """The text that stands for a part: a slice of the array that it is a part of, made once."""
        base, first, last = self._views[group]
        buffer = self._buffer[base]
        name = f"{buffer}_{first}_{last}"
        self._once(f"{name} = {buffer}[..., {first}:{last}]")
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


# ── the arrays that stand beside the inputs, and which groups share one ──────────────────────────


class _Window(NamedTuple):
    """Elements of a group's array: from `first` on, and before `last`."""

    group: Group
    first: int
    last: int


@dataclass(frozen=True)
class Constant:
    """What a function takes beside inputs and states: numbers or stacked parameters."""

    nodes: tuple[Node, ...]
    is_transposed: bool = False  # for products with rows

    def stacked(self, values: Mapping[Node, Array], dtype: np.dtype[np.floating]) -> Array:
        """Give the values of the nodes as one array, one below the other; a number alone as 0-d."""
        parts = [np.asarray(values[node], dtype) for node in self.nodes]
        if len(parts) == 1 and parts[0].ndim == 0:
            return parts[0]  # which ufuncs take faster than a Python float
        stacked = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return np.ascontiguousarray(stacked.T if self.is_transposed else stacked)


def shared_buffers(plan: Plan) -> dict[Group, str]:
    """Name each group's array, letting a group be computed in place of an operand that nothing else reads."""
    number = {group: index for index, group in enumerate(plan.groups)}
    buffer: dict[Group, str] = {group: _place_at_home(plan, group) for group in plan.home_of}
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


def home_name(plan: Plan, home: Home) -> str:
    """Name the array that several groups share."""
    return f"h{plan.groups.index(home.groups[0])}"


def _place_at_home(plan: Plan, group: Group) -> str:
    home = plan.home_of[group]
    start = home.offset(group)
    return f"{home_name(plan, home)}_{start}_{start + group.size}"


def _replaced(plan: Plan, group: Group, position: int) -> Group | None:
    """The group that is all of an operand of `group`, and of nothing else, or None."""
    operands = [member.args[position] for member in group.members]
    source = plan.group_of.get(operands[0])
    if source is None or source.members != operands or source.is_kept:
        return None
    is_read_here_only = all(set(operand.users) <= set(group.members) for operand in operands)
    fits = source.phase == group.phase and source.size == group.size
    return source if is_read_here_only and fits else None


def _bounds_of(group: Group) -> tuple[int, int] | None:
    """Where a part begins and ends, where that is known here: of one vector, by numbers."""
    if len(group.members) > 1:
        return None
    base, start, stop = group.members[0].args
    if start.op != "number" or stop.op != "number":
        return None
    return bounds_of_part(base.size, start.value, stop.value)
