"""What a plan is made of: nodes, the groups that are computed at once, and the arrays that groups share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Phase = Literal["fixed", "static", "step", "after"]
PHASES: tuple[Phase, ...] = ("fixed", "static", "step", "after")


@dataclass(eq=False)
class Node:
    """One value: an operation on other nodes, or a leaf."""

    op: str  # of the table, or "input", "previous", "fixed", "number", "pick", "copy"
    args: tuple[Node, ...]
    size: int
    phase: Phase
    label: str = ""  # a leaf's name, a number's text, a pick's index
    value: float = 0.0
    fixed_op: str = ""  # of a fixed node: the operation that makes it, or "" for a parameter
    fixed_args: tuple[Node, ...] = ()
    users: list[Node] = field(default_factory=list)

    @property
    def is_leaf(self) -> bool:
        """Whether it is given rather than computed."""
        return self.op in ("input", "previous", "fixed", "number")


@dataclass(eq=False)
class Group:
    """Nodes that one call computes, side by side in one array of `size` columns."""

    op: str
    phase: Phase
    members: list[Node]
    size: int = 0
    is_kept: bool = False

    def __post_init__(self) -> None:
        self.size = sum(member.size for member in self.members)

    def offset(self, node: Node) -> int:
        """Where a member's columns start."""
        return sum(member.size for member in self.members[: self.members.index(node)])


@dataclass(eq=False)
class Home:
    """One array for several groups, side by side as a product reads them."""

    groups: list[Group]

    @property
    def size(self) -> int:
        """Its columns."""
        return sum(group.size for group in self.groups)

    def offset(self, group: Group) -> int:
        """Where a group's columns start."""
        return sum(one.size for one in self.groups[: self.groups.index(group)])
