"""The programs of `rnnstep code` are run, and give the engine's numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from rnnstep.engine import Model
from rnnstep.export.program import torch_program
from rnnstep.export.program.source import results
from rnnstep.reference import complete
from rnnstep.scenario.bundled import find, names
from rnnstep.scenario.read import read

LETTERS = 'vocabulary = ["e", "h", "l", "o"]\n[input]\ntext = ["hello", "he", "hole"]\n'
NUMBERS = "[input]\nrandom = {shape = [4, 3, 2], seed = 1}\n"
ALONE = "[input]\nrandom = {shape = [4, 2], seed = 1}\n"
SEED = "[weights]\nseed = 7\n"
DROPOUT = 'num_layers = 3\ndropout = 0.4\nmode = "train"\ndropout_seed = 3\n'
OWN = """
[cell.odd]
state = {h = "hidden_size", c = "hidden_size"}
parameters = {W = "hidden_size, input_size", U = "hidden_size, hidden_size", lambda_ = "hidden_size", torch = "hidden_size"}
equations = \"\"\"
c = softmax(W @ x + U @ (-h_prev)) * sqrt(2) - max(c_prev) / (1 + norm(x))
big = (c > 0.2 and not isnan(c)) or c_prev < -1
h = tanh(c + lambda_) * (1 - big) + relu(c_prev[-1]) + mean(torch) * x[0]
\"\"\"
"""

CASES = {
    "LSTM with projection": f'{NUMBERS}[recurrent]\nmodule = "LSTM"\nhidden_size = 3\nproj_size = 2\nbidirectional = true\n{SEED}',
    "packed LSTMCell": f'{LETTERS}[recurrent]\nmodule = "LSTMCell"\nhidden_size = 3\n{SEED}',
    "packed, batch_first, float64": f'{LETTERS}[recurrent]\nmodule = "GRU"\nhidden_size = 3\nbatch_first = true\n{SEED}\n[display]\ndtype = "float64"',
    "padding walked over": f'{LETTERS}packed = false\n[recurrent]\nmodule = "RNN"\nhidden_size = 3\nbatch_first = true\n{SEED}',
    "dropout": f'{NUMBERS}[recurrent]\nmodule = "GRU"\nhidden_size = 2\nbidirectional = true\n{DROPOUT}{SEED}',
    "dropout, batch_first": f'{NUMBERS}[recurrent]\nmodule = "RNN"\nhidden_size = 2\nbatch_first = true\nnonlinearity = "relu"\n{DROPOUT}{SEED}',
    "dropout, unbatched": f'{ALONE}[recurrent]\nmodule = "GRU"\nhidden_size = 2\n{DROPOUT}{SEED}',
    "dropout, packed, initial state": f'{LETTERS}[recurrent]\nmodule = "LSTM"\nhidden_size = 1\n{DROPOUT}{SEED}\n[initial_state]\nc_0 = [[[0.1], [0.2], [0.3]], [[0.4], [0.5], [0.6]], [[0.7], [0.8], [0.9]]]',
    "dropout of everything": f'{NUMBERS}[recurrent]\nmodule = "GRU"\nhidden_size = 2\nnum_layers = 2\ndropout = 1.0\nmode = "train"\n{SEED}',
    "dropout in eval mode": f'{NUMBERS}[recurrent]\nmodule = "GRU"\nhidden_size = 2\nnum_layers = 2\ndropout = 0.5\n{SEED}',
    "initial states": f'{ALONE}[recurrent]\nmodule = "LSTM"\nhidden_size = 2\n{SEED}\n[initial_state]\nh_0 = [0.5, -0.5]\nc_0 = [[1.0, 2.0]]',
    "seed with one parameter given": f'{NUMBERS}[recurrent]\nmodule = "RNNCell"\nhidden_size = 2\n{SEED}bias_hh = [0.5, nan]',
    "embedding with padding_idx": f'{LETTERS}[embedding]\nembedding_dim = 3\npadding_idx = 0\n[recurrent]\nmodule = "RNN"\nhidden_size = 3\n[linear]\nout_features = 2\nbias = false\nfrom = "h_n"\n{SEED}round = 2',
    "own cell": f'{NUMBERS}[recurrent]\nmodule = "odd"\nhidden_size = 3\n{SEED}round = 1\n[linear]\nout_features = 2\nfrom = "h_n"\n{OWN}',
    "own cell, packed, float64": f'{LETTERS}[recurrent]\nmodule = "odd"\nhidden_size = 3\n{SEED}\n[display]\ndtype = "float64"\n{OWN}',
    "random windows": f'[input]\nrandom = {{shape = [9, 2], seed = 4}}\nwindows = {{length = 4, stride = 3, batch_size = 2, pad = 0.5}}\n[recurrent]\nmodule = "GRU"\nhidden_size = 2\n{SEED}',
    "windows of a flat series": f'[input]\nvalues = [1, 2, 3, 4, 5]\nwindows = {{length = 2}}\n[recurrent]\nmodule = "RNNCell"\nhidden_size = 2\n{SEED}',
}


def _agrees(path: Path, tolerance: float | None = None) -> None:
    scenario = read(path)
    program = torch_program(scenario)
    scope: dict[str, object] = {}
    draws, grads = torch.get_rng_state(), torch.is_grad_enabled()
    try:
        exec(program, scope)
    finally:
        torch.set_rng_state(draws)
        torch.set_grad_enabled(grads)
        torch.set_printoptions(profile="default")
    trace = Model(complete(scenario)).run()
    within = tolerance or (1e-5 if scenario.dtype == np.float32 else 1e-12)
    for name in results(scenario):
        ours = getattr(trace, name)
        theirs = scope["results"][name] if len(scenario.batches) > 1 else scope[name]  # type: ignore[index]
        pairs = zip(ours, theirs, strict=True) if isinstance(ours, list) else [(ours, theirs)]
        for array, tensor in pairs:
            assert tuple(tensor.shape) == array.shape
            assert tensor.numpy().dtype == array.dtype
            np.testing.assert_allclose(tensor.numpy(), array, rtol=within, atol=within)


@pytest.mark.parametrize("name", names())
def test_program_of_a_bundled_scenario_gives_the_engines_numbers(name, capsys):
    _agrees(find(name))
    assert capsys.readouterr().out.startswith("output\n")


@pytest.mark.parametrize("case", CASES)
def test_program_of_an_option_gives_the_engines_numbers(case, tmp_path):
    path = tmp_path / "scenario.toml"
    path.write_text(CASES[case], "utf-8")
    _agrees(path)


def _model() -> torch.nn.ModuleDict:
    torch.manual_seed(11)
    return torch.nn.ModuleDict({"encoder": torch.nn.GRU(2, 3, num_layers=2), "head": torch.nn.Linear(3, 4)})


FROM_FILE = """[input]
random = {{shape = [3, 2, 2], seed = 0}}
[recurrent]
module = "GRU"
hidden_size = 3
num_layers = 2
[linear]
out_features = 4
[weights]
file = "{file}"
bias_hh_l1 = [1, 2, 3, 4, 5, 6, 7, 8, 9]
"""


def test_program_reads_weights_from_safetensors(tmp_path):
    save_file(_model().state_dict(), tmp_path / "weights.safetensors")
    path = tmp_path / "scenario.toml"
    path.write_text(FROM_FILE.format(file="weights.safetensors"), "utf-8")
    _agrees(path)
    assert "load_file(" in torch_program(read(path))


def test_program_reads_a_state_dict_of_torch(tmp_path):
    torch.save(_model().state_dict(), tmp_path / "weights.pt")
    path = tmp_path / "scenario.toml"
    path.write_text(FROM_FILE.format(file="weights.pt"), "utf-8")
    _agrees(path)
    assert "weights_only=True" in torch_program(read(path))


def test_program_reads_its_input_from_npy(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((4, 2, 3)))
    path = tmp_path / "scenario.toml"
    path.write_text(f'[input]\nfile = "x.npy"\n[recurrent]\nmodule = "RNN"\nhidden_size = 2\n{SEED}', "utf-8")
    _agrees(path)


def test_program_walks_the_batches_of_labelled_rows(tmp_path):
    (tmp_path / "names.csv").write_text("text,label\nhello,a\nhole,b\nhe,a\nolo,b\nle,b\n", "utf-8")
    path = tmp_path / "scenario.toml"
    path.write_text(
        'vocabulary = ["e", "h", "l", "o"]\n[data]\nfile = "names.csv"\nbatch_size = 2\n'
        '[embedding]\nembedding_dim = 3\n[recurrent]\nmodule = "LSTM"\nhidden_size = 2\n'
        f'[linear]\nfrom = "h_n"\n{SEED}',
        "utf-8",
    )
    _agrees(path)


def test_seeded_program_is_short():
    program = torch_program(read(find("hello")))
    assert "torch.manual_seed(2)" in program
    assert len(program.splitlines()) < 30


def test_title_stays_on_its_comment_line(tmp_path):
    path = tmp_path / "scenario.toml"
    path.write_text(
        f'title = "a\\nimport os"\n{NUMBERS}[recurrent]\nmodule = "RNN"\nhidden_size = 2\n{SEED}', "utf-8"
    )
    assert torch_program(read(path)).startswith("# a import os\n")
