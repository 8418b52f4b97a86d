"""One file being read: its text, its data, and every mistake found in it so far.

Readers ask a `Table`, which knows where everything stands, for a key and get a value of the right kind or None; what
is wrong is noted with its place and reading goes on, so that all mistakes of a file are told at once by
`Document.finish`.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnnstep.errors import Problem, ScenarioError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.scenario.file.arrays import Array, Misfit, array_of
from rnnstep.scenario.file.positions import line_and_column, offsets
from rnnstep.scenario.keys import KEYS, closest, table_of

KeyPath = tuple[str | int, ...]
LARGEST = 2**63 - 1  # of a whole number, torch's int64; what is too large to hold is told in GiB


class Table:
    """One table: a value of the asked kind for a key, or its default with a problem noted.

    A key that is absent gives its default, and so does one whose value is wrong.
    """

    def __init__(self, document: Document, place: KeyPath, data: dict[str, Any]) -> None:
        self.document = document
        self.place = place
        self._data = data

    @property
    def name(self) -> str:
        """How the table is called: "recurrent", "input.windows", "" for the top."""
        return ".".join(str(part) for part in self.place)

    @property
    def _kind(self) -> str:
        """Whose keys it has: one below a sequence, [input.NAME.windows], those of the same below [input]."""
        is_of_sequence = len(self.place) > 2 and self.place[0] == "input"
        return f"input.{self.place[-1]}" if is_of_sequence else self.name

    def keys(self) -> tuple[str, ...]:
        """Give the keys in the order of the file."""
        return tuple(self._data)

    def has(self, key: str) -> bool:
        """Whether the key is there, with whatever value."""
        return key in self._data

    def raw(self, key: str) -> Any:
        """Give what the file says, unchecked; None if absent."""
        return self._data.get(key)

    def only(self, keys: Iterable[str]) -> Table:
        """Give the same table as if it held no other keys."""
        allowed = set(keys)
        kept = {key: value for key, value in self._data.items() if key in allowed}
        return Table(self.document, self.place, kept)

    def problem(self, key: str | KeyPath, message: Text) -> None:
        """Note a mistake at a key of this table, or at a place below it."""
        below = (key,) if isinstance(key, str) else key
        self.document.problem((*self.place, *below), message)

    def known(self, *keys: str) -> None:
        """Report every other key; without arguments the list of `keys.KEYS` holds."""
        allowed = keys or KEYS[self._kind]
        for key in self._data:
            if key not in allowed and not self.document.is_full:
                self.unknown(key, allowed)

    def unknown(self, key: str, allowed: Sequence[str]) -> None:
        """Report a key that has no meaning here, with what it may have been meant to be."""
        guess = closest(key, allowed)
        other = table_of(key, but=self._kind)
        if guess is not None:
            message = Text("`{key}`: unknown key; did you mean `{guess}`?", key=_cut(key), guess=guess)
        elif other is not None:
            message = Text("`{key}`: unknown key here; it belongs in [{table}]", key=_cut(key), table=other)
        else:
            message = Text("`{key}`: unknown key; known are {known}", key=_cut(key), known=listed(allowed))
        self.problem(key, message)

    def lacks(self, *keys: str, named: Container[str] = ()) -> bool:
        """Whether none of `keys` is there, nor one that was meant to be one of them; what is `named` so is none."""
        known = KEYS.get(self._kind, ())
        meant = (key if key in known else closest(key, known) for key in self._data if key not in named)
        return not any(key in keys for key in meant)

    def missing(self, key: str, expected: Text) -> None:
        """Note that a key which must be there is not, unless one is there that was meant to be it."""
        if self.lacks(key):
            message = Text("`{key}` is missing: expected {expected}", key=key, expected=expected)
            self.document.problem(self.place, message)

    def wrong(self, key: str, expected: Text) -> None:
        """Note that the key's value is not what was expected."""
        found = shown(self._data[key])
        self.problem(
            key, Text("`{key}`: found {found}, expected {expected}", key=key, found=found, expected=expected)
        )

    def integer(
        self,
        key: str,
        default: int | None = None,
        *,
        minimum: int | None = None,
        maximum: int = LARGEST,
    ) -> int | None:
        """Give a whole number from `minimum` to `maximum`."""
        if key not in self._data:
            return default
        value = self._data[key]
        expected = _whole_number(minimum, maximum)
        if isinstance(value, int) and not isinstance(value, bool):
            if (-LARGEST if minimum is None else minimum) <= value <= maximum:
                return value
        elif isinstance(value, float) and value.is_integer() and abs(value) < LARGEST:
            expected = Text("{expected}: write {value}", expected=expected, value=int(value))
        self.wrong(key, expected)
        return default

    def number(
        self,
        key: str,
        default: float | None = None,
        *,
        minimum: float | None = None,
        maximum: float | None = None,
        below: float | None = None,
        above: float | None = None,
        finite: bool = True,
    ) -> float | None:
        """Give a number in a range; `above` and `below` are ends that do not belong to it."""
        if key not in self._data:
            return default
        value = as_float(self._data[key])
        inside = value is not None and (not finite or math.isfinite(value))
        if inside and value is not None:
            inside = (
                (minimum is None or value >= minimum)
                and (maximum is None or value <= maximum)
                and (below is None or value < below)
                and (above is None or value > above)
            )
        if inside:
            return value
        ends = (("≥", minimum), (">", above), ("≤", maximum), ("<", below))
        named = ", ".join(f"{sign} {end:g}" for sign, end in ends if end is not None)
        self.wrong(key, Text("a number {range}", range=named) if named else Text("a number"))
        return default

    def boolean(self, key: str, default: bool | None = None) -> bool | None:  # noqa: FBT001  # like its kin
        """Give true or false."""
        if key not in self._data:
            return default
        value = self._data[key]
        if isinstance(value, bool):
            return value
        self.wrong(key, Text("true or false"))
        return default

    def string(self, key: str, default: str | None = None) -> str | None:
        """Give a string, as it stands: `printable` before it is shown."""
        if key not in self._data:
            return default
        value = self._data[key]
        if isinstance(value, str):
            return value
        self.wrong(key, Text("a string"))
        return default

    def choice(self, key: str, choices: Iterable[str], default: str | None = None) -> str | None:
        """Give one of some strings."""
        if key not in self._data:
            return default
        value, known = self._data[key], tuple(choices)
        if isinstance(value, str) and value in known:
            return value
        expected = Text("one of {choices}", choices=", ".join(f'"{choice}"' for choice in known))
        guess = closest(value, known) if isinstance(value, str) else None
        if guess is not None:
            expected = Text('{expected}; did you mean "{guess}"?', expected=expected, guess=guess)
        self.wrong(key, expected)
        return default

    def table(self, key: str) -> Table | None:
        """Give the table under `key`, or None if it is absent or no table."""
        value = self._data.get(key)
        if isinstance(value, dict):
            return Table(self.document, (*self.place, key), value)
        if value is not None:
            self.wrong(key, Text("a table"))
        return None

    def array(self, key: str, *, ndim: tuple[int, ...] | None = None, integer: bool = False) -> Array | None:
        """Give nested lists of numbers as an array: float64, or int64 for `integer`.

        Ragged or empty lists and what is no number are problems that name the
        place. `nan` and `inf` are numbers here. `ndim` lists the numbers of axes
        that are allowed; 0 allows a bare number.
        """
        if key not in self._data:
            return None
        try:
            array = array_of(self._data[key], integer=integer)
        except Misfit as misfit:
            where = key + "".join(f"[{index}]" for index in misfit.indices)
            found = shown(misfit.found)
            self.problem(
                (key, *misfit.indices),
                Text(
                    "`{key}`: found {found}, expected {expected}",
                    key=where,
                    found=found,
                    expected=misfit.expected,
                ),
            )
            return None
        if ndim is not None and array.ndim not in ndim:
            self.wrong(key, _axes(ndim))
            return None
        return array


