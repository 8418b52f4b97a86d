"""Which module reads what, by their keys: what a file says of a network, before there are blocks and wires.

The engine makes wires of it, and torch's run has a resolver of its own, so that one mistake cannot be in both.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

Value = Literal["output", "h_n", "c_n", "last", "h_prev"]
FINAL: tuple[Value, ...] = ("h_n", "c_n", "last")
"""Those that a row has once: what is read of them belongs to no step."""
INPUT = "input"
"""The name of the first sequence."""


@dataclass(frozen=True, slots=True)
class ValueOf:
    """Where something comes from.

    Attributes:
        name: the key of a module, or the name of a sequence.
        value: of a module, which of its values: `output` at the same step; `h_n`, `c_n` of the last layer where each row
            ended; `last`, `output[-1]`: of all rows and both directions the same step; `h_prev`, fed back from the step before.
    """

    name: str
    value: Value = "output"

    def __str__(self) -> str:
        return self.name if self.value == "output" else f"{self.name}.{self.value}"


@dataclass(frozen=True, slots=True)
class Reads:
    """What a module reads.

    Attributes:
        inputs: in this order: joined, or as the module says of several.
        states: what its states are before the first step, "h" → the source.
        banks: what it reads whole, every step of it at each of its own: what attention looks at.
        begins: whether it gives another number of steps than it reads: it begins a sequence, which is named after it.
    """

    inputs: tuple[ValueOf, ...]
    states: Mapping[str, ValueOf] = field(default_factory=lambda: MappingProxyType({}))
    banks: tuple[ValueOf, ...] = ()
    begins: bool = False

    @property
    def sources(self) -> tuple[ValueOf, ...]:
        """All that it reads."""
        return (*self.inputs, *self.states.values(), *self.banks)


Wiring = Mapping[str, Reads]
"""What each module reads, by the module's key."""


def with_feeds(wiring: Wiring, feeds: Mapping[str, str]) -> Wiring:
    """Give the wiring in which who reads a sequence reads the module that feeds it, of the step before.

    Args:
        wiring: what each module reads.
        feeds: the key of the module that feeds a sequence, by the sequence.
    """

    def source(one: ValueOf) -> ValueOf:
        return ValueOf(feeds[one.name], "h_prev") if one.name in feeds else one

    if not feeds:
        return wiring
    return {
        key: replace(reads, inputs=tuple(map(source, reads.inputs)), banks=tuple(map(source, reads.banks)))
        for key, reads in wiring.items()
    }


def in_order(wiring: Wiring) -> list[str]:
    """Give the modules' keys so that each stands behind those that it reads; else as they are given.

    Those that run along one sequence stay together as far as may be: a sequence comes to its end before the next begins.
    Modules that read one another of the step before stand together.

    Raises:
        Circle: modules read one another without a step between.
    """
    order: list[str] = []
    waiting = dict.fromkeys(wiring)
    found = {name: reached(name, wiring) for name in wiring}
    loops = {name: {name} | _circle_of(name, found) for name in wiring}
    around = {name: {one for key in loops[name] for one in found[key]} - loops[name] for name in wiring}
    sequences = {name: sequence_of(name, wiring) for name in wiring}
    while waiting:
        ready = [name for name in waiting if waiting.keys().isdisjoint(around[name])]
        here = sequences[order[-1]] if order else ""
        chosen = next((name for name in ready if sequences[name] == here), ready[0])
        loop = [name for name in waiting if name in loops[chosen]]
        while loop:
            following = next((name for name in loop if not _before(name, wiring) & set(loop)), None)
            if following is None:
                raise Circle(_circle(loop, wiring))
            loop.remove(following)
            del waiting[following]
            order.append(following)
    return order


def loops(wiring: Wiring) -> list[tuple[str, ...]]:
    """Give the modules that read one another of the step before, or themselves, those of each circle as they are given."""
    every = {name: reached(name, wiring) for name in wiring}
    found = {name: tuple(one for one in wiring if one in _circle_of(name, every)) for name in wiring}
    return list(dict.fromkeys(one for one in found.values() if one))


def _circle_of(name: str, every: Mapping[str, set[str]]) -> set[str]:
    """The modules of the circle that one is in, itself among them; none where it is in none."""
    return {one for one in every[name] if name in every[one]}


def reached(name: str, wiring: Wiring) -> set[str]:
    """All modules that one stands on, of whatever step."""
    found: set[str] = set()
    new = {name}
    while new:
        new = {one.name for key in new for one in wiring[key].sources if one.name in wiring} - found
        found |= new
    return found


class Circle(Exception):
    """Modules that read one another at the same step.

    Attributes:
        keys: of the modules, each of which reads the next, and the last the first.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        super().__init__(" → ".join(keys))
        self.keys = tuple(keys)


def is_once(key: str, wiring: Wiring) -> bool:
    """Whether what a module gives belongs to no step: all that it reads is of final states."""
    waiting, seen = [key], {key}
    while waiting:
        name = waiting.pop()
        if name not in wiring:  # a sequence has steps
            return False
        for one in wiring[name].inputs:
            if one.value == "h_prev":
                return False
            if one.value not in FINAL and one.name not in seen:
                seen.add(one.name)
                waiting.append(one.name)
    return True


def sequence_of(key: str, wiring: Wiring) -> str:
    """Give the sequence whose steps a module runs along: its own where it begins one, else that of what it reads.

    Of several that have the same steps that is the last, which is computed last where a file has them in order; of several that
    have none the first.
    """
    waiting, seen = [key], set()
    while waiting:
        name = waiting.pop()
        if name not in wiring or wiring[name].begins:
            return name
        if name not in seen:  # else it is fed back to itself
            seen.add(name)
            waiting += [one.name for one in _stepped(name, wiring)]
    return INPUT


def sequences_read(key: str, wiring: Wiring) -> tuple[str, ...]:
    """Give the sequences whose steps what a module reads has, each once: more than one do not go together."""
    if key not in wiring:
        return (key,)
    return tuple(dict.fromkeys(sequence_of(one.name, wiring) for one in _stepped(key, wiring)))


def _stepped(key: str, wiring: Wiring) -> list[ValueOf]:
    """What a module reads that has steps; else the first that it reads."""
    sources = wiring[key].inputs
    return [one for one in sources if one.value not in FINAL and not is_once(one.name, wiring)] or list(
        sources[:1]
    )


def readers(name: str, wiring: Wiring) -> list[str]:
    """Give the modules that read a module or a sequence."""
    return [reader for reader, reads in wiring.items() if any(one.name == name for one in reads.sources)]


def sequence_read(key: str, wiring: Wiring) -> str:
    """Give the sequence whose steps a module reads: its own of all that begin none."""
    return sequences_read(key, wiring)[0] if wiring[key].begins else sequence_of(key, wiring)


def in_a_chain(values: Mapping[str, Value], begins: Collection[str] = ()) -> Wiring:
    """Give the wiring in which each module reads a value of the one before, by its own key; some begin a sequence."""
    found: dict[str, Reads] = {}
    before = INPUT
    for key, value in values.items():
        found[key] = Reads((ValueOf(before, value),), begins=key in begins)
        before = key
    return MappingProxyType(found)


def _before(name: str, wiring: Wiring) -> set[str]:
    """The modules that have to be computed before one."""
    return {one.name for one in wiring[name].sources if one.value != "h_prev" and one.name in wiring}


def _circle(waiting: Sequence[str], wiring: Wiring) -> list[str]:
    path = [waiting[0]]
    while True:
        following = next(name for name in waiting if name in _before(path[-1], wiring))
        if following in path:
            return path[path.index(following) :]
        path.append(following)
