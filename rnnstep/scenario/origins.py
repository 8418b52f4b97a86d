"""How the numbers of a scenario were given: drawn, read from a file, rounded, written out.

The numbers themselves are in the `Scenario`. What is here is for those who say or write where they come from: the page
of information, the PyTorch program, a saved file. A scenario made in memory has none of it: its numbers are given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.language import Text
from rnnstep.language.printable import printable

Nested = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Draw:
    """`numpy.random.default_rng(seed).standard_normal(shape)`."""

    shape: tuple[int, ...]
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Windows:
    """How one long series is cut into the rows of batches.

    Attributes:
        length: of each window, in steps.
        stride: from the beginning of one to that of the next.
        batch_size: how many windows a batch holds.
        pad: what the last ones are filled up with; None where only whole ones are taken.
        horizon: how many steps behind a value the one stands that is wanted of it; None where [target] says what is.
        carry: whether the series is cut into `batch_size` equal parts, so that row r of a batch goes on where that of the
            batch before ended.
    """

    length: int
    stride: int = 1
    batch_size: int = 1
    pad: float | None = 0.0
    horizon: int | None = None
    carry: bool = False

    def starts(self, count: int) -> Sequence[int]:
        """Where the windows of a series of so many values begin, batch by batch."""
        if self.carry:
            part, every = self.part(count), range(self.batch_size)
            return [row * part + start for start in self._starts_in_part(count) for row in every]
        if self.pad is not None:
            return range(0, count, self.stride)
        return range(0, max(0, count - self.length - (self.horizon or 0) + 1), self.stride)

    def part(self, count: int) -> int:
        """How many of so many values each row goes through; without `carry` no row goes on."""
        return count // self.batch_size if self.carry else count

    def end(self, count: int, start: int) -> int:
        """Where a window that begins at `start` ends, before what it is filled up with."""
        part = self.part(count)
        limit = (start // part + 1) * part if self.carry else count
        return min(start + self.length, limit)

    def _starts_in_part(self, count: int) -> range:
        """Where windows begin in the first of the equal parts."""
        part = self.part(count)
        if self.pad is not None:
            return range(0, part, self.length)
        behind_last = count - (self.batch_size - 1) * part - (self.horizon or 0)
        return range(0, min(part, behind_last) - self.length + 1, self.length)

    def left_over(self, count: int) -> int:
        """How many of so many values are in no window and wanted of none, with `carry`."""
        if not self.carry:
            return 0
        is_used = np.zeros(count, np.bool_)
        for start in self.starts(count):
            for later in {0, self.horizon or 0}:
                is_used[start + later : self.end(count, start) + later] = True
        return int(count - is_used.sum())


@dataclass(frozen=True, eq=False, slots=True)
class InputOrigin:
    """What x was made of.

    Attributes:
        draw: The random numbers that it is.
        file: The name of the file that holds it, from the scenario's folder.
        windows: How it was cut from a series.
        series: That series as it was written out, (N,) or (N, input_size).
    """

    draw: Draw | None = None
    file: str | None = None
    windows: Windows | None = None
    series: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True)
class RowsOrigin:
    """The CSV file of labelled rows, and how they became batches.

    Attributes:
        file: Its name, from the scenario's folder.
        text: The column of the texts.
        label: The column of the labels.
        test: The share of the rows that is kept apart.
        seed: Of the permutation that picks them.
        batch_size: Rows in a batch.
        shuffle: Whether the other rows stand in the permutation's order.
    """

    file: str
    text: str = "text"
    label: str = "label"
    test: float = 0.0
    seed: int = 0
    batch_size: int = 1
    shuffle: bool = False


@dataclass(frozen=True, slots=True)
class WeightsOrigin:
    """What the parameters were made of.

    Attributes:
        seed: That torch draws them from.
        round: To how many decimals what the seed gave was rounded.
        file: The name of their file, from the scenario's folder.
        prefixes: What stands in that file before the parameters of a module.
        arrays: The names of those that were written out.
    """

    seed: int | None = None
    round: int | None = None
    file: str | None = None
    prefixes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    arrays: tuple[str, ...] = ()

    @property
    def of_file(self) -> Text | None:
        """What a file of weights says, and what it does not: how its own program fed the model. None where there is no file."""
        if self.file is None:
            return None
        return Text(
            "Weights from {file}; input, first states, dropout and resets are this scenario's: a file of weights does not"
            " hold them.",
            file=printable(self.file),
        )


@dataclass(frozen=True, eq=False, slots=True)
class Origins:
    """How all of a scenario's numbers were given.

    Attributes:
        input: What x was made of.
        rows: The labelled rows that it was read from instead.
        weights: What the parameters were made of.
        cure: The keys that put the scenario right and their values, in tables: what [cure] says.
    """

    input: InputOrigin = field(default_factory=InputOrigin)
    rows: RowsOrigin | None = None
    weights: WeightsOrigin = field(default_factory=WeightsOrigin)
    cure: Nested = field(default_factory=lambda: MappingProxyType({}))

    def cured(self) -> Iterator[tuple[str, Any]]:
        """Each key of the cure under its dotted name, `training.lr`, with its value."""
        return _leaves(self.cure, "")


def _leaves(table: Nested, before: str) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def origins_of(data: Nested) -> Origins:
    """Find how the numbers are given in the data of a scenario's file in which there is no mistake."""
    rows = data.get("data")
    return Origins(
        _input_origin(data.get("input", {}), carry=carries(data)),
        None if rows is None else RowsOrigin(**rows),
        _weights_origin(data.get("weights", {})),
        MappingProxyType(data.get("cure", {})),
    )


def carries(data: Nested) -> bool:
    """Whether the data of a scenario's file has a module whose states go on from batch to batch."""
    layers = data.get("layers", [])
    return any(one.get("carry") is True for one in (data.get("recurrent", {}), *layers))


def _input_origin(table: Nested, *, carry: bool) -> InputOrigin:
    draw, windows = table.get("random"), table.get("windows")
    is_series = windows is not None and "values" in table
    return InputOrigin(
        None if draw is None else Draw(tuple(draw["shape"]), draw.get("seed", 0)),
        table.get("file"),
        None if windows is None else _windows_of(windows, carry=carry),
        np.asarray(table["values"], np.float64) if is_series else None,
    )


def _windows_of(table: Nested, *, carry: bool) -> Windows:
    are_whole = table.get("pad", not carry) is False or "horizon" in table
    pad = None if are_whole else table.get("pad", 0.0)
    stride = table["length"] if carry else table.get("stride", 1)
    return Windows(**{**table, "pad": pad, "stride": stride, "carry": carry})


def _weights_origin(table: Nested) -> WeightsOrigin:
    sources = ("seed", "round", "file", "prefix")
    return WeightsOrigin(
        table.get("seed"),
        table.get("round"),
        table.get("file"),
        MappingProxyType(dict(table.get("prefix", {}))),
        tuple(key for key in table if key not in sources),
    )
