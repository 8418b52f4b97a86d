"""Checkpoints as people have them, in [weights] file: whose names, in how many files, with what beside the tensors."""

from __future__ import annotations

import argparse
import collections
import datetime as dt
import json
import os
import pickle
import time
import tracemalloc
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn
from torch.nn.utils import parametrizations

from rnnstep.errors import ScenarioError
from rnnstep.modules.linear import Linear
from rnnstep.modules.recurrent import Recurrent
from rnnstep.scenario.file.document import Limits
from rnnstep.scenario.file.source import parse_document
from rnnstep.scenario.model import Floats
from rnnstep.scenario.weights.parts import LARGEST_INDEX
from rnnstep.scenario.weights.pickles import contents
from rnnstep.scenario.weights.read_weights import read_weights
from rnnstep.scenario.weights.stored_tensors import stored_tensors, unwrapped

LSTM = Recurrent("LSTM", 4, 3)
HEAD = Linear(3, 4)


class Net(nn.Module):
    """A model whose modules are named as people name them."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(4, 3)
        self.fc = nn.Linear(3, 4)


class Settings:
    """A class of a program of one's own."""


def document(text: str, folder: Path, *, memory: int = 4 << 30, allow_outside: bool = False):
    limits = Limits(memory=memory, allow_outside=allow_outside)
    return parse_document("scenario.toml", folder, f"[weights]\n{text}\n", limits)


def loaded(
    folder: Path,
    text: str = 'file = "x.safetensors"',
    layers: tuple[Any, ...] = (LSTM,),
    dtype: str = "float32",
    **limits: Any,
) -> Mapping[str, Floats]:
    read = document(text, folder, **limits)
    found, _ = read_weights(read, layers=layers, dtype=np.dtype(dtype))
    read.finish()
    return found


def refusal(
    folder: Path, text: str = 'file = "x.safetensors"', layers: tuple[Any, ...] = (LSTM,), **limits: Any
) -> str:
    with pytest.raises(ScenarioError) as error:
        loaded(folder, text, layers, **limits)
    assert len(error.value.problems) == 1, error.value.into("en")
    assert error.value.into("zh") != error.value.into("en")
    message = error.value.into("en")
    assert message.isprintable()
    return message


def state_of(module: nn.Module, prefix: str = "") -> dict[str, torch.Tensor]:
    return {prefix + name: value.detach().clone() for name, value in module.state_dict().items()}


