"""Mistakes of normalizations, held against calculations in plain Python: right ones and wrong ones."""

from __future__ import annotations

import random

import numpy as np
import pytest

from rnnstep.checking import Marks, inline_answers
from rnnstep.engine import Model
from rnnstep.engine.learning import Learning
from rnnstep.scenario.file.document import Limits
from rnnstep.scenario.read import read_text
from tests.oracle.by_hand import Pen, Vector
from tests.oracle.by_hand_norms import CELL, MODULE, RUNNING, of_batch, of_cell, of_module

MODULES = {"LayerNorm": "", "BatchNorm1d": RUNNING}


def values(seed: int, size: float = 1.0) -> list:
    return (size * np.random.default_rng(seed).uniform(-1, 1, (3, 1, 4))).round(3).tolist()


def module(name: str, seed: int, eps: float, size: float = 1.0) -> Learning:
    text = MODULE.format(values=values(seed, size), module=name, eps=eps, seed=seed, running=MODULES[name])
    return Learning(read_text(text))


def cell(seed: int, size: float = 1.0) -> Learning:
    given = '"g" = [0.9, 1.2, 0.7]\n"b" = [0.1, -0.2, 0.0]\n'
    return Learning(read_text(CELL.format(values=values(seed, size), seed=seed) + given))


def line(name: str, given: Vector, pen: Pen) -> str:
    return f"{name} = {pen.written(given)}"


def marked(learning: Learning, lines: list[str]) -> Marks:
    return Marks.of(learning, inline_answers(lines, Limits()))


def named(got: Marks, number: int) -> set[str]:
    return {id_ for one in got.remarks(number).mistakes for id_ in one.ids}


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("name", MODULES)
def test_no_honest_rounding_of_a_module_is_wrong(name: str, share: float) -> None:
    for seed in range(12):
        learning = module(name, seed, 1e-5)
        pen = Pen(2 + seed % 3, share, seed)
        output = learning.epoch(0).forward(0).by_key["norm"].output
        found = of_module(learning.scenario, 1e-5, pen, None)
        names = [("norm", "h"), ("h",), ("norm",)][seed % 3]
        lines = [
            line(f"{t + 1}/norm/{output}" if one == "norm" else f"h_{t + 1}", step[one], pen)
            for t, step in enumerate(found)
            for one in names
        ]
        assert {mark.status for mark in marked(learning, lines).marks} == {"correct"}, seed


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_no_honest_rounding_in_a_cell_is_wrong(share: float) -> None:
    for seed in range(12):
        learning = cell(seed)
        pen = Pen(3 + seed % 2, share, seed)
        found = of_cell(learning.scenario, pen, None)
        names = [("s", "n", "h"), ("h",), ("n",)][seed % 3]
        lines = [line(f"{one}_{t + 1}", step[one], pen) for t, step in enumerate(found) for one in names]
        assert {mark.status for mark in marked(learning, lines).marks} == {"correct"}, seed


@pytest.mark.parametrize(
    ("name", "mistake"),
    [("LayerNorm", "unbiased_variance"), ("LayerNorm", "eps_left_out"), ("BatchNorm1d", "eps_left_out")],
)
@pytest.mark.parametrize("asked", ["norm", "h"])
def test_a_mistake_in_a_module_is_named(name: str, mistake: str, asked: str) -> None:
    """In what it gives, and in the h that is made of it; an eps of 0.05 shows in four decimals."""
    pen, count = Pen(4), 0
    for seed in range(4):
        learning = module(name, seed, 0.05)
        output = learning.epoch(0).forward(0).by_key["norm"].output
        wrong = of_module(learning.scenario, 0.05, pen, mistake)
        got = marked(learning, [line(f"1/norm/{output}" if asked == "norm" else "h_1", wrong[0][asked], pen)])
        assert got.marks[0].status == "wrong"
        count += mistake in named(got, 0)
    assert count >= 3


