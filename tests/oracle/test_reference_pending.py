"""What only torch can give: a seeded embedding bit for bit, and files that torch saved."""

from __future__ import annotations

import pickle
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from rnnstep.engine import Model
from rnnstep.errors import ScenarioError
from rnnstep.reference import check, complete
from rnnstep.scenario.read import read

SCENARIO = """\
vocabulary = ["e", "h", "l", "o"]
[input]
text = "hello"
[embedding]
embedding_dim = 5
{embedding}
[recurrent]
module = "GRU"
hidden_size = 3
[linear]
out_features = 2
[weights]
{weights}
[display]
dtype = "{dtype}"
"""


class Net(nn.Module):
    """A model whose modules are named as people name them."""

    def __init__(self, padding_idx=None):
        super().__init__()
        self.emb = nn.Embedding(4, 5, padding_idx)
        self.rnn = nn.GRU(5, 3)
        self.fc = nn.Linear(3, 2)


def write(folder, weights, embedding="", dtype="float32"):
    path = folder / "scenario.toml"
    path.write_text(SCENARIO.format(weights=weights, embedding=embedding, dtype=dtype))
    return path


def expected(net):
    names = {"emb.weight": "embedding.weight", "fc.weight": "linear.weight", "fc.bias": "linear.bias"}
    return {
        names.get(name, name.removeprefix("rnn.")): value.detach().numpy()
        for name, value in net.named_parameters()
    }


def assert_has(scenario, parameters, dtype=np.float32):
    assert scenario.pending is None
    assert list(scenario.parameters) == list(parameters)
    for name, value in parameters.items():
        assert scenario.parameters[name].dtype == dtype
        np.testing.assert_array_equal(scenario.parameters[name], value.astype(dtype), err_msg=name)


def refusal(path, **limits):
    with pytest.raises(ScenarioError) as caught:
        complete(read(path, **limits))
    return caught.value.problems


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("padding_idx", [None, 2])
def test_a_seed_gives_what_torch_constructs(tmp_path, padding_idx, dtype):
    embedding = "" if padding_idx is None else f"padding_idx = {padding_idx}"
    scenario = read(write(tmp_path, "seed = 11", embedding, dtype))
    assert scenario.pending is not None
    torch.manual_seed(11)
    assert_has(complete(scenario), expected(Net(padding_idx)), np.dtype(dtype))


def test_a_seeded_embedding_is_rounded_like_the_rest(tmp_path):
    rounded = complete(read(write(tmp_path, "seed = 11\nround = 1"))).parameters["embedding.weight"]
    torch.manual_seed(11)
    exact = nn.Embedding(4, 5).weight.detach().numpy().astype(np.float64)
    np.testing.assert_array_equal(rounded, np.round(exact, 1).astype(np.float32))


def test_completing_leaves_torchs_random_numbers_alone(tmp_path):
    scenario = read(write(tmp_path, "seed = 11"))
    torch.manual_seed(5)
    first = torch.rand(2)
    torch.manual_seed(5)
    complete(scenario)
    assert torch.equal(torch.rand(2), first)


def test_a_complete_scenario_comes_back_as_it_is(make):
    scenario = make("RNN")
    assert complete(scenario) is scenario


@pytest.mark.parametrize(
    "saved",
    [
        lambda net: net.state_dict(),
        lambda net: {f"model.{name}": value for name, value in net.state_dict().items()},
        lambda net: {"epoch": 3, "model_state_dict": net.state_dict(), "optimizer": {"lr": 0.1}},
        lambda net: {name: value.double() for name, value in net.state_dict().items()},
        lambda net: {name: nn.Parameter(value) for name, value in net.state_dict().items()},
        lambda net: {name: value.t().contiguous().t() for name, value in net.state_dict().items()},
    ],
    ids=["state_dict", "prefixed", "checkpoint", "float64", "parameters", "strided"],
)
def test_a_file_of_torchs_gives_its_tensors(tmp_path, saved):
    net = Net()
    torch.save(saved(net), tmp_path / "net.pt")
    scenario = complete(read(write(tmp_path, 'file = "net.pt"')))
    assert_has(scenario, expected(net))
    assert check(Model(scenario).run()).agrees


def test_bfloat16_is_widened(tmp_path):
    net = Net()
    torch.save({name: value.bfloat16() for name, value in net.state_dict().items()}, tmp_path / "net.pt")
    scenario = complete(read(write(tmp_path, 'file = "net.pt"')))
    assert_has(scenario, expected(net.bfloat16().float()))


def test_an_array_in_the_scenario_goes_before_the_file(tmp_path):
    net = Net()
    torch.save(net.state_dict(), tmp_path / "net.pt")
    path = write(tmp_path, 'file = "net.pt"\nlinear.bias = [7.0, 8.0]')
    parameters = complete(read(path)).parameters
    np.testing.assert_array_equal(parameters["linear.bias"], [7, 8])
    np.testing.assert_array_equal(parameters["linear.weight"], net.fc.weight.detach().numpy())


