"""[[stop]]: where a teacher stops, what is said there, and what is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from rnnstep.errors import UsageError
from rnnstep.language import LANGUAGES, Text
from rnnstep.scenario.beside_value import read_value
from rnnstep.scenario.bundled import SUFFIX, find, names
from rnnstep.scenario.file.document import Document, KeyPath, Table, outside, shown
from rnnstep.scenario.keys import MOST_STOPS, STOP, closest
from rnnstep.scenario.localized import Localized, read_localized, read_localized_list

Shown = Literal["plot", "equations", "cell", "timeline", "beside"]

TABLE = "stop"
VALUE = "value"
START = "start"
SHOWN: tuple[Shown, ...] = ("plot", "equations", "cell", "timeline", "beside")
LEAST_OPTIONS, MOST_OPTIONS = 2, 9  # each is chosen by one digit


@dataclass(frozen=True, slots=True)
class Stop:
    """A place of a run and the words that are said there.

    Attributes:
        scenario: the file that is run; None: the one in which the stop stands.
        at: the place, as it is written.
        say: a few lines of Markdown.
        asks_value: whether the numbers of the place are hidden until they are typed.
        ask: a question that is answered by one of the options; empty without one.
        options: what can be answered.
        answer: which of them is right, from 1.
        show: what gets the room.
        beside: a second run under the same cursor, as the command line names it.
        lines: where each key stands in the file, line and column from 1; the stop itself under "".
    """

    scenario: Path | None
    at: str
    say: Localized
    asks_value: bool = False
    ask: Localized = field(default_factory=Localized)
    options: tuple[Localized, ...] = ()
    answer: int | None = None
    show: tuple[Shown, ...] = ()
    beside: str | None = None
    lines: Mapping[str, tuple[int, int]] | None = None

    @property
    def asks(self) -> bool:
        """Whether anything is asked."""
        return self.asks_value or bool(self.options)

    def position(self, key: str) -> tuple[int, int]:
        """Give line and column of a key, or of the stop where it does not have it."""
        lines = self.lines or {}
        return lines.get(key, lines.get("", (1, 1)))


def read_stops(document: Document, *, is_lesson: bool = False) -> tuple[Stop, ...]:
    """Give the stops of a file in its order; mistakes are noted.

    Args:
        document: of a scenario, whose stops are in itself, or of a lesson.
        is_lesson: whether each stop says which scenario it is in, or leaves it to the one before.
    """
    found = document.root.raw(TABLE)
    if found is None and not is_lesson:
        return ()
    if not isinstance(found, list) or not found or not all(isinstance(one, dict) for one in found):
        expected = Text("tables: [[stop]] with `at` and `say` each")
        if found is None:
            document.root.missing(TABLE, expected)
        else:
            document.root.wrong(TABLE, expected)
        return ()
    if len(found) > MOST_STOPS:
        document.problem(
            (TABLE, MOST_STOPS),
            Text("found {count} stops, expected {most} at most", count=len(found), most=MOST_STOPS),
        )
        return ()
    stops: list[Stop] = []
    for number, data in enumerate(found):
        table = Table(document, (TABLE, number), data)
        table.known(*STOP)
        stops.append(_read_stop(table, stops[-1] if stops else None, is_lesson=is_lesson))
    return tuple(stops)


def _read_stop(table: Table, before: Stop | None, *, is_lesson: bool) -> Stop:
    scenario = _scenario(table, before, is_lesson=is_lesson)
    stays = before is not None and not table.has("scenario")
    at = table.string("at", before.at if before is not None and stays else START) or START
    say = read_localized(table, "say")
    if not say and _is_empty(table.raw("say")):
        told = Text("`say` is missing: expected {expected}", expected=Text("what is said at this stop"))
        table.document.problem(table.place, told)
    asks_value = table.raw("ask") == VALUE
    ask = Localized() if asks_value else read_localized(table, "ask")
    options = read_localized_list(table, "options")
    places: dict[str, KeyPath] = {"": table.place, **{key: (*table.place, key) for key in table.keys()}}
    return Stop(
        scenario,
        at,
        say,
        asks_value,
        ask,
        options,
        _answer(table, ask, options, asks_value=asks_value),
        _show(table),
        _beside(table),
        {key: table.document.position(place) for key, place in places.items()},
    )


def _scenario(table: Table, before: Stop | None, *, is_lesson: bool) -> Path | None:
    if not is_lesson:
        if table.has("scenario"):
            text = Text(
                "`scenario`: the stops of a scenario are in itself; stops in several are a lesson, a file without a model"
            )
            table.problem("scenario", text)
        return None
    name = table.string("scenario")
    if name is None:
        if before is None and not table.has("scenario"):
            table.missing("scenario", Text("a bundled scenario, or a path beside the lesson"))
        return None if before is None else before.scenario
    return find(name) if name in names() else _file_of(table, "scenario", name)


def _file_of(table: Table, key: str, name: str) -> Path | None:
    """Give the path of a scenario's file beside the lesson; notes what is none, with the name that was likely meant."""
    stem = name.removesuffix(SUFFIX)
    folder = table.document.folder
    if stem != name and (stem not in names() or (folder / name).is_file()):
        return outside(table.document, (*table.place, key), name)
    is_beside = Path(name).name == name and (folder / f"{name}{SUFFIX}").is_file()
    guess = f"{name}{SUFFIX}" if is_beside else closest(stem, names())
    expected = Text("a bundled scenario, or the path of a .toml file beside the lesson")
    if guess is not None:
        expected = Text('{expected}; did you mean "{guess}"?', expected=expected, guess=guess)
    table.wrong(key, expected)
    return None


