"""What every module says of itself: its options, its parameters and how torch draws them, its blocks, and torch's call of it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rnnstep.cells.cell import CellWords
from rnnstep.equations.operations import Array
from rnnstep.equations.program import check
from rnnstep.equations.syntax import Expression, Line
from rnnstep.language import Text
from rnnstep.network.blocks import Block, whole
from rnnstep.network.description import FINAL, Value
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
        is_learnt: whether it has a gradient and updates; else it is what torch calls a buffer.
    """

    name: str
    shape: Shape
    words: str
    first: Uniform | Normal | Filled
    parts: tuple[str, ...]
    rows: tuple[slice, ...]
    partner: str | None = None
    is_learnt: bool = True

    @classmethod
    def whole(
        cls,
        name: str,
        shape: Shape,
        words: str,
        first: Uniform | Normal | Filled,
        *,
        is_learnt: bool = True,
    ) -> Parameter:
        """A parameter that has no parts."""
        rows = (slice(0, shape[0] if shape else 1),)
        return cls(name, shape, words, first, (name,), rows, is_learnt=is_learnt)

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
class Banks:
    """What a module reads whole, every step of it at each of its own.

    Attributes:
        wires: of each.
        steps: how many they have at most.
        is_padded: whether there are rows that have fewer; of what is of all rows, batches.
    """

    wires: tuple[Wires, ...]
    steps: int
    is_padded: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a module stands in a network.

    Attributes:
        entering: the wires of what it reads.
        layer: of the recurrent module, on which it stands.
        is_learnt: whether there is a backward pass, which reads what functions gave.
        reads: what the value that enters is called.
        gives: what the value that it gives is called: "x" where a recurrent module reads it, "logits" where nothing but a
            loss does, else "linear_out" of the module that is called linear.
        banks: what it reads whole; None of most.
    """

    entering: Wires
    layer: int = 0
    is_learnt: bool = False
    reads: str = "output"
    gives: str = "logits"
    banks: Banks | None = None


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


class OptionMisfit(Exception):
    """An option that does not go with others.

    Attributes:
        option: its name.
        expected: what it may be.
    """

    def __init__(self, option: str, expected: Text) -> None:
        super().__init__(option)
        self.option = option
        self.expected = expected


class SizeMissing(Exception):
    """An option that follows from nothing, and is not given.

    Attributes:
        option: its name.
    """

    def __init__(self, option: str) -> None:
        super().__init__(option)
        self.option = option


@dataclass(frozen=True, slots=True)
class DropoutMask:
    """What a block drops: each element with a probability.

    Attributes:
        key: that of the block.
        features: how many numbers it reads and gives.
        p: the probability of a zero.
    """

    key: str
    features: int
    p: float

    def drawn(
        self, generator: np.random.Generator, num_steps: int, num_rows: int, dtype: np.dtype[np.floating]
    ) -> NDArray[np.floating]:
        """Draw a mask, (T, B, n): 0 with probability p, else 1/(1 − p)."""
        shape = (num_steps, num_rows, self.features)
        if self.p >= 1:
            return np.zeros(shape, dtype)
        return np.asarray((generator.random(shape) >= self.p) / (1 - self.p), dtype)


@dataclass(frozen=True)
class Ties:
    """Parameters that are another module's.

    Attributes:
        tied: own name → the other's, as pairs: ("embed_y.weight", "embed.weight").
    """

    tied: tuple[tuple[str, str], ...] = field(default=(), kw_only=True)

    def kept_as(self, name: str) -> str:
        """The name of the parameter that one of the module's is: its own, or that of another module."""
        return dict(self.tied).get(name, name)


