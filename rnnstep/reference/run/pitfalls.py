"""The slips that torch refuses: the mistaken program is really run, and torch's words are given."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from rnnstep.engine.blocks import build
from rnnstep.engine.shapes import as_torch_shows, state_as_torch_shows
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.reference.run.loss import loss_of, mistake_of
from rnnstep.reference.run.modules import Tensor, array, called, tensor, whole_module
from rnnstep.reference.run.network import FirstStates, Network
from rnnstep.reference.run.stepping import cell_stepper
from rnnstep.reference.run.training import optimizer_of
from rnnstep.scenario.file.document import shown_shape
from rnnstep.scenario.model import Batch, Scenario

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TorchWords:
    """What torch said to a mistaken program.

    Attributes:
        what: what was done.
        code: the lines of the program that it comes down to.
        error: the class of the exception: "RuntimeError".
        message: its first line, printable. Torch's own words, in English.
    """

    what: Text
    code: str
    error: str
    message: str


def torch_words(scenario: Scenario) -> tuple[TorchWords, ...]:
    """Run the program with the scenario's mistake, in each of its ways; give what torch said to those it refused.

    Nothing where the scenario makes no mistake that torch refuses, or none that it could notice: a single step
    goes back once only, and a state of the input's size is right where both sizes are the same.
    """
    import torch

    match mistake_of(scenario):
        case "backward_inside_the_loop":
            programs = _backward_inside_the_loop(scenario)
        case "h_0_of_the_wrong_shape":
            programs = _h_0_of_the_wrong_shape(scenario)
        case _:
            return ()
    words = []
    with torch.enable_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in run_gradients
        for what, code, program in programs:
            try:
                program()
            except (RuntimeError, ValueError, IndexError) as error:
                message = printable(str(error).strip().partition("\n")[0])
                words.append(TorchWords(what, code, type(error).__name__, message))
    return tuple(words)


MistakenProgram = tuple[Text, str, Callable[[], object]]  # what is done, its code, and what does it


# ── backward inside the loop ─────────────────────────────────────────────────────────


def _backward_inside_the_loop(scenario: Scenario) -> Iterator[MistakenProgram]:
    ways = (
        (False, Text("loss.backward() and the update stand inside the loop over the steps")),
        (True, Text("the same with retain_graph=True, as the message seems to advise")),
    )
    for retain_graph, what in ways:
        lines = (
            *_loop_lines(scenario),
            f"    loss.backward({'retain_graph=True' if retain_graph else ''})",
            "    optimizer.step()",
        )
        yield what, "\n".join(lines), partial(_loop, scenario, retain_graph=retain_graph)


def _loop_lines(scenario: Scenario) -> Iterator[str]:
    """The loop over a cell, as a user would write it, up to the loss."""
    states = tuple(scenario.cell.states)
    of_steps = ".unbind(1)" if scenario.recurrent.batch_first and scenario.is_batched else ""
    x_t, logits = "x_t", states[0]
    at = scenario.layers.index(scenario.recurrent)
    for module in scenario.layers[:at]:
        x_t = f"{module.key}({x_t})"
    for module in scenario.layers[at + 1 :]:
        logits = f"{module.key}({logits})"
    h = states[0] if len(states) == 1 else f"({', '.join(states)})"
    yield f"for x_t, y_t in zip(x{of_steps}, y{of_steps}):"
    yield f"    {', '.join(states)} = cell({x_t}, {h})"
    assert scenario.loss is not None
    factor = "" if scenario.loss.factor == 1 else f"{scenario.loss.factor!r} * "
    yield f"    loss = loss + {factor}criterion({logits}, y_t)"


def _loop(scenario: Scenario, *, retain_graph: bool) -> None:
    """Add up the loss step by step, and go back and update after each."""
    assert scenario.training is not None
    network = Network(scenario)
    optimizer = optimizer_of(scenario.training, network.parameters)
    batch = scenario.batches[0]
    masks = scenario.masks_of(batch)
    states: FirstStates = network.first(batch)
    loss: Tensor = 0
    for t in range(batch.first.num_steps):
        step = _step_of(batch, t)
        answer = network(step, {key: mask[t : t + 1] for key, mask in masks.items()}, states)
        states = answer.ends
        loss = loss + loss_of(scenario, step, answer.logits)
        loss.backward(retain_graph=retain_graph)
        optimizer.step()


def _step_of(batch: Batch, t: int) -> Batch:
    """One step of a batch as a batch."""
    here = slice(t, t + 1)
    assert batch.target is not None
    return Batch(
        values=None if batch.values is None else batch.values[here],
        indices=None if batch.indices is None else batch.indices[here],
        target=batch.target[here],
    )


# ── h_0 of the wrong shape ───────────────────────────────────────────────────────────


def _h_0_of_the_wrong_shape(scenario: Scenario) -> Iterator[MistakenProgram]:
    is_cell = scenario.recurrent.is_cell
    call = "cell(x_1, {states})" if is_cell else "rnn(x, {states})"
    states = "h_0" if len(scenario.cell.states) == 1 else "(h_0, c_0)"
    for what, wrong in _wrong_shapes(scenario):
        code = f"h_0 = torch.zeros({', '.join(map(str, wrong))})\n{call.format(states=states)}"
        yield what, code, partial(_begin, scenario, wrong)


def _wrong_shapes(scenario: Scenario) -> Iterator[tuple[Text, Shape]]:
    """The shapes that people give h_0, but for those that are right."""
    recurrent = scenario.recurrent
    layers, rows = recurrent.num_states, scenario.batches[0].num_rows
    size = recurrent.output_size
    alone = (rows,) if scenario.is_batched else ()
    right = (*alone, size) if recurrent.is_cell else (layers, *alone, size)
    shown = {"right": shown_shape(right)}
    if recurrent.is_cell:
        yield Text("h_0 has an axis of layers, which a cell does not: {right} is right", **shown), (1, *right)
    elif not scenario.is_batched:
        wrong = (layers, 1, size)
        yield Text("h_0 has an axis of rows, which x does not: {right} is right", **shown), wrong
    else:
        yield Text("h_0 lacks the axis of layers: {right} is right", **shown), right[1:]
        # Of packed rows torch's LSTM reads beyond a state of too few layers instead of refusing it.
        if layers != rows and not scenario.batches[0].packed:
            wrong = (rows, layers, size)
            yield Text("h_0 has the rows first: {right} is right, with batch_first too", **shown), wrong
    if recurrent.input_size != size:
        wrong = (*right[:-1], recurrent.input_size)
        yield Text("h_0 has the size of the input: {right} is right", **shown), wrong


def _begin(scenario: Scenario, shape: Shape) -> None:
    """Call the module, or the cell on the first step, with zeros of a shape as h_0."""
    network, batch, recurrent = Network(scenario), scenario.batches[0], scenario.recurrent
    x = tensor(as_torch_shows(scenario, array(network.entered(batch, scenario.masks_of(batch)))))
    right = [
        tensor(state_as_torch_shows(scenario, recurrent, state)) for state in network.first(batch).values()
    ]
    states = (x.new_zeros(shape), *right[1:])
    if recurrent.is_cell:
        (block,) = (block for block in build(scenario) if block.kind == "recurrent")
        x_1 = x[:, 0] if scenario.is_batched and recurrent.batch_first else x[0]
        cell_stepper(scenario, block, network.parameters)(x_1, states)
    else:
        called(
            whole_module(recurrent, scenario.parameters),
            x,
            states,
            batch.first.packed_lengths,
            batch_first=recurrent.batch_first,
            num_steps=batch.first.num_steps,
        )
