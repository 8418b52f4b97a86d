"""Marking held against calculations by hand that know nothing of the program: right ones, and wrong ones of every kind."""

from __future__ import annotations

import tomllib
from collections import Counter
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import pytest

from rnnstep.checking import Marks, inline_answers
from rnnstep.checking.mistakes.catalogue import Catalogue
from rnnstep.engine.learning import Learning
from rnnstep.scenario.bundled import find
from rnnstep.scenario.file.document import Limits
from rnnstep.scenario.read import read, read_text
from tests.oracle.by_hand import MISTAKES, Pen, run
from tests.oracle.by_hand_back import MISTAKES as BACK_MISTAKES
from tests.oracle.by_hand_back import Hello

CASES = [(kind, mistake) for kind, mistakes in MISTAKES.items() for mistake in mistakes]


@cache
def scenario_of(kind: str, seed: int, *, steps: int = 3, sizes: tuple[int, int] = (3, 3), places: int = 2):
    inputs, hidden = sizes
    return read_text(
        f"[input]\nrandom = {{shape = [{steps}, {inputs}], seed = {seed}}}\n"
        f'[recurrent]\nmodule = "{kind}"\nhidden_size = {hidden}\n[weights]\nseed = {seed}\nround = {places}\n'
    )


@lru_cache(64)
def known_of(scenario) -> tuple[Learning, Catalogue]:
    """A scenario's run and its slips, which all writers share, as in `grade`."""
    learning = Learning(scenario)
    return learning, Catalogue(learning)


def marked(scenario, lines) -> Marks:
    learning, catalogue = known_of(scenario)
    return Marks.of(learning, inline_answers(lines, Limits()), catalogue)


def lines_of(scenario, values, pen, steps, names=("h",)) -> list[str]:
    states = ("h", "c") if scenario.cell.name == "LSTM" else ("h",)
    wanted = dict.fromkeys((*states, *names))
    return [
        f"{name}_{t + 1} = {pen.written(values[t][name])}"
        for t in steps
        for name in wanted
        if name in values[t]
    ]


@pytest.mark.parametrize("decimals", [2, 3, 4])
@pytest.mark.parametrize(("kind", "mistake"), CASES)
def test_a_mistake_in_one_step_is_found_and_costs_once(kind, mistake, decimals):
    """The step before is right, this one is wrong, what follows goes on from it."""
    counts: Counter[str] = Counter()
    for seed in range(4):
        scenario = scenario_of(kind, seed * 7 + decimals)
        pen = Pen(decimals)
        values = run(scenario, pen, mistake, range(1, 2))
        found = marked(scenario, lines_of(scenario, values, pen, range(3)))
        first = next((k for k, mark in enumerate(found.marks) if mark.target.t == 1), None)
        assert all(mark.status == "correct" for mark in found.marks[:first])
        wrong = [k for k, mark in enumerate(found.marks) if mark.status == "wrong"]
        assert all(found.marks[k].target.t == 1 for k in wrong)
        counts["wrong" if wrong else "hidden"] += 1
        counts["named"] += any(mistake in one.ids for k in wrong for one in found.remarks(k).mistakes)
        if wrong:
            after = [mark.status for mark in found.marks if mark.target.t == 2]
            assert set(after) == {"follow-through"}
            assert len(found.remarks(wrong[0]).mistakes) <= 4
    assert counts["named"] >= counts["wrong"] - (decimals == 2)
    assert counts["wrong"] >= 2


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_no_honest_rounding_is_wrong(kind, share):
    """Rounded at random places; every value given, or the states alone, or the last one alone."""
    for seed in range(40):
        decimals = 2 + seed % 3
        scenario = scenario_of(kind, seed, steps=4, sizes=(1 + seed % 4, 2 + seed % 3), places=1 + seed % 4)
        pen = Pen(decimals, share, seed)
        values = run(scenario, pen)
        every = tuple(values[0])
        for steps, names in ((range(4), every), (range(4), ("h",)), (range(3, 4), ("h",))):
            found = marked(scenario, lines_of(scenario, values, pen, steps, names))
            assert {mark.status for mark in found.marks} == {"correct"}


