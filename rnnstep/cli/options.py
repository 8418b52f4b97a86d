"""The options that several commands share, and the kinds of values they take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from rnnstep.cli.commands import Argument, GivenOptions, Option
from rnnstep.errors import EquationError, UsageError
from rnnstep.language import LANGUAGES, Text
from rnnstep.scenario.keys import MOST_DECIMALS
from rnnstep.settings import THEMES

if TYPE_CHECKING:
    from pathlib import Path

    from click.shell_completion import CompletionItem

    from rnnstep.scenario.file.document import Limits
    from rnnstep.scenario.model import Scenario


_POWERS = {"K": 10, "M": 20, "G": 30, "T": 40}


class OneOf(click.Choice[str]):
    """One of a few words, in large or small letters."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Give the word.

        Raises:
            UsageError: It is another one.
        """
        if value in self.choices:
            return str(value)
        meant = [choice for choice in self.choices if choice.lower() == str(value).lower()]
        if len(meant) == 1:
            return meant[0]
        from rnnstep.scenario.keys import closest

        guess = closest(str(value), self.choices)
        if guess is not None:
            raise UsageError(
                Text(
                    "{option}: found {found}, expected one of {choices}; did you mean {guess}?",
                    option=_name(param),
                    found=str(value),
                    choices=", ".join(self.choices),
                    guess=guess,
                )
            )
        raise UsageError(
            Text(
                "{option}: found {found}, expected one of {choices}",
                option=_name(param),
                found=str(value),
                choices=", ".join(self.choices),
            )
        )


class WholeNumber(click.ParamType[int]):
    """A whole number in a range, both ends included."""

    name = "N"

    def __init__(self, low: int, high: int) -> None:
        self.low = low
        self.high = high

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Give the number.

        Raises:
            UsageError: It is none, or outside.
        """
        text = str(value)
        digits = text.removeprefix("-")
        if digits.isascii() and digits.isdigit() and len(digits) <= 20 and self.low <= int(text) <= self.high:
            return int(text)
        raise UsageError(
            Text(
                "{option}: found {found}, expected a whole number from {low} to {high}",
                option=_name(param),
                found=text,
                low=self.low,
                high=self.high,
            )
        )


