"""`rnnstep`: finds the command; without one, opens the debugger on what is named."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from rnnstep import __version__
from rnnstep.cli import (
    checking,
    coding,
    completion,
    configuring,
    gradients,
    grading,
    helping,
    lesson,
    listing,
    new,
    opening,
    programs,
    tracing,
    training,
    worksheet,
)
from rnnstep.cli.commands import WIDTH, Option, Subcommand, columns
from rnnstep.cli.speech import language_of, say, say_plainly
from rnnstep.errors import RnnstepError
from rnnstep.language import Text

PROGRAM = "rnnstep"
COMPLETE = "_RNNSTEP_COMPLETE"  # the variable by which the shell asks for completions
BAD_INPUT = 2

COMMANDS = {
    command.name: command
    for command in (
        tracing.COMMAND,
        gradients.COMMAND,
        training.COMMAND,
        checking.COMMAND,
        grading.COMMAND,
        worksheet.COMMAND,
        coding.COMMAND,
        lesson.COMMAND,
        programs.COMMAND,
        listing.COMMAND,
        configuring.COMMAND,
        new.COMMAND,
        completion.COMMAND,
        helping.COMMAND,
    )
}


class Root(click.Group):
    """The program itself: the group of all commands, and without one of them the command that opens the debugger."""

    allow_interspersed_args = True  # options may follow the scenarios

    def __init__(self, opening: Subcommand) -> None:
        super().__init__(
            opening.name, params=opening.params, invoke_without_command=True, add_help_option=False
        )
        self._opening = opening

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the commands in the order of the help."""
        return [str(name) for name in COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Give a command by its name."""
        return COMMANDS.get(cmd_name)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Leave everything to the command, if the first word that is no option names one."""
        position = self._first_word(args)
        if position is None or args[position] not in COMMANDS:
            return self._opening.parse_args(ctx, args)
        ctx.args = [args[position], *args[:position], *args[position + 1 :]]
        return ctx.args

    def invoke(self, ctx: click.Context) -> int:
        """Run the command, or open the debugger."""
        if not ctx.args:
            return int(self._opening.invoke(ctx))
        name, *rest = ctx.args
        command = COMMANDS[name]
        with command.make_context(
            f"{PROGRAM} {name}",
            rest,
            parent=ctx if name == "help" else None,
            obj=ctx.obj,
            terminal_width=WIDTH,
        ) as below:
            return int(command.invoke(below))

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write usage, what the program does, its commands and its options."""
        self._opening.format_usage(ctx, formatter)
        rows = [(command.usage.removeprefix(f"{PROGRAM} "), command.about) for command in COMMANDS.values()]
        told = [(usage, about.into(ctx.obj).split("\n")[0]) for usage, about in rows]
        formatter.write(f"\n{Text('Commands:').into(ctx.obj)}\n{columns(told)}\n")
        self._opening.format_options(ctx, formatter)

    def _first_word(self, args: Sequence[str]) -> int | None:
        """Give the position of the first argument that is neither an option nor its value."""
        every = [self, *COMMANDS.values()]
        takes_value = {
            name
            for command in every
            for param in command.params
            if isinstance(param, click.Option) and not param.is_flag
            for name in param.opts
        }
        is_value = False
        for position, word in enumerate(args):
            if word == "--":
                return None
            if not is_value and (not word.startswith("-") or word == "-"):
                return position
            is_value = not is_value and word in takes_value
        return None


def run(arguments: Sequence[str]) -> int:
    """Run a command line and give its exit status; messages are written here."""
    language = language_of(arguments)
    root = _root()
    instruction = os.environ.get(COMPLETE)
    if instruction:
        from click.shell_completion import shell_complete

        return shell_complete(root, {"obj": language}, PROGRAM, COMPLETE, instruction)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # an old terminal's encoding may lack Chinese or ✓
    try:
        with root.make_context(PROGRAM, list(arguments), obj=language, terminal_width=WIDTH) as context:
            return root.invoke(context)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.Abort:
        raise KeyboardInterrupt from None
    except click.UsageError as error:
        say(_told(error), language)
        say(Text("`{command} --help` shows what there is", command=_command_of(error)), language)
    except RnnstepError as error:
        say_plainly(error.into(language))
    return BAD_INPUT


def _root() -> Root:
    about = Text(
        "Step through every number of an RNN, LSTM or GRU, with torch's beside it.\n"
        "SCENARIO is a path, a folder, or the name of a bundled scenario such as hello; without one,"
        " choose from the bundled ones. Where standard output is not a terminal, the trace is printed."
    )
    params = [*opening.params(), _version_option()]
    return Root(
        Subcommand(PROGRAM, opening.run, params, usage=f"{PROGRAM} [OPTIONS] [SCENARIO...]", about=about)
    )


def _version_option() -> Option:
    def show(ctx: click.Context, _: click.Parameter, is_asked: bool) -> None:  # noqa: FBT001 - click's call
        if is_asked and not ctx.resilient_parsing:
            click.echo(f"{PROGRAM} {__version__}")
            ctx.exit()

    about = Text("show the version")
    return Option(
        "--version", "-V", is_flag=True, is_eager=True, expose_value=False, callback=show, about=about
    )


def _command_of(error: click.UsageError) -> str:
    path = error.ctx.info_name if error.ctx is not None else None
    return path or PROGRAM


def _told(error: click.UsageError) -> Text:
    """Say in our words what click found wrong."""
    from rnnstep.scenario.keys import closest

    match error:
        case click.NoSuchOption(option_name=option):
            known = [name for param in (error.ctx.command.params if error.ctx else ()) for name in param.opts]
            guess = closest(option, known)
            if guess is not None:
                return Text(
                    "{option}: there is no such option; did you mean {guess}?", option=option, guess=guess
                )
            return Text("{option}: there is no such option", option=option)
        case click.BadOptionUsage(option_name=option):
            return Text("{option}: expected one value after it, and none after a flag", option=option)
        case click.MissingParameter(param=click.Parameter() as param):
            return Text("{name} is missing", name=(param.metavar or "").strip("[]."))
    raise error
