"""Weights of checkpoints beside torch: weight_norm to the last bits, files of torch's with wrapped names, and their programs."""

from __future__ import annotations

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn
from torch.nn.utils import parametrizations

from rnnstep.engine import Model
from rnnstep.errors import ScenarioError
from rnnstep.program import torch_program
from rnnstep.reference import check, complete
from rnnstep.scenario.read import read
from rnnstep.scenario.weights.stored_tensors import norm_axis, normed_weight
from tests.oracle.programs import agrees

SCENARIO = """\
[input]
random = {{shape = [3, 2, 4], seed = 1}}
[recurrent]
module = "LSTM"
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

    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(4, 3)
        self.fc = nn.Linear(3, 2)


def scenario_of(folder, weights='file = "net.pt"', dtype="float32"):
    path = folder / "scenario.toml"
    path.write_text(SCENARIO.format(weights=weights, dtype=dtype))
    return read(path)


# ── weight_norm ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("dim", [0, 1, None])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (12, 3), (400, 100), (3, 4, 5), (1024, 256)])
def test_a_weight_is_what_torch_computes_from_length_and_direction(shape, dim, dtype):
    """Three roundings from the exact weight, and those of the sum where it is of float64; torch's sum is off in each type."""
    torch.manual_seed(3)
    v = torch.randn(shape, dtype=dtype)
    axis = -1 if dim is None else dim
    g = torch.norm_except_dim(v, 2, axis) * torch.rand(()).to(dtype)
    ours = normed_weight(v.numpy(), g.numpy(), np.dtype("float32"))
    theirs = torch._weight_norm(v, g, axis)
    assert ours.dtype == theirs.numpy().dtype
    over = None if dim is None else tuple(other for other in range(v.ndim) if other != dim)
    exact_v, exact_g = (one.numpy().astype(np.longdouble) for one in (v, g))
    exact = exact_v * (exact_g / np.sqrt(np.square(exact_v).sum(over, keepdims=True)))
    sums = 3 if v.numel() < 100 or dtype == torch.float32 else 32
    np.testing.assert_array_max_ulp(ours, exact.astype(ours.dtype), sums)
    np.testing.assert_array_max_ulp(ours, theirs.numpy(), 4 if v.numel() < 100 else 32)
    found = norm_axis(tuple(g.shape), shape)
    np.testing.assert_array_max_ulp(torch._weight_norm(v, g, found).numpy(), theirs.numpy(), 4)


def test_a_row_of_zeros_is_nan_as_in_torch():
    v = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    g = torch.tensor([[1.0], [10.0]])
    ours = normed_weight(v.numpy(), g.numpy(), np.dtype("float32"))
    np.testing.assert_array_equal(ours, torch._weight_norm(v, g, 0).numpy())
    assert np.isnan(ours[0]).all()
    assert ours[1].tolist() == [6, 8]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_of_16_bits_are_normed_in_the_scenarios_type(dtype):
    torch.manual_seed(4)
    v, g = torch.randn(6, 3).half(), torch.rand(6, 1).half()
    ours = normed_weight(v.numpy(), g.numpy(), np.dtype(dtype))
    wide = getattr(torch, dtype)
    np.testing.assert_array_max_ulp(ours, torch._weight_norm(v.to(wide), g.to(wide), 0).numpy(), 4)


# ── files of torch's ─────────────────────────────────────────────────────────────────────────────


def plain(net):
    return net


def parallel(net):
    return nn.DataParallel(net)


def compiled(net):
    return torch.compile(nn.DataParallel(net))


def normed(net):
    parametrizations.weight_norm(net.rnn, "weight_hh_l0")
    parametrizations.weight_norm(net.rnn, "weight_ih_l0", dim=1)
    parametrizations.weight_norm(net.fc, dim=None)
    return net


def compiled_and_normed(net):
    return compiled(normed(net))


def expected(net):
    with torch.no_grad():
        values = {
            name: getattr(net.rnn, name)
            for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
        }
        values |= {"linear.weight": net.fc.weight, "linear.bias": net.fc.bias}
        return {name: value.float().numpy().copy() for name, value in values.items()}


