"""[[layers]] with several modules, recurrent ones and others: each chain beside a module written with torch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import rnnstep
from rnnstep.cli.options import completed
from rnnstep.engine import Model
from rnnstep.errors import RnnstepError, ScenarioError
from rnnstep.reference import complete
from rnnstep.scenario.file.save import numbers_text, save, with_edited_title
from rnnstep.scenario.file.write import difference, write_scenario
from rnnstep.scenario.origins import Origins
from rnnstep.scenario.read import read, read_text
from rnnstep.session.edits import apply, read_edit
from rnnstep.session.place import read_place
from rnnstep.session.run import SessionRun
from tests.oracle.loss_checks import assert_are_slopes, assert_are_torchs
from tests.oracle.programs import agrees, scenario_in

TARGET = np.random.default_rng(2).uniform(-1, 1, (4, 2, 3)).round(2)
TAIL = """
[weights]
seed = 3
[target]
values = %s
[loss]
reduction = "sum"
[display]
dtype = "%s"
"""
NUMBERS = "[input]\nrandom = {shape = [4, 2, 3], seed = 1}\nlengths = [4, 2]\n"
ABOVE = f"""{NUMBERS}
[[layers]]
module = "LSTM"
hidden_size = 2
[[layers]]
module = "Tanh"
[[layers]]
module = "Linear"
name = "widen"
out_features = 4
[[layers]]
module = "ReLU"
[[layers]]
module = "LayerNorm"
[[layers]]
module = "Linear"
bias = false
{TAIL}"""
BELOW = f"""
vocabulary = ["a", "b"]
[input]
text = ["abba", "ba"]
[[layers]]
module = "Embedding"
embedding_dim = 3
[[layers]]
module = "LayerNorm"
[[layers]]
module = "Linear"
out_features = 2
[[layers]]
module = "Sigmoid"
[[layers]]
module = "GRU"
hidden_size = 2
bidirectional = true
[[layers]]
module = "Linear"
{TAIL}"""
DROPPED = f"""
mode = "train"
dropout_seed = 7
{NUMBERS.replace("lengths = [4, 2]", "")}
[[layers]]
module = "Dropout"
p = 0.2
[[layers]]
module = "RNN"
hidden_size = 4
num_layers = 2
dropout = 0.4
[[layers]]
module = "Dropout"
[[layers]]
module = "Linear"
[[layers]]
module = "Dropout"
p = 0.1
{TAIL}"""
STACKED = f"""{NUMBERS}
[[layers]]
module = "GRU"
name = "both"
hidden_size = 2
bidirectional = true
[[layers]]
module = "LayerNorm"
[[layers]]
module = "LSTM"
hidden_size = 3
num_layers = 2
[initial_state.lstm]
c_0 = [[[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], [[-0.1, -0.2, -0.3], [-0.4, -0.5, -0.6]]]
{TAIL}"""
CELLS = f"""{NUMBERS.replace("lengths = [4, 2]", "")}
[[layers]]
module = "RNNCell"
hidden_size = 2
[[layers]]
module = "Tanh"
[[layers]]
module = "GRUCell"
name = "top"
hidden_size = 3
{TAIL}"""
CHAINS = {"above": ABOVE, "below": BELOW, "dropped": DROPPED, "stacked": STACKED, "cells": CELLS}


class Above(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(3, 2)
        self.widen = nn.Linear(2, 4)
        self.layernorm = nn.LayerNorm(4)
        self.linear = nn.Linear(4, 3, bias=False)

    def forward(self, x):
        packed = nn.utils.rnn.pack_padded_sequence(x, [4, 2])
        output, _ = nn.utils.rnn.pad_packed_sequence(self.rnn(packed)[0], total_length=4)
        return self.linear(self.layernorm(torch.relu(self.widen(torch.tanh(output)))))


class Below(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(2, 3)
        self.layernorm = nn.LayerNorm(3)
        self.linear = nn.Linear(3, 2)
        self.rnn = nn.GRU(2, 2, bidirectional=True)
        self.linear2 = nn.Linear(4, 3)

    def forward(self, x):
        x = torch.sigmoid(self.linear(self.layernorm(self.embedding(x))))
        packed = nn.utils.rnn.pack_padded_sequence(x, [4, 2])
        output, _ = nn.utils.rnn.pad_packed_sequence(self.rnn(packed)[0], total_length=4)
        return self.linear2(output)


class Dropped(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(3, 4, num_layers=2)
        self.linear = nn.Linear(4, 3)

    def forward(self, x):
        drawn = np.random.default_rng(7)

        def drop(value, p):  # in the file's order, one generator a pass
            kept = drawn.random(tuple(value.shape)) >= p
            return value * value.new_tensor(kept / (1 - p))

        x = drop(x, 0.2)
        for layer in range(2):
            single = nn.RNN(x.shape[-1], 4).to(x.dtype)
            names = {name: name.replace("_l0", f"_l{layer}") for name in single.state_dict()}
            own = {name: getattr(self.rnn, kept) for name, kept in names.items()}
            x, _ = torch.func.functional_call(single, own, (x,))
            x = drop(x, 0.4) if layer == 0 else x
        return drop(self.linear(drop(x, 0.5)), 0.1)


class Stacked(nn.Module):
    def __init__(self):
        super().__init__()
        self.both = nn.GRU(3, 2, bidirectional=True)
        self.layernorm = nn.LayerNorm(4)
        self.lstm = nn.LSTM(4, 3, num_layers=2)

    def forward(self, x):
        x, _ = self.padded(self.both, x)
        first = np.array([[[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], [[-0.1, -0.2, -0.3], [-0.4, -0.5, -0.6]]])
        c_0 = x.new_tensor(first)
        return self.padded(self.lstm, self.layernorm(x), (torch.zeros_like(c_0), c_0))[0]

    @staticmethod
    def padded(module, x, states=None):
        output, ends = module(nn.utils.rnn.pack_padded_sequence(x, [4, 2]), states)
        return nn.utils.rnn.pad_packed_sequence(output, total_length=4)[0], ends


class Cells(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnncell = nn.RNNCell(3, 2)
        self.top = nn.GRUCell(2, 3)

    def forward(self, x):
        low = high = None
        outputs = []
        for x_t in x:
            low = self.rnncell(x_t, low)
            high = self.top(torch.tanh(low), high)
            outputs.append(high)
        return torch.stack(outputs)


WRITTEN = {"above": Above, "below": Below, "dropped": Dropped, "stacked": Stacked, "cells": Cells}


def chain(name, dtype="float64"):
    return complete(read_text(CHAINS[name] % (TARGET.tolist(), dtype)))


def given(scenario):
    batch = scenario.batches[0]
    return torch.tensor(batch.values if batch.values is not None else batch.indices)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CHAINS)
def test_logits_loss_and_gradients_are_torchs(name, dtype):
    scenario = chain(name, dtype)
    torch.manual_seed(3)
    module = WRITTEN[name]().to(getattr(torch, dtype))
    logits = module(given(scenario))
    loss = nn.MSELoss(reduction="sum")(logits, logits.new_tensor(TARGET))
    loss.backward()
    gradients = {key.removeprefix("rnn."): one.grad.numpy() for key, one in module.named_parameters()}
    unit = float(np.finfo(dtype).eps)
    model = Model(scenario)
    np.testing.assert_allclose(model.run_batch(0).scores, logits.detach().numpy(), rtol=0, atol=2048 * unit)
    assert_are_torchs(model, loss.item(), gradients, units=2048, gradient_units=2**18)


@pytest.mark.parametrize("name", CHAINS)
def test_gradients_are_the_slopes_of_the_loss(name):
    assert_are_slopes(Model(chain(name)), rel=1e-4, abs_=1e-7)


@pytest.mark.parametrize("training", ["", '[training]\noptimizer = "Adam"\nlr = 0.1\nepochs = 2\n'])
@pytest.mark.parametrize("name", CHAINS)
def test_the_program_gives_the_same_numbers(name, training, tmp_path):
    agrees(scenario_in(tmp_path, CHAINS[name] % (TARGET.tolist(), "float64") + training))


OF_A_CELL = DROPPED.replace('"RNN"', '"GRUCell"').replace("num_layers = 2\ndropout = 0.4\n", "")


@pytest.mark.parametrize("text", [*CHAINS.values(), OF_A_CELL], ids=[*CHAINS, "of a cell"])
def test_a_chain_made_in_memory_is_written_and_reads_back(text, tmp_path):
    live = replace(
        complete(read_text(text % (TARGET.tolist(), "float64"))), path=None, file_text=None, origins=Origins()
    )
    write_scenario(live, tmp_path / "written.toml")
    assert difference(live, read(tmp_path / "written.toml")) is None


ALONE = f"""{NUMBERS.replace("lengths = [4, 2]", "")}
[[layers]]
module = "GRU"
name = "encoder"
hidden_size = 2
[initial_state.encoder]
h_0 = [[[0.1, 0.2], [0.3, 0.4]]]
[weights]
seed = 1
encoder.W_ir = [[0.1, 0.2, 0.3], [0.3, 0.4, 0.5]]
"""


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (STACKED % (TARGET.tolist(), "float64"), "1/lstm.L1"),
        (STACKED % (TARGET.tolist(), "float64"), "1/both.L0←"),
        (ALONE, "1/L0"),
        (ALONE.replace("[initial_state.encoder]", "[initial_state]"), "1/L0"),
    ],
)
def test_what_was_edited_is_saved_with_its_modules_name(text, place, tmp_path):
    (tmp_path / "chain.toml").write_text(text)
    scenario = read(tmp_path / "chain.toml")
    run = SessionRun.of(scenario)
    spot = run.tree.locate(read_place(run.tree, place))
    key = place.partition("/")[2]
    block = next(one for one in run.pass_of(spot).blocks if one.key == key)
    names = [f"{name}[0]" if value.ndim == 1 else f"{name}[0,1]" for name, value in block.parameters.items()]
    names += [f"{name}_0[1]" for name in block.program.states]
    edits = tuple(read_edit(f"{name} = 0.25", run, spot, 0) for name in names)
    changed = apply(scenario, edits)
    save(changed, edits, tmp_path / "edited.toml", replace=False)
    assert difference(with_edited_title(changed), read(tmp_path / "edited.toml")) is None
    live = completed(scenario)
    (tmp_path / "numbers.toml").write_text(numbers_text(live))
    again = read(tmp_path / "numbers.toml")
    assert difference(replace(live, title=again.title, display=again.display), again) is None


def test_dropout_drops_nothing_in_evaluation_mode():
    text = DROPPED.replace('mode = "train"', 'mode = "eval"')
    scenario = read_text(text % (TARGET.tolist(), "float64"))
    done = Model(scenario).run_batch(0)
    assert done.masks == {}
    np.testing.assert_array_equal(done.whole("dropout_3"), done.whole("linear"))
    torch.manual_seed(3)
    module = Dropped().double()
    logits = module.linear(module.rnn(given(scenario))[0])
    np.testing.assert_allclose(done.logits, logits.detach().numpy(), rtol=0, atol=1e-14)


def test_values_are_named_after_who_reads_them_or_gives_them():
    done = Model(chain("above")).run_batch(0)
    outputs = {block.key: block.output for block in done.blocks if block.kind == "map"}
    assert outputs == {
        "tanh": "tanh_out",
        "widen": "widen_out",
        "relu": "relu_out",
        "layernorm": "layernorm_out",
        "linear": "logits",
    }
    below = Model(chain("below")).run_batch(0)
    outputs = {block.key: block.output for block in below.blocks if block.kind in ("lookup", "map")}
    assert outputs == {
        "embedding": "embedding_out",
        "layernorm": "layernorm_out",
        "linear": "linear_out",
        "sigmoid": "x",
        "linear2": "logits",
    }


@pytest.mark.parametrize("name", CHAINS)
def test_json_has_every_layer(name, tmp_path):
    path = tmp_path / "chain.toml"
    path.write_text(CHAINS[name] % (TARGET.tolist(), "float64"))
    trace, grad = rnnstep.trace(path).as_dict(), rnnstep.grad(path).as_dict()
    scenario = chain(name)
    assert trace["module"] == "network"
    assert list(trace["input"]) == ["input"]
    assert list(trace["layers"]) == [layer.name for layer in scenario.layers]
    for key, layer in trace["layers"].items():
        theirs = trace["reference"]["layers"][key]
        assert layer.keys() == theirs.keys()
        np.testing.assert_allclose(layer["output"], theirs["output"], rtol=0, atol=1e-12)
    scores = trace["logits" if scenario.head is not None else "output"]
    assert trace["layers"][scenario.layers[-1].name]["output"] == scores
    assert trace["layers"][scenario.recurrent.name]["output"] == trace["output"]
    assert ("h_n" in trace) == (len(scenario.recurrents) == 1)
    if "h_n" in trace:
        assert trace["layers"][scenario.recurrent.name]["h_n"] == trace["h_n"]
    every = [*trace["steps"], *grad["states"], *trace["reference"]["steps"]]
    named = {(one.name, "input") for one in scenario.recurrents}
    assert {(one["block"], one["sequence"]) for one in every} == named


def test_places_and_parameters_have_the_modules_name_where_there_are_several():
    done = Model(chain("stacked")).run_batch(0)
    keys = ["both.L0", "both.L0←", "both.join0", "layernorm", "lstm.L0", "lstm.L1", "loss", "total"]
    assert [block.key for block in done.blocks] == keys
    assert "both.weight_ih_l0_reverse" in done.scenario.parameters
    assert "lstm.bias_hh_l1" in done.scenario.parameters
    alone = read_text(
        NUMBERS + '[[layers]]\nmodule = "GRU"\nname = "encoder"\nhidden_size = 2\n[weights]\nseed = 1\n'
    )
    assert [block.key for block in Model(alone).blocks] == ["L0"]
    assert next(iter(alone.parameters)) == "encoder.weight_ih_l0"


def test_weights_of_several_modules_are_given_and_read_from_a_file(tmp_path):
    scenario = chain("stacked")
    path = tmp_path / "weights.pt"
    torch.save(
        dict(zip(scenario.parameters, map(torch.tensor, scenario.parameters.values()), strict=True)), path
    )
    text = STACKED.replace("seed = 3", 'file = "weights.pt"\nboth.b_ir_l0_reverse = [0.5, 0.25]')
    (tmp_path / "chain.toml").write_text(text % (TARGET.tolist(), "float64"))
    with pytest.raises(ScenarioError):  # a gate alone stands beside no file of torch's
        read(tmp_path / "chain.toml")
    whole = "both.bias_ih_l0_reverse = [0.5, 0.25, 0, 0, 0, 0]"
    text = STACKED.replace("seed = 3", f'file = "weights.pt"\n{whole}')
    (tmp_path / "chain.toml").write_text(text % (TARGET.tolist(), "float64"))
    found = complete(read(tmp_path / "chain.toml")).parameters
    for name, value in scenario.parameters.items():
        given_here = np.array([0.5, 0.25, 0, 0, 0, 0]) if name == "both.bias_ih_l0_reverse" else value
        np.testing.assert_array_equal(found[name], given_here)


def test_an_answer_says_of_which_module_it_is(tmp_path):
    (tmp_path / "chain.toml").write_text(STACKED % (TARGET.tolist(), "float64"))
    done = Model(chain("stacked")).run_batch(0)
    value = done.value("lstm.L1", "h", 1)[0].round(4).tolist()
    text = f'decimals = 4\n[[answer]]\nstep = 2\nblock = "lstm"\nlayer = 1\nname = "h"\nvalue = {value}\n'
    (tmp_path / "answers.toml").write_text(text)
    (one,) = rnnstep.check(tmp_path / "chain.toml", tmp_path / "answers.toml").as_dict()["answers"]
    assert (one["status"], one["block"], one["layer"]) == ("correct", "lstm", 1)
    for wrong in (text.replace('block = "lstm"\n', ""), text.replace('"lstm"', '"lsmt"')):
        (tmp_path / "answers.toml").write_text(wrong)
        with pytest.raises(ScenarioError) as error:
            rnnstep.check(tmp_path / "chain.toml", tmp_path / "answers.toml")
        assert error.value.into("zh") != error.value.into("en")


def test_a_value_of_a_lower_module_is_marked(tmp_path):
    (tmp_path / "chain.toml").write_text(ABOVE % (TARGET.tolist(), "float64"))
    done = Model(chain("above")).run_batch(0)
    right = done.value("widen", "widen_out", 1)[0].round(4).tolist()
    wrong = [*right[:3], right[3] + 0.3]
    for numbers, status in ((right, "correct"), (wrong, "wrong")):
        text = f'decimals = 4\n[[answer]]\nstep = 2\nname = "widen_out"\nvalue = {numbers}\n'
        (tmp_path / "answers.toml").write_text(text)
        (one,) = rnnstep.check(tmp_path / "chain.toml", tmp_path / "answers.toml").as_dict()["answers"]
        assert one["status"] == status


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("both.L0 h_n = 1.000 1.000; 1.000 1.000", "both.L0 h_n"),
        ("lstm.L0 c_n = 1.000 1.000 1.000; 1.000 1.000 1.000", "lstm.L0 c_n"),
        ("output_1 = 1.000 1.000 1.000", "output_1"),
    ],
)
def test_wrong_final_states_are_marked_with_their_modules_name(answer, label, tmp_path):
    (tmp_path / "chain.toml").write_text(STACKED % (TARGET.tolist(), "float64"))
    marked = rnnstep.check(tmp_path / "chain.toml", answer)
    assert marked.marks[0].label == label
    assert marked.marks[0].status == "wrong"
    with pytest.raises(RnnstepError, match="lstm"):
        rnnstep.check(tmp_path / "chain.toml", "both.L0 output_1 = 1.000 1.000 1.000 1.000")


# ── what cannot be read ──────────────────────────────────────────────────────────────────────


def read_problems(text):
    with pytest.raises(ScenarioError) as error:
        read_text(text)
    assert error.value.into("zh") != error.value.into("en")
    return error.value.problems


def problems(text):
    return [(one.line, str(one.message)) for one in read_problems(text % (TARGET.tolist(), "float64"))]


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('"ReLU"', '"ReLU"\nname = "widen"', 'name = "widen"', "number 3"),
        ('name = "widen"', 'name = "backward"', 'name = "backward"', "backward"),
        ('name = "widen"', 'name = "e7"', 'name = "e7"', "e7"),
        ('name = "widen"', 'name = "dropout0"', 'name = "dropout0"', "dropout0"),
        ('name = "widen"', 'name = "seed"', 'name = "seed"', "seed"),
        ('name = "widen"', 'name = "embedding"', 'name = "embedding"', "embedding"),
        ('name = "widen"', 'name = "2nd"', 'name = "2nd"', "a letter"),
        ('name = "widen"', "name = 3", "name = 3", "a string"),
        ("out_features = 4", "", "[[layers]]", "out_features"),
        ("out_features = 4", "out_features = 0", "out_features = 0", "≥ 1"),
        ('"LayerNorm"', '"LayerNorm"\nnormalized_shape = 5', "normalized_shape = 5", "found 5, expected 4"),
        ('"LayerNorm"', '"Dropout"\np = 1.5', "p = 1.5", "1.5"),
        ('"LayerNorm"', '"Embedding"', 'module = "Embedding"', "stands first"),
        ('"LayerNorm"', '"LayerNorm"\ninput = "widen"', "[[layers]]", "no layer reads relu"),
        ('"LayerNorm"', '"LayerNorm"\nout_features = 4', "out_features = 4", "out_features"),
        ('"Tanh"', '"Tanhh"', 'module = "Tanhh"', "Tanh"),
    ],
)
def test_what_is_wrong_is_told_at_its_line(old, new, line, words):
    assert old in ABOVE
    wrong = ABOVE.replace(old, new, 1)
    ((found, message),) = problems(wrong)
    assert wrong.splitlines()[found - 1] == line, message
    assert words in message


def test_sizes_that_do_not_fit_are_told_with_both():
    wrong = BELOW.replace("hidden_size = 2", "hidden_size = 2\ninput_size = 5")
    ((line, message),) = problems(wrong)
    assert wrong.splitlines()[line - 1] == "input_size = 5"
    assert "found 5" in message
    assert "Sigmoid" in message
    assert " 2 " in message


def test_a_state_is_given_once():
    wrong = ALONE.replace("[initial_state.encoder]", "[initial_state]\nh_0 = 1\n[initial_state.encoder]")
    messages = [str(one.message) for one in read_problems(wrong)]
    assert any("given twice" in one for one in messages)


def test_all_mistakes_are_told_at_once():
    wrong = ABOVE.replace('"Tanh"', '"Tanhh"').replace("hidden_size = 2", "hidden_size = 0")
    wrong = wrong.replace('name = "widen"', 'name = "start"').replace("bias = false", "bias = 3")
    wrong = wrong.replace('reduction = "sum"', 'reduction = "summe"')
    lines = [line for line, _ in problems(wrong)]
    assert [wrong.splitlines()[line - 1] for line in lines] == [
        "hidden_size = 0",
        'module = "Tanhh"',
        'name = "start"',
        "bias = 3",
        'reduction = "summe"',
    ]


@pytest.mark.parametrize(
    ("first", "second"), [("mode = 'eval'", "mode = 'train'"), ("dropout_seed = 1", "dropout_seed = 2")]
)
def test_there_is_one_mode_and_one_seed(first, second):
    wrong = f"{first}\n{DROPPED}".replace('mode = "train"\n', "").replace("dropout_seed = 7\n", "")
    wrong = wrong.replace("num_layers = 2", f"num_layers = 2\n{second}")
    ((line, _),) = problems(wrong)
    assert wrong.splitlines()[line - 1] == second
