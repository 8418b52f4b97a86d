"""What may stand after `--beside`, and two runs under one another: `trace`, `grad`, `train`."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

import rnnstep
from rnnstep.errors import UsageError
from rnnstep.reference import complete
from rnnstep.reports.beside import Differences, ValuePair, apart, largest
from rnnstep.scenario.beside import called, second_scenario
from rnnstep.scenario.beside_value import read_value
from rnnstep.scenario.bundled import find
from rnnstep.scenario.read import read
from tests.unit.command_line import NAN_IN_DATA, run, written


def hello():
    return read(find("hello"))


# ── the value ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "kind", "word"),
    [
        ("hello_lstm", "scenario", "hello_lstm"),
        ("  pitfalls/oholo ", "scenario", "pitfalls/oholo"),
        ("dtype = float64", "dtype", "dtype=float64"),
        ("epoch＝15", "epoch", "epoch=15"),
        ("epoch=１５", "epoch", "epoch=15"),
        ("weights=a b.pt", "weights", "weights=a b.pt"),
        ("cure", "cure", "cure"),
    ],
)
def test_a_value_is_read_and_written_back(text, kind, word):
    value = read_value(text)
    assert (value.kind, value.word) == (kind, word)
    assert read_value(value.word) == value


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "a scenario (a path or a bundled name), dtype=float64, weights=FILE, epoch=N"),
        ("colour=red", "dtype=float64"),
        ("wieghts=a.pt", "did you mean `weights=…`"),
        ("dtype=float16", "expected one of float32, float64"),
        ("epoch=0", "whole number from 1"),
        ("epoch=1.5", "whole number from 1"),
        ("epoch=99999999999", "whole number from 1"),
        ("weights=", "a file's name is needed"),
        ("a\0b", "expected a scenario"),
    ],
)
def test_a_bad_value_is_told_with_what_is_allowed(text, told):
    with pytest.raises(UsageError) as error:
        read_value(text)
    assert told in str(error.value)


def test_a_file_whose_name_has_an_equals_sign_is_a_scenario(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written(tmp_path, NAN_IN_DATA, "lr=1.toml")
    assert read_value("lr=1.toml").kind == "scenario"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("hello", "epoch=16", "hello has epochs 1 to 15"),
        ("rnn", "epoch=2", "no [training]"),
        ("hello", "cure", "no mistake"),
        ("pitfalls/h_0_of_the_wrong_shape", "cure", "torch stops at the mistake"),
        ("hello", "hello_lst", "did you mean hello_lstm?"),
        ("hello", "weights=nowhere.pt", "nowhere.pt"),
    ],
)
def test_what_is_not_there_is_told(name, text, told):
    with pytest.raises(UsageError) as error:
        second_scenario(read_value(text), read(find(name)))
    assert told in str(error.value)


def test_another_dtype_is_read_anew_not_converted(tmp_path):
    path = written(tmp_path, NAN_IN_DATA.replace("[nan]", "[0.1]"))
    found = second_scenario(read_value("dtype=float64"), read(path))
    assert found.batches[0].values[1, 0] == 0.1  # a float32's 0.1 is another number
    assert found.parameters["weight_ih_l0"].dtype == np.float64


def test_the_other_dtype_of_a_cure_is_the_cure():
    cure = read(find("pitfalls/oholo")).cure
    found = second_scenario(read_value("dtype=float64"), cure)
    assert found.cure is None
    assert (found.batches[0].target == cure.batches[0].target).all()


def test_a_scenario_made_in_memory_is_converted():
    first = replace(hello(), file_text=None, path=None)
    found = second_scenario(read_value("dtype=float64"), first)
    assert found.dtype == np.float64
    assert found.batches[0].values.dtype == np.float64
    assert found.parameters["weight_hh"].dtype == np.float64


def test_weights_are_looked_for_from_the_working_folder(tmp_path, monkeypatch):
    first = hello()
    arrays = {name: value + 1 for name, value in first.parameters.items()}
    save_file(
        {f"rnn.{name}": np.ascontiguousarray(value) for name, value in arrays.items()},
        tmp_path / "w.safetensors",
    )
    monkeypatch.chdir(tmp_path)
    found = second_scenario(read_value("weights=w.safetensors"), first)
    for name, value in arrays.items():
        np.testing.assert_array_equal(found.parameters[name], value)
    assert found.batches is first.batches


def test_weights_of_another_shape_are_told(tmp_path):
    save_file({"weight_ih": np.zeros((3, 3), np.float32)}, tmp_path / "w.safetensors")
    with pytest.raises(UsageError) as error:
        second_scenario(read_value(f"weights={tmp_path / 'w.safetensors'}"), hello())
    assert "weight_ih" in str(error.value)


def test_weights_of_torch_that_do_not_fit_are_told_with_what_named_them(tmp_path):
    """Not with a place in the scenario's file, which says nothing of them."""
    torch.save(torch.nn.RNNCell(5, 4).state_dict(), tmp_path / "w.pt")
    found = second_scenario(read_value(f"weights={tmp_path / 'w.pt'}"), hello())
    with pytest.raises(UsageError) as error:
        complete(found)
    assert str(error.value).startswith(f"--beside weights={tmp_path / 'w.pt'}: ")
    assert '"weight_ih" has shape (4, 5)' in str(error.value)


