"""Whatever enters from outside, batch by batch, both programs are given the same: they agree, forth and back, and so does the program."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnstep.engine import Model
from rnnstep.program import torch_program
from rnnstep.reference import check, check_gradients
from rnnstep.scenario.in_memory import BatchInput, made
from rnnstep.scenario.model import Loss, Scenario
from tests.oracle.programs import Run

MODULES = ["RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"]


@st.composite
def entered(draw: st.DrawFn) -> Scenario:
    """A module with what enters in one to three batches: rows, steps, lengths, first states and masks of their own."""
    name = draw(st.sampled_from(MODULES))
    is_cell = name.endswith("Cell")
    options: dict[str, Any] = (
        {}
        if is_cell
        else {
            "num_layers": draw(st.integers(1, 3)),
            "bidirectional": draw(st.booleans()),
            "batch_first": draw(st.booleans()),
        }
    )
    torch.manual_seed(draw(st.integers(0, 9)))
    module = getattr(torch.nn, name)(3, 2, **options).double()
    layers, directions = options.get("num_layers", 1), 1 + options.get("bidirectional", False)
    is_batched = draw(st.booleans())
    numbers = np.random.default_rng(draw(st.integers(0, 99)))
    drops = layers > 1 and draw(st.booleans())
    every = []
    for _ in range(draw(st.integers(1, 3))):
        steps, rows = draw(st.integers(1, 4)), draw(st.integers(1, 3)) if is_batched else 1
        lengths = None
        if is_batched and draw(st.booleans()):
            lengths = tuple(draw(st.integers(1, steps)) for _ in range(rows))
        axes = (steps,) if not is_batched else (rows, steps) if options.get("batch_first") else (steps, rows)
        alone = (rows,) if is_batched else ()
        state = (*(() if is_cell else (layers * directions,)), *alone, 2)
        has_states = draw(st.booleans())
        is_lstm = name.startswith("LSTM")
        masks = None
        if drops and draw(st.booleans()):
            masks = [numbers.standard_normal((*axes, 2 * directions)) for _ in range(layers - 1)]
        every.append(
            BatchInput(
                numbers.standard_normal((*axes, 3)),
                numbers.standard_normal(state) if has_states else None,
                numbers.standard_normal(state) if has_states and is_lstm else None,
                lengths,
                draw(st.booleans()),
                masks,
            )
        )
    arrays = {key: value.numpy() for key, value in module.state_dict().items()}
    return made(
        name,
        every,
        arrays,
        batch_first=options.get("batch_first", False),
        dropout=0.5 if drops else 0.0,
        dropout_seed=3,
    )


@given(entered())
@settings(max_examples=40, deadline=None)
def test_both_programs_are_given_the_same(scenario: Scenario) -> None:
    trace = Model(scenario).run()
    checked = check(trace)
    assert checked.agrees, checked.faults
    if len(scenario.batches) > 1 and any(batch.masks is not None for batch in scenario.batches):
        return
    if len({batch.packed for batch in scenario.batches}) == 1:
        printed = Run(torch_program(scenario)).printed
        for found, done in zip(printed["h_n"], trace.passes, strict=True):
            np.testing.assert_allclose(found, done.h_n, atol=1e-12)
        for found, done in zip(printed["output"], trace.passes, strict=True):
            np.testing.assert_allclose(found, done.output, atol=1e-12)


@given(entered())
@settings(max_examples=15, deadline=None)
def test_gradients_go_back_to_the_same_and_those_given_at_the_scores_are_the_losses(
    scenario: Scenario,
) -> None:
    numbers, size = np.random.default_rng(1), scenario.num_scores
    batches = tuple(
        replace(batch, target=numbers.standard_normal((batch.first.num_steps, batch.num_rows, size)))
        for batch in scenario.batches
    )
    model = Model(replace(scenario, batches=batches, loss=Loss("MSELoss")))
    for index in range(len(batches)):
        done = model.run_batch(index)
        back = model.backward(done)
        compared = check_gradients(done, back)
        assert compared.agrees, compared.faults
        scored = done.last_of_recurrent
        g = back.of_block("loss").gradient("output")
        same = model.backward(done, {(scored.key, scored.output): g})
        for name, value in back.parameters.items():
            np.testing.assert_allclose(same.parameters[name], value, rtol=1e-12, atol=1e-15)
