"""One file being read: its text, its data, and every mistake found in it so far.

Readers ask a `Table` for a key and get a value of the right kind or None; what
is wrong is noted with its place and reading goes on, so that all mistakes of a
file are told at once by `Document.finish`.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnnstep.errors import Problem, ScenarioError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.scenario.keys import closest
from rnnstep.scenario.positions import line_and_column, offsets
from rnnstep.scenario.table import Place, Table, shown

MOST_PROBLEMS = 100  # told of one file; a broken generated file may hold millions


@dataclass(frozen=True, slots=True)
class Limits:
    """What a file may ask for: `memory` in bytes, and files outside of its own folder."""

    memory: int = 4 << 30
    allow_outside: bool = False


class Document:
    """One file being read; collects every `Problem`.

    Attributes:
        path: How the file is called in messages.
        folder: Where the files named in it are looked for.
        text: The whole text, without a byte order mark.
        data: What `parse_toml` made of it.
        limits: What it may ask for.
        problems: The mistakes found so far.
    """

    def __init__(self, path: str, folder: Path, text: str, data: dict[str, Any], limits: Limits) -> None:
        self.path = printable(path)
        self.folder = folder
        self.text = text
        self.data = data
        self.limits = limits
        self.problems: list[Problem] = []

    @property
    def root(self) -> Table:
        """The keys that stand above all tables."""
        return Table(self, (), self.data)

    @functools.cached_property
    def _outline(self) -> Mapping[Place, int]:
        return offsets(self.text, with_elements=False)

    @functools.cached_property
    def _offsets(self) -> Mapping[Place, int]:
        return offsets(self.text)

    def offset(self, place: Place) -> int:
        """Give the offset in `text` of `place`, or of the nearest known place that holds it."""
        is_below_array = any(isinstance(part, int) for part in place)
        known = self._offsets if is_below_array else self._outline
        while place and place not in known:
            place = place[:-1]
        return known.get(place, 0)

    def position(self, place: Place) -> tuple[int, int]:
        """Give line and column, from 1, of `place` or of the nearest known place that holds it."""
        return line_and_column(self.text, self.offset(place))

    @property
    def is_full(self) -> bool:
        """Whether so many mistakes were found that no more are noted."""
        return len(self.problems) > MOST_PROBLEMS

    def problem(self, place: Place, message: Text, *, position: tuple[int, int] | None = None) -> None:
        """Note a mistake at `place`, or at a line and column known otherwise."""
        if self.is_full:
            return
        line, column = position or self.position(place)
        problem = Problem(self.path, line, column, _safe(message))
        if problem not in self.problems:
            self.problems.append(problem)

    def table(self, name: str) -> Table | None:
        """Give the table `[name]`, or None if it is absent or not a table (a problem)."""
        return self.root.table(name)

    def has_problem(self, *place: str | int) -> bool:
        """Whether a mistake was noted at exactly the line and column of `place`."""
        at = self.position(place)
        return any((problem.line, problem.column) == at for problem in self.problems)

    def finish(self) -> None:
        """Do nothing if the file is fine.

        Raises:
            ScenarioError: Holding all problems, in the order of the file.
        """
        if not self.problems:
            return
        found = sorted(self.problems, key=lambda problem: (problem.line, problem.column))
        if len(found) > MOST_PROBLEMS:
            last = found.pop()
            more = Text("more than {count} problems; the others are not told", count=MOST_PROBLEMS)
            found.append(Problem(last.path, last.line, last.column, more))
        raise ScenarioError(tuple(found))


def _safe(message: Text) -> Text:
    """Give the message with the control characters of its values escaped."""
    values = {name: _safe_value(value) for name, value in message.values.items()}
    return Text(message.template, **values)


def _safe_value(value: object) -> object:
    if isinstance(value, Text):
        return _safe(value)
    return printable(value) if isinstance(value, str) else value


def outside(document: Document, place: Place, filename: str) -> Path | None:
    """Give the path of a file that a scenario names, or None with a problem noted.

    Refused, unless `allow_outside`, is what is not in the scenario's own folder:
    an absolute name, one that climbs out, and one that a link leads out. The
    file must be there and be a plain file (a pipe could block for ever).
    """
    key = place[-1]
    if not filename or "\0" in filename:
        document.problem(
            place, Text("`{key}`: {filename} is no file name", key=key, filename=shown(filename))
        )
        return None
    named = document.folder / filename
    try:
        path = named.resolve()
        own = document.folder.resolve()
        is_file = path.is_file()
    except (OSError, RuntimeError, ValueError):
        path, own, is_file = named, named, False
    if not document.limits.allow_outside and _leads_out(filename, path, own):
        document.problem(
            place,
            Text(
                "`{key}`: {filename} lies outside the scenario's own folder; pass --allow-outside to read it",
                key=key,
                filename=shown(filename),
            ),
        )
        return None
    if not is_file:
        document.problem(place, _no_file(key, filename, named))
        return None
    return path


def _leads_out(filename: str, path: Path, own: Path) -> bool:
    lexical = os.path.normpath(filename)
    climbs = lexical == os.pardir or lexical.startswith(os.pardir + os.sep)
    return Path(filename).is_absolute() or climbs or not path.is_relative_to(own)


def _no_file(key: str | int, filename: str, named: Path) -> Text:
    try:
        others = [entry.name for entry in named.parent.iterdir()] if named.parent.is_dir() else []
    except OSError:
        others = []
    guess = closest(named.name, others)
    if guess is None or guess == named.name:
        return Text("`{key}`: there is no file {filename}", key=key, filename=shown(filename))
    return Text(
        "`{key}`: there is no file {filename}; did you mean {guess}?",
        key=key,
        filename=shown(filename),
        guess=shown(guess),
    )


def gibibytes(size: int) -> str:
    """Give a number of bytes in GiB, as people write it: 0.25, 12.5, 1.2e+09."""
    if size.bit_length() > 200:
        return "> 1e+50"
    return f"{size / 2**30:.3g}"


def check_memory(document: Document, place: Place, shape: tuple[int, ...], itemsize: int) -> bool:
    """Whether an array of `shape` may be made; notes a problem with size and limit if not."""
    size = itemsize
    for length in shape:
        size *= max(length, 1)
    if size <= document.limits.memory:
        return True
    document.problem(
        place,
        Text(
            "`{key}`: an array of shape {shape} takes {size} GiB, more than the limit of {limit} GiB"
            " (--memory-limit)",
            key=place[-1] if place else "",
            shape=shown_shape(shape),
            size=gibibytes(size),
            limit=gibibytes(document.limits.memory),
        ),
    )
    return False


def shown_shape(shape: tuple[int, ...]) -> str:
    """Give a shape as torch prints it, (5, 1, 4), cut where it has very many axes."""
    lengths = [str(length) if length.bit_length() < 100 else "…" for length in shape[:8]]
    if len(shape) > 8:
        lengths.append("…")
    return f"({lengths[0]},)" if len(lengths) == 1 else f"({', '.join(lengths)})"
