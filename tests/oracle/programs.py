"""Programs of `rnnstep code`, run: what they print is the engine's, and torch's reference's; and scenarios for them."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rnnstep.engine import Model, Trace
from rnnstep.engine.learning import Learning
from rnnstep.engine.trainer import Record
from rnnstep.program import torch_program
from rnnstep.program.source import results
from rnnstep.reference import TorchTraining, complete, run_gradients
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.read import read

REFUSED = ("backward_inside_the_loop", "h_0_of_the_wrong_shape")  # torch raises
EPOCH = re.compile(
    r"epoch (\d+): loss ([^,\s]+)(?:, says (.*))?(?:, ([\d.]+)% right)?(?:, ([\d.]+)% of the test rows)?"
)

WORD = 'vocabulary = ["e", "h", "l", "o"]\n[input]\ntext = "hello"\n'
NUMBERS = "[input]\nrandom = {shape = [4, 3, 2], seed = 1}\n"
SEED = "[weights]\nseed = 7\n"
ADAM = '[training]\noptimizer = "Adam"\nlr = 0.1\nepochs = 3\n'
SGD = "[training]\nlr = 0.5\nepochs = 3\n"


def module(name: str, *options: str, size: int = 3) -> str:
    return "\n".join(["[recurrent]", f'module = "{name}"', f"hidden_size = {size}", *options, ""])


def values(*shape: int) -> str:
    drawn = np.random.default_rng(5).standard_normal(shape).round(2)
    return f"[target]\nvalues = {drawn.tolist()}\n"


def classes(*shape: int, count: int = 3) -> str:
    return f"[target]\nindices = {np.random.default_rng(6).integers(0, count, shape).tolist()}\n"


class Run:
    """What a program printed: tensors under their names, and lines."""

    def __init__(self, program: str) -> None:
        self.printed: dict[str, list[object]] = {}
        self.lines: list[str] = []
        draws, grads = torch.get_rng_state(), torch.is_grad_enabled()
        torch.set_grad_enabled(True)
        try:
            exec(program, {"print": self._print})
        finally:
            torch.set_rng_state(draws)
            torch.set_grad_enabled(grads)
            torch.set_printoptions(profile="default")

    def _print(self, first: str, *others: object, **_: str) -> None:
        if others:
            value = others[0].clone() if isinstance(others[0], torch.Tensor) else others[0]
            self.printed.setdefault(first, []).append(value)
        else:
            self.lines.append(first)

    @property
    def epochs(self) -> list[re.Match[str]]:
        found = [EPOCH.fullmatch(line) for line in self.lines]
        assert all(found)
        return found

    @property
    def losses(self) -> list[float]:
        return [float(epoch[2]) for epoch in self.epochs]


class Numbers:
    """What the engine computes of a complete scenario, and torch's reference, as far as it is asked for; each of it once."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario

    @cached_property
    def trace(self) -> Trace:
        return Model(self.scenario).run()

    @cached_property
    def gradients(self) -> list[tuple[Any, Any]]:
        """Torch's and the engine's, of each batch."""
        model = Model(self.scenario)
        return [(run_gradients(done), model.backward(done)) for done in self.trace.passes]

    @cached_property
    def epochs(self) -> tuple[list[float], list[Record]]:
        """Torch's losses, and what the engine's epochs came to."""
        theirs = [epoch.loss for epoch in TorchTraining(self.scenario).epochs()]
        learning = Learning(self.scenario)
        return theirs, [learning.record(index) for index in range(len(theirs))]


def agrees(scenario: Scenario, numbers: Numbers | None = None) -> Run | None:
    """Run the program of a scenario; all that it prints is the engine's, and torch's reference's.

    Args:
        scenario: whose program it is.
        numbers: those that it is to print, where they are known from one that differs in names alone.
    """
    whole = complete(scenario)
    mistake = None if scenario.training is None else scenario.training.mistake
    if mistake in REFUSED:
        with pytest.raises((RuntimeError, ValueError, IndexError)):
            Run(torch_program(scenario))
        return None
    run = Run(torch_program(scenario))
    within = 1e-5 if scenario.dtype == np.float32 else 1e-12
    numbers = Numbers(whole) if numbers is None else numbers
    for name in results(scenario):
        ours = getattr(numbers.trace, name)
        ours = ours if isinstance(ours, list) else [ours]
        for array, tensor in zip(ours, run.printed[name], strict=True):
            assert tuple(tensor.shape) == array.shape
            assert tensor.numpy().dtype == array.dtype
            np.testing.assert_allclose(tensor.numpy(), array, rtol=within, atol=within)
    if scenario.has_loss and scenario.training is not None:
        _learns(numbers, run, within)
    elif scenario.has_loss:
        _goes_back(numbers, run, within)
    return run


def _learns(numbers: Numbers, run: Run, within: float) -> None:
    theirs, ours = numbers.epochs
    np.testing.assert_allclose(run.losses, theirs, rtol=within / 5)
    np.testing.assert_allclose(run.losses, [record.loss for record in ours], rtol=within)
    for epoch, record in zip(run.epochs, ours, strict=True):
        if epoch[3] is not None and record.prediction is not None:
            assert re.findall(r"\w+", epoch[3]) == re.findall(r"\w+", " ".join(record.prediction))
        for share, said in ((record.accuracy, epoch[4]), (record.test_accuracy, epoch[5])):
            assert said is None or float(said) == pytest.approx(100 * share, abs=0.06)


def _goes_back(numbers: Numbers, run: Run, within: float) -> None:
    for index, (theirs, ours) in enumerate(numbers.gradients):
        assert run.printed["loss"][index] == pytest.approx(theirs.loss, rel=within)
        printed = {
            _torch_name(name): given[index] for name, given in run.printed.items() if name.endswith(".grad")
        }
        assert printed.keys() == theirs.parameters.keys()
        for name, tensor in printed.items():
            if tensor is None:  # nothing came there: torch leaves None where the engine has zeros
                assert not ours.parameters[name].any()
                continue
            np.testing.assert_allclose(tensor.numpy(), theirs.parameters[name], rtol=within, atol=within)
            np.testing.assert_allclose(tensor.numpy(), ours.parameters[name], rtol=within, atol=within)


def _torch_name(printed: str) -> str:
    """Give the name of a parameter whose gradient the program printed: layers.1.weight_ih_l0.grad."""
    name = printed.removesuffix(".grad").removeprefix("rnn.")
    layer = re.fullmatch(r"(?:(\w+)_)?layers\.(\d+)\.(.*)_l0(.*)", name)
    if layer:
        return f"{f'{layer[1]}.' if layer[1] else ''}{layer[3]}_l{layer[2]}{layer[4]}"
    return {"loss_": "loss"}.get(name, name)


def scenario_in(folder: Path, text: str) -> Scenario:
    path = folder / "scenario.toml"
    path.write_text(text, "utf-8")
    return read(path)
