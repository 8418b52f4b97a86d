"""`rnnstep completion SHELL`: what makes a shell complete our commands, options and scenarios."""

from __future__ import annotations

import click

from rnnstep.cli.commands import Argument, GivenOptions, Subcommand
from rnnstep.cli.options import OneOf, language_option
from rnnstep.language import Text

SHELLS = ("bash", "zsh", "fish")


def run(given: GivenOptions, speech: str) -> int:
    """Print the shell's script."""
    from click.shell_completion import get_completion_class

    complete = get_completion_class(given.shell)
    assert complete is not None
    root = click.get_current_context().command
    click.echo(complete(root, {}, "rnnstep", "_RNNSTEP_COMPLETE").source())
    return 0


COMMAND = Subcommand(
    "completion",
    run,
    [Argument("SHELL", type=OneOf(SHELLS)), language_option()],
    usage="rnnstep completion bash|zsh|fish",
    about=Text(
        "Print the script that completes commands, options and scenarios in a shell.\n"
        'For bash: eval "$(rnnstep completion bash)" in ~/.bashrc; zsh likewise in ~/.zshrc;'
        " fish: rnnstep completion fish > ~/.config/fish/completions/rnnstep.fish"
    ),
)