def test_large_weights_widen_the_bounds_and_honest_rounding_stays_right():
    for seed in range(20):
        scenario = scenario_of("RNN", seed, steps=5)
        scenario = scenario.with_parameters({name: value * 6 for name, value in scenario.parameters.items()})
        pen = Pen(3, 0.7, seed)
        found = marked(scenario, lines_of(scenario, run(scenario, pen), pen, range(5)))
        assert {mark.status for mark in found.marks} == {"correct"}


def test_one_number_proves_little():
    scenario = scenario_of("RNN", 3)
    pen = Pen(2)
    values = run(scenario, pen, "no_activation", range(1, 2))
    found = marked(scenario, [f"h_1 = {pen.written(values[0]['h'])}", f"h_2[0] = {values[1]['h'][0]:.2f}"])
    assert found.marks[1].status == "wrong"
    remarks = found.remarks(1)
    assert ("no_activation",) in {one.ids for one in found._tried_of(1, 20_000).fitting}
    assert not any(one.is_named for one in remarks.mistakes)
    assert remarks.is_too_coarse


def test_a_published_calculation_with_slips_is_caught_at_the_right_places():
    """The comment of a test of Burn's LSTM (tracel-ai/burn, MIT or Apache-2.0), whose numbers stand in `slips`."""
    data = tomllib.loads((Path(__file__).parent / "slips" / "burn_lstm.toml").read_text("utf-8"))
    scenario = read_text(data["scenario"])
    found = marked(scenario, [f"{name}_1 = {value}" for name, value in data["published"].items()])
    statuses = {mark.answer.name: mark.status for mark in found.marks}
    assert statuses == {name: "correct" if name == "o" else "wrong" for name in data["published"]}
    assert found.first_wrong is not None


def test_a_published_walk_through_with_a_slip_goes_on_from_its_own_numbers():
    """Back through time with ½ Σ (y − t)²: h_2 is wrong, and what follows is right from it (source in the scenario)."""
    folder = Path(__file__).parent / "published"
    published = tomllib.loads((folder / "expected.toml").read_text("utf-8"))["slip_bptt_scalar"]["published"]
    answers = [f"{name} = {value:.4f}" for name, value in published.items()]
    found = marked(read(folder / "slip_bptt_scalar.toml"), answers)
    statuses = [mark.status for mark in found.marks]
    assert statuses == ["correct", "correct", "wrong", "follow-through", "follow-through"]


BACK = [(name, mistake) for name, mistakes in BACK_MISTAKES.items() for mistake in mistakes]


def written_out(values: np.ndarray, decimals: int) -> str:
    rows = values.reshape(-1, values.shape[-1])
    return ";".join(" ".join(f"{value:.{decimals}f}" for value in row) for row in rows)


def shown_states(hand: Hello) -> list[str]:
    return [f"h_{t + 1} = {written_out(h, 4)}" for t, h in enumerate(hand.h[1:])]


@pytest.mark.parametrize(("name", "mistake"), BACK)
def test_mistakes_in_loss_gradient_and_update_are_found(name, mistake):
    scenario = read(find("hello"))
    hand = Hello(scenario)
    if name == "update.weight_hh":
        before = [f"grad.weight_hh = {written_out(hand.gradient(), 4)}"]
    else:
        before = shown_states(hand)
    found = marked(scenario, [*before, f"{name} = {written_out(hand.value(name, mistake), 4)}"])
    assert found.marks[-1].status == "wrong"
    assert mistake in {id_ for one in found.remarks(len(before)).mistakes for id_ in one.ids}
    assert found.score == (len(before), len(before) + 1)


@pytest.mark.parametrize("name", BACK_MISTAKES)
def test_right_losses_gradients_and_updates_are_right(name):
    scenario = read(find("hello"))
    hand = Hello(scenario)
    for decimals in (2, 3, 4):
        found = marked(scenario, [f"{name} = {written_out(hand.value(name), decimals)}"])
        assert found.marks[0].status == "correct"
