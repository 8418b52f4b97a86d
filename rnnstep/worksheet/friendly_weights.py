"""Weights that are pleasant to work with: few digits, nothing saturated or lost, and every mistake would show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rnnstep.checking.answers.answer import Answer, Answers
from rnnstep.checking.answers.numbers import Numbers
from rnnstep.checking.marking import UNFIT, Sheet
from rnnstep.checking.slip import Slip
from rnnstep.engine.learning import Learning
from rnnstep.engine.passes import Pass
from rnnstep.equations.syntax import Apply
from rnnstep.scenario.file.document import Document, Limits
from rnnstep.scenario.model import Floats, Scenario
from rnnstep.worksheet.worksheet import rounded_scenario

MOST_TRIES = 400
MOST_JUDGED = 12  # of the pleasant ones, of which the mistakes are tried
REACH = 10  # of the weights, in tenths
WHOLE_REACH = 3  # of whole numbers
LEAST, MOST = 0.08, 0.95  # between which a result of tanh or a gate is neither lost nor saturated
LARGEST = 99.0  # of what relu gives


@dataclass(frozen=True, eq=False)
class Friendly:
    """What the search found.

    Attributes:
        scenario: with the weights.
        hidden: the mistakes that would not show at the asked decimals; none if all goes well.
        unpleasant: how many results of functions are saturated or lost all the same.
    """

    scenario: Scenario
    hidden: tuple[str, ...]
    unpleasant: int


def friendly(scenario: Scenario, decimals: int, seed: int, steps: Sequence[int] = ()) -> Friendly:
    """Search weights of one decimal, or whole numbers where nothing else is written, from a seed.

    Args:
        scenario: complete, and of a size that can be worked out by hand.
        decimals: of the sheet.
        seed: of the search.
        steps: that are worked out, from 0; none for all.
    """
    rng = np.random.default_rng(seed)
    judged: list[tuple[int, int, Learning]] = []
    for number in range(MOST_TRIES):
        learning = Learning(rounded_scenario(_drawn(scenario, rng, decimals), decimals))
        count = _unpleasant(learning.epoch(0).forward(0), steps, decimals)
        judged = sorted([*judged, (count, number, learning)], key=lambda one: one[:2])[:MOST_JUDGED]
        if judged[-1][0] == 0 and len(judged) == MOST_JUDGED:
            break
    best: Friendly | None = None
    for count, _, learning in judged:
        found = Friendly(learning.scenario, tuple(_hidden(learning, steps, decimals)), count)
        if best is None or len(found.hidden) < len(best.hidden):
            best = found
        if not best.hidden:
            break
    assert best is not None
    return best


def _drawn(scenario: Scenario, rng: np.random.Generator, decimals: int) -> Scenario:
    """Weights of one decimal, or whole numbers, none of them 0, no two of a bias pair alike."""
    found: dict[str, Floats] = {}
    for name, value in scenario.parameters.items():
        weights = _weights(rng, value.shape, decimals)
        partner = found.get(name.replace("bias_hh", "bias_ih"))
        while partner is not None and (weights == partner).any():
            weights = np.where(weights == partner, _weights(rng, value.shape, decimals), weights)
        found[name] = weights
    return scenario.with_parameters({name: value.astype(scenario.dtype) for name, value in found.items()})


def _weights(rng: np.random.Generator, shape: tuple[int, ...], decimals: int) -> Floats:
    signs = rng.choice((-1.0, 1.0), shape)
    reach, unit = (WHOLE_REACH, 1.0) if decimals == 0 else (REACH, 10.0)
    return np.asarray(rng.integers(1, reach + 1, shape) * signs / unit)


def _steps_of(done: Pass, key: str, steps: Sequence[int]) -> Sequence[int]:
    """Those of some steps that the first row takes part in; of none given all of these."""
    every = range(done.axis(key).last_step(0) + 1)
    return [t for t in steps if t in every] or every


def _unpleasant(done: Pass, steps: Sequence[int], decimals: int) -> int:
    """How many results of functions are next to 0 or to their ends; of whole numbers those that are lost."""
    least, most = (0.5, np.inf) if decimals == 0 else (LEAST, MOST)
    bounds = {"tanh": (least, most), "sigmoid": (least, most), "relu": (least, LARGEST)}
    count = 0
    for key, run in done.runs.items():
        for line in run.block.program.lines:
            if isinstance(line.expression, Apply) and line.expression.op in bounds:
                low, high = bounds[line.expression.op]
                for t in _steps_of(done, key, steps):
                    size = np.abs(done.value(key, line.name, t)[0])
                    count += int(np.sum(~((size >= low) & (size <= high))))
    return count


def _hidden(learning: Learning, steps: Sequence[int], decimals: int) -> Iterator[str]:
    """The mistakes that no value of any step shows, each worked out from the right states before it."""
    done = learning.epoch(0).forward(0)
    states = tuple(_states(done, decimals))
    sheet = Sheet.of(learning, Answers(states, Document("", Path(), "", {}, Limits())))
    shown: dict[str, bool] = {}
    for slip in sheet.catalogue.slips(sheet.targets[0].parts[0].place):
        if slip.id != "wrong_index" and not shown.get(slip.id):
            shown[slip.id] = _shows(sheet, done, steps, decimals, slip)
    return (id_ for id_, is_shown in shown.items() if not is_shown)


def _states(done: Pass, decimals: int) -> Iterator[Answer]:
    """Every state of every step, rounded."""
    for t in range(done.batch.longest):
        for run in (run for key, run in done.runs.items() if t in _steps_of(done, key, ())):
            for state in run.block.program.states:
                value = np.asarray(np.round(run.value(state, t)[0], decimals), np.float64)
                numbers = Numbers(value, np.full(value.shape, decimals))
                where = (t, run.block.layer, run.block.direction)
                block = run.block.module or None
                yield Answer(state, numbers, *where, decimals=decimals, line=1, block=block)


def _shows(sheet: Sheet, done: Pass, steps: Sequence[int], decimals: int, slip: Slip) -> bool:
    """Whether a slip gives another number somewhere, or has no say in any."""
    has_a_say = False
    place = sheet.targets[0].parts[0].place
    right, wrong = sheet.paper(place, decimals), sheet.paper(place, decimals, slip)
    looking = (block.key for block in done.blocks if block.program.banks and not block.extent.is_single)
    for key in (*done.runs, *looking):
        for t in _steps_of(done, key, steps):
            try:
                one, other = (paper.step("forward", key, t).derived for paper in (right, wrong))
            except UNFIT:
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
