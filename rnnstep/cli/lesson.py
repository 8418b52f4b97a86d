"""`rnnstep lesson NAME`: follows a lesson on the screen; lists the bundled ones; tries a teacher's file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rnnstep.cli.commands import Argument, GivenOptions, Option, Subcommand
from rnnstep.cli.lesson_text import print_stops
from rnnstep.cli.opening import is_terminal, open_screen, screen_options
from rnnstep.cli.options import LessonName, completed, limits, read_complete
from rnnstep.errors import UsageError
from rnnstep.language import Text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rnnstep.errors import Problem
    from rnnstep.scenario.lesson import Lesson
    from rnnstep.session.session import Session


def run(given: GivenOptions, speech: str) -> int:
    """Open the lesson; without a terminal print its stops."""
    from rnnstep.scenario.bundled import find_lesson, lessons

    if given.list:
        for name in lessons():
            click.echo(name)
        return 0
    if given.name is None:
        raise UsageError(Text("NAME is missing: a bundled lesson (`rnnstep lesson --list`), or a file"))
    path = find_lesson(given.name)
    if is_terminal() and not given.check:
        return open_screen([path], given)
    lesson = lesson_in(path, given)
    return _check(lesson, given, speech) if given.check else print_stops(lesson, given, speech)


def lesson_in(path: Path, given: GivenOptions) -> Lesson:
    """Give the lesson in a file, or the one that the stops of a scenario are.

    Raises:
        UsageError: The file cannot be read, or has no stops.
        ScenarioError: It holds mistakes.
    """
    from rnnstep.scenario.lesson import own_lesson, read_lesson

    lesson = read_lesson(path, limits(given), is_meant=True) or own_lesson(read_complete(path, given))
    if lesson is None:
        raise UsageError(Text("{name}: there is no [[stop]] in this file", name=given.name))
    return lesson


def _check(lesson: Lesson, given: GivenOptions, speech: str) -> int:
    """Go to every stop, as the screen would; all mistakes are told together, then what is too long to be seen."""
    from rnnstep.session.lesson import check_stops
    from rnnstep.session.run import SessionRun
    from rnnstep.session.session import Session

    def opened(path: Path) -> Session:
        return Session.open(SessionRun.of(read_complete(path, given)))

    check_stops(lesson, opened, completed)
    for remark in _remarks(lesson):
        click.echo(remark.into(given.language or speech), err=True)
    told = Text(
        "{name}: every stop can be reached, {count} in all", name=lesson.name, count=len(lesson.stops)
    )
    click.echo(told.into(given.language or speech))
    return 0


def _remarks(lesson: Lesson) -> Iterator[Problem]:
    """What is said at a stop and not seen on a screen of 80×24, in the language that takes more."""
    from rnnstep.language import LANGUAGES
    from rnnstep.session.lesson import Following
    from rnnstep.views.lesson import rows_unseen
    from rnnstep.views.look import Look

    for number, stop in enumerate(lesson.stops):
        following = Following(lesson, number)
        count = max(rows_unseen(following, Look(language)) for language in LANGUAGES)
        if count:
            told = Text(
                "`say`: {count} rows more than a screen of 80×24 shows with its question", count=count
            )
            yield from lesson.problem(stop, "say", told).problems


COMMAND = Subcommand(
    "lesson",
    run,
    [
        Argument("NAME", required=False, type=LessonName()),
        Option("--list", is_flag=True, about=Text("print the names of the bundled lessons, one a line")),
        Option(
            "--check",
            is_flag=True,
            about=Text("go to every stop without opening the screen, and tell all mistakes"),
        ),
        *screen_options(),
    ],
    usage="rnnstep lesson [OPTIONS] [NAME]",
    about=Text(
        "Follow a lesson from stop to stop.\n"
        "NAME is a bundled lesson, or a file of stops, such as `rnnstep new lesson` begins. Where standard output is not a"
        " terminal, the stops are printed as text."
    ),
)