class NumberOption(click.ParamType[float]):
    """A finite number, 0 or more."""

    name = "X"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Give the number.

        Raises:
            UsageError: It is none, negative, or without an end.
        """
        import re

        text = str(value).strip()
        if re.fullmatch(r"\+?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", text, re.ASCII | re.IGNORECASE):
            number = float(text)
            if number < float("inf"):
                return number
        raise UsageError(
            Text(
                "{option}: found {found}, expected a number ≥ 0, such as 0.01",
                option=_name(param),
                found=str(value),
            )
        )


class SizeOption(click.ParamType[int]):
    """A size in bytes: `500MiB`, `4GiB`, `2.5G`, or a plain number. K, M, G, T are powers of 1024."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Give the number of bytes.

        Raises:
            UsageError: It is no size.
        """
        import re

        match = re.fullmatch(r"(\d+(?:\.\d+)?) *([KMGT]i?B?|B)?", str(value).strip(), re.IGNORECASE)
        if match is not None and len(match[1]) < 20:
            unit = (match[2] or "B")[0].upper()
            size = int(float(match[1]) * 2 ** _POWERS.get(unit, 0))
            if size > 0:
                return size
        raise UsageError(
            Text(
                "{option}: found {found}, expected a size such as 500MiB, 4GiB, or a number of bytes",
                option=_name(param),
                found=str(value),
            )
        )


class ScenarioName(click.ParamType[str]):
    """A path, or the name of a bundled scenario; both are completed.

    Args:
        or_command: whether it may be a command as well, as what `help` is asked about.
        or_words: what else may be begun there, as `dtype=` after `--beside`.
    """

    name = "SCENARIO"

    def __init__(self, *, or_command: bool = False, or_words: Sequence[str] = ()) -> None:
        self._or_command = or_command
        self._or_words = tuple(or_words)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        """Give the bundled names that begin so (and commands, as the first word), else let the shell complete paths."""
        from click.shell_completion import CompletionItem

        from rnnstep.scenario.bundled import names

        known = [*names(), *self._commands(ctx), *self._or_words]
        found = [CompletionItem(name) for name in known if name.startswith(incomplete)]
        return found or [CompletionItem(incomplete, type="file")]

    def _commands(self, ctx: click.Context) -> list[str]:
        """The commands that may stand there instead: in the first word, or where one is asked about."""
        root = ctx.find_root()
        if self._or_command and isinstance(root.command, click.Group):
            return root.command.list_commands(root)
        if isinstance(ctx.command, click.Group) and not self._or_words and not ctx.params.get("scenario"):
            return ctx.command.list_commands(ctx)
        return []


class LessonName(click.ParamType[str]):
    """A path, or the name of a bundled lesson; both are completed."""

    name = "NAME"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        """Give the bundled lessons that begin so, else let the shell complete paths."""
        from click.shell_completion import CompletionItem

        from rnnstep.scenario.bundled import lessons

        found = [CompletionItem(name) for name in lessons() if name.startswith(incomplete)]
        return found or [CompletionItem(incomplete, type="file")]


def _name(param: click.Parameter | None) -> str:
    if isinstance(param, click.Argument):
        return (param.metavar or "").strip("[].")
    return param.opts[0] if param is not None else ""


def scenario_argument() -> Argument:
    """`SCENARIO`, one."""
    return Argument("SCENARIO", type=ScenarioName())


def language_option() -> Option:
    """`--language`."""
    return Option(
        "--language", type=OneOf(LANGUAGES), about=Text("English or Chinese; by default as the locale is")
    )


def theme_option() -> Option:
    """`--theme`."""
    return Option("--theme", type=OneOf(THEMES), about=Text("the colours of the screen"))


def reading_options() -> list[Option]:
    """What changes how a scenario is read."""
    return [
        Option("--dtype", type=OneOf(("float32", "float64")), about=Text("compute in this dtype")),
        Option(
            "--memory-limit", type=SizeOption(), about=Text("refuse what would need more, 4GiB by default")
        ),
        Option(
            "--allow-outside",
            is_flag=True,
            about=Text("read files outside of the scenario's own folder, too"),
        ),
    ]


def showing_options() -> list[Option]:
    """What changes how numbers and words are shown."""
    return [
        Option("--decimals", type=WholeNumber(0, MOST_DECIMALS), about=Text("how many decimals are shown")),
        Option("--ascii", is_flag=True, about=Text("plain ASCII signs instead of ✓, − and ·")),
    ]


def format_option(formats: tuple[str, ...]) -> Option:
    """How the result is written."""
    return Option(
        "--format", type=OneOf(formats), default="text", about=Text("how it is written; text by default")
    )


def output_options() -> list[Option]:
    """Where the result goes."""
    return [
        Option("--output", "-o", metavar="FILE", about=Text("write to a file, atomically")),
        Option("--force", is_flag=True, about=Text("replace the file if it is there already")),
    ]


def torch_option() -> Option:
    """`--no-torch`."""
    return Option("--no-torch", is_flag=True, about=Text("these numbers alone, without torch's beside them"))


def beside_torch(given: GivenOptions) -> bool:
    """Whether torch's numbers are to stand beside the engine's.

    Raises:
        UsageError: They are, and torch cannot be imported.
    """
    if getattr(given, "no_torch", False):
        return False
    from rnnstep.reference import require

    require()
    return True


def filled(scenario: Scenario, given: GivenOptions) -> Scenario:
    """A scenario with the parameters that only torch can give, as far as it may be asked.

    Raises:
        UsageError: It lacks some, and torch is not to be used.
    """
    if getattr(given, "no_torch", False):
        from rnnstep.reference import forbid

        forbid(scenario.pending)
    return completed(scenario)


def limits(given: GivenOptions) -> Limits:
    """Give what a scenario file may ask for."""
    from rnnstep.scenario.file.document import Limits

    memory = Limits().memory if given.memory_limit is None else given.memory_limit
    return Limits(memory, allow_outside=given.allow_outside)


def read_complete(path: Path, given: GivenOptions) -> Scenario:
    """Read a scenario file as `read_scenario`; what only torch can draw or read is asked of it."""
    return completed(read_scenario(path, given))


def completed(scenario: Scenario) -> Scenario:
    """A scenario with the parameters that only torch can give."""
    if scenario.pending is None:
        return scenario
    from rnnstep.reference import complete

    return complete(scenario)


def read_scenario(path: Path, given: GivenOptions) -> Scenario:
    """Read a scenario file as the options say; an option not given, or not there, leaves it to the file.

    Raises:
        UsageError: The file cannot be read.
        ScenarioError: It holds mistakes.
    """
    from rnnstep.cli.speech import say
    from rnnstep.language import environment_language
    from rnnstep.scenario.modules import remarks
    from rnnstep.scenario.read import read

    scenario = read(
        path,
        limits(given),
        dtype=given.dtype,
        decimals=getattr(given, "decimals", None),
        language=given.language,
    )
    for remark in remarks(scenario):
        say(remark, scenario.display.language or environment_language())
    return scenario


def in_option(error: EquationError, option: str) -> UsageError:
    """What is wrong with an expression that an option was given, with its column."""
    return UsageError(
        Text(
            "{option}, column {column}: {reason}",
            option=option,
            column=error.column + 1,
            reason=error.message,
        )
    )