def save(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    safetensors.torch.save_file({name: value.contiguous() for name, value in tensors.items()}, path)


def assert_is(found: Mapping[str, Floats], module: nn.Module, prefix: str = "") -> None:
    for name, value in module.state_dict().items():
        assert np.array_equal(found[prefix + name], value.numpy()), name


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


# ── pickles ──────────────────────────────────────────────────────────────────────────────────────


def beside(net: Net) -> dict[str, tuple[Any, str, str]]:
    """What people save: it, what is told to be in it, and what the line gets out of it."""
    state = net.state_dict()
    whole = "torch.load('x.ckpt', weights_only=False)"
    alone = f"{{k: v for k, v in {whole}.items() if torch.is_tensor(v)}}"
    return {
        "namespace": (
            {"epoch": 3, "state_dict": state, "hyper_parameters": argparse.Namespace(lr=0.1)},
            'beside tensors it holds "hyper_parameters": argparse.Namespace;',
            f"{whole}['state_dict']",
        ),
        "numbers of numpy and a date": (
            {"best": np.float64(0.5), "model": {"net": state}, "when": dt.datetime(2024, 1, 1)},  # noqa: DTZ001
            '"when": datetime.datetime;',
            f"{whole}['model']['net']",
        ),
        "among the tensors": (
            {**state, "settings": Settings()},
            f'beside tensors it holds "settings": {__name__}.Settings;',
            alone,
        ),
        "a dictionary with defaults": (
            collections.defaultdict(list, state),
            "collections.defaultdict",
            alone,
        ),
        "a whole model": (
            net,
            f"holds a whole model ({__name__}.Net); save its state_dict",
            f"{whole}.state_dict()",
        ),
        "a whole model inside": (
            {"epoch": 3, "model": net},
            f"holds a whole model ({__name__}.Net); save its state_dict",
            f"{whole}['model'].state_dict()",
        ),
        "both": ({"model": net, "ema": state}, f'"model": {__name__}.Net', f"{whole}['ema']"),
    }


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize("kind", list(beside(Net())))
def test_what_is_saved_beside_tensors_is_told_with_the_line_that_saves_the_rest(
    tmp_path: Path, monkeypatch, kind: str, *, is_zip: bool
) -> None:
    net = Net()
    saved, words, expression = beside(net)[kind]
    torch.save(saved, tmp_path / "x.ckpt", _use_new_zipfile_serialization=is_zip)
    message = refusal(tmp_path, 'file = "x.ckpt"')
    assert words in message
    line = f"torch.save({expression}, 'x-weights.pt')"
    assert message.endswith(line)
    monkeypatch.chdir(tmp_path)
    exec(line, {"torch": torch})
    written = torch.load(tmp_path / "x-weights.pt", weights_only=True)
    assert written.keys() == net.state_dict().keys()
    loaded(tmp_path, 'file = "x-weights.pt"')


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # by the line, whose process ends with it
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_model_that_pickle_wrote_is_opened_by_pickle(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(Net()))
    message = refusal(tmp_path, 'file = "x.pkl"')
    line = "torch.save(pickle.load(open('x.pkl', 'rb')).state_dict(), 'x-weights.pt')"
    assert message.endswith(line)
    monkeypatch.chdir(tmp_path)
    exec(line, {"torch": torch, "pickle": pickle})
    loaded(tmp_path, 'file = "x-weights.pt"')


def test_a_scripted_model_is_told_with_the_line_that_saves_its_weights(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.pt", "w") as archive:  # as torch.jit.save writes it
        archive.writestr("x/data.pkl", b"\x80\x02c__torch__.Net\nNet\n)\x81}b.")
        archive.writestr("x/constants.pkl", b"\x80\x02).")
    message = refusal(tmp_path, 'file = "x.pt"')
    assert "holds a scripted model" in message
    assert message.endswith("torch.save(torch.jit.load('x.pt').state_dict(), 'x-weights.pt')")


def test_plain_things_beside_tensors_are_no_reason_to_refuse(tmp_path: Path) -> None:
    """What torch itself lets through: an optimizer's state, sets, counters, sizes, kinds of numbers."""
    net = Net()
    optimizer = torch.optim.Adam(net.parameters())
    net.rnn(torch.ones(2, 4))[0].sum().backward()
    optimizer.step()
    saved = {
        "state_dict": net.state_dict(),
        "optimizer": optimizer.state_dict(),
        "seen": {1, 2},
        "count": collections.Counter("aab"),
        "bytes": bytearray(b"x"),
        "shape": torch.Size([1]),
        "dtype": torch.float32,
        "device": torch.device("cpu"),
        "root": 1j,
        "text": ("a", None, 2.5, True, 10**30),
    }
    torch.save(saved, tmp_path / "x.pt")
    loaded(tmp_path, 'file = "x.pt"')


def test_names_in_a_pickle_are_escaped_and_cut_in_messages(tmp_path: Path) -> None:
    torch.save({"\x1b[31m" + "k" * 5000: argparse.Namespace()}, tmp_path / "x.pt")
    message = refusal(tmp_path, 'file = "x.pt"')
    assert "\\x1b[31mkk" in message
    assert len(message) < 1000


def archived(path: Path, data: bytes) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", data)


def test_a_pickle_whose_dictionaries_hold_one_another_many_times_over_is_read_in_no_time(
    tmp_path: Path,
) -> None:
    """Each level holds the one below a thousand times: a thousand million tensors, if each way counted."""
    level: Any = {"t": torch.zeros(1)}
    for _ in range(3):
        level = dict.fromkeys((f"k{number}" for number in range(1000)), level)
    level["x"] = argparse.Namespace()
    torch.save(level, tmp_path / "x.pt")
    started = time.perf_counter()
    assert "argparse.Namespace" in refusal(tmp_path, 'file = "x.pt"')
    assert time.perf_counter() - started < 5


def test_a_pickle_that_holds_itself_is_read_to_its_end(tmp_path: Path) -> None:
    inner: dict[str, Any] = {"settings": argparse.Namespace()}
    inner["self"] = inner
    torch.save(inner, tmp_path / "x.pt")
    assert '"settings": argparse.Namespace' in refusal(tmp_path, 'file = "x.pt"')


def test_a_pickle_with_a_huge_string_is_refused_before_the_string_is_there(tmp_path: Path) -> None:
    length = 1 << 29
    data = b"\x80\x04\x8d" + length.to_bytes(8, "little") + b"\0" * (length // 64)
    archived(tmp_path / "x.pt", data)
    tracemalloc.start()
    try:
        message = refusal(tmp_path, 'file = "x.pt"')
        assert tracemalloc.get_traced_memory()[1] < 1 << 28
    finally:
        tracemalloc.stop()
    assert "cannot read" in message


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02.",
        b"\x80\x02u.",
        b"\x80\x02R.",
        b"\x80\x02q\x00.",
        b"\x80\x02h\x05.",
        b"\x80\x02}(K\x01u.",
        b"",
    ],
    ids=["nothing", "no mark", "no call", "nothing kept", "never kept", "a key alone", "empty"],
)
def test_broken_pickles_are_told(tmp_path: Path, data: bytes) -> None:
    archived(tmp_path / "x.pt", data)
    assert '`file`: cannot read "x.pt"' in refusal(tmp_path, 'file = "x.pt"')


def test_a_deeply_nested_tensor_of_a_tensor_is_told(tmp_path: Path) -> None:
    """A parameter of a parameter of …, ten thousand deep: there is an end to what is looked into."""
    depth = 10_000
    name = b"ctorch._utils\n_rebuild_parameter\nq\x00"
    data = b"\x80\x02}X\x01\0\0\0w" + name + b"h\x00" * (depth - 1) + b"N" + b"\x85R" * depth + b"s."
    archived(tmp_path / "x.pt", data)
    started = time.perf_counter()
    with zipfile.ZipFile(tmp_path / "x.pt") as archive, archive.open("x/data.pkl") as file:
        assert contents(file, 1).tensors == {("w",): None}
    assert time.perf_counter() - started < 5


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


# ── several files ────────────────────────────────────────────────────────────────────────────────

INDEX = "model.safetensors.index.json"
FIRST, SECOND = (f"model-0000{number}-of-00002.safetensors" for number in (1, 2))


def saved_in_parts(folder: Path, net: nn.Module, dtype: torch.dtype = torch.float32) -> dict[str, str]:
    """Save as the transformers library does: an index and two parts; the recurrent module is in both."""
    tensors = {name: value.to(dtype) for name, value in state_of(net, "model.").items()}
    names = list(tensors)
    parts = {FIRST: names[:2], SECOND: names[2:]}
    for part, held in parts.items():
        save(folder / part, {name: tensors[name] for name in held})
    table = {name: part for part, held in parts.items() for name in held}
    size = sum(value.nbytes for value in tensors.values())
    write_index(folder, {"metadata": {"total_size": size}, "weight_map": table})
    return table


def write_index(folder: Path, index: object) -> None:
    (folder / INDEX).write_text(json.dumps(index))


@pytest.mark.parametrize("named", [INDEX, FIRST, SECOND])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_weights_in_several_files_are_read_by_their_index(
    tmp_path: Path, named: str, dtype: torch.dtype
) -> None:
    net = Net()
    saved_in_parts(tmp_path, net, dtype)
    found = loaded(tmp_path, f'file = "{named}"', (LSTM, HEAD))
    assert_is(found, net.to(dtype).float().rnn)
    assert_is(found, net.fc, "linear.")


def test_a_part_without_an_index_is_a_file_like_others(tmp_path: Path) -> None:
    net = Net()
    save(tmp_path / FIRST, state_of(net))
    assert_is(loaded(tmp_path, f'file = "{FIRST}"'), net.rnn)


def test_parts_may_stand_in_a_folder_below_the_scenario(tmp_path: Path) -> None:
    net = Net()
    (tmp_path / "checkpoint").mkdir()
    saved_in_parts(tmp_path / "checkpoint", net)
    assert_is(loaded(tmp_path, f'file = "checkpoint/{INDEX}"'), net.rnn)


@pytest.mark.parametrize(
    "part",
    ["../x.safetensors", "/etc/x.safetensors", "a/../../x.safetensors", "C:\\x.safetensors", "\\\\host\\x.safetensors",
     "a\0.safetensors", "./x.safetensors", "a//x.safetensors", ""],
)  # fmt: skip
@pytest.mark.parametrize("allow_outside", [True, False])
def test_an_index_leads_nowhere_but_below_its_folder(
    tmp_path: Path, part: str, *, allow_outside: bool
) -> None:
    save(tmp_path / "x.safetensors", state_of(Net()))
    (tmp_path / "inner").mkdir()
    write_index(tmp_path / "inner", {"weight_map": dict.fromkeys(state_of(Net()), part)})
    message = refusal(tmp_path / "inner", f'file = "{INDEX}"', allow_outside=allow_outside)
    assert "which leads out of its folder" in message
    assert INDEX in message


def test_a_part_that_is_a_link_out_of_the_folder_is_read_only_if_that_is_allowed(tmp_path: Path) -> None:
    """As the cache of a hub keeps a model: links to files that are named by what is in them."""
    net = Net()
    inner = tmp_path / "snapshot"
    inner.mkdir()
    saved_in_parts(inner, net)
    for number, name in enumerate((INDEX, FIRST, SECOND)):
        (inner / name).rename(tmp_path / f"blob{number}")
        (inner / name).symlink_to(tmp_path / f"blob{number}")
    for name in (INDEX, FIRST):
        assert "--allow-outside" in refusal(inner, f'file = "{name}"')
        assert_is(loaded(inner, f'file = "{name}"', allow_outside=True), net.rnn)
    (inner / INDEX).unlink()
    (tmp_path / "blob0").rename(inner / INDEX)
    assert f'"{FIRST}" lies outside' in refusal(inner, f'file = "{INDEX}"')


def test_a_link_that_leads_in_a_circle_is_told(tmp_path: Path) -> None:
    saved_in_parts(tmp_path, Net())
    (tmp_path / FIRST).unlink()
    (tmp_path / FIRST).symlink_to(FIRST)
    assert FIRST in refusal(tmp_path, f'file = "{INDEX}"')


def test_a_part_that_is_not_there_or_a_pipe_is_told(tmp_path: Path) -> None:
    saved_in_parts(tmp_path, Net())
    (tmp_path / FIRST).unlink()
    assert f'there is no file "{FIRST}"' in refusal(tmp_path, f'file = "{INDEX}"')
    os.mkfifo(tmp_path / FIRST)
    assert f'there is no file "{FIRST}"' in refusal(tmp_path, f'file = "{INDEX}"')


def test_an_index_that_is_wrong_about_what_a_part_holds_is_told(tmp_path: Path) -> None:
    table = saved_in_parts(tmp_path, Net())
    write_index(tmp_path, {"weight_map": dict.fromkeys(table, FIRST)})
    message = refusal(tmp_path, f'file = "{INDEX}"')
    assert "stands in" in message
    assert "which does not hold it" in message


def test_a_part_that_is_broken_is_told_by_name(tmp_path: Path) -> None:
    saved_in_parts(tmp_path, Net())
    whole = (tmp_path / SECOND).read_bytes()
    (tmp_path / SECOND).write_bytes(whole[:-4])
    assert f'"{SECOND}" is no safetensors file' in refusal(tmp_path, f'file = "{INDEX}"')


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1, column 1"),
        ("{", "line 1, column 2"),
        ('{\n "weight_map": }', "line 2, column 16"),
        ("[]", "expected the table `weight_map`"),
        ("7", "found 7.0, expected the table `weight_map`"),
        ("{}", "found a table, expected the table `weight_map`"),
        ('{"weights": {}}', "found `weights`, expected the table `weight_map`"),
        ('{"weight_map": []}', "found `weight_map`, expected the table"),
        ('{"weight_map": {}}', "it names no tensor"),
        ('{"weight_map": {"a": 1}}', '"a": found 1.0, expected the name of a file'),
        ('{"weight_map": {"a": ["x"]}}', '"a": found a list of length 1, expected the name of a file'),
        ('{"weight_map": {"a": null}}', '"a": found'),
        ('{"weight_map": {"a": "x.bin"}}', '"x.bin", expected .safetensors files'),
        ('{"weight_map": {"a": "x.safetensors", "a": "y.safetensors"}}', '"a" stands in it twice'),
        ('{"weight_map": {"a": "x.safetensors"}, "weight_map": {}}', '"weight_map" stands in it twice'),
        ('{"metadata": {"total_size": NaN}, "weight_map": {}}', "NaN is no JSON"),
        ('{"metadata": -Infinity, "weight_map": {}}', "-Infinity is no JSON"),
        ("[" * 100_000, "too many brackets inside one another"),
        ('{"weight_map": ' + '{"a": ' * 100_000, "too many brackets inside one another"),
        ('{"n": ' + "9" * 100_000 + ', "weight_map": {}}', "it names no tensor"),
        ('{"weight_map": {"a": "\\ud800/../x.safetensors"}}', "leads out of its folder"),
    ],
    ids=range(21),
)  # fmt: skip
def test_what_is_no_index_is_told(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / INDEX).write_text(text)
    message = refusal(tmp_path, f'file = "{INDEX}"')
    assert message.startswith(f'scenario.toml:2:1: `file`: "{INDEX}" is no index of weights')
    assert words in message