def test_runs_are_called_by_what_tells_them_apart():
    first, oholo = hello(), read(find("pitfalls/oholo"))
    for text, one, other, names in (
        ("hello_lstm", first, read(find("hello_lstm")), ("hello", "hello_lstm")),
        ("dtype=float64", first, first, ("float32", "float64")),
        ("epoch=15", first, first, ("epoch 1", "epoch 15")),
        ("cure", oholo, oholo.cure, ("mistake", "cure")),
        ("./x/hello.toml", first, first, ("hello", "./x/hello.toml")),
    ):
        assert tuple(map(str, called(read_value(text), one, other))) == names


# ── differences ──────────────────────────────────────────────────────────────────────────────────


def test_numbers_that_are_not_finite_in_the_same_way_do_not_differ():
    strange = np.array([np.nan, np.inf, -np.inf, 1.0])
    assert apart(strange, strange).tolist() == [0, 0, 0, 0]
    assert largest(apart(strange, np.array([np.nan, np.inf, -np.inf, 3.0]))) == 2
    assert np.isnan(largest(apart([np.nan], [1.0])))
    assert largest(apart([np.inf], [1.0])) == np.inf
    assert apart([1.0, 2.0], [1.0]) is None


def test_the_first_difference_names_row_and_element():
    found = Differences()
    one = np.array([[0.0, 1.0], [2.0, 3.0]])
    found.take(ValuePair("h", "1/L0/h", one, one.copy(), [0, 2]))
    found.take(ValuePair("h", "2/L0/h", one, one + np.array([[0, 0], [0, 4]]), [0, 2]))
    assert found.first.place == "2/L0/h[1]@row2"
    assert (found.first.first, found.first.second) == (3, 7)
    assert found.largest == {"h": 4}


# ── the commands ─────────────────────────────────────────────────────────────────────────────────


def pair(capsys, command, *arguments):
    status, out, _ = run(capsys, command, *arguments, "--format", "json")
    found = json.loads(out)
    assert list(found) == ["runs", "difference"]
    return status, found


def test_json_of_two_traces_is_that_of_each(capsys):
    status, found = pair(capsys, "trace", "hello", "--beside", "dtype=float64")
    assert status == 0
    one, other = found["runs"]
    assert one == rnnstep.trace("hello").as_dict()
    assert other["dtype"] == "float64"
    for name in ("output", "h_n"):
        gap = np.abs(np.array(one[name]) - np.array(other[name])).max()
        assert found["difference"][name] == gap
    hs = [[step["values"]["h"] for step in one["steps"]] for one in found["runs"]]
    assert found["difference"]["h"] == np.abs(np.array(hs[0]) - np.array(hs[1])).max() > 0


def test_what_has_other_shapes_has_no_difference_and_what_one_alone_has_is_left_out(capsys):
    _, found = pair(capsys, "trace", "hello", "--beside", "hello_lstm")
    assert found["difference"]["h_n"] is None
    assert "c_n" not in found["difference"]
    assert "hh" not in found["difference"]


