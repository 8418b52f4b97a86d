"""click's commands and options with their words in two languages.

Each says what it is about as a `Text`; the language is the context's `obj`, known before
the command line is parsed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import click

from rnnstep.errors import UsageError
from rnnstep.language import Text

WIDTH = 80  # of the help, in every terminal: looking it up would cost two milliseconds of the start
DISAGREES = 1  # the exit status where torch disagrees
HELP_NAMES = ("-h", "--help")

Divided = Callable[[list[str]], tuple[list[str], list[str]]]

GivenOptions = SimpleNamespace
"""The values of a command's options and arguments, under their names: `given.memory_limit`."""


class Option(click.Option):
    """An option that says what it does as a `Text`."""

    def __init__(self, *names: str, about: Text, **attributes: Any) -> None:
        super().__init__(names, **attributes)
        self.about = about


class Argument(click.Argument):
    """An argument, shown in usage as it is called."""

    def __init__(self, name: str, **attributes: Any) -> None:
        super().__init__([name.lower()], metavar=name, **attributes)


class Subcommand(click.Command):
    """A command; `action` gets what was given and the language of messages, and gives the exit status."""

    def __init__(
        self,
        name: str,
        action: Callable[[GivenOptions, str], int],
        params: Sequence[click.Parameter],
        *,
        usage: str,
        about: Text,
        divided: Divided | None = None,
    ) -> None:
        """Take what click's commands take.

        Args:
            name: Of the command.
            action: What it does.
            params: Its options and arguments.
            usage: How it is called.
            about: What it does, in words; the first line alone in the list of commands.
            divided: Divides its words into its own and those of a program that it runs, given as `program`.
        """

        def run(**parameters: Any) -> int:
            return action(GivenOptions(**parameters), click.get_current_context().obj)

        super().__init__(name, callback=run, params=[*params, _help_option()], add_help_option=False)
        self.usage = usage
        self.about = about
        self._divided = divided

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse as click does; what is left over is an error in our words."""
        ctx.allow_extra_args = True
        if self._divided is not None:
            args, program = self._divided(args)
            ctx.params["program"] = tuple(program)
        left = super().parse_args(ctx, args)
        if left and not ctx.resilient_parsing:
            raise UsageError(Text("{found}: one argument too many", found=left[0]))
        return left

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write usage, what the command does, and its options."""
        self.format_usage(ctx, formatter)
        self.format_options(ctx, formatter)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write usage, and what the command does."""
        usage = Text("Usage: {usage}", usage=self.usage).into(ctx.obj)
        formatter.write(f"{usage}\n\n{paragraphs(self.about.into(ctx.obj))}\n")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options in two columns."""
        rows = [row for param in self.params if (row := option_row(ctx, param)) is not None]
        formatter.write(f"\n{Text('Options:').into(ctx.obj)}\n{columns(rows)}\n")


def _help_option() -> Option:
    # click's own would look for a translation on the disk, which costs a millisecond of the start.
    def show(ctx: click.Context, _: click.Parameter, is_asked: bool) -> None:  # noqa: FBT001 - click's call
        if is_asked and not ctx.resilient_parsing:
            click.echo(ctx.get_help())
            ctx.exit()

    about = Text("show this text")
    return Option(*HELP_NAMES, is_flag=True, is_eager=True, expose_value=False, callback=show, about=about)


def option_row(ctx: click.Context, param: click.Parameter) -> tuple[str, str] | None:
    """Give an option's names with its metavar, and what it does; None for an argument."""
    if not isinstance(param, Option):
        return None
    names = ", ".join(param.opts)
    return (names if param.is_flag else f"{names} {param.make_metavar(ctx)}", param.about.into(ctx.obj))


def paragraphs(text: str) -> str:
    """Break a text into lines of the page's width; its own line breaks stay."""
    return "\n".join("\n".join(wrapped(line, WIDTH)) for line in text.split("\n"))


def columns(rows: Sequence[tuple[str, str]]) -> str:
    """Write names and what they stand for, the second column under itself."""
    most = min(max(len(name) for name, _ in rows), 28)
    lines = []
    for name, about in rows:
        lines_of_about = wrapped(about, WIDTH - most - 4)
        if len(name) > most:
            lines.append(f"  {name}")
        else:
            lines.append(f"  {name:{most}}  {lines_of_about.pop(0)}".rstrip())
        lines += [" " * (most + 4) + line for line in lines_of_about]
    return "\n".join(lines)


def wrapped(text: str, width: int) -> list[str]:
    """Break a line at its blanks; Chinese has none and stays whole."""
    lines: list[str] = []
    for word in text.split(" "):
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
