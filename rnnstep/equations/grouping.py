"""Which nodes one call computes, and which groups lie side by side in one array."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping

from rnnstep.equations.nodes import PHASES, Group, Home, Node
from rnnstep.equations.operations import OPERATIONS


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
