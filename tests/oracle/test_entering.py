"""What enters from outside, batch by batch: first states of each row, masks that are given; torch's own modules beside."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import rnnstep
from rnnstep.engine import Model
from rnnstep.errors import UsageError
from rnnstep.program import torch_program
from rnnstep.reference import check
from rnnstep.scenario.file.write import write_scenario
from rnnstep.scenario.in_memory import BatchInput, made
from rnnstep.session.edits import apply, current, read_edit
from rnnstep.session.run import SessionRun
from rnnstep.session.tree import Spot
from tests.oracle.programs import Run

DRAW = np.random.default_rng(8)
CLOSE = {"rtol": 0, "atol": 2e-6}


def arrays_of(module: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: values.numpy() for name, values in module.state_dict().items()}


def numbers(*shape: int) -> np.ndarray:
    return DRAW.standard_normal(shape).astype(np.float32)


# ── first states ─────────────────────────────────────────────────────────────────────────────────


def batches(size: int, directions: int) -> list[BatchInput]:
    """Three batches: of two rows, of three that are packed, and one that begins with zeros."""
    return [
        BatchInput(numbers(4, 2, 3), numbers(directions, 2, size), numbers(directions, 2, size)),
        BatchInput(numbers(5, 3, 3), numbers(directions, 3, size), numbers(directions, 3, size), (2, 5, 4)),
        BatchInput(numbers(2, 2, 3)),
    ]


def torchs(module: torch.nn.Module, given: BatchInput) -> list[np.ndarray]:
    x = torch.from_numpy(given.x)
    states = None
    if given.h_0 is not None:
        states = torch.from_numpy(given.h_0), torch.from_numpy(given.c_0)
    with torch.no_grad():
        if given.lengths is None:
            output, (h_n, c_n) = module(x, states)
        else:
            packed = torch.nn.utils.rnn.pack_padded_sequence(
                x, torch.tensor(given.lengths), enforce_sorted=False
            )
            output, (h_n, c_n) = module(packed, states)
            output, _ = torch.nn.utils.rnn.pad_packed_sequence(output)
    return [output.numpy(), h_n.numpy(), c_n.numpy()]


def test_each_batch_begins_with_its_own_states() -> None:
    module = torch.nn.LSTM(3, 4, num_layers=2, bidirectional=True)
    given = batches(4, 4)
    scenario = made("LSTM", given, arrays_of(module))
    run = rnnstep.trace(scenario)
    assert run.agrees
    for number, one in enumerate(given):
        for ours, theirs in zip((run.output, run.h_n, run.c_n), torchs(module, one), strict=True):
            np.testing.assert_allclose(ours[number], theirs, **CLOSE)


def test_states_of_another_batch_are_seen_by_the_judge(monkeypatch) -> None:
    scenario = made("LSTM", batches(4, 1), arrays_of(torch.nn.LSTM(3, 4)))
    first = scenario.batches[0]
    monkeypatch.setattr(
        type(scenario), "initial_of", lambda _, batch: {} if batch is first else batch.initial_state or {}
    )
    assert not check(Model(scenario).run()).agrees


def test_the_program_of_several_batches_takes_each_ones_states() -> None:
    scenario = made(
        "LSTM",
        [one for one in batches(4, 2) if one.lengths is None],
        arrays_of(torch.nn.LSTM(3, 4, bidirectional=True)),
    )
    run = Run(torch_program(scenario))
    for number, done in enumerate(Model(scenario).run().passes):
        np.testing.assert_allclose(run.printed["h_n"][number], done.h_n, atol=1e-6)
        np.testing.assert_allclose(run.printed["c_n"][number], done.c_n, atol=1e-6)


def test_an_answer_is_marked_from_the_states_of_its_batch() -> None:
    module = torch.nn.RNN(3, 4)
    given = [BatchInput(numbers(2, 1, 3), numbers(1, 1, 4)) for _ in range(2)]
    scenario = made("RNN", given, arrays_of(module))
    first, second = (
        " ".join(f"{one:.4f}" for one in torchs_step(module, one)) for one in (given[0], given[1])
    )
    assert rnnstep.check(scenario, f"h_1 = {first}").marks[0].status == "correct"
    assert rnnstep.check(scenario, f"h_1 = {second}").marks[0].status == "wrong"


def torchs_step(module: torch.nn.RNN, given: BatchInput) -> list[float]:
    with torch.no_grad():
        output, _ = module(torch.from_numpy(given.x), torch.from_numpy(given.h_0))
    return output[0, 0].tolist()


def test_a_state_of_one_batch_is_edited_there_alone() -> None:
    given = [BatchInput(numbers(2, 2, 3), numbers(1, 2, 4)) for _ in range(2)]
    run = SessionRun.of(made("RNN", given, arrays_of(torch.nn.RNN(3, 4))))
    spot = Spot(1, "L0", 0, "hh")
    edit = read_edit("h_0[2] = 0.5", run, spot, 1)
    edited = apply(run.scenario, [edit])
    assert edited.batches[1].initial_state["h_0"][0, 1, 2] == 0.5
    assert edited.batches[0] is run.scenario.batches[0]
    assert current(edited, edit.target) == 0.5
    given[1].h_0[0, 1, 2] = 0.5
    np.testing.assert_array_equal(
        Model(edited).run().h_n[1], Model(made("RNN", given, dict(run.scenario.parameters))).run().h_n[1]
    )


def test_a_file_cannot_say_states_of_each_batch(tmp_path) -> None:
    scenario = made("LSTM", batches(4, 1), arrays_of(torch.nn.LSTM(3, 4)))
    with pytest.raises(UsageError, match="first states that are given for each batch"):
        write_scenario(scenario, tmp_path / "own.toml")
    assert not list(tmp_path.iterdir())


def test_one_batch_of_several_is_as_one_alone(tmp_path) -> None:
    (given, *_), arrays = batches(4, 1), arrays_of(torch.nn.LSTM(3, 4))
    write_scenario(made("LSTM", [given], arrays), tmp_path / "one.toml")
    alone = made("LSTM", given.x, arrays, h_0=given.h_0, c_0=given.c_0)
    np.testing.assert_array_equal(
        rnnstep.load(tmp_path / "one.toml").run().h_n, rnnstep.LoadedScenario(alone).run().h_n
    )


# ── masks ────────────────────────────────────────────────────────────────────────────────────────


def layers_of(module: torch.nn.Module, kind: type) -> list[torch.nn.Module]:
    """A module's layers, each alone."""
    found = []
    for layer in range(module.num_layers):
        size = module.input_size if layer == 0 else module.hidden_size * (1 + module.bidirectional)
        one = kind(
            size, module.hidden_size, bidirectional=module.bidirectional, batch_first=module.batch_first
        )
        one.load_state_dict(
            {
                name.replace(f"_l{layer}", "_l0"): value
                for name, value in module.state_dict().items()
                if f"_l{layer}" in name
            }
        )
        found.append(one)
    return found


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("is_batched", [False, True])
def test_masks_that_are_given_stand_between_the_layers(batch_first, is_batched) -> None:
    module = torch.nn.GRU(3, 4, num_layers=3, bidirectional=True, batch_first=batch_first)
    shape = (5, 2) if is_batched else (5,)
    x, masks = numbers(*shape, 3), [numbers(*shape, 8) for _ in range(2)]
    scenario = made(
        "GRU", BatchInput(x, masks=masks), arrays_of(module), batch_first=batch_first, dropout=0.3
    )
    run = rnnstep.trace(scenario)
    assert run.agrees
    output = torch.from_numpy(x)
    with torch.no_grad():
        for layer, mask in zip(layers_of(module, torch.nn.GRU), [*masks, None], strict=True):
            output, _ = layer(output)
            output = output if mask is None else output * torch.from_numpy(mask)
    np.testing.assert_allclose(run.output, output.numpy(), **CLOSE)
    printed = Run(torch_program(scenario)).printed
    np.testing.assert_allclose(printed["output"][0], run.output, **CLOSE)


