"""Weights that are pleasant to work with: few digits, nothing saturated or lost, and every mistake would show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from rnnstep.checking.answers import Answer, Answers
from rnnstep.checking.marking import Sheet
from rnnstep.checking.numbers import Numbers
from rnnstep.checking.slip import Slip
from rnnstep.engine.learning import Learning
from rnnstep.engine.passes import Pass
from rnnstep.equations.syntax import Apply
from rnnstep.scenario.document import Document, Limits
from rnnstep.scenario.model import Scenario

MOST_TRIES = 400
MOST_JUDGED = 12  # of the pleasant ones, of which the mistakes are tried
REACH = 1.0  # of the weights, which have one decimal
LEAST, MOST = 0.08, 0.95  # between which a result of tanh or a gate is neither lost nor saturated


@dataclass(frozen=True, eq=False)
class Friendly:
    """What the search found.

    Attributes:
        scenario: with the weights.
        hidden: the mistakes that would not show at the asked decimals; none if all goes well.
    """

    scenario: Scenario
    hidden: tuple[str, ...]


def friendly(scenario: Scenario, decimals: int, seed: int) -> Friendly:
    """Search weights of one decimal, from a seed."""
    rng = np.random.default_rng(seed)
    tried = [_drawn(scenario, rng) for _ in range(MOST_TRIES)]
    learnings = (Learning(drawn) for drawn in tried)
    pleasant = (one for one in learnings if _is_pleasant(one.epoch(0).forward(0)))
    best: Friendly | None = None
    for learning in islice(pleasant, MOST_JUDGED):
        found = Friendly(learning.scenario, tuple(_hidden(learning, decimals)))
        if best is None or len(found.hidden) < len(best.hidden):
            best = found
        if not best.hidden:
            break
    if best is None:  # nothing is pleasant, as where a state must grow
        best = Friendly(tried[0], tuple(_hidden(Learning(tried[0]), decimals)))
    return best


def _drawn(scenario: Scenario, rng: np.random.Generator) -> Scenario:
    """Weights of one decimal from −1 to 1, none of them 0, no two of a bias pair alike."""
    found = {}
    for name, value in scenario.parameters.items():
        tenths = rng.integers(1, int(10 * REACH) + 1, value.shape) * rng.choice((-1, 1), value.shape)
        found[name] = (tenths / 10).astype(value.dtype)
    return scenario.with_parameters(found)


def _is_pleasant(done: Pass) -> bool:
    """Whether no result of a tanh or sigmoid is next to 0 or to its ends."""
    for key, run in done.runs.items():
        for line in run.block.program.lines:
            if not isinstance(line.expression, Apply) or line.expression.op not in ("tanh", "sigmoid"):
                continue
            for t in range(done.batch.num_steps):
                size = np.abs(done.value(key, line.name, t))
                if not ((size >= LEAST) & (size <= MOST)).all():
                    return False
    return True


def _hidden(learning: Learning, decimals: int) -> Iterator[str]:
    """The mistakes that no value of any step shows, each worked out from the right states before it."""
    done = learning.epoch(0).forward(0)
    sheet = Sheet.of(
        learning, Answers(tuple(_states(done, decimals)), Document("", Path(), "", {}, Limits()))
    )
    shown: dict[str, bool] = {}
    for slip in sheet.catalogue.slips(sheet.targets[0].parts[0].place):
        if slip.id != "wrong_index" and not shown.get(slip.id):
            shown[slip.id] = _shows(sheet, done, decimals, slip)
    return (id_ for id_, is_shown in shown.items() if not is_shown)


def _states(done: Pass, decimals: int) -> Iterator[Answer]:
    """Every state of every step, rounded."""
    for t in range(done.batch.last_step(0) + 1):
        for run in done.runs.values():
            for state in run.block.program.states:
                value = np.asarray(np.round(run.value(state, t)[0], decimals), np.float64)
                numbers = Numbers(value, np.full(value.shape, decimals))
                block = run.block
                yield Answer(state, numbers, t, block.layer, block.direction, decimals=decimals, line=1)


def _shows(sheet: Sheet, done: Pass, decimals: int, slip: Slip) -> bool:
    """Whether a slip gives another number somewhere, or has no say in any."""
    has_a_say = False
    place = sheet.targets[0].parts[0].place
    right, wrong = sheet.paper(place, decimals), sheet.paper(place, decimals, slip)
    for key in done.runs:
        for t in range(done.batch.last_step(0) + 1):
            try:
                one, other = (paper.step("forward", key, t).derived for paper in (right, wrong))
            except (KeyError, IndexError, ValueError):
                return True
            for name, (low, high) in other.items():
                if name not in one or (
                    np.array_equal(low, one[name][0]) and np.array_equal(high, one[name][1])
                ):
                    continue
                has_a_say = True
                if np.any((low > one[name][1]) | (high < one[name][0])):
                    return True
    return not has_a_say