def _axes(ndim: tuple[int, ...]) -> Text:
    if ndim == (0,):
        return Text("a number")
    if ndim == (1,):
        return Text("a list of numbers")
    return Text("an array of {ndim} axes", ndim=" / ".join(str(number) for number in ndim))


def _whole_number(minimum: int | None, maximum: int) -> Text:
    if minimum is None:
        return Text("a whole number")
    if maximum == LARGEST:
        return Text("a whole number ≥ {minimum}", minimum=minimum)
    return Text("a whole number from {minimum} to {maximum}", minimum=minimum, maximum=maximum)


def as_float(value: object) -> float | None:
    """Give a TOML number as a float (infinite where it is too large for one), else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def listed(words: Iterable[str]) -> str:
    """Give names in backticks with commas between, cut after a dozen."""
    words = tuple(words)
    more = ", …" if len(words) > 16 else ""
    return ", ".join(f"`{_cut(word)}`" for word in words[:16]) + more


def _cut(text: str, most: int = 60) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def shown(value: object) -> Text | str:
    """Describe a value found in a file, briefly and whatever it is."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return (
            str(value)
            if value.bit_length() < 100
            else Text("a number of {bits} bits", bits=value.bit_length())
        )
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str):
        return '"' + _cut(value) + '"'
    if isinstance(value, dict):
        return Text("a table")
    if isinstance(value, list):
        return _shown_list(value)
    return Text("the date or time {value}", value=str(value))


