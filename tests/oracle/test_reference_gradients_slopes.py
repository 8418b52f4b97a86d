"""torch's loss and gradients beside plain numpy: the loss worked out row by row, and its finite differences."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from rnnstep.engine import Model
from rnnstep.engine.blocks import build
from rnnstep.equations.evaluate import Values, evaluate
from rnnstep.reference import run_gradients
from rnnstep.scenario.model import Training
from tests.oracle.gradient_cases import done_of, every_case

# ── the loss by hand, and its slopes ─────────────────────────────────────────────────────────

Change = Callable[[str, str, int, int, np.ndarray], np.ndarray]  # key, name, t, row and the value there


def same(key, name, t, row, value):
    return value


class Numbers:
    """The loss in plain numpy, row by row and line by line; every value passes through `change`."""

    def __init__(self, done, scenario=None):
        self.done, self.change = done, same
        self.changed_row = None  # of one row: the others are what they were, and walked once
        self.walked = {}
        self.scenario = scenario or done.scenario
        self.blocks = {block.key: block for block in build(self.scenario) if block.kind == "recurrent"}
        self.steps, self.rows = done.x.shape[:2]

    def loss(self):
        return self.criterion(self.logits())

    def pushed(self, place, by):
        """The same with one element of one value moved: of all rows at once where the place has no row, as of a parameter."""
        key, name, t, row, element = place

        def change(*at_and_value):
            *at, value = at_and_value
            if at[:3] != [key, name, t] or row not in (None, at[3]):
                return value
            moved = np.array(value, np.float64)
            moved[element] += by
            return moved

        other = copy.copy(self)
        other.change, other.changed_row = change, row
        return other

    def logits(self):
        parameters, recurrent = self.scenario.parameters, self.scenario.recurrent
        batch = self.done.batch
        x = self.done.x if batch.values is not None else parameters["embedding.weight"][batch.indices]
        for layer in range(recurrent.num_layers):
            keys = [key for key, block in self.blocks.items() if block.layer == layer]
            rows = [[self.walk(key, x[:, row], row) for key in keys] for row in range(self.rows)]
            outputs = np.stack([np.concatenate([whole for whole, _ in found], -1) for found in rows], 1)
            ends = np.stack([np.concatenate([end for _, end in found], -1) for found in rows])
            x = self.done.masks.get(f"dropout{layer}", 1.0) * outputs
        features = ends if self.scenario.reads_final_state else x
        features = self.spread("features", features)
        if self.scenario.head is not None:
            features = features @ parameters["linear.weight"].T + parameters["linear.bias"]
        return self.spread("logits", features)

    def spread(self, name, whole):
        by_row = whole if whole.ndim == 3 else whole[None]
        changed = [
            [self.change("", name, t, row, by_row[t, row]) for row in range(self.rows)]
            for t in range(len(by_row))
        ]
        return np.array(changed) if whole.ndim == 3 else np.array(changed[0])

    def walk(self, key, x, row):
        """Step one row; give its output as it is read above, (T, n), and the end of it."""
        if self.changed_row in (None, row):
            return self.step(key, x, row)
        if (key, row) not in self.walked:
            self.walked[key, row] = self.step(key, x, row)
        return self.walked[key, row]

    @np.errstate(all="ignore")
    def step(self, key, x, row):
        block = self.blocks[key]
        length = self.done.batch.first.axis.last_step(row) + 1
        states = {
            f"{name}_prev": self.scenario.first_state(block, name, self.done.batch)[row]
            for name in block.program.states
        }
        output = np.zeros((self.steps, *states[f"{block.output}_prev"].shape))
        for t in range(length - 1, -1, -1) if block.direction == "backward" else range(length):
            known = {**block.parameters, "x": x[t], **states}
            seen = {name: self.change(key, name, t, row, value) for name, value in known.items()}
            for line in block.program.lines:
                value = evaluate(line.expression, seen, Values(is_silenced=True))
                seen[line.name] = self.change(key, line.name, t, row, value)
            states = {f"{name}_prev": seen[name] for name in block.program.states}
            output[t] = seen[block.output]
        output = np.array([self.change(key, "output", t, row, value) for t, value in enumerate(output)])
        return output, output[0 if block.direction == "backward" else length - 1]

    def criterion(self, logits):
        loss, target = self.scenario.loss, self.done.batch.target
        per_step = (
            list(zip(logits, target, strict=True))
            if logits.ndim == 3 and loss.over_time == "sum"
            else [(logits, target)]
        )
        total = 0.0
        for said, wanted in per_step:
            if loss.name == "CrossEntropyLoss":
                flat, classes = said.reshape(-1, said.shape[-1]), wanted.reshape(-1)
                counted = classes != loss.ignore_index
                flat, classes = flat[counted], classes[counted]
                each = np.log(np.exp(flat).sum(-1)) - flat[np.arange(len(flat)), classes]
            elif loss.name == "MSELoss":
                each = (said - wanted) ** 2
            elif loss.name == "SmoothL1Loss":
                far = np.abs(said - wanted)
                each = np.where(far < loss.beta, far**2 / (2 * loss.beta), far - loss.beta / 2)
            else:
                each = np.log1p(np.exp(said)) - wanted * said
            total += loss.factor * (each.mean() if loss.reduction == "mean" else each.sum())
        return total


def slope(function: Callable[[float], float], step=1e-5):
    """The derivative at 0."""
    return (function(step) - function(-step)) / (2 * step)


def assert_slope(found, function):
    assert found == pytest.approx(slope(function), rel=1e-6, abs=1e-9)


def chosen(generator, array, count):
    """Some indices of an array."""
    every = [np.unravel_index(index, array.shape) for index in range(array.size)]
    picked = generator.permutation(len(every))[:count]
    return [tuple(int(axis) for axis in every[index]) for index in picked]


# ── gradients ────────────────────────────────────────────────────────────────────────────────


@every_case
def test_the_loss_and_the_gradients_of_parameters_are_right(make, case):
    done = done_of(make, case)
    found = run_gradients(done)
    assert found.loss == pytest.approx(Numbers(done).loss(), rel=1e-12)
    generator = np.random.default_rng(0)
    for name, gradient in found.parameters.items():
        for index in chosen(generator, gradient, 2):
            if case == "embedding" and name == "embedding.weight" and index[0] == 0:
                assert gradient[index] == 0  # the row of the padding does not learn
                continue

            def loss(by, name=name, index=index):
                changed = done.scenario.parameters[name].copy()
                changed[index] += by
                return Numbers(done, scenario=done.scenario.with_parameters({name: changed})).loss()

            assert_slope(gradient[index], loss)


@every_case
def test_the_gradients_along_the_run_are_right(make, case):
    done = done_of(make, case)
    found = run_gradients(done)
    numbers, generator = Numbers(done), np.random.default_rng(1)
    arrays = [("", "logits", found.gradients.scores)]
    arrays += [("", "features", read) for read in found.gradients.read.values()]
    for key in done.runs:
        arrays += [(key, "output", found.gradients.output[key]), (key, "x", found.gradients.x[key])]
        arrays += [(key, name, value) for name, value in found.states[key].items()]
        arrays += [(key, name, value) for name, value in found.inner[key].items()]
    lengths = [done.batch.first.axis.last_step(row) + 1 for row in range(done.batch.num_rows)]
    for key, name, gradient in arrays:
        for index in chosen(generator, gradient, 2):
            t, row, element = index if gradient.ndim == 3 else (0, *index)
            if key and name != "output" and t >= lengths[row]:
                assert gradient[index] == 0
                continue
            place = key, name, t, row, (Ellipsis, element)
            assert_slope(gradient[index], lambda by, place=place: numbers.pushed(place, by).loss())


@every_case
def test_the_share_of_each_step_is_right(make, case):
    done = done_of(make, case)
    found = run_gradients(done)
    numbers, generator = Numbers(done), np.random.default_rng(2)
    for key in done.runs:
        for name, share in found.shares[key].items():
            for t, *index in chosen(generator, share, 1):
                place = key, name, t, None, tuple(index)
                assert_slope(share[t, *index], lambda by, place=place: numbers.pushed(place, by).loss())


def test_a_softmax_before_the_cross_entropy_is_made_on_purpose(make):
    done = done_of(make, "RNNCell")
    mistaken = replace(done.scenario, training=Training(mistake="softmax_before_cross_entropy"))
    found = run_gradients(Model(mistaken).run_batch(0))

    class Mistaken(Numbers):
        def criterion(self, logits):
            powers = np.exp(logits)
            return super().criterion(powers / powers.sum(-1, keepdims=True))

    numbers = Mistaken(done)
    assert found.loss == pytest.approx(numbers.loss(), rel=1e-12)
    assert found.loss != pytest.approx(Numbers(done).loss(), rel=1e-3)
    for t in (0, 4):
        place = "L0", "h", t, 1, (Ellipsis, 2)
        assert_slope(
            found.states["L0"]["h"][t, 1, 2], lambda by, place=place: numbers.pushed(place, by).loss()
        )