def test_each_batch_has_masks_of_its_own() -> None:
    module = torch.nn.RNN(3, 4, num_layers=2)
    given = [BatchInput(numbers(5, 2, 3), masks=[numbers(5, 2, 4)]), BatchInput(numbers(4, 2, 3))]
    scenario = made("RNN", given, arrays_of(module), dropout=0.5, dropout_seed=3)
    trace = Model(scenario).run()
    assert check(trace).agrees
    first, second = (done.masks["dropout0"] for done in trace.passes)
    np.testing.assert_array_equal(first, given[0].masks[0])
    np.testing.assert_array_equal(second, (np.random.default_rng(3).random((4, 2, 4)) >= 0.5) * np.float32(2))
    with pytest.raises(UsageError, match="each of several batches"):
        torch_program(scenario)


def test_masks_cannot_be_written_and_must_fit(tmp_path) -> None:
    x, arrays = numbers(5, 2, 3), arrays_of(torch.nn.RNN(3, 4, num_layers=2))
    scenario = made("RNN", BatchInput(x, masks=[numbers(5, 2, 4)]), arrays, dropout=0.5)
    with pytest.raises(UsageError, match="masks that are given"):
        write_scenario(scenario, tmp_path / "masks.toml")
    with pytest.raises(UsageError, match=r"masks: found \(4, 2, 4\)"):
        made("RNN", BatchInput(x, masks=[numbers(4, 2, 4)]), arrays, dropout=0.5)
    with pytest.raises(UsageError, match="masks: found 2, expected 1"):
        made("RNN", BatchInput(x, masks=[numbers(5, 2, 4)] * 2), arrays, dropout=0.5)
    with pytest.raises(UsageError, match="masks: found 1, expected dropout > 0"):
        made("RNN", BatchInput(x, masks=[numbers(5, 2, 4)]), arrays)
    with pytest.raises(UsageError, match="dropout"):
        made("RNN", x, arrays_of(torch.nn.RNN(3, 4)), dropout=0.5)
    with pytest.raises(UsageError, match=r"x\[1\]\.h_0: found \(1, 3, 4\)"):
        made("RNN", [BatchInput(x), BatchInput(x, numbers(1, 3, 4))], arrays_of(torch.nn.RNN(3, 4)))
    with pytest.raises(UsageError, match="h_0"):
        made("RNN", [BatchInput(x)], arrays_of(torch.nn.RNN(3, 4)), h_0=numbers(1, 2, 4))
