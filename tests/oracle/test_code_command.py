"""The programs of `rnnstep code` are run, and give the engine's numbers: forwards, gradients, and epoch by epoch."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from rnnstep.program import torch_program
from rnnstep.reference import TorchTraining
from rnnstep.scenario.bundled import find, names
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.read import read, read_text
from tests.oracle.programs import (
    ADAM,
    NUMBERS,
    SEED,
    SGD,
    WORD,
    Run,
    agrees,
    classes,
    module,
    scenario_in,
    values,
)

LETTERS = 'vocabulary = ["e", "h", "l", "o"]\n[input]\ntext = ["hello", "he", "hole"]\n'
ALONE = "[input]\nrandom = {shape = [4, 2], seed = 1}\n"
DROPOUT = 'num_layers = 3\ndropout = 0.4\nmode = "train"\ndropout_seed = 3\n'
FLOAT64 = '[display]\ndtype = "float64"\n'
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
ADDER = """
[cell.adder]
state = {p = 1, h = "hidden_size", q = "2"}
parameters = {W = "hidden_size, input_size", U = "hidden_size, hidden_size", V = "1, hidden_size"}
equations = \"\"\"
h = sigmoid(W @ x + U @ h_prev + sum(q_prev))
p = sigmoid(V @ h) + p_prev
q = h[0:2] - q_prev
\"\"\"
"""
ONE_MATRIX = """
[cell.olah]
state = ["h", "c"]
parameters = {W_f = "3, 5", W_i = "hidden_size, 5", W_g = "hidden_size, 5", W_o = "hidden_size, 5", b = "hidden_size"}
equations = \"\"\"
c = sigmoid(W_f @ cat(h_prev, x) + b) * c_prev + sigmoid(W_i @ cat(h_prev, x)) * tanh(W_g @ cat(h_prev, x))
h = sigmoid(W_o @ cat(h_prev, tanh(x))) * tanh(c)
\"\"\"
"""
BLIND = """
[cell.blind]
state = ["h"]
parameters.b = "hidden_size"
equations = "h = tanh(b + h_prev)"
"""
STACKED = ("num_layers = 2", "bidirectional = true")
LINEAR_H_N = '[linear]\nout_features = 3\nfrom = "h_n"\n'
SMOOTH = """
[cell.loss]
state = {h = "hidden_size", target = "hidden_size"}
parameters = {W = "hidden_size, input_size", U = "hidden_size, hidden_size", loss = "hidden_size"}
equations = \"\"\"
target = sigmoid(W @ x + U @ h_prev + loss) * target_prev + x[0]
h = tanh(target + U @ target_prev)
\"\"\"
"""
NORMAL = """
[cell.normal]
state = {h = "hidden_size", c = "hidden_size"}
parameters = {W = "6, input_size", U = "6, hidden_size", g = "6", b = "6", d = "2"}
equations = \"\"\"
a = layer_norm(W @ x + U @ h_prev, g, b)
both = cat(cat(d, x), a[0:hidden_size])
c = c_prev * sigmoid(a[3:]) + layer_norm(tanh(both[-3:]), c_prev, a[:3])
h = tanh(c) + (any(a > 0.1) + all(isfinite(both)) - isinf(a[0]) + argmax(a)) * both[0:hidden_size]
\"\"\"
"""


FORWARD = {
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
    "a ReLU": f'{LETTERS}[[layers]]\nmodule = "LSTM"\nhidden_size = 3\n[[layers]]\nmodule = "ReLU"\n{SEED}',
    "LayerNorm on packed rows": f'{LETTERS}[[layers]]\nmodule = "GRU"\nhidden_size = 3\nbatch_first = true\n[[layers]]\nmodule = "LayerNorm"\n{SEED}',
    "own cell": f'{NUMBERS}[recurrent]\nmodule = "odd"\nhidden_size = 3\n{SEED}round = 1\n[linear]\nout_features = 2\nfrom = "h_n"\n{OWN}',
    "own cell, packed, float64": f'{LETTERS}[recurrent]\nmodule = "odd"\nhidden_size = 3\n{SEED}\n[display]\ndtype = "float64"\n{OWN}',
    "own cell, normalized": f"{LETTERS}{module('normal')}{SEED}{NORMAL}",
    "own cell, stacked, both ways": f"{NUMBERS}{module('odd', *STACKED)}{SEED}{OWN}",
    "own cell, stacked, dropout, packed": f"{LETTERS}{module('normal')}{DROPOUT}{SEED}{NORMAL}",
    "own cell, both ways, unbatched, given states": f"{ALONE}{module('odd', 'bidirectional = true')}{SEED}[initial_state]\nc_0 = {np.full((2, 3), 0.25).tolist()}\n{OWN}",
    "own cell, a state of one element": f"{NUMBERS}{module('adder', *STACKED)}{LINEAR_H_N}{SEED}{ADDER}",
    "random windows": f'[input]\nrandom = {{shape = [9, 2], seed = 4}}\nwindows = {{length = 4, stride = 3, batch_size = 2, pad = 0.5}}\n[recurrent]\nmodule = "GRU"\nhidden_size = 2\n{SEED}',
    "windows of a flat series": f'[input]\nvalues = [1, 2, 3, 4, 5]\nwindows = {{length = 2}}\n[recurrent]\nmodule = "RNNCell"\nhidden_size = 2\n{SEED}',
}

TOGETHER = '[loss]\nover_time = "together"\n'
STEP_BY_STEP = '[loss]\nover_time = "sum"\n'
FINAL = '[linear]\nout_features = 3\nfrom = "h_n"\n'
LINEAR = "[linear]\nout_features = 3\n"
WINDOWS = "[input]\nrandom = {shape = [7, 2], seed = 4}\nwindows = {length = 4, stride = 2, batch_size = 3}\n"
AHEAD = "[input]\nrandom = {{shape = [9, 2], seed = 4}}\nwindows = {{length = 3, batch_size = 2, horizon = {0}}}\n"
PADDED = '[target]\ntext = ["ohlol", "lo", "hole"]\n'

# Each is gone back through without the training, and trained with it.
LEARNT = {
    "cell, packed, a target for each step": f"{LETTERS}{module('LSTMCell', size=4)}{SEED}{PADDED}{ADAM}",
    "cell with a linear layer, together": f"{NUMBERS}{module('GRUCell')}{LINEAR}{SEED}{classes(4, 3)}{TOGETHER}{ADAM}",
    "cell with a linear layer, packed": f"{LETTERS}{module('RNNCell')}[linear]\nout_features = 4\n{SEED}{PADDED}{SGD}",
    "cell, unbatched": f"{ALONE}{module('RNNCell')}{SEED}{classes(4)}{SGD}",
    "cell, its final state": f"{NUMBERS}{module('LSTMCell')}{FINAL}{SEED}{classes(3)}{SGD}",
    "cell, numbers, float64": f"{NUMBERS}{module('GRUCell')}{SEED}{values(4, 3, 3)}{FLOAT64}{ADAM}",
    "module, step by step": f"{NUMBERS}{module('LSTM')}{SEED}{classes(4, 3)}{STEP_BY_STEP}{ADAM}",
    "module, batch_first, step by step": f"{NUMBERS}{module('GRU', 'batch_first = true')}{SEED}{classes(4, 3)}{STEP_BY_STEP}{SGD}",
    "module, batch_first, both directions": f"{NUMBERS}{module('GRU', 'batch_first = true', 'bidirectional = true')}{SEED}{classes(4, 3, count=6)}{SGD}",
    "module, unbatched": f"{ALONE}{module('RNN')}{SEED}{classes(4)}{SGD}",
    "module, unbatched, final": f"{ALONE}{module('RNN')}{FINAL}{SEED}[target]\nindices = 2\n{SGD}",
    "module, packed, with an embedding": f"{LETTERS}[embedding]\nembedding_dim = 3\npadding_idx = 0\n{module('RNN', 'batch_first = true')}[linear]\nout_features = 4\n{SEED}{PADDED}{ADAM}",
    "padding walked over, ignored index": f"{LETTERS}packed = false\n{module('LSTM', size=4)}{SEED}{PADDED}[loss]\nignore_index = 1\nreduction = \"sum\"\n{ADAM}",
    "projection and a given start": f"{NUMBERS}{module('LSTM', 'proj_size = 2', 'num_layers = 2')}{LINEAR}{SEED}{values(4, 3, 3)}[loss]\nreduction = \"sum\"\n[initial_state]\nc_0 = {np.full((2, 3, 3), 0.5).tolist()}\n{SGD}",
    "dropout, batch_first, packed": f"{LETTERS}{module('GRU', 'batch_first = true')}{DROPOUT}[linear]\nout_features = 4\n{SEED}{PADDED}{ADAM}",
    "dropout, unbatched, final": f"{ALONE}{module('LSTM')}{DROPOUT}{FINAL}{SEED}[target]\nindices = 1\n{SGD}",
    "yes or no": f"{NUMBERS}{module('RNN')}{FINAL}{SEED}[target]\nvalues = {np.eye(3).tolist()}\n[loss]\nname = \"BCEWithLogitsLoss\"\n{ADAM}",
    "yes or no, step by step": f"{NUMBERS}{module('RNNCell')}{SEED}[target]\nvalues = {np.eye(3)[[[0, 1, 2]] * 4].tolist()}\n[loss]\nname = \"BCEWithLogitsLoss\"\n{ADAM}",
    "half the squared error, a call a step": f"{NUMBERS}{module('RNNCell')}{SEED}{values(4, 3, 3)}[loss]\nfactor = 0.5\nreduction = \"sum\"\n{SGD}",
    "smooth, batch_first, step by step": f"{NUMBERS}{module('GRU', 'batch_first = true')}{SEED}{values(4, 3, 3)}[loss]\nname = \"SmoothL1Loss\"\nbeta = 0.25\nfactor = -0.1\nover_time = \"sum\"\n{ADAM}",
    "distances, final": f"{NUMBERS}{module('LSTM')}{FINAL}{SEED}{values(3, 3)}[loss]\nname = \"L1Loss\"\nfactor = 2\n{SGD}",
    "windows": f"{WINDOWS}{module('RNN')}{SEED}{values(4, 4, 3)}{ADAM}",
    "windows, batch_first, classes": f"{WINDOWS}{module('LSTM', 'batch_first = true')}{SEED}{classes(4, 4)}{STEP_BY_STEP}{SGD}",
    "windows, cell": f"{WINDOWS}{module('GRUCell')}{SEED}{classes(4, 4)}{ADAM}",
    "windows, final": f"{WINDOWS}{module('GRU', 'batch_first = true')}{FINAL}{SEED}{classes(4)}{ADAM}",
    "what comes next, final": f"{AHEAD.format(1)}{module('LSTM', 'batch_first = true')}[linear]\nout_features = 2\nfrom = \"h_n\"\n{SEED}{ADAM}",
    "what comes later, at each step": f"{AHEAD.format(3)}{module('GRU')}[linear]\nout_features = 2\n{SEED}{SGD}",
    "what comes next, batch_first": f"{AHEAD.format(1)}{module('RNN', 'batch_first = true')}[linear]\nout_features = 2\n{SEED}{ADAM}",
    "whole windows alone": f"{WINDOWS.replace('stride', 'pad = false, stride')}{module('RNN')}{FINAL}{SEED}{classes(2)}{SGD}",
    "windows of one batch": f"{WINDOWS.replace('batch_size = 3', 'batch_size = 9')}{module('RNN')}{FINAL}{SEED}{classes(4)}{SGD}",
    "rows of unlike length": f"[input]\nindices = [[0, 1, 2], [2], [1, 0]]\n[embedding]\nembedding_dim = 2\n{module('GRU', 'batch_first = true')}{SEED}[target]\nindices = [[0, 1, 0], [1], [1, 2]]\n{SGD}",
    "own cell": f"{NUMBERS}{module('loss')}{SEED}{values(4, 3, 3)}{SGD}{SMOOTH}",
    "own cell, normalized": f"{NUMBERS}{module('normal')}{SEED}{values(4, 3, 3)}{SGD}{FLOAT64}{NORMAL}",
    "own cell, packed, with all around it": f"{LETTERS}[embedding]\nembedding_dim = 2\n{module('loss')}[linear]\nout_features = 4\n{SEED}round = 1\n{PADDED}{ADAM}{SMOOTH}",
    "own cell, one matrix for both": f"{NUMBERS}{module('olah')}{SEED}{values(4, 3, 3)}{ADAM}{ONE_MATRIX}",
    "own cell, one matrix for both, packed": f"{LETTERS}{module('olah')}[linear]\nout_features = 4\n{SEED}{PADDED}{ADAM}{ONE_MATRIX.replace('5', '7')}",
    "own cell, one matrix for both, alone": f"[input]\nrandom = {{shape = [4, 2], seed = 1}}\n{module('olah')}{LINEAR}{SEED}{classes(4)}{SGD}{ONE_MATRIX}",
    "own cell that does not read what enters": f"{LETTERS}[embedding]\nembedding_dim = 2\n{module('blind', 'num_layers = 2')}[linear]\nout_features = 4\n{SEED}{PADDED}{ADAM}{BLIND}",
    "own cell, stacked, both ways": f"{NUMBERS}{module('loss', *STACKED)}{LINEAR}{SEED}{values(4, 3, 3)}{ADAM}{SMOOTH}",
    "own cell, stacked, dropout, packed, all steps together": f"{LETTERS}[embedding]\nembedding_dim = 2\n{module('loss')}{DROPOUT}[linear]\nout_features = 4\n{SEED}{PADDED}{TOGETHER}{ADAM}{SMOOTH}",
    "own cell, a state of one element, windows": f"{WINDOWS}{module('adder', *STACKED)}{FINAL}{SEED}{classes(4)}{SGD}{ADDER}",
    "own cell called like its state": f"{NUMBERS}{module('h')}{SEED}{values(4, 3, 3)}{SGD}{SMOOTH.replace('cell.loss', 'cell.h')}",
    "own cell, windows": f"{WINDOWS}{module('loss')}{FINAL}{SEED}{classes(4)}{ADAM}clip_grad_norm = 0.1\n{SMOOTH}",
    "padded classes without names": f"[input]\nrandom = {{shape = [3, 4, 2], seed = 1}}\nlengths = [2, 4, 1]\n{module('RNN', 'batch_first = true')}{SEED}{classes(3, 4)}{ADAM}",
    "padded classes without names, walked over": f"[input]\nrandom = {{shape = [4, 2, 2], seed = 1}}\nlengths = [4, 2]\npacked = false\n{module('GRU')}{SEED}{classes(4, 2)}{ADAM}",
    "one padded row of classes without names": f"[input]\nrandom = {{shape = [4, 1, 2], seed = 1}}\nlengths = [3]\n{module('LSTM')}{SEED}{classes(4, 1)}{ADAM}",
    "many rows in one batch": f"[input]\nrandom = {{shape = [4, 6, 2], seed = 1}}\n{module('GRU')}{SEED}{classes(4, 6)}[loss]\nignore_index = 0\n{ADAM}",
}  # fmt: skip

OPTIMIZERS = {
    "SGD with all": "momentum = 0.9\nnesterov = true\nweight_decay = 0.01\nmaximize = true\nclip_grad_norm = 0.5",
    "Adam with all": 'optimizer = "Adam"\nbetas = [0.8, 0.99]\neps = 1e-3\namsgrad = true\nweight_decay = 0.1',
    "AdamW": 'optimizer = "AdamW"\nlr = 0.05',
    "Adagrad with all": 'optimizer = "Adagrad"\nlr_decay = 0.1\nweight_decay = 0.1\ninitial_accumulator_value = 0.2\neps = 1e-5\nmaximize = true\nclip_grad_value = 0.01\nclip_grad_norm = 0.02',
    "RMSprop with all": 'optimizer = "RMSprop"\nalpha = 0.9\nmomentum = 0.5\ncentered = true\nclip_grad_norm = 0.1',
}


def few_epochs(scenario: Scenario) -> Scenario:
    text = re.sub(r"^epochs = \d+", "epochs = 3", scenario.file_text, flags=re.MULTILINE)
    return read_text(text, scenario.path)


@pytest.mark.parametrize("name", names())
def test_program_of_a_bundled_scenario_gives_the_engines_numbers(name):
    agrees(few_epochs(read(find(name))))


@pytest.mark.parametrize("case", FORWARD)
def test_program_of_an_option_gives_the_engines_numbers(case, tmp_path):
    agrees(scenario_in(tmp_path, FORWARD[case]))


@pytest.mark.parametrize("case", LEARNT)
def test_program_goes_back_as_the_engine_does(case, tmp_path):
    text = re.sub(r"\[training\]\n([a-z_]+ = .*\n)*", "", LEARNT[case])
    assert agrees(scenario_in(tmp_path, text)).printed["loss"]


@pytest.mark.parametrize("case", LEARNT)
def test_program_learns_as_the_engine_does(case, tmp_path):
    assert len(agrees(scenario_in(tmp_path, LEARNT[case])).losses) == 3


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_program_gives_the_optimizer_its_arguments(name, tmp_path):
    training = f"[training]\nepochs = 4\n{OPTIMIZERS[name]}\n"
    agrees(scenario_in(tmp_path, f"{NUMBERS}{module('GRU')}{SEED}{classes(4, 3)}{training}"))


# ── mistakes on purpose ──────────────────────────────────────────────────────────────────────

GIVEN = "[initial_state]\nh_0 = [[[0.1, 0.2, 0.3], [0.2, 0.3, 0.4], [0.3, 0.4, 0.5]]]\n"

MISTAKEN = {
    "module": f"{NUMBERS}{module('LSTM')}{LINEAR}{SEED}{GIVEN}{classes(4, 3)}",
    "module, batch_first, both directions": f"{NUMBERS}{module('RNN', 'batch_first = true', 'bidirectional = true')}{SEED}{classes(4, 3)}",
    "module, unbatched": f"{ALONE}{module('GRU')}{SEED}{classes(4)}",
    "module, packed, two states": f"{LETTERS}{module('LSTM', size=4)}{SEED}{PADDED}",
    "module, packed": f"{LETTERS}{module('RNN', size=4)}{SEED}{PADDED}",
    "module, with an embedding": f"{WORD}[embedding]\nembedding_dim = 2\n{module('GRU')}[linear]\nout_features = 4\n{SEED}[target]\ntext = 'ohlol'\n",
    "layers": f"{NUMBERS}{module('GRU')}{DROPOUT}{FINAL}{SEED}{classes(3)}",
    "cell": f"{NUMBERS}{module('LSTMCell')}{SEED}{classes(4, 3)}",
    "cell with a linear layer, unbatched": f"{ALONE}{module('RNNCell')}{LINEAR}{SEED}{classes(4)}",
    "cell, packed": f"{LETTERS}{module('GRUCell', size=4)}{SEED}{PADDED}",
    "own cell": f"{NUMBERS}{module('loss')}{SEED}{classes(4, 3)}{SMOOTH}",
    "own cell, stacked": f"{NUMBERS}{module('adder', *STACKED)}{LINEAR_H_N}{SEED}{classes(3)}{ADDER}",
    "windows": f"{WINDOWS}{module('RNNCell')}{SEED}{classes(4, 4)}",
    "windows, batch_first": f"{WINDOWS}{module('LSTM', 'batch_first = true')}{SEED}{classes(4, 4)}",
}  # fmt: skip

# Where a mistake cannot be made the scenario is refused.
MISTAKES = {
    "no_zero_grad": list(MISTAKEN),
    "softmax_before_cross_entropy": list(MISTAKEN),
    "hidden_not_reset": [case for case in MISTAKEN if "windows" not in case],
    "h_0_of_the_wrong_shape": [case for case in MISTAKEN if not case.startswith("own cell")],
    "backward_inside_the_loop": [case for case in MISTAKEN if "cell" in case and not case.startswith("own cell")] + ["windows"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("mistake", "case"), [(name, case) for name, cases in MISTAKES.items() for case in cases]
)
def test_program_makes_the_mistake_and_tells_the_cure(mistake, case, tmp_path):
    training = f'{SGD}mistake = "{mistake}"\nclip_grad_norm = 2.0\n'
    scenario = scenario_in(tmp_path, f"{MISTAKEN[case]}{training}")
    agrees(scenario)
    program = torch_program(scenario)
    mistake, cure = re.search(r"( *# Mistake on purpose: .*)\n( *# Cure: .*)\n", program).groups()
    assert len(mistake) - len(mistake.lstrip()) == len(cure) - len(cure.lstrip())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("pitfalls/backward_inside_the_loop", "Trying to backward through the graph a second time"),
        (
            "pitfalls/h_0_of_the_wrong_shape",
            "For batched 3-D input, hx should also be 3-D but got 2-D tensor",
        ),
    ],
)
def test_program_ends_where_torch_raises_after_it_has_printed_what_comes_out(name, said, capsys):
    with pytest.raises(RuntimeError, match=said):
        exec(torch_program(read(find(name))), {})
    assert capsys.readouterr().out.startswith("output\n")


def test_mistake_is_told_in_chinese_too():
    program = torch_program(read(find("pitfalls/no_zero_grad")), "zh")
    assert "    # 有意犯的错误：" in program
    assert "    # 改正：optimizer.zero_grad()\n" in program


def test_mistake_in_the_data_is_told_at_the_top():
    program = torch_program(read(find("pitfalls/typo_in_data")))
    assert "\n# Cure, in the scenario: input.indices = [1, 0, 2, 2, 3]\nimport torch\n" in program


# ── labelled rows ────────────────────────────────────────────────────────────────────────────

FEW = "text,label\nhello,a\nhole,b\nhe,a\nolo,b\nle,b\n"
MANY = "\ufeff label , number,text\n" + "".join(
    f"{label} ,{number}, {text}\n\n"
    for number, (text, label) in enumerate(
        zip(["hello", "he", "oh hole", "lo", "eel", "hoo"] * 4, "abcaabbc" * 3, strict=True)
    )
)
TEST = "test = 0.3\nseed = 4\n"

ROWS = {
    "few": (FEW, "batch_size = 2\n", module("LSTM")),
    "few, some kept apart": (FEW, f"batch_size = 2\nshuffle = true\n{TEST}", module("GRU", "batch_first = true")),
    "few, one batch": (FEW, "batch_size = 9\n", module("RNN")),
    "few, one batch, some kept apart": (FEW, f"batch_size = 9\n{TEST}", module("RNNCell")),
    "many": (MANY, "batch_size = 5\n", module("GRU", "bidirectional = true")),
    "many, shuffled": (MANY, "batch_size = 5\nshuffle = true\n", module("RNN", "batch_first = true")),
    "many, some kept apart": (MANY, f"batch_size = 5\n{TEST}", module("LSTM")),
    "many, shuffled, some kept apart": (MANY, f"batch_size = 5\nshuffle = true\n{TEST}", module("GRUCell")),
    "many, one batch": (MANY, "batch_size = 30\n", module("GRU", "num_layers = 2")),
    "many, own cell": (MANY, f"batch_size = 9\n{TEST}", f"{module('loss')}{SMOOTH}"),
    "many, of one length": (re.sub(r"(?m)[a-z ]+$", "ole", MANY).replace("ole", "text", 1), f"batch_size = 5\n{TEST}", module("RNN")),
}  # fmt: skip


def rows_in(folder: Path, case: str, rest: str, letters: str = '["h", "l", "o", " ", "e"]') -> Scenario:
    rows, data, recurrent = ROWS[case]
    (folder / "rows.csv").write_text(rows, "utf-8")
    linear = '[linear]\nfrom = "h_n"\n'
    return scenario_in(
        folder, f'vocabulary = {letters}\n[data]\nfile = "rows.csv"\n{data}{rest}{recurrent}{linear}{SEED}'
    )


@pytest.mark.parametrize("rest", ["", ADAM, "[embedding]\nembedding_dim = 2\n" + ADAM])
@pytest.mark.parametrize("case", ROWS)
def test_program_walks_the_batches_of_labelled_rows(case, rest, tmp_path):
    scenario = rows_in(tmp_path, case, rest)
    program = torch_program(scenario)
    assert ("csv.reader(" in program) == ("many" in case)
    assert ("lengths" in program) == ("one length" not in case)
    run = agrees(scenario)
    if rest and (scenario.test_batches or len(scenario.batches) > 1):
        assert all(epoch[4] for epoch in run.epochs)
        assert all(bool(epoch[5]) == bool(scenario.test_batches) for epoch in run.epochs)


@pytest.mark.parametrize("letters", ['"ascii"', '["he", "h", "l", "o", "e", "hell"]'])
def test_program_spells_as_the_scenario_does(letters, tmp_path):
    scenario = rows_in(tmp_path, "many, some kept apart", ADAM, letters)
    agrees(scenario)
    assert ("ord(letter)" in torch_program(scenario)) == (letters == '"ascii"')


def test_program_of_one_batch_whose_state_is_not_reset_is_tested_from_the_start(tmp_path):
    scenario = rows_in(tmp_path, "few, one batch, some kept apart", ADAM + 'mistake = "hidden_not_reset"\n')
    run = Run(torch_program(scenario))
    theirs = [epoch.loss for epoch in TorchTraining(scenario).epochs()]
    np.testing.assert_allclose(run.losses, theirs, rtol=1e-6)


# ── files ────────────────────────────────────────────────────────────────────────────────────


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


@pytest.mark.parametrize("rest", ["", classes(3, 2) + ADAM])
def test_program_reads_weights_from_safetensors(rest, tmp_path):
    save_file(_model().state_dict(), tmp_path / "weights.safetensors")
    scenario = scenario_in(tmp_path, FROM_FILE.format(file="weights.safetensors") + rest)
    agrees(scenario)
    assert "load_file(" in torch_program(scenario)


@pytest.mark.parametrize("rest", ["", classes(3, 2) + ADAM])
def test_program_reads_a_state_dict_of_torch(rest, tmp_path):
    torch.save(_model().state_dict(), tmp_path / "weights.pt")
    scenario = scenario_in(tmp_path, FROM_FILE.format(file="weights.pt") + rest)
    agrees(scenario)
    assert "weights_only=True" in torch_program(scenario)


def test_program_reads_its_input_from_npy(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((4, 2, 3)))
    agrees(
        scenario_in(
            tmp_path, f'[input]\nfile = "x.npy"\n[recurrent]\nmodule = "RNN"\nhidden_size = 2\n{SEED}'
        )
    )


# ── how it reads ─────────────────────────────────────────────────────────────────────────────


def test_trained_hello_is_the_courses_program():
    program = torch_program(read(find("hello")))
    assert len(program.splitlines()) < 40
    for line in (
        "torch.manual_seed(2)",
        "criterion = nn.CrossEntropyLoss()",
        "optimizer = torch.optim.Adam(rnn.parameters(), lr=0.1)",
        "for epoch in range(15):",
        "    optimizer.zero_grad()",
        "        loss = loss + criterion(h, target_t)",
        "    loss.backward()",
        "    optimizer.step()",
    ):
        assert f"\n{line}\n" in program


def test_whole_module_takes_the_loss_of_all_steps_in_one_call():
    program = torch_program(read(find("hello_rnn")))
    assert "\n    loss = criterion(output.view(-1, 4), target.view(-1))\n" in program


def test_program_names_the_command_whose_numbers_it_gives():
    for name, command in (("rnn", "trace"), ("hello", "train"), ("pitfalls/oholo", "train")):
        assert f"`rnnstep {command} {name}`" in torch_program(read(find(name)))


@pytest.mark.parametrize("name", names())
def test_program_names_no_place_of_the_machine_but_the_scenarios_own_files(name):
    path = find(name)
    program = torch_program(read(path))
    if name == "names":
        program = program.replace(str(path.parent / "names.csv"), "")
    assert str(path.parent) not in program


def test_program_of_many_rows_does_not_hold_them():
    program = torch_program(read(find("names")))
    assert len(program.splitlines()) < 90
    assert "Abbas" not in program


def test_program_prints_no_letter_that_steers_the_terminal(tmp_path):
    text = f'vocabulary = "ascii"\n[input]\ntext = "hi"\n{module("RNN", size=128)}{SEED}[target]\ntext = "ho"\n{ADAM}'
    run = Run(torch_program(scenario_in(tmp_path, text)))
    assert all(line.isprintable() for line in run.lines)


def test_title_stays_on_its_comment_line(tmp_path):
    title = f'title = "a\\nimport os"\n{NUMBERS}[recurrent]\nmodule = "RNN"\nhidden_size = 2\n{SEED}'
    assert torch_program(scenario_in(tmp_path, title)).splitlines()[2] == "# a import os"
