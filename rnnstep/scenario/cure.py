"""The table [cure]: what a scenario's mistake should have been, as keys put in place of the file's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rnnstep.errors import Problem
from rnnstep.language import Text
from rnnstep.scenario.data.input import SOURCES as INPUT_SOURCES
from rnnstep.scenario.data.target import SOURCES as TARGET_SOURCES
from rnnstep.scenario.file.document import Document, KeyPath

# Keys of a table that stand instead of one another: one of the cure drives the file's out.
_EITHER: Mapping[KeyPath, tuple[tuple[frozenset[str], frozenset[str]], ...]] = {
    (): (
        (frozenset({"data"}), frozenset({"input", "target"})),
        (frozenset({"input", "target"}), frozenset({"data"})),
    ),
    ("input",): ((frozenset(INPUT_SOURCES), frozenset(INPUT_SOURCES)),),
    ("target",): ((frozenset(TARGET_SOURCES), frozenset(TARGET_SOURCES)),),
    ("weights",): (
        (frozenset({"seed"}), frozenset({"file", "prefix"})),
        (frozenset({"file"}), frozenset({"seed", "round"})),
    ),
}


class Cured:
    """A file with its cure put in place: what the cure gives stands under [cure], all else where it was.

    Attributes:
        document: what is read.
    """

    def __init__(self, file: Document, data: dict[str, Any], given: frozenset[KeyPath]) -> None:
        self._file = file
        self._given = given
        self.document = Document(file.path, file.folder, file.text, data, file.limits, self._stands_at)

    def _stands_at(self, place: KeyPath) -> KeyPath:
        return ("cure", *place) if self._is_given(place) else place

    def _is_given(self, place: KeyPath) -> bool:
        """Whether the cure gives what stands at a place, or something within it."""
        is_inside = any(place[:length] in self._given for length in range(1, len(place) + 1))
        return is_inside or (bool(place) and any(key[: len(place)] == place for key in self._given))

    def tell(self) -> None:
        """Note in the file's document what is wrong with the cure, and with nothing but the cure."""
        file = self._file
        is_fine = not file.problems
        for problem, place in zip(self.document.problems, self.document.noted_at, strict=True):
            if problem in file.problems:
                continue
            if self._is_given(place):
                file.problem((), problem.message, position=(problem.line, problem.column))
            elif is_fine:  # else it follows from what is wrong with the file
                file.problem(("cure",), _in_its_light(problem))


def _in_its_light(problem: Problem) -> Text:
    """Tell what is right in the file and wrong beside what the cure gives."""
    return Text("[cure]: line {line} does not fit it: {reason}", line=problem.line, reason=problem.message)


def cured(document: Document) -> Cured | None:
    """Give the file as its cure has it; None if it has neither a [cure] nor a mistake on purpose."""
    table = document.table("cure")
    file = {key: value for key, value in document.data.items() if key != "cure"}
    training = file.get("training")
    has_mistake = isinstance(training, dict) and "mistake" in training
    if table is None:
        if document.root.has("cure") or not has_mistake:
            return None
        return Cured(document, _without_mistake(file), frozenset())
    cure = _without_mistake({key: value for key, value in document.data["cure"].items() if key != "cure"})
    needless = [
        place for place in (("cure",), ("training", "mistake")) if _holds(document.data["cure"], place)
    ]
    for place in needless:
        table.problem(place, Text("`{key}`: a cure has none; leave it out here", key=place[-1]))
    merged = _merged(_without_mistake(file), cure, ())
    if merged == file and not needless:
        table.problem(
            (), Text("[cure] changes nothing: expected keys of this file with what they should have been")
        )
    return Cured(document, merged, frozenset(_leaves(cure, ())))


def _without_mistake(data: dict[str, Any]) -> dict[str, Any]:
    training = data.get("training")
    if not isinstance(training, dict):
        return data
    return {**data, "training": {key: value for key, value in training.items() if key != "mistake"}}


def _holds(table: Any, place: tuple[str, ...]) -> bool:
    for key in place:
        if not isinstance(table, dict) or key not in table:
            return False
        table = table[key]
    return True


def _merged(file: dict[str, Any], cure: Mapping[str, Any], place: KeyPath) -> dict[str, Any]:
    """Put the cure's keys in place, table by table; lists and all else are replaced whole."""
    ousted = {
        key for given, others in _EITHER.get(place, ()) if not given.isdisjoint(cure) for key in others
    } - cure.keys()
    merged = {key: value for key, value in file.items() if key not in ousted}
    for key, value in cure.items():
        mine = merged.get(key)
        is_table = isinstance(value, dict) and isinstance(mine, dict)
        merged[key] = _merged(mine, value, (*place, key)) if is_table and mine is not None else value
    return merged


def _leaves(table: Mapping[str, Any], place: KeyPath) -> Iterator[KeyPath]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*place, key))
        else:
            yield (*place, key)