class NetworkModule(Ties, ABC):
    """One of torch's modules with its options; a subclass is a frozen dataclass of them.

    Attributes:
        torch: the name of torch's class.
        has_channels: whether torch's class takes a sequence as (N, C, L), its features as channels.
        reads_steps: whether one of its steps reads others of what enters.
        derived: options that follow from the modules before, and are not written into a file.
        gives: what the value that it gives is called, where it has a name of its own for it.
        joins: whether several inputs enter it side by side, as one; else each by itself.
        key: what places, parameters and torch's programs call it: "linear"; "" of the recurrent module.
    """

    torch: ClassVar[str] = ""
    gives: ClassVar[str] = ""
    derived: ClassVar[tuple[str, ...]] = ()
    has_channels: ClassVar[bool] = False
    joins: ClassVar[bool] = True
    reads_steps: ClassVar[bool] = False
    key: str

    @property
    def name(self) -> str:
        """What it is called among all modules: its key, or of the only recurrent one torch's name in lower case."""
        return self.key

    @property
    @abstractmethod
    def size(self) -> int:
        """How many numbers it gives at each step."""

    @property
    def changes_steps(self) -> bool:
        """Whether it gives another number of steps than it reads: then it begins a sequence."""
        return False

    def steps_given(self, num_steps: int) -> int:
        """How many steps it gives of so many; none or fewer where there are too few for one."""
        return num_steps

    def steps_in_words(self, num_steps: str) -> str:
        """The same as Python spells it of what is called `num_steps`."""
        return num_steps

    def step_without(self, num_steps: int) -> int | None:  # noqa: ARG002 - most can do
        """The first of its steps that reads none of so many, where it cannot do without; None where there is none."""
        return None

    def misfit(self, num_steps: int) -> OptionMisfit | None:  # noqa: ARG002 - most go with any
        """An option that does not go with so many steps; None where all do."""
        return None

    @property
    def given_by_step(self) -> tuple[str, ...]:
        """The names of inputs that it knows itself, a number for each of its steps."""
        return ()

    def at_each_step(self, name: str, num_steps: int) -> Array:
        """One of them, (T′,), where it reads so many steps."""
        raise NotImplementedError

    @property
    def reads_padding(self) -> bool:
        """Whether one of a row's steps may read what stands behind the row's last."""
        return False

    @property
    def reads_batch(self) -> bool:
        """Whether one of its steps reads all steps of all rows."""
        return False

    @property
    def moves(self) -> Mapping[str, str]:
        """The statistics that each batch moves, under torch's names, and the value of the batch that each moves by; none of most."""
        return MappingProxyType({})

    def moved(
        self, before: Mapping[str, Array], seen: Mapping[str, Array], count: int, batches: int
    ) -> dict[str, Array]:
        """Give the statistics after a batch, under torch's names.

        Args:
            before: those before it.
            seen: the values of the batch, (n,), by the names of `moves`.
            count: how many vectors it has.
            batches: how many batches there were before it.
        """
        raise NotImplementedError

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters in the order in which torch's constructor makes and draws them."""
        return ()

    @property
    def own_parameters(self) -> tuple[Parameter, ...]:
        """Those that are no other module's."""
        return tuple(one for one in self.parameters if self.kept_as(one.name) == one.name)

    @property
    def drawn(self) -> tuple[Parameter, ...]:
        """What torch's constructor makes and draws: its parameters, and those that it is not left with."""
        return self.parameters

    @property
    def value_read(self) -> Value:
        """Which value it reads of the module before it in a chain."""
        return "output"

    @property
    def reads_once(self) -> bool:
        """Whether that is of one step of each row, rather than of every step."""
        return self.value_read in FINAL

    @abstractmethod
    def blocks(self, parameters: Mapping[str, Array], standing: Standing) -> list[Block]:
        """The blocks that it is made of, in order of computation; what the last one gives is what it gives.

        Args:
            parameters: of the whole network, under torch's names.
            standing: where it stands.
        """

    def on_each_step(
        self,
        gives: Expression,
        parameters: Mapping[str, Array],
        standing: Standing,
        *,
        words: Text,
        about: Text,
    ) -> list[Block]:
        """One block of one line, for a module that gives as many numbers as it reads.

        Args:
            gives: what each step gives; it reads `standing.reads`, and the module's parameters under torch's names in it.
            parameters: of the whole network, under torch's names.
            standing: where the module stands.
            words: what is said of the line.
            about: what the module is, in a sentence.
        """
        own = {one.name.removeprefix(f"{self.key}."): one.name for one in self.parameters}
        numbers, kept_in = whole(own, parameters)
        shapes = {name: tuple(value.shape) for name, value in numbers.items()}
        return [
            Block(
                self.key,
                "map",
                standing.layer,
                "forward",
                check((Line(standing.gives, gives),), {standing.reads: (self.size,)}, {}, shapes),
                numbers,
                kept_in,
                wires={standing.reads: standing.entering},
                constant=tuple(
                    name for name, one in zip(own, self.parameters, strict=True) if not one.is_learnt
                ),
                words=CellWords({standing.gives: words}),
                about=about,
            )
        ]

    @property
    @abstractmethod
    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What torch's constructor is given: by position, and by name what is not torch's default."""

    @property
    def constructed(self) -> str:
        """How torch makes one, `Linear(3, 4)`; of a sum, of which torch has no module, `+`."""
        if not self.torch:
            return "+"
        places, names = self.arguments
        return f"{self.torch}({', '.join([*map(repr, places), *(f'{k}={v!r}' for k, v in names.items())])})"

    @classmethod
    def on(cls, size: int, options: Mapping[str, Any], key: str) -> NetworkModule:
        """The module with these options on what gives `size` numbers at each step; what is left out follows from that.

        Raises:
            SizeMisfit: an option does not fit the size.
            SizeMissing: an option follows from nothing.
        """
        raise NotImplementedError

    def in_mode(self, mode: str, dropout_seed: int) -> NetworkModule:  # noqa: ARG002 - most are the same in both
        """The module in evaluation or training mode: "eval" or "train"."""
        return self

    @property
    def is_put_in_eval(self) -> bool:
        """Whether torch's module has to be put in evaluation mode: in the other it would draw, or take other numbers."""
        return False

    @property
    def masks(self) -> tuple[DropoutMask, ...]:
        """What drops elements in it, in the order in which masks are drawn."""
        return ()

    @property
    def most_to_blame(self) -> str:
        """The option that makes it large."""
        return next(iter(self.written))

    @property
    def size_in_words(self) -> str:
        """The option that says how many numbers it gives."""
        return self.most_to_blame

    @property
    def values_a_step(self) -> int:
        """How many numbers one step of one row leaves behind, what is read aside."""
        return self.size

    @property
    def written(self) -> dict[str, Any]:
        """The options as a file has them: those that are not torch's defaults."""
        return {
            one.metadata.get("written", one.name): getattr(self, one.name)
            for one in fields(self)
            if one.name not in (*self.derived, "key", "tied")
            and (one.default is MISSING or getattr(self, one.name) != one.default)
        }
