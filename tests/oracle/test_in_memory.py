"""A scenario made of the arrays of a live module gives that module's numbers, and is saved and read back to the bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import rnnstep
from rnnstep.errors import UsageError
from rnnstep.scenario.file.write import difference, write_scenario
from rnnstep.scenario.in_memory import made
from rnnstep.scenario.read import read

MODULES = [
    torch.nn.RNN(3, 4, nonlinearity="relu"),
    torch.nn.LSTM(3, 4, num_layers=2, bidirectional=True, batch_first=True),
    torch.nn.LSTM(3, 4, proj_size=2, bias=False),
    torch.nn.GRU(3, 4, num_layers=2).double(),
]


def arrays_of(module: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: values.numpy() for name, values in module.state_dict().items()}


@pytest.mark.parametrize("module", MODULES, ids=repr)
@pytest.mark.parametrize("is_batched", [True, False])
def test_the_numbers_of_a_live_module(module, is_batched, tmp_path):
    dtype = next(module.parameters()).dtype
    x = torch.randn((5, 6, 3) if is_batched else (5, 3), dtype=dtype)
    scenario = made(
        type(module).__name__,
        x.numpy(),
        arrays_of(module),
        batch_first=module.batch_first,
        nonlinearity=getattr(module, "nonlinearity", "tanh"),
    )
    with torch.no_grad():
        output, _ = module(x)
    run = rnnstep.trace(scenario)
    np.testing.assert_allclose(run.output, output.numpy(), atol=2e-6)
    assert run.agrees
    write_scenario(scenario, tmp_path / "live.toml")
    assert difference(scenario, read(tmp_path / "live.toml")) is None


def test_states_and_a_packed_batch(tmp_path):
    module = torch.nn.LSTM(3, 4)
    x, h_0, c_0 = torch.randn(5, 2, 3), torch.randn(1, 2, 4), torch.randn(1, 2, 4)
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, torch.tensor([5, 3]))
    with torch.no_grad():
        _, (h_n, c_n) = module(packed, (h_0, c_0))
    scenario = made("LSTM", x.numpy(), arrays_of(module), h_0=h_0.numpy(), c_0=c_0.numpy(), lengths=(5, 3))
    loaded = rnnstep.LoadedScenario(scenario)
    run = loaded.run()
    np.testing.assert_allclose(run.h_n, h_n.numpy(), atol=1e-6)
    np.testing.assert_allclose(run.c_n, c_n.numpy(), atol=1e-6)
    loaded.save(tmp_path / "live.toml")
    np.testing.assert_array_equal(rnnstep.load(tmp_path / "live.toml").run().h_n, run.h_n)


def test_what_does_not_fit_is_refused():
    module = torch.nn.GRU(3, 4)
    arrays = arrays_of(module)
    with pytest.raises(UsageError, match=r"^x: found \(5, 2\)"):
        made("GRU", np.zeros((5, 2)), arrays)
    with pytest.raises(UsageError, match="bias_hh_l0: found –"):
        made("GRU", np.zeros((5, 3)), {name: array for name, array in arrays.items() if name != "bias_hh_l0"})
    with pytest.raises(UsageError, match="c_0"):
        made("GRU", np.zeros((5, 3)), arrays, c_0=np.zeros((1, 4)))
    with pytest.raises(UsageError, match="lengths"):
        made("GRU", np.zeros((5, 2, 3)), arrays, lengths=(5, 6))
    with pytest.raises(UsageError, match="Transformer"):
        made("Transformer", np.zeros((5, 3)), arrays)


def test_training_in_memory_takes_other_epochs_but_no_seed():
    scenario = rnnstep.load("hello").scenario
    live = replace(scenario, path=None, file_text=None)
    assert len(rnnstep.train(live, epochs=2, torch=False).epochs) == len(
        rnnstep.train("hello", epochs=2, torch=False).epochs
    )
    left, right = (rnnstep.train(one, epochs=2, lr=0.5, torch=False) for one in (live, "hello"))
    assert [epoch.loss for epoch in left.epochs] == [epoch.loss for epoch in right.epochs]
    with pytest.raises(UsageError, match="seed"):
        rnnstep.train(live, seed=3, torch=False)


def test_without_a_terminal_nothing_is_opened(capsys):
    with pytest.raises(UsageError, match="terminal"):
        rnnstep.load("hello").open()