def _shown_list(value: list[Any]) -> Text:
    shape: list[int] = []
    inner: Any = value
    while isinstance(inner, list):
        shape.append(len(inner))
        inner = inner[0] if inner else None
    if len(shape) == 1:
        return Text("a list of length {length}", length=shape[0])
    lengths = ", ".join(str(length) for length in shape[:8])
    return Text("nested lists of shape ({shape})", shape=lengths + (", …" if len(shape) > 8 else ""))


# ── the document ─────────────────────────────────────────────────────────────────────────────────

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
        noted_at: Where each of them is in `data`.
    """

    def __init__(
        self,
        path: str,
        folder: Path,
        text: str,
        data: dict[str, Any],
        limits: Limits,
        stands_at: Callable[[KeyPath], KeyPath] | None = None,
    ) -> None:
        """Take the parts of a file; `stands_at` says where in the text a key of `data` stands, if elsewhere."""
        self.path = printable(path)
        self.folder = folder
        self.text = text
        self.data = data
        self.limits = limits
        self.problems: list[Problem] = []
        self.noted_at: list[KeyPath] = []
        self._stands_at = stands_at

    @property
    def root(self) -> Table:
        """The keys that stand above all tables."""
        return Table(self, (), self.data)

    @functools.cached_property
    def _outline(self) -> Mapping[KeyPath, int]:
        return offsets(self.text, with_elements=False)

    @functools.cached_property
    def _offsets(self) -> Mapping[KeyPath, int]:
        return offsets(self.text)

    def offset(self, place: KeyPath) -> int:
        """Give the offset in `text` of `place`, or of the nearest known place that holds it."""
        if self._stands_at is not None:
            place = self._stands_at(place)
        is_below_array = any(isinstance(part, int) for part in place)
        known = self._offsets if is_below_array else self._outline
        while place and place not in known:
            place = place[:-1]
        return known.get(place, 0)

    def position(self, place: KeyPath) -> tuple[int, int]:
        """Give line and column, from 1, of `place` or of the nearest known place that holds it."""
        return line_and_column(self.text, self.offset(place))

    @property
    def is_full(self) -> bool:
        """Whether so many mistakes were found that no more are noted."""
        return len(self.problems) > MOST_PROBLEMS

    def problem(self, place: KeyPath, message: Text, *, position: tuple[int, int] | None = None) -> None:
        """Note a mistake at `place`, or at a line and column known otherwise."""
        if self.is_full:
            return
        line, column = position or self.position(place)
        problem = Problem(self.path, line, column, _safe(message))
        if problem not in self.problems:
            self.problems.append(problem)
            self.noted_at.append(place)

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


def outside(document: Document, place: KeyPath, filename: str) -> Path | None:
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


def check_memory(document: Document, place: KeyPath, shape: tuple[int, ...], itemsize: int) -> bool:
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