def test_an_index_that_is_no_utf_8_is_told(tmp_path: Path) -> None:
    (tmp_path / INDEX).write_bytes(b'{"weight_map": {"\xff": "x"}}')
    assert "not UTF-8, at byte 17" in refusal(tmp_path, f'file = "{INDEX}"')


def test_a_name_that_no_file_can_have_is_told(tmp_path: Path) -> None:
    write_index(tmp_path, {"weight_map": {"a": "\ud800.safetensors", "b": "x" * 5000 + ".safetensors"}})
    assert "`file`" in refusal(tmp_path, f'file = "{INDEX}"')


@pytest.mark.parametrize("is_too_large", [True, False])
def test_an_index_of_very_many_names_takes_little_time_and_memory(
    tmp_path: Path, *, is_too_large: bool
) -> None:
    count = 1_000_000 if is_too_large else 400_000
    table = {f"layers.{number}.w": "x.safetensors" for number in range(count)}
    write_index(tmp_path, {"weight_map": table})
    assert ((tmp_path / INDEX).stat().st_size > LARGEST_INDEX) == is_too_large
    save(tmp_path / "x.safetensors", state_of(Net()))
    started = time.perf_counter()
    message = refusal(tmp_path, f'file = "{INDEX}"')
    assert time.perf_counter() - started < 10
    assert ("larger than 16 MiB" if is_too_large else "which does not hold it") in message