def lightning(state):
    """As `trainer.save_checkpoint` writes it: the module's state_dict under "state_dict", whose names begin with an attribute."""
    return {
        "epoch": 3,
        "global_step": 1200,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": {f"model.{name}": value for name, value in state.items()},
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 1}}}},
        "callbacks": {},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(12, 4)}}, "param_groups": [{"lr": 0.1}]}],
        "lr_schedulers": [],
        "hparams_name": "kwargs",
        "hyper_parameters": {"hidden_size": 3},
    }


def nested(state):
    return {"run": {"model": {"net": dict(state)}}, "epoch": 1}


@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning"
)  # torch.compile's first import asks for what torch says will go
@pytest.mark.parametrize(
    "holder", [lambda state: state, lightning, nested], ids=["alone", "lightning", "nested"]
)
@pytest.mark.parametrize("wrap", [plain, parallel, compiled, normed, compiled_and_normed])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_checkpoint_gives_its_models_weights_and_its_program_the_same_numbers(
    tmp_path, wrap, holder, dtype
):
    net = Net()
    torch.save(holder(wrap(net).state_dict()), tmp_path / "net.pt")
    scenario = scenario_of(tmp_path, dtype=dtype)
    whole = complete(scenario)
    for name, value in expected(net).items():
        assert whole.parameters[name].dtype == np.dtype(dtype)
        np.testing.assert_array_max_ulp(whole.parameters[name].astype(np.float32), value, 4)
    assert check(Model(whole).run()).agrees
    assert "weights_only=True" in torch_program(scenario)
    agrees(scenario)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
@pytest.mark.parametrize("wrap", [plain, normed])
def test_weights_of_16_bits_give_the_numbers_that_they_are(tmp_path, wrap, suffix, dtype):
    net = wrap(Net()).to(dtype)
    state = net.state_dict()
    if suffix == "pt":
        torch.save(state, tmp_path / "net.pt")
    else:
        safetensors.torch.save_file(state, tmp_path / "net.safetensors")
    scenario = scenario_of(tmp_path, f'file = "net.{suffix}"')
    whole = complete(scenario)
    for name, value in expected(net.float()).items():
        np.testing.assert_array_max_ulp(whole.parameters[name], value, 0 if wrap is plain else 4)
    agrees(scenario)


def test_the_program_of_weights_in_several_files_loads_those_it_needs(tmp_path):
    net = Net()
    state = net.state_dict()
    names = list(state)
    (tmp_path / "parts").mkdir()
    parts = {"m-00001-of-00003.safetensors": names[:2], "m-00002-of-00003.safetensors": names[2:]}
    for part, held in parts.items():
        safetensors.torch.save_file({name: state[name] for name in held}, tmp_path / "parts" / part)
    safetensors.torch.save_file(
        {"other": torch.zeros(2)}, tmp_path / "parts" / "m-00003-of-00003.safetensors"
    )
    table = {name: part for part, held in parts.items() for name in held} | {
        "other": "m-00003-of-00003.safetensors"
    }
    index = str({"weight_map": table}).replace("'", '"')
    (tmp_path / "parts" / "m.safetensors.index.json").write_text(index)
    scenario = scenario_of(tmp_path, 'file = "parts/m.safetensors.index.json"')
    assert check(Model(scenario).run()).agrees
    assert torch_program(scenario).count("load_file(") == 2
    agrees(scenario)


def test_the_program_of_a_checkpoint_in_which_several_could_be_meant_is_refused_as_the_trace_is(tmp_path):
    both = {f"{name}.{key}": value for name in "ab" for key, value in Net().state_dict().items()}
    torch.save(both, tmp_path / "net.pt")
    scenario = scenario_of(tmp_path)
    for ask in (complete, torch_program):
        with pytest.raises(ScenarioError, match="several modules in it could be the recurrent one"):
            ask(scenario)


def test_spectral_norm_in_a_file_of_torchs_is_refused_in_words(tmp_path):
    net = Net()
    parametrizations.spectral_norm(net.rnn, "weight_hh_l0")
    torch.save({"state_dict": net.state_dict()}, tmp_path / "net.pt")
    with pytest.raises(ScenarioError, match=r'"state_dict\.rnn\.weight_hh_l0" is under spectral_norm'):
        complete(scenario_of(tmp_path))
