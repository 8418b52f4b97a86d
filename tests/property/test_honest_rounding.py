"""No honest calculation is called wrong: forth, back and update, of any module, rounded at random places.

The lines are worked out as numbers, each operation's result, and each product of a sum, rounded or not as a coin falls;
what came out is given as answers, some or all of it, some with a decimal less, in any order, and marked.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rnnstep.checking.answers.answer import Answer
from rnnstep.checking.answers.layout import Laid
from rnnstep.checking.answers.numbers import Numbers
from rnnstep.checking.answers.targets import Target, TargetPart
from rnnstep.checking.calculation import Calculation
from rnnstep.checking.marking import Sheet
from rnnstep.checking.own_numbers import Own
from rnnstep.checking.rounding import Rounded
from rnnstep.engine.learning import Learning
from rnnstep.equations.operations import OPERATIONS
from rnnstep.scenario.read import read_text
from rnnstep.worksheet.worksheet import rounded_scenario


class Person(Rounded):
    """The reading as numbers of a person who rounds to the nearest, now and then or always."""

    def __init__(self, decimals: int, share: float, seed: int) -> None:
        super().__init__(decimals)
        self._share = share
        self._random = np.random.default_rng(seed)

    def put_down(self, value):
        value = np.asarray(value, float)
        is_rounded = self._random.random(value.shape) < self._share
        return np.where(is_rounded, np.round(value, self.decimals), value)

    def written(self, expression, bounds):  # noqa: ARG002 - as the reading's own
        return self._both(bounds[0])

    def apply(self, op, args):
        values = [one[0] if isinstance(one, tuple) else one for one in args]
        with np.errstate(all="ignore"):
            return self._both(self._applied(op, values))

    def _both(self, value):
        value = self.put_down(value)
        return value, value

    def _applied(self, op, values):
        put_down = self.put_down
        match op:
            case "matmul":
                return put_down(values[0] * values[1][..., None, :]).sum(-1)
            case "pullback":
                total = 0.0
                for w, g in zip(values[::2], values[1::2], strict=True):
                    total = put_down(total + put_down(put_down(w.T * g[..., None, :]).sum(-1)))
                return total
            case "outer":
                each = put_down(values[0][..., :, None] * values[1][..., None, :])
                return each.sum(0) if values[0].ndim > 1 else each
            case "sigmoid" if self._random.random() < 0.5:
                return 1 / put_down(1 + put_down(np.exp(-values[0])))
            case "softmax":
                powers = put_down(np.exp(values[0]))
                return powers / put_down(powers.sum(-1, keepdims=True))
        return OPERATIONS[op].forward(*values)


def scenario_text(rng: random.Random) -> str:
    module = rng.choice(["RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"])
    steps, rows, size, hidden = rng.randint(1, 4), rng.choice([1, 1, 2]), rng.randint(1, 3), rng.randint(2, 3)
    is_cell, output, options = module.endswith("Cell"), hidden, ""
    if module == "LSTM" and rng.random() < 0.3:
        options, output = "proj_size = 1\n", 1
    if not is_cell and rng.random() < 0.3:
        options += "num_layers = 2\n"
    if not is_cell and rng.random() < 0.3:
        options, output = options + "bidirectional = true\n", 2 * output
    is_short = not is_cell and steps > 1 and rows > 1 and rng.random() < 0.5
    has_linear = rng.random() < 0.6
    is_final = has_linear and not is_cell and rng.random() < 0.4
    classes = 3 if has_linear else output
    target = [[rng.randrange(classes) for _ in range(rows)] for _ in range(1 if is_final else steps)]
    return "\n".join(
        [
            f"[input]\nrandom = {{shape = [{steps}, {rows}, {size}], seed = {rng.randrange(999)}}}",
            f"lengths = [{steps}, {steps - 1}]" if is_short else "",
            f'[recurrent]\nmodule = "{module}"\nhidden_size = {hidden}\n{options}',
            "[linear]\nout_features = 3" if has_linear else "",
            'from = "h_n"' if is_final else "",
            f"[weights]\nseed = {rng.randrange(999)}",
            f"[target]\nindices = {target[0] if is_final else target}",
            '[training]\noptimizer = "SGD"\nlr = 0.1\nmomentum = 0.5\nepochs = 2',
        ]
    )


def worked_out(learning: Learning, person: Person, rng: random.Random) -> Iterator[Laid]:
    """What the person wrote: all lines, or some of them, of the first epoch, of the second, or of both."""
    sheet = Sheet(learning, [])
    for epoch in (0, 1):
        done = learning.epoch(epoch).forward(0)
        paper = Calculation(done, Own(), person.decimals, epoch=epoch, reading=person, sheet=sheet)
        sheet._papers[epoch, 0, person.decimals] = paper
    share, coarse = rng.choice([0.15, 0.5, 1.0]), rng.choice([0.0, 0.1])

    def told() -> int | None:
        """With how many decimals a number is given; None of one that is not."""
        if rng.random() >= share:
            return None
        return person.decimals - (rng.random() < coarse)

    for epoch in rng.choice([(0,), (1,), (0, 1)]):
        yield from _of_epoch(learning, sheet.of_batch(epoch, 0, person.decimals), told)


def _of_epoch(learning: Learning, paper: Calculation, told: Callable[[], int | None]) -> Iterator[Laid]:
    for phase in learning.structure.phases:
        stage = learning.structure.stage(0, phase)
        for key, block in stage.by_key.items():
            for t in stage.steps[key]:
                values = paper.step(phase, key, t).values
                for line in block.program.lines:
                    if (decimals := told()) is not None:
                        shape = tuple(int(size) for size in block.program.shapes[line.name])
                        place = paper.place(phase, key, t, line.name)
                        yield from _laid(place, shape, values[line.name][0], paper.done, decimals)


def _laid(place, shape, value, done, decimals) -> Iterator[Laid]:
    has_rows = np.ndim(value) > len(shape)
    for row in range(done.batch.num_rows if has_rows else 1):
        if has_rows and place.t > done.batch.first.axis.last_step(row):
            continue
        size = shape or (1,)
        own = np.round(
            np.broadcast_to(value[min(row, len(value) - 1)] if has_rows else value, size), decimals
        )
        if np.isfinite(own).all():
            target = Target((TargetPart(place, (slice(None),) * len(size)),), size, row, place.t)
            numbers = Numbers(own, np.full(size, decimals))
            yield Laid(Answer(place.name, numbers, place.t, decimals=decimals), target, numbers)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9))
@example(86133)  # a power that is not rounded over a sum that is: a probability of 1.0001
def test_no_honest_calculation_is_called_wrong(seed):
    rng = random.Random(seed)
    decimals = rng.choice([2, 3, 4])
    text = scenario_text(rng)
    learning = Learning(rounded_scenario(read_text(text), rng.randint(1, decimals)))
    person = Person(decimals, rng.choice([0.0, 0.3, 1.0]), seed)
    laid = list(worked_out(learning, person, rng))
    if rng.random() < 0.5:
        rng.shuffle(laid)
    sheet = Sheet(learning, laid)
    wrong = [
        (mark.target.parts[0].place, mark.given, mark.low, mark.high)
        for mark in sheet.marks
        if mark.status != "correct"
    ]
    assert wrong == [], text
