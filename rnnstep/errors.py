"""What can go wrong with what a user gives, as exceptions that carry a `Text`.

Everything that a user can cause is an `RnnstepError` and ends as a message and
exit status 2. Any other exception is a fault of the program.

    RnnstepError
    ├── ScenarioError     a scenario or answers file: every problem with its place
    ├── UsageError        a command line or a call that cannot be meant
    └── EquationError     an equation or a watch: where in the text, and what is wrong
"""

from __future__ import annotations

from dataclasses import dataclass

from rnnstep.language import Text


class RnnstepError(Exception):
    """The base of all errors that a user can cause."""

    def __init__(self, message: Text) -> None:
        super().__init__(message)
        self.message = message

    def into(self, language: str) -> str:
        """Give the message in `language`, as it is printed."""
        return self.message.shortened().into(language)

    def __str__(self) -> str:
        return self.into("en")


class UsageError(RnnstepError):
    """A command line, or a call from Python, that cannot be meant."""


class EquationError(RnnstepError):
    """An equation that cannot be read; `line` from 0 in its text, `column` from 0 in its line."""

    def __init__(self, message: Text, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a file: `line` and `column` count from 1, as editors do."""

    path: str
    line: int
    column: int
    message: Text

    def into(self, language: str) -> str:
        """Give `PATH:LINE:COLUMN: message`."""
        return f"{self.path}:{self.line}:{self.column}: {self.message.shortened().into(language)}"


class ScenarioError(RnnstepError):
    """All mistakes of one file, told at once."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems[0].message)
        self.problems = problems

    def into(self, language: str) -> str:
        """Give one line a problem, in the order of the file."""
        return "\n".join(problem.into(language) for problem in self.problems)
