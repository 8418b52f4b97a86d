"""What every module says of itself: its options, its parameters and how torch draws them, its blocks, and torch's call of it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar

from rnnstep.equations.operations import Array
from rnnstep.network.blocks import Block
from rnnstep.network.wires import Wires

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Uniform:
    """Drawn evenly from −bound to bound."""

    bound: float


@dataclass(frozen=True, slots=True)
class Normal:
    """Drawn from the standard normal distribution, which torch alone does bit for bit."""


@dataclass(frozen=True, slots=True)
class Filled:
    """Not drawn: all numbers are the same."""

    value: float


@dataclass(frozen=True, slots=True)
class Parameter:
    """One of torch's parameters, and the parts that its rows fall into.

    Attributes:
        name: under which a scenario and a `state_dict` have it: "weight_ih_l0", "linear.bias".
        shape: in numbers.
        words: the same in words: "(4*hidden_size, input_size)".
        first: how torch's constructor fills it.
        parts: names of its parts, top to bottom: ("W_ii_l0", "W_if_l0", …); one part is the whole.
        rows: where each part stands.
        partner: the other bias that is added: "bias_hh_l0".
    """

    name: str
    shape: Shape
    words: str
    first: Uniform | Normal | Filled
    parts: tuple[str, ...]
    rows: tuple[slice, ...]
    partner: str | None = None

    @classmethod
    def whole(cls, name: str, shape: Shape, words: str, first: Uniform | Normal | Filled) -> Parameter:
        """A parameter that has no parts."""
        return cls(name, shape, words, first, (name,), (slice(0, shape[0] if shape else 1),))

    def part_shape(self, part: int | None) -> Shape:
        """Give the shape of a part, or of the whole for None."""
        if part is None:
            return self.shape
        rows = self.rows[part]
        return (rows.stop - rows.start, *self.shape[1:])

    def part_words(self, part: int | None) -> str:
        """Give the shape of a part, or of the whole for None, in words."""
        return self.words if part is None else re.sub(r"\d+\*", "", self.words, count=1)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a module stands in a network.

    Attributes:
        entering: the wires of what it reads.
        layer: of the recurrent module, on which it stands.
        is_learnt: whether there is a way back, which reads what functions gave.
    """

    entering: Wires
    layer: int = 0
    is_learnt: bool = False


class SizeMisfit(Exception):
    """An option that does not fit what enters.

    Attributes:
        option: its name.
        found: what it is.
        expected: what it must be.
    """

    def __init__(self, option: str, found: int, expected: int) -> None:
        super().__init__(f"{option} = {found}, not {expected}")
        self.option = option
        self.found = found
        self.expected = expected


class NetworkModule(ABC):
    """One of torch's modules with its options; a subclass is a frozen dataclass of them.

    Attributes:
        torch: the name of torch's class.
        derived: options that follow from the modules before, and are not written into a file.
        key: what places, parameters and torch's programs call it: "linear"; "" of the recurrent module.
    """

    torch: ClassVar[str] = ""
    derived: ClassVar[tuple[str, ...]] = ()
    key: str

    @property
    @abstractmethod
    def size(self) -> int:
        """How many numbers it gives at each step."""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters in the order in which torch's constructor makes and draws them."""
        return ()

    @property
    def reads_final_state(self) -> bool:
        """Whether it reads where each row ended, rather than every step."""
        return False

    @abstractmethod
    def blocks(self, parameters: Mapping[str, Array], standing: Standing) -> list[Block]:
        """The blocks that it is made of, in order of computation; what the last one gives is what it gives.

        Args:
            parameters: of the whole network, under torch's names.
            standing: where it stands.
        """

    @property
    @abstractmethod
    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What torch's constructor is given: by position, and by name what is not torch's default."""

    @classmethod
    def on(cls, size: int, options: Mapping[str, Any], key: str) -> NetworkModule:
        """The module with these options on what gives `size` numbers at each step; what is left out follows from that.

        Raises:
            SizeMisfit: an option does not fit the size.
        """
        raise NotImplementedError

    @property
    def most_to_blame(self) -> str:
        """The option that makes it large."""
        return next(iter(self.written))

    @property
    def values_a_step(self) -> int:
        """How many numbers one step of one row leaves behind, what is read aside."""
        return self.size

    @property
    def written(self) -> dict[str, Any]:
        """The options as a file has them: those that are not torch's defaults."""
        return {
            one.metadata.get("written", one.name): getattr(self, one.name)
            for one in fields(self)  # type: ignore[arg-type]  # every module is a dataclass
            if one.name not in (*self.derived, "key")
            and (one.default is MISSING or getattr(self, one.name) != one.default)
        }
