"""[[layers]] whose layers name what they read: each network beside a module written with torch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import rnnstep
from rnnstep.engine import Model
from rnnstep.errors import ScenarioError
from rnnstep.reference import check, check_gradients
from rnnstep.scenario.file.write import difference, write_scenario
from rnnstep.scenario.origins import Origins
from rnnstep.scenario.read import read, read_text
from rnnstep.session.place import read_place
from rnnstep.session.provenance import source
from rnnstep.session.readers import readers
from rnnstep.session.run import SessionRun
from tests.oracle.loss_checks import assert_are_torchs
from tests.oracle.programs import agrees, scenario_in

TARGET = np.random.default_rng(2).uniform(-1, 1, (4, 2, 3)).round(2)
TAIL = """
[weights]
seed = 3
[target]
values = %(target)s
[loss]
reduction = "sum"
[display]
dtype = "%(dtype)s"
"""
JOINED = f"""
[input]
random = {{shape = [4, 2, 3], seed = 1}}
lengths = [4, 2]
packed = %(packed)s
[[layers]]
name = "a"
module = "LSTM"
hidden_size = 3
bidirectional = %(both)s
[[layers]]
name = "b"
module = "GRU"
input = ["a", "input", "a.h_n", "a.c_n"]
hidden_size = 3
add = "input"
[[layers]]
module = "Linear"
name = "bridge"
input = "a.c_n"
out_features = 3
[[layers]]
module = "Linear"
input = ["b", "bridge"]
out_features = 3
add = ["b", "bridge"]
{TAIL}"""
ONE_A_ROW = f"""
[input]
random = {{shape = [4, 2, 3], seed = 1}}
lengths = [4, 2]
packed = %(packed)s
[[layers]]
name = "a"
module = "LSTM"
hidden_size = 3
bidirectional = %(both)s
[[layers]]
module = "LayerNorm"
input = ["a.h_n", "a.c_n"]
[[layers]]
module = "Linear"
out_features = 3
name = "shorter"
[[layers]]
module = "Tanh"
add = "shorter"
{TAIL}"""
EVERY = [
    (text, packed, both) for text in (JOINED, ONE_A_ROW) for packed in (False, True) for both in (False, True)
]


def scenario_of(text, *, packed, both, dtype="float64"):
    target = TARGET[-1] if text is ONE_A_ROW else TARGET
    known = {
        "packed": str(packed).lower(),
        "both": str(both).lower(),
        "dtype": dtype,
        "target": target.tolist(),
    }
    return read_text(text % known)


class Network(nn.Module):
    """Both networks, as a user of torch writes them."""

    def __init__(self, text, *, both):
        super().__init__()
        size = 6 if both else 3
        self.text = text
        self.a = nn.LSTM(3, 3, bidirectional=both)
        if text is JOINED:
            self.b = nn.GRU(3 * size + 3, 3)
            self.bridge = nn.Linear(size, 3)
            self.linear = nn.Linear(6, 3)
        else:
            self.layernorm = nn.LayerNorm(2 * size)
            self.shorter = nn.Linear(2 * size, 3)

    @staticmethod
    def run(module, x, lengths):
        if lengths is None:
            return module(x)
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
        output, ends = module(packed)
        return nn.utils.rnn.pad_packed_sequence(output, total_length=len(x))[0], ends

    def forward(self, x, lengths):
        output, ends = self.run(self.a, x, lengths)
        h_n, c_n = (torch.cat(list(end), -1) for end in ends)
        if self.text is ONE_A_ROW:
            shorter = self.shorter(self.layernorm(torch.cat([h_n, c_n], -1)))
            return torch.tanh(shorter) + shorter
        repeated = [end.expand(len(x), -1, -1) for end in (h_n, c_n)]
        b = self.run(self.b, torch.cat([output, x, *repeated], -1), lengths)[0] + x
        bridge = self.bridge(c_n).expand(len(x), -1, -1)
        return self.linear(torch.cat([b, bridge], -1)) + b + bridge


@pytest.mark.parametrize(("text", "packed", "both"), EVERY)
def test_scores_and_gradients_are_those_of_the_module_written_by_hand(text, packed, both):
    scenario = scenario_of(text, packed=packed, both=both)
    module = Network(text, both=both).double()
    module.load_state_dict({name: torch.tensor(value) for name, value in scenario.parameters.items()})
    x = torch.tensor(scenario.batches[0].values, requires_grad=True)
    scores = module(x, [4, 2] if packed else None)
    loss = nn.MSELoss(reduction="sum")(scores, torch.tensor(scenario.batches[0].target))
    loss.backward()
    model = Model(scenario)
    done = model.run_batch(0)
    back = model.backward(done)
    np.testing.assert_allclose(done.scores, scores.detach().numpy(), rtol=0, atol=1e-13)
    assert done.loss == pytest.approx(loss.item(), abs=1e-12)
    for name, parameter in module.named_parameters():
        np.testing.assert_allclose(back.parameters[name], parameter.grad.numpy(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("text", "packed", "both"), EVERY)
def test_torchs_run_agrees_forth_and_back(text, packed, both, dtype):
    model = Model(scenario_of(text, packed=packed, both=both, dtype=dtype))
    trace = model.run()
    (compared,) = check(trace).compared
    assert not compared.faults
    back = model.backward(trace.passes[0])
    assert not check_gradients(trace.passes[0], back).faults


SUMS = f"""
[input]
random = {{shape = [4, 2, 3], seed = 1}}
[[layers]]
name = "a"
module = "GRU"
hidden_size = 3
add = "input"
[[layers]]
name = "b"
module = "GRU"
hidden_size = 3
add = ["a", "input"]
[[layers]]
name = "fold"
module = "Linear"
out_features = 3
[[layers]]
name = "norm"
module = "LayerNorm"
add = ["a", "b", "fold"]
[[layers]]
module = "Linear"
name = "up"
input = ["norm", "b"]
out_features = 3
add = ["norm", "b"]
{TAIL}"""


class Sums(nn.Module):
    """Sums of sums, as a user of torch writes them."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.GRU(3, 3), nn.GRU(3, 3)
        self.fold, self.norm, self.up = nn.Linear(3, 3), nn.LayerNorm(3), nn.Linear(6, 3)

    def forward(self, x):
        a = self.a(x)[0] + x
        b = self.b(a)[0] + a + x
        fold = self.fold(b)
        norm = self.norm(fold) + a + b + fold
        return self.up(torch.cat([norm, b], -1)) + norm + b


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sums_are_added_to_sums_and_read_by_any_module(dtype):
    scenario = read_text(SUMS % {"target": TARGET.tolist(), "dtype": dtype})
    module = Sums().to(getattr(torch, dtype))
    module.load_state_dict({name: torch.tensor(value) for name, value in scenario.parameters.items()})
    scores = module(torch.tensor(scenario.batches[0].values))
    loss = nn.MSELoss(reduction="sum")(scores, torch.tensor(scenario.batches[0].target))
    loss.backward()
    gradients = {name: one.grad.numpy() for name, one in module.named_parameters()}
    assert_are_torchs(Model(scenario), loss.item(), gradients, units=64, gradient_units=4096)


