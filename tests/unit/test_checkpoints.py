"""Checkpoints as people have them, in [weights] file: whose names they are, weights that are computed, which of several modules is meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from rnnstep.modules.recurrent import Recurrent
from rnnstep.scenario.weights.stored_tensors import stored_tensors, unwrapped
from tests.unit.checkpoints import HEAD, LSTM, Net, assert_is, loaded, refusal, save, state_of

# ── names ────────────────────────────────────────────────────────────────────────────────────────


# torch.compile's first import asks for what torch says will go.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "wrap",
    [
        nn.DataParallel,
        torch.compile,
        lambda net: torch.compile(nn.DataParallel(net)),
        lambda net: nn.DataParallel(torch.compile(net)),
        torch.optim.swa_utils.AveragedModel,
        lambda net: nn.ModuleDict({"model": nn.ModuleDict({"net": nn.DataParallel(net)})}),
    ],
    ids=["DataParallel", "compile", "compiled parallel", "parallel compiled", "averaged", "inside"],
)
def test_what_wraps_a_model_is_left_out_of_its_names(tmp_path: Path, wrap: Any) -> None:
    net = Net()
    save(tmp_path / "x.safetensors", state_of(wrap(net)))
    found = loaded(tmp_path, layers=(LSTM, HEAD))
    assert_is(found, net.rnn)
    assert_is(found, net.fc, "linear.")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_modules_inside_a_model_may_be_wrapped_each_and_are_found_by_name(tmp_path: Path) -> None:
    """Two layers of one shape: only their names tell them apart, and `_orig_mod` stands behind those."""
    first, second = nn.GRU(3, 3), nn.GRU(3, 3)
    net = nn.ModuleDict({"decoder": torch.compile(second), "encoder": nn.DataParallel(torch.compile(first))})
    save(tmp_path / "x.safetensors", state_of(net))
    layers = tuple(Recurrent("GRU", 3, 3, key=name, is_alone=False) for name in ("encoder", "decoder"))
    found = loaded(tmp_path, layers=layers)
    assert_is(found, first, "encoder.")
    assert_is(found, second, "decoder.")


@pytest.mark.parametrize(
    "prefix", ["decoder", "module.decoder", "module.decoder.", "_orig_mod.module.decoder"]
)
def test_a_prefix_is_understood_with_what_wraps_the_model_and_without(tmp_path: Path, prefix: str) -> None:
    encoder, decoder = nn.LSTM(4, 3), nn.LSTM(4, 3)
    save(
        tmp_path / "x.safetensors",
        state_of(encoder, "_orig_mod.module.encoder.") | state_of(decoder, "_orig_mod.module.decoder."),
    )
    text = f'file = "x.safetensors"\nprefix = {{recurrent = "{prefix}"}}'
    assert_is(loaded(tmp_path, text), decoder)


def test_a_module_of_the_models_own_called_module_is_found(tmp_path: Path) -> None:
    module, other = nn.LSTM(4, 3), nn.LSTM(4, 3)
    save(tmp_path / "x.safetensors", state_of(module, "module.") | state_of(other, "other."))
    assert_is(loaded(tmp_path, 'file = "x.safetensors"\nprefix = {recurrent = "module"}'), module)


def test_a_model_beside_its_averaged_copy_stays_two(tmp_path: Path) -> None:
    model, averaged = nn.LSTM(4, 3), nn.LSTM(4, 3)
    save(tmp_path / "x.safetensors", state_of(model, "rnn.") | state_of(averaged, "module.rnn."))
    message = refusal(tmp_path)
    assert "`module.rnn` (12, 4), `rnn` (12, 4)" in message
    for prefix, expected in (("rnn", model), ("module.rnn", averaged)):
        assert_is(loaded(tmp_path, f'file = "x.safetensors"\nprefix = {{recurrent = "{prefix}"}}'), expected)


def test_parameters_of_two_models_are_never_mixed(tmp_path: Path) -> None:
    """Of the averaged copy one weight is missing: it is not taken from the model, whose names would be the same."""
    model, averaged = nn.LSTM(4, 3), state_of(nn.LSTM(4, 3), "module.rnn.")
    held = state_of(model, "rnn.")
    del averaged["module.rnn.weight_hh_l0"], held["rnn.bias_ih_l0"], held["rnn.bias_hh_l0"]
    save(tmp_path / "x.safetensors", averaged | held)
    for prefix, lacks in (("rnn", "`bias_ih_l0`, `bias_hh_l0`"), ("module.rnn", "`weight_hh_l0`")):
        message = refusal(tmp_path, f'file = "x.safetensors"\nprefix = {{recurrent = "{prefix}"}}')
        assert f"no values for {lacks}" in message or f"holds no {lacks}" in message


def test_the_words_of_wrappers_are_taken_out_but_for_names_that_are_kept() -> None:
    assert unwrapped("_orig_mod.module.rnn.weight") == "rnn.weight"
    assert unwrapped("rnn.module") == "rnn.module"  # a parameter's own name
    assert unwrapped("module.rnn.weight", {"module"}) == "module.rnn.weight"


# ── weights that are computed ────────────────────────────────────────────────────────────────────


def normed(*, is_older: bool) -> Net:
    net = Net()
    for module, name in ((net.rnn, "weight_hh_l0"), (net.rnn, "weight_ih_l0"), (net.fc, "weight")):
        if is_older:
            with pytest.warns(FutureWarning):
                nn.utils.weight_norm(module, name)
        else:
            parametrizations.weight_norm(module, name)
    with torch.no_grad():
        for name, value in net.named_parameters():
            if name.endswith(("_g", "original0")):
                value.mul_(1.5)
    return net


@pytest.mark.parametrize("is_older", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_weight_under_weight_norm_is_computed(tmp_path: Path, dtype: str, *, is_older: bool) -> None:
    net = normed(is_older=is_older)
    save(tmp_path / "x.safetensors", state_of(nn.DataParallel(net)))
    found = loaded(tmp_path, layers=(LSTM, HEAD), dtype=dtype)
    net.rnn(torch.zeros(1, 4))
    net.fc(torch.zeros(1, 3))
    for ours, theirs in (
        ("weight_hh_l0", net.rnn.weight_hh_l0),
        ("weight_ih_l0", net.rnn.weight_ih_l0),
        ("linear.weight", net.fc.weight),
    ):
        assert found[ours].dtype == np.dtype(dtype)
        np.testing.assert_array_max_ulp(found[ours].astype(np.float32), theirs.detach().numpy(), 4)
    assert np.array_equal(found["bias_ih_l0"], net.rnn.bias_ih_l0.detach().numpy())


def spectral_older(net: Net) -> None:
    nn.utils.spectral_norm(net.rnn, "weight_hh_l0")


def spectral(net: Net) -> None:
    parametrizations.spectral_norm(net.rnn, "weight_hh_l0")


def both(net: Net) -> None:
    parametrizations.weight_norm(net.rnn, "weight_hh_l0")
    parametrizations.spectral_norm(net.rnn, "weight_hh_l0")


def orthogonal(net: Net) -> None:
    parametrizations.orthogonal(net.rnn, "weight_hh_l0")


def pruned(net: Net) -> None:
    from torch.nn.utils import prune

    prune.random_unstructured(net.rnn, "weight_hh_l0", 0.5)


PARAMETRIZED = "torch.nn.utils.parametrize.remove_parametrizations(MODULE, 'weight_hh_l0')"


@pytest.mark.parametrize(
    ("change", "words", "line"),
    [
        (
            spectral_older,
            "under spectral_norm",
            "torch.nn.utils.remove_spectral_norm(MODULE, 'weight_hh_l0')",
        ),
        (spectral, "under spectral_norm", PARAMETRIZED),
        (both, "under spectral_norm", PARAMETRIZED),
        (orthogonal, "computed by a parametrization", PARAMETRIZED),
        (pruned, "pruned by a mask", "torch.nn.utils.prune.remove(MODULE, 'weight_hh_l0')"),
    ],
)
def test_what_the_file_alone_cannot_give_is_told_with_the_line_that_makes_it_a_weight(
    tmp_path: Path, change: Any, words: str, line: str
) -> None:
    net = Net()
    change(net)
    save(tmp_path / "x.safetensors", state_of(net, "model."))
    message = refusal(tmp_path)
    assert f'"model.rnn.weight_hh_l0" is {words}' in message
    assert message.endswith(line)


def test_lines_that_make_weights_before_saving_do_so(tmp_path: Path) -> None:
    """The lines of the messages, run: what is saved after them loads."""
    from torch.nn.utils import parametrize, prune

    for change, undo in (
        (spectral_older, nn.utils.remove_spectral_norm),
        (spectral, parametrize.remove_parametrizations),
        (orthogonal, parametrize.remove_parametrizations),
        (pruned, prune.remove),
    ):
        net = Net()
        change(net)
        undo(net.rnn, "weight_hh_l0")
        save(tmp_path / "x.safetensors", state_of(net))
        assert np.array_equal(loaded(tmp_path)["weight_hh_l0"], net.rnn.weight_hh_l0.detach().numpy())


def test_parts_that_are_no_length_and_direction_are_no_weight() -> None:
    """Parameters of an own cell may be called W_g and W_v, and keep their names."""
    found = stored_tensors({"W_g": (3, 3), "W_v": (3, 2), "U_g": (2, 1), "U_v": (2, 4)})
    assert "W" not in found
    assert found["U"].shape == (2, 4)
    assert found["U_g"].keys == ("U_g",)
    wrong = stored_tensors({"parametrizations.w.original0": (5, 1), "parametrizations.w.original1": (2, 4)})
    assert wrong["w"].problem is not None


# ── which of several ─────────────────────────────────────────────────────────────────────────────


def test_several_recurrent_modules_are_listed_with_shapes_and_the_line_that_chooses(tmp_path: Path) -> None:
    encoder, decoder = nn.LSTM(4, 3), nn.LSTM(4, 3)
    tensors = state_of(encoder, "encoder.lstm.") | state_of(decoder, "decoder.lstm.")
    save(tmp_path / "x.safetensors", tensors)
    message = refusal(tmp_path)
    assert "several modules in it could be the recurrent one" in message
    assert (
        "`decoder.lstm` (12, 4), `encoder.lstm` (12, 4); expected one of shape weight_ih_l0 (12, 4)"
        in message
    )
    line = 'prefix = {recurrent = "decoder.lstm"}'
    assert message.endswith(line)
    assert_is(loaded(tmp_path, f'file = "x.safetensors"\n{line}'), decoder)


def test_the_line_that_chooses_keeps_what_was_chosen_before(tmp_path: Path) -> None:
    tensors = state_of(nn.LSTM(4, 3), "lstm.")
    tensors |= state_of(nn.Linear(3, 4), "a.") | state_of(nn.Linear(3, 4), "b.")
    save(tmp_path / "x.safetensors", tensors)
    message = refusal(tmp_path, 'file = "x.safetensors"\nprefix = {recurrent = "lstm"}', (LSTM, HEAD))
    line = 'prefix = {recurrent = "lstm", linear = "a"}'
    assert message.endswith(line)
    assert "linear.weight" in loaded(tmp_path, f'file = "x.safetensors"\n{line}', (LSTM, HEAD))


def test_where_none_of_several_has_the_shape_all_are_listed(tmp_path: Path) -> None:
    tensors = state_of(nn.LSTM(5, 3), "encoder.") | state_of(nn.LSTM(6, 3), "decoder.")
    save(tmp_path / "x.safetensors", tensors)
    assert "`decoder` (12, 6), `encoder` (12, 5); expected one of shape weight_ih_l0 (12, 4)" in refusal(
        tmp_path
    )


def test_the_one_that_is_no_larger_than_the_scenarios_is_meant(tmp_path: Path) -> None:
    encoder, decoder = nn.LSTM(4, 3, 2, bidirectional=True), nn.LSTM(4, 3)
    save(tmp_path / "x.safetensors", state_of(encoder, "encoder.") | state_of(decoder, "decoder."))
    assert_is(loaded(tmp_path), decoder)


def test_a_prefix_that_the_file_has_not_is_told_with_those_it_has(tmp_path: Path) -> None:
    save(tmp_path / "x.safetensors", state_of(nn.LSTM(4, 3), "a.lstm.") | state_of(nn.LSTM(4, 3), "b.lstm."))
    message = refusal(tmp_path, 'file = "x.safetensors"\nprefix = {recurrent = "lstm"}')
    assert 'the file holds no "lstmweight_ih_l0"' in message
    assert message.endswith("stands under `a.lstm`, `b.lstm`")


# ── 16 bits ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_every_number_of_16_bits_is_read_exactly(tmp_path: Path, dtype: torch.dtype) -> None:
    """All 65536 patterns, subnormal, infinite and NaN, as the weights of one layer."""
    bits = torch.arange(1 << 16, dtype=torch.int32).to(torch.int16)
    every = bits.view(dtype).reshape(256, 256)
    recurrent = Recurrent("RNN", 256, 256, bias=False)
    save(tmp_path / "x.safetensors", {"weight_ih_l0": every, "weight_hh_l0": every.clone()})
    found = loaded(tmp_path, layers=(recurrent,))
    np.testing.assert_array_equal(found["weight_ih_l0"], every.float().numpy())
