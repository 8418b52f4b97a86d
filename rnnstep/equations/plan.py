"""From a program's trees to groups of equal operations that can be done at once.

Equal subtrees become one node. A node is `fixed` (of parameters alone), `static` (of
inputs too: computed for all steps at once, before the loop), of a `step` (it reads a
state), or comes `after` (no state needs it: for all steps at once, after the loop). Nodes of
the same operation on operands that lie side by side form a group (`grouping`): the four
products of an LSTM with `h_prev` are one product over stacked weights, its three sigmoids one
sigmoid. Nothing is re-associated: an element of a group is computed by the operations of its
equation, in their order.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

import numpy as np

from rnnstep.equations.evaluate import Values
from rnnstep.equations.grouping import grouped, homes
from rnnstep.equations.nodes import PHASES, Group, Home, Node
from rnnstep.equations.operations import OPERATIONS, Array
from rnnstep.equations.program import Program, infer
from rnnstep.equations.syntax import Apply, Expression, Name, Number, Pick


@dataclass(eq=False)
class Plan:
    """The groups in an order of computation, and where each line's value lies."""

    groups: list[Group]
    lines: Mapping[str, Node]
    kept: tuple[str, ...]  # lines that are stored; the others are derived from them
    fixed: list[Node]  # in an order of computation
    group_of: Mapping[Node, Group]
    home_of: Mapping[Group, Home]

    @property
    def kept_places(self) -> list[Group]:
        """The kept groups, one for each array that is given back: a home is one."""
        found: dict[object, Group] = {}
        for group in self.groups:
            if group.is_kept:
                found.setdefault(self.home_of.get(group, group), group)
        return list(found.values())

    def number(self, value: float) -> Node:
        """The node of a number, one that no equation holds included."""
        for node in self.fixed:
            if node.op == "number" and repr(node.value) == repr(value):
                return node
        made = _number(value)
        self.fixed.append(made)
        return made


def plan(program: Program, keep: Container[str] = (), *, has_large_steps: bool = False) -> Plan:
    """Plan a program whose shapes are numbers; the lines of `keep` are stored whatever they are.

    With `has_large_steps` what is element by element waits for its step, where it is still in the cache.
    """
    graph = _Graph(program)
    kept = tuple(
        line.name
        for line in program.lines
        if line.name in program.states or line.name in keep or not _is_derived(line.expression)
    )
    _put_off(graph, program)
    if has_large_steps:
        _let_wait(graph, frozenset(graph.lines[name] for name in kept))
    groups, group_of = grouped(graph.nodes)
    for name in kept:
        node = graph.lines[name]
        if node in group_of:
            group_of[node].is_kept = True
    fixed = [node for node in graph.nodes if node.op in ("fixed", "number")]
    home_of = homes(groups, group_of, has_large_steps=has_large_steps)
    return Plan(groups, graph.lines, kept, fixed, group_of, home_of)


def _put_off(graph: _Graph, program: Program) -> None:
    """Find what no state needs: it comes after the loop, as it reads nothing that the loop overwrites."""
    needed: set[Node] = set()
    waiting = [graph.lines[name] for name in program.states]
    while waiting:
        node = waiting.pop()
        if node not in needed:
            needed.add(node)
            waiting += node.args
    for node in reversed(graph.nodes):
        reads_state = any(argument.op == "previous" for argument in node.args)
        is_free = node.phase == "step" and node.op != "previous" and node not in needed and not reads_state
        if is_free and all(user.phase == "after" for user in node.users):
            node.phase = "after"


def _let_wait(graph: _Graph, kept: frozenset[Node]) -> None:
    """Move what is static and element by element into the steps that read it, if nothing else does."""
    for node in reversed(graph.nodes):
        is_elementwise = node.op in OPERATIONS and OPERATIONS[node.op].kind == "elementwise"
        may_wait = node.phase == "static" and is_elementwise and node not in kept and bool(node.users)
        if may_wait and all(user.phase == "step" for user in node.users):
            node.phase = "step"


def fixed_values(
    nodes: list[Node], parameters: Mapping[str, Array], dtype: np.dtype[np.floating]
) -> dict[Node, Array]:
    """Compute what is made of parameters alone, in `dtype`."""
    values: dict[Node, Array] = {}
    reading = Values()
    for node in nodes:
        args = tuple(values[argument] for argument in node.fixed_args)
        if node.op == "number":
            values[node] = reading.number(node.value)
        elif not node.fixed_op:
            values[node] = np.asarray(parameters[node.label], dtype)
        elif node.fixed_op == "pick":
            values[node] = reading.pick(args[0], int(node.label))
        else:
            values[node] = reading.apply(node.fixed_op, args)
    return values


def _is_derived(expression: Expression) -> bool:
    """Whether a line is element by element of others, so that it need not be stored."""
    match expression:
        case Apply(op=op, args=args):
            return OPERATIONS[op].kind == "elementwise" and all(_is_derived(argument) for argument in args)
        case Pick(base=base):
            return _is_derived(base)
    return True


class _Graph:
    """All nodes of a program, equal ones made once, in an order of computation."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._made: dict[tuple[object, ...], Node] = {}
        self.nodes: list[Node] = []
        self.lines: dict[str, Node] = {}
        for line in program.lines:
            node = self._node(line.expression)
            if line.name in program.states and node.is_leaf:  # h = h_prev: a state is always stored
                node = self._make(("copy", line.name), Node("copy", (node,), node.size, "step", line.name))
            self.lines[line.name] = node

    def _node(self, expression: Expression) -> Node:
        match expression:
            case Number(value=value):
                return self._make(("number", repr(value)), _number(value))
            case Name(id=name):
                return self.lines.get(name) or self._leaf(name)
            case Pick(base=base, index=index):
                inner = self._node(base)
                return self._pick(inner, index % inner.size)
            case Apply(op=op, args=args):
                inner_nodes = tuple(self._node(argument) for argument in args)
                shape = infer(expression, self._program.shapes)
                return self._apply(op, inner_nodes, int(shape[0]) if shape else 0)

    def _pick(self, inner: Node, index: int) -> Node:
        key = ("pick", inner, index)
        if inner.phase == "fixed":
            return self._make(
                key, Node("fixed", (), 1, "fixed", str(index), fixed_op="pick", fixed_args=(inner,))
            )
        return self._make(key, Node("pick", (inner,), 1, inner.phase, str(index)))

    def _apply(self, op: str, args: tuple[Node, ...], size: int) -> Node:
        phase = max((node.phase for node in args), key=PHASES.index)
        if not size:  # of numbers alone
            value = float(Values().apply(op, tuple(Values().number(node.value) for node in args)))
            return self._make(("number", repr(value)), _number(value))
        if phase == "fixed":
            return self._make((op, *args), Node("fixed", (), size, "fixed", fixed_op=op, fixed_args=args))
        return self._make((op, *args), Node(op, args, size, phase))

    def _leaf(self, name: str) -> Node:
        size = int(self._program.shapes[name][0])
        if name in self._program.parameters:
            return self._make(("parameter", name), Node("fixed", (), size, "fixed", name))
        op = "input" if name in self._program.inputs else "previous"
        return self._make((op, name), Node(op, (), size, "static" if op == "input" else "step", name))

    def _make(self, key: tuple[object, ...], node: Node) -> Node:
        known = self._made.get(key)
        if known is not None:
            return known
        self._made[key] = node
        self.nodes.append(node)
        for argument in node.args:
            argument.users.append(node)
        return node


def _number(value: float) -> Node:
    return Node("number", (), 1, "fixed", value=value)