# ── first states by name ─────────────────────────────────────────────────────────────────────

BEGUN = f"""
[input]
random = {{shape = [4, 2, 3], seed = 1}}
lengths = [4, 2]
packed = %(packed)s
[[layers]]
name = "encoder"
module = "%(encoder)s"
hidden_size = 3
%(options)s
%(bridge)s
[[layers]]
name = "decoder"
module = "%(decoder)s"
hidden_size = %(size)d
input = ["input", "encoder"]
%(more)s
h_0 = "%(h_0)s"
%(c_0)s
[[layers]]
module = "Linear"
out_features = 3
{TAIL}"""
DEEP = "num_layers = 2\nbidirectional = true"
BRIDGE = """[[layers]]
name = "bridge"
module = "Linear"
input = ["encoder.h_n", "encoder.c_n"]
out_features = 2"""
BEGINNINGS = {
    "the same shape": {"encoder": "GRU", "decoder": "RNN"},
    "deep, both ways": {
        "encoder": "LSTM",
        "decoder": "LSTM",
        "options": DEEP,
        "more": DEEP,
        "c_0": 'c_0 = "encoder.c_n"',
    },
    "into a cell, joined": {
        "encoder": "LSTM",
        "decoder": "LSTMCell",
        "options": DEEP,
        "size": 6,
        "c_0": 'c_0 = "encoder.c_n"',
    },
    "by a bridge": {
        "encoder": "LSTM",
        "decoder": "GRU",
        "options": "bidirectional = true",
        "size": 2,
        "bridge": BRIDGE,
        "h_0": "bridge",
    },
}


def begun(name, *, packed=False, dtype="float64"):
    usual = {"options": "", "more": "", "bridge": "", "size": 3, "h_0": "encoder.h_n", "c_0": ""}
    known = {"packed": str(packed).lower(), "dtype": dtype, "target": TARGET.tolist()}
    return read_text(BEGUN % (usual | BEGINNINGS[name] | known))


