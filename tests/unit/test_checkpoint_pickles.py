"""Checkpoints that were pickled: what is saved beside the tensors is told, and no pickle is run."""

from __future__ import annotations

import argparse
import collections
import datetime as dt
import pickle
import time
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rnnstep.scenario.weights.pickles import contents
from tests.unit.checkpoints import Net, Settings, loaded, refusal


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
            f'beside tensors it holds "settings": {Settings.__module__}.Settings;',
            alone,
        ),
        "a dictionary with defaults": (
            collections.defaultdict(list, state),
            "collections.defaultdict",
            alone,
        ),
        "a whole model": (
            net,
            f"holds a whole model ({Net.__module__}.Net); save its state_dict",
            f"{whole}.state_dict()",
        ),
        "a whole model inside": (
            {"epoch": 3, "model": net},
            f"holds a whole model ({Net.__module__}.Net); save its state_dict",
            f"{whole}['model'].state_dict()",
        ),
        "both": ({"model": net, "ema": state}, f'"model": {Net.__module__}.Net', f"{whole}['ema']"),
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