@pytest.mark.parametrize(
    ("mistake", "size", "decimals"), [("unbiased_variance", 1.0, 4), ("eps_left_out", 0.01, 7)]
)
def test_a_mistake_in_the_equations_of_a_cell_is_named(mistake: str, size: float, decimals: int) -> None:
    """Torch's eps, 1e-5, shows where the numbers are close together; where they are closer still, no variance is left."""
    pen, count = Pen(decimals), 0
    for seed in range(4):
        learning = cell(seed, size)
        wrong = of_cell(learning.scenario, pen, mistake)
        got = marked(learning, [line("s_1", wrong[0]["s"], pen), line("n_1", wrong[0]["n"], pen)])
        assert got.marks[0].status == "correct"
        count += mistake in named(got, 1)
    assert count >= 3


def test_right_gradients_through_a_normalization_are_right() -> None:
    target = "[target]\nvalues = [[[0.1, 0.2]], [[0.3, -0.1]], [[0.0, 0.4]]]\n[loss]\nname = 'MSELoss'\n"
    for name, running in MODULES.items():
        text = MODULE.format(values=values(5), module=name, eps=1e-5, seed=5, running=running)
        text = text.replace(
            "[[layers]]", '[[layers]]\nname = "below"\nmodule = "Linear"\nout_features = 4\n[[layers]]', 1
        )
        learning = Learning(read_text(text + target))
        for parameter, gradient in (
            Model(learning.scenario).backward(learning.epoch(0).forward(0)).parameters.items()
        ):
            for off in (0.0, 0.03):
                value = ";".join(
                    " ".join(f"{one:.5f}" for one in row)
                    for row in np.atleast_2d(np.asarray(gradient, float) + off)
                )
                got = marked(learning, [f"grad.{parameter} = {value}"])
                assert (got.marks[0].status == "correct") == (not off), (name, parameter)


@pytest.mark.parametrize("decimals", [1, 2, 3, 4])
def test_random_numbers_of_a_normalization_are_hardly_ever_named(decimals: int) -> None:
    rng = random.Random(decimals)
    count = 0
    for seed in range(8):
        learning = module(rng.choice(list(MODULES)), seed, 1e-5)
        output = learning.epoch(0).forward(0).by_key["norm"].output
        given = [rng.uniform(-2, 2) for _ in range(4)]
        got = marked(learning, [line(f"{rng.randrange(1, 4)}/norm/{output}", given, Pen(decimals))])
        count += got.marks[0].status == "wrong" and any(
            one.is_named for one in got.remarks(0, is_quick=True).mistakes
        )
    assert count <= 1


def trained(seed: int, eps: float) -> Learning:
    given = np.random.default_rng(seed).uniform(-1, 1, (3, 2, 4)).round(3).tolist()
    text = MODULE.format(values=given, module="BatchNorm1d", eps=eps, seed=seed, running="")
    return Learning(read_text(f'mode = "train"\n{text}'))


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_no_honest_rounding_of_a_batchs_statistics_is_wrong(share: float) -> None:
    for seed in range(8):
        learning, pen = trained(seed, 1e-5), Pen(3 + seed % 2, share, seed)
        found = of_batch(learning.scenario, 1e-5, pen, None)
        output = learning.epoch(0).forward(0).by_key["norm"].output
        lines = [line(f"{t + 1}/norm/{output}", step[0], pen) for t, step in enumerate(found)]
        assert {mark.status for mark in marked(learning, lines).marks} == {"correct"}, seed


@pytest.mark.parametrize("mistake", ["unbiased_variance", "eps_left_out"])
def test_a_mistake_in_a_batchs_statistics_is_named(mistake: str) -> None:
    pen, count = Pen(4), 0
    for seed in range(4):
        learning = trained(seed, 0.05)
        wrong = of_batch(learning.scenario, 0.05, pen, mistake)
        output = learning.epoch(0).forward(0).by_key["norm"].output
        got = marked(learning, [line(f"1/norm/{output}", wrong[0][0], pen)])
        assert got.marks[0].status == "wrong"
        count += mistake in named(got, 0)
    assert count >= 3