def test_prefixes_named_in_the_scenario_are_followed(tmp_path):
    first, second = Net(), Net()
    both = {
        f"{name}.{key}": v
        for name, net in (("a", first), ("b", second))
        for key, v in net.state_dict().items()
    }
    torch.save(both, tmp_path / "net.pt")
    problems = refusal(write(tmp_path, 'file = "net.pt"'))
    assert "several modules" in str(problems[0].message)
    prefixes = 'prefix = {recurrent = "b.rnn", embedding = "b.emb", linear = "b.fc"}'
    assert_has(complete(read(write(tmp_path, f'file = "net.pt"\n{prefixes}'))), expected(second))


def test_a_tensor_of_another_shape_is_told_at_the_place_of_the_file(tmp_path):
    state = Net().state_dict()
    state["fc.weight"] = torch.zeros(2, 4)
    torch.save(state, tmp_path / "net.pt")
    path = write(tmp_path, 'file = "net.pt"')
    (problem,) = refusal(path)
    assert "linear.weight" in str(problem.message)
    line = path.read_text().splitlines()[problem.line - 1]
    assert line.startswith("file")
    assert problem.path == str(path)


def test_an_expanded_tensor_takes_no_memory(tmp_path):
    state = Net().state_dict()
    state["rnn.weight_hh_l0"] = torch.zeros(1).expand(1 << 40)
    torch.save(state, tmp_path / "net.pt")
    (problem,) = refusal(write(tmp_path, 'file = "net.pt"'))
    assert "weight_hh_l0" in str(problem.message)


def test_a_missing_parameter_is_named(tmp_path):
    state = Net().state_dict()
    del state["rnn.weight_hh_l0"]
    torch.save(state, tmp_path / "net.pt")
    (problem,) = refusal(write(tmp_path, 'file = "net.pt"'))
    assert "weight_hh_l0" in str(problem.message)


def test_a_bias_whose_partner_alone_is_in_the_file_is_zeros(tmp_path):
    net = Net()
    state = net.state_dict()
    del state["rnn.bias_hh_l0"]
    torch.save(state, tmp_path / "net.pt")
    parameters = complete(read(write(tmp_path, 'file = "net.pt"'))).parameters
    np.testing.assert_array_equal(parameters["bias_hh_l0"], np.zeros(9, np.float32))


@pytest.mark.parametrize(
    "strange",
    [lambda value: value.to(torch.complex64), lambda value: value.to_sparse()],
    ids=["complex", "sparse"],
)
def test_a_tensor_that_is_no_plain_array_is_refused(tmp_path, strange):
    state = Net().state_dict()
    state["fc.weight"] = strange(state["fc.weight"])
    torch.save(state, tmp_path / "net.pt")
    (problem,) = refusal(write(tmp_path, 'file = "net.pt"'))
    assert "fc.weight" in str(problem.message)


def test_eight_bit_floats_are_numbers_like_others(tmp_path):
    state = Net().state_dict()
    state["fc.weight"] = torch.full((2, 3), 0.5).to(torch.float8_e4m3fn)
    torch.save(state, tmp_path / "net.pt")
    parameters = complete(read(write(tmp_path, 'file = "net.pt"'))).parameters
    np.testing.assert_array_equal(parameters["linear.weight"], np.full((2, 3), 0.5, np.float32))


class Touch:
    """A pickle that does something."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("is_legacy", [False, True])
def test_a_pickle_that_does_more_than_hold_tensors_is_refused(tmp_path, is_legacy):
    touched = tmp_path / "touched"
    torch.save(
        {"rnn.weight_ih_l0": Touch(touched)},
        tmp_path / "net.pt",
        _use_new_zipfile_serialization=not is_legacy,
    )
    (problem,) = refusal(write(tmp_path, 'file = "net.pt"'))
    assert "does more than hold tensors" in str(problem.message)
    assert not touched.exists()


def test_what_the_reader_lets_through_torch_still_refuses(tmp_path, monkeypatch):
    touched = tmp_path / "touched"
    torch.save({"rnn.weight_ih_l0": Touch(touched)}, tmp_path / "net.pt")
    monkeypatch.setattr("rnnstep.scenario.weights.weight_files._holds_tensors", lambda *_: True)
    (problem,) = refusal(write(tmp_path, 'file = "net.pt"'))
    assert "does more than hold tensors" in str(problem.message)
    assert not touched.exists()


@pytest.mark.parametrize("held", [[1, 2], torch.zeros(3), 7])
def test_a_file_without_a_state_dict_is_refused(tmp_path, held):
    torch.save(held, tmp_path / "net.pt")
    (problem,) = refusal(write(tmp_path, 'file = "net.pt"'))
    assert "no state_dict" in str(problem.message)


def test_a_broken_file_is_told(tmp_path):
    torch.save(Net().state_dict(), tmp_path / "net.pt")
    whole = (tmp_path / "net.pt").read_bytes()
    path = write(tmp_path, 'file = "net.pt"')
    for cut in (10, len(whole) // 2, len(whole) - 5):
        (tmp_path / "net.pt").write_bytes(whole[:cut])
        assert refusal(path)
    with zipfile.ZipFile(tmp_path / "net.pt", "w") as archive:
        archive.writestr("net/data.pkl", pickle.dumps({"rnn.weight_ih_l0": 1})[:-1])
        archive.writestr("net/version", "3\n")
    assert refusal(path)
