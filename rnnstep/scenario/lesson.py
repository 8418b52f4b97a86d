"""A lesson: a file of stops, in one scenario or in several. It is data alone: nothing is run here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rnnstep.errors import Problem, ScenarioError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.scenario.file.document import Document, Limits
from rnnstep.scenario.file.source import parse_document, source_text
from rnnstep.scenario.localized import Localized, read_localized
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.stops import TABLE, Stop, read_stops

KEYS_OF_A_LESSON = ("title", "summary", TABLE)
_MODEL = {"input", "data", "recurrent", "layers"}
"""The tables of which a scenario has at least one."""


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """Stops in the order in which they are taught.

    Attributes:
        name: the file's stem.
        path: of its file; None: the stops are those of a scenario that was made in memory.
        title: what it is called.
        summary: a sentence or two.
        stops: at least one.
        is_own: whether they are a scenario's own.
    """

    name: str
    path: Path | None
    title: Localized
    summary: Localized
    stops: tuple[Stop, ...]
    is_own: bool = False

    def problem(self, stop: Stop, key: str, message: Text) -> ScenarioError:
        """Give what is wrong with a key of a stop, with its line and column."""
        line, column = stop.position(key)
        shown = "" if self.path is None else printable(str(self.path))
        return ScenarioError((Problem(shown, line, column, message),))


def read_lesson(path: str | Path, limits: Limits | None = None, *, is_meant: bool = False) -> Lesson | None:
    """Read the file of a lesson; None where it holds a scenario.

    Args:
        path: of the file.
        limits: what it may ask for: scenarios outside its own folder.
        is_meant: whether a file without stops and without a model is to be a lesson, too, whose stops are missing.

    Raises:
        UsageError: it cannot be read.
        ScenarioError: it holds mistakes; all of them are told.
    """
    path, limits = Path(path), limits or Limits()
    text = source_text(path, limits)
    if TABLE not in text and not is_meant:  # a scenario without stops is parsed once, where it is read
        return None
    document = parse_document(str(path), path.parent, text, limits)
    if not (is_lesson(document) or (is_meant and not _MODEL & document.data.keys())):
        return None
    document.root.known(*KEYS_OF_A_LESSON)
    title = read_localized(document.root, "title", default=printable(path.stem))
    summary = read_localized(document.root, "summary")
    stops = read_stops(document, is_lesson=True)
    document.finish()
    return Lesson(printable(path.stem), path, title, summary, stops)


def is_lesson(document: Document) -> bool:
    """Whether a file holds stops, and no model."""
    return TABLE in document.data and not _MODEL & document.data.keys()


def own_lesson(scenario: Scenario) -> Lesson | None:
    """Give the lesson that a scenario's own stops are; None where it has none."""
    if not scenario.stops:
        return None
    return Lesson(scenario.name, scenario.path, scenario.title, scenario.summary, scenario.stops, is_own=True)