def _is_empty(raw: object) -> bool:
    """Whether a text that is there in some form says nothing: absent, "", or {} and empty languages."""
    texts = raw.values() if isinstance(raw, dict) and raw.keys() <= set(LANGUAGES) else (raw,)
    return raw is None or all(text == "" for text in texts)


def _answer(table: Table, ask: Localized, options: tuple[Localized, ...], *, asks_value: bool) -> int | None:
    """Give which option is right; notes what is asked without options, and options that nobody asks about."""
    answer = table.integer("answer", minimum=1)
    has_options = table.has("options")
    if asks_value:
        for key in ("options", "answer"):
            if table.has(key):
                table.problem(
                    key, Text('`{key}`: with ask = "value" the place\'s own numbers are the answer', key=key)
                )
        return None
    if not table.has("ask"):
        for key in ("options", "answer"):
            if table.has(key):
                table.problem(key, Text("`{key}`: nothing is asked here; `ask` asks", key=key))
        return None
    if not ask and not _is_empty(table.raw("ask")):
        return None
    if not ask or not has_options:
        table.problem("ask", Text('`ask`: expected "value", or `options` and `answer` beside the question'))
        return None
    if options and not LEAST_OPTIONS <= len(options) <= MOST_OPTIONS:
        table.wrong("options", Text("{least} to {most} of them", least=LEAST_OPTIONS, most=MOST_OPTIONS))
        return None
    if answer is None:
        if not table.has("answer"):
            table.missing("answer", Text("which option is right, from 1"))
    elif options and answer > len(options):
        table.wrong("answer", Text("one of the {count} options, from 1", count=len(options)))
        return None
    return answer


def _show(table: Table) -> tuple[Shown, ...]:
    raw = table.raw("show")
    if raw is None:
        return ()
    known = ", ".join(f'"{name}"' for name in SHOWN)
    if not isinstance(raw, list):
        table.wrong("show", Text("a list of {names}", names=known))
        return ()
    for number, one in enumerate(raw):
        if one not in SHOWN:
            expected = Text("one of {choices}", choices=known)
            told = Text(
                "`{key}`: found {found}, expected {expected}",
                key=f"show[{number}]",
                found=shown(one),
                expected=expected,
            )
            table.problem(("show", number), told)
            return ()
    if "beside" in raw and not table.has("beside"):
        table.problem("show", Text('`show`: "beside" shows a second run, and no `beside` says which'))
    return tuple(dict.fromkeys(raw))


def _beside(table: Table) -> str | None:
    """Give the second run as the command line names it; the path of a file is one beside the lesson."""
    text = table.string("beside")
    if text is None:
        return None
    try:
        value = read_value(text)
    except UsageError as error:
        table.problem("beside", Text("`beside`: {reason}", reason=error.message))
        return None
    if value.kind == "weights":
        path = outside(table.document, (*table.place, "beside"), value.value)
    elif value.kind == "scenario" and value.value not in names():
        path = _file_of(table, "beside", value.value)
    else:
        return text
    return None if path is None else replace(value, value=str(path)).word
