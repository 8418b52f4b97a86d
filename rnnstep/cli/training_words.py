"""The words around a training: its optimizer, the mistake that is made on purpose, and its cure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.reports.training import TrainingRun
from rnnstep.scenario.keys import OPTIMIZERS
from rnnstep.scenario.model import Scenario, Training

MOST_SHOWN = 60  # characters of a value in the cure


def optimizer_words(training: Training) -> str:
    """Give the optimizer as torch writes it, its defaults left out: `Adam(lr=0.1)`."""
    defaults = OPTIMIZERS[training.optimizer]
    given = {key: value for key, value in training.arguments.items() if key == "lr" or value != defaults[key]}
    words = [f"{key}={_number(value)}" for key, value in given.items()]
    words += [f"clip_grad_value={training.clip_grad_value:g}"] if training.clip_grad_value is not None else []
    words += [f"clip_grad_norm={training.clip_grad_norm:g}"] if training.clip_grad_norm is not None else []
    return f"{training.optimizer}({', '.join(words)})"


def _number(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_number, value))})"
    return str(value) if isinstance(value, bool) else f"{value:g}"


def mistake_words(training: Training) -> Text | None:
    """Say which mistake is made on purpose; None where there is none."""
    match training.mistake:
        case "no_zero_grad":
            return Text(
                "optimizer.zero_grad() is never called: every epoch's gradients are added to all before them"
            )
        case "hidden_not_reset":
            return Text("every epoch begins with the state in which the one before ended")
        case "softmax_before_cross_entropy":
            return Text("the loss is given softmax(logits), and takes the softmax of that once more")
        case "backward_inside_the_loop":
            return Text("loss.backward() stands inside the loop over the steps")
        case "h_0_of_the_wrong_shape":
            return Text("h_0 has a shape that torch does not take")
    return None


def mistake_lines(training: Training | None) -> Iterator[Text]:
    """Say so above numbers that a mistake made on purpose is at work in, or, where torch refuses it, its cure."""
    mistake = None if training is None else mistake_words(training)
    if training is None or mistake is None:
        return
    yield Text("The mistake made on purpose: {mistake}.", mistake=mistake)
    if training.is_refused:
        yield Text("torch refuses that (rnnstep train shows its words): the numbers are those of the cure.")


def cure_words(scenario: Scenario) -> Iterator[Text]:
    """Say what the cure is: of the mistake, and of what [cure] puts in place."""
    match scenario.training.mistake if scenario.training is not None else None:
        case "no_zero_grad":
            yield Text("the cure: optimizer.zero_grad() before every loss.backward()")
        case "hidden_not_reset":
            yield Text("the cure: every epoch begins with h_0 as the scenario gives it, zeros unless said")
        case "softmax_before_cross_entropy":
            yield Text("the cure: give CrossEntropyLoss the logits; it takes the softmax itself")
        case "backward_inside_the_loop":
            yield Text(
                "the cure: add up the losses in the loop; loss.backward() and optimizer.step() once, after it"
            )
        case "h_0_of_the_wrong_shape" if scenario.recurrent.is_cell:
            yield Text("the cure: h_0 of the shape (B, hidden_size), or none at all")
        case "h_0_of_the_wrong_shape":
            yield Text(
                "the cure: h_0 of the shape (num_layers * num_directions, B, hidden_size), or none at all"
            )
    for key, value in scenario.origins.cured():
        text = printable(json.dumps(value, ensure_ascii=False, default=str))
        shown = text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"
        yield Text("the cure: {key} = {value}", key=printable(key), value=shown)


def refusal_lines(run: TrainingRun, language: str) -> Iterator[str]:
    """Give what torch said to the program with the mistake, and the lines that it said it to."""
    for words in run.torch_words:
        yield ""
        yield f"  {words.what.into(language)}"
        yield from (f"      {line}" for line in words.code.split("\n"))
        yield f"      {words.error}: {words.message}"
