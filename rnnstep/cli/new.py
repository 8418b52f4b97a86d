"""`rnnstep new MODULE`: a commented scenario, or lesson, to start from."""

from __future__ import annotations

from rnnstep.cli.commands import Argument, GivenOptions, Subcommand
from rnnstep.cli.options import OneOf, language_option, output_options
from rnnstep.language import Text
from rnnstep.scenario.template import LESSON, TEMPLATES, template


def run(given: GivenOptions, speech: str) -> int:
    """Write the scenario."""
    from rnnstep.cli.output import write_text

    write_text([template(given.module, speech)], given.output, force=given.force, is_file=True)
    return 0


COMMAND = Subcommand(
    "new",
    run,
    [Argument("MODULE", type=OneOf((*TEMPLATES, LESSON))), *output_options(), language_option()],
    usage="rnnstep new MODULE",
    about=Text(
        "Write a commented scenario, or lesson, to start from.\n"
        "MODULE is RNNCell, RNN, LSTMCell, LSTM, GRUCell or GRU, cell for a cell of one's own, seq2seq for an encoder and"
        " a decoder, attention for both with attention between; or lesson for a file of stops."
    ),
)
