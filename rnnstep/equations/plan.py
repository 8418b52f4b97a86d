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

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from rnnstep.equations.evaluate import Values
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


# ── which nodes one call computes, and which groups lie side by side in one array ────────────────


def grouped(nodes: list[Node]) -> tuple[list[Group], dict[Node, Group]]:
    """Gather nodes of one kind whose operands lie side by side, in an order of computation."""
    groups: list[Group] = []
    group_of: dict[Node, Group] = {}
    waiting: dict[Node, None] = dict.fromkeys(node for node in nodes if not node.is_leaf)
    while waiting:
        ready: defaultdict[tuple[object, ...], list[Node]] = defaultdict(list)
        for node in waiting:
            if all(argument not in waiting for argument in node.args):
                ready[_kind(node, group_of)].append(node)
        for alike in ready.values():
            for run in _runs(sorted(alike, key=lambda node: _place(node, group_of)), group_of):
                group = Group(run[0].op, run[0].phase, run)
                groups.append(group)
                group_of.update(dict.fromkeys(run, group))
        waiting = {node: None for node in waiting if node not in group_of}
    return groups, group_of


def _kind(node: Node, group_of: Mapping[Node, Group]) -> tuple[object, ...]:
    """What nodes must share to be computed at once."""
    if node.op == "matmul":
        return ("matmul", node.phase, node.args[1])
    if node.op in ("pick", "copy") or OPERATIONS[node.op].kind != "elementwise":
        return (node,)
    # An operand that all would share, or one of another size, does not lie side by side with itself.
    if any(argument.size != node.size or argument.op in ("input", "previous") for argument in node.args):
        return (node,)
    parts: list[object] = []
    for argument in node.args:
        if argument in group_of:
            parts.append(group_of[argument])
        else:
            parts.append("vector" if argument.op == "fixed" else argument)
    return (node.op, node.phase, *parts)


def _place(node: Node, group_of: Mapping[Node, Group]) -> tuple[object, ...]:
    """Where a node stands among its like: beside its operands, or by what becomes of it."""
    for argument in node.args:
        if argument in group_of:
            return (group_of[argument].offset(argument),)
    return (_future(node),)


def _future(node: Node, depth: int = 6) -> tuple[str, ...]:
    """The operations that a value goes through, so that what is used alike lies together."""
    if depth == 0 or not node.users:
        return ()
    return (*sorted({user.op for user in node.users}), *_future(node.users[0], depth - 1))


def _runs(nodes: list[Node], group_of: Mapping[Node, Group]) -> Iterator[list[Node]]:
    """Split nodes of one kind so that in each run every operand lies side by side."""
    run: list[Node] = []
    for node in nodes:
        if run:
            pairs = zip(run[-1].args, node.args, strict=True)
            if not all(_follows(before, after, group_of) for before, after in pairs):
                yield run
                run = []
        run.append(node)
    yield run


def _follows(before: Node, after: Node, group_of: Mapping[Node, Group]) -> bool:
    if before not in group_of:
        return True  # leaves: the same one, or parameters that are stacked
    group = group_of[before]
    return group_of.get(after) is group and group.offset(after) == group.offset(before) + before.size


def homes(groups: list[Group], group_of: Mapping[Node, Group], *, has_large_steps: bool) -> dict[Group, Home]:
    """Let the vectors of a sum of products lie side by side, so that it is one product."""
    found: dict[Group, Home] = {}
    sums = [group for group in groups if group.op == "pullback"]
    for group in sorted(sums, key=lambda one: PHASES.index(one.phase)):
        read = list(dict.fromkeys(group_of.get(node) for node in group.members[0].args[1::2]))
        alone = [one for one in read if one is not None and one not in found and one.op not in _PRODUCTS]
        if len(alone) == len(read) > 1:
            found.update(dict.fromkeys(alone, Home(alone)))
            if not has_large_steps:  # there a call costs little, and rows in pieces cost more
                found.update(_homes_of_operands(alone, group_of, found))
    return found


def _homes_of_operands(
    groups: list[Group], group_of: Mapping[Node, Group], taken: Container[Group]
) -> Iterator[tuple[Group, Home]]:
    """Let what neighbours of one kind read lie side by side too, so that they are one operation."""
    if (
        len({(group.op, group.phase) for group in groups}) > 1
        or OPERATIONS[groups[0].op].kind != "elementwise"
    ):
        return
    if any(node not in group_of for group in groups for node in group.members[0].args):
        return
    for position in range(len(groups[0].members[0].args)):
        read = [group_of.get(group.members[0].args[position]) for group in groups]
        alone = [one for one in read if one is not None and one not in taken and one.op not in _PRODUCTS]
        is_read_elsewhere = any(len(one.members[0].users) > 1 for one in alone)
        has_others = any(len(one.members) > 1 for one in (*alone, *groups))
        is_one_phase = len(set(alone)) == len(groups) and len({one.phase for one in alone}) == 1
        if not is_one_phase or has_others:
            continue
        if alone[0].phase != groups[0].phase or is_read_elsewhere or position:
            yield from dict.fromkeys(alone, Home(alone)).items()


_PRODUCTS = frozenset({"matmul", "pullback"})  # BLAS writes whole arrays only