def test_an_epoch_of_a_trace_begins_with_what_was_learnt(capsys):
    _, found = pair(capsys, "grad", "hello", "--beside", "epoch=15")
    losses = [epoch["loss"] for epoch in rnnstep.train("hello").as_dict()["epochs"]]
    assert found["runs"][1]["loss"] == pytest.approx(losses[14], rel=1e-6)
    assert found["difference"]["loss"] == pytest.approx(losses[0] - losses[14], rel=1e-6)


def test_trainings_stand_epoch_beside_epoch(capsys):
    _, found = pair(capsys, "train", "hello", "--beside", "hello_gru")
    losses = [[epoch["loss"] for epoch in one["epochs"]] for one in found["runs"]]
    assert found["difference"] == {"loss": np.abs(np.subtract(*losses)).max()}


def test_a_later_epoch_of_a_training_is_the_same_training_further_on(capsys):
    _, found = pair(capsys, "train", "hello", "--beside", "epoch=10")
    one, other = (one["epochs"] for one in found["runs"])
    assert other == one[9:]


def test_json_is_strict_where_one_run_is_not_finite(capsys, tmp_path):
    path = written(tmp_path, NAN_IN_DATA)
    other = written(tmp_path, NAN_IN_DATA.replace("[nan]", "[1.0]"), "other.toml")
    _, found = pair(capsys, "trace", path, "--beside", other)
    assert found["difference"]["h"] == "NaN"


def test_text_stands_under_one_another_and_tells_the_first_difference(capsys):
    status, out, _ = run(capsys, "trace", "hello", "--beside", "hello_lstm")
    assert status == 0
    lines = out.splitlines()
    at = lines.index("  h")
    assert [line.split()[0] for line in lines[at + 1 : at + 4]] == ["hello", "hello_lstm", "difference"]
    ours, theirs, gap = (
        [float(number.replace("−", "-")) for number in line.split()[1:]] for line in lines[at + 1 : at + 4]
    )
    np.testing.assert_allclose(np.subtract(ours, theirs), gap, atol=2e-4)
    assert "they first differ at 1/L0/h[0]: hello 0.215020284, hello_lstm 0.0102370586" in out
    assert "hello alone has ih, hh, a" in out


def test_a_place_that_the_other_has_not_is_told(capsys):
    _, out, _ = run(capsys, "trace", "multilayer", "--beside", "rnn", "--language", "en")
    assert "rnn has no such step; what multilayer has:" in out
    assert "5×1×2 beside 3×1×2 numbers" in out


def test_nothing_differs_is_told(capsys):
    _, out, _ = run(capsys, "trace", "pitfalls/oholo", "--beside", "cure")
    assert "no number differs" in out


def test_the_exit_status_is_the_first_runs(capsys, monkeypatch):
    import rnnstep.reference.judge.whole_run as judged

    monkeypatch.setattr(
        judged.Checked, "agrees", property(lambda one: one.trace.scenario.name != "hello"), raising=True
    )
    assert pair(capsys, "trace", "hello", "--beside", "hello_gru")[0] == 1
    assert pair(capsys, "trace", "hello_gru", "--beside", "hello")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("trace", "hello", "--beside", "epoch=16"), "epochs 1 to 15"),
        (("trace", "hello", "--beside", "hello_gru", "--format", "csv"), "text, json"),
        (("grad", "hello", "--beside", "rnn"), "rnn: there is no loss"),
        (("train", "hello", "--beside", "rnn"), "rnn: there is no loss"),
        (("hello", "--beside", "dtype=half"), "float32, float64"),
    ],
)
def test_what_cannot_stand_beside_is_refused(capsys, arguments, told):
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert told in err


def test_where_there_is_no_terminal_both_are_printed(capsys):
    status, out, _ = run(capsys, "hello", "--beside", "dtype=float64")
    assert status == 0
    assert out == run(capsys, "trace", "hello", "--beside", "dtype=float64")[1]


def test_a_watch_is_shown_of_both(capsys):
    _, found = pair(
        capsys, "trace", "hello", "--beside", "hello_lstm", "--watch", "norm(h)", "--until", "t == 1"
    )
    assert found["difference"]["norm(h)"] > 0
    assert len(found["runs"][0]["steps"]) == 2