class Begun(nn.Module):
    """An encoder whose end a decoder begins with, as a user of torch writes it."""

    def __init__(self, scenario):
        super().__init__()
        encoder, decoder = scenario.recurrents
        for one in (encoder, decoder):
            places, names = one.arguments
            self.add_module(one.key, getattr(nn, one.module)(*places, **names))
        if "bridge.weight" in scenario.parameters:
            self.bridge = nn.Linear(12, 2)
        self.linear = nn.Linear(decoder.size, 3)

    def forward(self, x, lengths):
        output, ends = Network.run(self.encoder, x, lengths)
        h_n, c_n = ends if isinstance(ends, tuple) else (ends, None)
        read = torch.cat([x, output], -1)
        if isinstance(self.decoder, nn.LSTMCell):
            h, c = (torch.cat([end[-2], end[-1]], -1) for end in (h_n, c_n))
            outputs = []
            for t, x_t in enumerate(read):
                after = self.decoder(x_t, (h, c))
                alive = torch.tensor([lengths is None or t < length for length in lengths or (4, 4)])[:, None]
                h, c = (torch.where(alive, new, old) for new, old in zip(after, (h, c), strict=True))
                outputs.append(torch.where(alive, h, 0))
            return self.linear(torch.stack(outputs))
        if isinstance(self.decoder, nn.GRU):
            first = self.bridge(torch.cat([h_n[0], h_n[1], c_n[0], c_n[1]], -1))[None]
        else:
            first = h_n if c_n is None else (h_n, c_n)
        if lengths is None:
            return self.linear(self.decoder(read, first)[0])
        packed = nn.utils.rnn.pack_padded_sequence(read, lengths, enforce_sorted=False)
        given = self.decoder(packed, first)[0]
        return self.linear(nn.utils.rnn.pad_packed_sequence(given, total_length=len(x))[0])


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", BEGINNINGS)
def test_a_decoder_begins_where_the_encoder_ended(name, packed):
    scenario = begun(name, packed=packed)
    module = Begun(scenario).double()
    if "bridge.weight" in scenario.parameters:
        module.bridge = nn.Linear(scenario.parameters["bridge.weight"].shape[1], 2).double()
    module.load_state_dict({key: torch.tensor(value) for key, value in scenario.parameters.items()})
    scores = module(torch.tensor(scenario.batches[0].values), [4, 2] if packed else None)
    loss = nn.MSELoss(reduction="sum")(scores, torch.tensor(TARGET))
    loss.backward()
    model = Model(scenario)
    done = model.run_batch(0)
    np.testing.assert_allclose(done.scores, scores.detach().numpy(), rtol=0, atol=1e-13)
    back = model.backward(done)
    for key, parameter in module.named_parameters():
        np.testing.assert_allclose(back.parameters[key], parameter.grad.numpy(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", BEGINNINGS)
def test_torchs_run_agrees_on_first_states(name, packed, dtype):
    model = Model(begun(name, packed=packed, dtype=dtype))
    trace = model.run()
    assert not check(trace).compared[0].faults
    assert not check_gradients(trace.passes[0], model.backward(trace.passes[0])).faults


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('h_0 = "encoder.h_n"', 'h_0 = "encoder.c_n"', "GRU"),
        ("hidden_size = 3\n\n\n", "hidden_size = 4\n\n\n", "encoder.h_n is (1, B, 4), expected (1, B, 3)"),
        ('h_0 = "encoder.h_n"', 'c_0 = "encoder.h_n"', "RNN has no such state"),
        ('h_0 = "encoder.h_n"', "h_0 = 0", "a name"),
    ],
)
def test_a_first_state_that_does_not_fit_is_told(old, new, words):
    usual = {"options": "", "more": "", "bridge": "", "size": 3, "h_0": "encoder.h_n", "c_0": ""}
    known = {"packed": "false", "dtype": "float64", "target": TARGET.tolist()}
    text = BEGUN % (usual | BEGINNINGS["the same shape"] | known)
    assert old in text
    with pytest.raises(ScenarioError) as error:
        read_text(text.replace(old, new, 1))
    assert words in error.value.into("en")
    assert error.value.into("zh") != error.value.into("en")


# ── what else reads a network ────────────────────────────────────────────────────────────────


def text_of(name):
    known = {"packed": "true", "both": "true", "dtype": "float64"}
    if name == "sums":
        return SUMS % (known | {"target": TARGET.tolist()})
    if name == "joined":
        return JOINED % (known | {"target": TARGET.tolist()})
    if name == "one a row":
        return ONE_A_ROW % (known | {"target": TARGET[-1].tolist()})
    usual = {"options": "", "more": "", "bridge": "", "size": 3, "h_0": "encoder.h_n", "c_0": ""}
    return BEGUN % (usual | BEGINNINGS[name] | known | {"target": TARGET.tolist()})


TEXTS = ("sums", "joined", "one a row", *BEGINNINGS)


@pytest.mark.parametrize("training", ["", '[training]\noptimizer = "Adam"\nlr = 0.1\nepochs = 2\n'])
@pytest.mark.parametrize("name", TEXTS)
def test_the_program_gives_the_same_numbers(name, training, tmp_path):
    agrees(scenario_in(tmp_path, text_of(name) + training))


