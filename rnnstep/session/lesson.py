"""A lesson that is followed: at which of its stops one is, and what was answered; and whether every stop can be reached."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Literal, Self

from rnnstep.errors import Problem, RnnstepError, ScenarioError, UsageError
from rnnstep.language import Text
from rnnstep.scenario.beside import second_scenario
from rnnstep.scenario.beside_value import read_value
from rnnstep.scenario.lesson import Lesson, own_lesson
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.stops import Stop
from rnnstep.session.guess import place_of
from rnnstep.session.place import read_place, read_row
from rnnstep.session.session import Session, batch_of
from rnnstep.session.tree import Path, Spot

End = Literal["right", "shown"]


@dataclass(frozen=True, slots=True, eq=False)
class Following:
    """Frozen; each call makes a new one.

    Attributes:
        lesson: that is followed.
        number: of the stop that was reached last, from 0.
        ended: how each question ended that did: answered right, or shown.
        tried: the options that were chosen at this stop and are not right.
    """

    lesson: Lesson
    number: int = 0
    ended: tuple[tuple[int, End], ...] = ()
    tried: tuple[int, ...] = ()

    @property
    def stop(self) -> Stop:
        """The stop that was reached last."""
        return self.lesson.stops[self.number]

    @property
    def end(self) -> End | None:
        """How the question of this stop ended; None while it is open, and where nothing is asked."""
        return dict(self.ended).get(self.number)

    @property
    def is_open(self) -> bool:
        """Whether the question of this stop waits for its answer."""
        return self.stop.asks and self.end is None

    @property
    def has_choice(self) -> bool:
        """Whether one of the options is to be chosen now."""
        return self.is_open and bool(self.stop.options)

    @property
    def is_last(self) -> bool:
        """Whether there is no stop after this one."""
        return self.number == len(self.lesson.stops) - 1

    def is_in(self, session: Session) -> bool:
        """Whether a session is of the scenario of this stop."""
        return session.run.scenario.path == (self.stop.scenario or self.lesson.path)

    def is_at(self, session: Session) -> bool:
        """Whether it is at the place of this stop, too."""
        if not self.is_in(session):
            return False
        try:
            path, row = _where(session, self.stop)
        except UsageError:
            return False
        return (path, row) == (session.position.path, session.position.row)

    def at(self, number: int) -> Self:
        """Be at another stop, from 0."""
        return replace(self, number=number, tried=())

    def read_again(self, lesson: Lesson) -> Self:
        """Go on in a lesson whose file was read again, at the same stop if it has it."""
        return replace(self, lesson=lesson, number=min(self.number, len(lesson.stops) - 1), tried=())

    def opened_in(self, session: Session) -> Self | None:
        """Go on when a scenario was opened by hand: a lesson stays, a scenario's own stops go with it."""
        if not self.lesson.is_own:
            return self
        own = own_lesson(session.run.scenario) if self.is_in(session) else None
        return None if own is None else self.read_again(own)

    def ending(self, how: End) -> Self:
        """End the question of this stop, if it has one that is open."""
        return replace(self, ended=(*self.ended, (self.number, how))) if self.is_open else self

    def choose(self, option: int) -> Self:
        """Choose an option, from 1: the right one ends the question, another one is remembered."""
        if option == self.stop.answer:
            return self.ending("right")
        return replace(self, tried=tuple(dict.fromkeys((*self.tried, option))))


def at_stop(session: Session, following: Following) -> Session:
    """Go to the place of the stop that is reached; its numbers are hidden where they are asked for.

    A place in an epoch that is not trained yet is waited for, however long that takes: see `epoch_of`.

    Args:
        session: of the stop's scenario.
        following: at the stop.

    Raises:
        ScenarioError: the scenario has no such place, or none with one value that could be asked for; with line and
            column.
    """
    stop, lesson = following.stop, following.lesson
    try:
        path, row = _where(session, stop)
        session.run.learning.reach(path[0] if path else 0, math.inf)
        moved = session.jump(path, row)
    except UsageError as error:
        raise lesson.problem(stop, "at", Text("`at`: {reason}", reason=error.message)) from None
    if stop.asks_value and place_of(moved) is None:
        text = Text(
            "`ask`: no single value stands at {place}; name an operation or an element, such as 1/L0/hh[0]",
            place=moved.place_and_row,
        )
        raise lesson.problem(stop, "ask", text)
    return replace(moved, is_revealed=True, note=None).asking(is_open=stop.asks_value and following.is_open)


def epoch_of(session: Session, stop: Stop) -> int:
    """The epoch, from 0, in which a stop is.

    Raises:
        UsageError: There is no such place.
    """
    path, _ = _where(session, stop)
    return path[0] if path else 0


def _where(session: Session, stop: Stop) -> tuple[Path, int]:
    """The path of a stop and its row, whichever way one comes: the first row where it names none."""
    path = read_place(session.tree, stop.at, Spot(0))
    return path, read_row(stop.at, session.run.num_rows(batch_of(session.tree, path))) or 0


def check_stops(
    lesson: Lesson, opened: Callable[[FilePath], Session], completed: Callable[[Scenario], Scenario]
) -> None:
    """Go to every stop of a lesson.

    Args:
        lesson: whose stops each name the file of a scenario.
        opened: gives a session of a file; asked once for each.
        completed: fills in what only torch can give of a run beside.

    Raises:
        ScenarioError: holding all mistakes, in the order of the file.
    """
    sessions: dict[FilePath, Session | RnnstepError] = {}
    problems: list[Problem] = []
    for number, stop in enumerate(lesson.stops):
        path = stop.scenario or lesson.path
        assert path is not None
        if path not in sessions:
            sessions[path] = _opened(path, opened)
            found = sessions[path]
            if isinstance(found, ScenarioError):  # each with its file, line and column
                problems += found.problems
            elif isinstance(found, RnnstepError):
                problems += lesson.problem(stop, "scenario", found.message).problems
        session = sessions[path]
        if isinstance(session, Session):
            try:
                at_stop(session, Following(lesson, number))
                _check_beside(session, lesson, stop, completed)
            except ScenarioError as error:
                problems += error.problems
    if problems:
        raise ScenarioError(tuple(problems))


def _opened(path: FilePath, opened: Callable[[FilePath], Session]) -> Session | RnnstepError:
    try:
        return opened(path)
    except RnnstepError as error:
        return error


def numbered(following: Following, number: int | None) -> Following:
    """Give the lesson at a stop that the command line names, from 1; at its first where it names none.

    Raises:
        UsageError: There is no such stop.
    """
    if number is None:
        return following
    count = len(following.lesson.stops)
    if not 1 <= number <= count:
        raise UsageError(
            Text(
                "there is no stop {number}: {name} has {count}",
                number=number,
                name=following.lesson.name,
                count=count,
            )
        )
    return following.at(number - 1)


def _check_beside(
    session: Session, lesson: Lesson, stop: Stop, completed: Callable[[Scenario], Scenario]
) -> None:
    """Read the second run of a stop. Raises ScenarioError where there is none such."""
    if stop.beside is None:
        return
    try:
        completed(second_scenario(read_value(stop.beside), session.run.scenario))
    except ScenarioError:
        raise  # with its own file, line and column
    except RnnstepError as error:
        raise lesson.problem(stop, "beside", Text("`beside`: {reason}", reason=error.message)) from None
