"""The stops of a lesson as text, where there is no terminal to follow it on."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from rnnstep.cli.commands import WIDTH, GivenOptions
from rnnstep.language import Text

if TYPE_CHECKING:
    from rnnstep.scenario.lesson import Lesson
    from rnnstep.scenario.stops import Stop

_WIDEST = 100


def print_stops(lesson: Lesson, given: GivenOptions, speech: str) -> int:
    """Print all stops of a lesson, or the one that `--stop` names, and give the exit status.

    Raises:
        UsageError: There is no such stop.
    """
    from rnnstep.session.lesson import Following, numbered

    first = numbered(Following(lesson), given.stop)
    stops = lesson.stops if given.stop is None else (first.stop,)
    language = given.language or speech
    for number, stop in enumerate(stops, first.number + 1):
        for line in _lines(lesson, stop, number, language):
            click.echo(_spelt(line, is_ascii=given.ascii))
    return 0


def _lines(lesson: Lesson, stop: Stop, number: int, language: str) -> Iterator[str]:
    """The heading of a stop, its words and its question; the answer stays with the screen."""
    from rnnstep.views.compose import wrap
    from rnnstep.views.markdown import plain_markdown

    cells = min(_WIDEST, shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH)
    if number == 1:
        yield lesson.title.into(language)
        summary = plain_markdown(lesson.summary.into(language))
        yield from wrap(summary, cells) if summary else []
        yield ""
    name = Text("stop {number}/{count}", number=number, count=len(lesson.stops)).into(language)
    where = lesson.name if stop.scenario is None else stop.scenario.stem
    yield "  ".join([name, where, stop.at, *([stop.beside] if stop.beside else [])])
    yield from (f"  {line}" for line in wrap(plain_markdown(stop.say.into(language)), cells - 2))
    if stop.asks_value:
        yield f"  {Text('What is it?').into(language)}"
    elif stop.asks:
        yield from (f"  {line}" for line in wrap(plain_markdown(stop.ask.into(language)), cells - 2))
        for option, text in enumerate(stop.options, 1):
            yield f"    {option} {' '.join(plain_markdown(text.into(language)).split())}"
    yield ""


def _spelt(line: str, *, is_ascii: bool) -> str:
    from rnnstep.views.alphabet import alphabet

    return alphabet(is_ascii=is_ascii).spell(line)
