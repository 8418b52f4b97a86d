"""The arrays of a generated function: what stands beside its inputs, and which groups share a place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rnnstep.equations.nodes import Group, Home, Node
from rnnstep.equations.operations import OPERATIONS, Array
from rnnstep.equations.plan import Plan


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
