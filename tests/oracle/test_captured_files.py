"""Recorded calls on the disk and in memory that is short: saved, read back to the bit, and hostile files refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from torch import nn

import rnnstep
from rnnstep.capturing import Captured
from rnnstep.errors import ScenarioError, UsageError
from rnnstep.scenario.call.call_files import call_of, tensors_of
from rnnstep.scenario.file.save import save
from rnnstep.scenario.file.write import difference
from rnnstep.scenario.read import read
from rnnstep.session.edits import Edit, EditTarget, apply
from tests.unit import command_line


class Model(nn.Module):
    """An encoder over packed rows in training mode, and a loop around a cell."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.GRU(3, 4, num_layers=2, bidirectional=True, batch_first=True, dropout=0.3)
        self.decoder = nn.LSTMCell(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([2, 4]), True, enforce_sorted=False)
        _, h_n = self.encoder(packed)
        state = h_n[-1], torch.zeros_like(h_n[-1])
        for _ in range(3):
            state = self.decoder(state[0], state)
        return state[0]


def captured(**options: Any) -> tuple[Model, Captured]:
    torch.manual_seed(0)
    model = Model()
    with rnnstep.capture(model, **options) as seen:
        model(torch.randn(2, 4, 3)).square().sum().backward()
    return model, seen


def test_a_folder_of_calls_is_read_back_to_the_bit(tmp_path: Path) -> None:
    _, seen = captured()
    seen.save(tmp_path / "bug")
    files = sorted(one.name for one in (tmp_path / "bug").iterdir())
    assert files == [
        "000-encoder-0.safetensors",
        "000-encoder-0.toml",
        "001-decoder-0.safetensors",
        "001-decoder-0.toml",
        "where.txt",
    ]
    assert "encoder[0]" in (tmp_path / "bug" / "where.txt").read_text("utf-8")
    for call, name in zip(seen.calls, ("000-encoder-0", "001-decoder-0"), strict=True):
        back = read(tmp_path / "bug" / f"{name}.toml")
        assert difference(call.scenario, back) in (None, "title")
        assert back.title.en == call.place
        run, found = rnnstep.trace(back), rnnstep.grad(back)
        assert run.agrees
        assert found.agrees
        np.testing.assert_array_equal(run.reference.output, call.output)
        assert found.loss == call.grad().loss
    tensors = load_file(tmp_path / "bug" / "000-encoder-0.safetensors")
    assert {"x", "lengths", "h_0", "mask.0", "output", "h_n", "weight_hh_l1_reverse", "grad.h_n"} <= set(
        tensors
    )
    with pytest.raises(UsageError, match="not empty"):
        seen.save(tmp_path / "bug")
    with pytest.raises(UsageError, match="cannot write"):
        seen.save(tmp_path / "no" / "folder")


def test_the_command_line_walks_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, seen = captured()
    seen.save(tmp_path / "bug")
    encoder = str(tmp_path / "bug" / "000-encoder-0.toml")
    status, out, _ = command_line.run(capsys, "trace", encoder, "--format", "json")
    assert status == 0
    told = json.loads(out)
    assert told["agrees"] is True
    assert told["reference"]["recorded"] == ["output", "h_n"]
    status, out, _ = command_line.run(capsys, "grad", str(tmp_path / "bug" / "001-decoder-0.toml"))
    assert status == 0
    status, out, _ = command_line.run(capsys, str(tmp_path / "bug"))
    assert status == 0
    assert "decoder[0]" in out


def test_one_call_is_saved_under_a_name_of_its_own(tmp_path: Path) -> None:
    _, seen = captured()
    call = seen["decoder"][0]
    call.save(tmp_path / "decoder.toml")
    assert rnnstep.trace(tmp_path / "decoder.toml").agrees
    with pytest.raises(UsageError, match="decoder"):
        call.save(tmp_path / "decoder.toml")
    call.save(tmp_path / "decoder.toml", replace=True)