@pytest.mark.parametrize("name", TEXTS)
def test_a_network_made_in_memory_is_written_and_reads_back(name, tmp_path):
    live = replace(read_text(text_of(name)), path=None, file_text=None, origins=Origins())
    write_scenario(live, tmp_path / "written.toml")
    assert difference(live, read(tmp_path / "written.toml")) is None


@pytest.mark.parametrize("name", TEXTS)
def test_json_has_every_layer(name, tmp_path):
    path = tmp_path / "network.toml"
    path.write_text(text_of(name))
    trace, grad = rnnstep.trace(path).as_dict(), rnnstep.grad(path).as_dict()
    assert trace["agrees"]
    assert grad["agrees"]
    scenario = read(path)
    assert list(trace["layers"]) == [layer.name for layer in scenario.layers if layer.joins]
    for key, layer in trace["layers"].items():
        np.testing.assert_allclose(layer["output"], trace["reference"]["layers"][key]["output"], atol=1e-12)
    last = [layer for layer in scenario.layers if layer.joins][-1]
    assert trace["layers"][last.name]["output"] == trace["logits"]


@pytest.mark.parametrize("name", TEXTS)
def test_gradients_by_hand_are_marked_right(name, tmp_path):
    """Each sum of shares is worked out from the file again: what several readers send back comes together."""
    path = tmp_path / "network.toml"
    path.write_text(text_of(name))
    model = Model(read(path))
    gradients = model.backward(model.run_batch(0)).parameters
    lines = []
    for key, value in gradients.items():
        rows = [" ".join(f"{x:.6f}" for x in row) for row in np.atleast_2d(value)]
        lines.append(f"grad.{key} = {'; '.join(rows)}")
    marked = rnnstep.check(path, "\n".join(lines)).as_dict()
    assert [one["status"] for one in marked["answers"]] == ["correct"] * len(lines)


def test_a_first_state_comes_from_the_encoders_end_and_is_read_there():
    run = SessionRun.of(begun("deep, both ways", packed=True))
    first = run.tree.locate(read_place(run.tree, "1/decoder.L1/hh_i[0]"))
    for row, t in ((0, 3), (1, 1)):
        origin = source(run, first, "h_prev", (2,), row)
        assert origin is not None
        end = run.tree.locate(origin.path)
        assert (end.key, end.t, end.operation, end.element) == ("encoder.L1", t, "h", 2)
        read_by = readers(run, replace(end, term=None), row)
        assert replace(first, element=None) in read_by


# ── what cannot be ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('"a.h_n", ', '"aa.h_n", ', "input = [", "no layer is called aa; did you mean `a`?"),
        ('"a.h_n", ', '"bridge.h_n", ', "input = [", "bridge.h_n: Linear has no h_n"),
        ('input = "a.c_n"', 'input = "b.c_n"', "input =", "b.c_n: GRU has no c_n"),
        ('"a.h_n", ', '"a.h", ', "input = [", "a.h_n"),
        ('"a.h_n", ', '"linear", ', "[[layers]]", "b → linear → b"),
        ('input = "a.c_n"', "input = 3", "input = 3", "a list of names"),
        ('add = "input"', 'add = "a"', "add =", "a gives 6 numbers, b gives 3"),
        (
            'add = ["b", "bridge"]',
            'name = "other"\n[[layers]]\nmodule = "Tanh"\ninput = "b"',
            "[[layers]]",
            "no layer reads other",
        ),
    ],
)
def test_what_is_wrong_is_told(old, new, line, words):
    text = JOINED % {"packed": "false", "both": "true", "dtype": "float64", "target": TARGET.tolist()}
    assert old in text
    changed = text.replace(old, new)
    with pytest.raises(ScenarioError) as error:
        read_text(changed)
    assert error.value.into("zh") != error.value.into("en")
    (problem,) = error.value.problems
    assert words in str(problem.message)
    assert changed.split("\n")[problem.line - 1].startswith(line)


MISTAKEN = """
vocabulary = ["h", "e", "l", "o"]
[input]
text = "hell"
[target]
text = "ello"
[[layers]]
name = "gru"
module = "GRU"
hidden_size = 4
add = "input"
[[layers]]
module = "Linear"
[weights]
seed = 1
[training]
lr = 0.5
epochs = 3
mistake = "{mistake}"
"""


@pytest.mark.parametrize("mistake", ["hidden_not_reset", "h_0_of_the_wrong_shape", "no_zero_grad"])
def test_the_program_of_a_network_by_name_makes_the_mistake_of_its_training(mistake, tmp_path):
    agrees(scenario_in(tmp_path, MISTAKEN.format(mistake=mistake)))