def test_an_index_of_very_many_files_is_refused_before_one_is_opened(tmp_path: Path) -> None:
    write_index(tmp_path, {"weight_map": {f"t{number}": f"{number}.safetensors" for number in range(5000)}})
    assert "it names 5,000 files, expected at most 1,000" in refusal(tmp_path, f'file = "{INDEX}"')


# ── a safetensors file's header ──────────────────────────────────────────────────────────────────


def write_header(path: Path, header: str, data: bytes = b"", length: int | None = None) -> None:
    encoded = header.encode()
    size = len(encoded) if length is None else length
    path.write_bytes(size.to_bytes(8, "little") + encoded + data)


def entry(shape: list[int], start: int, end: int, kind: str = "F32") -> dict[str, Any]:
    return {"dtype": kind, "shape": shape, "data_offsets": [start, end]}


@pytest.mark.parametrize(
    "header",
    [
        {"a": entry([12, 4], 0, 1 << 60)},
        {"a": entry([12, 4], 100, 50)},
        {"a": entry([12, 4], 0, 8)},
        {"a": entry([1 << 40, 1 << 40], 0, 192)},
        {"a": entry([1 << 62, 4], 0, 192)},
        {"a": entry([-12, 4], 0, 192)},
        {"a": entry([12, 4], -1, 191)},
        {"a": entry([12, 4], 0, 192), "b": entry([12, 4], 0, 192)},
        {"a": entry([12, 4], 0, 192, "F33")},
        {"a": entry([48], 0, 192), "__metadata__": {"a": 1}},
        {"a": 5},
        [],
    ],
    ids=range(12),
)
def test_headers_that_lie_are_told_and_take_no_memory(tmp_path: Path, header: Any) -> None:
    write_header(tmp_path / "x.safetensors", json.dumps(header), bytes(192))
    tracemalloc.start()
    try:
        message = refusal(tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
    finally:
        tracemalloc.stop()
    assert '"x.safetensors" is no safetensors file' in message


@pytest.mark.parametrize(
    "text",
    ["", "{", '{"a": NaN}', "[" * 200_000, '{"a":' * 200_000, "\xff", '{"__metadata__": {"x": NaN}}'],
    ids=range(7),
)
def test_headers_that_are_no_json_are_told(tmp_path: Path, text: str) -> None:
    write_header(tmp_path / "x.safetensors", text)
    assert '"x.safetensors" is no safetensors file' in refusal(tmp_path)


@pytest.mark.parametrize("kind", ["F32", "BF16"])
def test_a_name_that_stands_twice_in_a_header_gives_no_other_tensors_bytes(tmp_path: Path, kind: str) -> None:
    """The same name over other bytes: refused, or read where the header's reader says; never out of step."""
    size = 4 if kind == "F32" else 2
    first, second = (json.dumps(entry([2], start, start + 2 * size, kind)) for start in (0, 2 * size))
    write_header(tmp_path / "x.safetensors", f'{{"w": {first}, "w": {second}}}', bytes(4 * size))
    assert "`file`" in refusal(tmp_path)


def test_a_header_that_claims_more_than_the_limit_is_refused_unread(tmp_path: Path) -> None:
    length = (32 << 20) + 1
    with (tmp_path / "x.safetensors").open("wb") as file:
        file.write(length.to_bytes(8, "little"))
        file.truncate(8 + length)
    started = time.perf_counter()
    assert "its header is larger than 32 MiB" in refusal(tmp_path)
    assert time.perf_counter() - started < 1
    write_header(tmp_path / "x.safetensors", "{}", length=1 << 62)
    assert "no safetensors file" in refusal(tmp_path)


def test_very_many_modules_that_could_be_meant_are_told_in_good_time(tmp_path: Path) -> None:
    """50,000 recurrent layers of one shape: some of them are named."""
    header, at = {}, 0
    for number in range(50_000):
        header[f"l{number}.weight_ih_l0"] = entry([12, 4], at, at + 192)
        at += 192
    write_header(tmp_path / "x.safetensors", json.dumps(header), bytes(at))
    started = time.perf_counter()
    message = refusal(tmp_path)
    assert time.perf_counter() - started < 10
    assert message.count("(12, 4)") == 9
    assert len(message) < 1000
