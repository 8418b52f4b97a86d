"""The modules that a file describes, before there are weights, and which of them is compared with what is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from rnnstep.modules.module import NetworkModule
from rnnstep.modules.recurrent import Recurrent
from rnnstep.network.description import Wiring, is_once, reached, sequence_of
from rnnstep.scenario.model import wired_in_a_chain


@dataclass(frozen=True)
class Described:
    """The modules that the data passes through, and what each reads.

    Attributes:
        layers: in the file's order.
        wires: what each reads; None in a chain.
        scored: the name of the layer whose output is compared with what is wanted; without one the last.
    """

    layers: tuple[NetworkModule, ...]
    wires: Wiring | None = None
    scored: str = ""

    @property
    def names(self) -> Mapping[str, str]:
        """The key of what a layer gives, by the layer's name: where something is added, that of the sum."""
        return {one.name.removesuffix(".add"): one.key for one in self.layers}

    @cached_property
    def top(self) -> NetworkModule:
        """The module whose output is compared with what is wanted."""
        key = self.names.get(self.scored)
        return next((one for one in self.layers if one.key == key), self.layers[-1])

    @property
    def wiring(self) -> Wiring:
        """What each reads."""
        return wired_in_a_chain(self.layers) if self.wires is None else self.wires

    @property
    def recurrents(self) -> list[Recurrent]:
        """The recurrent modules, in the file's order."""
        return [layer for layer in self.layers if isinstance(layer, Recurrent)]

    @property
    def last_recurrent(self) -> Recurrent | None:
        """The last recurrent module that what is compared stands on, or that is compared itself."""
        below = reached(self.top.key, self.wiring) | {self.top.key}
        return next((one for one in reversed(self.recurrents) if one.key in below), None)

    @property
    def batch_first(self) -> bool:
        """Whether torch is given rows before steps."""
        return any(one.batch_first for one in self.recurrents)

    @property
    def scored_sequence(self) -> str:
        """The sequence whose steps the one that is compared runs along."""
        return sequence_of(self.top.key, self.wiring)

    @property
    def has_one_a_row(self) -> bool:
        """Whether the one that is compared gives something once a row."""
        return self.top.reads_once if self.wires is None else is_once(self.top.key, self.wires)
