"""Backpropagation through time beside a plain tape, number by number."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from tests.oracle.tape import ByHand
from tests.oracle.way_back_cases import backs_of, close, every_case, steps_of


@every_case
def test_loss_and_gradients_are_those_of_the_tape(make, case) -> None:
    for back in backs_of(make, case):
        by_hand = ByHand(back.done)
        assert back.loss == pytest.approx(by_hand.loss.value.item(), rel=1e-13)
        assert list(back.parameters) == list(back.scenario.parameters)
        for name, gradient in back.parameters.items():
            assert gradient.shape == back.scenario.parameters[name].shape
            close(gradient, by_hand.whole[name].grad, name)


@every_case
def test_every_value_of_every_step_is_that_of_the_tape(make, case) -> None:
    for back in backs_of(make, case):
        by_hand = ByHand(back.done)
        for key in back.by_key:
            forward = back.done.by_key[key].program
            made_of_parameters = {line.name for line in back.equations(key).derived.fixed}
            names = {*forward.inputs, *forward.befores, *forward.names} - {
                "target",
                "counts",
                "mask",
                "share",
                "index",
            }
            for t in steps_of(back, key):
                values = back.values(key, t)
                rows = [row for row in range(back.batch.num_rows) if back.row_index(key, t, row) is not None]
                for name in sorted(names):
                    tape = [
                        by_hand.at[key, name, t, row].grad for row in rows[: 1 if key == "total" else None]
                    ]
                    found = values.get(f"∂{name}", np.zeros_like(tape))  # where nothing goes back to it
                    if name in made_of_parameters:
                        close(found, np.sum(tape, axis=0), f"{key}/∂{name} at {t}")
                    else:
                        assert len(found) == len(tape)
                        for row, expected in enumerate(tape):
                            close(
                                found[back.row_index(key, t, rows[row])],
                                expected,
                                f"{key}/∂{name} at {t}, {row}",
                            )


@every_case
def test_shares_and_running_sums_are_those_of_the_tape(make, case) -> None:
    for back in backs_of(make, case):
        by_hand = ByHand(back.done)
        for key, block in back.by_key.items():
            so_far: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(()))
            last: dict[str, np.ndarray] = {}
            for t in steps_of(back, key):
                values = back.values(key, t)
                for name in block.parameters:
                    copy = by_hand.copies.get((key, name, t))
                    share = np.zeros(block.parameters[name].shape) if copy is None else copy.grad
                    before = block.program.before(f"∂{name}")
                    if before in block.program.befores:
                        close(values[before], so_far[name] + np.zeros(share.shape), f"{key}/{before} at {t}")
                    so_far[name] = so_far[name] + share
                    if f"∂{name}_t" in values:
                        close(values[f"∂{name}_t"], share, f"{key}/∂{name}_t at {t}")
                    if f"∂{name}" in values:
                        close(values[f"∂{name}"], so_far[name], f"{key}/∂{name} at {t}")
                        last[name] = values[f"∂{name}"]
            for name, where in back.done.by_key[key].kept_in.items():
                whole = back.parameters[where.torch][where.start : where.stop]
                close(last.get(name, np.zeros(whole.shape)), whole, f"{key}/∂{name}")


@every_case
def test_states_have_their_total_derivatives(make, case) -> None:
    for back in backs_of(make, case):
        by_hand = ByHand(back.done)
        for key, run in back.done.runs.items():
            for name, (size,) in run.block.program.states.items():
                whole = back.states(key, name)
                assert whole.shape == (back.batch.first.num_steps, back.batch.num_rows, size)
                for t in range(back.batch.first.num_steps):
                    for row in range(back.batch.num_rows):
                        var = by_hand.at.get((key, name, t, row))
                        expected = np.zeros(size) if var is None else var.grad  # where a packed row is over
                        close(whole[t, row], expected, f"{key}/∂{name} at {t}, row {row}")
