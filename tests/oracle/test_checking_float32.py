"""What torch computes in float32 is right in a scenario of float32, with however many decimals it is written."""

from __future__ import annotations

import pytest
import torch

from rnnstep.checking import Marks, inline_answers
from rnnstep.engine.learning import Learning
from rnnstep.scenario.file.document import Limits
from rnnstep.scenario.read import read_text

STEPS = 4


def scenario_text(module: str, weights: dict[str, torch.Tensor], inputs: torch.Tensor) -> str:
    lines = [
        f"[input]\nvalues = {inputs.tolist()}",
        f'[recurrent]\nmodule = "{module}"\nhidden_size = 3',
        "[weights]",
    ]
    lines += [f"{name} = {value.tolist()}" for name, value in weights.items()]
    return "\n".join([*lines, '[display]\ndtype = "float32"'])


@pytest.mark.parametrize("decimals", [5, 7, 8, 17])
@pytest.mark.parametrize("module", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("shown", [range(STEPS), [STEPS - 1]], ids=["every step", "the last step"])
def test_torch_is_right(module: str, decimals: int, shown: range | list[int]) -> None:
    torch.manual_seed(decimals)
    network = getattr(torch.nn, module)(2, 3)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(3)
        inputs = 2 * torch.randn(STEPS, 1, 2)
        output, _ = network(inputs)
    learning = Learning(read_text(scenario_text(module, dict(network.state_dict()), inputs)))
    lines = [
        f"h_{t + 1} = {' '.join(f'{value:.{decimals}f}' for value in output[t, 0].tolist())}" for t in shown
    ]
    marks = Marks.of(learning, inline_answers(lines, Limits())).marks
    assert [mark.status for mark in marks] == ["correct"] * len(shown)
