"""`rnnstep run SCRIPT.py ARGS…`: a program run as `python` runs it, stopped at the first number that is not finite."""

from __future__ import annotations

from typing import Any

from rnnstep.cli.commands import GivenOptions, Option, Subcommand
from rnnstep.cli.options import in_option, language_option
from rnnstep.cli.speech import say
from rnnstep.cli.threads import give_back_threads
from rnnstep.errors import EquationError, UsageError
from rnnstep.language import Text

_WITH_VALUE = ("--when", "--save", "--language")


def _divided(args: list[str]) -> tuple[list[str], list[str]]:
    """Divide a command line into the options of `run`, and the program with its arguments."""
    at = 0
    while at < len(args):
        word = args[at]
        if word == "-m" or not word.startswith("-") or word == "-":
            return args[:at], args[at:]
        if word == "--":
            return args[:at], args[at + 1 :]
        at += 2 if word in _WITH_VALUE else 1
    return args, []


def run(given: GivenOptions, speech: str) -> int:
    """Run the program."""
    from rnnstep.cli.running import UserProgram
    from rnnstep.cli.running import run as run_watched

    program: tuple[str, ...] = given.program
    is_module = program[:1] == ("-m",)
    words = program[1:] if is_module else program
    if not words:
        raise UsageError(
            Text("MODULE is missing behind -m")
            if is_module
            else Text("SCRIPT is missing: a Python file, or -m MODULE")
        )

    give_back_threads()
    if given.when is not None:
        _check_condition(given.when)

    def told(text: Text) -> None:
        say(text, given.language or speech)

    return run_watched(UserProgram(words[0], words[1:], is_module), given.when, given.save, told)


def _check_condition(text: str) -> None:
    """Refuse what is no expression before the program runs; what its modules compute is not known yet."""
    from rnnstep.equations.syntax import parse_expression

    try:
        parse_expression(text)
    except EquationError as error:
        raise in_option(error, "--when") from None


_PARAMS: list[Any] = [
    Option("--when", metavar="EXPR", about=Text("stop where a condition holds, too, such as norm(h) > 100")),
    Option(
        "--save",
        metavar="DIR",
        about=Text("save the last calls in this folder, and do not open the debugger"),
    ),
    language_option(),
]

COMMAND = Subcommand(
    "run",
    run,
    _PARAMS,
    usage="rnnstep run [OPTIONS] SCRIPT.py [ARGS...] | -m MODULE [ARGS...]",
    about=Text(
        "Run a Python program as python does, and stop at the first number of a recurrent module that is not finite.\n"
        "An output, a state, a gradient or a parameter, or an exception from the call of one that nobody catches. The debugger"
        " opens where the number arises; without a terminal the last calls are saved. The exit status is 1 then; without a"
        " finding it is the program's own."
    ),
    divided=_divided,
)