def test_a_half_is_read_as_one(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.GRU(3, 4).to(torch.bfloat16)
    with rnnstep.capture(model) as seen:
        model(torch.randn(4, 2, 3).to(torch.bfloat16))
    seen.calls[0].save(tmp_path / "half.toml")
    assert 'dtype = "bfloat16"' in (tmp_path / "half.toml").read_text("utf-8")
    assert rnnstep.trace(tmp_path / "half.toml").agrees


def test_tensors_and_back() -> None:
    _, seen = captured()
    for call in seen.calls:
        recorded = call.recorded
        from rnnstep.scenario.call.call_files import options_of

        back = call_of(tensors_of(recorded), options_of(recorded))
        assert back.module == recorded.module
        assert back.lengths == recorded.lengths
        assert set(tensors_of(back)) == set(tensors_of(recorded))


# ── files that nobody vouches for ────────────────────────────────────────────────────────────────


def call_file(folder: Path, more: str = "", **changed: Any) -> Path:
    """A file of a call, with some of its tensors changed, or left out where None is given."""
    _, seen = captured()
    tensors = {**tensors_of(seen["encoder"][0].recorded), **changed}
    save_file({name: value for name, value in tensors.items() if value is not None}, folder / "a.safetensors")
    text = '[call]\nfile = "a.safetensors"\nmodule = "GRU"\nbatch_first = true\ndropout = 0.3\n'
    (folder / "a.toml").write_text(text + more, "utf-8")
    return folder / "a.toml"


BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "no x": ({"x": None}, "", "it has no tensor x"),
    "a stranger": ({"exec": np.zeros(2, np.float32)}, "", 'it has a tensor "exec"'),
    "one that steers the terminal": ({"\x1b[2J": np.zeros(2, np.float32)}, "", r"\\x1b"),
    "whole numbers": ({"x": np.zeros((2, 4, 3), np.int64)}, "", "which no recorded call has"),
    "lengths that are none": ({"lengths": np.array([9, 1])}, "", "lengths"),
    "lengths of other rows": ({"lengths": np.array([1])}, "", "lengths"),
    "another output": ({"output": np.zeros((2, 4, 3), np.float32)}, "", "recorded output"),
    "another gradient": ({"grad.h_n": np.zeros((4, 3, 4), np.float32)}, "", "grad.h_n"),
    "a gradient of another parameter": (
        {"grad.weight_hh_l0": np.zeros((3, 4), np.float32)},
        "",
        "weight_hh_l0",
    ),
    "a missing weight": ({"weight_hh_l0": None}, "", "weight_hh_l0"),
    "a mask too many": ({"mask.1": np.ones((2, 4, 8), np.float32)}, "", "masks"),
    "a second state": ({"c_0": np.ones((4, 2, 4), np.float32)}, "", "c_0"),
    "no output, and a gradient": ({"output": None}, "", "output"),
    "a second source": ({}, '[input]\ntext = "a"\n', r"\[input\] and \[call\] exclude each other"),
    "an unknown key": ({}, "speed = 3\n", "speed"),
    "another dtype": ({}, 'dtype = "int8"\n', "dtype"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_is_no_call_is_refused_with_its_place(case: str, tmp_path: Path) -> None:
    changed, more, words = BAD[case]
    with pytest.raises(ScenarioError, match=words) as told:
        read(call_file(tmp_path, more, **changed))
    assert all(problem.line >= 1 for problem in told.value.problems)
    assert "\x1b" not in told.value.into("zh")


def test_a_call_is_refused_where_it_takes_too_much_memory(tmp_path: Path) -> None:
    from rnnstep.scenario.file.document import Limits

    with pytest.raises(ScenarioError, match="memory-limit"):
        read(call_file(tmp_path), Limits(memory=1000))


def test_a_file_outside_its_folder_is_not_read(tmp_path: Path) -> None:
    call_file(tmp_path)
    (tmp_path / "inner").mkdir()
    text = (tmp_path / "a.toml").read_text("utf-8").replace("a.safetensors", "../a.safetensors")
    (tmp_path / "inner" / "a.toml").write_text(text, "utf-8")
    with pytest.raises(ScenarioError, match="outside"):
        read(tmp_path / "inner" / "a.toml")


def test_what_was_recorded_is_stepped_in_its_own_dtype(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="float32"):
        read(call_file(tmp_path), dtype="float64")
    assert read(call_file(tmp_path), dtype="float32").display.dtype == "float32"


# ── many calls ───────────────────────────────────────────────────────────────────────────────────


def test_the_last_calls_alone_are_kept_and_it_is_said() -> None:
    model, x = nn.GRU(3, 4), torch.randn(4, 2, 3)
    with rnnstep.capture(model, last=2) as seen:
        for _ in range(5):
            model(x)[0].sum().backward()
    assert [call.place for call in seen.calls] == ["gru[3]", "gru[4]"]
    assert "the last 2 of 5 calls" in str(seen)
    assert all(call.grad().agrees for call in seen.calls)


def test_older_calls_go_to_the_disk_and_come_back_to_the_bit() -> None:
    def run(limit: str) -> tuple[list[np.ndarray], Captured]:
        torch.manual_seed(0)
        model = Model()
        x = torch.randn(2, 4, 3)
        with rnnstep.capture(model, limit=limit) as seen:
            loss = sum(model(x).square().sum() for _ in range(4))
            loss.backward()  # the gradients come when most of it is on the disk
        found = []
        for call in seen.calls:
            assert call.trace().agrees
            assert call.grad().agrees
            found += list(tensors_of(call.recorded).values())
        return found, seen

    here, _ = run("1 GiB")
    there, seen = run("0 B")
    assert sum(call.is_put_away for call in seen.calls) >= 5
    assert "older calls are in" in str(seen)
    for one, other in zip(here, there, strict=True):
        np.testing.assert_array_equal(one, other)


def test_gradients_count_to_the_limit_and_go_to_the_disk_with_their_calls() -> None:
    """A training loop: what came back is put away, too, and so memory stays within what was asked for."""
    torch.manual_seed(0)
    model, x = nn.ModuleDict({"rnn": nn.GRU(8, 16), "cell": nn.LSTMCell(16, 16)}), torch.randn(6, 3, 8)

    def run(limit: int) -> Captured:
        with rnnstep.capture(model, limit=limit) as seen:
            for _ in range(4):
                output, state = model["rnn"](x)[0], None
                for one in output:
                    state = model["cell"](one, state)
                state[0].square().sum().backward()
        return seen

    one_call = max(call.nbytes for call in run(1 << 30).calls)
    limit = 2 * one_call
    seen = run(limit)
    assert sum(call.nbytes for call in seen.calls) <= limit
    assert sum(call.is_put_away for call in seen.calls) >= 5
    for call in seen.calls:
        before = call.nbytes
        assert call.recorded.gradients["weight_hh" if call.name == "cell" else "weight_hh_l0"].any()
        assert call.grad().agrees
        assert call.nbytes == before


@pytest.mark.parametrize("kind", ["GRU", "GRUCell"])
def test_what_comes_back_to_a_call_on_the_disk_is_added_to_what_is_there(kind: str) -> None:
    torch.manual_seed(0)
    module, x = getattr(nn, kind)(3, 4), torch.randn(5, 2, 3)

    def run() -> torch.Tensor:
        if kind == "GRU":
            return module(x)[0].square().sum()  # type: ignore[no-any-return]
        h = None
        for one in x:
            h = module(one, h)
        return h.square().sum()

    with rnnstep.capture(limit=0) as seen:
        loss = run()
        loss.backward(retain_graph=True)
        run()  # the first call goes to the disk, its gradients with it
        loss.backward()
    first = seen.calls[0]
    assert first.is_put_away
    back = first.grad()
    assert back.agrees
    for name, one in module.named_parameters():
        np.testing.assert_allclose(back.parameters[name], one.grad.numpy(), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(first.recorded.gradients[name], one.grad.numpy(), rtol=1e-5, atol=1e-6)


def test_a_disk_that_is_full_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    _, seen = captured(limit=10)
    assert "No space left" in str(seen)
    assert all(call.trace().agrees for call in seen.calls)


@pytest.mark.parametrize("is_read_back", [False, True])
@pytest.mark.parametrize("kind", ["LSTM", "GRUCell"])
def test_an_edited_call_is_saved_without_the_gradients_and_says_so(
    kind: str,
    is_read_back: bool,  # noqa: FBT001 - a parameter of the test
    tmp_path: Path,
) -> None:
    torch.manual_seed(0)
    module, x = getattr(nn, kind)(3, 4), torch.randn(5, 2, 3)
    with rnnstep.capture() as seen:
        if kind == "LSTM":
            module(x)[0].sum().backward()
        else:
            module(x[1], module(x[0])).sum().backward()
    (call,) = seen.calls
    scenario = call.scenario
    if is_read_back:
        call.save(tmp_path / "call.toml")
        scenario = read(tmp_path / "call.toml")
    edits = [
        Edit(EditTarget("values", "0", (1, 0, 2), "x"), 0.5),
        Edit(EditTarget("parameters", next(iter(scenario.parameters)), (0, 1), "W"), -0.25),
    ]
    edited = apply(scenario, edits)
    left_out = save(edited, edits, tmp_path / "edited.toml")
    assert left_out is not None
    assert "the gradients that were recorded" in str(left_out)
    back = read(tmp_path / "edited.toml")
    assert not back.goes_back
    assert rnnstep.trace(back).agrees
    np.testing.assert_array_equal(
        rnnstep.trace(back).trace.passes[0].output, rnnstep.trace(edited).trace.passes[0].output
    )
