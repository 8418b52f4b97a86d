"""A scenario as a short PyTorch program that gives its numbers, ready to run.

literals   arrays as Python text
attention  attention as a small module, since torch has none
own_cell   the equations of a user-defined cell as a function over torch
data       what goes in: indices, values, random numbers, windows, rows of a file; and the target
weights    the modules and where their parameters come from
forward    the call, or the loop over a cell; packed batches; dropout's masks
loss       the loss, the backward pass, one update
training   the loop over epochs, with the mistake that it makes on purpose, and what is printed of an epoch
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.modules.module import NetworkModule
from rnnstep.modules.recurrent import Recurrent
from rnnstep.program.attention import all_attention, memory_sequence
from rnnstep.program.circle import circle_of
from rnnstep.program.data import batches_lines, entering_lines, input_lines
from rnnstep.program.forward import carried_lines, gone_on_lines
from rnnstep.program.loss import criterion_line, gradient_lines, loss_lines, model_lines
from rnnstep.program.source import ProgramSource, indented
from rnnstep.program.training import printed_lines, training_lines, vocabulary_lines
from rnnstep.program.weights import module_lines
from rnnstep.program.wired import called_together, forward_lines
from rnnstep.scenario.model import Scenario


def torch_program(scenario: Scenario, language: str = "en") -> str:
    """Give the program of a scenario as it was read: pending parameters are left to the program itself.

    It prints what the modules give; with a target also the loss and all gradients; with a training instead
    the loss of every epoch.

    Raises:
        UsageError: Layers read others by name; several batches have masks or first states of their own in a way that a program does not write, or
            gradients are given in the place of a loss.
    """
    source = ProgramSource(scenario, language)
    _check_given(source)
    body = list(_body(source))
    return "\n".join([*_head(source, "\n".join(body)), *body]) + "\n"


def _check_given(source: ProgramSource) -> None:
    """Refuse what enters each of several batches where the loop of a training does not take it."""
    every = (*source.scenario.batches, *source.scenario.test_batches)
    _check_circles(source)
    _check_masks(source)
    sequences = [memory_sequence(source, layer) for layer in all_attention(source.scenario)]
    if source.is_several and any(
        fed.lengths is not None and fed.packed_lengths is None
        for batch in every
        for fed in (batch.sequences[name] for name in sequences)
    ):
        raise UsageError(
            Text(
                "a program of several batches has no place for lengths without packing, which attention reads"
            )
        )
    if source.is_several and any(batch.masks is not None for batch in every):
        raise UsageError(Text("a program has no place for masks that are given for each of several batches"))
    if source.is_several and any(batch.keep is not None for batch in every):
        raise UsageError(Text("a program has no place for resets that are given for each of several batches"))
    if source.scenario.goes_back and not source.has_loss:
        raise UsageError(
            Text("a program goes back from a loss: gradients that are given have no place in it")
        )
    if source.has_own_states and source.training is not None:
        raise UsageError(
            Text("the program of a training has no place for first states that are given for each batch")
        )


def _check_circles(source: ProgramSource) -> None:
    """Refuse modules that are called step by step, and have more in them than a call of one step takes."""
    for module in source.scenario.layers:
        is_several_layers = isinstance(module, Recurrent) and bool(module.masks or _is_layered_own(module))
        if is_several_layers and circle_of(source, module.key):
            raise UsageError(
                Text(
                    "{name} is called step by step: a program with dropout between its layers, or with layers of a cell of the"
                    " file, cannot be written yet",
                    name=module.name,
                )
            )


def _check_masks(source: ProgramSource) -> None:
    """Refuse masks that are drawn in the order of the file where the modules are called in another."""
    called = [one for part, _ in called_together(source) for one in part if one.masks]
    drawn = [one for one in source.scenario.layers if one.masks]
    if called != drawn and source.batch.masks is None:
        raise UsageError(
            Text(
                "dropout masks are drawn in the order of the file, {drawn}, and these layers are called as {called}; a program"
                " needs one order",
                drawn=", ".join(one.name for one in drawn),
                called=", ".join(one.name for one in called),
            )
        )


def _is_layered_own(module: NetworkModule) -> bool:
    return isinstance(module, Recurrent) and module.is_own and not module.is_cell


# ── head ─────────────────────────────────────────────────────────────────────────────

_IMPORTS = (  # what in the program asks for which line
    ("csv.reader(", "import csv"),
    ("re.findall(", "import re"),
    ("np.", "import numpy as np"),
    ("", "import torch"),
    ("load_file(", "from safetensors.torch import load_file"),
    ("nn.", "from torch import nn"),
)


def _head(source: ProgramSource, body: str) -> Iterator[str]:
    """Give the title and the imports that the body needs.

    Python looks in the first two lines for the name of an encoding (PEP 263), so nothing of a file stands there.
    """
    scenario = source.scenario
    yield source.comment(Text("A program in PyTorch alone, written by rnnstep."))
    yield "#"
    title = " ".join(scenario.title.into(source.language).split()) or scenario.name
    command = "train" if source.training is not None else "grad" if source.has_loss else "trace"
    yield f"# {title}"
    text = Text("It gives the numbers of `rnnstep {command} {name}`.", command=command, name=source.name)
    if source.training is not None and source.training.is_refused:
        text = Text(
            "The mistake that `rnnstep {command} {name}` tells of: torch stops at it.",
            command=command,
            name=source.name,
        )
    yield source.comment(text)
    for key, value in scenario.origins.cured():
        code = f"{printable(key)} = {json.dumps(value, ensure_ascii=False, default=str)}"
        yield source.comment(Text("Cure, in the scenario: {code}", code=code))
    for module, name in (("math", "inf"), ("math", "nan")):
        if re.search(rf"(?<![\w.]){name}(?!\w)", body):
            yield f"from {module} import {name}"
    yield from (line for sign, line in _IMPORTS if sign in body)
    yield ""
    yield f"torch.set_printoptions(precision={max(1, scenario.display.decimals)}, sci_mode=False)"
    if not source.has_loss:
        yield "torch.set_grad_enabled(False)"
    yield ""


# ── body ─────────────────────────────────────────────────────────────────────────────


def _body(source: ProgramSource) -> Iterator[str]:
    yield from module_lines(source)
    yield ""
    training = source.training
    yield from batches_lines(source) if source.is_several else input_lines(source)
    if training is not None:
        yield from vocabulary_lines(source)
        yield ""
        yield from training_lines(source, training)
        return
    if source.has_loss:
        yield criterion_line(source)
        yield from model_lines(source)
    yield ""
    if source.is_several:
        yield from carried_lines(source)
        yield f"for {source.loop_names} in batches:"
        yield from indented((*_once(source), *gone_on_lines(source)))
    else:
        yield from _once(source)


def _once(source: ProgramSource) -> Iterator[str]:
    """Take one batch through the modules, and back where there is a loss."""
    yield from entering_lines(source)
    yield from forward_lines(source, has_loss=source.has_loss_in_loop)
    if source.has_loss:
        yield from loss_lines(source)
    yield ""
    yield from printed_lines(source)
    if source.has_loss:
        yield ""
        yield from gradient_lines(source)
